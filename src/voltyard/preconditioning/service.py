"""Preconditioning before departures: rules, requests, what runs, and the vehicles that tell."""

from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from voltyard.bus import Bus
from voltyard.clock import Clock
from voltyard.energy.model import FirmLoad
from voltyard.errors import Conflict, Invalid, NotFound
from voltyard.fleets.events import VehiclesChanged
from voltyard.ids import new_id
from voltyard.preconditioning import store
from voltyard.preconditioning.commands import Request, RuleDraft
from voltyard.preconditioning.events import VehicleReported
from voltyard.preconditioning.keeper import Keeper, KeeperParts
from voltyard.preconditioning.model import (
    POWER_MAX_W,
    Channel,
    Reported,
    Rule,
    Run,
    RunState,
    Source,
    Usual,
    Wish,
    problems,
)
from voltyard.preconditioning.ports import Control
from voltyard.preconditioning.vdv261.codec import Told, mac
from voltyard.preconditioning.vdv261.desk import Vdv261Desk
from voltyard.sessions.events import SessionEnded, SessionStarted, SessionUpdated
from voltyard.sessions.model import Session
from voltyard.sites.events import SiteChanged, TreeChanged
from voltyard.tenancy import audit
from voltyard.tenancy.access import on_behalf, require
from voltyard.tenancy.model import Permission, Principal
from voltyard.tenancy.passwords import PasswordBook
from voltyard.tenancy.scope import of, transaction
from voltyard.timetable.events import DutiesChanged, DutyDeparted

_AtSite = (
    DutiesChanged
    | DutyDeparted
    | SessionStarted
    | SessionUpdated
    | SessionEnded
    | SiteChanged
    | TreeChanged
)
RULES_MAX = 1_000
WISHES_MAX = 20_000
_NOBODY = UUID(int=0)


class PreconditioningService:
    """``loads`` is what the control of a site asks. ``steered_by`` is called by the composition
    root: the rooms need each other's services."""

    def __init__(
        self, parts: KeeperParts, passwords: PasswordBook, usual: Usual | None = None
    ) -> None:
        self._parts = parts
        self._database = parts.database
        self._keeper = Keeper(parts, usual)
        self.vdv261 = Vdv261Desk(
            parts.database, parts.clock, passwords, self, vehicles=parts.vehicles
        )

    @property
    def clock(self) -> Clock:
        return self._parts.clock

    def steered_by(self, control: Control) -> None:
        self._keeper.control = control

    async def load(self) -> None:
        await self._keeper.load()
        await self.vdv261.load()

    def listen(self) -> None:
        bus: Bus = self._parts.bus
        bus.subscribe(DutiesChanged, self._on_site, name="preconditioning.duties")
        bus.subscribe(DutyDeparted, self._on_site, name="preconditioning.departed")
        bus.subscribe(SessionStarted, self._on_site, name="preconditioning.session_started")
        bus.subscribe(SessionUpdated, self._on_site, name="preconditioning.session_updated")
        bus.subscribe(SessionEnded, self._on_site, name="preconditioning.session_ended")
        bus.subscribe(SiteChanged, self._on_site, name="preconditioning.site")
        bus.subscribe(TreeChanged, self._on_site, name="preconditioning.tree")
        bus.subscribe(VehiclesChanged, self._on_vehicles, name="preconditioning.vehicles")

    async def _on_site(self, event: _AtSite) -> None:
        if event.site_id is not None:
            self._keeper.mark(event.site_id)

    async def _on_vehicles(self, event: VehiclesChanged) -> None:
        self._keeper.mark_org(event.org_id)

    async def tick(self) -> None:
        """Every few seconds; what must run is known to controllers from memory all the time."""
        await self._keeper.tick()

    async def drop_old(self) -> None:
        await self._keeper.drop_old()

    def loads(self, site_id: UUID) -> Sequence[FirmLoad]:
        return self._keeper.loads(site_id)

    # Rules

    async def rules(self, who: Principal) -> list[Rule]:
        """One's own, and those of one's operators, by name."""
        require(who, Permission.VIEW)
        async with transaction(self._database, of(who.org_id)) as tx:
            return await store.rules(tx)

    async def rule(self, who: Principal, rule_id: UUID) -> Rule:
        require(who, Permission.VIEW)
        async with transaction(self._database, of(who.org_id)) as tx:
            found = await store.rule(tx, rule_id)
        if found is None:
            raise NotFound("There is no such rule.")
        return found

    async def save_rule(
        self, who: Principal, draft: RuleDraft, rule_id: UUID | None = None, *, remote: str = ""
    ) -> Rule:
        """Create it, or change the one of ``rule_id``. Raises Invalid with fields, NotFound."""
        require(who, Permission.DUTIES_WRITE)
        before = None if rule_id is None else await self.rule(who, rule_id)
        if before is not None:
            who = on_behalf(who, before.org_id)
        elif sum(rule.org_id == who.org_id for rule in self._keeper.rules.values()) >= RULES_MAX:
            raise Conflict(f"There are {RULES_MAX} rules already.", code="too_many_rules")
        given = {field.name: getattr(draft, field.name) for field in fields(draft)}
        made = Rule(id=rule_id or new_id(), org_id=who.org_id, **given)
        made = replace(made, weekdays=tuple(sorted(set(made.weekdays))), name=made.name.strip())
        wrong = problems(made) | await self._unknown(who, made)
        if wrong:
            raise Invalid("The rule is not valid.", fields=wrong)
        now = self.clock.now()
        async with transaction(self._database, of(who.org_id)) as tx:
            await store.save_rule(tx, made, now)
            detail = {"name": made.name} if before is None else audit.changes(before, made)
            await audit.write(
                tx, who, "preconditioning.save_rule", "preconditioning_rule", made.id, detail,
                at=now, remote=remote,
            )  # fmt: skip
        self._keeper.rules[made.id] = made
        self._keeper.mark()
        return made

    async def delete_rule(self, who: Principal, rule_id: UUID, *, remote: str = "") -> None:
        require(who, Permission.DUTIES_WRITE)
        gone = await self.rule(who, rule_id)
        who = on_behalf(who, gone.org_id)
        now = self.clock.now()
        async with transaction(self._database, of(who.org_id)) as tx:
            await store.delete_rule(tx, rule_id)
            await audit.write(
                tx, who, "preconditioning.delete_rule", "preconditioning_rule", rule_id,
                {"name": gone.name}, at=now, remote=remote,
            )  # fmt: skip
        self._keeper.rules.pop(rule_id, None)
        self._keeper.mark()

    async def _unknown(self, who: Principal, rule: Rule) -> dict[str, str]:
        wrong: dict[str, str] = {}
        if rule.site_id is not None:
            sites = await self._parts.sites.all()
            owners = {who.org_id, who.parent_id}
            if not any(site.id == rule.site_id and site.org_id in owners for site in sites):
                wrong["site_id"] = "there is no such site"
        if rule.vehicle_id is not None:
            found = await self._parts.vehicles.vehicles(who.org_id, [rule.vehicle_id])
            if not found:
                wrong["vehicle_id"] = "there is no such vehicle"
        return wrong

    # Requests

    async def request(
        self,
        org_id: UUID,
        asked: Request,
        *,
        source: Source = Source.PRESYSTEM,
        asked_by: str = "",
    ) -> Wish:
        """Precondition before one departure; for other rooms, such as VDV 463.

        It takes the place of an earlier one of the same source, duty (or vehicle) and channel, or
        of the same ``key``. Raises Invalid with fields, NotFound for a duty or vehicle of nobody
        in the organisation, Conflict when too much is asked for already.
        """
        _check(asked)
        if asked.duty_id is not None:
            await self._parts.duties.duty(org_id, asked.duty_id)
        elif not await self._parts.vehicles.vehicles(org_id, [asked.vehicle_id or _NOBODY]):
            raise NotFound("There is no such vehicle.")
        if len(self._keeper.wishes) >= WISHES_MAX:
            raise Conflict("Too many requests are open.", code="too_many_requests")
        given = {field.name: getattr(asked, field.name) for field in fields(asked)}
        now = self.clock.now()
        made = Wish(
            id=new_id(), org_id=org_id, source=source, asked_by=asked_by, asked_at=now, **given
        )
        replaced = [wish.id for wish in self._of_org(org_id) if _replaces(made, wish)]
        async with transaction(self._database, of(org_id)) as tx:
            await store.delete_wishes(tx, replaced)
            await store.save_wish(tx, made)
        for wish_id in replaced:
            self._keeper.wishes.pop(wish_id, None)
        self._keeper.wishes[made.id] = made
        self._keeper.mark()
        return made

    async def withdraw(
        self,
        org_id: UUID,
        *,
        source: Source = Source.PRESYSTEM,
        duty_id: UUID | None = None,
        key: str | None = None,
    ) -> int:
        """Take back what a source asked for: of a duty, or of its own ``key``. How many went."""
        gone = [
            wish.id
            for wish in self._of_org(org_id)
            if wish.source is source
            and (wish.duty_id == duty_id if key is None else wish.key == key)
            and (key is not None or duty_id is not None)
        ]
        if gone:
            async with transaction(self._database, of(org_id)) as tx:
                await store.delete_wishes(tx, gone)
            for wish_id in gone:
                self._keeper.wishes.pop(wish_id, None)
            self._keeper.mark()
        return len(gone)

    async def ask(self, who: Principal, asked: Request, *, remote: str = "") -> Wish:
        """A person's own request: it goes before all others."""
        require(who, Permission.DUTIES_WRITE)
        made = await self.request(who.org_id, asked, source=Source.PERSON, asked_by=who.name)
        await self._note(who, "preconditioning.request", made, remote)
        return made

    async def take_back(self, who: Principal, duty_id: UUID, *, remote: str = "") -> int:
        """What people asked for before a departure: then rules count again."""
        require(who, Permission.DUTIES_WRITE)
        await self._parts.duties.duty(who.org_id, duty_id)
        gone = await self.withdraw(who.org_id, source=Source.PERSON, duty_id=duty_id)
        if gone:
            now = self.clock.now()
            async with transaction(self._database, of(who.org_id)) as tx:
                await audit.write(
                    tx, who, "preconditioning.withdraw", "duty", duty_id, at=now, remote=remote
                )
        return gone

    async def _note(self, who: Principal, action: str, wish: Wish, remote: str) -> None:
        detail = {"kind": wish.kind.value, "power_w": wish.power_w}
        about = ("duty", wish.duty_id) if wish.duty_id is not None else ("vehicle", wish.vehicle_id)
        now = self.clock.now()
        async with transaction(self._database, of(who.org_id)) as tx:
            await audit.write(tx, who, action, *about, detail, at=now, remote=remote)

    def _of_org(self, org_id: UUID) -> list[Wish]:
        return [wish for wish in self._keeper.wishes.values() if wish.org_id == org_id]

    # Reading

    async def runs(
        self,
        who: Principal,
        *,
        site_id: UUID | None = None,
        vehicle_id: UUID | None = None,
        states: Sequence[RunState] = (),
        limit: int = 100,
        offset: int = 0,
    ) -> tuple[list[Run], int]:
        """Those not over by their beginning, then the latest; and how many there are."""
        require(who, Permission.VIEW)
        async with transaction(self._database, of(who.org_id)) as tx:
            found, total = await store.runs(
                tx, site_id=site_id, vehicle_id=vehicle_id, states=states,
                limit=limit, offset=offset,
            )  # fmt: skip
        current = {run.id: run for site in {r.site_id for r in found} for run in self._now(site)}
        return [current.get(run.id, run) for run in found], total

    async def run(self, who: Principal, run_id: UUID) -> Run:
        require(who, Permission.VIEW)
        async with transaction(self._database, of(who.org_id)) as tx:
            found = await store.run(tx, run_id)
        if found is None:
            raise NotFound("There is no such preconditioning.")
        return next((run for run in self._now(found.site_id) if run.id == run_id), found)

    def _now(self, site_id: UUID) -> list[Run]:
        return self._keeper.of_site(site_id)

    def of_site(self, who: Principal, site_id: UUID) -> list[Run]:
        """Planned, running, or over before a departure that is still to come; from memory."""
        require(who, Permission.VIEW)
        known = self._now(site_id)
        return [run for run in known if self._may_see(who, run)]

    def of_duty(self, who: Principal, duty_id: UUID) -> list[Run]:
        require(who, Permission.VIEW)
        return [run for run in self._keeper.of_duty(duty_id) if self._may_see(who, run)]

    def _may_see(self, who: Principal, run: Run) -> bool:
        """Its owner, and the operator of the depot it is at."""
        return who.org_id == run.org_id or self._keeper.owner(run.site_id) == who.org_id

    def told_by(self, vehicle_id: UUID) -> Reported | None:
        """What the vehicle told of itself last, by VDV 261."""
        return self._keeper.reports.get(vehicle_id)

    # Vehicles that tell

    async def reported(self, report: Reported) -> None:
        """A vehicle told of itself: its needs are planned for, its session becomes its own."""
        before = self._keeper.reports.get(report.vehicle_id)
        self._keeper.reports[report.vehicle_id] = report
        session = await self._joined(report)
        if before is None or _needs_of(before) != _needs_of(report) or session is not None:
            found = self._keeper.next_duty(report.vehicle_id, self.clock.now())
            self._keeper.mark(None if found is None else found[0].id)
        if before is not None and _news_of(before) == _news_of(report):
            return
        await self._parts.bus.publish(
            VehicleReported(
                report.org_id,
                report.vehicle_id,
                report.vin,
                None if session is None else session.site_id,
                None if session is None else session.id,
                report.at,
            )
        )

    def forgotten(self, vehicle_id: UUID) -> None:
        """It may tell no more."""
        if self._keeper.reports.pop(vehicle_id, None) is not None:
            self._keeper.mark()

    def session_of(self, report: Reported) -> Session | None:
        """The session of a vehicle: by its token, else by the EVCCID that its charger told."""
        sessions = self._parts.sessions.open_sessions()
        known = [session for session in sessions if session.vehicle_id == report.vehicle_id]
        return known[-1] if known else None

    async def _joined(self, report: Reported) -> Session | None:
        """A session that began under this EVCCID and is nobody's becomes the vehicle's.

        An EVCCID proves nothing: a session of another vehicle stays as it is.
        """
        known = self.session_of(report)
        if known is not None or not report.evccid:
            return known
        found = self._keeper.next_duty(report.vehicle_id, self.clock.now())
        owners = {report.org_id, None if found is None else found[0].org_id}
        for session in self._parts.sessions.open_sessions():
            if session.org_id not in owners:
                continue
            same = session.id_token is not None and mac(session.id_token) == report.evccid
            if same and session.vehicle_id is None:
                fleet = None if report.org_id == session.org_id else report.org_id
                return await self._parts.sessions.attach(
                    session.id, vehicle_id=report.vehicle_id, fleet_org_id=fleet
                )
        return None

    def told(self, vehicle_id: UUID) -> tuple[Told, ZoneInfo]:
        """What the vehicle is to know of its next departure."""
        found = self._keeper.next_duty(vehicle_id, self.clock.now())
        if found is None:
            return Told(), ZoneInfo("UTC")
        site, duty = found
        runs = {run.channel: run for run in self._keeper.of_duty(duty.id)}
        climate = runs.get(Channel.CLIMATE)
        asked = climate is not None and climate.source is not Source.VEHICLE
        own = climate is not None and climate.source is Source.VEHICLE
        wishes = [wish for wish in self._keeper.wishes.values() if wish.duty_id == duty.id]
        ambient = (wish.ambient_c for wish in wishes if wish.ambient_c is not None)
        target = (wish.target_soc_pct for wish in wishes if wish.target_soc_pct is not None)
        told = Told(
            departure_at=duty.departure_at,
            wanted=None if own else asked,
            wanted_at=None if climate is None else climate.start_at,
            kind=climate.kind if climate is not None and asked else None,
            ambient_c=next(ambient, None),
            target_soc_pct=next(target, duty.target_soc_pct),
        )
        return told, site.zone


def _check(asked: Request) -> None:
    wrong: dict[str, str] = {}
    if (asked.duty_id is None) == (asked.vehicle_id is None):
        wrong["duty_id"] = "name a duty or a vehicle"
    moments: list[datetime] = []
    for name in ("start_at", "end_at"):
        at = getattr(asked, name)
        if at is not None and at.tzinfo is None:
            wrong[name] = "needs a UTC offset"
        elif at is not None:
            moments.append(at)
    if len(moments) == 2 and moments[1] <= moments[0]:
        wrong["end_at"] = "must be after the start"
    if asked.duty_id is None and not moments and not wrong:
        wrong["end_at"] = "is needed where no duty is named"
    if asked.power_w is not None and not 0.0 < asked.power_w <= POWER_MAX_W:
        wrong["power_w"] = "must be above 0 and at most 200 kW"
    if asked.target_soc_pct is not None and not 0.0 <= asked.target_soc_pct <= 100.0:
        wrong["target_soc_pct"] = "must be 0 to 100 %"
    if asked.ambient_c is not None and not -60.0 <= asked.ambient_c <= 70.0:
        wrong["ambient_c"] = "must be -60 to 70 °C"
    if len(asked.key) > 255:
        wrong["key"] = "may have at most 255 characters"
    if wrong:
        raise Invalid("The request is not valid.", fields=wrong)


def _replaces(made: Wish, known: Wish) -> bool:
    if made.source is not known.source or made.kind.channel is not known.kind.channel:
        return False
    if made.key and made.key == known.key:
        return True
    return (made.duty_id, made.vehicle_id) == (known.duty_id, known.vehicle_id)


def _news_of(report: Reported) -> tuple[object, ...]:
    """What others are told when it changes: not the charge, which does with every message."""
    states = report.charging, report.battery_ok, report.hydrogen_ok, report.evccid
    return (*_needs_of(report), *states)


def _needs_of(report: Reported) -> tuple[float | None, ...]:
    battery_wh = report.battery_wh if report.battery_s else None
    return report.climate_s, report.climate_wh, report.battery_s, battery_wh
