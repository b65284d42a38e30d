"""Rules of stations and EVSEs."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from voltyard.chargers.directory import MAX_FLAGS_PER_STATION, Entry
from voltyard.chargers.model import (
    EvseStatus,
    Station,
    StationState,
    combined,
    evse_id_of,
    station_id_of,
)

AT = datetime(2026, 1, 15, tzinfo=UTC)
E = EvseStatus


@pytest.mark.parametrize(
    ("statuses", "whole"),
    [
        ([], E.UNKNOWN),
        ([E.FAULTED], E.FAULTED),
        ([E.AVAILABLE, E.OCCUPIED], E.OCCUPIED),
        ([E.AVAILABLE, E.CHARGING], E.CHARGING),
        ([E.AVAILABLE, E.FAULTED], E.AVAILABLE),
        ([E.UNAVAILABLE, E.FAULTED], E.UNAVAILABLE),
    ],
)
def test_an_evse_is_what_its_connectors_make_it(
    statuses: list[EvseStatus], whole: EvseStatus
) -> None:
    assert combined(statuses) is whole


def test_every_status_has_its_place() -> None:
    for status in EvseStatus:
        assert combined([status]) is status


def test_ids_repeat_and_differ() -> None:
    org_id = uuid4()
    station_id = station_id_of(org_id, "CP1")
    assert station_id == station_id_of(org_id, "CP1")
    assert station_id != station_id_of(org_id, "CP2")
    assert evse_id_of(station_id, 1) != evse_id_of(station_id, 2)


def test_flags_are_counted_and_bounded() -> None:
    entry = Entry(Station(uuid4(), uuid4(), None, "CP", StationState.APPROVED))
    assert entry.note("odd", "a", AT)
    assert not entry.note("odd", "b" * 500, AT)
    assert (entry.flags["odd"].count, len(entry.flags["odd"].detail)) == (2, 200)
    for number in range(500):
        entry.note(f"flag{number}", "", AT)
    assert len(entry.flags) == MAX_FLAGS_PER_STATION + 1
    assert entry.flags["more"].count > 400
