"""What the pages of who may charge make of the rooms' records; every state has word and shape."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from voltyard.chargers.model import Station, StationState
from voltyard.fleets.model import Token, TokenState, Vehicle
from voltyard.locallists.model import Compared, Difference, ListState, LocalList
from voltyard.locallists.overview import ListStanding
from voltyard.reservations.model import ReservationState
from voltyard.sessions.model import AuthorisationStatus
from voltyard.web.console import access_words as words
from voltyard.web.console.locallists import entry_row, list_row, told_since
from voltyard.web.console.reservations import poll_s
from voltyard.web.console.views import ListRow, ReservationRow, TokenRow

NOW = datetime(2026, 1, 15, 18, tzinfo=UTC)
HOUR = timedelta(hours=1)
ORG, BUS = UUID(int=1), UUID(int=2)


def test_every_state_has_a_word_and_a_shape() -> None:
    assert set(words.TOKEN_WORDS) == set(words.TOKEN_SHAPES) == set(TokenState)
    assert set(words.LIST_WORDS) == set(words.LIST_SHAPES) == set(ListState)
    assert set(words.DIFFERENCE_WORDS) == set(words.DIFFERENCE_SHAPES) == set(Difference)
    assert set(words.RESERVATION_WORDS) == set(words.RESERVATION_SHAPES) == set(ReservationState)
    assert set(words.STATUS_WORDS) == set(AuthorisationStatus)
    assert set(words.REASON_ADVICE) <= set(words.REASON_WORDS)


@pytest.mark.parametrize(
    ("columns", "state"),
    [
        ({}, TokenState.VALID),
        ({"blocked": True, "valid_until": NOW - HOUR}, TokenState.BLOCKED),
        ({"valid_until": NOW}, TokenState.EXPIRED),
        ({"valid_until": NOW + HOUR}, TokenState.VALID),
        ({"valid_from": NOW + HOUR}, TokenState.NOT_YET),
        ({"valid_from": NOW}, TokenState.VALID),
    ],
)
def test_the_state_of_a_token(columns: dict[str, object], state: TokenState) -> None:
    token = Token(uuid4(), ORG, "rfid", "A", **columns)  # type: ignore[arg-type]
    assert token.state_at(NOW) is state
    idle = Vehicle(BUS, ORG, "Bus", active=False)
    out = TokenState.OUT_OF_SERVICE if state is TokenState.VALID else state
    assert token.state_at(NOW, idle) is out


def test_where_a_token_may_charge_is_counted() -> None:
    row = TokenRow(uuid4(), "rfid", "A", site_ids=(uuid4(),), area_ids=(uuid4(), uuid4()))
    assert row.places == 3
    assert TokenRow(uuid4(), "rfid", "A").places == 0


def standing(
    held: LocalList, wanted: dict[str, str], *, version: int | None = 4, connected: bool = True
) -> ListStanding:
    station = Station(held.station_id, ORG, None, "CP1", StationState.APPROVED, connected=connected)
    return ListStanding(station, held, True, version, wanted)


def test_a_list_is_shown_beside_what_it_should_be() -> None:
    entries = {"rfid A": "accepted|||", "rfid C": "accepted|||", "rfid D": "accepted|||"}
    wanted = {"rfid A": "blocked|||", "rfid B": "accepted|||", "rfid D": "accepted|||"}
    held = LocalList(uuid4(), ORG, ListState.SYNCED, 3, entries, left_out=1)
    known = standing(held, wanted)
    assert [row.difference for row in known.rows] == [
        Difference.CHANGED,
        Difference.MISSING,
        Difference.EXTRA,
        Difference.SAME,
    ]
    row = list_row(known, "Depot")
    assert (row.changes, row.version, row.wanted_version, row.left_out) == (3, 3, 4, 1)
    assert (row.entries, row.wanted_entries, row.under_way) == (3, 3, True)
    away = list_row(standing(held, wanted, connected=False), "")
    assert not away.under_way, "nothing is under way to a charger that is away"
    none = standing(held, {}, version=None)
    assert (none.rows, none.changes) == ([], 0), "what nobody knows differs from nothing"


def test_an_entry_is_shown_as_it_should_be_and_whose_it_is() -> None:
    token = Token(uuid4(), ORG, "rfid", "04aa", vehicle_id=BUS)
    until = NOW.isoformat()
    each = Compared("rfid 04AA", "accepted|||", f"blocked|A|B|{until}|1,2")
    row = entry_row(each, {"04aa": token}, {BUS: "Bus 7"})
    assert (row.token, row.status, row.group) == ("04AA", "blocked", "A|B")
    assert (row.until_at, row.evses, row.vehicle) == (NOW, (1, 2), "Bus 7")
    assert row.token_id == token.id
    gone = entry_row(Compared("vid VID:1", "accepted|||", None), {}, {})
    assert (gone.token, gone.kind, gone.status, gone.token_id) == ("VID:1", "vid", "accepted", None)


def listed(state: ListState, checked_at: datetime | None, **columns: Any) -> ListRow:
    known: dict[str, Any] = {"connected": True, "under_way": False} | columns
    return ListRow(
        station_id=uuid4(), station="CP", site="", state=state, version=1, wanted_version=1,
        entries=0, wanted_entries=0, changes=0, checked_at=checked_at, **known,
    )  # fmt: skip


def test_what_became_of_asking_all() -> None:
    rows = [
        listed(ListState.SYNCED, NOW),
        listed(ListState.SYNCED, NOW - HOUR),
        listed(ListState.FAILED, NOW),
        listed(ListState.SYNCED, NOW, under_way=True),
        listed(ListState.UNSUPPORTED, None),
        listed(ListState.DISABLED, None),
        listed(ListState.SYNCED, NOW, connected=False),
    ]
    assert told_since(rows, NOW) == {
        "synced": 1,
        "failed": 2,
        "none": 2,
        "under_way": 1,
        "away": 1,
    }


def reserved(state: ReservationState, **columns: Any) -> ReservationRow:
    return ReservationRow(
        id=uuid4(), number=1, station_id=uuid4(), station="CP", connected=True, evse="1",
        token="A", from_at=NOW, until_at=NOW + HOUR, state=state, by="A. B.", **columns,
    )  # fmt: skip


def test_a_page_looks_again_soon_while_a_charger_has_to_answer() -> None:
    over, active = reserved(ReservationState.EXPIRED), reserved(ReservationState.ACTIVE)
    assert poll_s([]) == poll_s([over]) == 0
    assert poll_s([over, active]) == 15
    assert poll_s([active, reserved(ReservationState.ASKED)]) == 2
    assert poll_s([reserved(ReservationState.CANCELLED, cancel_due=True)]) == 2
