"""What is made from a map of registers: read again by other tools, it is the same map."""

import re
import shutil
import subprocess

import pytest

from gen.registers.c_header import c_header
from gen.registers.markdown import table
from gen.registers.systemrdl import systemrdl
from hw.bus.registers import Identity, constant, setting, system_map
from scripts.registers import FILE, document
from spec.registers import Access, Field, RegisterMap
from tests.support.registers import every_access


def small_map() -> RegisterMap:
    length = Field(name="elements", low=0, width=9, meaning="of a row", value=1, least=1)
    mask = Field(name="source", low=2, width=1, meaning="says", choices={"none": 0, "tuser": 1})
    return system_map(
        "softmax",
        Identity(interface_version=3, digest="0123456789abcdef" * 4),
        capabilities=[constant("lanes", 4, 'elements a "transfer" \\')],
        settings=[setting("row_length", "of every row", length), setting("mask", "what", mask)],
        inputs=["i"],
        outputs=["o"],
    )


MAPS = pytest.mark.parametrize("registers", [every_access(), small_map()], ids=lambda m: m.name)


def defines(header: str) -> dict[str, int]:
    found = re.findall(r"^#define (\w+) (0x[0-9a-f]+|\d+)u?$", header, re.M)
    assert len(dict(found)) == len(found)
    return {name: int(value, 0) for name, value in found}


@MAPS
def test_the_header_says_what_the_map_says(registers):
    told = defines(c_header(registers))
    for register in registers:
        name = f"CHRYSALIS_{registers.name}_{register.name}".upper()
        assert told.pop(f"{name}_OFFSET") == register.offset
        for field in register.fields:
            own = f"{name}_{field.name.upper()}"
            assert told.pop(f"{own}_MASK") == field.mask
            assert told.pop(f"{own}_SHIFT") == field.low
            if register.access is Access.CONSTANT:
                assert told.pop(own) == field.value
            if register.access is Access.SETTING:
                limits = [told.pop(f"{own}_{limit}") for limit in ("LEAST", "MOST", "RESET")]
                assert limits == [field.least, field.top, field.value]
            for choice, value in field.choices.items():
                assert told.pop(f"{own}_{choice.upper()}") == value
    assert told == {}


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler to ask")
@pytest.mark.parametrize("language", ["c", "c++"])
@MAPS
def test_a_compiler_takes_the_header_without_a_word(registers, language, tmp_path):
    (tmp_path / "registers.h").write_text(c_header(registers))
    names = list(defines(c_header(registers)))
    uses = "\n".join(f"    sum ^= (unsigned){name};" for name in names)
    include = '#include "registers.h"\n'
    source = f"{include}{include}unsigned sum;\nint main(void) {{\n{uses}\n    return 0;\n}}\n"
    done = subprocess.run(
        ["cc", "-x", language, "-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only", "-"],
        input=source, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


@MAPS
def test_peakrdl_reads_the_same_registers_and_makes_a_document(registers, tmp_path):
    systemrdl_tools = pytest.importorskip("systemrdl")
    html = pytest.importorskip("peakrdl_html")
    source = tmp_path / "registers.rdl"
    source.write_text(systemrdl(registers))
    compiler = systemrdl_tools.RDLCompiler()
    compiler.compile_file(str(source))
    top = compiler.elaborate().top
    words = list(top.registers())
    places = [(word.inst_name, word.absolute_address) for word in words]
    assert places == [(register.name, register.offset) for register in registers]
    assert {word.get_property("regwidth") for word in words} == {32}
    for word, register in zip(words, registers, strict=True):
        writes = register.access.writable
        reads = register.access is not Access.COMMAND
        assert (word.has_sw_writable, word.has_sw_readable) == (writes, reads)
        told = [(each.inst_name, each.low, each.width) for each in word.fields()]
        assert told == [(field.name, field.low, field.width) for field in register.fields]
        for each, field in zip(word.fields(), register.fields, strict=True):
            reset = None if register.access is Access.STATUS else field.value
            assert each.get_property("reset") == reset
            assert field.meaning in each.get_property("desc")
            sticky = each.get_property("onwrite") is systemrdl_tools.rdltypes.OnWriteType.woclr
            assert sticky == (register.access is Access.STICKY)
            assert each.get_property("singlepulse") == (register.access is Access.COMMAND)
            encode = each.get_property("encode")
            choices = (
                {} if encode is None else {name: encode[name].value for name in encode.members}
            )
            assert choices == dict(field.choices)
    html.HTMLExporter().export(top, str(tmp_path / "html"))
    assert (tmp_path / "html" / "index.html").is_file()


def test_a_wrong_register_is_not_read_as_right(tmp_path):
    """Negative control: the compiler refuses two registers in one place."""
    tools = pytest.importorskip("systemrdl")
    source = tmp_path / "registers.rdl"
    source.write_text(systemrdl(every_access()).replace("@ 0x010", "@ 0x014"))
    compiler = tools.RDLCompiler()
    compiler.compile_file(str(source))
    with pytest.raises(tools.RDLCompileError):
        compiler.elaborate()


def test_the_document_is_that_of_the_maps():
    assert FILE.read_text() == document(), "run python -m scripts.registers"


def test_a_table_has_a_row_a_field():
    rows = table(every_access()).splitlines()
    assert len(rows) == 2 + sum(len(register.fields) for register in every_access())
    assert rows[2] == "| `0x000` | `identity` | read | 31:0 | `value` | something |"
    assert rows[3] == "| `0x008` | `control` | write | 0 | `go` | something |"
    assert rows[4] == "| | | | 3 | `end` | something |"
    assert "| says: 0 none, 1 tuser |" in table(small_map())
