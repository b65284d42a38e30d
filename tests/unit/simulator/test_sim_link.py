"""Links: the pipe in memory, and a real WebSocket against the `websockets` server."""

import asyncio
import base64
import json

import pytest
from sim_csms import START_AT
from sim_world import CARD, V16, bus, station
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from voltyard.clock import ScaledClock, seeded
from voltyard.errors import Conflict, NotFound, TooMany, Unauthenticated
from voltyard.simulator.link import (
    LinkClosed,
    LinkRefused,
    MemoryConnection,
    MemoryLink,
    WebSocketLink,
)
from voltyard.simulator.loop import run_virtual
from voltyard.simulator.station import make_charger


class Echo:
    def __init__(self) -> None:
        self.ends: list[MemoryConnection] = []

    async def accept(
        self, identity: str, subprotocols: object, basic_auth: object, duplex: MemoryConnection
    ) -> str:
        self.ends.append(duplex)
        return V16


def test_frames_arrive_in_order_after_their_latency() -> None:
    async def main(clock: ScaledClock) -> list[tuple[str, float]]:
        echo = Echo()
        link = MemoryLink(echo, clock, seeded(1, "link"), latency_s=0.1, jitter_s=0.5)
        near = await link.connect("C1", [V16], None)
        sent_s = clock.monotonic_s()
        for number in range(20):
            await near.send(str(number))
        got = []
        for _ in range(20):
            text = await echo.ends[0].recv()
            got.append((text, clock.monotonic_s() - sent_s))
        return got

    got = run_virtual(main, START_AT)
    assert [text for text, _ in got] == [str(n) for n in range(20)]
    assert all(0.1 <= took_s <= 0.6 for _, took_s in got)


def test_closing_lets_what_was_sent_arrive() -> None:
    async def main(clock: ScaledClock) -> None:
        echo = Echo()
        link = MemoryLink(echo, clock, seeded(1, "link"), latency_s=0.1)
        near = await link.connect("C1", [V16], None)
        await near.send("last words")
        await near.close()
        assert await echo.ends[0].recv() == "last words"
        with pytest.raises(LinkClosed):
            await echo.ends[0].recv()
        with pytest.raises(LinkClosed):
            await near.send("too late")
        with pytest.raises(LinkClosed):
            await near.recv()

    run_virtual(main, START_AT)


def test_an_abandoned_connection_tells_the_other_side_nothing() -> None:
    async def main(clock: ScaledClock) -> None:
        echo = Echo()
        link = MemoryLink(echo, clock, seeded(1, "link"))
        near = await link.connect("C1", [V16], None)
        near.abandon()
        with pytest.raises(TimeoutError):
            async with clock.timeout(3600):
                await echo.ends[0].recv()
        await echo.ends[0].send("anybody there?")

    run_virtual(main, START_AT)


def test_without_a_server_connecting_fails() -> None:
    async def main(clock: ScaledClock) -> None:
        link = MemoryLink(None, clock, seeded(1, "link"))
        with pytest.raises(LinkClosed):
            await link.connect("C1", [V16], None)

    run_virtual(main, START_AT)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (LinkRefused(503), 503),
        (Unauthenticated("wrong password"), 401),
        (NotFound("no such station"), 404),
        (TooMany("busy"), 503),
        (Conflict("odd"), 403),
    ],
)
def test_a_refusal_in_memory_has_a_status(error: Exception, status: int) -> None:
    class Refuses:
        async def accept(self, *_: object) -> str:
            raise error

    async def main(clock: ScaledClock) -> None:
        link = MemoryLink(Refuses(), clock, seeded(1, "link"))
        with pytest.raises(LinkRefused) as caught:
            await link.connect("C1", [V16], None)
        assert caught.value.status == status

    run_virtual(main, START_AT)


def test_a_crash_of_the_server_breaks_every_connection() -> None:
    async def main(clock: ScaledClock) -> None:
        echo = Echo()
        link = MemoryLink(echo, clock, seeded(1, "link"))
        nears = [await link.connect(f"C{n}", [V16], None) for n in range(3)]
        link.break_all()
        for end in (*nears, *echo.ends):
            with pytest.raises(LinkClosed):
                await end.recv()

    run_virtual(main, START_AT)


def test_a_pipe_that_nobody_empties_breaks() -> None:
    async def main(clock: ScaledClock) -> None:
        link = MemoryLink(Echo(), clock, seeded(1, "link"))
        near = await link.connect("C1", [V16], None)
        for _ in range(10_000):
            await near.send("x")
        with pytest.raises(LinkClosed):
            await near.send("x")

    run_virtual(main, START_AT)


async def test_a_charger_over_a_real_socket() -> None:
    seen: list[str] = []
    asked: list[tuple[str, str | None]] = []
    heard, done = asyncio.Event(), asyncio.Event()

    async def serve_one(socket: ServerConnection) -> None:
        assert socket.request is not None
        asked.append((socket.request.path, socket.request.headers.get("Authorization")))
        async for text in socket:
            _, message_id, action, _payload = json.loads(text)
            seen.append(action)
            answers = {
                "BootNotification": {
                    "status": "Accepted",
                    "currentTime": "2027-01-19T16:00:00Z",
                    "interval": 300,
                },
                "Authorize": {"idTagInfo": {"status": "Accepted"}},
                "StartTransaction": {"transactionId": 5, "idTagInfo": {"status": "Accepted"}},
            }
            await socket.send(json.dumps([3, message_id, answers.get(action, {})]))
            if action == "StatusNotification":
                heard.set()
            if action == "MeterValues":
                done.set()

    async with serve(serve_one, "127.0.0.1", 0, subprotocols=[V16]) as server:  # type: ignore[list-item]
        port = server.sockets[0].getsockname()[1]
        clock = ScaledClock(START_AT, speed=600.0)
        link = WebSocketLink(f"ws://127.0.0.1:{port}/ocpp/")
        spec = station(V16, 1, identity="C 1/ä", password="secret-secret-secret")
        charger = make_charger(spec, link, clock)
        life = asyncio.create_task(charger.run())
        async with asyncio.timeout(20):
            await heard.wait()
            charger.plug_in(1, bus(), CARD)
            await done.wait()
        life.cancel()
        with pytest.raises(asyncio.CancelledError):
            await life
    path, authorization = asked[0]
    assert path == "/ocpp/C%201%2F%C3%A4"
    credentials = base64.b64encode("C 1/ä:secret-secret-secret".encode()).decode()
    assert authorization == f"Basic {credentials}"
    assert seen[0] == "BootNotification"
    assert {"StatusNotification", "Authorize", "StartTransaction", "MeterValues"} <= set(seen)


async def test_refusals_and_absence_over_a_real_socket() -> None:
    def refuse(connection: ServerConnection, request: Request) -> Response:
        return connection.respond(401, "who are you?")

    async def never(socket: ServerConnection) -> None:
        raise AssertionError

    async with serve(never, "127.0.0.1", 0, process_request=refuse) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(LinkRefused) as caught:
            await WebSocketLink(f"ws://127.0.0.1:{port}/o").connect("C1", [V16], None)
        assert caught.value.status == 401
    with pytest.raises(LinkClosed):
        await WebSocketLink(f"ws://127.0.0.1:{port}/o").connect("C1", [V16], None)


async def test_a_real_connection_that_breaks_is_closed() -> None:
    async def hang_up(socket: ServerConnection) -> None:
        await socket.close()

    async with serve(hang_up, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        connection = await WebSocketLink(f"ws://127.0.0.1:{port}").connect("C1", [V16], None)
        with pytest.raises(LinkClosed):
            await connection.recv()
        with pytest.raises(LinkClosed):
            await connection.send("x")
        connection.abort()
