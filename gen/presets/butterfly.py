"""Butterfly presets: FFTs, FFT and butterfly matrices on one core, and one for a small board."""

from gen.presets.preset import Preset
from spec.butterfly import Butterfly

PRESETS = {
    "fft_256": Preset(
        summary="FFT and its inverse, 8 to 256 points, 16 bits, block floating point",
        description=Butterfly(("fft", "inverse"), points=256),
        hardware={"units": 4, "stream_words": 2},
    ),
    "fft_1024": Preset(
        summary="FFT and its inverse, 8 to 1024 points, 16 bits, block floating point",
        description=Butterfly(("fft", "inverse"), points=1024),
        hardware={"units": 4, "stream_words": 2},
    ),
    "fft_8192": Preset(
        summary="FFT and its inverse, 8 to 8192 points; about 140 block RAMs of an ECP5-85F",
        description=Butterfly(("fft", "inverse"), points=8192),
        hardware={"units": 4, "stream_words": 2},
    ),
    "butterfly_1024": Preset(
        summary="FFT or a trainable butterfly matrix, chosen at run time, 8 to 1024 points",
        description=Butterfly(("fft", "inverse", "bpmm"), points=1024),
        hardware={"units": 4, "stream_words": 2},
    ),
    "butterfly_8192": Preset(
        summary="FFT and its inverse, 64 to 8192 points in two layers of at most 128",
        description=Butterfly(("fft", "inverse"), points=8192, divided_from=64),
        hardware={"units": 4, "stream_words": 2},
    ),
    "mixing_128x64": Preset(
        summary="Real part of the 2-D FFT of real blocks of up to 128 x 64 words, half the work",
        description=Butterfly("mixing", points=128, columns=64),
        hardware={"units": 4, "stream_words": 2},
    ),
    "butterfly_ice40": Preset(
        summary="FFT or butterfly matrix, 8 to 128 points, 14 bits, one unit, for an iCE40 UP5K",
        description=Butterfly(("fft", "bpmm"), points=128, data_bits=14, coefficient_bits=16),
        hardware={"units": 1, "stream_words": 1},
    ),
}
