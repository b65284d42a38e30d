"""Makes, templates and drift: what people decide, kept in memory for those who ask at each boot."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from voltyard.approvals.gate import Action, Gate, OpenGate
from voltyard.approvals.model import Change, Kind
from voltyard.bus import Bus
from voltyard.chargers.model import Quirks
from voltyard.chargers.secrets import is_secret
from voltyard.chargers.service import ChargerService
from voltyard.chargers.speech import VERSIONS
from voltyard.clock import Clock
from voltyard.configuration import store
from voltyard.configuration.approving import (
    known_make,
    make_change,
    repair_change,
    template_change,
)
from voltyard.configuration.commands import (
    DeleteMake,
    DeleteTemplate,
    Repair,
    SaveMake,
    SaveTemplate,
)
from voltyard.configuration.keeper import Keeper
from voltyard.configuration.makes import SHIPPED, best
from voltyard.configuration.model import (
    KEYS_MAX,
    Drift,
    DriftState,
    Make,
    Pattern,
    Template,
    Wanted,
)
from voltyard.errors import Conflict, Invalid, NotFound
from voltyard.ids import new_id
from voltyard.storage.engine import Database
from voltyard.tenancy import audit, scope
from voltyard.tenancy.access import require
from voltyard.tenancy.model import Permission, Principal


class ConfigurationService:
    """Implements ``chargers.core.Makes``. Changes need ``chargers:write`` and are audited."""

    def __init__(
        self, database: Database, bus: Bus, clock: Clock, chargers: ChargerService
    ) -> None:
        self._database = database
        self._clock = clock
        self._chargers = chargers
        self.keeper = Keeper(database, bus, clock, chargers)
        self._makes: dict[UUID, list[Make]] = {}
        self._approvals: Gate = OpenGate()

    def gated_by(self, gate: Gate) -> None:
        """What people decide may wait for a second person; repairs by voltyard itself never do."""
        self._approvals = gate
        gate.carries_out(Action("configuration.make", SaveMake, self._carry_out))
        gate.carries_out(Action("configuration.make_delete", DeleteMake, self._carry_out))
        gate.carries_out(Action("configuration.template", SaveTemplate, self._carry_out))
        gate.carries_out(Action("configuration.template_delete", DeleteTemplate, self._carry_out))
        gate.carries_out(Action("configuration.repair", Repair, self._carry_out, provable=False))

    async def _carry_out(
        self, who: Principal, asked: SaveMake | DeleteMake | SaveTemplate | DeleteTemplate | Repair
    ) -> Mapping[str, Any]:
        match asked:
            case SaveMake():
                await self.save_make(who, asked.make_id, asked.pattern, asked.quirks, asked.note)
            case DeleteMake():
                await self.delete_make(who, asked.make_id)
            case SaveTemplate():
                await self.save_template(who, asked.template_id, asked.draft)
            case DeleteTemplate():
                await self.delete_template(who, asked.template_id)
            case Repair():
                left = await self.look(who, asked.station_id)
                return {row.key: row.state.value for row in left}
        return {}

    async def _permit(self, who: Principal, make: Callable[[], Change]) -> None:
        async with self._approvals.guarding(who):
            self._approvals.check(who, Kind.CONFIGURATION, make)

    def listen(self) -> None:
        self.keeper.listen()

    async def load(self) -> None:
        """At start, after the stations were loaded: makes decide how they are limited."""
        async with scope.transaction(self._database, scope.SYSTEM) as tx:
            makes, templates = await store.makes(tx), await store.templates(tx)
        by_org: defaultdict[UUID, list[Make]] = defaultdict(list)
        for make in makes:
            assert make.org_id is not None
            by_org[make.org_id].append(make)
        self._makes = dict(by_org)
        kept: defaultdict[UUID, list[Template]] = defaultdict(list)
        for template in templates:
            kept[template.org_id].append(template)
        self.keeper.templates = dict(kept)
        await self._chargers.makes_changed(self)

    # makes

    def quirks_of(self, org_id: UUID, vendor: str, model: str) -> Quirks | None:
        found = self.make_of(org_id, vendor, model)
        return None if found is None else found.quirks

    def make_of(self, org_id: UUID, vendor: str, model: str) -> Make | None:
        """The organisation's own before what is shipped."""
        own = best(self._makes.get(org_id, ()), vendor, model)
        return own or best(SHIPPED, vendor, model)

    def makes(self, org_id: UUID) -> list[Make]:
        """The organisation's own, then what is shipped."""
        return [*self._makes.get(org_id, ()), *SHIPPED]

    async def save_make(
        self,
        who: Principal,
        make_id: UUID | None,
        pattern: Pattern,
        quirks: Quirks,
        note: str = "",
    ) -> Make:
        """Chargers of that make are limited so from their next limit on."""
        require(who, Permission.CHARGERS_WRITE)
        _check_pattern(pattern)
        if make_id is not None:
            self._own_make(who.org_id, make_id)
        for other in self._makes.get(who.org_id, ()):
            if other.id != make_id and _alike(other.pattern, pattern):
                raise Conflict("This vendor and model is described already.")
        before = known_make(self._makes.get(who.org_id, ()), make_id)
        asked = SaveMake(make_id, pattern, quirks, note)
        await self._permit(who, lambda: make_change(before, asked))
        now = self._clock.now()
        make = Make(pattern, quirks, note, make_id or new_id(), who.org_id, now, who.name)
        async with scope.transaction(self._database, scope.of(who.org_id)) as tx:
            await store.save_make(tx, make)
            detail = {"vendor": pattern.vendor, "model": pattern.model}
            await audit.write(tx, who, "make.save", "make", make.id, detail, at=now)
        await self.load()
        return make

    async def delete_make(self, who: Principal, make_id: UUID) -> None:
        require(who, Permission.CHARGERS_WRITE)
        make = self._own_make(who.org_id, make_id)
        await self._permit(who, lambda: make_change(make, DeleteMake(make_id)))
        async with scope.transaction(self._database, scope.of(who.org_id)) as tx:
            await store.delete_make(tx, make_id)
            detail = {"vendor": make.pattern.vendor, "model": make.pattern.model}
            now = self._clock.now()
            await audit.write(tx, who, "make.delete", "make", make_id, detail, at=now)
        await self.load()

    def _own_make(self, org_id: UUID, make_id: UUID) -> Make:
        for make in self._makes.get(org_id, ()):
            if make.id == make_id:
                return make
        raise NotFound("There is no such make.")

    # templates

    def templates(self, org_id: UUID) -> Sequence[Template]:
        return self.keeper.templates.get(org_id, ())

    def template(self, org_id: UUID, template_id: UUID) -> Template:
        for template in self.templates(org_id):
            if template.id == template_id:
                return template
        raise NotFound("There is no such template.")

    async def save_template(
        self,
        who: Principal,
        template_id: UUID | None,
        draft: Template,
    ) -> Template:
        """``draft``'s id, owner and change are set here. Connected chargers are looked at soon."""
        require(who, Permission.CHARGERS_WRITE)
        before = None if template_id is None else self.template(who.org_id, template_id)
        _check_template(draft)
        same_name = [t for t in self.templates(who.org_id) if t.name == draft.name]
        if any(other.id != template_id for other in same_name):
            raise Conflict("A template has this name.", fields={"name": "taken"})
        asked = SaveTemplate(template_id, draft)
        await self._permit(who, lambda: template_change(before, asked))
        now = self._clock.now()
        template = replace(
            draft,
            id=template_id or new_id(),
            org_id=who.org_id,
            changed_at=now,
            changed_by=who.name,
        )
        async with scope.transaction(self._database, scope.of(who.org_id)) as tx:
            await store.save_template(tx, template)
            detail = {"name": template.name, "keys": [wanted.key for wanted in template.wanted]}
            await audit.write(tx, who, "template.save", "template", template.id, detail, at=now)
        await self.load()
        self._look_at(template)
        return template

    async def delete_template(self, who: Principal, template_id: UUID) -> None:
        """What it had set stays set."""
        require(who, Permission.CHARGERS_WRITE)
        template = self.template(who.org_id, template_id)
        await self._permit(who, lambda: template_change(template, DeleteTemplate(template_id)))
        async with scope.transaction(self._database, scope.of(who.org_id)) as tx:
            await store.delete_template(tx, template_id)
            now = self._clock.now()
            detail = {"name": template.name}
            await audit.write(tx, who, "template.delete", "template", template_id, detail, at=now)
        await self.load()
        self._look_at(template)

    def _look_at(self, template: Template) -> None:
        for view in self._chargers.list_stations(template.org_id):
            station = view.station
            if station.connected and template.pattern.fits(
                station.vendor or "", station.model or ""
            ):
                self.keeper.ask_for(station.id)

    # drift

    async def drift(
        self, org_id: UUID, *, open_only: bool = True, limit: int = 100, offset: int = 0
    ) -> list[Drift]:
        """Of every charger, what changed last first."""
        async with scope.transaction(self._database, scope.of(org_id)) as tx:
            return await store.drift(tx, open_only=open_only, limit=limit, offset=offset)

    async def drift_of(self, org_id: UUID, station_id: UUID) -> list[Drift]:
        self._chargers.station_view(org_id, station_id)
        async with scope.transaction(self._database, scope.of(org_id)) as tx:
            return await store.drift_of(tx, station_id)

    async def look(self, who: Principal, station_id: UUID) -> list[Drift]:
        """Compare and repair now, also what was refused before."""
        require(who, Permission.CHARGERS_WRITE)
        station = self._chargers.station_view(who.org_id, station_id).station
        drift = await self.drift_of(who.org_id, station_id)
        goals = self.keeper.goals(station, self._chargers.version(station_id))
        await self._permit(
            who,
            lambda: repair_change(
                station,
                [(key, goal.wanted.value) for key, goal in goals.items()],
                [row for row in drift if row.state is not DriftState.REPAIRED],
            ),
        )
        async with scope.transaction(self._database, scope.of(who.org_id)) as tx:
            now = self._clock.now()
            await audit.write(tx, who, "configuration.look", "station", station_id, {}, at=now)
        return await self.keeper.look(station_id, afresh=True)

    def governed(self, station_id: UUID) -> frozenset[str]:
        """Keys that some template decides for a charger: nobody else sets them."""
        station = self._chargers.station(station_id)
        if station is None:
            return frozenset()
        return frozenset(self.keeper.goals(station, self._chargers.version(station_id)))


def _check_pattern(pattern: Pattern) -> None:
    wrong = {
        name: "1 to 100 characters"
        for name, text in (("vendor", pattern.vendor), ("model", pattern.model))
        if not 1 <= len(text.strip()) <= 100
    }
    if wrong:
        raise Invalid("Name a vendor and a model, or * for any.", fields=wrong)


def _check_template(draft: Template) -> None:
    _check_pattern(draft.pattern)
    wrong: dict[str, str] = {}
    if not 1 <= len(draft.name.strip()) <= 100:
        wrong["name"] = "1 to 100 characters"
    if draft.version and draft.version not in VERSIONS:
        wrong["version"] = "1.6, 2.0.1, 2.1 or nothing"
    if not 1 <= len(draft.wanted) <= KEYS_MAX:
        wrong["wanted"] = f"1 to {KEYS_MAX} keys"
    keys = [wanted.key.casefold() for wanted in draft.wanted]
    for index, wanted in enumerate(draft.wanted):
        why = _key_fault(wanted, keys)
        if why:
            wrong[f"wanted[{index}]"] = why
    if wrong:
        raise Invalid("The template cannot be used so.", fields=wrong)


def _key_fault(wanted: Wanted, keys: list[str]) -> str:
    if not 1 <= len(wanted.key.strip()) <= 200 or len(wanted.value) > 2500:
        return "a key and a value are needed"
    if is_secret(wanted.key):
        return "a password is set at its charger, not by a template"
    return "named twice" if keys.count(wanted.key.casefold()) > 1 else ""


def _alike(one: Pattern, other: Pattern) -> bool:
    return (one.vendor.casefold(), one.model.casefold()) == (
        other.vendor.casefold(),
        other.model.casefold(),
    )
