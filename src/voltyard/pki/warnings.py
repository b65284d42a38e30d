"""What of certificates and security events a person must know, as alerts."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from voltyard.alerts.model import Severity
from voltyard.alerts.service import AlertService, Cause
from voltyard.bus import Bus
from voltyard.chargers.events import StationConnected
from voltyard.chargers.model import Station, StationState
from voltyard.chargers.service import ChargerService
from voltyard.clock import Clock
from voltyard.pki.events import CertificateChanged, ConnectionRefused, SecurityEventReported
from voltyard.pki.model import ROUTINE_EVENTS, CertificateState

ENDS_SOON = timedelta(days=14)
ENDS_NOW = timedelta(days=3)
ROUTINE_KEPT = timedelta(days=1)
EVENT_KEPT = timedelta(days=7)
REFUSAL_KEPT = timedelta(days=1)
_SEVERE = frozenset(
    {"TamperDetectionActivated", "InvalidFirmwareSignature", "SecurityLogWasCleared"}
)
_KINDS = (
    "security_event",
    "connection_refused",
    "certificate_refused",
    "certificate_waiting",
    "certificate_ends",
)


class Warnings:
    """Security events have no end of their own: their alerts close once they are old news."""

    def __init__(self, alerts: AlertService, stations: ChargerService, clock: Clock) -> None:
        self._alerts = alerts
        self._stations = stations
        self._clock = clock

    def listen(self, bus: Bus) -> None:
        bus.subscribe(SecurityEventReported, self._on_event, name="pki.warn_event")
        bus.subscribe(ConnectionRefused, self._on_refused, name="pki.warn_refused")
        bus.subscribe(CertificateChanged, self._on_certificate, name="pki.warn_certificate")
        bus.subscribe(StationConnected, self._on_connected, name="pki.warn_connected")

    async def _on_event(self, event: SecurityEventReported) -> None:
        if not event.critical or event.source != "charger":
            return
        severity = Severity.INFO if event.kind in ROUTINE_EVENTS else Severity.WARNING
        if event.kind in _SEVERE:
            severity = Severity.CRITICAL
        shown = {"event": event.kind, "info": event.info, "at": event.at.isoformat()}
        key = f"security_event:{event.station_id}:{event.kind}"
        await self._raise(event.station_id, "security_event", severity, key, shown)

    async def _on_refused(self, event: ConnectionRefused) -> None:
        shown = {"reason": event.fault, "detail": event.detail, "remote": event.remote}
        key = f"connection_refused:{event.station_id}"
        await self._raise(event.station_id, "connection_refused", Severity.WARNING, key, shown)

    async def _on_connected(self, event: StationConnected) -> None:
        await self._alerts.resolve(event.org_id, f"connection_refused:{event.station_id}")

    async def _on_certificate(self, event: CertificateChanged) -> None:
        refused = f"certificate_refused:{event.station_id}"
        waiting = f"certificate_waiting:{event.station_id}"
        state = CertificateState(event.state)
        if state in (CertificateState.REFUSED, CertificateState.REJECTED):
            shown = {
                "reason": event.reason,
                "by": "charger" if state is CertificateState.REJECTED else "voltyard",
            }
            severity = Severity.WARNING
            await self._raise(event.station_id, "certificate_refused", severity, refused, shown)
        if state in (CertificateState.INSTALLED, CertificateState.IN_USE):
            await self._alerts.resolve(event.org_id, refused)
        if state is not CertificateState.WAITING:
            await self._alerts.resolve(event.org_id, waiting)

    async def waits(self, station_id: UUID) -> None:
        """A request waits for an authority elsewhere: somebody has to carry it there."""
        key = f"certificate_waiting:{station_id}"
        await self._raise(station_id, "certificate_waiting", Severity.INFO, key, {})

    async def ends(self, ends: Mapping[UUID, datetime]) -> None:
        """``ends``: when the last certificate of each station that uses one ends."""
        now = self._clock.now()
        for station_id, end_at in ends.items():
            station = self._stations.station(station_id)
            if station is None:
                continue
            key = f"certificate_ends:{station_id}"
            if end_at > now + ENDS_SOON or station.state is not StationState.APPROVED:
                await self._alerts.resolve(station.org_id, key)
                continue
            severity = Severity.CRITICAL if end_at <= now + ENDS_NOW else Severity.WARNING
            shown = {"ends_at": end_at.isoformat()}
            await self._raise(station_id, "certificate_ends", severity, key, shown)

    async def tidy(self, org_id: UUID) -> None:
        """Old news is closed; what somebody has acknowledged is, too."""
        now = self._clock.now()
        for alert in self._alerts.open_now(org_id):
            if alert.kind == "connection_refused":
                kept = REFUSAL_KEPT
            elif alert.kind == "security_event":
                routine = alert.params.get("event") in ROUTINE_EVENTS
                kept = ROUTINE_KEPT if routine else EVENT_KEPT
            else:
                continue
            old = now - (alert.updated_at or alert.opened_at) >= kept
            if old or (alert.kind == "security_event" and alert.acknowledged_at is not None):
                await self._alerts.resolve(org_id, alert.key)

    async def _raise(
        self, station_id: UUID, kind: str, severity: Severity, key: str, shown: Mapping[str, Any]
    ) -> None:
        assert kind in _KINDS
        station = self._stations.station(station_id)
        if station is None:
            return
        params = {"station": _name(station), **shown}
        cause = Cause(kind, severity, key, "station", str(station_id), params)
        await self._alerts.raise_(station.org_id, station.site_id, cause)


def _name(station: Station) -> str:
    return station.name or station.identity
