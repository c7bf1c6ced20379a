"""Designs from whose synthesis the area model's coefficients are fitted: presets and others.

The others are there to move what a preset does not: sides of arrays, lanes, widths, expressions,
sources of masks, units, words a cycle; and the same on iCE40.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from amaranth.lib import wiring

from gen.design import Design
from gen.plan.building import streams_of
from gen.presets import PRESETS
from hw.bus.link import LinkConfig, UartLink, UartLinkConfig
from hw.bus.uart import UartConfig
from hw.prim.target import Target
from spec import (
    Accelerator,
    Attention,
    Relu,
    Retention,
    Sigmoid,
    Softmax,
    alibi,
    causal,
    const,
    sliding_window,
    softcap,
)
from spec.butterfly import Butterfly

__all__ = ["DESIGNS", "SMALL_PRESETS", "Subject"]

ECP5, UP5K, HX8K = Target.ECP5, Target.ICE40, Target.ICE40_HX


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Gates on the cells of one family.

    Parameters
    ----------
    name
        Of the design.
    target
        The family.
    unit
        Makes the gates, to be elaborated once.
    bits
        Of all streams' words, of what joins a core to a line; 0 for a core.
    core
        Makes the core within a system.
    """

    name: str
    target: Target
    unit: Callable[[], wiring.Component]
    bits: int = 0
    core: Callable[[], wiring.Component] | None = None

    @property
    def key(self) -> str:
        """By which its result is kept."""
        return f"{self.name} {self.target.value}"


def _of(name: str, description: Any, target: Target = ECP5, **hardware: Any) -> Subject:
    return Subject(name=name, target=target, unit=Design.of(name, description, **hardware).unit)


def _system(name: str, description: Any, target: Target = ECP5, **hardware: Any) -> Subject:
    design = Design.of(name, description, **hardware)
    return Subject(
        name=f"system_{name}",
        target=target,
        unit=design.system,
        bits=sum(map(sum, streams_of(design).widths)),
        core=design.unit,
    )


def _link(name: str, target: Target, *widths: tuple[int, ...], **sizes: int) -> Subject:
    config = UartLinkConfig(
        uart=UartConfig(clock_hz=48_000_000, baud=3_000_000),
        link=LinkConfig(send_widths=widths[0], receive_widths=widths[1], **sizes),
    )
    bits = sum(widths[0]) + sum(widths[1])
    return Subject(name=f"link_{name}", target=target, unit=lambda: UartLink(config), bits=bits)


TARGETS = {
    "attention_tiny": (ECP5, UP5K, HX8K),
    "softmax_ice40": (ECP5, UP5K, HX8K),
    "butterfly_ice40": (ECP5, UP5K, HX8K),
    "butterfly_icebreaker": (UP5K,),
    "attention_hx8k": (HX8K,),
}
"""Presets that are for a small board, and what they are synthesised for; all others for ECP5."""

SMALL_PRESETS = ("softmax_ice40", "softmax_rexp")
"""Those that a test synthesises again."""


def _presets() -> list[Subject]:
    found = []
    for name, preset in PRESETS.items():
        design = Design.of(name, preset.description, **preset.hardware)
        cores = {name: design}
        if isinstance(preset.description, Accelerator):
            cores = {f"{name}:{core}": each for core, each in design.cores.items()}
        for core, each in cores.items():
            for target in TARGETS.get(name, (ECP5,)):
                found.append(Subject(name=core, target=target, unit=each.unit))
    return found


def _layer(size: int = 128, dims: int = 32, **fields: Any) -> Attention:
    return Attention(heads=2, queries=size, keys=size, head_dim=dims, **fields)


def _arrays() -> list[Subject]:
    sides = [(1, 2, 1), (2, 2, 1), (2, 2, 2), (2, 4, 2), (4, 2, 4), (4, 4, 2), (4, 4, 4), (4, 8, 4)]
    sides += [(8, 4, 4), (8, 8, 4), (8, 8, 8), (16, 8, 4), (8, 16, 8)]
    return [
        _of(
            f"arrays_{rows}x{columns}_{values}", _layer(mask=causal()),
            rows=rows, columns=columns, value_columns=values,
        )
        for rows, columns, values in sides
    ]  # fmt: skip


def _layers() -> list[Subject]:
    four: dict[str, Any] = {"rows": 4, "columns": 4, "value_columns": 4}
    window = causal() & sliding_window(16, sinks=2)
    shapes = {
        "dense": _layer(),
        "weights_12": _layer(prob_bits=12, score_bits=14),
        "weights_16_out_16": _layer(prob_bits=16, score_bits=16, output_bits=16),
        "scaled_out": _layer(out_scale=1 / 50),
        "window": _layer(mask=window),
        "columns": _layer(masks=("columns",)),
        "bitmap": _layer(mask=causal(), masks=("generator", "bitmap")),
        "softcap": _layer(score=lambda s, b, h, q, k: softcap(s, 20.0)),
        "alibi": _layer(mask=window, score=lambda s, b, h, q, k: s + alibi(h, q, k)),
        "sigmoid": _layer(
            row=Sigmoid(), score=lambda s, b, h, q, k: s - const(math.log(64), frac=10)
        ),
        "relu": _layer(row=Relu(), prob_bits=12),
        "retention": _layer(row=Retention(), mask=causal()),
        "lut2d": _layer(score_bits=16, row=Softmax("lut2d")),
        "rexp_4": _layer(score_bits=16, row=Softmax("rexp", output_bits=4, alpha_entries=16)),
        "long": Attention(heads=8, queries=2048, keys=2048, head_dim=16, mask=causal()),
        "short": Attention(heads=1, queries=16, keys=16, head_dim=8),
    }
    found = [_of(f"layer_{name}", layer, **four) for name, layer in shapes.items()]
    found.append(_of("layer_buffers", _layer(mask=causal()), buffers=2, compact=True, **four))
    eight = _layer(mask=causal(), masks=("generator", "columns", "bitmap"))
    found.append(_of("layer_any_mask_8", eight, buffers=2))
    return found


def _small_attention() -> list[Subject]:
    tiny: dict[str, Any] = {"score_bits": 14, "score_frac": 7, "prob_bits": 12}
    layers = {
        "plain": (_layer(64, 16, **tiny), {"rows": 2, "columns": 2, "value_columns": 2}),
        "causal": (
            _layer(64, 16, mask=causal(), **tiny), {"rows": 1, "columns": 2, "value_columns": 1}
        ),
        "wide": (_layer(32, 32), {"rows": 2, "columns": 2, "value_columns": 1}),
        "relu": (
            _layer(64, 16, row=Relu(), **tiny), {"rows": 1, "columns": 2, "value_columns": 2}
        ),
        "lut2d": (
            _layer(64, 16, score_bits=12, row=Softmax("lut2d")),
            {"rows": 2, "columns": 2, "value_columns": 1},
        ),
        "four": (_layer(64, 16, **tiny), {"rows": 4, "columns": 2, "value_columns": 2}),
    }  # fmt: skip
    return [
        _of(f"small_{name}", layer, target, **hardware)
        for target in (UP5K, HX8K)
        for name, (layer, hardware) in layers.items()
    ]


def _softmaxes() -> list[Subject]:
    shapes = [("exact", 8, 16, 1), ("exact", 8, 16, 8), ("exact", 8, 10, 2), ("exact", 16, 16, 1)]
    shapes += [("exact", 16, 16, 4), ("lut2d", 8, 12, 1), ("lut2d", 8, 16, 8), ("rexp", 8, 12, 1)]
    shapes += [("rexp", 16, 16, 8), ("lut2d", 4, 16, 4)]
    found = [
        _of(
            f"softmax_{method}_{output}_{bits}_x{lanes}",
            Softmax(method, output_bits=output, score_bits=bits, score_frac=6, max_length=512),
            lanes=lanes,
        )
        for method, output, bits, lanes in shapes
    ]
    for target in (UP5K, HX8K):
        for method, lanes in (("exact", 2), ("lut2d", 1), ("rexp", 1)):
            of = Softmax(method, score_bits=12, score_frac=6, max_length=256)
            found.append(_of(f"softmax_small_{method}_x{lanes}", of, target, lanes=lanes))
    return found


def _butterflies() -> list[Subject]:
    one: dict[str, Any] = {"units": 1, "stream_words": 1}
    both = Butterfly(("fft", "bpmm"), points=128)
    found = [
        _of("butterfly_fft_64_x1", Butterfly("fft", points=64), **one),
        _of("butterfly_fft_512_x2", Butterfly("fft", points=512), units=2, stream_words=2),
        _of("butterfly_fft_256_x8", Butterfly("fft", points=256), units=8, stream_words=4),
        _of("butterfly_bpmm_128_x2", Butterfly("bpmm", points=128), units=2, stream_words=1),
        _of("butterfly_bpmm_256_x4", Butterfly("bpmm", points=256), units=4, weight_sets=2),
        _of(
            "butterfly_orders", Butterfly("bpmm", points=64, orders=("decreasing", "increasing")),
            units=2, stream_words=2,
        ),
        _of("butterfly_both_128_x1", both, **one),
        _of(
            "butterfly_shifts", Butterfly(("fft", "inverse"), points=256, shifts=1, data_bits=12),
            units=2, stream_words=2,
        ),
        _of("mixing_32x32_x2", Butterfly("mixing", points=32), units=2, stream_words=2),
        _of("mixing_64x64_x1", Butterfly("mixing", points=64), **one),
        _of("divided_512_x2", Butterfly("fft", points=512, divided_from=64), units=2),
        _of(
            "divided_1024_x4", Butterfly(("fft", "inverse"), points=1024, divided_from=64),
            units=4, stream_words=4,
        ),
    ]  # fmt: skip
    narrow: dict[str, Any] = {"data_bits": 12, "coefficient_bits": 14}
    for target in (UP5K, HX8K):
        found.append(
            _of("butterfly_small_fft", Butterfly("fft", points=64, **narrow), target, **one)
        )
    found.append(
        _of("butterfly_small_bpmm", Butterfly("bpmm", points=64, data_bits=14), UP5K, **one)
    )
    return found


def _on_boards() -> list[Subject]:
    """What joins cores to a board's serial line: registers, adapters of rows, the link."""
    soft = Softmax("exact", score_bits=12, score_frac=6, max_length=256)
    rows: dict[str, Any] = {"rows": 2, "columns": 4, "value_columns": 2}
    one: dict[str, Any] = {"units": 1, "stream_words": 1}
    narrow = Butterfly(("fft", "bpmm"), points=64, data_bits=14, coefficient_bits=16)
    found = []
    for target in (UP5K, HX8K):
        found += [
            _link("narrow", target, (17, 9), (18,), buffer_bytes=512),
            _link("wide", target, (41, 41, 41), (43,), buffer_bytes=512),
            _system("softmax_1", soft, target, lanes=1),
            _system("butterfly", narrow, target, **one),
            _system(
                "attention", _layer(64, 16, score_bits=14, score_frac=7, prob_bits=12), target,
                rows=1, columns=2, value_columns=1,
            ),
        ]  # fmt: skip
    return [
        *found,
        _link("narrow", ECP5, (17, 9), (18,), buffer_bytes=512),
        _link("wide", ECP5, (81, 81, 81), (83,), buffer_bytes=2048),
        _system("softmax_4", soft, lanes=4),
        _system("fft_64", Butterfly(("fft", "inverse"), points=64), units=2, stream_words=2),
        _system("attention", _layer(mask=causal()), **rows),
        _system("bitmap", _layer(masks=("bitmap",), mask=None), **rows),
    ]


DESIGNS: dict[str, Subject] = {
    subject.key: subject
    for subject in (
        *_presets(), *_softmaxes(), *_on_boards(), *_small_attention(), *_arrays(), *_layers(),
        *_butterflies(),
    )
}  # fmt: skip
"""Every design by its key: presets first."""
