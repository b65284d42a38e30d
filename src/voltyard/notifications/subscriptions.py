"""Events of the domain for webhooks that subscribe to them."""

from typing import Any
from uuid import UUID

import msgspec

from voltyard.approvals import events as approvals
from voltyard.billing import events as billing
from voltyard.bookings import events as bookings
from voltyard.bulk import events as bulk
from voltyard.bus import Bus
from voltyard.chargers import events as chargers
from voltyard.clock import Clock
from voltyard.configuration import events as configuration
from voltyard.diagnostics import events as diagnostics
from voltyard.energy import events as energy
from voltyard.firmware import events as firmware
from voltyard.fleets import events as fleets
from voltyard.notifications import store
from voltyard.notifications.desk import Desk
from voltyard.notifications.outbox import event_note
from voltyard.pki import events as pki
from voltyard.preconditioning import events as preconditioning
from voltyard.reservations import events as reservations
from voltyard.sessions import events as sessions
from voltyard.sitemeters import events as sitemeters
from voltyard.sites import events as sites
from voltyard.storage.engine import Database
from voltyard.telematics import events as telematics
from voltyard.tenancy import events as tenancy
from voltyard.tenancy import scope
from voltyard.timetable import events as timetable

EVENTS: dict[str, type] = {
    "session.started": sessions.SessionStarted,
    "session.updated": sessions.SessionUpdated,
    "session.ended": sessions.SessionEnded,
    "session.quarantined": sessions.SessionQuarantined,
    "session.rated": billing.SessionRated,
    "token.unknown": sessions.UnknownTokenUsed,
    "tokens.changed": fleets.TokensChanged,
    "vehicles.changed": fleets.VehiclesChanged,
    "duties.changed": timetable.DutiesChanged,
    "duty.departed": timetable.DutyDeparted,
    "booking.changed": bookings.BookingChanged,
    "booking.enforced": bookings.BookingEnforced,
    "preconditioning.changed": preconditioning.PreconditioningChanged,
    "preconditioning.moved": preconditioning.PreconditioningMoved,
    "vehicle.reported": preconditioning.VehicleReported,
    "vehicle.observed": telematics.VehicleObserved,
    "telematics.changed": telematics.ConnectionChanged,
    "operator.changed": tenancy.OperatorsChanged,
    "reservation.changed": reservations.ReservationChanged,
    "reservation.reported": chargers.ReservationReported,
    "station.connected": chargers.StationConnected,
    "station.disconnected": chargers.StationDisconnected,
    "station.booted": chargers.StationBooted,
    "station.seen": chargers.StationSeen,
    "station.approved": chargers.StationApproved,
    "station.changed": chargers.StationChanged,
    "station.drifted": configuration.DriftChanged,
    "station.monitored": chargers.VariableEventsTold,
    "evse.status": chargers.EvseStatusChanged,
    "evses.changed": chargers.EvsesChanged,
    "firmware.reported": chargers.FirmwareReported,
    "firmware.update": firmware.UpdateChanged,
    "firmware.campaign": firmware.CampaignChanged,
    "log.reported": chargers.LogReported,
    "log.changed": diagnostics.LogChanged,
    "command.bulk": bulk.BulkChanged,
    "plan.made": energy.PlanMade,
    "limit.overridden": energy.LimitOverridden,
    "limit.exceeded": energy.LimitExceeded,
    "limit.changed": sites.LimitChanged,
    "tree.changed": sites.TreeChanged,
    "site.changed": sites.SiteChanged,
    "site_meters.changed": sitemeters.SiteMetersChanged,
    "tariffs.changed": billing.TariffsChanged,
    "payment.changed": billing.PaymentChanged,
    "proposal.changed": approvals.ProposalChanged,
    "security.certificate": pki.CertificateChanged,
    "security.profile": pki.SecurityProfileChanged,
    "security.refused": pki.ConnectionRefused,
    "security.event": pki.SecurityEventReported,
}
"""By the name that webhooks know it under; the name is a promise, the class is not."""

UNTOLD: dict[type, str] = {
    sessions.MeterReported: "a reading, many a second; REST has them",
    sitemeters.SiteMeterRead: "a reading, kept by the minute; REST has them",
    energy.GrantsChanged: "in process only, nothing is committed with it",
    chargers.MonitorsTold: "a part of a report; its end is seen in the monitors",
    pki.TrustChanged: "of the whole server, no organisation's",
}
"""Events that are not for webhooks, and why."""

ALERTS = tuple(
    f"alert.{topic}"
    for topic in ("opened", "raised", "again", "changed", "acknowledged", "snoozed", "resolved")
)
KINDS = (*ALERTS, *EVENTS)


class Subscriptions:
    """Events of alerts come with their transaction; these after theirs, at least once.

    An event that is delivered again has the same id, and is kept once.
    """

    def __init__(self, database: Database, desk: Desk, clock: Clock, wake: Any) -> None:
        self._database = database
        self._desk = desk
        self._clock = clock
        self._wake = wake

    def listen(self, bus: Bus) -> None:
        for kind, event in EVENTS.items():
            bus.subscribe(event, self._heard(kind), name=f"notifications.{kind}")

    def _heard(self, kind: str) -> Any:
        async def heard(event: Any) -> None:
            org_id: UUID = event.org_id
            targets = self._desk.subscribers(org_id, kind)
            if not targets:
                return
            data = msgspec.to_builtins(event)
            name = f"{kind} {msgspec.json.encode(event).decode()}"
            now = self._clock.now()
            notes = [event_note(target, name, kind, event.at, data, now) for target in targets]
            async with scope.transaction(self._database, scope.of(org_id)) as tx:
                await store.insert(tx, notes)
            self._wake()

        return heard
