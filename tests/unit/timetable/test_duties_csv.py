"""Duties as CSV: every bad row with its column and reason."""

from datetime import UTC, datetime
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest

from voltyard.fleets.model import Vehicle
from voltyard.sites.model import Bay, Site
from voltyard.tabular import instant
from voltyard.timetable.importing import CsvDuties, ImportReport, parse_csv, write_csv

ORG = uuid4()
SITE = Site(uuid4(), ORG, "Nord", "Europe/Berlin")
BUS = Vehicle(uuid4(), ORG, "Bus 17", "12m", battery_wh=350_000.0)
BAY = Bay(uuid4(), SITE.id, None, "A1")
NAMES = CsvDuties(SITE, {"bus 17": BUS}, {"a1": BAY})
HEADER = "id,vehicle,arrival,departure,target_soc_pct"
GOOD = "D1,Bus 17,2026-01-15 18:30,2026-01-16 05:10,90"


def parsed(*lines: str, header: str = HEADER) -> ImportReport:
    return parse_csv("\n".join([header, *lines]).encode(), NAMES)


def test_a_row_with_every_column() -> None:
    header = (
        "id,vehicle,vehicle_class,arrival,departure,soc_arrival_pct,target_soc_pct,"
        "target_energy_kwh,priority,bay,note"
    )
    row = 'D1,BUS 17,12m,2026-01-15 18:30,2026-01-16T05:10:00+01:00,35.5,,120.5,2,a1,"a, b"'
    report = parsed(row, header=header)
    assert report.faults == ()
    duty = report.duties[0]
    assert (duty.external_id, duty.vehicle_id, duty.bay_id) == ("D1", BUS.id, BAY.id)
    assert duty.arrival_at == datetime(2026, 1, 15, 17, 30, tzinfo=UTC)
    assert duty.departure_at == datetime(2026, 1, 16, 4, 10, tzinfo=UTC)
    assert (duty.soc_arrival_pct, duty.target_energy_wh) == (35.5, 120_500.0)
    assert (duty.priority, duty.note) == (2, "a, b")


@pytest.mark.parametrize(
    ("row", "column", "reason"),
    [
        (",Bus 17,2026-01-15 18:30,2026-01-16 05:10,90", "id", "characters"),
        ("D1,Bus 99,2026-01-15 18:30,2026-01-16 05:10,90", "vehicle", "no vehicle"),
        ("D1,,2026-01-15 18:30,2026-01-16 05:10,90", "vehicle", "name a vehicle"),
        ("D1,Bus 17,,2026-01-16 05:10,90", "arrival", "missing"),
        ("D1,Bus 17,tonight,2026-01-16 05:10,90", "arrival", "not a date"),
        ("D1,Bus 17,2026-01-15,2026-01-16 05:10,90", "arrival", "not a date"),
        ("D1,Bus 17,2026-13-15 18:30,2026-01-16 05:10,90", "arrival", "not a date"),
        ("D1,Bus 17,2026-01-16 18:30,2026-01-16 05:10,90", "departure", "after the arrival"),
        ("D1,Bus 17,2026-01-15 18:30,2027-01-16 05:10,90", "departure", "more than"),
        ("D1,Bus 17,2026-01-15 18:30,2026-01-16 05:10,abc", "target_soc_pct", "not a number"),
        ("D1,Bus 17,2026-01-15 18:30,2026-01-16 05:10,120", "target_soc_pct", "0 to 100"),
        ("D1,Bus 17,2026-01-15 18:30,2026-01-16 05:10,nan", "target_soc_pct", "not a number"),
        ("D1,Bus 17,2026-01-15 18:30,2026-01-16 05:10,", "target_soc_pct", "either"),
        ("D1,Bus 17,2026-01-15 18:30,2026-01-16 05:10,90,x", "", "6 cells"),
        ("D1,Bus 17,2026-03-29 02:30,2026-03-29 05:10,90", "arrival", "does not exist"),
        ("D1,Bus 17,2026-10-25 02:30,2026-10-25 05:10,90", "arrival", "exists twice"),
    ],
)
def test_each_bad_row_is_named(row: str, column: str, reason: str) -> None:
    report = parsed(GOOD.replace("D1", "D0"), row)
    assert [(fault.row, fault.column) for fault in report.faults] == [(3, column)]
    assert reason in report.faults[0].reason


def test_all_faults_of_all_rows_are_listed_in_order() -> None:
    report = parsed("D1,Bus 99,x,y,abc", GOOD.replace("D1", "D2"))
    assert [fault.row for fault in report.faults] == [2, 2, 2, 2]
    assert {fault.column for fault in report.faults} == {
        "vehicle",
        "arrival",
        "departure",
        "target_soc_pct",
    }
    twice = parsed(GOOD, GOOD)
    assert [(fault.row, fault.column) for fault in twice.faults] == [(3, "id")]


def test_a_repeated_hour_with_an_offset_is_taken() -> None:
    report = parsed("D1,Bus 17,2026-10-25 02:30+01:00,2026-10-25 05:10,90")
    assert report.faults == ()
    assert report.duties[0].arrival_at == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_what_spreadsheets_write_is_read(separator: str, encoding: str) -> None:
    lines = [
        separator.join(["ID", "Vehicle", "Arrival", "Departure", "Target SoC pct", "note"]),
        separator.join(["D1", "Bus 17", "15.01.2026 18:30", "16.01.2026 5:10", '"87,5"', "früh"]),
        "",
        separator.join(["D2", "Bus 17", "16.01.2026 18:30", "17.01.2026 05:10", "80", ""]),
    ]
    report = parse_csv("\r\n".join(lines).encode(encoding), NAMES)
    assert report.faults == ()
    assert [duty.target_soc_pct for duty in report.duties] == [87.5, 80.0]
    assert report.duties[0].note == "früh"
    assert report.lines == (2, 4)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"\n\n  \n", "empty"),
        (b"id,arrival\x00", "binary"),
        (b"x" * 20_000_001, "larger"),
    ],
)
def test_files_that_are_none_are_refused_whole(content: bytes, reason: str) -> None:
    report = parse_csv(content, NAMES)
    assert [fault.row for fault in report.faults] == [0]
    assert reason in report.faults[0].reason
    assert report.duties == ()


def test_a_wrong_header_names_its_columns() -> None:
    report = parsed(GOOD, header="id,vehicle,arival,departure,target_soc_pct,id")
    assert {(f.row, f.column) for f in report.faults} == {
        (1, "arival"),
        (1, "arrival"),
        (1, "id"),
    }


def test_rows_after_a_line_break_in_quotes_keep_their_line_numbers() -> None:
    header = HEADER + ",note"
    report = parsed(GOOD + ',"two\nlines"', "D2,Bus 17,x,2026-01-16 05:10,90,", header=header)
    assert [fault.row for fault in report.faults] == [4]


def test_what_is_written_can_be_read_again() -> None:
    duties = parsed(GOOD, GOOD.replace("D1", "=D2").replace("90", "85.5")).duties
    text = write_csv(duties, SITE.zone, {BUS.id: BUS.name}, {})
    again = parse_csv(text.encode(), NAMES)
    assert again.faults == ()
    assert [duty.departure_at for duty in again.duties] == [duty.departure_at for duty in duties]
    assert [duty.target_soc_pct for duty in again.duties] == [90.0, 85.5]
    assert again.duties[1].external_id == "'=D2"


@pytest.mark.parametrize("day", [(2026, 3, 29), (2026, 10, 25)])
def test_every_local_time_of_a_clock_change_day_is_exact_or_refused(
    day: tuple[int, int, int],
) -> None:
    zone = ZoneInfo("Europe/Berlin")
    refused = 0
    for minute in range(0, 24 * 60, 10):
        text = f"{day[0]}-{day[1]:02}-{day[2]:02} {minute // 60:02}:{minute % 60:02}"
        try:
            at = instant(text, zone)
        except ValueError:
            refused += 1
            continue
        assert at.astimezone(zone).strftime("%Y-%m-%d %H:%M") == text
    assert refused == 6


def test_ids_of_read_duties_differ() -> None:
    ids: set[UUID] = {duty.id for duty in parsed(GOOD, GOOD.replace("D1", "D2")).duties}
    assert len(ids) == 2
