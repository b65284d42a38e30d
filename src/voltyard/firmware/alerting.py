"""Firmware updates that failed and campaigns that stopped, as alerts."""

from voltyard.alerts.model import Severity
from voltyard.alerts.service import AlertService, Cause
from voltyard.bus import Bus
from voltyard.firmware.events import CampaignChanged, UpdateChanged
from voltyard.firmware.model import CampaignState, UpdateState
from voltyard.firmware.ports import Stations

GOES_ON = frozenset({UpdateState.ASKED, UpdateState.DONE, UpdateState.SKIPPED})


class FirmwareAlerts:
    """An update's alert ends with the next attempt, a campaign's when somebody decides on it."""

    def __init__(self, alerts: AlertService, stations: Stations) -> None:
        self._alerts = alerts
        self._stations = stations

    def listen(self, bus: Bus) -> None:
        bus.subscribe(UpdateChanged, self._on_update, name="alerts.firmware_update")
        bus.subscribe(CampaignChanged, self._on_campaign, name="alerts.firmware_campaign")

    async def _on_update(self, event: UpdateChanged) -> None:
        key = f"firmware_failed:{event.station_id}"
        if event.state == UpdateState.FAILED:
            station = self._stations.station(event.station_id)
            params = {
                "station": "" if station is None else station.name or station.identity,
                "version": event.version,
                "failure": event.failure or "",
            }
            cause = Cause(
                "firmware_failed", Severity.WARNING, key, "station", str(event.station_id), params
            )
            await self._alerts.raise_(event.org_id, event.site_id, cause)
        elif event.state in GOES_ON:
            await self._alerts.resolve(event.org_id, key)

    async def _on_campaign(self, event: CampaignChanged) -> None:
        key = f"campaign_stopped:{event.campaign_id}"
        if event.state != CampaignState.STOPPED:
            await self._alerts.resolve(event.org_id, key)
            return
        params = {"campaign": event.name, "version": event.version, "why": event.why}
        cause = Cause(
            "campaign_stopped",
            Severity.CRITICAL,
            key,
            "firmware_campaign",
            str(event.campaign_id),
            params,
        )
        await self._alerts.raise_(event.org_id, None, cause)
