"""The message log of one connection: every frame, both ways, handed to the chargers room."""

from datetime import datetime

import msgspec

from voltyard.chargers.model import Frame, StationRef
from voltyard.clock import Clock
from voltyard.ocpp.framing import Call
from voltyard.ocpp.outbox import Pending
from voltyard.ocpp.ports import Chargers

PAYLOAD_MAX = 16_384
HIDDEN = '"(hidden)"'


class Journal:
    __slots__ = ("_chargers", "_clock", "_station")

    def __init__(self, chargers: Chargers, station: StationRef, clock: Clock) -> None:
        self._chargers = chargers
        self._station = station
        self._clock = clock

    def note(
        self,
        at: datetime,
        direction: str,
        kind: str,
        message_id: str,
        action: str,
        payload: bytes | msgspec.Raw | str,
        *,
        error_code: str | None = None,
        latency_ms: float | None = None,
        flags: tuple[str, ...] = (),
    ) -> None:
        """``direction`` "in" is from the charger; ``kind`` call, result, error or unreadable."""
        text = payload if isinstance(payload, str) else str(payload, "utf-8", "replace")
        if len(text) > PAYLOAD_MAX:
            text = text[:PAYLOAD_MAX] + "…"
        self._chargers.frame(
            Frame(
                at,
                self._station.org_id,
                self._station.id,
                direction,
                kind,
                message_id,
                action,
                text,
                error_code,
                latency_ms,
                flags,
            )
        )

    def answered(
        self,
        call: Call,
        kind: str,
        payload: bytes,
        heard_s: float,
        word: str | None,
        flags: tuple[str, ...],
    ) -> None:
        """What we answered to a call that was heard at ``heard_s`` of the clock."""
        latency_ms = (self._clock.monotonic_s() - heard_s) * 1000.0
        self.note(
            self._clock.now(),
            "out",
            kind,
            call.message_id,
            call.action,
            payload,
            error_code=word,
            latency_ms=latency_ms,
            flags=flags,
        )

    def called(self, pending: Pending) -> None:
        """A call of ours."""
        payload = HIDDEN if pending.secret else _payload_of(pending.frame, pending.action)
        self.note(self._clock.now(), "out", "call", pending.message_id, pending.action, payload)

    def outcome(self, pending: Pending, kind: str, payload: bytes, word: str | None) -> None:
        """What the charger answered to it."""
        latency_ms = (self._clock.monotonic_s() - pending.sent_s) * 1000.0
        self.note(
            self._clock.now(),
            "in",
            kind,
            pending.message_id,
            pending.action,
            payload,
            error_code=word,
            latency_ms=latency_ms,
        )


def _payload_of(frame: bytes, action: str) -> bytes:
    """The payload inside a call we wrote: ``[2,"id","Action",payload]``."""
    marker = b'"%b",' % action.encode()
    return frame[frame.index(marker) + len(marker) : -1]
