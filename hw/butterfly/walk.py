"""In which order a scratchpad's words are read: address generators."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["MirrorWalk", "Walk"]


class Walk(wiring.Component):
    """Word by word, all groups of vectors; where `paired`, each group of a second word besides.

    Contract: `start` comes while not `busy`; limits hold still until the walk has ended. Where it
    is `paired`, word w is followed, group by group, by its partner: `partner` for word 0; then
    counting up from there, or, if `descending`, `top` for word 1 and down from there.

    *Timing*: a read in every cycle with `go` from the one after `start`.

    *Members*
    start, go
        Begin; the read on offer is done.
    last_word, last_group
        The last word w (not partner) and the last group of vectors.
    paired, partner, top
        As above.
    busy
        A read is on offer: `word`, `group`, whether it is of a partner, `second`, whether it is of
        word 0 or its partner, `zero`, and whether it is the `last`.
    """

    start: Signal
    go: Signal
    last_word: Signal
    last_group: Signal
    paired: Signal
    partner: Signal
    top: Signal
    busy: Signal
    word: Signal
    group: Signal
    second: Signal
    zero: Signal
    last: Signal

    def __init__(self, log2_words: int, log2_groups: int, *, descending: bool):
        self.descending = descending
        super().__init__(
            {
                "start": In(1),
                "go": In(1),
                "last_word": In(log2_words),
                "last_group": In(log2_groups),
                "paired": In(1),
                "partner": In(log2_words),
                "top": In(log2_words),
                "busy": Out(1),
                "word": Out(log2_words),
                "group": Out(log2_groups),
                "second": Out(1),
                "zero": Out(1),
                "last": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Count pairs, groups and words."""
        m = Module()
        word = Signal.like(self.word, name="first_word")
        partner = Signal.like(self.partner)
        pair_ends = Signal()
        group_ends = Signal()
        m.d.comb += [
            self.word.eq(Mux(self.second, partner, word)),
            pair_ends.eq(self.second | ~self.paired),
            group_ends.eq(pair_ends & (self.group == self.last_group)),
            self.zero.eq(word == 0),
            self.last.eq(group_ends & (word == self.last_word)),
        ]
        with m.If(self.start):
            m.d.sync += [
                self.busy.eq(1),
                word.eq(0),
                partner.eq(self.partner),
                self.group.eq(0),
                self.second.eq(0),
            ]
        with m.Elif(self.busy & self.go):
            m.d.sync += [
                self.second.eq(~pair_ends),
                self.group.eq(Mux(group_ends, 0, self.group + pair_ends)),
                word.eq(word + group_ends),
                self.busy.eq(~self.last),
            ]
            with m.If(group_ends):
                m.d.sync += partner.eq(self._next(word, partner))
        return m

    def _next(self, word: Value, partner: Value) -> Value:
        if not self.descending:
            return partner + 1
        return Mux(word == 0, self.top, partner - 1)


class MirrorWalk(wiring.Component):
    """Word m of all groups, then word −m of all groups in descending order, for every m.

    Before each m comes word −m of group 0 once more: the `head`. Numbers of words count modulo
    last_word + 1, a power of two.

    Contract, *Timing*, *Members*: those of `Walk`, with `head`, and `back` for words −m.
    """

    start: Signal
    go: Signal
    last_word: Signal
    last_group: Signal
    busy: Signal
    word: Signal
    group: Signal
    head: Signal
    back: Signal
    last: Signal

    def __init__(self, log2_words: int, log2_groups: int):
        super().__init__(
            {
                "start": In(1),
                "go": In(1),
                "last_word": In(log2_words),
                "last_group": In(log2_groups),
                "busy": Out(1),
                "word": Out(log2_words),
                "group": Out(log2_groups),
                "head": Out(1),
                "back": Out(1),
                "last": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Count groups up and down, and words both ways."""
        m = Module()
        word, mirrored = (Signal.like(self.word, name=name) for name in ("forth", "mirrored"))
        at_last = Signal()
        at_first = Signal()
        ends = Signal()
        m.d.comb += [
            self.word.eq(Mux(self.head | self.back, mirrored, word)),
            at_last.eq(self.group == self.last_group),
            at_first.eq(self.group == 0),
            ends.eq(self.back & at_first),
            self.last.eq(ends & (word == self.last_word)),
        ]
        with m.If(self.start):
            m.d.sync += [
                self.busy.eq(1),
                word.eq(0),
                mirrored.eq(0),
                self.group.eq(0),
                self.head.eq(1),
                self.back.eq(0),
            ]
        with m.Elif(self.busy & self.go):
            with m.If(self.head):
                m.d.sync += self.head.eq(0)
            with m.Elif(self.back):
                m.d.sync += self.group.eq(self.group - ~at_first)
            with m.Else():
                m.d.sync += [self.back.eq(at_last), self.group.eq(self.group + ~at_last)]
            with m.If(ends):
                m.d.sync += [
                    self.head.eq(1),
                    self.back.eq(0),
                    word.eq(word + 1),
                    mirrored.eq(Mux(word == 0, self.last_word, mirrored - 1)),
                    self.busy.eq(~self.last),
                ]
        return m
