import pytest
from amaranth.hdl import Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator
from hypothesis import given
from hypothesis import strategies as st

from hw.lib.credit import Push, PushSignature
from hw.lib.pipe import LatencyError, Pipe

PAIR = data.StructLayout({"a": signed(8), "b": signed(8)})


class Delay(wiring.Component):
    """A child of fixed latency: its input, some cycles later."""

    i: Signal
    o: Signal

    def __init__(self, latency: int):
        self.latency = latency
        super().__init__({"i": In(8), "o": Out(8)})

    def elaborate(self, platform):
        m = Module()
        value = self.i
        for k in range(self.latency):
            later = Signal(8, name=f"value_{k + 1}")
            m.d.sync += later.eq(value)
            value = later
        m.d.comb += self.o.eq(value)
        return m


class Scale(wiring.Component):
    """(a - b) beside a child that delays a: three kinds of stage in one pipeline."""

    i: Push
    o: Push

    def __init__(self, child_latency: int):
        self.child_latency = child_latency
        self.latency = 2 + child_latency
        out = data.StructLayout({"d": signed(9), "a": 8, "pair": PAIR})
        super().__init__({"i": In(PushSignature(PAIR)), "o": Out(PushSignature(out))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.delay = delay = Delay(self.child_latency)
        i, o = self.i, self.o
        with Pipe(m, "scale", latency=self.latency, valid=i.valid, pair=i.payload) as p:
            p.stage("subtract", d=p.pair.a - p.pair.b, keep=("pair",))
            m.d.comb += delay.i.eq(p.pair.a)
            p.through(delay.latency, a=delay.o, keep=("d", "pair"))
            p.stage("collect", keep=("d", "a", "pair"))
        m.d.comb += [o.valid.eq(p.valid), o.payload.d.eq(p.d), o.payload.a.eq(p.a)]
        m.d.comb += o.payload.pair.eq(p.pair)
        return m


@pytest.mark.parametrize("child_latency", [0, 1, 3])
@given(x=st.lists(st.none() | st.tuples(st.integers(-128, 127), st.integers(-128, 127))))
def test_every_value_arrives_with_its_own_after_exactly_the_latency(child_latency, x):
    dut = Scale(child_latency)
    seen = []

    async def bench(ctx):
        for each in [*x, *[None] * dut.latency]:
            ctx.set(dut.i.valid, each is not None)
            ctx.set(dut.i.payload, dict(zip("ab", each or (0, 0), strict=True)))
            o = ctx.get(dut.o.payload)
            a, b = o.pair.a, o.pair.b
            seen.append((a, b, o.d, o.a) if ctx.get(dut.o.valid) else None)
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    results = [each and (*each, each[0] - each[1], each[0] % 256) for each in x]
    assert seen == [None] * dut.latency + results


def pipe(latency, **values):
    return Pipe(Module(), "weigh", latency=latency, valid=Signal(), **values)


def test_registers_are_named_by_stage_and_only_valid_is_reset():
    with pipe(3, score=Signal(8)) as p:
        p.stage("subtract", distance=p.score - 1)
        first = p.distance
        p.through(2, keep=("distance",))
    assert [first.name, p.distance.name, p.valid.name] == [
        "weigh_distance_1",
        "weigh_distance_3",
        "weigh_valid_3",
    ]
    assert p.distance.reset_less and not p.valid.reset_less


def test_shapes_are_kept():
    with pipe(1, pair=Signal(PAIR), number=Signal(signed(5))) as p:
        p.stage("hold", keep=("pair", "number"), sum=p.pair.a + p.number)
    assert p.pair.shape() == PAIR
    assert p.number.shape() == signed(5)
    assert p.sum.shape() == signed(9)


@pytest.mark.parametrize(
    ("built", "stated", "message"),
    [
        (7, 6, "weigh: 7 stages built, 6 stated"),
        (1, 2, "weigh: 1 stage built, 2 stated"),
        (0, 1, "weigh: 0 stages built, 1 stated"),
    ],
)
def test_a_pipeline_of_another_length_is_rejected(built, stated, message):
    with pytest.raises(LatencyError, match=message), pipe(stated) as p:
        for _ in range(built):
            p.stage("hold")


def test_an_error_within_is_not_hidden_by_the_count():
    with pytest.raises(ZeroDivisionError), pipe(4):
        _ = 1 // 0


def test_a_value_that_was_not_kept_is_gone():
    with pipe(1, score=Signal(8), last=Signal()) as p:
        p.stage("subtract", distance=p.score - 1)
        message = "weigh: no 'last' at stage 1 .subtract., which holds valid, distance"
        with pytest.raises(AttributeError, match=message):
            _ = p.last
        with pytest.raises(AttributeError, match="weigh: no 'score' at stage 1"):
            p.through(1, keep=("score",))


def test_other_rejections():
    with pytest.raises(LatencyError, match="weigh: latency must be at least 0, got -1"):
        pipe(-1)
    with pytest.raises(ValueError, match="weigh: a value cannot be called 'stage'"):
        pipe(0, stage=Signal())
    p = pipe(1, score=Signal(8))
    with pytest.raises(LatencyError, match="weigh: a child's latency cannot be -1"):
        p.through(-1)
    with pytest.raises(TypeError, match="weigh: keep must be a tuple of names, got 'score'"):
        p.stage("hold", keep="score")
    with pytest.raises(ValueError, match="weigh: 'score' is both kept and given at stage 0"):
        p.stage("hold", keep=("score",), score=p.score + 1)
