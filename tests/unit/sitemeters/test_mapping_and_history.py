"""Numbers of meters with their units, signs and phases; other load from its past."""

import struct
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voltyard.errors import Invalid
from voltyard.sitemeters.history import Past, SlotMeter, rolled
from voltyard.sitemeters.mapping import number_of, reading_of_message
from voltyard.sitemeters.modbus import spans
from voltyard.sitemeters.model import LoadSlot, NumberKind, Point, Quantity, Reading

NOW = datetime(2026, 4, 15, 12, tzinfo=UTC)
METER = UUID(int=5)


@given(st.floats(-1e6, 1e6, width=32), st.booleans())
def test_a_float_comes_back_whatever_the_order_of_its_words(value: float, swapped: bool) -> None:
    words = list(struct.unpack(">HH", struct.pack(">f", value)))
    kind = NumberKind.F32
    assert number_of(words[::-1] if swapped else words, kind, swapped=swapped) == value


def test_what_a_meter_does_not_have_is_no_number() -> None:
    with pytest.raises(Invalid):
        number_of([0x8000], NumberKind.S16, swapped=False)
    assert number_of([0xFFFF, 0xFFFE], NumberKind.S32, swapped=False) == -2


def test_units_signs_and_phases_are_data() -> None:
    points = [
        Point(quantity, "kW", 0.1, inverted=True, path=f"meter.p.{index}")
        for index, quantity in enumerate((Quantity.POWER_L1, Quantity.POWER_L2, Quantity.POWER_L3))
    ]
    points.append(Point(Quantity.TIME, "s", path="at"))
    body = b'{"meter": {"p": [-10, -20, 5]}, "at": "2026-04-15T11:59:58Z"}'
    found = reading_of_message(points, body, NOW)
    assert found.phases_w == pytest.approx((1_000, 2_000, -500))
    assert found.power_w == pytest.approx(2_500)
    assert found.at == NOW - timedelta(seconds=2)
    assert reading_of_message([Point(Quantity.POWER, "kW")], b"1.5", NOW).power_w == 1_500


@pytest.mark.parametrize(
    "body", [b"", b"x", b"{}", b'{"p": true}', b'{"p": "NaN"}', b"[" * 9_000, b'{"p": null}']
)
def test_a_message_without_a_number_is_refused(body: bytes) -> None:
    with pytest.raises(Invalid):
        reading_of_message([Point(Quantity.POWER, path="p")], body, NOW)


def test_neighbouring_registers_are_asked_for_together() -> None:
    points = [Point(Quantity.POWER, address=10), Point(Quantity.POWER_L1, address=12)]
    points.append(Point(Quantity.ENERGY, "Wh", address=40, kind=NumberKind.U64))
    assert spans(points) == [("holding", 10, 4), ("holding", 40, 4)]


def test_a_minute_keeps_mean_lowest_and_highest() -> None:
    minute = None
    for second, power_w in enumerate((10.0, 40.0, 40.0)):
        minute = rolled(minute, METER, Reading(NOW + timedelta(seconds=second), power_w))
    assert minute is not None
    assert (minute.mean_w, minute.lowest_w, minute.highest_w, minute.readings) == (30, 10, 40, 3)


def past_of(load_w: float, days: int = 21) -> Past:
    """Workdays carry ``load_w`` from 10 to 14 UTC, else a tenth of it; weekends a tenth."""
    past = Past(ZoneInfo("Europe/Berlin"))
    found = []
    for quarter in range(days * 96):
        at = NOW - timedelta(minutes=15 * (quarter + 1))
        high = at.weekday() < 5 and 10 <= at.hour < 14
        value = load_w if high else load_w / 10
        found.append(LoadSlot(METER, at, value, value, 900.0))
    past.add(found, NOW)
    return past


def test_the_forecast_is_of_alike_days_and_what_is_unusual_now_fades() -> None:
    past = past_of(100_000.0)
    starts = [NOW + timedelta(minutes=15 * i) for i in range(96 * 4)]
    usual = past.forecast(NOW, 100_000.0, starts)
    assert usual is not None
    by_time = dict(zip(starts, usual, strict=True))
    assert by_time[NOW + timedelta(hours=1)] == pytest.approx(100_000)
    assert by_time[NOW + timedelta(hours=12)] == pytest.approx(10_000)
    saturday = NOW + timedelta(days=3)
    assert by_time[saturday] == pytest.approx(10_000)
    more = past.forecast(NOW, 160_000.0, starts)
    assert more is not None
    assert more[0] == pytest.approx(160_000)
    assert 100_000 < more[4] < 130_000
    assert more[40] == pytest.approx(10_000, rel=0.01)


def test_without_a_past_the_present_is_expected_and_nothing_of_nothing() -> None:
    past = Past(ZoneInfo("Europe/Berlin"))
    assert past.forecast(NOW, 7_000.0, [NOW, NOW + timedelta(days=1)]) == [7_000.0, 7_000.0]
    assert past.forecast(NOW, None, [NOW]) is None
    assert past.highest_around(NOW, 14) is None
    assert past.forecast(NOW, -7_000.0, [NOW]) == [0.0], "of sun without a past nothing is expected"


def test_what_was_fed_in_is_expected_again_as_little_of_it_as_on_most_days() -> None:
    past = Past(ZoneInfo("Europe/Berlin"))
    days = [NOW - timedelta(days=back) for back in range(1, 11)]
    sun = (-50_000.0, -40_000.0, -30_000.0, -20_000.0, -10_000.0) * 2
    slots = [LoadSlot(METER, at, w - 5_000.0, w, 900.0) for at, w in zip(days, sun, strict=True)]
    past.add(slots, NOW)
    (found,) = past.forecast(NOW + timedelta(days=1), None, [NOW + timedelta(days=1)]) or []
    assert -30_000.0 <= found <= -10_000.0


def test_the_highest_of_a_quarter_hour_may_be_below_nothing() -> None:
    meter = SlotMeter()
    meter.note(METER, NOW, -10.0)
    meter.note(METER, NOW + timedelta(seconds=600), -40.0)
    ended = meter.note(METER, NOW + timedelta(seconds=901), 0.0)
    assert ended is not None
    assert (ended.highest_w, ended.mean_w) == (-10.0, -10.0)


def test_the_fallback_is_the_highest_at_that_time_of_day() -> None:
    past = past_of(80_000.0)
    assert past.highest_around(NOW, 3) == 80_000
    assert past.highest_around(NOW + timedelta(hours=10), 3) == 8_000


def test_a_quarter_hour_is_weighted_by_time() -> None:
    meter = SlotMeter()
    assert meter.note(METER, NOW, 10.0) is None
    assert meter.note(METER, NOW + timedelta(seconds=600), 40.0) is None
    assert meter.note(METER, NOW + timedelta(seconds=840), 40.0) is None
    ended = meter.note(METER, NOW + timedelta(seconds=901), 0.0)
    assert ended is not None
    assert (ended.at, ended.highest_w) == (NOW, 40.0)
    assert ended.mean_w == pytest.approx((10 * 600 + 40 * 240) / 840)
