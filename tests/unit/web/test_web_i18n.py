"""Words, numbers and times as people of a place write them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.unit.web.catalogue import german, source
from voltyard.web.i18n import Formats, ago, choose_locale, translations

EN = Formats("en", ZoneInfo("Europe/Berlin"))
DE = Formats("de", ZoneInfo("Europe/Berlin"))
AT = datetime(2026, 1, 14, 23, 5, 9, tzinfo=UTC)


def test_every_text_has_its_german() -> None:
    known = {message.id: message for message in german()}
    missing = [
        message.id
        for message in source()
        if message.id and (message.id not in known or not known[message.id].string)
    ]
    assert missing == [], "run python -m tests.unit.web.catalogue, then translate"


def test_german_keeps_every_placeholder() -> None:
    for message in german():
        if message.id and message.python_format:
            assert list(message.check()) == []


def test_numbers_follow_the_language() -> None:
    assert EN.power(1_234_567) == "1,235\u202fkW"
    assert DE.power(1_234_567) == "1.235\u202fkW"
    assert DE.energy(31_400) == "31,4\u202fkWh"
    assert EN.kw(4_250) == "4.2"
    assert EN.kw(0) == "0"
    assert EN.pct(None) == "–"


def test_no_negative_zero() -> None:
    assert EN.number(-0.2) == "0"


def test_times_are_of_the_site() -> None:
    assert EN.time(AT) == "00:05"
    assert EN.moment(AT) == "Thu 15 Jan 00:05"
    assert DE.day(AT).startswith("Do")
    assert EN.iso(AT) == "2026-01-14T23:05:09Z"
    assert EN.field(AT) == "2026-01-15T00:05"
    assert EN.span(AT, AT + timedelta(hours=7, minutes=5)) == "7:05"


@pytest.mark.parametrize(
    ("asked", "chosen"),
    [
        (["de"], "de"),
        ([None, "de-AT,de;q=0.9,en;q=0.8"], "de"),
        (["fr", "pt_BR"], "en"),
        (["xx", "en-US"], "en"),
        ([], "en"),
    ],
)
def test_the_first_language_we_speak_is_chosen(asked: list[str | None], chosen: str) -> None:
    assert choose_locale(asked) == chosen


@pytest.mark.parametrize(
    ("before", "english", "german_text"),
    [
        (timedelta(seconds=7), "7 s ago", "vor 7 s"),
        (timedelta(minutes=3), "3 min ago", "vor 3 min"),
        (timedelta(hours=5), "5 h ago", "vor 5 h"),
        (timedelta(days=1), "1 day ago", "vor 1 Tag"),
        (timedelta(days=2), "2 days ago", "vor 2 Tagen"),
        (timedelta(seconds=-9), "0 s ago", "vor 0 s"),
    ],
)
def test_how_long_ago(before: timedelta, english: str, german_text: str) -> None:
    assert ago(AT, AT - before, translations("en")) == english
    assert ago(AT, AT - before, translations("de")) == german_text


def test_never() -> None:
    assert ago(AT, None, translations("de")) == "nie"
