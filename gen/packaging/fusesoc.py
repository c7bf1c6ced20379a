"""``NAME.core``: an output folder as a core of FuseSoC, which other cores may depend on."""

from collections.abc import Sequence

__all__ = ["core_file"]

CORE = """\
CAPI=2:
name: chrysalis:{kind}:{name}:{version}
description: {description}

filesets:
  rtl:
    files: [{name}.v]
    file_type: verilogSource-2005
  software:
    files: [{headers}]
    file_type: user
  example:
    files: [{name}_example.v]
    file_type: verilogSource-2005

targets:
  # What a core that depends on this one gets.
  default: &default
    filesets: [rtl]
    toplevel: {name}

  # Compiles the core and the example that instantiates it, with Icarus Verilog.
  example:
    <<: *default
    filesets: [rtl, software, example]
    toplevel: {name}_example
    flow: sim
    flow_options:
      tool: icarus
      iverilog_options: [-g2005, -Wall]
"""


def core_file(name: str, kind: str, version: str, description: str, headers: Sequence[str]) -> str:
    """The core's description, in FuseSoC's CAPI2.

    Parameters
    ----------
    name
        Of the design, and of ``NAME.v`` and ``NAME_example.v``.
    version
        Of the generator; FuseSoC wants three numbers, so that is what stays of it.
    headers
        Files that are for software.
    """
    return CORE.format(
        name=name,
        kind=kind,
        version=".".join(version.split(".")[:3]),
        description=description,
        headers=", ".join(headers),
    )
