"""The message log of one connection: every frame, both ways, handed to the chargers room."""

from collections.abc import Iterable
from datetime import datetime
from functools import partial

import msgspec

from voltyard.chargers.model import Frame, StationRef
from voltyard.clock import Clock
from voltyard.ocpp.framing import Call
from voltyard.ocpp.outbox import Pending
from voltyard.ocpp.ports import Chargers

PAYLOAD_MAX = 16_384
HIDDEN = '"(hidden)"'
_frame = partial(tuple.__new__, Frame)
"""``Frame`` of all its fields at once: every message makes two."""


class Journal:
    __slots__ = ("_clock", "_keep", "_org_id", "_station_id")

    def __init__(self, chargers: Chargers, station: StationRef, clock: Clock) -> None:
        self._keep = chargers.frame
        self._org_id = station.org_id
        self._station_id = station.id
        self._clock = clock

    def heard(self, call: Call, at: datetime) -> None:
        """A call of the charger."""
        kind = "call" if call.answered else "send"
        self.note(at, "in", kind, call.message_id, call.action, call.payload, flags=call.flags)

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
        self._keep(
            _frame(
                (
                    at,
                    self._org_id,
                    self._station_id,
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
        )

    def answered(
        self,
        call: Call,
        kind: str,
        payload: bytes,
        heard_s: float,
        word: str | None,
        flags: Iterable[str],
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
            flags=tuple(flags),
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
