"""Prices by quarter hours: of tables and of sources, bridged where these tell nothing."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from voltyard.energy.prices.model import Band, Period, Point, Slot, Tariff

SLOT_S = 900
BACK_DAYS = 7
KWH_IN_MWH = 1_000.0


def slot_at(at: datetime) -> datetime:
    return datetime.fromtimestamp(int(at.timestamp() // SLOT_S) * SLOT_S, UTC)


def starts(from_at: datetime, until_at: datetime) -> list[datetime]:
    """Quarter hours that touch [from_at, until_at): 92 on the shortest day, 100 on the longest."""
    first, found = slot_at(from_at), []
    while first < until_at:
        found.append(first)
        first += timedelta(seconds=SLOT_S)
    return found


def spread(points: Iterable[Point]) -> dict[datetime, float]:
    """Points of any length on quarter hours; a finer one overrules a coarser one.

    What is finer than a quarter hour becomes its mean, weighted by time.
    """
    found: dict[datetime, float] = {}
    weights: dict[datetime, list[tuple[float, float]]] = {}
    for point in sorted(points, key=lambda p: (-p.seconds, p.start_at)):
        end_at = point.start_at + timedelta(seconds=point.seconds)
        if point.seconds < SLOT_S:
            share = weights.setdefault(slot_at(point.start_at), [])
            share.append((float(point.seconds), point.value))
            continue
        for start_at in starts(point.start_at, end_at):
            found[start_at] = point.value
    for start_at, parts in weights.items():
        total = sum(seconds for seconds, _ in parts)
        found[start_at] = sum(seconds * value for seconds, value in parts) / total
    return found


def series(
    known: Mapping[datetime, float], from_at: datetime, until_at: datetime, zone: ZoneInfo
) -> list[Slot]:
    """Every quarter hour of the window, missing ones bridged; empty when nothing is known.

    A missing one is what the same local time was on the latest day alike (workday, Saturday,
    Sunday) of the last ``BACK_DAYS``, else on the latest day at all, else the mean of what is
    known. What is bridged is never bridged from.
    """
    if not known:
        return []
    mean = sum(known.values()) / len(known)
    found: list[Slot] = []
    for start_at in starts(from_at, until_at):
        value = known.get(start_at)
        if value is not None:
            found.append(Slot(start_at, value))
        else:
            usual = _alike(known, start_at, zone)
            found.append(Slot(start_at, mean if usual is None else usual, bridged=True))
    return found


def _alike(known: Mapping[datetime, float], at: datetime, zone: ZoneInfo) -> float | None:
    local = at.astimezone(zone)
    other: float | None = None
    for back in range(1, BACK_DAYS + 1):
        same = local - timedelta(days=back)
        value = known.get(same.astimezone(UTC))
        if value is None:
            continue
        if _kind(same) == _kind(local):
            return value
        other = value if other is None else other
    return other


def _kind(local: datetime) -> int:
    return max(0, local.weekday() - 4)


def of_bands(bands: Sequence[Band], at: datetime, zone: ZoneInfo) -> float | None:
    """Price per kWh of the first band that applies at an instant; None where none does."""
    local = at.astimezone(zone)
    return next((band.price_per_kwh for band in bands if _applies(band, local)), None)


def _applies(band: Band, local: datetime) -> bool:
    now, day = local.time(), local.date()
    start = band.from_time or time.min
    if band.to_time is None or start < band.to_time:
        if now < start or (band.to_time is not None and now >= band.to_time):
            return False
    elif now < start:
        if now >= band.to_time:
            return False
        day -= timedelta(days=1)
    return day.weekday() in band.weekdays and (not band.months or day.month in band.months)


def energy_slots(
    tariff: Tariff,
    known: Mapping[datetime, float],
    from_at: datetime,
    until_at: datetime,
    zone: ZoneInfo,
) -> list[Slot]:
    """Price of energy alone per MWh. A table's hours that no band covers are bridged with 0."""
    if tariff.source:
        return series(known, from_at, until_at, zone)
    if not tariff.bands:
        return []
    found: list[Slot] = []
    for start_at in starts(from_at, until_at):
        price = of_bands(tariff.bands, start_at, zone)
        found.append(Slot(start_at, (price or 0.0) * KWH_IN_MWH, bridged=price is None))
    return found


def with_charges(tariff: Tariff, energy: Sequence[Slot], zone: ZoneInfo) -> list[Slot]:
    """What a MWh really costs: markup, grid fee, taxes and VAT on top."""
    return [
        Slot(slot.start_at, charged(tariff, slot.value, slot.start_at, zone), slot.bridged)
        for slot in energy
    ]


def charged(tariff: Tariff, per_mwh: float, at: datetime, zone: ZoneInfo) -> float:
    fee = of_bands(tariff.fees, at, zone) or 0.0
    on_top = (tariff.markup_per_kwh + fee + tariff.taxes_per_kwh) * KWH_IN_MWH
    return (per_mwh + on_top) * (1.0 + tariff.vat_pct / 100.0)


def period_of(at: datetime, period: Period, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The billing period that holds an instant, on the site's calendar."""
    local = at.astimezone(zone)
    month = 1 if period is Period.YEAR else local.month
    begins = datetime(local.year, month, 1, tzinfo=zone)
    if period is Period.YEAR:
        ends = datetime(local.year + 1, 1, 1, tzinfo=zone)
    else:
        later = local.year + month // 12, month % 12 + 1
        ends = datetime(*later, 1, tzinfo=zone)
    return begins.astimezone(UTC), ends.astimezone(UTC)


def demand_over(tariff: Tariff, now: datetime, until_at: datetime, zone: ZoneInfo) -> float:
    """What one more kW of peak costs within the horizon: its share of the days that are left.

    A new peak costs the whole charge once, and serves all days that are left of the period.
    """
    _, ends_at = period_of(now, tariff.demand_period, zone)
    left_s = max(86_400.0, (ends_at - now).total_seconds())
    horizon_s = max(SLOT_S, (until_at - now).total_seconds())
    return tariff.demand_per_kw * min(1.0, horizon_s / left_s)
