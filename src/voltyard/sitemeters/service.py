"""Site meters: set up by people, their readings taken in, kept by the minute, missed in silence."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from voltyard.alerts.model import Severity
from voltyard.alerts.service import AlertService, Cause
from voltyard.bus import Bus
from voltyard.clock import Clock
from voltyard.errors import Conflict, Invalid, NotFound
from voltyard.ids import new_id
from voltyard.sitemeters import store
from voltyard.sitemeters.commands import MeterDraft, meter_from
from voltyard.sitemeters.events import SiteMeterRead, SiteMetersChanged
from voltyard.sitemeters.history import KEPT_DAYS, Past, SlotMeter, rolled
from voltyard.sitemeters.model import (
    Fallback,
    LoadSlot,
    MeterProtocol,
    MeterState,
    Minute,
    Quality,
    Reading,
    SiteMeter,
)
from voltyard.sitemeters.sealing import Sealer
from voltyard.sites.events import SiteChanged
from voltyard.sites.model import Site
from voltyard.storage.engine import Database, Row
from voltyard.tenancy import audit
from voltyard.tenancy.access import require
from voltyard.tenancy.integrity import refusals
from voltyard.tenancy.model import Permission, Principal
from voltyard.tenancy.scope import SYSTEM, of, transaction

ALERT = "site_meter_silent"
AHEAD_S = 5.0
"""A meter's clock may be so much ahead of ours."""
RESUMED_H = 24
PUSHED_MAX = 1_000
METERS_MAX = 50
POINTS_SHOWN = 1_500
_CLASHES = {
    "site_meters_site_id_name_key": ("name", "The site has a meter of this name."),
    "site_meters_one_for_all": ("node_id", "Another meter measures all that flows there."),
}


class Sites(Protocol):
    async def get(self, site_id: UUID) -> Site: ...


@dataclass(slots=True)
class _Live:
    """One meter in memory."""

    meter: SiteMeter
    past: Past
    reading: Reading | None = None
    minute: Minute | None = None
    slots: SlotMeter | None = None
    fault: str = ""
    rejected: int = 0


class SiteMeterService:
    """Every meter in memory: the controllers ask on each tick. Minutes and quarter hours are
    written together, once a minute (``tick``)."""

    def __init__(
        self,
        database: Database,
        bus: Bus,
        clock: Clock,
        sites: Sites,
        alerts: AlertService,
        sealer: Sealer,
        *,
        keep_days: int = 400,
    ) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._sites = sites
        self._alerts = alerts
        self._sealer = sealer
        self._keep = timedelta(days=keep_days)
        self._note = audit.Notes(clock)
        self._live: dict[UUID, _Live] = {}
        self._of_site: dict[UUID, list[UUID]] = {}
        self._minutes: dict[tuple[UUID, datetime], Minute] = {}
        self._slots: dict[tuple[UUID, datetime], LoadSlot] = {}

    @property
    def clock(self) -> Clock:
        return self._clock

    def listen(self) -> None:
        self._bus.subscribe(SiteChanged, self._on_site, name="site_meters.site")

    async def _on_site(self, event: SiteChanged) -> None:
        if event.deleted:
            gone = [k for k, live in self._live.items() if live.meter.site_id == event.site_id]
            for meter_id in gone:
                del self._live[meter_id]
            self._index()
            await self._bus.publish(SiteMetersChanged(event.org_id, event.site_id, event.at))

    async def load(self) -> None:
        """Meters, their last readings and what is known of the load behind them; once."""
        now = self._clock.now()
        async with transaction(self._database, SYSTEM) as tx:
            found = await store.meters(tx)
            last = await store.last_minutes(tx, now - timedelta(hours=RESUMED_H))
        for meter in found:
            await self._install(meter)
        for minute in last:
            live = self._live.get(minute.meter_id)
            if live is not None and minute.last_at <= now:
                live.reading = Reading(minute.last_at, minute.last_w, None, minute.energy_wh)

    async def _install(self, meter: SiteMeter) -> None:
        known = self._live.get(meter.id)
        if known is not None:
            known.meter = meter
        else:
            zone = (await self._sites.get(meter.site_id)).zone
            self._live[meter.id] = _Live(meter, await self._past(meter.id, zone))
        self._index()

    async def _past(self, meter_id: UUID, zone: ZoneInfo) -> Past:
        now, past = self._clock.now(), Past(zone)
        async with transaction(self._database, SYSTEM) as tx:
            past.add(await store.slots(tx, meter_id, now - timedelta(days=KEPT_DAYS), now), now)
        return past

    def _index(self) -> None:
        self._of_site = {}
        for live in sorted(self._live.values(), key=lambda live: live.meter.id):
            self._of_site.setdefault(live.meter.site_id, []).append(live.meter.id)

    # for other rooms, from memory

    def all(self) -> list[SiteMeter]:
        return [live.meter for live in self._live.values()]

    def states(self, site_id: UUID) -> list[MeterState]:
        """Every meter of the site as of now, switched-off ones too."""
        now = self._clock.now()
        return [self._state(self._live[key], now) for key in self._of_site.get(site_id, ())]

    def _state(self, live: _Live, now: datetime) -> MeterState:
        meter, reading = live.meter, live.reading
        age_s = None if reading is None else max(0.0, (now - reading.at).total_seconds())
        return MeterState(
            meter=meter,
            quality=_quality(meter, age_s),
            reading=reading,
            age_s=age_s,
            fallback_w=self._fallback_w(live, now),
            worst_w=max(meter.reserve_w, live.past.highest_of(now, meter.days) or 0.0),
            fault=live.fault,
            rejected=live.rejected,
        )

    @staticmethod
    def _fallback_w(live: _Live, now: datetime) -> float:
        meter = live.meter
        if meter.fallback is Fallback.FIXED:
            return meter.reserve_w
        highest_w = live.past.highest_around(now, meter.days)
        return meter.reserve_w if highest_w is None else max(highest_w, 0.0)

    def forecast(
        self, meter_id: UUID, present_w: float | None, starts: Sequence[datetime]
    ) -> list[float] | None:
        """Other load behind a meter, slot by slot; None while nothing is known of it."""
        live = self._live.get(meter_id)
        return None if live is None else live.past.forecast(self._clock.now(), present_w, starts)

    def saw_load(self, meter_id: UUID, load_w: float) -> None:
        """The controller tells what of the meter's power was no charger's."""
        live = self._live.get(meter_id)
        if live is None:
            return
        if live.slots is None:
            live.slots = SlotMeter()
        ended = live.slots.note(meter_id, self._clock.now(), load_w)
        if ended is not None:
            live.past.add([ended], self._clock.now())
            self._slots[(meter_id, ended.at)] = ended

    async def received(self, meter_id: UUID, reading: Reading) -> bool:
        """Take a reading in; False for one that is old, ahead of time or beyond belief."""
        live, now = self._live.get(meter_id), self._clock.now()
        if live is None or not live.meter.enabled:
            return False
        if abs(reading.power_w) > live.meter.most_w:
            live.rejected += 1
            live.fault = f"{reading.power_w:.0f} W is more than it can be"
            return False
        if reading.at > now:
            if (reading.at - now).total_seconds() > AHEAD_S:
                live.rejected += 1
                live.fault = "its clock is ahead"
            reading = replace(reading, at=now)
        if live.reading is not None and reading.at <= live.reading.at:
            return False
        live.reading, live.fault = reading, ""
        minute = live.minute
        same = minute is not None and minute.at == reading.at.replace(second=0, microsecond=0)
        live.minute = rolled(minute if same else None, meter_id, reading)
        self._minutes[(meter_id, live.minute.at)] = live.minute
        meter = live.meter
        await self._bus.publish(
            SiteMeterRead(meter.org_id, meter.site_id, meter_id, reading.at, reading.power_w)
        )
        return True

    def failed(self, meter_id: UUID, why: str) -> None:
        """An attempt to read it brought nothing."""
        live = self._live.get(meter_id)
        if live is not None:
            live.fault = why[:300]

    async def password(self, meter_id: UUID) -> str | None:
        async with transaction(self._database, SYSTEM) as tx:
            sealed = await store.secret(tx, meter_id)
        return None if sealed is None else self._sealer.open(bytes(sealed), str(meter_id))

    # from time to time

    async def tick(self) -> None:
        """Alerts for silent meters; what was gathered is written."""
        for site_id in list(self._of_site):
            await self._alert(site_id)
        await self._write()

    async def _alert(self, site_id: UUID) -> None:
        states = self.states(site_id)
        causes = [
            Cause(
                ALERT,
                Severity.CRITICAL,
                f"{ALERT}:{state.meter.id}",
                "site_meter",
                str(state.meter.id),
                {
                    "meter": state.meter.name,
                    "since": None if state.reading is None else state.reading.at.isoformat(),
                    "fault": state.fault,
                },
            )
            for state in states
            if state.quality is Quality.SILENT or (state.quality is Quality.NEVER and state.fault)
        ]
        await self._alerts.sync(states[0].meter.org_id, site_id, (ALERT,), causes)

    async def _write(self) -> None:
        orgs = {key: live.meter.org_id for key, live in self._live.items()}
        minutes, slots = self._minutes, self._slots
        self._minutes, self._slots = {}, {}
        for org_id in sorted(set(orgs.values())):
            mine = [m for m in minutes.values() if orgs.get(m.meter_id) == org_id]
            loads = [s for s in slots.values() if orgs.get(s.meter_id) == org_id]
            if mine or loads:
                async with transaction(self._database, of(org_id)) as tx:
                    await store.put_minutes(tx, org_id, mine)
                    await store.put_slots(tx, org_id, loads)

    async def drop_old(self) -> None:
        async with transaction(self._database, SYSTEM) as tx:
            await store.drop_before(tx, self._clock.now() - self._keep)

    # what people do

    async def meters(self, who: Principal, site_id: UUID) -> list[MeterState]:
        """Raises NotFound also for a site of somebody else."""
        require(who, Permission.VIEW)
        async with transaction(self._database, of(who.org_id)) as tx:
            if not await store.site_exists(tx, site_id):
                raise NotFound("There is no such site.")
        return [s for s in self.states(site_id) if s.meter.org_id == who.org_id]

    async def meter(self, who: Principal, meter_id: UUID) -> MeterState:
        require(who, Permission.VIEW)
        live = self._live.get(meter_id)
        if live is None or live.meter.org_id != who.org_id:
            raise NotFound("There is no such meter.")
        return self._state(live, self._clock.now())

    async def save(
        self,
        who: Principal,
        site_id: UUID,
        draft: MeterDraft,
        meter_id: UUID | None = None,
        *,
        remote: str = "",
    ) -> MeterState:
        """Create it, or change the one of ``meter_id``. Raises Invalid, Conflict, NotFound."""
        require(who, Permission.SITES_WRITE)
        made = meter_from(draft, meter_id or new_id(), who.org_id, site_id)
        with refusals(_CLASHES):
            async with transaction(self._database, of(who.org_id)) as tx:
                if not await store.site_exists(tx, site_id):
                    raise NotFound("There is no such site.")
                if meter_id is not None:
                    known = await store.meter(tx, meter_id, lock=True)
                    if known is None or known.site_id != site_id:
                        raise NotFound("There is no such meter.")
                elif len(await store.meters(tx, site_id)) >= METERS_MAX:
                    raise Conflict(f"A site has at most {METERS_MAX} meters.")
                if not await store.node_exists(tx, site_id, draft.node_id):
                    raise Invalid("There is no such node.", fields={"node_id": "a node, no EVSE"})
                await store.put_meter(tx, made)
                if draft.password is not None:
                    sealed = draft.password and self._sealer.seal(draft.password, str(made.id))
                    await store.put_secret(tx, made.id, sealed or None)
                action = "site_meter.update" if meter_id else "site_meter.create"
                await self._note(tx, who, action, made.id, {"name": made.name}, remote)
        await self._install(made)
        await self._changed(made)
        return self._state(self._live[made.id], self._clock.now())

    async def delete(self, who: Principal, meter_id: UUID, *, remote: str = "") -> None:
        """With its readings. What it measured does not count any more from now on."""
        require(who, Permission.SITES_WRITE)
        async with transaction(self._database, of(who.org_id)) as tx:
            known = await store.meter(tx, meter_id, lock=True)
            if known is None:
                raise NotFound("There is no such meter.")
            await store.delete_meter(tx, meter_id)
            await self._note(tx, who, "site_meter.delete", meter_id, {"name": known.name}, remote)
        self._live.pop(meter_id, None)
        self._index()
        await self._alerts.resolve(who.org_id, f"{ALERT}:{meter_id}")
        await self._changed(known)

    async def push(self, who: Principal, meter_id: UUID, readings: Sequence[Reading]) -> int:
        """Readings that somebody sends, oldest first; how many were taken. Raises Conflict for a
        meter that is read otherwise."""
        require(who, Permission.SITES_WRITE)
        state = await self.meter(who, meter_id)
        if state.meter.protocol is not MeterProtocol.PUSH:
            raise Conflict("This meter is read by voltyard itself.", code="meter_protocol")
        if len(readings) > PUSHED_MAX:
            raise Invalid(f"At most {PUSHED_MAX} readings at once.")
        ordered = sorted(readings, key=lambda reading: reading.at)
        return sum([await self.received(meter_id, reading) for reading in ordered])

    async def series(
        self, who: Principal, meter_id: UUID, from_at: datetime, until_at: datetime
    ) -> tuple[int, Sequence[Row]]:
        """Bucket in s, and per bucket ``mean_w``, ``lowest_w``, ``highest_w``, ``readings``."""
        await self.meter(who, meter_id)
        if until_at <= from_at:
            raise Invalid("The window ends before it begins.", fields={"until": "after since"})
        window_s = (until_at - from_at).total_seconds()
        bucket_s = max(60, int(window_s / POINTS_SHOWN / 60 + 1) * 60)
        async with transaction(self._database, of(who.org_id)) as tx:
            return bucket_s, await store.minutes(tx, meter_id, from_at, until_at, bucket_s)

    async def loads(
        self, who: Principal, meter_id: UUID, from_at: datetime, until_at: datetime
    ) -> Sequence[LoadSlot]:
        """Load beside chargers behind the meter, by quarter hours."""
        await self.meter(who, meter_id)
        async with transaction(self._database, of(who.org_id)) as tx:
            return await store.slots(tx, meter_id, from_at, until_at)

    async def _changed(self, meter: SiteMeter) -> None:
        now = self._clock.now()
        await self._bus.publish(SiteMetersChanged(meter.org_id, meter.site_id, now))


def _quality(meter: SiteMeter, age_s: float | None) -> Quality:
    if not meter.enabled:
        return Quality.OFF
    if age_s is None:
        return Quality.NEVER
    if age_s > meter.hold_s:
        return Quality.SILENT
    late_s = max(3.0 * meter.connection.poll_s, 15.0)
    return Quality.HELD if age_s > late_s else Quality.GOOD
