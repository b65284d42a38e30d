"""When more bays are needed, in figures known by hand, and in words."""

from dataclasses import replace
from datetime import timedelta

import pytest
from test_study import EVENING, depot, run

from voltyard.study import charts, growth, pdf, report
from voltyard.study.desk import Desk, Moment, Wanted
from voltyard.study.model import Grown, Outcome, Room, Shortage, Study, parse
from voltyard.study.past import Gap, Remark, filled, usual_day
from voltyard.study.pictures import svg
from voltyard.study.scenario import Scenario, apply, crowded
from voltyard.study.wording import Wording

QUARTER = timedelta(minutes=15)


def roomy(chargers: int, limit_kw: int) -> Scenario:
    """Two buses at so many chargers; each takes an hour alone and is there for four."""
    return apply(depot(2), parse(f"chargers={chargers} limit={limit_kw}"))


def room_of(base: Scenario) -> Room:
    return growth.room(base, run(base, "base"), 600.0, run)


def test_where_chargers_are_all_taken_the_next_vehicle_needs_a_bay() -> None:
    found = room_of(roomy(2, 400))
    assert (found.most, found.fails_at, found.lacks) == (0, 1, Shortage.BAYS)
    assert found.tried == ((0, 2, 2), (1, 2, 3), (2, 2, 4))
    assert found.ladder[0] == Grown(0, 2, 2, 1)
    assert found.ladder[-1] == Grown(2, 4, 4, 2)


def test_where_the_connection_is_full_the_power_is_missing() -> None:
    """26 kW serve two in four hours (24.5 needed) and not three."""
    found = room_of(roomy(8, 26))
    assert (found.most, found.fails_at, found.lacks) == (0, 1, Shortage.POWER)


def test_twice_as_many_is_where_the_question_ends() -> None:
    found = room_of(roomy(4, 400))
    assert (found.most, found.fails_at, found.lacks) == (2, None, None)
    assert found.tried == ((0, 2, 2), (2, 4, 4))


def test_added_vehicles_use_the_chargers_there_are() -> None:
    crowd = crowded(roomy(3, 400), 2)
    assert (len(crowd.case.outlets), crowd.stays, len(crowd.unplugged)) == (3, 4, 1)


def test_progress_never_falls_and_ends_near_the_whole() -> None:
    told: list[Moment] = []
    base = roomy(4, 400)
    study = Desk(Wanted(limits=False, quick=True), lambda moment, _: told.append(moment)).study(
        base, [parse("limit=30")]
    )
    shares = [moment.share for moment in told]
    assert shares == sorted(shares)
    assert 0.0 <= shares[0] < 0.2
    assert shares[-1] > 0.5
    assert [moment.stage for moment in told][-1] == "room"
    assert study.room is not None
    assert study.chargers["staying"].amount == 2


def a_study(room: Room, yearly: float = 0.0) -> Study:
    base = run(depot(2), "base")
    return Study("x", "Europe/Berlin", EVENING, EVENING, "cost", base, room=room, yearly=yearly)


@pytest.mark.parametrize(
    ("room", "yearly", "lines"),
    [
        (
            Room(20, 3, 4, Shortage.BAYS, (), (Grown(0, 20, 9, 4),)),
            3.0,
            [
                "What is installed serves 3 more; from 24 vehicles on more bays are needed.",
                "With 3 more a year that is reached in year 2.",
            ],
        ),
        (
            Room(20, 20, None, None, (), (Grown(0, 20, 9, 4),)),
            3.0,
            [
                "No more bays are needed: what is installed serves twice as many vehicles (40).",
            ],
        ),
    ],
)
def test_the_advice_in_words(room: Room, yearly: float, lines: list[str]) -> None:
    study = a_study(room, yearly)
    assert Wording().advice(study) == lines
    picture = svg(charts.bays(room, study.base.chargers, Wording()))
    assert "installed" in picture
    assert "<script" not in picture


def test_cases_are_read_out() -> None:
    words = Wording(currency="CHF")
    text = words.case("limit=80% vehicles=+2 price=220 night=22-6:140 battery=500/250")
    assert text == (
        "Grid at 80 %, 2 more vehicles, 220 CHF/MWh, 140 from 22 to 6 h, Battery 500 kWh, 250 kW"
    )
    assert words.case("base") == "As it is"
    assert words.case("anything else") == "anything else"


def test_every_gap_has_words() -> None:
    notes = Wording().notes([Remark(gap, 3, 80) for gap in Gap])
    assert len(notes) == len(Gap)
    assert notes[0].startswith("3 of 80 sessions have no state of charge")


def test_a_pdf_holds_any_name_and_is_the_same_twice() -> None:
    study = a_study(Room(2, 0, 1, Shortage.BAYS, ((0, 2, 2), (1, 2, 3)), (Grown(0, 2, 2, 1),)))
    late: Outcome = replace(study.base, name="limit=9", ready=1, missed=("Łódź <b> 東京",))
    study = replace(study, what_ifs=(late,))
    first = pdf.pdf(study, Wording(), "Depot “Süd” ≥ 漢", ["A note & more"])
    assert first.startswith(b"%PDF-")
    assert first == pdf.pdf(study, Wording(), "Depot “Süd” ≥ 漢", ["A note & more"])
    assert report.as_csv(study).splitlines()[2].startswith("limit=9,")


def test_gaps_of_a_series_are_filled_from_other_days() -> None:
    known = {EVENING + n * QUARTER: float(n % 96) for n in range(96)}
    series, missing = filled(known, EVENING, 2 * 96)
    assert missing == 96
    assert series[:96] == series[96:]
    assert filled({}, EVENING, 2) == ((0.0, 0.0), 2)
    assert usual_day([1.0] * 96 + [3.0] * 96, EVENING) == (2.0,) * 192
    assert usual_day([1.0, 3.0], EVENING) == (1.0, 3.0)
