"""The energy of a session laid out over time."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from voltyard.sessions.model import Session, SessionState
from voltyard.web.console.source.history import taken

START = datetime(2026, 1, 14, 20, 0, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
EARLY = START - timedelta(hours=6)


def session(**values: object) -> Session:
    given = {
        "id": uuid4(),
        "org_id": uuid4(),
        "station_id": uuid4(),
        "site_id": None,
        "evse_id": uuid4(),
        "connector_number": 1,
        "state": SessionState.ACTIVE,
        "transaction_ref": "7",
        "started_at": START,
        "meter_start_wh": 1_000.0,
    }
    return Session(**(given | values))  # type: ignore[arg-type]


def test_each_area_is_the_energy_of_its_time() -> None:
    register = [(START + QUARTER, 11_000.0), (START + 3 * QUARTER, 61_000.0)]
    found = taken(session(energy_wh=60_000.0), register, EARLY)
    energies = [s.power_w * (s.end_at - s.start_at).total_seconds() / 3600 for s in found]
    assert energies == pytest.approx([10_000.0, 50_000.0])
    assert [s.power_w for s in found] == pytest.approx([40_000.0, 100_000.0])


def test_pauses_are_gaps_and_steady_power_is_one_bar() -> None:
    readings = (0, 10_000, 20_000, 20_000, 20_000, 30_000)
    register = [(START + i * QUARTER, 1_000.0 + wh) for i, wh in enumerate(readings)]
    found = taken(session(energy_wh=30_000.0), register, EARLY)
    spans = [((s.start_at - START) / QUARTER, (s.end_at - START) / QUARTER) for s in found]
    assert spans == [(0, 2), (4, 5)]


def test_what_began_before_the_window_begins_with_the_first_reading_in_it() -> None:
    register = [(START + QUARTER, 11_000.0), (START + 2 * QUARTER, 21_000.0)]
    (only,) = taken(session(energy_wh=20_000.0), register, START + timedelta(minutes=5))
    assert only.start_at == START + QUARTER


def test_without_a_register_the_mean_of_the_session_is_shown() -> None:
    ended = session(energy_wh=50_000.0, ended_at=START + timedelta(hours=2), meter_start_wh=None)
    (only,) = taken(ended, (), EARLY)
    assert only.power_w == 25_000.0


def test_a_register_that_falls_gives_no_power() -> None:
    register = [(START + QUARTER, 11_000.0), (START + 2 * QUARTER, 500.0)]
    (only,) = taken(session(energy_wh=10_000.0), register, EARLY)
    assert only.end_at == START + QUARTER
