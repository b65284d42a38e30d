"""What chargers tell of firmware updates and log uploads, handed on to whoever asked for them."""

from voltyard.chargers.core import ChargerCore
from voltyard.chargers.events import FirmwareReported, LogReported
from voltyard.chargers.model import StationRef


class StationUpkeep(ChargerCore):
    """Returns after its hearers have stored it; what one of them could not is delivered again."""

    async def firmware_told(self, station: StationRef, told: str, request_id: int | None) -> None:
        """``told`` is one of ``voltyard.firmware.model.Told``'s words, or one nobody knows."""
        known = self._entry(station.id).station
        now = self._clock.now()
        await self._bus.publish(
            FirmwareReported(known.org_id, known.site_id, known.id, told, request_id, now)
        )

    async def log_told(self, station: StationRef, told: str, request_id: int | None) -> None:
        """``told`` is one of ``voltyard.diagnostics.model.Told``'s words, or one nobody knows."""
        known = self._entry(station.id).station
        now = self._clock.now()
        await self._bus.publish(
            LogReported(known.org_id, known.site_id, known.id, told, request_id, now)
        )
