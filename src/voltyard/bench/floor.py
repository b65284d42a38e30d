"""The floor of a command's latency, run by itself: three hops of bare TCP and nothing in between.

Whoever connects to the second port is the charger; what comes in at the first goes to it, and its
answer back.
"""

import asyncio
import sys

from voltyard.bench.loops import fast_loop

MOST = 65_536


async def main() -> None:
    """Print both ports, then relay until standard input ends."""
    far: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]]
    far = asyncio.get_running_loop().create_future()

    async def charger(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far.set_result((reader, writer))

    async def caller(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await far
        while data := await reader.read(MOST):
            far_writer.write(data)
            writer.write(await far_reader.read(MOST))

    near_server = await asyncio.start_server(caller, "127.0.0.1", 0)
    far_server = await asyncio.start_server(charger, "127.0.0.1", 0)
    ports = [server.sockets[0].getsockname()[1] for server in (near_server, far_server)]
    print("ready", *ports, flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=fast_loop) as runner:
        runner.run(main())
