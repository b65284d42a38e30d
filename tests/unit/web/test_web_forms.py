"""Reading what people typed."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

import pytest

from voltyard.errors import Invalid
from voltyard.web.console.fleet import read_curve
from voltyard.web.forms import Fields

BERLIN = ZoneInfo("Europe/Berlin")


class Colour(StrEnum):
    RED = "red"


def fields(**values: str) -> Fields:
    return Fields(values, BERLIN, lambda text: text)


def test_all_faults_are_told_at_once() -> None:
    form = fields(power="much", colour="blue", at="tomorrow", id="7")
    form.text("name", required=True)
    form.number("power", low=0, high=10)
    form.one_of("colour", Colour)
    form.moment("at")
    form.id("id")
    with pytest.raises(Invalid) as caught:
        form.check()
    assert set(caught.value.fields) == {"name", "power", "colour", "at", "id"}


def test_a_good_form_has_no_faults() -> None:
    form = fields(name=" Bus ", power="12,5", colour="red", at="2026-01-14T19:40", on="on")
    assert form.text("name", required=True) == "Bus"
    assert form.number("power", low=0, high=100, scale=1000) == 12_500
    assert form.one_of("colour", Colour) is Colour.RED
    assert form.moment("at") == datetime(2026, 1, 14, 18, 40, tzinfo=UTC)
    assert form.flag("on")
    assert not form.flag("off")
    form.check()


def test_minutes_before_a_moment_are_minutes_where_the_clocks_change() -> None:
    at = fields(at="2026-03-29T03:05").moment("at")
    assert at is not None
    before = at - timedelta(minutes=10)
    assert before.astimezone(UTC) == datetime(2026, 3, 29, 0, 55, tzinfo=UTC)
    assert fields(at="0001-01-01T00:00").moment("at") is None


@pytest.mark.parametrize("text", ["nan", "inf", "-1", "11", "1e400"])
def test_numbers_out_of_bounds_are_faults(text: str) -> None:
    form = fields(power=text)
    assert form.number("power", low=0, high=10) is None
    assert "power" in form.faults


def test_a_whole_number_is_whole() -> None:
    form = fields(priority="2.5")
    form.whole("priority", low=1, high=9, default=5)
    assert "priority" in form.faults


def test_empty_is_nothing_and_no_fault() -> None:
    form = fields()
    assert form.number("power", low=0, high=1) is None
    assert form.moment("at") is None
    assert form.id("id") is None
    assert form.whole("n", low=0, high=9, default=4) == 4
    form.check()


def test_too_long_a_text_is_a_fault() -> None:
    form = fields(name="x" * 300)
    form.text("name")
    assert "name" in form.faults


def test_charge_curve_is_read_as_percent_and_watts() -> None:
    assert read_curve("0 150, 80 150, 100 20") == ((0, 150_000), (80, 150_000), (100, 20_000))
    assert read_curve("") == ()


@pytest.mark.parametrize("text", ["80 150, 0 150", "0", "0 a", "-1 10", "101 3", "0 9999"])
def test_a_senseless_charge_curve_is_refused(text: str) -> None:
    assert read_curve(text) is None
