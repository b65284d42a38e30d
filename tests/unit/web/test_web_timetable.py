"""The timetable's drawing."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from voltyard.web.console import views as v
from voltyard.web.console.timetable import draw

START = datetime(2026, 1, 14, 20, 0, tzinfo=UTC)
SITE = v.SiteView(uuid4(), "Nord", "UTC")


def table(*rows: v.TimetableRow, now: datetime = START + timedelta(hours=5)) -> v.Timetable:
    return v.Timetable(SITE, now, START, START + timedelta(hours=10), rows)


def row(**values: object) -> v.TimetableRow:
    base = {
        "duty_id": uuid4(),
        "vehicle": "BUS-1",
        "arrives_at": START + timedelta(hours=1),
        "departs_at": START + timedelta(hours=6),
        "outlook": v.Outlook.ON_TIME,
    }
    return v.TimetableRow(**(base | values))  # type: ignore[arg-type]


def label(at: datetime) -> str:
    return f"{at:%H:%M}"


def test_positions_are_percent_of_the_window() -> None:
    gantt = draw(table(row()), label)
    assert gantt.now_x == 50
    assert gantt.rows[0].window.x == 10
    assert gantt.rows[0].window.width == 50
    assert gantt.rows[0].departs_x == 60


def test_a_stay_beyond_the_window_is_cut() -> None:
    early = row(arrives_at=START - timedelta(days=1), departs_at=START + timedelta(days=1))
    drawn = draw(table(early), label).rows[0]
    assert (drawn.window.x, drawn.window.width) == (0, 100)


def test_bars_are_as_high_as_their_share_of_the_peak() -> None:
    hour = timedelta(hours=1)
    plan = (v.Stretch(START, START + hour, 50.0), v.Stretch(START + hour, START + 2 * hour, 100.0))
    first, second = draw(table(row(plan=plan)), label).rows[0].plan
    assert second.height == 2 * first.height
    assert first.y + first.height == second.y + second.height


def test_no_bar_without_power_or_outside_the_window() -> None:
    gone = v.Stretch(START - timedelta(hours=3), START - timedelta(hours=2), 90.0)
    idle = v.Stretch(START, START + timedelta(hours=1), 0.0)
    assert draw(table(row(plan=(gone, idle))), label).rows[0].plan == ()


def test_who_is_ready_has_its_mark_where_the_energy_ended() -> None:
    hour = timedelta(hours=1)
    done = (v.Stretch(START + 2 * hour, START + 4 * hour, 50.0),)
    ready = row(outlook=v.Outlook.READY, delivered=done, ready_at=START + 5 * hour)
    coming = row(delivered=done, ready_at=START + 5 * hour)
    marks = [mark.ready_x for mark in draw(table(ready, coming), label).rows]
    assert marks == [40, 50]


def test_late_duties_are_marked() -> None:
    drawn = draw(table(row(outlook=v.Outlook.AT_RISK), row()), label).rows
    assert [mark.late for mark in drawn] == [True, False]


def test_now_is_not_drawn_outside_the_window() -> None:
    assert draw(table(row(), now=START - timedelta(hours=2)), label).now_x is None


def test_midnight_stands_out() -> None:
    assert [text for _x, text, midnight in draw(table(), label).hours if midnight] == ["00:00"]
