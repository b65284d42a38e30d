"""What a TLS connection proves reaches us on every event loop, resumed sessions included."""

import asyncio
import socket
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
import uvloop

from voltyard.chargers.model import Peer
from voltyard.ocpp.peer import peer_of


def pem(folder: Path, name: str) -> tuple[Path, Path]:
    """A self-signed certificate and its key."""
    made, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-subj", f"/CN={name}", "-keyout", str(key), "-out", str(made)],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return made, key


class Seen(asyncio.Protocol):
    def __init__(self, peers: list[Peer]) -> None:
        self.peers = peers

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.peers.append(peer_of(transport))
        cast(asyncio.Transport, transport).write(b"seen")


def talk(port: int, context: ssl.SSLContext | None, session: object = None) -> object:
    """Connect, read a word, and the session to resume by."""
    plain = socket.create_connection(("127.0.0.1", port), timeout=10)
    if context is None:
        with plain:
            plain.recv(10)
        return None
    with context.wrap_socket(plain, session=session) as secure:  # type: ignore[arg-type]
        secure.recv(10)
        return secure.session


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_peers_certificate_is_seen(
    tmp_path: Path, new_loop: Callable[[], asyncio.AbstractEventLoop], newest: ssl.TLSVersion
) -> None:
    ours, our_key = pem(tmp_path, "server")
    theirs, their_key = pem(tmp_path, "CP-1")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(ours, our_key)
    server.load_verify_locations(theirs)
    server.verify_mode = ssl.CERT_OPTIONAL
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    client.maximum_version = newest
    peers: list[Peer] = []

    async def run() -> None:
        loop = asyncio.get_running_loop()
        plain = await loop.create_server(lambda: Seen(peers), "127.0.0.1", 0)
        secure = await loop.create_server(lambda: Seen(peers), "127.0.0.1", 0, ssl=server)
        await asyncio.to_thread(talk, plain.sockets[0].getsockname()[1], None)
        port = secure.sockets[0].getsockname()[1]
        await asyncio.to_thread(talk, port, client)
        client.load_cert_chain(theirs, their_key)
        session = await asyncio.to_thread(talk, port, client)
        await asyncio.to_thread(talk, port, client, session)
        plain.close()
        secure.close()

    loop = new_loop()
    try:
        loop.run_until_complete(run())
    finally:
        loop.close()
    der = ssl.PEM_cert_to_DER_cert(theirs.read_text())
    assert peers[0] == Peer()
    assert peers[1] == Peer(secure=True)
    assert [peer.chain[:1] for peer in peers[2:]] == [(der,), (der,)]
