"""One connection of a presystem: who may say what when, answers, and information on time."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import msgspec

from voltyard.clock import Clock
from voltyard.ids import new_id
from voltyard.timetable.vdv463 import frames, reading, version2
from voltyard.timetable.vdv463.frames import Broken, Frame, Type
from voltyard.timetable.vdv463.model import (
    Kind,
    LinkState,
    LinkView,
    Message,
    Presystem,
    Version,
)
from voltyard.timetable.vdv463.picture import Picture
from voltyard.timetable.vdv463.resolving import Spot
from voltyard.timetable.vdv463.version1 import Writer

log = logging.getLogger(__name__)

MISSES_MAX = 4
"""So many messages in a row that nobody confirms end the connection."""
OPEN_MAX = 16
GAP_S = 1.0
GAP_MAX_S = 5.0
GAP_SHARE = 20.0
"""Least time between two messages of information: so many times what the last one took to make,
within these bounds."""
BURST = 100.0
PER_S = 10.0
FLOOD_MAX = 2_000
PAYLOAD_KEPT = 16_384
_KINDS = {Type.REQUEST: "request", Type.CONFIRMATION: "confirmation", Type.ERROR: "error"}


class LinkLost(Exception):
    """The connection below is gone."""


class Transport(Protocol):
    """The WebSocket below."""

    async def send(self, text: str) -> None:
        """Raises LinkLost."""

    async def close(self, code: int, reason: str) -> None: ...


class Office(Protocol):
    """What a connection asks of the service."""

    async def picture(
        self, presystem: Presystem, presystem_id: str
    ) -> tuple[Picture, Mapping[str, Spot]]: ...

    async def asked(self, link: "Link", asking: reading.Asking, points: Mapping[str, Spot]) -> str:
        """Take a whole list; what is wrong with it, empty if nothing."""

    def booted(self, link: "Link", kind: Kind) -> None: ...

    def note(self, presystem: Presystem, message: Message) -> None:
        """For the log of messages; never waits."""


@dataclass(slots=True)
class _Allowance:
    """A bucket: ``BURST`` messages at once, ``PER_S`` a second for long."""

    left: float = BURST
    at_s: float = 0.0
    refused: int = 0

    def takes(self, now_s: float) -> bool:
        self.left = min(BURST, self.left + (now_s - self.at_s) * PER_S)
        self.at_s = now_s
        if self.left < 1.0:
            self.refused += 1
            return False
        self.left -= 1.0
        return True


class Link:
    """Messages come one at a time by ``received``; ``run`` informs until the link is closed."""

    def __init__(
        self,
        presystem: Presystem,
        version: Version,
        transport: Transport,
        office: Office,
        clock: Clock,
        remote: str = "",
    ) -> None:
        self.presystem = presystem
        self.version = version
        self.closed = False
        self._transport = transport
        self._office = office
        self._clock = clock
        self._allowance = _Allowance(at_s=clock.monotonic_s())
        self._wanted = asyncio.Event()
        self._sending = asyncio.Lock()
        self._open: OrderedDict[str, datetime] = OrderedDict()
        self._misses = 0
        self._points: dict[str, Spot] = {}
        self._gap_s = GAP_S
        self.view = LinkView(LinkState.CONNECTED, clock.now(), remote, version)

    @property
    def presystem_id(self) -> str:
        return self.view.presystem_id

    # what comes

    async def received(self, data: bytes) -> None:
        """One text frame, whatever is in it: it harms nothing but itself. Raises LinkLost."""
        if self.closed:
            return
        found = frames.read(data)
        if not self._allowance.takes(self._clock.monotonic_s()):
            await self._flooded(found)
        elif isinstance(found, Broken):
            await self._broken(found, data)
        elif found.type is Type.REQUEST:
            await self._request(found, data)
        else:
            self._answered(found, data)

    async def _flooded(self, found: Frame | Broken) -> None:
        if self._allowance.refused == 1 or self._allowance.refused % 500 == 0:
            what = f"too many messages; {self._allowance.refused} were not looked at"
            self._log("in", "broken", "", "", "", faults=(what,))
        if self._allowance.refused > FLOOD_MAX:
            await self.close(1008, "too many messages")
        elif isinstance(found, Frame) and found.type is Type.REQUEST:
            await self._refuse(found.presystem_id, found.message_id, found.action, "too many")

    async def _broken(self, found: Broken, data: bytes) -> None:
        text = _text(data)
        self._log("in", "broken", found.action, found.message_id, text, (found.reason,), (), data)
        if found.answerable:
            await self._refuse(
                found.presystem_id or self.presystem_id,
                found.message_id,
                found.action,
                found.reason,
            )

    async def _request(self, frame: Frame, data: bytes) -> None:
        notes = list(frame.notes)
        payload, fault = None, ""
        if frame.action == frames.BOOT:
            payload, fault = self._boot(frame)
        elif frame.action == frames.REQUESTS:
            try:
                payload, fault = await self._requests(frame, notes)
            except Exception:
                log.exception("%s: a list could not be taken", self.presystem.path)
                fault = "this could not be done now, send it again"
        else:
            fault = f"{frame.action} is sent by the charging management"
        faults = (fault,) if fault else ()
        self._log_frame("in", frame, data, faults, tuple(notes))
        if payload is None:
            await self._refuse(frame.presystem_id, frame.message_id, frame.action, fault)
        else:
            await self._answer(
                Type.CONFIRMATION, frame.presystem_id, frame.message_id, frame.action, payload
            )
            self._wanted.set()

    def _boot(self, frame: Frame) -> tuple[dict[str, str] | None, str]:
        """The payload of the answer, and what is wrong."""
        try:
            kind = reading.boot(frame.payload)
        except reading.Unreadable as error:
            return None, str(error)
        expected = self.presystem
        if expected.kind not in (Kind.ANY, kind):
            return {"status": "Rejected"}, f"{kind.value} instead of {expected.kind.value}"
        if expected.presystem_id not in ("", frame.presystem_id):
            return {"status": "Rejected"}, f"presystemId is not {expected.presystem_id}"
        self.view = replace(
            self.view,
            state=LinkState.BOOTED,
            presystem_id=frame.presystem_id,
            kind=kind.value,
        )
        self._office.booted(self, kind)
        return {"status": "Accepted"}, ""

    async def _requests(self, frame: Frame, notes: list[str]) -> tuple[dict[str, str] | None, str]:
        if self.view.state is LinkState.CONNECTED:
            return None, "BootNotification comes first"
        if self.view.state is LinkState.BOOTED:
            return None, "requests come after the first ProvideChargingInformation"
        if frame.presystem_id != self.presystem_id:
            return None, f"this connection was begun by {self.presystem_id}"
        try:
            asking = reading.requests(frame.payload, self.version)
        except reading.Unreadable as error:
            return None, str(error)
        notes += asking.notes
        fault = await self._office.asked(self, asking, self._points)
        return (None, fault) if fault else ({}, "")

    def _answered(self, frame: Frame, data: bytes) -> None:
        """A confirmation or an error. One of another id counts for the oldest that is open."""
        notes = list(frame.notes)
        faults: tuple[str, ...] = ()
        if frame.action != frames.INFORMATION or not self._open:
            faults = ("nothing was asked that this answers",)
        else:
            if frame.message_id not in self._open:
                notes.append("the messageId is another; taken for the oldest that is open")
                self._open.popitem(last=False)
            else:
                del self._open[frame.message_id]
            self._misses = 0
            refused = _refusal(frame) if frame.type is Type.ERROR else ""
            at = self.view.confirmed_at if refused else self._clock.now()
            self.view = replace(
                self.view, confirmed_at=at, refused=refused, unconfirmed=len(self._open)
            )
            if refused:
                faults = (f"our information was refused: {refused}",)
            elif bytes(frame.payload).strip() not in (b"{}", b"{ }"):
                notes.append("the payload of a confirmation is empty")
        self._log_frame("in", frame, data, faults, tuple(notes))

    # what goes

    def want(self, site_id: UUID | None = None) -> None:
        """Something changed that it should know, if it is told of the site."""
        told = {spot.site_id for spot in self._points.values()}
        if site_id is None or not told or site_id in told:
            self._wanted.set()

    async def run(self) -> None:
        """Complete information after the boot, every period, and soon after what changed."""
        while not self.closed:
            await self._pause()
            self._wanted.clear()
            if self.closed or self.view.state is LinkState.CONNECTED:
                continue
            try:
                await self._missed()
                await self._inform()
            except LinkLost:
                return
            except Exception:
                log.exception("%s: information could not be sent", self.presystem.path)
            await self._clock.sleep(self._gap_s)

    async def _pause(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.create_task(self._clock.sleep(max(0.0, self.presystem.period_s - self._gap_s)))
        wanted = loop.create_task(self._wanted.wait())
        try:
            await asyncio.wait((due, wanted), return_when=asyncio.FIRST_COMPLETED)
        finally:
            due.cancel()
            wanted.cancel()

    async def _inform(self) -> None:
        began_s = self._clock.monotonic_s()
        picture, points = await self._office.picture(self.presystem, self.presystem_id)
        if self.version is Version.V10 and not picture.depots:
            self._log(
                "out", "request", frames.INFORMATION, "", "", ("there is no site to tell of",)
            )
            return
        content = information(picture, self.version)
        took_s = self._clock.monotonic_s() - began_s
        self._gap_s = min(GAP_MAX_S, max(GAP_S, GAP_SHARE * took_s))
        message_id = str(new_id())
        now = self._clock.now()
        if len(self._open) >= OPEN_MAX:
            self._open.popitem(last=False)
        self._open[message_id] = now
        self._points = dict(points)
        presystem_id = self.presystem_id
        await self._answer(Type.REQUEST, presystem_id, message_id, frames.INFORMATION, content)
        state = LinkState.OPEN if presystem_id == self.presystem_id else self.view.state
        self.view = replace(self.view, state=state, informed_at=now, unconfirmed=len(self._open))

    async def _missed(self) -> None:
        """Confirmations that are overdue."""
        now = self._clock.now()
        for message_id, sent_at in list(self._open.items()):
            if (now - sent_at).total_seconds() <= self.presystem.confirm_s:
                break
            del self._open[message_id]
            self._misses += 1
            what = f"not confirmed within {self.presystem.confirm_s:g} s"
            self._log("out", "request", frames.INFORMATION, message_id, "", (what,))
        self.view = replace(self.view, unconfirmed=len(self._open))
        if self._misses >= MISSES_MAX:
            await self.close(1008, "information is not confirmed")

    async def _refuse(self, presystem_id: str, message_id: str, action: str, why: str) -> None:
        name = "errorMessage" if self.version is Version.V20 else "message"
        await self._answer(Type.ERROR, presystem_id, message_id, action, {name: why[:1_000]})

    async def _answer(
        self, kind: Type, presystem_id: str, message_id: str, action: str, payload: Any
    ) -> None:
        if self.closed:
            return
        data = frames.written(kind, presystem_id, self._clock.now(), message_id, action, payload)
        async with self._sending:
            await self._transport.send(data.decode())
        text = msgspec.json.encode(payload)[:PAYLOAD_KEPT].decode("utf-8", "ignore")
        self._log("out", _KINDS[kind], action, message_id, text, (), (), data)

    async def close(self, code: int, reason: str) -> None:
        """Once, with a goodbye."""
        if self.closed:
            return
        self.closed = True
        self._wanted.set()
        await self._transport.close(code, reason)

    def gone(self) -> None:
        """The transport ended."""
        self.closed = True
        self._wanted.set()

    # the log

    def _log_frame(
        self,
        direction: str,
        frame: Frame,
        data: bytes,
        faults: Sequence[str],
        notes: Sequence[str],
    ) -> None:
        payload = _text(bytes(frame.payload))
        kind = _KINDS[frame.type]
        self._log(direction, kind, frame.action, frame.message_id, payload, faults, notes, data)

    def _log(
        self,
        direction: str,
        kind: str,
        action: str,
        message_id: str,
        payload: str,
        faults: Sequence[str] = (),
        notes: Sequence[str] = (),
        data: bytes = b"",
    ) -> None:
        message = Message(
            self._clock.now(),
            direction,
            kind,
            action[:100],
            message_id[:100],
            payload,
            tuple(fault[:500] for fault in faults),
            tuple(note[:300] for note in notes),
            len(data),
        )
        self._office.note(self.presystem, message)


def information(picture: Picture, version: Version) -> Any:
    """The payload of ProvideChargingInformation."""
    if version is Version.V20:
        return version2.information(picture)
    return Writer(version).information(picture)


def _text(data: bytes) -> str:
    return data[:PAYLOAD_KEPT].decode("utf-8", "replace").replace("\x00", "")


def _refusal(frame: Frame) -> str:
    return _text(bytes(frame.payload))[:300] or "no reason"
