"""Brokers that are listened to: one task a connection. The one place here that knows aiomqtt."""

import asyncio
import logging
import ssl
from contextlib import suppress
from typing import Any
from uuid import UUID

import aiomqtt
from sqlalchemy.exc import SQLAlchemyError

from voltyard.bus import Bus
from voltyard.clock import Clock
from voltyard.errors import Conflict, Invalid
from voltyard.notifications.guard import Guard
from voltyard.notifications.ports import Undeliverable
from voltyard.telematics.events import ConnectionChanged
from voltyard.telematics.model import Connection, Kind, Told
from voltyard.telematics.ports import Secrets, Unreadable
from voltyard.telematics.reading import items_of, name_in_topic
from voltyard.telematics.service import TelematicsService
from voltyard.tenancy.access import require
from voltyard.tenancy.model import Permission, Principal

log = logging.getLogger(__name__)

CONNECT_S = 10
WAITING_MAX = 1_000
"""Messages that wait; of more, the oldest are dropped."""
PAYLOAD_MAX = 256 * 1024
AGAIN_S = (2.0, 5.0, 15.0, 60.0, 300.0)


class Listener:
    """``run`` once; ends its tasks when it is cancelled."""

    def __init__(self, room: TelematicsService, guard: Guard) -> None:
        self._room = room
        self._guard = guard
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()

    def listen(self, bus: Bus) -> None:
        bus.subscribe(ConnectionChanged, self._on_changed, name="telematics.listener")

    async def _on_changed(self, event: ConnectionChanged) -> None:
        task = self._tasks.pop(event.connection_id, None)
        if task is not None:
            task.cancel()
        self._changed.set()

    async def run(self) -> None:
        try:
            while True:
                self._changed.clear()
                self._follow()
                await self._changed.wait()
        finally:
            tasks = list(self._tasks.values())
            for task in tasks:
                task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.gather(*tasks, return_exceptions=True)

    def _follow(self) -> None:
        for connection, _ in self._room.all():
            wanted = connection.enabled and connection.kind is Kind.MQTT
            if wanted and connection.id not in self._tasks:
                work = asyncio.get_running_loop().create_task(self._keep_listening(connection))
                work.add_done_callback(_ended)
                self._tasks[connection.id] = work

    async def _keep_listening(self, connection: Connection) -> None:
        failures = 0
        while True:
            before = self._room.current(connection.id)
            try:
                await self._listened(connection, self._room.secrets(connection.id))
                why = "the connection ended"
            except (Unreadable, Invalid) as error:
                why = error.message
            except SQLAlchemyError as error:
                why = "what came could not be stored"
                log.warning("observations of %s: %s", connection.name, error)
            after = self._room.current(connection.id)
            if before is not None and after is not None and after[1].alive_at != before[1].alive_at:
                failures = 0
            if failures == 0:
                log.info("the broker of %s: %s", connection.name, why)
            self._room.failed(connection.id, why)
            await self._room.clock.sleep(AGAIN_S[min(failures, len(AGAIN_S) - 1)])
            failures += 1

    async def _listened(self, connection: Connection, secrets: Secrets) -> None:
        """Until the broker ends it. Raises Unreadable."""
        client = await opened(connection, secrets, self._guard)
        try:
            async with client:
                await client.subscribe(connection.access.topic, qos=1)
                await self._room.heard(connection, ())
                async for message in client.messages:
                    await self._took(connection, message)
        except (aiomqtt.MqttError, OSError, ValueError) as error:
            raise Unreadable(str(error) or "no connection") from error

    async def _took(self, connection: Connection, message: Any) -> None:
        """A message that cannot be read is told, and harms no other."""
        try:
            told, faults = read(connection, message, self._room.clock)
        except Invalid as error:
            self._room.failed(connection.id, error.message)
            return
        await self._room.heard(connection, told)
        if faults:
            self._room.failed(connection.id, faults[0])

    async def try_out(self, who: Principal, connection_id: UUID) -> str:
        """Whether the broker lets us in and takes the subscription; empty when it does.

        Raises NotFound, Conflict for connections of another kind.
        """
        require(who, Permission.FLEET_WRITE)
        connection = self._room.view(who, connection_id).connection
        if connection.kind is not Kind.MQTT:
            raise Conflict("This connection has no broker.", code="no_broker")
        try:
            secrets = self._room.secrets(connection_id)
            client = await opened(connection, secrets, self._guard, trial=True)
            async with client:
                await client.subscribe(connection.access.topic, qos=1)
        except (aiomqtt.MqttError, OSError, ValueError) as error:
            return str(error) or "no connection"
        except (Unreadable, Invalid) as error:
            return error.message
        return ""


def _ended(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        log.error("listening to a broker ended", exc_info=task.exception())


def read(connection: Connection, message: Any, clock: Clock) -> tuple[list[Told], list[str]]:
    """What a message tells, and what of it cannot be read. Raises Invalid.

    A retained message without a time of its own is none: nobody knows how old it is.
    """
    payload = message.payload
    body = payload if isinstance(payload, bytes) else str(payload).encode()
    if len(body) > PAYLOAD_MAX:
        raise Invalid(f"A message has at most {PAYLOAD_MAX} bytes.")
    named = name_in_topic(connection.access.topic, str(message.topic))
    usual = {"external_id": named} if named else {}
    now = None if message.retain else clock.now()
    items = items_of(body, connection.access.fields, usual, now)
    told = [item for item in items if isinstance(item, Told)]
    faults = [item for item in items if isinstance(item, str)]
    return told, [] if message.retain and not told else faults


async def opened(
    connection: Connection, secrets: Secrets, guard: Guard, *, trial: bool = False
) -> aiomqtt.Client:
    """A client for the very address that the guard lets pass. Raises Unreadable."""
    to = connection.access
    try:
        there = await guard.endpoint(to.host, to.port)
    except Undeliverable as error:
        raise Unreadable(error.message, refused=error.final, detail=error.detail) from None
    if not to.tls and not there.private:
        raise Unreadable("Outside of your own network a broker is reached by TLS only.")
    name = f"voltyard-{'try-' if trial else ''}{connection.id.hex[:14]}"
    return aiomqtt.Client(
        there.address,
        port=to.port,
        username=to.user or None,
        password=secrets.password or None,
        identifier=name,
        tls_context=_context(there.host) if to.tls else None,
        timeout=CONNECT_S,
        clean_session=trial,
        max_queued_incoming_messages=WAITING_MAX,
    )


class _Named(ssl.SSLContext):
    """Verifies the name that was meant, though an address is connected to."""

    meant = ""

    def wrap_socket(self, *given: Any, **named: Any) -> ssl.SSLSocket:
        return super().wrap_socket(*given, **{**named, "server_hostname": self.meant})


def _context(host: str) -> ssl.SSLContext:
    made = _Named(ssl.PROTOCOL_TLS_CLIENT)
    made.load_default_certs()
    made.meant = host
    return made
