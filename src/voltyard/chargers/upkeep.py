"""What chargers tell of updates, uploads, reservations and their variables, handed on."""

from collections.abc import Sequence

from voltyard.chargers.core import ChargerCore
from voltyard.chargers.events import (
    FirmwareReported,
    LogReported,
    MonitorsTold,
    ReservationReported,
    VariableEventsTold,
)
from voltyard.chargers.model import Monitor, StationRef, VariableEvent


class StationUpkeep(ChargerCore):
    """Returns after its hearers have stored it; what one of them could not is delivered again."""

    async def firmware_told(self, station: StationRef, told: str, request_id: int | None) -> None:
        """``told`` is one of ``voltyard.firmware.model.Told``'s words, or one nobody knows."""
        known = self._entry(station.id).station
        now = self._clock.now()
        await self._bus.publish(
            FirmwareReported(known.org_id, known.site_id, known.id, told, request_id, now)
        )

    async def reservation_told(self, station: StationRef, number: int, told: str) -> None:
        """``told``: ``expired``, ``removed`` or ``no_transaction``."""
        known = self._entry(station.id).station
        now = self._clock.now()
        await self._bus.publish(
            ReservationReported(known.org_id, known.site_id, known.id, number, told, now)
        )

    async def log_told(self, station: StationRef, told: str, request_id: int | None) -> None:
        """``told`` is one of ``voltyard.diagnostics.model.Told``'s words, or one nobody knows."""
        known = self._entry(station.id).station
        now = self._clock.now()
        await self._bus.publish(
            LogReported(known.org_id, known.site_id, known.id, told, request_id, now)
        )

    async def events_told(self, station: StationRef, events: Sequence[VariableEvent]) -> None:
        known = self._entry(station.id).station
        now = self._clock.now()
        await self._bus.publish(
            VariableEventsTold(known.org_id, known.site_id, known.id, tuple(events), now)
        )

    async def monitors_told(
        self, station: StationRef, report_id: int, monitors: Sequence[Monitor], *, complete: bool
    ) -> None:
        known = self._entry(station.id).station
        now = self._clock.now()
        await self._bus.publish(
            MonitorsTold(
                known.org_id, known.site_id, known.id, report_id, tuple(monitors), complete, now
            )
        )
