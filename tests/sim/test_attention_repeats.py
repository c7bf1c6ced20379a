"""Row blocks that the attention core's cycle model copies: the moments of all being led through."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.attention.config import AttentionConfig
from sim.cycle import attention
from sim.cycle.attention import Job, attention_cycles
from sim.cycle.heads import head_answers, head_cycles
from spec import Attention, Sigmoid, Softmax, causal, sliding_window

MASKS = (None, causal(), sliding_window(5), causal() & sliding_window(20, sinks=2))
SIDES = st.sampled_from([1, 2, 4, 8])


@pytest.fixture
def led(monkeypatch):
    """Commands of each row block that is led through the arrays."""
    found = []
    lead = attention._Run._lead

    def counted(run):
        before = run.commands
        whole = lead(run)
        found.append(run.commands - before)
        return whole

    monkeypatch.setattr(attention._Run, "_lead", counted)
    return found


@st.composite
def jobs_of_a_core(draw):
    """A core and heads for it, some of which are offered late or wait for their mask."""
    heads = draw(st.integers(1, 8))
    groups = draw(st.sampled_from([n for n in range(1, heads + 1) if heads % n == 0]))
    layer = Attention(
        heads=heads,
        kv_heads=heads // groups,
        queries=draw(st.integers(1, 80)),
        keys=draw(st.integers(1, 80)),
        head_dim=draw(st.sampled_from([4, 8, 24, 64])),
        mask=draw(st.sampled_from(MASKS)),
        row=draw(st.sampled_from([Softmax("exact"), Softmax("lut2d"), Sigmoid()])),
    )
    config = AttentionConfig(
        layer=layer,
        rows=draw(SIDES),
        columns=draw(SIDES),
        value_columns=draw(st.sampled_from([1, 2, 4])),
        buffers=draw(st.integers(1, 2)),
        score_tiles=draw(st.sampled_from([None, 2, 4, 16])),
    )
    answers = head_answers(config, layer.queries, layer.keys, [None] * heads)
    offered, jobs = 0, []
    for h, tiles in enumerate(answers):
        loaded = 0
        if draw(st.integers(0, 7)) == 0:
            offered += draw(st.integers(0, 3000))
            loaded = offered + draw(st.integers(0, 500))
        tiles = dataclasses.replace(tiles, offered=offered, loaded=loaded)
        keep = h % groups != groups - 1
        jobs.append(Job(queries=layer.queries, keys=layer.keys, tiles=tiles, keep=keep))
    return config, jobs


@settings(max_examples=40)
@given(case=jobs_of_a_core())
def test_a_copied_row_block_has_the_moments_of_one_that_is_led_through(case):
    config, jobs = case
    assert attention_cycles(config, jobs) == attention_cycles(config, jobs, repeats=False)


def test_a_dense_layer_is_led_through_for_a_few_row_blocks(led):
    layer = Attention(heads=16, queries=256, keys=256, head_dim=32)
    config = AttentionConfig(layer=layer, rows=4, columns=4, value_columns=4)
    found = head_cycles(config, 256, 256, [None])
    assert found.tiles == 16 * 64 * 64 and len(led) < 64


def test_of_equal_heads_two_are_led_through_and_little_of_the_others(led):
    layer = Attention(heads=16, queries=256, keys=256, head_dim=32, mask=causal())
    config = AttentionConfig(layer=layer, rows=4, columns=4, value_columns=4)
    found = head_cycles(config, 256, 256, [None])
    assert found.tiles == 16 * 64 * 65 // 2
    assert sum(led) < 2.1 * 64 * 65 // 2  # values are late for the second, as for all after it


def test_without_repeats_every_row_block_is_led_through(led):
    layer = Attention(heads=4, queries=64, keys=64, head_dim=32)
    config = AttentionConfig(layer=layer, rows=4, columns=4, value_columns=4)
    answers = head_answers(config, 64, 64, [None] * 4)
    jobs = [Job(queries=64, keys=64, tiles=each) for each in answers]
    found = attention_cycles(config, jobs, repeats=False)
    assert sum(led) == found.tiles == 4 * 16 * 16
