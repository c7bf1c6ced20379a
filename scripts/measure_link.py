"""Measure cells and clock of the link, pins included, and write the table.

Run from the repository's root:  python -m scripts.measure_link [-o FILE] [--work FOLDER]
"""

import argparse
from pathlib import Path

from fpga.flow import ECP5_85F, ICE40_UP5K, Device, Measurement, measure
from hw.bus.link import LinkConfig, UartLink, UartLinkConfig
from hw.bus.uart import UartConfig

SEEDS = (1, 2, 3)

SMALL = LinkConfig(send_widths=(16, 8), receive_widths=(16,), buffer_bytes=512)
LARGE = LinkConfig(send_widths=(64, 64, 64), receive_widths=(64,), buffer_bytes=2048)
SUBJECTS: list[tuple[str, Device, int, int, LinkConfig, int]] = [
    ("UP5K", ICE40_UP5K, 24_000_000, 3_000_000, LinkConfig(), 60),
    ("UP5K", ICE40_UP5K, 24_000_000, 3_000_000, SMALL, 60),
    ("ECP5-85F", ECP5_85F, 150_000_000, 3_000_000, SMALL, 250),
    ("ECP5-85F", ECP5_85F, 150_000_000, 3_000_000, LARGE, 250),
]
"""Chip, device, clock, baud, link, and the MHz that the router tries for."""

HEAD = f"""# Link

Measured by `python -m scripts.measure_link`: `hw.bus.link.UartLink`, every pin behind a register,
in the tools of `requirements.lock`, seeds {", ".join(map(str, SEEDS))}. Cells are the link's own.
Bytes are those of each buffer, of which there are two.

| chip | words to the core | words from it | bytes | LUT4 | FF | block RAM | logic cells | MHz |
|---|---|---|---|---|---|---|---|---|
"""


def row(chip: str, link: LinkConfig, found: Measurement) -> str:
    cells = found.cells
    words = " | ".join(
        ", ".join(f"{width} bits" for width in widths) or "none"
        for widths in (link.send_widths, link.receive_widths)
    )
    clocks = " / ".join(f"{mhz:.0f}" for mhz in found.fmax_mhz)
    return (
        f"| {chip} | {words} | {link.buffer_bytes} | {cells.lut4} | {cells.flip_flops} "
        f"| {cells.block_rams} | {found.logic_cells} | {clocks} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the link.")
    parser.add_argument("-o", type=Path, default=Path("docs/measured/link.md"))
    parser.add_argument("--work", type=Path, default=Path("build/measure_link"))
    options = parser.parse_args()
    rows = []
    for number, (chip, device, clock_hz, baud, link, goal_mhz) in enumerate(SUBJECTS):
        config = UartLinkConfig(uart=UartConfig(clock_hz=clock_hz, baud=baud), link=link)
        folder = options.work / str(number)
        found = measure(UartLink(config), device, folder, seeds=SEEDS, goal_mhz=goal_mhz)
        rows.append(row(chip, link, found))
        print(rows[-1], found.routings[0].critical_path, sep="\n  ", flush=True)
    options.o.parent.mkdir(parents=True, exist_ok=True)
    options.o.write_text(HEAD + "\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
