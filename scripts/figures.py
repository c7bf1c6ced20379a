"""Put every measured table into one document, ``docs/figures.md``; measure anew if asked.

Run from the repository's root:  python -m scripts.figures [--measure]

With --measure every script that measures is run first, about an hour on two cores; without it the
tables in ``docs/measured/`` are taken as they are.
"""

import argparse
import subprocess
import sys
from pathlib import Path

DOCS = Path("docs")
MEASURED = {
    "softmax": "scripts.measure_softmax",
    "softmax_minilm": None,  # printed by examples/01_softmax_on_real_scores.py
    "softmax_exact_tables": "scripts.search_exact_tables",
    "attention": "scripts.measure_attention",
    "attention_minilm": "scripts.measure_attention_minilm",
    "attention_verilog": "scripts.verify_attention",
    "attention_area": "scripts.measure_attention_area",
    "attention_ice40": "scripts.measure_attention_ice40",
    "butterfly": "scripts.measure_butterfly",
    "butterfly_fit": None,  # printed by examples/03_butterfly_in_place_of_a_matrix.py
    "fabnet": "scripts.measure_fabnet",
    "two_layer": "scripts.measure_two_layer",
    "butterfly_area": "scripts.measure_butterfly_area",
    "link": "scripts.measure_link",
    "axi": "scripts.measure_axi",
    "boards": "scripts.measure_boards",
    "macros": "scripts.measure_macros",
    "layers": "scripts.measure_layers",
    "area_model": "scripts.calibrate_area",
    "primitives": "scripts.measure_primitives",
    "stalls": "scripts.measure_stalls",
}
"""File in ``docs/measured/`` -> module that makes it."""

INTRODUCTION = """\
# Figures

Made by `python -m scripts.figures` from the tables in [measured/](measured/). Every table names the
command that makes it again. Absolute times depend on the machine; clocks and areas do not.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measure", action="store_true", help="run the measurements first")
    if parser.parse_args().measure:
        for module in filter(None, MEASURED.values()):
            subprocess.run([sys.executable, "-m", module], check=True)
    (DOCS / "figures.md").write_text(document(DOCS), encoding="utf-8")


def document(docs: Path) -> str:
    """The tables of ``measured/`` in `docs`, one after the other."""
    sections = [INTRODUCTION]
    for name in MEASURED:
        text = (docs / "measured" / f"{name}.md").read_text(encoding="utf-8")
        sections.append("\n".join(_demote(line) for line in text.strip().splitlines()) + "\n")
    return "\n".join(sections)


def _demote(line: str) -> str:
    """A heading one level down, and links as they are one folder up."""
    return (f"#{line}" if line.startswith("#") else line).replace("](../", "](")


if __name__ == "__main__":
    main()
