"""Policies of sites: read by controllers, set by people, noted in the audit."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

from voltyard.bus import Bus
from voltyard.clock import Clock
from voltyard.energy.policies import store
from voltyard.energy.policies.registry import SitePolicies, payload, policies_of
from voltyard.errors import Forbidden, Invalid
from voltyard.sites.events import SiteChanged
from voltyard.sites.model import Node
from voltyard.storage.engine import Database
from voltyard.tenancy import audit, scope
from voltyard.tenancy.model import Permission, Principal

log = logging.getLogger(__name__)


class Sites(Protocol):
    async def nodes(self, principal: Principal, site_id: UUID) -> Sequence[Node]: ...


class PolicyService:
    def __init__(self, database: Database, bus: Bus, clock: Clock, sites: Sites) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._sites = sites

    async def of_site(self, site_id: UUID) -> SitePolicies:
        """For its controller. Defaults where none were set, or where another version's cannot be
        read: a site without its policies is better than one without its control."""
        async with scope.transaction(self._database, scope.SYSTEM) as tx:
            content = await store.find(tx, site_id)
        try:
            return policies_of(content)
        except Invalid as error:
            log.error("policies of site %s cannot be read: %s", site_id, error.fields)
            return SitePolicies()

    async def policies(self, who: Principal, site_id: UUID) -> SitePolicies:
        """Raises NotFound."""
        await self._sites.nodes(who, site_id)
        async with scope.transaction(self._database, scope.of(who.org_id)) as tx:
            return policies_of(await store.find(tx, site_id))

    async def replace(
        self, who: Principal, site_id: UUID, wanted: Mapping[str, Any], *, remote: str = ""
    ) -> SitePolicies:
        """All at once, obeyed from the next look on. Raises Forbidden, NotFound, Invalid."""
        if not who.may(Permission.SITES_WRITE):
            raise Forbidden("You may not change sites.")
        nodes = await self._sites.nodes(who, site_id)
        made = policies_of(wanted, [node.id for node in nodes])
        content, now = payload(made), self._clock.now()
        async with scope.transaction(self._database, scope.of(who.org_id)) as tx:
            before = payload(policies_of(await store.find(tx, site_id)))
            await store.put(tx, who.org_id, site_id, content, now)
            changed = {key: [before[key], content[key]] for key in content}
            detail = {key: pair for key, pair in changed.items() if pair[0] != pair[1]}
            await audit.write(
                tx, who, "site.policies", "site", site_id, detail, at=now, remote=remote
            )
        await self._bus.publish(SiteChanged(who.org_id, site_id, now))
        return made
