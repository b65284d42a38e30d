"""Use cases of sites: places, bays and the electrical tree, checked before it is kept."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, TypeVar
from uuid import UUID

from voltyard.approvals.gate import Action, Gate, OpenGate
from voltyard.approvals.model import Kind
from voltyard.bus import Bus
from voltyard.clock import Clock
from voltyard.errors import Conflict, Invalid, NotFound
from voltyard.ids import new_id
from voltyard.sessions.ports import SitePolicy
from voltyard.sites import guarding, store, tree
from voltyard.sites.commands import (
    AreaDraft,
    BayDraft,
    NodeDraft,
    SiteDraft,
    SiteRemoval,
    SiteUpdate,
    TreeChange,
    clean_name,
    site_from,
)
from voltyard.sites.events import LimitChanged, SiteChanged, TreeChanged
from voltyard.sites.model import Area, Bay, ElectricalTree, Node, NodeLimit, Site
from voltyard.storage.engine import Database, Tx
from voltyard.tenancy import audit
from voltyard.tenancy.access import require
from voltyard.tenancy.admission import admissions, reach
from voltyard.tenancy.integrity import refusals
from voltyard.tenancy.model import Permission, Principal
from voltyard.tenancy.scope import SYSTEM, at_places, of, transaction

LANE_MAX = 60
_CLASHES = {
    "sites_org_id_name_key": ("name", "A site of this name exists."),
    "areas_site_id_name_key": ("name", "The site has an area of this name."),
    "bays_site_id_name_key": ("name", "The site has a bay of this name."),
    "nodes_evse": ("evse_id", "This EVSE already has its place in a tree."),
    "nodes_pkey": ("id", "This id is in use."),
}


class SiteService:
    """Sites with their areas, bays and trees. Sites and trees are kept in memory once read."""

    def __init__(self, database: Database, bus: Bus, clock: Clock) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._note = audit.Notes(clock)
        self._sites: dict[UUID, Site] = {}
        self._trees: dict[UUID, ElectricalTree] = {}
        self._areas: dict[UUID, dict[UUID, UUID | None]] = {}
        self._gate: Gate = OpenGate()

    def gated_by(self, gate: Gate) -> None:
        """Raises of limits wait for a second person where that is switched on; cuts never do."""
        self._gate = gate
        gate.carries_out(Action("sites.tree", TreeChange, self._carry_out_tree))
        gate.carries_out(Action("sites.update", SiteUpdate, self._carry_out_update))
        gate.carries_out(Action("sites.remove", SiteRemoval, self._carry_out_removal))

    # For other rooms: no principal, from memory when possible

    async def get(self, site_id: UUID) -> Site:
        """The site, whoever's it is: for voltyard's own rooms. NotFound."""
        known = self._sites.get(site_id)
        if known is not None:
            return known
        async with transaction(self._database, SYSTEM) as tx:
            site = _found(await store.site(tx, site_id), "site")
        self._sites[site_id] = site
        return site

    async def all(self) -> list[Site]:
        """Every site of every organisation, for the composition root."""
        async with transaction(self._database, SYSTEM) as tx:
            found = await store.sites(tx)
        self._sites.update({site.id: site for site in found})
        return found

    async def tree(self, site_id: UUID) -> ElectricalTree:
        """The checked tree. NotFound (code ``no_tree``) while the site has no nodes."""
        known = self._trees.get(site_id)
        if known is not None:
            return known
        site = await self.get(site_id)
        async with transaction(self._database, SYSTEM) as tx:
            nodes = await store.nodes(tx, site_id)
        if not nodes:
            raise NotFound("This site has no electrical tree yet.", code="no_tree")
        built = tree.build(nodes, site.zone)
        self._trees[site_id] = built
        return built

    async def policy(self, site_id: UUID) -> SitePolicy:
        """How the site treats tokens that nobody knows."""
        return SitePolicy((await self.get(site_id)).unknown_token)

    async def area_of(self, site_id: UUID, bay_id: UUID) -> UUID | None:
        """The area a bay lies in, from memory once the site's bays were read."""
        known = self._areas.get(site_id)
        if known is None:
            async with transaction(self._database, SYSTEM) as tx:
                bays = await store.parts(tx, Bay, site_id)
            known = self._areas[site_id] = {bay.id: bay.area_id for bay in bays}
        return known.get(bay_id)

    # Sites

    async def sites(self, principal: Principal) -> list[Site]:
        require(principal, Permission.VIEW)
        async with transaction(self._database, of(principal.org_id)) as tx:
            return await store.sites(tx)

    async def site(self, principal: Principal, site_id: UUID) -> Site:
        """NotFound also for a site of somebody else."""
        require(principal, Permission.VIEW)
        async with transaction(self._database, of(principal.org_id)) as tx:
            return _found(await store.site(tx, site_id), "site")

    # Where one may charge, which for a fleet operator are sites of its depot operator

    async def charging_sites(self, principal: Principal) -> list[Site]:
        """One's own and those one is admitted to."""
        require(principal, Permission.VIEW)
        async with transaction(self._database, at_places(principal.org_id)) as tx:
            return await store.sites(tx)

    async def charging_site(self, principal: Principal, site_id: UUID) -> Site:
        """NotFound also where one is not admitted."""
        require(principal, Permission.VIEW)
        async with transaction(self._database, at_places(principal.org_id)) as tx:
            return _found(await store.site(tx, site_id), "site")

    async def charging_areas(self, principal: Principal, site_id: UUID) -> list[Area]:
        await self.charging_site(principal, site_id)
        async with transaction(self._database, at_places(principal.org_id)) as tx:
            return await store.parts(tx, Area, site_id)

    async def charging_bays(self, principal: Principal, site_id: UUID) -> list[Bay]:
        await self.charging_site(principal, site_id)
        async with transaction(self._database, at_places(principal.org_id)) as tx:
            return await store.parts(tx, Bay, site_id)

    async def bays_reached(self, principal: Principal, site: Site) -> Callable[[UUID | None], bool]:
        """Which bays of a charging site (None: outlets in none) are for one's vehicles; of one's
        own site all are."""
        if site.org_id == principal.org_id:
            return lambda bay_id: True
        async with transaction(self._database, of(site.org_id)) as tx:
            found = reach(await admissions(tx, site.org_id), principal.org_id, site.id)
            areas = {bay.id: bay.area_id for bay in await store.parts(tx, Bay, site.id)}
        return lambda bay_id: found.covers(None if bay_id is None else areas.get(bay_id))

    async def create_site(
        self, principal: Principal, draft: SiteDraft, *, remote: str = ""
    ) -> Site:
        require(principal, Permission.SITES_WRITE)
        site = site_from(draft, new_id(), principal.org_id)
        with refusals(_CLASHES):
            async with transaction(self._database, of(principal.org_id)) as tx:
                await store.insert_site(tx, site)
                await self._note(tx, principal, "site.create", site.id, {"name": site.name}, remote)
        await self._publish_site(site)
        return site

    async def update_site(
        self, principal: Principal, site_id: UUID, draft: SiteDraft, *, remote: str = ""
    ) -> Site:
        """A time zone on whose clock limits hold may wait for a second person."""
        require(principal, Permission.SITES_WRITE)
        async with self._gate.guarding(principal):
            with refusals(_CLASHES):
                after = await self._update_site(principal, site_id, draft, remote)
        await self._publish_site(after)
        return after

    async def _update_site(
        self, principal: Principal, site_id: UUID, draft: SiteDraft, remote: str
    ) -> Site:
        async with transaction(self._database, of(principal.org_id)) as tx:
            before = _found(await store.site(tx, site_id, lock=True), "site")
            after = site_from(draft, site_id, principal.org_id)
            nodes = await store.nodes(tx, site_id)
            self._gate.check(
                principal,
                Kind.LIMITS,
                lambda: guarding.site_update(before, SiteUpdate(site_id, draft), nodes),
                needed=before.timezone != after.timezone and guarding.by_the_clock(nodes),
            )
            await store.update_site(tx, after)
            changed = audit.changes(before, after)
            await self._note(tx, principal, "site.update", site_id, changed, remote)
        return after

    async def _carry_out_update(self, who: Principal, data: SiteUpdate) -> Mapping[str, Any]:
        await self.update_site(who, data.site_id, data.draft)
        return {}

    async def delete_site(self, principal: Principal, site_id: UUID, *, remote: str = "") -> None:
        """With its areas, bays, tree and duties; stations and sessions stay, without a site.

        One with a tree may wait for a second person: its limits go with it.
        """
        require(principal, Permission.SITES_WRITE)
        async with (
            self._gate.guarding(principal),
            transaction(self._database, of(principal.org_id)) as tx,
        ):
            site = _found(await store.site(tx, site_id, lock=True), "site")
            nodes = await store.nodes(tx, site_id)
            self._gate.check(
                principal,
                Kind.LIMITS,
                lambda: guarding.site_removal(site, nodes),
                needed=bool(nodes),
            )
            await store.delete_site(tx, site_id)
            await self._note(tx, principal, "site.delete", site_id, {"name": site.name}, remote)
        await self._publish_site(site, deleted=True)

    async def _carry_out_removal(self, who: Principal, data: SiteRemoval) -> Mapping[str, Any]:
        await self.delete_site(who, data.site_id)
        return {}

    # Areas and bays

    async def areas(self, principal: Principal, site_id: UUID) -> list[Area]:
        await self.site(principal, site_id)
        async with transaction(self._database, of(principal.org_id)) as tx:
            return await store.parts(tx, Area, site_id)

    async def bays(self, principal: Principal, site_id: UUID) -> list[Bay]:
        await self.site(principal, site_id)
        async with transaction(self._database, of(principal.org_id)) as tx:
            return await store.parts(tx, Bay, site_id)

    async def save_area(
        self,
        principal: Principal,
        site_id: UUID,
        draft: AreaDraft,
        area_id: UUID | None = None,
        *,
        remote: str = "",
    ) -> Area:
        """Create it, or change the one of ``area_id``."""
        async with self._changing(principal, site_id) as tx:
            if area_id is not None:
                _found(await store.part(tx, Area, site_id, area_id), "area")
            area = Area(area_id or new_id(), site_id, clean_name(draft.name), draft.position)
            await store.put_part(tx, principal.org_id, area)
            action = "area.update" if area_id else "area.create"
            await self._note(tx, principal, action, area.id, {"name": area.name}, remote)
        return area

    async def save_bay(
        self,
        principal: Principal,
        site_id: UUID,
        draft: BayDraft,
        bay_id: UUID | None = None,
        *,
        remote: str = "",
    ) -> Bay:
        """Create it, or change the one of ``bay_id``."""
        name, area_id = clean_name(draft.name), draft.area_id
        async with self._changing(principal, site_id) as tx:
            if bay_id is not None:
                _found(await store.part(tx, Bay, site_id, bay_id), "bay")
            if area_id is not None and await store.part(tx, Area, site_id, area_id) is None:
                raise Invalid("There is no such area.", fields={"area_id": "no area of this site"})
            lane = draft.lane.strip()[:LANE_MAX]
            bay = Bay(bay_id or new_id(), site_id, area_id, name, draft.position, lane)
            await store.put_part(tx, principal.org_id, bay)
            action = "bay.update" if bay_id else "bay.create"
            await self._note(tx, principal, action, bay.id, {"name": bay.name}, remote)
        return bay

    async def delete_area(
        self, principal: Principal, site_id: UUID, area_id: UUID, *, remote: str = ""
    ) -> None:
        """Its bays stay, without an area."""
        async with self._changing(principal, site_id) as tx:
            area = _found(await store.part(tx, Area, site_id, area_id), "area")
            await store.delete_part(tx, area)
            await self._note(tx, principal, "area.delete", area_id, {"name": area.name}, remote)

    async def delete_bay(
        self, principal: Principal, site_id: UUID, bay_id: UUID, *, remote: str = ""
    ) -> None:
        async with self._changing(principal, site_id) as tx:
            bay = _found(await store.part(tx, Bay, site_id, bay_id), "bay")
            await store.delete_part(tx, bay)
            await self._note(tx, principal, "bay.delete", bay_id, {"name": bay.name}, remote)

    @asynccontextmanager
    async def _changing(self, principal: Principal, site_id: UUID) -> AsyncIterator[Tx]:
        """A transaction on a site that is there; once it is committed the change is told."""
        require(principal, Permission.SITES_WRITE)
        with refusals(_CLASHES):
            async with transaction(self._database, of(principal.org_id)) as tx:
                site = _found(await store.site(tx, site_id), "site")
                yield tx
        await self._publish_site(site)

    # The electrical tree

    async def nodes(self, principal: Principal, site_id: UUID) -> list[Node]:
        """Parents before children; empty while there is no tree."""
        await self.site(principal, site_id)
        async with transaction(self._database, of(principal.org_id)) as tx:
            return await store.nodes(tx, site_id)

    async def replace_tree(
        self, principal: Principal, site_id: UUID, nodes: Sequence[Node], *, remote: str = ""
    ) -> ElectricalTree:
        """The whole tree at once. Invalid (code ``tree_invalid``) names every fault by path."""
        return await self._change_tree(
            principal, site_id, lambda _: list(nodes), "tree.replace", remote
        )

    async def add_node(
        self, principal: Principal, site_id: UUID, draft: NodeDraft, *, remote: str = ""
    ) -> Node:
        node = Node(new_id(), draft.kind, draft.name, draft.parent_id, draft.limits, draft.evse_id)
        await self._change_tree(
            principal, site_id, lambda known: [*known, node], "node.create", remote
        )
        return node

    async def update_node(
        self,
        principal: Principal,
        site_id: UUID,
        node_id: UUID,
        draft: NodeDraft,
        *,
        remote: str = "",
    ) -> Node:
        node = Node(node_id, draft.kind, draft.name, draft.parent_id, draft.limits, draft.evse_id)

        def change(known: list[Node]) -> list[Node]:
            _found(next((n for n in known if n.id == node_id), None), "node")
            return [node if n.id == node_id else n for n in known]

        await self._change_tree(principal, site_id, change, "node.update", remote)
        return node

    async def delete_node(
        self, principal: Principal, site_id: UUID, node_id: UUID, *, remote: str = ""
    ) -> None:
        """Conflict while nodes hang below it."""

        def change(known: list[Node]) -> list[Node]:
            _found(next((n for n in known if n.id == node_id), None), "node")
            if any(n.parent_id == node_id for n in known):
                raise Conflict("Nodes hang below this one.", code="node_in_use")
            return [n for n in known if n.id != node_id]

        await self._change_tree(principal, site_id, change, "node.delete", remote)

    async def set_limits(
        self,
        principal: Principal,
        site_id: UUID,
        node_id: UUID,
        limits: Sequence[NodeLimit],
        *,
        remote: str = "",
    ) -> Node:
        """Other limits for one node; the tree as a whole is checked again."""
        before = (await self.nodes(principal, site_id)) or []
        old = _found(next((n for n in before if n.id == node_id), None), "node")
        new = replace(old, limits=tuple(limits))

        def change(known: list[Node]) -> list[Node]:
            return [replace(n, limits=new.limits) if n.id == node_id else n for n in known]

        await self._change_tree(principal, site_id, change, "node.limits", remote)
        return new

    async def _change_tree(
        self,
        principal: Principal,
        site_id: UUID,
        change: Callable[[list[Node]], list[Node]],
        action: str,
        remote: str,
    ) -> ElectricalTree:
        require(principal, Permission.SITES_WRITE)
        async with self._gate.guarding(principal):
            with refusals(_CLASHES):
                async with transaction(self._database, of(principal.org_id)) as tx:
                    site = _found(await store.site(tx, site_id, lock=True), "site")
                    before = await store.nodes(tx, site_id)
                    after = guarding.renamed(change(list(before)), clean_name)
                    built = tree.build(after, site.zone) if after else None
                    if built is not None:
                        await self._check_evses(tx, site_id, after)
                    self._gate.check(
                        principal,
                        Kind.LIMITS,
                        lambda: guarding.tree_change(site, before, after, action),
                        needed=guarding.raises(before, after),
                    )
                    if built is not None:
                        await store.replace_nodes(tx, site.org_id, site_id, before, built.nodes)
                    else:
                        await store.clear_nodes(tx, site_id)
                    detail = _tree_changes(before, after)
                    await self._note(tx, principal, action, site_id, detail, remote)
        self._trees.pop(site_id, None)
        await self._publish_tree(site, before, after)
        return built or ElectricalTree((), site.zone)

    async def _carry_out_tree(self, who: Principal, data: TreeChange) -> Mapping[str, Any]:
        await self._change_tree(who, data.site_id, guarding.changing(data), data.action, "")
        return {}

    async def _check_evses(self, tx: Tx, site_id: UUID, nodes: Sequence[Node]) -> None:
        wanted = [node.evse_id for node in nodes if node.evse_id is not None]
        known = await store.known_evses(tx, site_id, wanted)
        wrong = {
            f"nodes[{index}].evse_id": "no EVSE of this site"
            for index, node in enumerate(nodes)
            if node.evse_id is not None and node.evse_id not in known
        }
        if wrong:
            raise Invalid("the electrical tree is not valid", code="tree_invalid", fields=wrong)

    async def _publish_tree(
        self, site: Site, before: Sequence[Node], after: Sequence[Node]
    ) -> None:
        now, old = self._clock.now(), {node.id: node for node in before}
        same = {n.id: replace(n, limits=()) for n in before} == {
            n.id: replace(n, limits=()) for n in after
        }
        for node in after:
            if node.id in old and old[node.id].limits != node.limits:
                await self._bus.publish(LimitChanged(site.org_id, site.id, node.id, now))
        if not same:
            await self._bus.publish(TreeChanged(site.org_id, site.id, now))

    async def _publish_site(self, site: Site, *, deleted: bool = False) -> None:
        """Forget what was kept, then tell; the next reader asks the database."""
        self._sites.pop(site.id, None)
        self._trees.pop(site.id, None)
        self._areas.pop(site.id, None)
        await self._bus.publish(SiteChanged(site.org_id, site.id, self._clock.now(), deleted))


def _tree_changes(before: Sequence[Node], after: Sequence[Node]) -> dict[str, object]:
    """Per node that differs: old and new, for the audit."""
    old, new = {n.id: n for n in before}, {n.id: n for n in after}
    changed: dict[str, object] = {}
    for node_id in {**old, **new}:
        if old.get(node_id) != new.get(node_id):
            changed[str(node_id)] = [_node_text(old.get(node_id)), _node_text(new.get(node_id))]
    return changed


def _node_text(node: Node | None) -> object:
    if node is None:
        return None
    return {
        "kind": node.kind.value,
        "name": node.name,
        "parent_id": node.parent_id,
        "evse_id": node.evse_id,
        "limits": [store.plain_limit(limit) for limit in node.limits],
    }


T = TypeVar("T")


def _found(value: T | None, what: str) -> T:
    if value is None:
        raise NotFound(f"There is no such {what}.")
    return value
