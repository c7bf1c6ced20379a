"""A session over pins with cocotbext-uart at the other end; runs inside the simulator."""

import json
import os

JOB = "CHRYSALIS_UART_JOB"

if JOB in os.environ:
    import cocotb
    from cocotb.clock import Clock
    from cocotb.triggers import ClockCycles, with_timeout
    from cocotbext.uart import UartSink, UartSource

    from fpga.link.frames import content_of, frame_of

    @cocotb.test()
    async def talk(dut) -> None:
        """Send every request of the job, and write down what is answered."""
        job = json.loads(os.environ[JOB])
        source = UartSource(dut.receive, baud=job["baud"])
        sink = UartSink(dut.transmit, baud=job["baud"])
        Clock(dut.clk, job["period_ps"], "ps").start()
        dut.rst.value = 1
        await ClockCycles(dut.clk, 4)
        dut.rst.value = 0
        answers = []
        for request in job["requests"]:
            await source.write(frame_of(bytes.fromhex(request)))
            frame = b""
            while not frame:
                byte = b""
                while byte != b"\0":
                    byte = bytes(await with_timeout(sink.read(1), job["wait_us"], "us"))
                    frame += byte.strip(b"\0")
            content = content_of(frame)
            assert content is not None
            answers.append(content.hex())
        with open(job["results"], "w") as results:
            json.dump(answers, results)
