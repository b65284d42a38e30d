"""What public sources send, and quarter hours made of it: any day, any gaps, any lengths."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from voltyard.energy.prices import shapes, slots
from voltyard.energy.prices.model import Band, Period, Point, Tariff
from voltyard.energy.prices.sources import FORMATS, SOURCES
from voltyard.errors import Invalid

BERLIN = ZoneInfo("Europe/Berlin")
SPRING, USUAL, AUTUMN = date(2026, 3, 29), date(2026, 4, 15), date(2026, 10, 25)


def day_of(day: date, zone: ZoneInfo = BERLIN) -> tuple[datetime, datetime]:
    first = datetime.combine(day, time.min, zone)
    last = datetime.combine(day + timedelta(days=1), time.min, zone)
    return first.astimezone(UTC), last.astimezone(UTC)


def entsoe(start: datetime, end: datetime, resolution: str, prices: dict[int, float]) -> bytes:
    points = "".join(
        f"<Point><position>{i}</position><price.amount>{p}</price.amount></Point>"
        for i, p in prices.items()
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<Publication_MarketDocument xmlns="urn:iec62325.351:tc57wg16:451-3:publicationdocument:7:3">
<TimeSeries><currency_Unit.name>EUR</currency_Unit.name>
<price_Measure_Unit.name>MWH</price_Measure_Unit.name><curveType>A03</curveType><Period>
<timeInterval><start>{start:%Y-%m-%dT%H:%MZ}</start><end>{end:%Y-%m-%dT%H:%MZ}</end></timeInterval>
<resolution>{resolution}</resolution>{points}</Period></TimeSeries></Publication_MarketDocument>
""".encode()


@pytest.mark.parametrize(("day", "count"), [(SPRING, 92), (USUAL, 96), (AUTUMN, 100)])
def test_a_day_of_entsoe_has_as_many_slots_as_it_has(day: date, count: int) -> None:
    start, end = day_of(day)
    body = entsoe(start, end, "PT15M", {1: 10.0, 3: -5.5, count: 99.0})
    found = shapes.entsoe(body, "EUR")
    assert [p.value for p in found[:4]] == [10.0, 10.0, -5.5, -5.5]
    assert (len(found), found[-1].value) == (count, 99.0)
    series = slots.series(slots.spread(found), start, end, BERLIN)
    assert len(series) == count
    assert not any(slot.bridged for slot in series)


def test_entsoe_is_refused_with_the_reason() -> None:
    start, end = day_of(USUAL)
    good = entsoe(start, end, "PT60M", {1: 1.0})
    for body, code in (
        (good.replace(b"EUR", b"GBP"), "price_unit"),
        (good.replace(b"MWH", b"KWH"), "price_unit"),
        (b"<Acknowledgement_MarketDocument><Reason><text>No data</text></Reason>"
         b"</Acknowledgement_MarketDocument>", "no_prices"),
        (b"<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>", "price_shape"),
        (good[:200], "price_shape"),
    ):  # fmt: skip
        with pytest.raises(Invalid) as told:
            shapes.entsoe(body, "EUR")
        assert told.value.code == code


def test_energy_charts_changes_from_hours_to_quarters_and_has_gaps() -> None:
    first = int(day_of(USUAL)[0].timestamp())
    times = [first, first + 3600, first + 7200, first + 8100, first + 9000, first + 10800]
    body = (
        f'{{"unix_seconds": {times}, "price": [1, 2, 3, 4, null, 6], "unit": "EUR / MWh"}}'
    ).encode()
    found = shapes.energy_charts(body, "EUR")
    assert [(p.seconds, p.value) for p in found] == [
        (3600, 1), (3600, 2), (900, 3), (900, 4), (900, 6),
    ]  # fmt: skip
    carbon = shapes.energy_charts(b'{"unix_seconds": [0, 900], "co2eq": [300, 310]}', "EUR")
    assert [p.value for p in carbon] == [300, 310]


def test_awattar_and_smard_tell_the_same_hours() -> None:
    start, _ = day_of(USUAL)
    begin = int(start.timestamp() * 1000)
    rows = ",".join(
        f'{{"start_timestamp": {begin + h * 3600000}, "end_timestamp": {begin + (h + 1) * 3600000},'
        f' "marketprice": {50 + h}.25, "unit": "Eur/MWh"}}'
        for h in range(3)
    )
    hourly = shapes.awattar(f'{{"object": "list", "data": [{rows}]}}'.encode(), "EUR")
    table = "Datum von;Datum bis;Deutschland/Luxemburg [€/MWh] Originalauflösungen\n" + "\n".join(
        f"15.04.2026 {h:02}:00;15.04.2026 {h + 1:02}:00;{50 + h},25" for h in range(3)
    )
    assert shapes.smard(f"\ufeff{table}".encode(), "EUR") == hourly
    series = f'{{"series": [[{begin}, 50.25], [{begin + 3600000}, null]]}}'.encode()
    assert [p.value for p in shapes.smard_series(series, "EUR")] == [50.25]
    with pytest.raises(Invalid, match="EUR per MWh"):
        shapes.smard(table.replace("€", "CHF").encode(), "EUR")


def test_the_hour_that_comes_twice_comes_twice_in_smard() -> None:
    """On the portal's wall clock, 02:00 to 03:00 is written twice."""
    walls = [0, 15, 30, 45]
    lines = [f"25.10.2026 0{h}:{m:02};x;1" for h in (1, 2, 2, 3) for m in walls]
    lines = [line.replace(";x;", f";25.10.2026 {line[11:13]}:59;") for line in lines]
    text = "Datum von;Datum bis;DE/LU [€/MWh]\n" + "\n".join(lines)
    found = shapes.smard(text.encode(), "EUR")
    gaps = {int((b.start_at - a.start_at).total_seconds()) for a, b in zip(found, found[1:])}  # noqa: B905, RUF007
    assert (len(found), gaps) == (16, {900})


points = st.lists(
    st.tuples(
        st.integers(0, 24 * 9 * 4), st.sampled_from([300, 900, 1800, 3600]), st.floats(-500, 4000)
    ),
    max_size=40,
)


@given(st.sampled_from([SPRING, USUAL, AUTUMN]), points)
def test_every_quarter_hour_of_a_day_has_one_price(
    day: date, told: Sequence[tuple[int, int, float]]
) -> None:
    start, end = day_of(day)
    known = slots.spread(
        Point(start - timedelta(days=8) + timedelta(minutes=15 * at), seconds, value)
        for at, seconds, value in told
    )
    series = slots.series(known, start, end, BERLIN)
    if not known:
        assert series == []
        return
    assert [slot.start_at for slot in series] == slots.starts(start, end)
    assert len(series) == (end - start) // timedelta(minutes=15)
    low, high = min(known.values()), max(known.values())
    for slot in series:
        assert slot.bridged is (slot.start_at not in known)
        assert low - 1e-6 <= slot.value <= high + 1e-6
        if not slot.bridged:
            assert slot.value == known[slot.start_at]


def test_missing_hours_are_those_of_the_latest_alike_day() -> None:
    """Monday is bridged from Friday, not from the weekend."""
    monday, _ = day_of(date(2026, 4, 13))
    known = slots.spread(
        Point(monday - timedelta(days=back), 3600, value)
        for back, value in ((1, 1.0), (2, 2.0), (3, 55.0), (7, 70.0))
    )
    found = slots.series(known, monday, monday + timedelta(hours=1), BERLIN)
    assert {(slot.value, slot.bridged) for slot in found} == {(55.0, True)}


def test_bands_run_over_midnight_and_fees_and_taxes_come_on_top() -> None:
    night = Band(0.10, time(22), time(6), frozenset(range(5)))
    tariff = Tariff(
        bands=(night, Band(0.30)),
        fees=(Band(0.02, months=frozenset({4})), Band(0.01)),
        markup_per_kwh=0.01,
        taxes_per_kwh=0.03,
        vat_pct=20.0,
    )
    start, end = day_of(date(2026, 4, 18))  # a Saturday: Friday's night still counts until 6
    energy = slots.energy_slots(tariff, {}, start, end, BERLIN)
    assert [slot.value for slot in energy] == pytest.approx([100.0] * 24 + [300.0] * 72)
    total = slots.with_charges(tariff, energy, BERLIN)
    assert total[0].value == pytest.approx((100 + 20 + 10 + 30) * 1.2)


@given(st.integers(0, 3 * 366 * 1440), st.sampled_from(Period))
def test_every_instant_lies_in_its_billing_period(minute: int, period: Period) -> None:
    at = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
    begins, ends = slots.period_of(at, period, BERLIN)
    assert begins <= at < ends
    assert slots.period_of(ends, period, BERLIN)[0] == ends
    share = slots.demand_over(
        Tariff(demand_per_kw=120.0, demand_period=period), at, at + timedelta(hours=36), BERLIN
    )
    assert 0.0 < share <= 120.0


def test_every_source_names_what_to_ask_and_reads_what_it_gets() -> None:
    start, end = day_of(USUAL)
    for source in SOURCES:
        for kind in source.kinds:
            url = source.url(kind, source.zones[0], start, end, "key")
            assert url.startswith("https://")
        assert FORMATS[source.name] is source.read


@given(st.sampled_from(sorted(FORMATS)), st.binary(max_size=300))
@example("csv", b"\r\x00")
@example("smard-csv", b"\r\x00")
def test_nonsense_is_refused_never_more(shape: str, body: bytes) -> None:
    with pytest.raises(Invalid):
        FORMATS[shape](body, "EUR")
