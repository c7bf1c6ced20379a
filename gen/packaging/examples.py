"""How a design is instantiated: in Verilog, and in LiteX."""

from collections.abc import Mapping, Sequence

from gen.ports import Port
from hw.bus.axi_stream import RowsConfig

__all__ = ["litex_example", "verilog_example"]

LITE_CHANNELS = {
    "aw": ("addr",),
    "w": ("data", "strb"),
    "b": ("resp",),
    "ar": ("addr",),
    "r": ("data", "resp"),
}
"""Channel -> fields that LiteX has; protection is tied to 0."""

FROM_MASTER = ("aw", "w", "ar")

LITEX = '''\
"""{name} in LiteX: its registers on an AXI4-Lite bus, its data on AXI4-Streams.

In a SoC:

    self.accelerator = {class_name}(platform)
    self.bus.add_slave("accelerator", self.accelerator.bus, SoCRegion(size=0x1000, cached=False))

and connect {streams} to DMAs or to cores of your own.
"""

import os

from litex.soc.interconnect.axi import AXILiteInterface, AXIStreamInterface
from migen import ClockSignal, Constant, Instance, Module, ResetSignal, Signal


class {class_name}(Module):
    def __init__(self, platform):
        self.bus = AXILiteInterface(data_width=32, address_width=32)
{interfaces}
        self.busy = Signal()
        self.error = Signal()

        self.specials += Instance(
            "{name}",
{connections}
        )
        platform.add_source(os.path.join(os.path.dirname(__file__), "{name}.v"))
'''


def verilog_example(name: str, ports: Sequence[Port]) -> str:
    """A module with the design's own ports, which instantiates it: to be copied from."""
    names = ["clk", "rst", *(port.name for port in ports)]
    declared = ["    input  wire clk", "    input  wire rst"]
    for port in ports:
        width = f" [{port.width - 1}:0]" if port.width > 1 else ""
        declared.append(f"    {port.direction:6} wire{width} {port.name}")
    connected = ",\n".join(f"        .{each}({each})" for each in names)
    return (
        f"// How {name} is instantiated. AXI4-Lite leads to the registers of registers.h.\n"
        f"module {name}_example (\n" + ",\n".join(declared) + "\n);\n"
        f"    {name} accelerator (\n{connected}\n    );\nendmodule\n"
    )


def litex_example(
    name: str, inputs: Mapping[str, RowsConfig], outputs: Mapping[str, RowsConfig]
) -> str:
    """A LiteX module around the design, with an ``AXILiteInterface`` and an interface a stream."""
    interfaces, connections = [], ["i_clk=ClockSignal()", "i_rst=ResetSignal()"]
    for channel, fields in LITE_CHANNELS.items():
        forth, back = ("i", "o") if channel in FROM_MASTER else ("o", "i")
        pin, own = f"s_axi_{channel}", f"self.bus.{channel}"
        connections += [
            f"{forth}_{pin}{field}={own}.{field}{'[:12]' if field == 'addr' else ''}"
            for field in ("valid", *fields)
        ]
        connections.append(f"{back}_{pin}ready={own}.ready")
        if "addr" in fields:
            connections.append(f"i_{pin}prot=Constant(0, 3)")
    for prefix, streams in (("s_axis", inputs), ("m_axis", outputs)):
        forth, back = ("i", "o") if prefix == "s_axis" else ("o", "i")
        for stream, config in streams.items():
            shape = config.packet_shape.members
            size = config.lanes * config.element_bytes
            interfaces.append(
                f"        self.{stream} = AXIStreamInterface("
                f"data_width={8 * size}, keep_width={size}, user_width={config.user})"
            )
            pin = f"{prefix}_{stream}_t"
            connections += [
                f"{forth}_{pin}{field}=self.{stream}.{field}" for field in ("valid", *shape)
            ]
            connections.append(f"{back}_{pin}ready=self.{stream}.ready")
    connections += ["o_busy=self.busy", "o_error=self.error"]
    streams = [*inputs, *outputs]
    return LITEX.format(
        name=name,
        class_name="".join(word.capitalize() for word in name.split("_")),
        streams=", ".join(streams[:-1]) + f" and {streams[-1]}",
        interfaces="\n".join(interfaces),
        connections="\n".join(f"            {each}," for each in connections),
    )
