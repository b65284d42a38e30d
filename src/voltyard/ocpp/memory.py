"""Connections without sockets: the same Connection on a pipe in memory, for virtual time."""

import logging
from collections.abc import Sequence
from typing import Protocol

from voltyard.chargers.model import Admission
from voltyard.clock import Clock
from voltyard.errors import ChargerOffline, NotFound, TooMany, Unauthenticated, VoltyardError
from voltyard.ocpp.connection import Connection
from voltyard.ocpp.gateway import DEFAULTS, Gateway, GatewaySettings
from voltyard.ocpp.handshake import Basic, Credentials, choose
from voltyard.ocpp.ports import Chargers, Sessions

SILENCE_S = 1_800.0

log = logging.getLogger(__name__)


class Duplex(Protocol):
    """One end of a pipe of text frames; both calls raise a VoltyardError once it is closed."""

    async def send(self, text: str) -> None: ...

    async def recv(self) -> str: ...

    async def close(self) -> None: ...


class MemoryServer:
    """What ``OcppServer`` is for sockets."""

    def __init__(
        self,
        chargers: Chargers,
        sessions: Sessions,
        clock: Clock,
        settings: GatewaySettings = DEFAULTS,
    ) -> None:
        self.gateway = Gateway(chargers, sessions, clock, settings)

    async def accept(
        self,
        identity: str,
        subprotocols: Sequence[str],
        basic_auth: tuple[str, str] | None,
        duplex: Duplex,
    ) -> str:
        """The subprotocol chosen; the connection then lives until either end closes it.

        Raises Unauthenticated (401 on a socket), TooMany (503) or NotFound (404; with the code
        "no_common_subprotocol" where a socket would be closed right after the handshake).
        """
        admitted = await self.gateway.admit(
            identity,
            _basic(identity, basic_auth),
            remote="memory",
            subprotocols=subprotocols,
        )
        if admitted.admission is Admission.UNAUTHORISED:
            raise Unauthenticated("identity or password is wrong")
        if admitted.admission is Admission.BUSY:
            raise TooMany("the server is busy", detail=str(admitted.retry_after_s or ""))
        if admitted.admission is Admission.UNKNOWN or admitted.station is None:
            raise NotFound("no such charging station")
        choice = choose(subprotocols, strict=self.gateway.settings.strict)
        if choice.protocol is None:
            self.gateway.refused_version(admitted.station, subprotocols)
            raise NotFound("no common OCPP version", code="no_common_subprotocol")
        transport = _Pipe(duplex, self.gateway)
        connection = self.gateway.connect(admitted.station, choice, transport)
        self.gateway.open(connection)
        self.gateway.spawn(self._read(connection, duplex))
        return choice.protocol

    async def close(self, reason: str = "the server stops") -> None:
        await self.gateway.close(reason)

    async def _read(self, connection: Connection, duplex: Duplex) -> None:
        """A pipe has no pings: a charger that says nothing for very long is taken for dead."""
        clock = self.gateway.clock
        try:
            while True:
                async with clock.timeout(SILENCE_S):
                    text = await duplex.recv()
                connection.received(text.encode())
        except TimeoutError:
            self.gateway.gone(connection, "silent for too long")
            await duplex.close()
        except VoltyardError as error:
            self.gateway.gone(connection, error.message)


class _Pipe:
    """A Transport on a Duplex."""

    remote = "memory"

    def __init__(self, duplex: Duplex, gateway: Gateway) -> None:
        self._duplex = duplex
        self._gateway = gateway
        self._closed = False

    def push(self, frame: bytes) -> bool:
        return False

    async def send(self, frame: bytes) -> None:
        try:
            await self._duplex.send(frame.decode())
        except VoltyardError as error:
            raise ChargerOffline("the connection is closed", detail=error.message) from error

    def close(self, code: int, reason: str) -> None:
        if not self._closed:
            self._closed = True
            self._gateway.spawn(self._duplex.close())


def _basic(identity: str, basic_auth: tuple[str, str] | None) -> Basic:
    if basic_auth is None:
        return Basic(Credentials.NONE)
    user, password = basic_auth
    return Basic(Credentials.GIVEN, password) if user == identity else Basic(Credentials.WRONG)
