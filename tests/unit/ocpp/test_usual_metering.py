"""The fast reading of meter values is the careful one, whatever the samples."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as some

from voltyard.ocpp import metering, usual_metering
from voltyard.ocpp.metering import Sample
from voltyard.sessions.model import MeterReading

AT = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
MEASURANDS = (
    metering.ENERGY_IMPORT,
    "Energy.Active.Net",
    "Power.Active.Import",
    "Power.Active.Export",
    "Power.Offered",
    "Current.Import",
    "Voltage",
    "SoC",
    "Temperature",
    "Moon.Phase",
)
UNITS = (None, "Wh", "kWh", "W", "kW", "A", "V", "Percent", "Celsius", "bananas", " wh ")
PHASES = (None, None, None, "L1", "L2", "L3", "L1-N", "L1-L2", "N", "L9")
LOCATIONS = (None, "Outlet", "Inlet", "EV", "Moon")
WRITTEN = ("0", "1.5", "-4", " 16,5 ", "nan", "1e400", "", "abc", 43.0, -1.0, 2e15, 110.0)

samples = some.builds(
    Sample,
    some.sampled_from(WRITTEN) | some.floats(0, 1e6),
    some.sampled_from(MEASURANDS),
    some.sampled_from(UNITS),
    some.sampled_from(PHASES),
    some.sampled_from(LOCATIONS),
    some.sampled_from([*metering.CONTEXTS, "Odd"]),
    some.sampled_from((0, 0, 0, 3, -2, 99)),
)


def both(
    given_samples: list[Sample],
) -> tuple[tuple[MeterReading | None, list[str]], tuple[MeterReading | None, list[str]]]:
    fast: list[str] = []
    careful: list[str] = []
    rows = [tuple(sample) for sample in given_samples]
    read = usual_metering.read(rows, AT, lambda name, detail: fast.append(f"{name} {detail}"))
    same = metering.read_samples(
        given_samples, AT, lambda name, detail: careful.append(f"{name} {detail}")
    )
    return (read, fast), (same, careful)


@given(some.lists(samples, max_size=6))
def test_fast_is_what_careful_is(given_samples: list[Sample]) -> None:
    for _ in range(2):  # the second time, what is ordinary is known
        fast, careful = both(given_samples)
        assert fast == careful


def test_nothing_of_use_stays_nothing_when_it_is_known() -> None:
    for _ in range(2):
        fast, careful = both([Sample("20", "Temperature", "Celsius")])
        assert fast == careful == (None, [])


def test_what_charger_can_make_us_remember_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usual_metering, "KINDS_MAX", 0)
    monkeypatch.setattr(usual_metering, "_kinds", {})
    monkeypatch.setattr(usual_metering, "_contexts", {})
    fast, careful = both([Sample("20", metering.ENERGY_IMPORT, "kWh")])
    assert fast == careful
    assert usual_metering._kinds == {}
    assert usual_metering._contexts == {}
