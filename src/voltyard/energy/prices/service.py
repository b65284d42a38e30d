"""What sites pay: tariffs kept, prices fetched and bridged, peaks of billing periods remembered."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from voltyard.clock import Clock
from voltyard.energy.model import PlanMode, Step
from voltyard.energy.ports import PlanPrices
from voltyard.energy.prices import store
from voltyard.energy.prices.fetching import Fetcher, NotFetched
from voltyard.energy.prices.model import (
    Objective,
    Peak,
    Point,
    PriceKind,
    Slot,
    Tariff,
)
from voltyard.energy.prices.slots import (
    KWH_IN_MWH,
    SLOT_S,
    demand_over,
    energy_slots,
    period_of,
    series,
    slot_at,
    spread,
    starts,
    with_charges,
)
from voltyard.energy.prices.sources import FORMATS, PriceSource, source_of
from voltyard.errors import Invalid, NotFound
from voltyard.sites.model import Site
from voltyard.storage.engine import Database
from voltyard.tenancy import audit
from voltyard.tenancy.access import require
from voltyard.tenancy.model import Permission, Principal
from voltyard.tenancy.scope import SYSTEM, of, transaction

log = logging.getLogger(__name__)

BACK = timedelta(days=8)
AHEAD = timedelta(days=3)
WANTED = timedelta(hours=36)
AGAIN_S = 1_800.0
KEEP = timedelta(days=800)
WINDOW_MAX = timedelta(days=62)
BANDS_MAX = 100
_MODES = {
    Objective.PEAK: PlanMode.PEAK,
    Objective.COST: PlanMode.COST,
    Objective.CARBON: PlanMode.COST,
}


class Sites(Protocol):
    async def get(self, site_id: UUID) -> Site: ...


@dataclass(frozen=True, slots=True)
class PriceView:
    """Quarter hours of a window. ``energy`` is the market's or the table's price per MWh,
    ``total`` with all on top, ``carbon`` in kg per MWh; each may be empty. ``fault``: why the
    source told nothing when it was asked last."""

    tariff: Tariff
    energy: tuple[Slot, ...]
    total: tuple[Slot, ...]
    export: tuple[Slot, ...]
    carbon: tuple[Slot, ...]
    fault: str
    asked_at: datetime | None


@dataclass(slots=True)
class _Live:
    org_id: UUID
    tariff: Tariff
    zone: ZoneInfo
    known: dict[PriceKind, dict[datetime, float]] = field(default_factory=dict)
    fault: str = ""
    asked_at: datetime | None = None


@dataclass(slots=True)
class _Quarter:
    """Power of a site within the quarter hour under way."""

    at: datetime
    sum_ws: float = 0.0
    seconds: float = 0.0
    last: tuple[datetime, float] | None = None
    metered: bool = True


class PriceService:
    """Tariffs, the last days' prices and this period's peaks in memory: asked for every plan."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        sites: Sites,
        fetcher: Fetcher,
        *,
        keys: Mapping[str, str] | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._sites = sites
        self._fetcher = fetcher
        self._keys = keys or {}
        self._note = audit.Notes(clock)
        self._live: dict[UUID, _Live] = {}
        self._peaks: dict[tuple[UUID, datetime], Peak] = {}
        self._quarters: dict[UUID, _Quarter] = {}
        self._unsaved: dict[tuple[UUID, datetime], Peak] = {}

    async def load(self) -> None:
        async with transaction(self._database, SYSTEM) as tx:
            found, peaks = await store.tariffs(tx), await store.peaks(tx)
        self._peaks = {(site_id, peak.begins_at): peak for site_id, peak in peaks}
        for site_id, org_id, tariff in found:
            zone = (await self._sites.get(site_id)).zone
            self._live[site_id] = _Live(org_id, tariff, zone)
            await self._recall(site_id)

    async def _recall(self, site_id: UUID) -> None:
        """The prices of these days, from the database to memory."""
        live, now = self._live[site_id], self._clock.now()
        async with transaction(self._database, SYSTEM) as tx:
            for kind in PriceKind:
                points = await store.points(tx, site_id, kind, now - BACK, now + AHEAD)
                live.known[kind] = spread(points)

    # for plans, from memory

    def plan_prices(self, site_id: UUID, from_at: datetime, until_at: datetime) -> PlanPrices:
        """What a plan weighs. Without a tariff: nothing."""
        live = self._live.get(site_id)
        if live is None:
            return PlanPrices()
        tariff, zone = live.tariff, live.zone
        begins_at, _ = period_of(from_at, tariff.demand_period, zone)
        peak = self._peaks.get((site_id, begins_at))
        peak_w = 0.0 if peak is None else peak.peak_w
        export = _steps(self._export(live, from_at, until_at))
        if tariff.objective is Objective.CARBON:
            carbon = _steps(self._carbon(live, from_at, until_at))
            # Generation of one's own has none: what it earns is of another kind.
            return PlanPrices(carbon, (), 0.0, peak_w, PlanMode.COST if carbon else None)
        steps = _steps(self._weighed(live, from_at, until_at))
        demand = demand_over(tariff, from_at, until_at, zone)
        mode = _MODES[tariff.objective] if steps or demand > 0.0 else None
        return PlanPrices(steps, export, demand, peak_w, mode)

    def _weighed(self, live: _Live, from_at: datetime, until_at: datetime) -> list[Slot]:
        """Total price, with the price of CO2 where there is one."""
        total = self._total(live, from_at, until_at)
        per_kg = live.tariff.carbon_price_per_t / 1_000.0
        if per_kg <= 0.0 or not total:
            return total
        carbon = {slot.start_at: slot for slot in self._carbon(live, from_at, until_at)}
        return [
            replace(slot, value=slot.value + per_kg * carbon[slot.start_at].value)
            if slot.start_at in carbon
            else slot
            for slot in total
        ]

    def _total(self, live: _Live, from_at: datetime, until_at: datetime) -> list[Slot]:
        return with_charges(live.tariff, self._energy(live, from_at, until_at), live.zone)

    def _energy(self, live: _Live, from_at: datetime, until_at: datetime) -> list[Slot]:
        known = live.known.get(PriceKind.IMPORT, {})
        found = energy_slots(live.tariff, known, from_at, until_at, live.zone)
        if not found and live.tariff.fees:
            return [
                Slot(at, 0.0, bridged=bool(live.tariff.source)) for at in starts(from_at, until_at)
            ]
        return found

    def _export(self, live: _Live, from_at: datetime, until_at: datetime) -> list[Slot]:
        tariff, told = live.tariff, live.known.get(PriceKind.EXPORT, {})
        if told:
            return series(told, from_at, until_at, live.zone)
        if tariff.export_at_market:
            return self._energy(live, from_at, until_at)
        if tariff.export_per_kwh is None:
            return []
        value = tariff.export_per_kwh * KWH_IN_MWH
        return [Slot(at, value) for at in starts(from_at, until_at)]

    def _carbon(self, live: _Live, from_at: datetime, until_at: datetime) -> list[Slot]:
        told = live.known.get(PriceKind.CARBON, {})
        if told:
            return series(told, from_at, until_at, live.zone)
        if live.tariff.carbon_g_per_kwh is None:
            return []
        return [Slot(at, live.tariff.carbon_g_per_kwh) for at in starts(from_at, until_at)]

    # peaks

    def saw_power(self, site_id: UUID, power_w: float, *, metered: bool) -> None:
        """Power of the whole site now; quarter hours that ended may be the period's peak."""
        now = self._clock.now()
        quarter = self._quarters.get(site_id)
        if quarter is None or slot_at(now) != quarter.at:
            if quarter is not None and quarter.seconds >= SLOT_S / 3:
                self._ended(site_id, quarter)
            quarter = self._quarters[site_id] = _Quarter(slot_at(now))
        if quarter.last is not None:
            seconds = max(0.0, (now - quarter.last[0]).total_seconds())
            quarter.sum_ws += quarter.last[1] * seconds
            quarter.seconds += seconds
        quarter.last = (now, max(0.0, power_w))
        quarter.metered = quarter.metered and metered

    def _ended(self, site_id: UUID, quarter: _Quarter) -> None:
        live = self._live.get(site_id)
        if live is None:
            return
        mean_w = quarter.sum_ws / quarter.seconds
        begins_at, _ = period_of(quarter.at, live.tariff.demand_period, live.zone)
        known = self._peaks.get((site_id, begins_at))
        if known is None or mean_w > known.peak_w:
            peak = Peak(begins_at, mean_w, quarter.at, quarter.metered)
            self._peaks[(site_id, begins_at)] = self._unsaved[(site_id, begins_at)] = peak

    # from time to time

    async def tick(self) -> None:
        """Peaks are written; sources are asked for what is missing of the next 36 hours."""
        unsaved, self._unsaved = self._unsaved, {}
        for (site_id, _), peak in sorted(unsaved.items(), key=lambda item: str(item[0])):
            org_id = self._live[site_id].org_id
            async with transaction(self._database, of(org_id)) as tx:
                if await store.site(tx, site_id) is not None:
                    await store.put_peak(tx, org_id, site_id, peak)
        for site_id in sorted(self._live):
            await self._fetch_if_due(site_id)

    async def _fetch_if_due(self, site_id: UUID) -> None:
        live, now = self._live[site_id], self._clock.now()
        source = source_of(live.tariff.source)
        if source is None:
            return
        recently = live.asked_at is not None and (now - live.asked_at).total_seconds() < AGAIN_S
        wanted = starts(now, now + WANTED)
        if recently or all(at in live.known.get(PriceKind.IMPORT, {}) for at in wanted):
            return
        live.asked_at = now
        try:
            for kind in sorted(source.kinds):
                await self._fetch(site_id, live, source, PriceKind(kind), now)
            live.fault = ""
        except (NotFetched, Invalid) as error:
            live.fault = error.message
            log.info("prices of %s for site %s: %s", source.name, site_id, error.message)

    async def _fetch(
        self, site_id: UUID, live: _Live, source: PriceSource, kind: PriceKind, now: datetime
    ) -> None:
        key = self._keys.get(source.name, "")
        if source.needs_key and not key:
            raise NotFetched(f"{source.name} needs a key: see docs/operate/prices.md")
        day = now.astimezone(live.zone).replace(hour=0, minute=0, second=0, microsecond=0)
        from_at = (day - timedelta(days=1)).astimezone(UTC)
        until_at = (day + timedelta(days=2)).astimezone(UTC)
        url = source.url(kind, live.tariff.zone, from_at, until_at, key)
        points = source.read(await self._fetcher.get(url), live.tariff.currency)
        await self._keep(live.org_id, site_id, kind, points, source.name)

    async def _keep(
        self, org_id: UUID, site_id: UUID, kind: PriceKind, points: Sequence[Point], source: str
    ) -> None:
        now = self._clock.now()
        async with transaction(self._database, of(org_id)) as tx:
            if await store.site(tx, site_id) is None:
                self._live.pop(site_id, None)
                return
            await store.put_points(tx, org_id, site_id, kind, points, source, now)
        if site_id in self._live:
            await self._recall(site_id)

    async def drop_old(self) -> None:
        async with transaction(self._database, SYSTEM) as tx:
            await store.drop_before(tx, self._clock.now() - KEEP)

    # what people do

    async def tariff(self, who: Principal, site_id: UUID) -> Tariff:
        """As it was set, or one that costs nothing. NotFound."""
        require(who, Permission.VIEW)
        async with transaction(self._database, of(who.org_id)) as tx:
            site = await store.site(tx, site_id)
            if site is None:
                raise NotFound("There is no such site.")
            found = await store.tariff(tx, site_id)
        return found or Tariff(currency=site["currency"])

    async def set_tariff(
        self, who: Principal, site_id: UUID, tariff: Tariff, *, remote: str = ""
    ) -> None:
        """Raises Forbidden, NotFound, Invalid. From the next plan on."""
        require(who, Permission.SITES_WRITE)
        check(tariff)
        before = await self.tariff(who, site_id)
        async with transaction(self._database, of(who.org_id)) as tx:
            await store.put_tariff(tx, who.org_id, site_id, tariff, self._clock.now())
            changed = sorted(audit.changes(before, tariff))
            await self._note(tx, who, "tariff.update", site_id, {"fields": changed}, remote)
        zone = (await self._sites.get(site_id)).zone
        known = self._live.get(site_id)
        self._live[site_id] = _Live(who.org_id, tariff, zone)
        if known is not None and (known.tariff.source, known.tariff.zone) == (
            tariff.source,
            tariff.zone,
        ):
            self._live[site_id].asked_at = known.asked_at
        await self._recall(site_id)

    async def bring_in(
        self, who: Principal, site_id: UUID, kind: PriceKind, shape: str, body: bytes,
        *, remote: str = "",
    ) -> int:  # fmt: skip
        """Prices from a file; how many. Raises Invalid, with what is wrong in it."""
        read = FORMATS.get(shape)
        if read is None:
            raise Invalid("There is no such shape.", fields={"format": ", ".join(FORMATS)})
        tariff = await self.tariff(who, site_id)
        return await self.put(who, site_id, kind, read(body, tariff.currency), shape, remote=remote)

    async def put(
        self, who: Principal, site_id: UUID, kind: PriceKind, points: Sequence[Point],
        source: str, *, remote: str = "",
    ) -> int:  # fmt: skip
        """Prices as somebody tells them; those of the same instants are replaced."""
        require(who, Permission.SITES_WRITE)
        await self.tariff(who, site_id)
        for point in points:
            if not isfinite(point.value) or abs(point.value) > 1e6 or point.seconds < 60:
                raise Invalid("A price makes no sense.", fields={"prices": "per MWh, a minute on"})
        await self._keep(who.org_id, site_id, kind, points, source)
        async with transaction(self._database, of(who.org_id)) as tx:
            detail = {"kind": kind.value, "count": len(points), "source": source}
            await self._note(tx, who, "tariff.prices", site_id, detail, remote)
        return len(points)

    async def view(
        self, who: Principal, site_id: UUID, from_at: datetime, until_at: datetime
    ) -> PriceView:
        """Raises NotFound, Invalid (a window of more than 62 days)."""
        tariff = await self.tariff(who, site_id)
        if not from_at < until_at <= from_at + WINDOW_MAX:
            raise Invalid("A window of at most 62 days.", fields={"until": "after since"})
        zone = (await self._sites.get(site_id)).zone
        live = _Live(who.org_id, tariff, zone)
        async with transaction(self._database, of(who.org_id)) as tx:
            for kind in PriceKind:
                points = await store.points(tx, site_id, kind, from_at - BACK, until_at)
                live.known[kind] = spread(points)
        known = self._live.get(site_id, live)
        return PriceView(
            tariff=tariff,
            energy=tuple(self._energy(live, from_at, until_at)),
            total=tuple(self._total(live, from_at, until_at)),
            export=tuple(self._export(live, from_at, until_at)),
            carbon=tuple(self._carbon(live, from_at, until_at)),
            fault=known.fault,
            asked_at=known.asked_at,
        )

    async def peaks(self, who: Principal, site_id: UUID) -> list[Peak]:
        """Of every billing period, oldest first."""
        await self.tariff(who, site_id)
        async with transaction(self._database, of(who.org_id)) as tx:
            return [peak for _, peak in await store.peaks(tx, site_id)]


def _steps(slots: Sequence[Slot]) -> tuple[Step, ...]:
    length = timedelta(seconds=SLOT_S)
    return tuple(Step(slot.start_at, slot.start_at + length, slot.value) for slot in slots)


def check(tariff: Tariff) -> None:
    """Raises Invalid, naming every field that is wrong."""
    faults: dict[str, str] = {}
    if len(tariff.currency) != 3 or not (tariff.currency.isalpha() and tariff.currency.isupper()):
        faults["currency"] = "three capital letters (ISO 4217)"
    source = source_of(tariff.source)
    if tariff.source and tariff.source not in FORMATS and source is None:
        faults["source"] = ", ".join(FORMATS)
    if source is not None and not 1 <= len(tariff.zone) <= 40:
        faults["zone"] = f"for example {source.zones[0]}"
    for name in ("markup_per_kwh", "taxes_per_kwh", "demand_per_kw", "carbon_price_per_t"):
        value = getattr(tariff, name)
        if not isfinite(value) or not -10.0 <= value <= 1e5 or (value < 0 and name[0] in "dc"):
            faults[name] = "a price"
    if not 0.0 <= tariff.vat_pct <= 100.0:
        faults["vat_pct"] = "0 to 100"
    for name in ("bands", "fees"):
        bands = getattr(tariff, name)
        right = all(isfinite(b.price_per_kwh) and abs(b.price_per_kwh) <= 1e3 for b in bands)
        days = all(b.weekdays <= set(range(7)) and b.months <= set(range(1, 13)) for b in bands)
        if len(bands) > BANDS_MAX or not right or not days:
            faults[name] = f"at most {BANDS_MAX}, with prices, weekdays 0 to 6, months 1 to 12"
    for name in ("export_per_kwh", "carbon_g_per_kwh"):
        value = getattr(tariff, name)
        if value is not None and not (isfinite(value) and abs(value) <= 1e4):
            faults[name] = "a number"
    if faults:
        raise Invalid("This tariff makes no sense.", fields=faults)
