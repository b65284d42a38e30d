"""Instants of chargers whose clocks, zones and formats are odd (row 16 of the field's demands)."""

from datetime import UTC, datetime

import pytest

from voltyard.ocpp.instants import read_instant

NOW = datetime(2026, 11, 21, 18, 0, tzinfo=UTC)
SIX = datetime(2026, 11, 21, 6, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-21T06:00:00Z",
        "2026-11-21T06:00:00.000Z",
        "2026-11-21T07:00:00+01:00",
        "2026-11-21T01:00:00-05:00",
        "2026-11-21T06:00:00.0000000Z",
    ],
)
def test_every_zone_is_read_as_utc(text: str) -> None:
    at, flags = read_instant(text, NOW)
    assert (at, flags) == (SIX, ())
    assert at.tzinfo is UTC


@pytest.mark.parametrize(
    ("text", "flag"),
    [
        ("2026-11-21T06:00:00", "timestamp_without_zone"),
        ("2026-11-21 06:00:00", "timestamp_without_zone"),
        ("2026-11-21T06:00:00 UTC", "timestamp_form"),
        (" 2026-11-21t06:00:00z ", "timestamp_form"),
        ("1795240800", "timestamp_form"),
        ("1795240800000", "timestamp_form"),
    ],
)
def test_odd_forms_are_read_and_flagged(text: str, flag: str) -> None:
    assert read_instant(text, NOW) == (SIX, (flag,))


@pytest.mark.parametrize(
    ("text", "flag"),
    [
        (None, "timestamp_missing"),
        ("", "timestamp_unreadable"),
        ("yesterday", "timestamp_unreadable"),
        ("2026-13-40T99:00:00Z", "timestamp_unreadable"),
        ("99999999999999999999", "timestamp_unreadable"),
        ("1970-01-01T00:00:12Z", "timestamp_absurd"),
        ("0001-01-01T00:00:00+14:00", "timestamp_absurd"),
        ("2036-02-07T06:28:16Z", "timestamp_ahead"),
        ("9999-12-31T23:59:59-12:00", "timestamp_ahead"),
    ],
)
def test_instants_that_cannot_be_count_as_received_now(text: str | None, flag: str) -> None:
    assert read_instant(text, NOW) == (NOW, (flag,))


def test_an_absurd_instant_without_zone_says_both() -> None:
    assert read_instant("1970-01-01T00:00:00", NOW) == (
        NOW,
        ("timestamp_without_zone", "timestamp_absurd"),
    )


def test_old_instants_of_an_offline_charger_are_kept() -> None:
    at, flags = read_instant("2026-09-01T00:00:00Z", NOW)
    assert at.month == 9
    assert flags == ()
