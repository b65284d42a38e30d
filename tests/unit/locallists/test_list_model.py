"""What belongs on a charger's list, and the messages that bring it there."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voltyard.chargers.commands import ListEntry
from voltyard.fleets.model import Token, Vehicle
from voltyard.locallists.model import (
    VERSION_MAX,
    Difference,
    LocalList,
    Outlet,
    compared,
    name_of,
    next_version,
    reaches,
    revoked,
    standings,
    steps,
    wanted,
)
from voltyard.sessions.model import Authorisation, AuthorisationStatus, IdToken

NOW = datetime(2026, 1, 15, 18, tzinfo=UTC)
ORG, SITE, LANE, STATION = (UUID(int=n) for n in range(1, 5))
HOUR = timedelta(hours=1)
OUTLETS = (Outlet(1, LANE), Outlet(2, None))


def token(value: str, **columns: object) -> Token:
    return Token(uuid4(), ORG, "rfid", value, **columns)  # type: ignore[arg-type]


def listed(*tokens: Token, version: str = "2.1", most: int | None = None) -> tuple[list[str], int]:
    found, left_out = wanted([(t, None) for t in tokens], SITE, OUTLETS, version, NOW, most)
    return [name.partition(" ")[2] for name in found], left_out


def test_only_tokens_that_may_charge_there_now_are_listed_and_the_blocked_last() -> None:
    names, left_out = listed(
        token("BLOCKED", blocked=True),
        token("GOOD", vehicle_id=uuid4()),
        token("OLD", valid_until=NOW),
        token("EARLY", valid_from=NOW + HOUR),
        token("HERE", site_ids=(SITE,)),
        token("ELSEWHERE", site_ids=(uuid4(),)),
        token("LANE", area_ids=(LANE,)),
        token("OTHER LANE", area_ids=(uuid4(),)),
    )
    assert names == ["GOOD", "HERE", "LANE", "BLOCKED"]
    assert left_out == 0


def test_a_token_of_some_outlets_says_so() -> None:
    found, _ = wanted([(token("L", area_ids=(LANE,)), None)], SITE, OUTLETS, "2.1", NOW, None)
    (entry,) = found.values()
    assert entry.authorisation is not None
    assert entry.authorisation.evse_numbers == (1,)


def test_the_token_of_a_vehicle_out_of_service_is_blocked() -> None:
    bus = Vehicle(uuid4(), ORG, "Bus", active=False)
    found, _ = wanted([(token("B"), bus)], SITE, OUTLETS, "1.6", NOW, None)
    (entry,) = found.values()
    assert entry.authorisation is not None
    assert entry.authorisation.status is AuthorisationStatus.BLOCKED


@pytest.mark.parametrize(("version", "longest"), [("1.6", 20), ("2.0.1", 36), ("2.1", 255)])
def test_what_a_version_cannot_write_is_left_out(version: str, longest: int) -> None:
    """Row 15."""
    names, left_out = listed(token("T" * longest), token("T" * (longest + 1)), version=version)
    assert (names, left_out) == (["T" * longest], 1)


def test_the_most_a_charger_takes() -> None:
    names, left_out = listed(*(token(f"T{n}") for n in range(9)), most=5)
    assert (len(names), left_out) == (5, 4)


entries = st.dictionaries(
    st.text("ABC", min_size=1, max_size=3),
    st.sampled_from(["", "FLEET", "NIGHT"]),
    max_size=12,
)


def as_wanted(groups: dict[str, str]) -> dict[str, ListEntry]:
    rows = [
        ListEntry(IdToken(value), Authorisation(AuthorisationStatus.ACCEPTED, group=group))
        for value, group in groups.items()
    ]
    return {name_of(row.token): row for row in rows}


@given(entries, entries, st.integers(0, 9), st.integers(1, 4), st.booleans())
def test_whatever_it_held_the_steps_bring_what_is_wanted(
    before: dict[str, str], after: dict[str, str], floor: int, size: int, full: bool
) -> None:
    want = as_wanted(after)
    known = LocalList(
        STATION, ORG, version=4, entries=standings(as_wanted(before)), per_message=size
    )
    held, version = dict(known.entries), max(4, floor)
    found = steps(known, want, floor, full=full)
    for place, step in enumerate(found):
        command = step.command
        assert command.version > version
        assert len(command.entries) <= size
        assert not (command.full and place)
        version = command.version
        held = {} if command.full else held
        for entry in command.entries:
            if entry.authorisation is None:
                assert not command.full
                held.pop(name_of(entry.token))
            else:
                held[name_of(entry.token)] = standings(want)[name_of(entry.token)]
        assert held == dict(step.entries)
    assert held == standings(want)
    assert bool(found) or before == after


def test_versions_begin_anew_before_they_end() -> None:
    known = LocalList(STATION, ORG, version=VERSION_MAX)
    (step,) = steps(known, as_wanted({"A": ""}), 0, full=False)
    assert (step.command.version, step.command.full) == (1, True)


def test_what_takes_a_right_away_is_a_revocation_and_what_gives_one_is_not() -> None:
    plain, here = token("A"), token("A", site_ids=(SITE,))
    both = token("A", site_ids=(SITE, LANE))
    cases = [
        (plain, plain, False),
        (plain, here, True),
        (here, plain, False),
        (here, both, False),
        (both, here, True),
        (plain, token("A", blocked=True), True),
        (plain, token("A", valid_until=NOW), True),
        (token("A", blocked=True), plain, False),
        (plain, token("A", group_id="FLEET"), False),
    ]
    for before, after, taken in cases:
        found = revoked(reaches([(before, None)], NOW), reaches([(after, None)], NOW))
        assert found is taken, (before, after)
    assert revoked(reaches([(plain, None)], NOW), {})


def test_what_is_held_is_compared_and_the_next_version_is_known() -> None:
    want, _ = wanted([(token(v), None) for v in ("A", "b", "C")], SITE, (), "2.1", NOW, None)
    empty = LocalList(STATION, ORG, version=3, per_message=1)
    assert [row.difference for row in compared(empty, standings(want))] == [Difference.MISSING] * 3
    assert next_version(empty, want) == 6, "one message for each"
    full = LocalList(STATION, ORG, version=6, entries=standings(want))
    assert {row.difference for row in compared(full, standings(want))} == {Difference.SAME}
    assert next_version(full, want) == 6
    fewer = {name: entry for name, entry in want.items() if name != "rfid b"}
    assert [(r.name, r.difference) for r in compared(full, standings(fewer))][1] == (
        "rfid b",
        Difference.EXTRA,
    )
    assert next_version(full, fewer) == 7
