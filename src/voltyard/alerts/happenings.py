"""Alerts of what just happened or is about to: limits changed, reservations that cannot hold."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from voltyard.alerts.model import Severity
from voltyard.alerts.ports import Occupancy, Outlets, Reservations
from voltyard.alerts.service import AlertService, Cause
from voltyard.approvals.events import ProposalChanged
from voltyard.approvals.model import State
from voltyard.bus import Bus
from voltyard.chargers.model import Evse, EvseStatus
from voltyard.clock import Clock
from voltyard.energy.events import LimitOverridden
from voltyard.errors import Invalid, NotFound
from voltyard.reservations.events import ReservationChanged
from voltyard.reservations.model import Reservation, ReservationState
from voltyard.sites.events import LimitChanged
from voltyard.sites.model import ElectricalTree

LIMIT_NEWS = timedelta(hours=1)
REFUSAL_NEWS = timedelta(hours=1)
FAILURE_NEWS = timedelta(days=1)
AHEAD = timedelta(minutes=30)
"""So long before its beginning a reservation that could not hold is told."""
OUT_OF_ORDER = frozenset({EvseStatus.FAULTED, EvseStatus.UNAVAILABLE})
RESERVATION = "reservation_conflict"


class Trees(Protocol):
    """``SiteService`` is one."""

    async def tree(self, site_id: UUID) -> ElectricalTree: ...


@dataclass(frozen=True, slots=True)
class Places:
    """What reservations rest on."""

    reservations: Reservations
    outlets: Outlets
    occupancy: Occupancy


class Happenings:
    """``tick`` looks at reservations; changed limits and refusals come as events."""

    def __init__(self, alerts: AlertService, clock: Clock, trees: Trees, places: Places) -> None:
        self._alerts = alerts
        self._clock = clock
        self._trees = trees
        self._places = places

    def listen(self, bus: Bus) -> None:
        bus.subscribe(LimitChanged, self._on_limit, name="alerts.limit_changed")
        bus.subscribe(LimitOverridden, self._on_override, name="alerts.limit_overridden")
        bus.subscribe(ReservationChanged, self._on_reservation, name="alerts.reservation")
        bus.subscribe(ProposalChanged, self._on_proposal, name="alerts.proposal")

    async def _on_limit(self, event: LimitChanged) -> None:
        try:
            node = (await self._trees.tree(event.site_id)).by_id.get(event.node_id)
        except (NotFound, Invalid):
            node = None
        params = {"node": "" if node is None else node.name, "at": event.at.isoformat()}
        await self._alerts.raise_(
            event.org_id,
            event.site_id,
            Cause(
                "limit_changed",
                Severity.INFO,
                f"limit_changed:{event.node_id}",
                "node",
                str(event.node_id),
                params,
                ends_at=event.at + LIMIT_NEWS,
            ),
        )

    async def _on_override(self, event: LimitOverridden) -> None:
        """Known until it ends; one that is lifted is over at once."""
        key = f"limit_overridden:{event.node_id}"
        if event.until_at <= event.at:
            await self._alerts.resolve(event.org_id, key)
            return
        params = {
            "node": event.node,
            "limit_w": round(event.power_w),
            "until_at": event.until_at.isoformat(),
            "by": event.set_by,
        }
        cause = Cause(
            "limit_overridden",
            Severity.WARNING,
            key,
            "node",
            str(event.node_id),
            params,
            ends_at=event.until_at,
        )
        await self._alerts.raise_(event.org_id, event.site_id, cause)

    async def _on_proposal(self, event: ProposalChanged) -> None:
        """Known until it is decided or expires; one that came to nothing once approved is news."""
        waiting, failed = State.WAITING.value, (State.FAILED.value, State.OUTDATED.value)
        key = f"approval_waiting:{event.proposal_id}"
        if event.state != waiting:
            await self._alerts.resolve(event.org_id, key)
        if event.state != waiting and event.state not in failed:
            return
        kind, ends_at = "approval_waiting", event.expires_at
        if event.state != waiting:
            kind, ends_at = "approval_failed", event.at + FAILURE_NEWS
        params = {
            "subject": event.subject or "Approvals",
            "change": event.kind,
            "by": event.proposed_by,
            "until_at": event.expires_at.isoformat(),
        }
        cause = Cause(
            kind,
            Severity.WARNING,
            f"{kind}:{event.proposal_id}",
            "proposal",
            str(event.proposal_id),
            params,
            ends_at=ends_at,
        )
        await self._alerts.raise_(event.org_id, event.site_id, cause)

    async def _on_reservation(self, event: ReservationChanged) -> None:
        key = f"{RESERVATION}:{event.reservation_id}"
        if event.state == ReservationState.REFUSED:
            params = {"station": self._name(event.station_id), "why": "refused"}
            ends_at = event.at + REFUSAL_NEWS
            cause = Cause(
                RESERVATION,
                Severity.WARNING,
                key,
                "reservation",
                str(event.reservation_id),
                params,
                ends_at=ends_at,
            )
            await self._alerts.raise_(event.org_id, event.site_id, cause)

    async def tick(self) -> None:
        """Run twice a minute."""
        now = self._clock.now()
        rows = {row.id: row for row in self._places.reservations.pending()}
        wrong: set[str] = set()
        for row in rows.values():
            why = self._hindrance(row, now)
            if why is not None:
                await self._alerts.raise_(row.org_id, row.site_id, self._cause(row, why))
                wrong.add(f"{RESERVATION}:{row.id}")
        for org_id, key in self._alerts.keys(RESERVATION):
            alert = self._alerts.open_alert(org_id, key)
            if key not in wrong and alert is not None and alert.ends_at is None:
                await self._alerts.resolve(org_id, key)

    def _cause(self, row: Reservation, why: str) -> Cause:
        params = {
            "station": self._name(row.station_id),
            "why": why,
            "from_at": row.from_at.isoformat(),
        }
        return Cause(
            RESERVATION,
            Severity.WARNING,
            f"{RESERVATION}:{row.id}",
            "reservation",
            str(row.id),
            params,
        )

    def _hindrance(self, row: Reservation, now: datetime) -> str | None:
        """Why a reservation that holds or soon should cannot be used as it stands."""
        if not row.from_at - AHEAD <= now < row.until_at:
            return None
        if not self._places.outlets.is_connected(row.station_id):
            return "offline"
        outlets = list(self._outlets(row))
        if not outlets or all(outlet.status in OUT_OF_ORDER for outlet in outlets):
            return "out_of_order"
        if row.from_at <= now and all(self._taken(outlet) for outlet in outlets):
            return "occupied"
        return None

    def _outlets(self, row: Reservation) -> Iterator[Evse]:
        for outlet in self._places.outlets.outlets(row.station_id):
            if row.evse_id in (None, outlet.id):
                yield outlet

    def _taken(self, outlet: Evse) -> bool:
        return (
            outlet.status in OUT_OF_ORDER or self._places.occupancy.current(outlet.id) is not None
        )

    def _name(self, station_id: UUID) -> str:
        station = self._places.outlets.station(station_id)
        return "" if station is None else station.name or station.identity
