"""Access rules kept, and asked from memory at each authorisation."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from voltyard.access import store
from voltyard.access.commands import RuleDraft, rule_from
from voltyard.access.model import (
    AccessRule,
    Outlet,
    Refused,
    Visitor,
    deciding,
    in_order,
    next_change,
)
from voltyard.bus import Bus
from voltyard.chargers.model import Evse, EvseStatus
from voltyard.clock import Clock
from voltyard.errors import Invalid, NotFound
from voltyard.ids import new_id
from voltyard.sessions.model import AuthorisationStatus
from voltyard.sessions.ports import Outlets, Ruling
from voltyard.sites.events import SiteChanged
from voltyard.sites.service import SiteService
from voltyard.storage.engine import Database
from voltyard.tenancy import audit
from voltyard.tenancy.access import require
from voltyard.tenancy.admission import admissions
from voltyard.tenancy.events import OperatorsChanged
from voltyard.tenancy.model import Permission, Principal
from voltyard.tenancy.scope import of, transaction

RULES_MAX = 500
"""Rules of one site."""
PASSING_FOR = timedelta(minutes=1)
"""How long an answer holds that rests on what is free."""


@dataclass(slots=True)
class _Book:
    """What one organisation has decided: rules by site in order, and areas kept for operators."""

    rules: dict[UUID, tuple[AccessRule, ...]] = field(default_factory=dict)
    bound: dict[UUID, frozenset[UUID]] = field(default_factory=dict)


class AccessService:
    """Implements ``voltyard.sessions.ports.AccessRules``."""

    def __init__(
        self, database: Database, bus: Bus, clock: Clock, sites: SiteService, outlets: Outlets
    ) -> None:
        self._database = database
        self._clock = clock
        self._sites = sites
        self._outlets = outlets
        self._note = audit.Notes(clock)
        self._books: dict[UUID, _Book] = {}
        self._changes = 0
        bus.subscribe(OperatorsChanged, self._on_changed, name="access.operators")
        bus.subscribe(SiteChanged, self._on_changed, name="access.site")

    async def ruling(
        self, org_id: UUID, site_id: UUID, evses: Sequence[Evse], visitor: Visitor, now: datetime
    ) -> Ruling:
        """At which of ``evses``, all of one site, the visitor may charge, and until when."""
        book = await self._book(org_id)
        rules = book.rules.get(site_id, ())
        if not rules and not book.bound:
            return Ruling(tuple(evse.number for evse in evses))
        site = await self._sites.get(site_id)
        local = now.astimezone(site.zone)
        until_at = next_change(rules, now, site.zone)
        allowed: list[int] = []
        refused: tuple[Refused, AccessRule | None] | None = None
        for evse in evses:
            area_id = await self._area(evse)
            outlet = Outlet(evse.id, evse.number, area_id)
            bound = None if area_id is None else book.bound.get(area_id)
            if bound is not None and visitor.org_id not in bound:
                refused = (Refused.BOUND, None)
                continue
            rule = deciding(rules, visitor, outlet, local)
            if rule is not None and not rule.allow:
                refused = (Refused.RULE, rule)
            elif rule is not None and await self._full(rule, evse):
                refused, until_at = (Refused.FULL, rule), now + PASSING_FOR
            else:
                allowed.append(evse.number)
                if rule is not None and rule.keep_free:
                    until_at = now + PASSING_FOR
        if allowed or refused is None:
            return Ruling(tuple(allowed), until_at=until_at)
        return _refusal(*refused, until_at)

    # For people

    async def rules(self, principal: Principal, site_id: UUID) -> list[AccessRule]:
        """In the order in which they are asked. NotFound for a site of somebody else."""
        await self._sites.site(principal, site_id)
        async with transaction(self._database, of(principal.org_id)) as tx:
            return list(in_order(await store.rules(tx, site_id)))

    async def rule(self, principal: Principal, rule_id: UUID) -> AccessRule:
        require(principal, Permission.VIEW)
        async with transaction(self._database, of(principal.org_id)) as tx:
            found = await store.rule(tx, rule_id)
        if found is None:
            raise NotFound("There is no such rule.")
        return found

    async def save(
        self,
        principal: Principal,
        site_id: UUID,
        draft: RuleDraft,
        rule_id: UUID | None = None,
        *,
        remote: str = "",
    ) -> AccessRule:
        """Create it, or change the one of ``rule_id``. Invalid, NotFound."""
        require(principal, Permission.SITES_WRITE)
        await self._sites.site(principal, site_id)
        rule = rule_from(draft, rule_id or new_id(), principal.org_id, site_id)
        async with transaction(self._database, of(principal.org_id)) as tx:
            before = None if rule_id is None else await store.rule(tx, rule_id)
            if rule_id is not None and (before is None or before.site_id != site_id):
                raise NotFound("There is no such rule.")
            if not await store.fits_site(tx, rule):
                place = "area_id" if rule.area_id else "evse_id"
                raise Invalid("There is no such place.", fields={place: "not of this site"})
            below = set(await admissions(tx, principal.org_id))
            if not set(rule.operator_ids) <= below:
                raise Invalid("There is no such operator.", fields={"operator_ids": "is unknown"})
            if before is None and len(await store.rules(tx, site_id)) >= RULES_MAX:
                raise Invalid(f"A site has at most {RULES_MAX} rules.")
            await store.put(tx, rule)
            action = "access_rule.create" if before is None else "access_rule.update"
            detail = {"name": rule.name} if before is None else audit.changes(before, rule)
            await self._note(tx, principal, action, rule.id, _plain(detail), remote)
        self._forget(principal.org_id)
        return rule

    async def delete(self, principal: Principal, rule_id: UUID, *, remote: str = "") -> None:
        require(principal, Permission.SITES_WRITE)
        rule = await self.rule(principal, rule_id)
        async with transaction(self._database, of(principal.org_id)) as tx:
            await store.delete(tx, rule_id)
            detail = {"name": rule.name}
            await self._note(tx, principal, "access_rule.delete", rule_id, detail, remote)
        self._forget(principal.org_id)

    # In memory

    async def _book(self, org_id: UUID) -> _Book:
        known = self._books.get(org_id)
        if known is not None:
            return known
        seen = self._changes
        async with transaction(self._database, of(org_id)) as tx:
            every = await store.rules(tx)
            below = await admissions(tx, org_id)
        by_site: dict[UUID, list[AccessRule]] = {}
        for rule in every:
            by_site.setdefault(rule.site_id, []).append(rule)
        bound: dict[UUID, set[UUID]] = {}
        for operator_id, admitted in below.items():
            for area_id in admitted.area_ids if admitted.active else ():
                bound.setdefault(area_id, set()).add(operator_id)
        book = _Book(
            {site_id: in_order(rules) for site_id, rules in by_site.items()},
            {area_id: frozenset(operators) for area_id, operators in bound.items()},
        )
        if seen == self._changes:
            self._books[org_id] = book
        return book

    async def _area(self, evse: Evse) -> UUID | None:
        if evse.site_id is None or evse.bay_id is None:
            return None
        return await self._sites.area_of(evse.site_id, evse.bay_id)

    async def _full(self, rule: AccessRule, wanted: Evse) -> bool:
        """Whether fewer outlets than the rule keeps would be free beside the wanted one."""
        if not rule.keep_free:
            return False
        free = 0
        for evse in self._outlets.evses():
            beside = evse.site_id == rule.site_id and evse.id != wanted.id and evse.operative
            if not beside or evse.status is not EvseStatus.AVAILABLE:
                continue
            if not self._outlets.is_connected(evse.station_id):
                continue
            if rule.area_id is None or await self._area(evse) == rule.area_id:
                free += 1
        return free < rule.keep_free

    def _forget(self, org_id: UUID) -> None:
        self._changes += 1
        self._books.pop(org_id, None)

    async def _on_changed(self, event: OperatorsChanged | SiteChanged) -> None:
        self._forget(event.org_id)


def _refusal(refused: Refused, rule: AccessRule | None, until_at: datetime | None) -> Ruling:
    status = AuthorisationStatus.NOT_HERE
    if refused is Refused.FULL or (rule is not None and rule.timed):
        status = AuthorisationStatus.NOT_NOW
    reason = refused.value if rule is None else f"{refused.value}: {rule.name}"
    return Ruling((), status, reason, until_at)


def _plain(detail: Mapping[str, object]) -> dict[str, object]:
    """Ids within lists as text, for the audit's JSON."""
    return {name: _text(value) for name, value in detail.items()}


def _text(value: object) -> object:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [_text(each) for each in value]
    return value
