"""Keeps every site's runs up to date, in memory and stored, and watches that they get their power.

Nothing here sends a limit: what is to run is asked for by the control of the site (``loads``),
which keeps it inside every limit.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from voltyard.alerts.service import AlertService
from voltyard.bus import Bus
from voltyard.clock import Clock
from voltyard.energy.model import FirmLoad
from voltyard.errors import NotFound, VoltyardError
from voltyard.preconditioning import store
from voltyard.preconditioning.events import PreconditioningChanged, PreconditioningMoved
from voltyard.preconditioning.feasible import Excess, excesses
from voltyard.preconditioning.model import OPEN, Reported, Rule, Run, RunState, Usual, Wish
from voltyard.preconditioning.ports import Control, Duties, Sessions, Sites, Vehicles
from voltyard.preconditioning.schedule import Asked, wanted
from voltyard.preconditioning.watching import KINDS, Facts, Seen, causes, seen
from voltyard.sessions.model import Session
from voltyard.sites.model import Site
from voltyard.storage.engine import Database
from voltyard.tenancy import scope
from voltyard.timetable.model import Duty, DutyState

log = logging.getLogger(__name__)

HORIZON = timedelta(hours=36)
LOOK_AGAIN = timedelta(seconds=300)
"""Events tell of every change at once; this is for what they do not tell."""
SAME_POWER_SHARE = 0.1
SAME_START = timedelta(minutes=2)
KEPT = timedelta(days=90)
KEEP_FIGURES = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class KeeperParts:
    database: Database
    bus: Bus
    clock: Clock
    sites: Sites
    duties: Duties
    vehicles: Vehicles
    sessions: Sessions
    alerts: AlertService


@dataclass(slots=True)
class SiteRuns:
    """What is known of one site; ``labels``: the vehicle of each duty, in words."""

    site: Site
    runs: dict[UUID, Run] = field(default_factory=dict)
    duties: dict[UUID, Duty] = field(default_factory=dict)
    labels: dict[UUID, str] = field(default_factory=dict)
    seen: dict[UUID, Seen] = field(default_factory=dict)
    over: list[Excess] = field(default_factory=list)
    looked_at: datetime | None = None
    watched_at: datetime | None = None
    kept_at: datetime | None = None


class Keeper:
    def __init__(self, parts: KeeperParts, usual: Usual | None = None) -> None:
        self.usual = usual or Usual()
        self.control: Control | None = None
        self.rules: dict[UUID, Rule] = {}
        self.wishes: dict[UUID, Wish] = {}
        self.reports: dict[UUID, Reported] = {}
        self._parts = parts
        self._sites: dict[UUID, SiteRuns] = {}
        self._stored: dict[UUID, Run] = {}
        self._dirty: set[UUID] = set()
        self._sites_at: datetime | None = None
        self._ticking = False

    async def load(self) -> None:
        """What is stored; once, at start."""
        now = self._parts.clock.now()
        async with scope.transaction(self._parts.database, scope.SYSTEM) as tx:
            self.rules = {rule.id: rule for rule in await store.rules(tx)}
            self.wishes = {wish.id: wish for wish in await store.wishes(tx, now)}
            self._stored = {run.id: run for run in await store.open_runs(tx, now - HORIZON)}

    def mark(self, site_id: UUID | None = None) -> None:
        """Duties, rules or reports changed: at one site, or who knows where."""
        if site_id is None:
            self._dirty |= set(self._sites)
        else:
            self._dirty.add(site_id)

    def mark_org(self, org_id: UUID) -> None:
        for site_id, known in self._sites.items():
            owners = {known.site.org_id, *(duty.org_id for duty in known.duties.values())}
            if org_id in owners:
                self._dirty.add(site_id)

    # what others ask, from memory

    def loads(self, site_id: UUID) -> Sequence[FirmLoad]:
        """For the control of the site: what runs, will run, or has run for who is still there."""
        counted = (RunState.PLANNED, RunState.RUNNING, RunState.DONE)
        return [
            FirmLoad(run.start_at, run.end_at, run.power_w, run.duty_id, run.vehicle_id)
            for run in self._runs(site_id)
            if run.state in counted
        ]

    def of_site(self, site_id: UUID) -> list[Run]:
        return sorted(self._runs(site_id), key=lambda run: (run.start_at, run.id))

    def _runs(self, site_id: UUID) -> Iterable[Run]:
        """Right after a start, what was stored: what runs is not interrupted."""
        known = self._sites.get(site_id)
        if known is None or known.looked_at is None:
            return [run for run in self._stored.values() if run.site_id == site_id]
        return known.runs.values()

    def of_duty(self, duty_id: UUID) -> list[Run]:
        every = (run for known in self._sites.values() for run in known.runs.values())
        return sorted(
            (run for run in every if run.duty_id == duty_id), key=lambda run: run.kind.channel
        )

    def next_duty(self, vehicle_id: UUID, now: datetime) -> tuple[Site, Duty] | None:
        """The vehicle's next departure, over all sites."""
        found = [
            (known.site, duty)
            for known in self._sites.values()
            for duty in known.duties.values()
            if duty.vehicle_id == vehicle_id and duty.departure_at > now
        ]
        return min(found, key=lambda one: (one[1].departure_at, one[1].id), default=None)

    def owner(self, site_id: UUID) -> UUID | None:
        """The organisation that operates the depot."""
        known = self._sites.get(site_id)
        return None if known is None else known.site.org_id

    def label(self, run: Run) -> str:
        known = self._sites.get(run.site_id)
        return "" if known is None or run.duty_id is None else known.labels.get(run.duty_id, "")

    # on its own

    async def tick(self) -> None:
        """Every few seconds: sites where something changed, and each once a minute."""
        if self._is_idle or self._ticking:
            return
        self._ticking = True
        try:
            await self._tick(self._parts.clock.now())
        finally:
            self._ticking = False

    async def _tick(self, now: datetime) -> None:
        if self._sites_at is None or now - self._sites_at >= LOOK_AGAIN or not self._sites:
            await self._look_at_sites()
            self._sites_at = now
        self.wishes = {key: wish for key, wish in self.wishes.items() if _counts(wish, now)}
        for site_id in sorted(self._sites):
            known = self._sites[site_id]
            stale = known.looked_at is None or now - known.looked_at >= LOOK_AGAIN
            try:
                if stale or site_id in self._dirty:
                    self._dirty.discard(site_id)
                    await self._reschedule(known, now)
                await self._watch(known, now)
            except VoltyardError:
                log.exception("preconditioning of site %s failed", site_id)

    @property
    def _is_idle(self) -> bool:
        """Where nobody preconditions, nothing is looked at."""
        some = self.rules or self.wishes or self.reports or self._stored
        return not some and not any(known.runs for known in self._sites.values())

    async def _look_at_sites(self) -> None:
        sites = {site.id: site for site in await self._parts.sites.all()}
        for gone in set(self._sites) - set(sites):
            del self._sites[gone]
        for site_id, site in sites.items():
            self._sites.setdefault(site_id, SiteRuns(site)).site = site

    async def drop_old(self) -> None:
        async with scope.transaction(self._parts.database, scope.SYSTEM) as tx:
            await store.drop_old_runs(tx, self._parts.clock.now() - KEPT)

    async def _reschedule(self, known: SiteRuns, now: datetime) -> None:
        if known.looked_at is None:
            known.runs |= {k: r for k, r in self._stored.items() if r.site_id == known.site.id}
        asked = await self._asked(known, now)
        known.looked_at = now
        before = dict(known.runs)
        made = {run.id: self._steady(run, before.get(run.id), now) for run in wanted(asked)}
        gone = [run for key, run in before.items() if key not in made]
        over = [left for run in gone if (left := self._left(known, run, now)) is not None]
        dropped = [run.id for run in gone if run.state is RunState.PLANNED and run.start_at > now]
        changed = [run for key, run in made.items() if before.get(key) != run]
        kept = {run.id: run for run in over}
        known.runs = kept | made
        known.seen = {key: one for key, one in known.seen.items() if key in made}
        changed += [run for run in over if before[run.id] != run]
        self._stored = {k: r for k, r in self._stored.items() if r.site_id != known.site.id}
        await self._save(changed, dropped, now)
        known.over = await self._over(known)
        if dropped or any(_asks_other(before.get(run.id), run) for run in changed):
            site = known.site
            await self._parts.bus.publish(PreconditioningChanged(site.org_id, site.id, now))

    async def _asked(self, known: SiteRuns, now: datetime) -> Asked:
        site, parts = known.site, self._parts
        found = await parts.duties.duties(site.org_id, site.id, now, now + HORIZON)
        done = (DutyState.DEPARTED, DutyState.CANCELLED)
        duties = [duty for duty in found if duty.state not in done and duty.departure_at > now]
        ids = sorted({duty.vehicle_id for duty in duties if duty.vehicle_id is not None})
        vehicles = {one.id: one for one in await parts.vehicles.vehicles(site.org_id, ids)}
        known.duties = {duty.id: duty for duty in duties}
        names = {key: vehicle.name for key, vehicle in vehicles.items()}
        known.labels = {
            duty.id: names.get(duty.vehicle_id, duty.external_id)
            if duty.vehicle_id is not None
            else duty.external_id
            for duty in duties
        }
        return Asked(
            now=now,
            zone=site.zone,
            duties=duties,
            vehicles=vehicles,
            rules=list(self.rules.values()),
            wishes=list(self.wishes.values()),
            reports=self.reports,
            charge_wh={} if self.control is None else self.control.charge_wh(site.id),
            runs=known.runs,
            usual=self.usual,
            site_org_id=site.org_id,
        )

    def _steady(self, run: Run, before: Run | None, now: datetime) -> Run:
        """A vehicle tells something else every few seconds: what differs little changes nothing."""
        if before is None or not (run.reported and before.reported):
            return run
        same_power = abs(run.power_w - before.power_w) <= SAME_POWER_SHARE * before.power_w
        same_start = abs(run.start_at - before.start_at) <= SAME_START
        same_end = run.end_at == before.end_at
        if same_power and same_start and same_end and before.start_at != now:
            return replace(run, power_w=before.power_w, start_at=before.start_at)
        return run

    def _left(self, known: SiteRuns, run: Run, now: datetime) -> Run | None:
        """What becomes of one that nobody wants any more; None: nothing is kept of it here."""
        if run.state is RunState.RUNNING and run.end_at > now:
            word = "departed" if run.duty_id not in known.duties else "withdrawn"
            return replace(run, state=RunState.DONE, end_at=max(now, run.start_at), word=word)
        if run.state is RunState.PLANNED and run.start_at <= now < run.end_at:
            return replace(run, state=RunState.CANCELLED, word="withdrawn")
        if run.state in OPEN and run.end_at <= now:
            return run
        return run if run.duty_id in known.duties and run.state not in OPEN else None

    async def _watch(self, known: SiteRuns, now: datetime) -> None:
        """Begin, count, end; and tell who must know."""
        sessions = self._parts.sessions.open_sessions(site_id=known.site.id)
        there = _Plugged(sessions)
        together_w: dict[UUID | None, float] = {}
        for run in known.runs.values():
            if run.start_at <= now < run.end_at:
                together_w[run.duty_id] = together_w.get(run.duty_id, 0.0) + run.power_w
        since, known.watched_at = known.watched_at, now
        facts: list[Facts] = []
        moved: list[Run] = []
        for run in self.of_site(known.site.id):
            if run.state not in OPEN:
                continue
            session = there.of(run)
            outlet = None
            if session is not None and session.evse_id is not None and self.control is not None:
                outlet = self.control.outlet(known.site.id, session.evse_id)
            needed_w = together_w.get(run.duty_id, 0.0)
            fact = Facts(run, self.label(run), session is not None, outlet, needed_w)
            known.seen[run.id] = looked = seen(fact, known.seen.get(run.id), since, now)
            if looked.run != run:
                known.runs[run.id] = looked.run
            if looked.run.state is not run.state:
                moved.append(looked.run)
            facts.append(replace(fact, run=looked.run))
        await self._keep(known, moved, now)
        over = [excess for excess in known.over if known.runs.get(excess.run.id) is not None]
        found = causes(facts, known.seen, known.duties, over, now)
        await self._parts.alerts.sync(known.site.org_id, known.site.id, KINDS, found)

    async def _keep(self, known: SiteRuns, moved: Sequence[Run], now: datetime) -> None:
        due = known.kept_at is None or now - known.kept_at >= KEEP_FIGURES
        running = [run for run in known.runs.values() if run.state is RunState.RUNNING]
        if due:
            known.kept_at = now
        rows = {run.id: run for run in (*(running if due else ()), *moved)}
        await self._save(rows.values(), (), now)
        for run in moved:
            await self._parts.bus.publish(
                PreconditioningMoved(
                    run.org_id,
                    run.site_id,
                    run.id,
                    run.duty_id,
                    run.vehicle_id,
                    run.kind.value,
                    run.state.value,
                    run.short_s,
                    now,
                )
            )

    async def _over(self, known: SiteRuns) -> list[Excess]:
        """What will run at once and does not fit."""
        ahead = [run for run in known.runs.values() if run.state in OPEN]
        if not ahead:
            return []
        sessions = self._parts.sessions.open_sessions(site_id=known.site.id)
        there = _Plugged(sessions)
        evse_of = {
            run.id: session.evse_id
            for run in ahead
            if (session := there.of(run)) is not None and session.evse_id is not None
        }
        try:
            tree = await self._parts.sites.tree(known.site.id)
        except NotFound:
            return []
        return excesses(tree, ahead, evse_of)

    async def _save(self, changed: Iterable[Run], dropped: Sequence[UUID], now: datetime) -> None:
        rows = list(changed)
        if not rows and not dropped:
            return
        async with scope.transaction(self._parts.database, scope.SYSTEM) as tx:
            await store.save_runs(tx, rows, now)
            await store.delete_runs(tx, dropped)


class _Plugged:
    """Where vehicles are plugged in: by their duty, else by themselves."""

    def __init__(self, sessions: Sequence[Session]) -> None:
        self._by_duty = {one.duty_id: one for one in reversed(sessions)}
        self._by_vehicle = {one.vehicle_id: one for one in reversed(sessions)}

    def of(self, run: Run) -> Session | None:
        found = None if run.duty_id is None else self._by_duty.get(run.duty_id)
        if found is None and run.vehicle_id is not None:
            found = self._by_vehicle.get(run.vehicle_id)
        return found


def _counts(wish: Wish, now: datetime) -> bool:
    """Those of a duty go with it; those of a vehicle alone when their time is over."""
    at = wish.end_at or wish.start_at or wish.asked_at
    return at is None or at > now - HORIZON


def _asks_other(before: Run | None, run: Run) -> bool:
    """Whether the site's plan must follow."""
    if before is None:
        return True
    fields = ("start_at", "end_at", "power_w", "duty_id", "vehicle_id")
    counted = (RunState.PLANNED, RunState.RUNNING, RunState.DONE)
    if (before.state in counted) != (run.state in counted):
        return True
    return any(getattr(before, name) != getattr(run, name) for name in fields)
