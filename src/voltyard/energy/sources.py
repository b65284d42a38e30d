"""The other rooms' services as the views a controller asks for."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from voltyard.chargers.model import Evse, Station
from voltyard.energy.policies.registry import SitePolicies
from voltyard.energy.ports import LiveSession, SiteSetup
from voltyard.sessions.live import EvseLive
from voltyard.sites.model import ElectricalTree, Site


class _Sites(Protocol):
    async def get(self, site_id: UUID) -> Site: ...

    async def tree(self, site_id: UUID) -> ElectricalTree: ...


class _Chargers(Protocol):
    def station(self, station_id: UUID) -> Station | None: ...

    def evses(self) -> Sequence[Evse]: ...


class _Live(Protocol):
    def running(self, site_id: UUID) -> Sequence[EvseLive]: ...


class _Policies(Protocol):
    async def of_site(self, site_id: UUID) -> SitePolicies: ...


class SiteSetups:
    """A site with the approved chargers that stand there."""

    def __init__(
        self, sites: _Sites, chargers: _Chargers, policies: _Policies | None = None
    ) -> None:
        self._sites = sites
        self._chargers = chargers
        self._policies = policies

    async def setup(self, site_id: UUID) -> SiteSetup:
        site, tree = await self._sites.get(site_id), await self._sites.tree(site_id)
        evses = [evse for evse in self._chargers.evses() if evse.site_id == site_id]
        found = {evse.station_id: self._chargers.station(evse.station_id) for evse in evses}
        stations = {key: station for key, station in found.items() if station is not None}
        policies = SitePolicies()
        if self._policies is not None:
            policies = await self._policies.of_site(site_id)
        return SiteSetup(
            site=site,
            tree=policies.limited(tree),
            stations=tuple(stations[key] for key in sorted(stations)),
            evses=tuple(
                sorted(
                    (evse for evse in evses if evse.station_id in stations),
                    key=lambda evse: evse.id,
                )
            ),
            policies=policies,
        )


class LiveSessions:
    """Running sessions from the live board."""

    def __init__(self, board: _Live) -> None:
        self._board = board

    def running(self, site_id: UUID) -> Sequence[LiveSession]:
        found = [_session(live) for live in self._board.running(site_id)]
        return sorted(found, key=lambda session: session.session_id)


def _session(live: EvseLive) -> LiveSession:
    session = live.session
    assert session is not None, "only running sessions are asked for"
    return LiveSession(
        session_id=session.id,
        station_id=live.station_id,
        evse_id=live.evse_id,
        transaction_ref=session.transaction_ref,
        started_at=session.started_at,
        vehicle_id=session.vehicle_id,
        duty_id=session.duty_id,
        energy_wh=session.net_wh,
        soc_start_pct=session.soc_start_pct,
        soc_pct=session.soc_last_pct,
        power_w=live.power_w,
        reading_at=live.reading_at,
        charging_state=session.charging_state,
        needs=session.needs,
    )
