"""docs/figures.md is what ``python -m scripts.figures`` makes of the measured tables."""

import importlib.util
from pathlib import Path

from scripts.figures import MEASURED, document

DOCS = Path(__file__).resolve().parents[1] / "docs"


def test_the_figures_are_those_that_were_measured():
    figures = (DOCS / "figures.md").read_text(encoding="utf-8")
    assert figures == document(DOCS), "make it anew: python -m scripts.figures"


def test_every_measured_table_is_among_them_and_says_how_to_make_it_again():
    assert sorted(MEASURED) == sorted(path.stem for path in (DOCS / "measured").glob("*.md"))
    for name, module in MEASURED.items():
        if module is not None:
            assert importlib.util.find_spec(module), module
            assert f"python -m {module}" in (DOCS / "measured" / f"{name}.md").read_text(), name
