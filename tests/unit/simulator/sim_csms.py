"""A small server for the tests: answers every charger, checks every frame, sends commands."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any

import jsonschema_rs

from voltyard.clock import Clock
from voltyard.simulator.link import LinkClosed, LinkRefused, MemoryConnection

START_AT = datetime(2027, 1, 19, 16, 0, tzinfo=UTC)
_PACKAGES = {
    "ocpp1.6": "ocpp.v16.schemas",
    "ocpp2.0.1": "ocpp.v201.schemas",
    "ocpp2.1": "ocpp.v21.schemas",
}
Payload = dict[str, Any]


class Answer(Exception):
    """Raised by an override to answer with a CALLERROR, or (code "") not at all."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@cache
def schema(protocol: str, action: str, kind: str) -> jsonschema_rs.Draft7Validator:
    """The JSON schema of a request or response, from the `ocpp` package."""
    request = "" if protocol == "ocpp1.6" else "Request"
    name = f"{action}{request if kind == 'request' else 'Response'}.json"
    text = (files(_PACKAGES[protocol]) / name).read_text("utf-8-sig")
    return jsonschema_rs.Draft7Validator(json.loads(text))


@dataclass
class Frame:
    at: datetime
    identity: str
    kind: int
    id: str
    action: str
    payload: Payload


@dataclass
class Csms:
    clock: Clock
    overrides: dict[str, Callable[[str, Payload], Payload]] = field(default_factory=dict)
    frames: list[Frame] = field(default_factory=list)
    trace: list[str] = field(default_factory=list)
    invalid: list[str] = field(default_factory=list)
    connections: dict[str, MemoryConnection] = field(default_factory=dict)
    connects: list[tuple[str, Sequence[str], tuple[str, str] | None]] = field(default_factory=list)
    refuse_status: int | None = None
    subprotocol: str | None = "same"
    transactions: int = 100
    started: dict[tuple[str, int, str], int] = field(default_factory=dict)
    _waiting: dict[str, asyncio.Future[list[Any]]] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _calls: int = 0

    async def accept(
        self,
        identity: str,
        subprotocols: Sequence[str],
        basic_auth: tuple[str, str] | None,
        duplex: MemoryConnection,
    ) -> str | None:
        self.connects.append((identity, tuple(subprotocols), basic_auth))
        if self.refuse_status is not None:
            raise LinkRefused(self.refuse_status)
        self.connections[identity] = duplex
        task = asyncio.create_task(self._read(identity, subprotocols[0], duplex))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return subprotocols[0] if self.subprotocol == "same" else self.subprotocol

    def of(self, action: str, identity: str | None = None) -> list[Payload]:
        """Payloads of the calls received with this action, in order."""
        return [
            f.payload
            for f in self.frames
            if f.kind == 2 and f.action == action and identity in (None, f.identity)
        ]

    async def command(self, identity: str, action: str, payload: Payload) -> Payload:
        """A call to the charger; the result's payload, or raises ``Answer`` on CALLERROR."""
        duplex = self.connections[identity]
        protocol = duplex.subprotocol or ""
        self._calls += 1
        message_id = f"s{self._calls}"
        self._check(protocol, action, "request", payload)
        answer: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._waiting[message_id] = answer
        await duplex.send(json.dumps([2, message_id, action, payload]))
        async with self.clock.timeout(120):
            frame = await answer
        if frame[0] == 4:
            raise Answer(frame[2])
        self._check(protocol, action, "response", frame[2])
        return dict(frame[2])

    async def _read(self, identity: str, protocol: str, duplex: MemoryConnection) -> None:
        while True:
            try:
                text = await duplex.recv()
            except LinkClosed:
                return
            self.trace.append(f"{self.clock.now().isoformat()} {identity} {text}")
            frame = json.loads(text)
            if frame[0] in (3, 4):
                waiting = self._waiting.pop(frame[1], None)
                if waiting is not None and not waiting.done():
                    waiting.set_result(frame)
                continue
            _, message_id, action, payload = frame
            self.frames.append(Frame(self.clock.now(), identity, 2, message_id, action, payload))
            self._check(protocol, action, "request", payload)
            try:
                override = self.overrides.get(action, self._default)
                answer = override(identity, payload)
                if not answer and action not in _EMPTY:
                    answer = self._reply(identity, action, payload)
            except Answer as error:
                if error.code:
                    await duplex.send(json.dumps([4, message_id, error.code, "", {}]))
                continue
            self._check(protocol, action, "response", answer)
            try:
                await duplex.send(json.dumps([3, message_id, answer]))
            except LinkClosed:
                return

    def _default(self, identity: str, payload: Payload) -> Payload:
        return {}

    def _reply(self, identity: str, action: str, payload: Payload) -> Payload:
        now = self.clock.now().isoformat().replace("+00:00", "Z")
        if action == "BootNotification":
            return {"status": "Accepted", "currentTime": now, "interval": 300}
        if action == "Heartbeat":
            return {"currentTime": now}
        if action == "Authorize":
            info = {"status": "Accepted"}
            return {"idTokenInfo": info} if "idToken" in payload else {"idTagInfo": info}
        if action == "StartTransaction":
            key = (identity, payload["connectorId"], payload["timestamp"])
            if key not in self.started:
                self.transactions += 1
                self.started[key] = self.transactions
            return {"transactionId": self.started[key], "idTagInfo": {"status": "Accepted"}}
        return {}

    def _check(self, protocol: str, action: str, kind: str, payload: Payload) -> None:
        for error in schema(protocol, action, kind).iter_errors(payload):
            self.invalid.append(f"{protocol} {action} {kind}: {error.message}: {payload}")


_EMPTY = {
    "StatusNotification",
    "MeterValues",
    "StopTransaction",
    "TransactionEvent",
    "NotifyReport",
    "ReservationStatusUpdate",
    "ReportChargingProfiles",
}
