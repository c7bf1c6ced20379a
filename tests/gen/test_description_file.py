"""A user's file that is wrong: where, what, and what is near."""

from pathlib import Path

import pytest

from gen.description_file import read_file
from spec import SpecError

LAYER = "layer = Attention(heads=1, queries=4, keys=4, head_dim=8, "
ATTENTION = "from spec import Attention, Mask, causal, full\n" + LAYER
STOPS = (
    "from spec import Attention, Mask\ndef stop(b, h, q, k):\n    raise SystemExit(3)\n"
    + LAYER
    + "mask=Mask(stop))\n"
)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = 1\n", "bad.py: exactly one module-level description is needed, found none"),
        (
            "from spec import Softmax\na = Softmax()\nb = Softmax('rexp')\n",
            "bad.py: exactly one module-level description is needed, found a, b; begin the "
            "others' names with _",
        ),
        (
            "from spec import Softmax\na = Softmax(score_bits=99)\n",
            "bad.py:2: Softmax.score_bits must be from 8 to 16, got 99; nearest is 16",
        ),
        ("x = (\n", "bad.py:1: SyntaxError: '(' was never closed (bad.py, line 1)"),
        (
            "\nimport nothing_of_the_kind\n",
            "bad.py:2: ModuleNotFoundError: No module named 'nothing_of_the_kind'",
        ),
        ("\nraise SystemExit\n", "bad.py:2: a description must not end the program"),
        ("import sys\nsys.exit(3)\n", "bad.py:2: a description must not end the program"),
        (STOPS, "bad.py:3: a description must not end the program"),
        (
            ATTENTION.replace("queries", "queriez") + ")\n",
            "bad.py:2: TypeError: Attention.__init__() got an unexpected keyword argument "
            "'queriez'; nearest is queries",
        ),
        (
            "from spec import causl\n",
            "bad.py:1: ImportError: cannot import name 'causl' from 'spec'; nearest is causal",
        ),
        ("import spec\nspec.Sofmax()\n", "'spec' has no attribute 'Sofmax'; nearest is Softmax"),
        ("a = Atention()\n", "bad.py:1: NameError: name 'Atention' is not defined; nearest is At"),
        (
            ATTENTION + "mask=lambda b, h, q, k: q < k)\n",
            "bad.py:2: Attention.mask must be a mask such as causal() or Mask(function), got a "
            "lambda; wrap a function of (b, h, q, k) in Mask(...)",
        ),
        (ATTENTION + "mask=causal)\n", "got the function causal; write causal(...)"),
        (ATTENTION + "mask=full)\n", "got the function full; write full(...)"),
        (
            "import numpy as np\n" + ATTENTION + "mask=np.ones((4, 4), bool))\n",
            "got an array of shape (4, 4); give an array to the run, with masks=('bitmap',) here",
        ),
        (
            ATTENTION + "\n  mask=Mask(lambda b, h, q, k:\n    q < k if q else True))\n",
            "bad.py:4: `if`, `and`, `or`, `not`, min(), max() or a chained comparison asks",
        ),
    ],
)
def test_a_mistake_is_told_once_with_its_line(tmp_path, monkeypatch, text, says):
    monkeypatch.chdir(tmp_path)
    Path("bad.py").write_text(text)
    with pytest.raises(SpecError) as caught:
        read_file(Path("bad.py"))
    told = str(caught.value)
    assert says in told
    assert told.startswith("bad.py:") and told.count("bad.py:") == 1
    assert "0x" not in told and str(tmp_path) not in told


def test_what_is_near_to_nothing_is_told_without_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for text, says in (
        ("x = zzzqqq\n", "bad.py:1: NameError: name 'zzzqqq' is not defined"),
        (
            "def f(): pass\nf(a=1)\n",
            "bad.py:2: TypeError: f() got an unexpected keyword argument 'a'",
        ),
    ):
        Path("bad.py").write_text(text)
        with pytest.raises(SpecError) as caught:
            read_file(Path("bad.py"))
        assert str(caught.value) == says
