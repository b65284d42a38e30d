"""The PyPI package ``ocpp`` on ``websockets``: a peer of ``voltyard bench ocpp``, run by itself.

As its documentation shows a central system: one ``ChargePoint`` a connection, ``start`` until the
link ends, each call and each answer checked against its JSON schema. On uvloop where there is one.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from itertools import count
from typing import Any, TypeVar

import ocpp.routing  # type: ignore[import-untyped]
import ocpp.v16  # type: ignore[import-untyped]
import ocpp.v201  # type: ignore[import-untyped]
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from voltyard.bench.loops import fast_loop
from voltyard.clock import SystemClock
from voltyard.units import iso_z

F = TypeVar("F", bound=Callable[..., Any])
INTERVAL_S = 300
VERSIONS = [Subprotocol("ocpp1.6"), Subprotocol("ocpp2.0.1")]
clock = SystemClock()
on: Callable[[str], Callable[[F], F]] = ocpp.routing.on
transactions = count(1)


def now_text() -> str:
    return iso_z(clock.now())


class ChargePoint16(ocpp.v16.ChargePoint):  # type: ignore[misc]
    @on("BootNotification")
    def boot(self, **said: Any) -> Any:
        return ocpp.v16.call_result.BootNotification(now_text(), INTERVAL_S, "Accepted")

    @on("Heartbeat")
    def heartbeat(self, **said: Any) -> Any:
        return ocpp.v16.call_result.Heartbeat(now_text())

    @on("StartTransaction")
    def start_transaction(self, **said: Any) -> Any:
        return ocpp.v16.call_result.StartTransaction(next(transactions), {"status": "Accepted"})

    @on("MeterValues")
    def meter_values(self, **said: Any) -> Any:
        return ocpp.v16.call_result.MeterValues()


class ChargePoint201(ocpp.v201.ChargePoint):  # type: ignore[misc]
    @on("BootNotification")
    def boot(self, **said: Any) -> Any:
        return ocpp.v201.call_result.BootNotification(now_text(), INTERVAL_S, "Accepted")

    @on("Heartbeat")
    def heartbeat(self, **said: Any) -> Any:
        return ocpp.v201.call_result.Heartbeat(now_text())

    @on("TransactionEvent")
    def transaction_event(self, **said: Any) -> Any:
        return ocpp.v201.call_result.TransactionEvent()


async def connected(socket: ServerConnection) -> None:
    kind = ChargePoint16 if socket.subprotocol == VERSIONS[0] else ChargePoint201
    path = socket.request.path if socket.request else ""
    with contextlib.suppress(ConnectionClosed):
        await kind(path.rpartition("/")[2], socket).start()


async def main() -> None:
    logging.getLogger("ocpp").setLevel(logging.ERROR)
    async with serve(
        connected, "127.0.0.1", 0, subprotocols=VERSIONS, compression=None, backlog=4096
    ) as server:
        print(f"ready {next(iter(server.sockets)).getsockname()[1]}", flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=fast_loop) as runner:
        runner.run(main())
