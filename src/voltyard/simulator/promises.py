"""Reading a night as its judge: which promise was broken, where and when. Empty means none."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from voltyard.simulator import sharing
from voltyard.simulator.faults import FaultKind
from voltyard.simulator.night import NightResult, lying_spans
from voltyard.simulator.truth import Exceedance

DISCOVERY = timedelta(minutes=5)
"""How long a charger that ignores its limit may go on before it must have been fenced."""

ENERGY_TOLERANCE_WH = 50.0
METER_FAULTS = frozenset({FaultKind.METER_KWH, FaultKind.METER_ZERO})


def broken(night: NightResult) -> list[str]:
    """One line for each breach, with what is needed to look for it."""
    return [
        *_limit(night),
        *_sessions(night),
        *_energy(night),
        *sharing.broken(night),
        *(f"promise 6: unhandled {error}" for error in night.errors),
    ]


def unexplained(night: NightResult) -> list[Exceedance]:
    """Exceedances but for those that a lying charger, at an outlet below the node, caused before
    it could be found out."""
    liars = [
        (_above(night, identity), begin, end) for identity, begin, end in lying_spans(night.faults)
    ]
    found = [e for checked in night.truths.values() for e in checked.exceedances]
    return [
        exceedance
        for exceedance in found
        if not any(
            exceedance.node_id in nodes
            and begin <= exceedance.start_at <= end
            and exceedance.end_at - exceedance.start_at <= DISCOVERY
            for nodes, begin, end in liars
        )
    ]


def _above(night: NightResult, identity: str) -> frozenset[UUID]:
    """The nodes that carry what a station draws."""
    return frozenset(
        node.id
        for depot in night.depots
        for station in depot.stations
        if station.identity == identity
        for evse in station.evses
        for node in depot.tree.path_of_evse(evse.id)
    )


def _limit(night: NightResult) -> list[str]:
    return [
        f"promise 1: {e.node} at {e.power_w:.0f} W over {e.limit_w:.0f} W from {e.start_at}"
        f" for {e.duration_s:.1f} s"
        for e in unexplained(night)
    ]


def _sessions(night: NightResult) -> list[str]:
    """Exactly one session for each transaction that a charger began."""
    stored: dict[tuple[str, int], int] = {}
    for session in night.sessions:
        if session.state == "quarantined" or session.evse_number is None:
            continue
        key = (session.station, session.evse_number)
        stored[key] = stored.get(key, 0) + 1
    keys = sorted(stored.keys() | night.transactions.keys())
    return [
        f"promise 3: {key[0]}/{key[1]} began {night.transactions.get(key, 0)} transactions,"
        f" {stored.get(key, 0)} sessions are stored"
        for key in keys
        if stored.get(key, 0) != night.transactions.get(key, 0)
    ]


def _energy(night: NightResult) -> list[str]:
    """The stored energy is what flowed, where the meter told the truth."""
    stored: dict[tuple[str, int], float] = {}
    for session in night.sessions:
        if session.evse_number is not None:
            key = (session.station, session.evse_number)
            stored[key] = stored.get(key, 0.0) + session.energy_wh
    return [
        f"promise 2: {key[0]}/{key[1]} delivered {flowed_wh:.0f} Wh,"
        f" stored {stored.get(key, 0.0):.0f}"
        for key, flowed_wh in sorted(night.delivered_wh.items())
        if not _meter_lied(night, key[0])
        and not -_untold_wh(night, key[0]) - ENERGY_TOLERANCE_WH
        <= stored.get(key, 0.0) - flowed_wh
        <= ENERGY_TOLERANCE_WH
    ]


def _untold_wh(night: NightResult, station: str) -> float:
    """What a make that forgets its transaction in a power cut can never tell: what flowed since
    its last sample, a minute at full power for each cut. It was not acknowledged."""
    plan = night.faults.get(station)
    if plan is None or not plan.quirks.forgets_transaction:
        return 0.0
    cuts = sum(fault.kind is FaultKind.REBOOT for fault in plan.faults)
    most_w = max(s.max_power_w for d in night.depots for s in d.stations if s.identity == station)
    return cuts * most_w / 60.0


def _meter_lied(night: NightResult, station: str) -> bool:
    plan = night.faults.get(station)
    return plan is not None and any(fault.kind in METER_FAULTS for fault in plan.faults)


def late_without_warning(
    night: NightResult, ahead: timedelta = timedelta(hours=1)
) -> Sequence[str]:
    """Duties (external ids) that left short without being announced ``ahead`` of departure."""
    return [
        stay.stay.external_id
        for stay in night.duties
        if not stay.ready
        and not _announced_in_time(night, stay.stay.external_id, stay.stay.departure_at - ahead)
    ]


def _announced_in_time(night: NightResult, external_id: str, latest: datetime) -> bool:
    at = night.announced.get(external_id)
    return at is not None and at <= latest
