"""Proofs of the ring of tiles: exactly once, in order, and no place written before it was read."""

from typing import Any

import pytest
from amaranth.hdl import Array, Assert, Assume, Cat, Const, Cover, Module, Mux, Signal, Value

from hw.attention import block_ring
from hw.attention.block_ring import BlockRing, BlockRingConfig
from hw.attention.tile import TileWords
from hw.prim.ram import Ram, RamConfig
from tests.support.abstract import OneWordRam, delayed
from tests.support.formal import Follow, ProofFailed, free_ports, prove
from tests.support.inside import mutant, opened

pytestmark = pytest.mark.formal


def config_of(rows: int, row_words: int, tiles: int, with_rows: bool = True) -> BlockRingConfig:
    return BlockRingConfig(
        tile=TileWords(rows=rows, row_words=row_words, lanes=1),
        word_shape=2,
        row_shape=2 if with_rows else None,
        tiles=tiles,
    )


SMALL_RINGS = {
    "smallest": config_of(1, 1, 1),
    "one word a tile": config_of(1, 1, 3),
    "rows": config_of(2, 2, 2),
    "odd": config_of(2, 1, 3),
    "tile by tile": config_of(1, 2, 3, with_rows=False),
}


def total(bits: list[Value]) -> Value:
    return sum(bits[1:], start=bits[0])


class Contract:
    """Any neighbours that keep their obligations; words and row values are followed to `issue`.

    A tile's *offset* is how many tiles came before it of those whose place is not free. All that
    was taken, written, announced is told by counts of tiles or words from there.
    """

    def __init__(self, dut: BlockRing, *, flag_from_end: bool = False):
        self.flag_from_end = flag_from_end
        self.config = dut.config
        self.module, self.state = opened(dut)
        self.port: Any = dut
        self.m = Module()
        self.m.submodules.dut = dut
        self.free: list[Any] = list(free_ports(dut))
        self.active, self.last = self["active"], self["last"]
        self.base = Mux(self.active, self["tile_at"], self["next_tile"])
        self.issued = Mux(self.active, self["word"], 0)
        self.tiles_taken = self.config.tiles - (self["spare"] + 1) - self["freed_before"]
        self.words()
        self.tiles()
        if self.config.row_shape is not None:
            self.rows()
        self.output()

    def __getitem__(self, name: str) -> Value:
        # A counter of one place has no bits, and the end of a tile of one word never changes.
        if name == "end" and self.config.tile.words == 1:
            return Const(1, 1)
        if name == "started" and self.config.tile.words == 1:
            return Const(0, 1)
        places = {"word": self.config.tile.words, "row": self.config.tile.rows}
        counted = name.removeprefix("write_").removeprefix("next_").removeprefix("read_")
        if places.get(counted, self.config.tiles) == 1 and name not in self.state:
            return Const(0, 1)
        return self.state[name]

    def say(self, *claims: Any) -> None:
        self.m.d.comb += list(claims)

    def words(self) -> None:
        """Words are written where they are read, each once; and so many are where counts say."""
        m, port, config = self.m, self.port, self.config
        size, depth = config.tile.words, config.words_ram.depth
        self.ram = ram = self.module.submodules.words
        assert isinstance(ram, OneWordRam)
        active, announced, started = self.active, self["announced"], self["started"]
        ready = self["ready"] - started
        word, tile_at, next_tile = self["word"], self["tile_at"], self["next_tile"]
        unwritten, unannounced = Signal(range(depth + 1)), Signal(range(depth + 1))
        self.unwritten = unwritten
        telling = Mux(port.i_block.valid, port.i_block.payload.tiles, 0)
        m.d.sync += [
            unwritten.eq(unwritten + Mux(port.take, size, 0) - port.i.valid),
            unannounced.eq(unannounced + port.i.valid - telling * size),
        ]
        self.say(
            Assume(~port.take | port.room, "takes only what is free"),
            Assume(~port.i.valid | port.take | (unwritten > 0), "writes only what was taken"),
            Assume(telling * size <= unannounced + port.i.valid, "announces what is written"),
        )
        m.submodules.words = words = Follow(config.word_shape, depth)
        chosen = Signal()
        self.free += [chosen, ram.spot, ram.free]
        self.stored = words.inside + self.issued
        read_at = self.base * size + self.issued
        write_at = self["write_tile"] * size + self["write_word"]

        def place(ahead: Value) -> Value:
            return Mux(read_at + ahead >= depth, read_at + ahead - depth, read_at + ahead)

        left = Mux(active, size - word, 0)
        self.tiles_announced = active + ready + 1 + announced
        meets = ram.write.enable & (ram.write.address == ram.read.address)
        wrote, wrote_at = delayed(m, ram.write.enable, 1), delayed(m, ram.write.address, 1)
        just = wrote & (wrote_at == ram.read.address)
        freed = delayed(m, active & self["end"], 1)
        follows = Mux(tile_at == config.tiles - 1, 0, tile_at + 1)
        self.say(
            words.enter.eq(ram.write.enable),
            words.enter_payload.eq(ram.write.data),
            words.mark.eq(chosen & (ram.write.address == ram.spot)),
            words.leave.eq(active),
            words.leave_payload.eq(ram.now),
            Assert(ram.write.enable == port.i.valid, "writes what is pushed"),
            Assert(~port.i.valid | (ram.write.data == port.i.payload.word), "as it is"),
            Assert(~port.i.valid | (ram.write.address == write_at), "one after the other"),
            Assert(~active | (ram.read.address == read_at), "reads in order"),
            Assert(~active | ~(meets | just), "no read meets a write, or one just done"),
            Assert(~wrote | (unannounced > 0) | (announced > 0), "what was just written waits"),
            Assert(port.room == (self["spare"] >= 0), "offers what is free"),
            Assert(self["spare"] >= -1, "no place is given twice"),
            Assert(self["freed_before"] == freed, "frees what was read"),
            Assert(self.stored + unwritten == self.tiles_taken * size, "spare counts the free"),
            Assert(ready >= -1, "counts no tile twice"),
            Assert(
                left + (ready + 1 + announced) * size + unannounced == words.inside,
                "every word is announced",
            ),
            Assert((self["write_tile"] < config.tiles) & (next_tile < config.tiles), "in range"),
            Assert((tile_at < config.tiles) & (~active | (next_tile == follows)), "one by one"),
            Assert(place(words.inside) == write_at, "addresses are what is inside apart"),
            Assert(~words.waiting | (place(words.ahead) == ram.spot), "the followed word's place"),
            Assert(~words.waiting | (ram.cell == words.payload), "the followed word is stored"),
            Assert(active | (word == 0), "a tile begins at its first word"),
            Assert(self["end"] == (word == size - 1), "and ends at its last"),
            Assert(started == (active & (word == 0) & (size > 1)), "its start is told once"),
        )
        ended = ~active | self["end"]
        starts = ended & (ready >= 0) & port.advance
        self.say(
            Assert(port.start == starts, "starts as soon as it may"),
            Assert(delayed(m, starts | ~ended, 1) == active, "and issues from the next cycle"),
            Cover(words.waiting & (words.ahead > 0) & active & ram.write.enable, "both at once"),
        )

    def tiles(self) -> None:
        """Which tile is the last of its row block is known when it is taken, and told when read."""
        m, port, config = self.m, self.port, self.config
        size, tiles = config.tile.words, config.tiles
        lasts = self.module.submodules.lasts
        if isinstance(lasts, Ram):
            lasts = opened(lasts)[0].submodules.storage
        self.offset = [
            Mux(each >= self.base, each - self.base, each + tiles - self.base)
            for each in range(tiles)
        ]
        self.ends_block = ends_block = [Signal(name=f"ends_block_{each}") for each in range(tiles)]
        takes_last = Signal()
        self.free.append(takes_last)
        for each, offset in enumerate(self.offset):
            with m.If(port.take & (offset == self.tiles_taken)):
                m.d.sync += ends_block[each].eq(takes_last)
            held = lasts.read_port(domain="comb")
            begun = offset * size < self.stored - (size - 1 if self.flag_from_end else 0)
            kept = ~begun | (held.data == ends_block[each])
            self.say(held.addr.eq(each), Assert(kept, "the flag is kept"))
        written = Array(ends_block)[self["write_tile"]]
        is_last = Mux(port.take & (self.unwritten == 0), takes_last, written)
        first = Signal(init=1)
        now = Array(ends_block)[self["tile_at"]]
        with m.If(self.active & self["end"]):
            m.d.sync += first.eq(now)
        self.say(
            Assume(~port.i.valid | (port.i.payload.last == is_last), "a tile's words agree"),
            Assert(~self.active | (self.last == now), "the tile's own"),
            Assert(self["first"] == first, "the first comes after a last"),
        )

    def rows(self) -> None:
        """Row values are followed until the last word of their row in their row block."""
        m, port, config = self.m, self.port, self.config
        rows, bits = config.tile.rows, config.tile.row_words.bit_length() - 1
        depth = config.rows_ram.depth
        self.row_ram = ram = self.module.submodules.rows
        assert isinstance(ram, OneWordRam)
        word = self["word"]
        row_index = word[bits:] if rows > 1 else Const(0, 1)
        row_end = word[:bits].all() if bits else Const(1, 1)
        m.submodules.rows = values = Follow(2, depth)
        chosen = Signal()
        self.free += [chosen, ram.spot, ram.free]
        done = Mux(self.active & self.last, row_index, 0)

        def of_blocks(tiles: Value) -> Value:
            """Row values of the row blocks that end among so many tiles, if not yet done with."""
            ending = [
                last & (at < tiles) for last, at in zip(self.ends_block, self.offset, strict=True)
            ]
            return total(ending) * rows - done

        def is_end(tiles: Value) -> Value:
            pairs = zip(self.ends_block, self.offset, strict=True)
            return total([last & (at + 1 == tiles) for last, at in pairs]) | (tiles == 0)

        telling = Mux(port.i_block.valid, port.i_block.payload.tiles, 0)
        then = self.tiles_announced + telling
        read_at = self["read_block"] * rows + done
        write_at = self["write_block"] * rows + self["write_row"]

        def place(ahead: Value) -> Value:
            return Mux(read_at + ahead >= depth, read_at + ahead - depth, read_at + ahead)

        turn = Mux(self.last, 0, row_index)
        meets = ram.write.enable & (ram.write.address == ram.read.address)
        self.say(
            Assume(
                ~port.i_row.valid | (values.inside < of_blocks(self.tiles_taken)),
                "tells rows of blocks whose last tile was taken",
            ),
            Assume(
                (telling == 0) | (of_blocks(then) <= values.inside + port.i_row.valid),
                "announces blocks whose rows were told",
            ),
            Assume((telling == 0) | is_end(then), "and whole ones"),
            values.enter.eq(ram.write.enable),
            values.enter_payload.eq(ram.write.data),
            values.mark.eq(chosen & (ram.write.address == ram.spot)),
            values.leave.eq(self.active & self.last & row_end),
            values.leave_payload.eq(ram.now),
            Assert(ram.write.enable == port.i_row.valid, "writes rows as they are pushed"),
            Assert(~port.i_row.valid | (ram.write.data == port.i_row.payload), "unchanged"),
            Assert(~port.i_row.valid | (ram.write.address == write_at), "row after row"),
            Assert(~self.active | ~meets, "no read of a row meets a write"),
            Assert(values.inside <= of_blocks(self.tiles_taken), "no row without a tile"),
            Assert(values.inside >= of_blocks(self.tiles_announced), "rows of what is announced"),
            Assert(is_end(self.tiles_announced), "whole row blocks are announced"),
            Assert((self["read_block"] < config.tiles), "a row's address in range"),
            Assert((self["write_block"] < config.tiles), "where it is written too"),
            Assert(place(values.inside) == write_at, "row addresses are what is inside apart"),
            Assert(~values.waiting | (place(values.ahead) == ram.spot), "the followed row's place"),
            Assert(~values.waiting | (ram.cell == values.payload), "the followed row is stored"),
            Assert(
                ~(self.active & values.waiting & (values.ahead == turn))
                | (ram.now == values.payload),
                "beside every word of its row",
            ),
        )

    def output(self) -> None:
        """What is issued arrives, after exactly the latency."""
        m, config, o = self.m, self.config, self.port.o
        bits = config.tile.row_words.bit_length() - 1
        word = self["word"]
        row_end = word[:bits].all() if bits else Const(1, 1)
        flags = Cat(row_end, self["end"], self["first"], self.last)
        late = [
            delayed(m, value, config.read_latency)
            for value in (self.active, word, flags, self.ram.now)
        ]
        given = o.payload
        told = Cat(given.row_end, given.end, given.first, given.last)
        self.say(
            Assert(o.valid == late[0], "arrives after the latency"),
            Assert(~o.valid | (told == late[2]), "what ends with it"),
            Assert(~o.valid | (given.word == late[3]), "the word itself"),
        )
        if config.tile.rows > 1:
            self.say(Assert(~o.valid | (given.row_index == late[1][bits:]), "of its row"))
        if config.row_shape is not None:
            row = delayed(m, self.row_ram.now, config.read_latency)
            self.say(Assert(~o.valid | (given.row == row), "beside its own row"))


def ram(config: RamConfig) -> Any:
    """Flags are a bit wide, and few: they stay as they are."""
    return Ram(config) if config.width == 1 else OneWordRam(config)


@pytest.fixture
def one_word_ram(monkeypatch):
    """Memories by their contract, and the words' as if it were large: the harder one to keep."""
    monkeypatch.setattr(block_ring, "Ram", ram)
    monkeypatch.setattr(block_ring, "NEAR_BITS", 0)


@pytest.mark.parametrize("size", SMALL_RINGS)
def test_ring_carries_every_word_and_row_once_and_in_order(size, one_word_ram):
    contract = Contract(BlockRing(SMALL_RINGS[size]))
    depth = SMALL_RINGS[size].latency + 1
    name = f"block_ring_{size.replace(' ', '_')}"
    prove(contract.m, name=name, ports=contract.free, depth=depth)


def test_flags_in_a_memory_are_read_in_time(one_word_ram, monkeypatch):
    monkeypatch.setattr(block_ring, "LOGIC_TILES", 1)
    config = config_of(1, 4, 2)
    contract = Contract(BlockRing(config))
    prove(contract.m, name="block_ring_flags", ports=contract.free, depth=5)


def test_ring_reads_and_writes_at_once(one_word_ram):
    contract = Contract(BlockRing(SMALL_RINGS["odd"]))
    prove(contract.m, name="block_ring_cover", ports=contract.free, depth=9, mode="cover")


@pytest.mark.parametrize(
    ("right", "wrong", "line"),
    [
        ("freed = active & end", "freed = self.start", "frees what was read|without a tile"),
        ("self._rows(m, row_index, freed & last)", "self._rows(m, row_index, freed)", "row"),
        ("first.eq(last)", "first.eq(0)", "first comes"),
    ],
)
def test_a_ring_with_a_fault_is_found(right, wrong, line, one_word_ram, monkeypatch):
    contract = Contract(mutant(BlockRing, right, wrong)(SMALL_RINGS["odd"]))
    with pytest.raises(ProofFailed, match=f"assertion fails.*({line})"):
        prove(contract.m, name="wrong_block_ring", ports=contract.free, depth=12, mode="bmc")


def test_flags_written_with_a_tiles_last_word_would_come_too_late(one_word_ram, monkeypatch):
    right, wrong = "self.i.valid & (write_word == 0)", "self.i.valid & write_end"
    # A copy takes the limit of tiles as it finds it.
    monkeypatch.setattr(block_ring, "LOGIC_TILES", 1)
    contract = Contract(mutant(BlockRing, right, wrong)(config_of(1, 4, 2)), flag_from_end=True)
    with pytest.raises(ProofFailed, match=r"assertion fails.*the tile's own"):
        prove(contract.m, name="wrong_flags", ports=contract.free, depth=14, mode="bmc")
