"""What of a changed tree is a raise and waits, and what is a cut and never does."""

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from voltyard.sites import guarding, tree
from voltyard.sites.commands import TreeChange
from voltyard.sites.limits import lowest_limit_w
from voltyard.sites.model import Node, NodeKind, NodeLimit, Site

BERLIN = ZoneInfo("Europe/Berlin")
SITE = Site(uuid4(), uuid4(), "Nord", "Europe/Berlin")
GRID = Node(uuid4(), NodeKind.GRID, "Grid", None, (NodeLimit(power_w=500e3),))
FEEDER = Node(uuid4(), NodeKind.FEEDER, "F1", GRID.id, (NodeLimit(current_a=100.0),))
EVSE = Node(uuid4(), NodeKind.EVSE, "E1", FEEDER.id, (), uuid4())
TREE = [GRID, FEEDER, EVSE]


def changed(node: Node, **fields: object) -> list[Node]:
    after = replace(node, **fields)  # type: ignore[arg-type]
    return [after if each.id == node.id else each for each in TREE]


def limited(*limits: NodeLimit) -> list[Node]:
    return changed(GRID, limits=limits)


def test_lower_limits_more_limits_and_new_parts_do_not_wait() -> None:
    full = NodeLimit(power_w=500e3)
    evening = NodeLimit(power_w=200e3, from_time=time(17), to_time=time(20))
    for after in (
        TREE,
        limited(NodeLimit(power_w=400e3)),
        limited(full, evening),
        limited(NodeLimit(current_a=500.0)),  # 345 kW
        changed(FEEDER, limits=(NodeLimit(current_a=80.0), full)),
        changed(FEEDER, name="Feeder 1"),
        [*TREE, Node(uuid4(), NodeKind.EVSE, "E2", FEEDER.id, (), uuid4())],
    ):
        assert not guarding.raises(TREE, after)


def test_an_empty_part_may_go_and_one_may_be_put_between() -> None:
    empty = Node(uuid4(), NodeKind.FEEDER, "F2", GRID.id, (NodeLimit(power_w=1e5),))
    assert not guarding.raises([*TREE, empty], TREE)
    between = Node(uuid4(), NodeKind.CABINET, "C", FEEDER.id)
    after = [GRID, FEEDER, between, replace(EVSE, parent_id=between.id)]
    assert not guarding.raises(TREE, after)
    assert guarding.raises(after, TREE)  # it might have had limits: cannot be told apart


def test_raises_lifts_and_other_places_wait() -> None:
    window = NodeLimit(power_w=300e3, from_time=time(6), to_time=time(9))
    for after in (
        [],
        limited(NodeLimit(power_w=500e3 + 1)),
        limited(),
        limited(window),
        limited(NodeLimit(power_w=300e3, valid_from=date(2026, 2, 1))),
        changed(FEEDER, limits=()),
        changed(FEEDER, limits=(NodeLimit(power_w=60e3),)),  # 260 A in one phase
        changed(FEEDER, limits=(NodeLimit(current_a=90.0, phases=1),)),
        changed(EVSE, parent_id=GRID.id),
        changed(EVSE, evse_id=uuid4()),
        [GRID, FEEDER],
        [GRID, replace(EVSE, parent_id=GRID.id)],
    ):
        assert guarding.raises(TREE, after), after
    assert guarding.raises([], TREE)


def test_windows_are_compared_by_when_they_hold() -> None:
    weekdays = frozenset(range(5))
    old = NodeLimit(power_w=2e5, from_time=time(17), to_time=time(20), weekdays=weekdays)
    before = limited(NodeLimit(power_w=500e3), old)

    def after(**fields: object) -> bool:
        new = replace(old, **fields)  # type: ignore[arg-type]
        return guarding.raises(before, limited(NodeLimit(power_w=500e3), new))

    assert not after(power_w=1e5)
    assert not after(weekdays=frozenset(range(7)))
    assert after(weekdays=frozenset(range(4)))
    assert after(to_time=time(19))
    assert after(valid_to=date(2026, 3, 1))
    assert not guarding.raises(before, limited(NodeLimit(power_w=1e5)))


LIMIT = st.builds(
    NodeLimit,
    power_w=st.sampled_from((1e5, 2e5, 3e5)),
    from_time=st.sampled_from((None, time(6), time(17))),
    to_time=st.sampled_from((None, time(9), time(20))),
    weekdays=st.sets(st.integers(0, 6), min_size=1).map(frozenset),
    valid_from=st.sampled_from((None, date(2026, 1, 10))),
    valid_to=st.sampled_from((None, date(2026, 1, 20))),
)
BEGINS = datetime(2026, 1, 1, tzinfo=BERLIN)
INSTANTS = st.integers(0, 31 * 24).map(lambda hours: BEGINS + timedelta(hours=hours))


@settings(max_examples=150, deadline=None)
@given(st.lists(LIMIT, max_size=3), st.lists(LIMIT, max_size=3), st.lists(INSTANTS, max_size=6))
def test_what_does_not_wait_allows_no_more_at_any_instant(
    old: list[NodeLimit], new: list[NodeLimit], instants: list[datetime]
) -> None:
    before, after = limited(*old), limited(*new)
    if guarding.raises(before, after):
        return
    for at in instants:
        was = lowest_limit_w(before[0], at, at, BERLIN)
        assert lowest_limit_w(after[0], at, at, BERLIN) <= was


def test_a_change_is_kept_exactly_and_told_by_what_differs() -> None:
    removed = Node(uuid4(), NodeKind.FEEDER, "F2", GRID.id)
    before = [*TREE, removed]
    after = limited(NodeLimit(power_w=600e3, weekdays=frozenset({5, 6}), from_time=time(22)))
    change = guarding.tree_change(SITE, before, after, "node.limits")
    rows = [(row.of, row.what, row.before, row.after) for row in change.differences]
    assert rows == [
        ("Grid", "limits", "500 kW", "600 kW Sa,Su 22:00–24:00"),
        ("F2", "node_removed", "feeder · < Grid", ""),
    ]
    assert change.subject == "Nord"
    kept = msgspec.convert(msgspec.json.decode(msgspec.json.encode(change.data)), TreeChange)
    assert kept == change.data
    assert guarding.changing(kept)(list(before)) == after
    assert tree.build(after, BERLIN).root.name == "Grid"
    same = guarding.tree_change(SITE, before, after, "node.limits")
    assert same.base == change.base
    other = guarding.tree_change(SITE, TREE, after, "node.limits")
    assert other.base != change.base
