"""How far three 8-bit softmax methods are from float64 on MiniLM's attention scores of a page."""

import argparse
from pathlib import Path

import numpy as np

from examples.support.minilm import MiniLM
from sim.golden.softmax import softmax
from sim.reference.softmax import softmax as real_softmax
from spec.softmax import Softmax

LENGTHS = (32, 64, 128, 256, 512)
UNITS = [Softmax(method, score_bits=16, score_frac=8) for method in ("exact", "lut2d", "rexp")]
NAMES = (*(unit.method for unit in UNITS), "rounding to 8 bits alone")


def quantise(scores):  # nats -> the description's integers
    steps = np.rint(scores * 2 ** UNITS[0].score_frac)
    return np.clip(steps, UNITS[0].score_min, UNITS[0].score_max).astype(np.int16)


def errors(scores):  # (rows, length) -> by name, mean L1 error of a row and largest of an element
    ideal, integers = real_softmax(scores), quantise(scores)
    outputs = [softmax(u.numerics, integers).p / u.numerics.full_scale for u in UNITS]
    off = [np.abs(p - ideal) for p in (*outputs, np.rint(255 * ideal) / 255)]
    return [(e.sum(axis=1).mean(), e.max()) for e in off]


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--lengths", nargs="+", type=int, choices=LENGTHS, default=LENGTHS)
parser.add_argument("--save", metavar="PATH", help="npz of the last length's integer scores")
parser.add_argument("--picture", metavar="PATH", help="draw error against row length")
args = parser.parse_args()
model, page = MiniLM.load(), (Path(__file__).parent / "text" / "page.txt").read_text("utf-8")
results, rows = np.empty((len(args.lengths), len(NAMES), 2)), []
print("| row length | method                   | mean L1 error of a row | largest error |")
print(f"|{'-' * 11}:|{'-' * 26}|{'-' * 23}:|{'-' * 14}:|")
for result, length in zip(results, args.lengths, strict=True):
    rows = [np.vstack([*la.scores]) for la in model.encode(model.tokenise(page, length)).layers]
    each = np.array([errors(scores) for scores in rows])
    result[:] = np.stack([each[..., 0].mean(axis=0), each[..., 1].max(axis=0)], axis=1)
    for name, (mean, most) in zip(NAMES, result, strict=True):
        print(f"| {length:10} | {name:24} | {mean:22.5f} | {most:13.5f} |", flush=True)
if args.save:
    np.savez_compressed(args.save, scores=quantise(np.concatenate(rows)))
if args.picture:
    from matplotlib import pyplot

    pyplot.rc("axes.spines", top=False, right=False)
    figure, axes = pyplot.subplots(1, 2, figsize=(9, 4), layout="constrained", sharey=True)
    figure.suptitle("8-bit softmax against float64, on MiniLM's attention scores over one page")
    colours = ["tab:blue", "tab:orange", "tab:red", "black"]
    for i, title in enumerate(("mean L1 error of a row", "largest error of an element")):
        axes[i].set_prop_cycle(color=colours, marker=[*"os^."], linestyle=[*"---:"])
        axes[i].semilogy([*map(str, args.lengths)], results[..., i], label=NAMES)
        axes[i].set(title=title, xlabel="row length", ylim=(1e-3, 1))
        axes[i].grid(axis="y", alpha=0.3)
    axes[1].legend(frameon=False, loc=(0.25, 0.35))
    figure.savefig(args.picture, dpi=150)
