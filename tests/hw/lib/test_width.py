import pytest
from amaranth.hdl import signed
from hypothesis import given
from hypothesis import strategies as st

from hw.lib.width import Narrow, NarrowConfig, Widen, WidenConfig
from tests.support.bench import intervals, latency, run
from tests.support.strategies import payload_lists, stalls

SIZES = [(1, 2), (2, 2), (2, 3), (3, 4)]
SHAPE = signed(5)


def widen(words, lanes, factor):
    """Wide words of narrow ones: full, or closed by `last`; a word that stays open is not out."""
    out, held = [], []
    for word in words:
        held.append(word)
        if len(held) == factor or word["last"]:
            flat = [lane for each in held for lane in each["lanes"]]
            flat += [0] * (factor * lanes - len(flat))
            out.append({"lanes": flat, "words": len(held), "last": word["last"]})
            held = []
    return out


def narrow(words, lanes):
    """Narrow words of wide ones, `last` on the final one only."""
    return [
        {
            "lanes": wide["lanes"][k * lanes : (k + 1) * lanes],
            "last": wide["last"] if k == wide["words"] - 1 else 0,
        }
        for wide in words
        for k in range(wide["words"])
    ]


@pytest.mark.parametrize(("lanes", "factor"), SIZES)
@given(data=st.data(), stalls_i=stalls(), stalls_o=stalls())
def test_widen_is_widen(lanes, factor, data, stalls_i, stalls_o):
    config = WidenConfig(shape=SHAPE, lanes=lanes, factor=factor)
    x = data.draw(payload_lists(config.narrow))
    y = widen(x, lanes, factor)
    pattern = {"i": stalls_i, "o": stalls_o}
    assert run(Widen(config), {"i": x}, stalls=pattern, expect=len(y), cycles_budget=200).o == y


@pytest.mark.parametrize(("lanes", "factor"), SIZES)
@given(data=st.data(), stalls_i=stalls(), stalls_o=stalls())
def test_narrow_is_narrow(lanes, factor, data, stalls_i, stalls_o):
    config = NarrowConfig(shape=SHAPE, lanes=lanes, factor=factor)
    x = data.draw(payload_lists(config.wide, max_size=8))
    x = [{**wide, "words": 1 + wide["words"] % factor} for wide in x]
    y = narrow(x, lanes)
    pattern = {"i": stalls_i, "o": stalls_o}
    assert run(Narrow(config), {"i": x}, stalls=pattern, expect=len(y), cycles_budget=200).o == y


@given(payload_lists(WidenConfig(shape=SHAPE, lanes=2, factor=3).narrow))
def test_narrow_undoes_widen(x):
    x = [*x, {"lanes": [0, 0], "last": 1}]
    assert narrow(widen(x, 2, 3), 2) == x


def word(lanes, last=0):
    return {"lanes": list(lanes), "last": last}


@pytest.mark.parametrize("factor", [2, 3])
def test_latency_and_interval_of_widen(factor):
    config = WidenConfig(shape=SHAPE, lanes=1, factor=factor)
    x = [word([k]) for k in range(4 * factor)]
    result = run(Widen(config), {"i": x}, expect=4, cycles_budget=50)
    assert set(intervals(result)) == {config.interval}
    result.cycles["i"] = result.cycles["i"][factor - 1 :: factor]
    assert latency(result) == config.latency


@pytest.mark.parametrize("factor", [2, 3])
def test_latency_and_interval_of_narrow(factor):
    config = NarrowConfig(shape=SHAPE, lanes=1, factor=factor)
    x = [{"lanes": range(factor), "words": factor, "last": 0} for _ in range(4)]
    result = run(Narrow(config), {"i": x}, expect=4 * factor, cycles_budget=50)
    assert set(intervals(result)) == {config.interval}
    assert result.cycles["o"] == list(range(config.latency, config.latency + 4 * factor))


@pytest.mark.parametrize("config", [NarrowConfig, WidenConfig])
def test_rejections(config):
    name = config.__name__
    with pytest.raises(ValueError, match=rf"{name}\.lanes must be at least 1, got 0"):
        config(shape=SHAPE, lanes=0, factor=2)
    with pytest.raises(ValueError, match=rf"{name}\.factor must be at least 2, got 1"):
        config(shape=SHAPE, lanes=1, factor=1)
