"""The message log of one connection: every frame, both ways, handed to the chargers room."""

from datetime import datetime

import msgspec

from voltyard.chargers.model import Frame, StationRef
from voltyard.ocpp.ports import Chargers

PAYLOAD_MAX = 16_384
HIDDEN = '"(hidden)"'


class Journal:
    __slots__ = ("_chargers", "_station")

    def __init__(self, chargers: Chargers, station: StationRef) -> None:
        self._chargers = chargers
        self._station = station

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
