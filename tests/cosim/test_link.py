"""The link on its pins against somebody else's serial line: cocotbext-uart."""

import json

import pytest

from gen.emit import emit_verilog
from hw.bus.link import UartLink, UartLinkConfig
from hw.bus.uart import UartConfig
from hw.prim.target import Target
from sim.bench.runner import HANG_SECONDS, BenchError, run_bench
from tests.support import uart_peer
from tests.support.emitted import icarus_takes, yosys_takes
from tests.support.link_core import CONFIG, UartCore

pytestmark = pytest.mark.cosim

NONCE = b"nonc"
REQUESTS = [
    b"\x07\x01" + NONCE,
    b"\x08\x03\x78\x56\x34\x12\x00\x00",
    b"\x09\x02\x00\x00",
    b"\x09\x02\x00\x00",
    b"\x0a\x04\x00" + bytes(range(1, 41)),
    b"\x0b\x05\xff\xff\x00",
    b"\x0c\x05\x05\x00\x01",
    b"\x0d\x02\x04\x10",
    b"\x20\x02\x00\x00",
]
ANSWERS = [
    b"\x07\x01" + NONCE + bytes(CONFIG.identity),
    b"\x08\x03",
    b"\x09\x02\x78\x56\x34\x12",
    b"\x09\x02\x78\x56\x34\x12",
    b"\x0a\x04\x14\x00",
    b"\x0b\x05" + bytes(range(1, 41)),
    b"\x0c\x05" + b"".join(n.to_bytes(3, "little") for n in range(5)),
    b"\x0d\x32",
    b"\x20\x12",
]


def talk(folder, *, clock_hz, baud, peer_baud=None, requests=REQUESTS):
    """The answers to requests, over a line whose other end keeps `peer_baud`."""
    config = UartLinkConfig(uart=UartConfig(clock_hz=clock_hz, baud=baud), link=CONFIG)
    design, results = folder / "uart.v", folder / "answers.json"
    design.write_text(emit_verilog(UartCore(config), Target.PORTABLE, "uart"))
    job = {
        "baud": peer_baud or baud,
        "period_ps": 2 * round(1e12 / clock_hz / 2),
        "wait_us": 1000,
        "requests": [request.hex() for request in requests],
        "results": str(results),
    }
    run_bench(
        [design],
        top="uart",
        module=uart_peer.__name__,
        folder=folder,
        seconds=HANG_SECONDS,
        variables={uart_peer.JOB: json.dumps(job)},
    )
    return [bytes.fromhex(answer) for answer in json.loads(results.read_text())]


@pytest.mark.parametrize(("clock_hz", "baud"), [(48_000_000, 12_000_000), (25_000_000, 3_000_000)])
def test_a_session_with_a_third_partys_line(clock_hz, baud, tmp_path):
    assert talk(tmp_path, clock_hz=clock_hz, baud=baud) == ANSWERS


def test_the_verilog_is_taken_without_a_word(tmp_path):
    config = UartLinkConfig(uart=UartConfig(clock_hz=25_000_000, baud=3_000_000), link=CONFIG)
    source = tmp_path / "uart_link.v"
    source.write_text(emit_verilog(UartLink(config), Target.PORTABLE, source.stem))
    icarus_takes(source, tmp_path)
    yosys_takes(source)


def test_a_line_two_percent_off_is_heard(tmp_path):
    few = REQUESTS[:4]
    got = talk(tmp_path, clock_hz=25_000_000, baud=1_000_000, peer_baud=1_020_000, requests=few)
    assert got == ANSWERS[:4]


def test_a_line_at_another_rate_is_not(tmp_path):
    with pytest.raises(BenchError):
        talk(tmp_path, clock_hz=25_000_000, baud=1_000_000, peer_baud=1_250_000)
