"""The OCPP port on real sockets: handshake, authentication, compression, bounds, dead peers."""

import asyncio
import json
import zlib

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.protocol.socket_rig import Port, ask, basic, port
from voltyard.chargers.commands import Reset
from voltyard.clock import SystemClock
from voltyard.errors import ChargerOffline
from voltyard.ocpp.framing import MESSAGE_MAX_BYTES
from voltyard.ocpp.gateway import GatewaySettings
from voltyard.ocpp.socket import SOCKET_MAX_BYTES

BOOT = {"chargePointVendor": "V", "chargePointModel": "M"}


class QuickTimeouts(SystemClock):
    """Waits of seconds pass in hundredths: the peers of these tests are on this machine."""

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds / 100)

    def timeout(self, seconds: float) -> asyncio.Timeout:
        return super().timeout(seconds / 50)


# offered → what the header of the response says, the version that answers, the flag
SUBPROTOCOLS = [
    (["ocpp1.6"], "ocpp1.6", "1.6", None),
    (["ocpp2.0.1"], "ocpp2.0.1", "2.0.1", None),
    (["ocpp1.6", "ocpp2.0.1"], "ocpp2.0.1", "2.0.1", None),
    (["ocpp2.1", "ocpp2.0.1", "ocpp1.6"], "ocpp2.1", "2.1", None),
    (["ocpp21"], "ocpp21", "2.1", "subprotocol_odd"),
    (["ocpp3.0", "ocpp2.0.1", "ocpp1.6"], "ocpp2.0.1", "2.0.1", None),
    (["ocpp1.5", "ocpp1.6"], "ocpp1.6", "1.6", None),
    ([], None, "1.6", "subprotocol_missing"),
    (["chat"], None, "1.6", "subprotocol_odd"),
    (["OCPP1.6"], "OCPP1.6", "1.6", "subprotocol_odd"),
    (["ocpp1.6j"], "ocpp1.6j", "1.6", "subprotocol_odd"),
    (["ocpp16"], "ocpp16", "1.6", "subprotocol_odd"),
    (["ocpp 1.6"], None, "1.6", "subprotocol_odd"),
    (['"ocpp1.6"'], "ocpp1.6", "1.6", None),
    (["ocpp1.6,"], "ocpp1.6", "1.6", None),
]


@pytest.mark.parametrize(("offered", "echo", "version", "flag"), SUBPROTOCOLS)
async def test_subprotocol(
    offered: list[str], echo: str | None, version: str, flag: str | None
) -> None:
    """Rows 14: missing and odd headers are understood."""
    async with port() as there:
        headers = [f"Sec-WebSocket-Protocol: {', '.join(offered)}"] if offered else []
        status, answer = await there.shake("/ocpp/CP1", *headers)
        assert status == 101
        assert answer.get("sec-websocket-protocol") == echo
        await there.chargers.arrived.wait()
        assert there.chargers.flag_names == ({flag} if flag else set())
        assert there.chargers.links or there.chargers.ended
        links = [*there.chargers.links.values(), *(link for link, _ in there.chargers.ended)]
        assert links[0].version == version


@pytest.mark.parametrize("offered", ["ocpp1.5", "ocpp2.0", "ocpp3.0", "ocpp1.2, ocpp1.5"])
async def test_only_unsupported_versions_complete_the_handshake_and_are_closed(
    offered: str,
) -> None:
    """OCPP-J §3.2: a response without the header, then an immediate close."""
    async with port() as there:
        names = tuple(offered.split(", "))
        async with there.plug(offered=names) as socket:
            assert socket.subprotocol is None
            with pytest.raises(ConnectionClosed) as caught:
                await socket.recv()
            assert caught.value.rcvd is not None
            assert caught.value.rcvd.code == 1002
        assert there.chargers.links == {}
        assert "subprotocol_unsupported" in there.chargers.flag_names


@pytest.mark.parametrize(
    ("target", "identity"),
    [
        ("/ocpp/CP1", "CP1"),
        ("/ocpp/CP%201", "CP 1"),
        ("/ocpp/RDAM%7C123", "RDAM|123"),
        ("/steve/websocket/CentralSystemService/CP1", "CP1"),
        ("/ocpp/CP1/", "CP1"),
        ("/ocpp/CP1?token=1", "CP1"),
        ("/ocpp/D%C3%BCsseldorf", "Düsseldorf"),
        ("/ocpp/a%2Fb", "a/b"),
    ],
)
async def test_identity_is_the_last_part_of_the_path(target: str, identity: str) -> None:
    async with port() as there:
        assert (await there.shake(target, "Sec-WebSocket-Protocol: ocpp1.6"))[0] == 101
        assert list(there.chargers.stations) == [identity]


@pytest.mark.parametrize("target", ["/", "/CP1", "/ocpp/", "/ocpp/%00", "/ocpp/%ff", "//CP1"])
async def test_a_path_without_identity_is_not_found(target: str) -> None:
    async with port() as there:
        assert (await there.shake(target, "Sec-WebSocket-Protocol: ocpp1.6"))[0] == 404


@pytest.mark.parametrize(
    ("identity", "password", "header", "status"),
    [
        ("CP1", "secret", basic("CP1", "secret"), 101),
        ("CP1", "se:cr:et", basic("CP1", "se:cr:et"), 101),
        ("AA:BB:CC", "pass:word", basic("AA:BB:CC", "pass:word"), 101),
        ("CP1", "ümläut", basic("CP1", "ümläut"), 101),
        ("CP1", "FF00FE", basic("CP1", b"\xff\x00\xfe"), 101),
        ("CP1", "secret", basic("CP1", "wrong"), 401),
        ("CP1", "secret", basic("CP2", "secret"), 401),
        ("CP1", "secret", None, 401),
        ("CP1", "secret", "Basic ???", 401),
        ("CP1", "secret", "Bearer abc", 401),
        ("CP1", "secret", "basic " + basic("CP1", "secret")[6:], 101),
        ("CP2", "secret", basic("CP1", "secret"), 401),
    ],
)
async def test_basic_authentication(
    identity: str, password: str, header: str | None, status: int
) -> None:
    async with port() as there:
        there.chargers.passwords = {identity: password}
        headers = ["Sec-WebSocket-Protocol: ocpp1.6"]
        headers += [f"Authorization: {header}"] if header else []
        got, answer = await there.shake(f"/ocpp/{identity}", *headers)
        assert got == status
        if status == 401:
            assert answer["www-authenticate"].startswith("Basic")
            assert there.chargers.links == {}


async def test_unknown_stations_are_not_found_and_busy_says_when_to_come_back() -> None:
    async with port() as there:
        there.chargers.passwords = {"CP1": None}
        with pytest.raises(InvalidStatus) as caught:
            async with there.plug("CP2"):
                pass
        assert caught.value.response.status_code == 404
        there.chargers.busy = True
        with pytest.raises(InvalidStatus) as caught:
            async with there.plug("CP1"):
                pass
        assert caught.value.response.status_code == 503
        assert 17 <= int(caught.value.response.headers["Retry-After"]) <= 34


async def test_a_storm_of_handshakes_is_bounded() -> None:
    """Row 36."""
    async with port(GatewaySettings(handshakes_max=0, retry_after_s=9)) as there:
        with pytest.raises(InvalidStatus) as caught:
            async with there.plug():
                pass
        assert 9 <= int(caught.value.response.headers["Retry-After"]) <= 18


async def test_many_stations_boot_at_once() -> None:
    """Rows 25 and 36: after an outage everybody comes back together."""

    async def boot(there: Port, number: int) -> str:
        async with there.plug(f"CP{number}") as socket:
            answer = await ask(socket, "BootNotification", BOOT)
            return str(answer[2]["status"])

    async with port() as there:
        booted = await asyncio.gather(*(boot(there, number) for number in range(150)))
        assert booted == ["Accepted"] * 150
        assert len(there.chargers.boots) == 150


async def test_compression_is_negotiated_and_used() -> None:
    """OCPP-J 2.0.1 §3.3: required of a CSMS."""
    async with port() as there:
        async with there.plug(compression="deflate") as socket:
            assert [extension.name for extension in socket.protocol.extensions] == [
                "permessage-deflate"
            ]
            assert (await ask(socket, "BootNotification", BOOT))[2]["status"] == "Accepted"
        async with there.plug(compression=None) as socket:
            assert socket.protocol.extensions == []
            assert (await ask(socket, "BootNotification", BOOT))[0] == 3


async def test_a_compressed_bomb_ends_one_connection() -> None:
    bomb = "[" + " " * (SOCKET_MAX_BYTES * 4) + "]"
    assert len(zlib.compress(bomb.encode())) < 10_000
    async with port() as there, there.plug("CP2") as other:
        async with there.plug(compression="deflate", max_size=None) as socket:
            await socket.send(bomb)
            with pytest.raises(ConnectionClosed) as caught:
                await socket.recv()
            assert caught.value.rcvd is not None
            assert caught.value.rcvd.code == 1009
        assert (await ask(other, "Heartbeat", {}))[0] == 3


async def test_an_oversize_message_is_refused_and_the_connection_stays() -> None:
    async with port() as there, there.plug() as socket:
        huge = {"vendorId": "v", "data": "x" * MESSAGE_MAX_BYTES}
        answer = await ask(socket, "DataTransfer", huge)
        assert answer[:3] == [4, "m1", "FormationViolation"]
        assert (await ask(socket, "Heartbeat", {}))[0] == 3


async def test_fragmented_and_binary_messages_are_understood() -> None:
    async with port() as there, there.plug() as socket:
        await socket.send(iter(['[2,"m', '1","Heart', 'beat",{}]']))
        assert json.loads(await socket.recv())[1] == "m1"
        await socket.send(b'[2,"m2","Heartbeat",{}]')
        assert json.loads(await socket.recv())[1] == "m2"


async def test_a_new_socket_replaces_the_old_one() -> None:
    async with port() as there, there.plug() as old:
        await ask(old, "Heartbeat", {})
        async with there.plug() as new:
            assert (await ask(new, "Heartbeat", {}))[0] == 3
            with pytest.raises(ConnectionClosed):
                await old.recv()
            assert len(there.chargers.links) == 1


async def test_a_peer_that_answers_no_ping_is_cut() -> None:
    """Rows 10: ping with a pong deadline."""
    settings = GatewaySettings(ping_s=2, pong_s=5)
    async with port(settings, QuickTimeouts()) as there:
        reader, writer = await there.raw(HANDSHAKE)
        await reader.readuntil(b"\r\n\r\n")
        link = await there.chargers.linked()
        await there.chargers.departed.wait()
        assert there.chargers.ended == [(link, "no answer to a ping")]
        with pytest.raises(ChargerOffline):
            await link.send(Reset())
        writer.close()


async def test_a_peer_that_answers_pings_stays() -> None:
    settings = GatewaySettings(ping_s=1, pong_s=5)
    async with port(settings, QuickTimeouts()) as there, there.plug() as socket:
        waiting = asyncio.create_task(socket.recv())
        for _ in range(5):
            await there.server.gateway.clock.sleep(7)
        assert not waiting.done()
        assert there.chargers.ended == []
        waiting.cancel()


async def test_a_connection_that_never_shakes_hands_is_cut() -> None:
    async with port(GatewaySettings(handshake_s=2), QuickTimeouts()) as there:
        reader, writer = await there.raw("GET /ocpp/CP1 HT")
        assert await reader.read() == b""
        writer.close()


@pytest.mark.parametrize(
    "request_text",
    [
        "HELLO\r\n\r\n",
        "POST /ocpp/CP1 HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /ocpp/CP1 HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /ocpp/CP1 HTTP/1.1\r\n" + "X: y\r\n" * 500 + "\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
async def test_what_is_no_handshake_harms_nobody(request_text: str) -> None:
    settings = GatewaySettings(handshake_s=2)
    async with port(settings, QuickTimeouts()) as there, there.plug("CP2") as other:
        reader, writer = await there.raw(request_text)
        answer = await reader.read()
        assert b" 101 " not in answer
        writer.close()
        assert (await ask(other, "Heartbeat", {}))[0] == 3


async def test_a_peer_that_reads_nothing_does_not_grow_our_memory() -> None:
    """Answers wait for the socket; its inbox fills and stays bounded."""
    async with port() as there:
        reader, writer = await there.raw(HANDSHAKE)
        await reader.readuntil(b"\r\n\r\n")
        await there.chargers.linked()
        frame = _masked(json.dumps([2, "x" * 30, "Heartbeat", {}]).encode())
        writer.transport.set_write_buffer_limits(high=1024)
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        for _ in range(400):
            writer.write(frame * 100)
            await writer.drain()
        (connection,) = there.server.gateway.connections
        assert len(connection._inbox) <= 256
        assert len(there.server.gateway._tasks) < 100
        writer.transport.abort()
        await there.chargers.departed.wait()


def _masked(payload: bytes) -> bytes:
    return bytes([0x81, 0x80 | len(payload), 0, 0, 0, 0]) + payload


async def test_closing_says_goodbye_and_refuses_newcomers() -> None:
    async with port() as there, there.plug() as socket:
        await ask(socket, "Heartbeat", {})
        await there.server.close()
        with pytest.raises(ConnectionClosed) as caught:
            await socket.recv()
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1001
        with pytest.raises(OSError):
            async with there.plug():
                pass


async def test_closing_can_cut_tcp_for_chargers_that_take_a_goodbye_as_final() -> None:
    """Row 36."""
    async with port(GatewaySettings(clean_close=False)) as there, there.plug() as socket:
        await ask(socket, "Heartbeat", {})
        await there.server.close()
        with pytest.raises(ConnectionClosed) as caught:
            await socket.recv()
        assert caught.value.rcvd is None


async def test_on_uvloop_too() -> None:
    def run() -> int:
        uvloop = pytest.importorskip("uvloop")

        async def main() -> int:
            async with port() as there, there.plug() as socket:
                return int((await ask(socket, "Heartbeat", {}))[0])

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(main())

    assert await asyncio.to_thread(run) == 3


HANDSHAKE = (
    "GET /ocpp/CP1 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Protocol: ocpp1.6\r\n\r\n"
)
