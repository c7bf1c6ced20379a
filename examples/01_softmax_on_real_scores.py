"""How close three softmax methods come on real attention scores: MiniLM reads a page.

Run from the repository's root:  python examples/01_softmax_on_real_scores.py
"""

import argparse
from pathlib import Path

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from examples.support.minilm import MiniLM
from sim.golden.softmax import softmax
from sim.reference.softmax import softmax as real_softmax
from spec.softmax import METHODS, Softmax

PAGE = Path(__file__).parent / "text" / "page.txt"
FLOOR = "rounding to 8 bits alone"


def quantise(scores, layer: Softmax):
    steps = np.rint(scores * 2.0**layer.score_frac)
    return np.clip(steps, layer.score_min, layer.score_max).astype(np.int16)


def errors(scores):
    """Of real scores (rows, length): per method, each row's L1 error and each row's largest."""
    ideal = real_softmax(scores)
    outputs = {FLOOR: np.rint(255 * ideal) / 255}
    for method in METHODS:
        layer = Softmax(method)
        integers = softmax(layer.numerics, quantise(scores, layer)).p
        outputs[method] = integers / layer.numerics.full_scale
    off = {name: np.abs(p - ideal) for name, p in outputs.items()}
    return {name: np.stack([e.sum(axis=1), e.max(axis=1)]) for name, e in off.items()}


if __name__ == "__main__":
    import time
    t=time.time()
    model = MiniLM.load()
    text = PAGE.read_text(encoding="utf-8")
    for n in (32,64,128,256,384,512):
        enc = model.encode(model.tokenise(text, n))
        allr=[errors(l.scores.reshape(-1,n)) for l in enc.layers]
        for name in allr[0]:
            e=np.concatenate([r[name] for r in allr],axis=1)
            print(n,name,e[0].mean(),e[1].max(), e[1].max()*255, "per layer L1",[round(r[name][0].mean(),4) for r in allr])
        print(time.time()-t)
