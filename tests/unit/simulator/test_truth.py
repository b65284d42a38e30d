"""The referee itself: it must see every exceedance, and only those."""

from datetime import UTC, datetime, time, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from voltyard.simulator.truth import check
from voltyard.sites.model import ElectricalTree, Node, NodeKind, NodeLimit
from voltyard.sites.tree import build

ZONE = ZoneInfo("Europe/Berlin")
START = datetime(2026, 1, 15, 17, 0, tzinfo=UTC)
END = START + timedelta(hours=12)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def two_outlets(limit: NodeLimit) -> tuple[ElectricalTree, UUID, UUID]:
    root, a, b = uuid4(), uuid4(), uuid4()
    nodes = (
        Node(root, NodeKind.GRID, "grid", None, (limit,)),
        Node(uuid4(), NodeKind.EVSE, "a", root, (), a),
        Node(uuid4(), NodeKind.EVSE, "b", root, (), b),
    )
    return build(nodes, ZONE), a, b


def test_sum_over_the_limit_for_a_moment_is_seen_with_its_length_and_excess() -> None:
    tree, a, b = two_outlets(NodeLimit(power_w=100_000))
    steps = {a: [(at(0), 60_000.0)], b: [(at(10), 50_000.0), (at(12), 30_000.0)]}
    truth = check(tree, steps, START, END)
    (found,) = truth.exceedances
    assert (found.node, found.start_at, found.end_at) == ("grid", at(10), at(12))
    assert found.excess_w == 10_000.0
    assert truth.root_peak_w == 110_000.0


def test_a_hand_over_at_one_instant_is_no_exceedance() -> None:
    tree, a, b = two_outlets(NodeLimit(power_w=100_000))
    steps = {a: [(at(0), 100_000.0), (at(30), 0.0)], b: [(at(30), 100_000.0)]}
    assert check(tree, steps, START, END).exceedances == ()


def test_a_limit_that_falls_while_power_stands_still_is_seen() -> None:
    tree, a, _ = two_outlets(NodeLimit(power_w=100_000))
    evening = NodeLimit(power_w=40_000, from_time=time(20), to_time=time(21))
    root = tree.root
    nodes = (Node(root.id, root.kind, root.name, None, (*root.limits, evening)), *tree.nodes[1:])
    truth = check(build(nodes, ZONE), {a: [(at(0), 50_000.0)]}, START, END)
    (found,) = truth.exceedances
    assert found.start_at == datetime(2026, 1, 15, 19, 0, tzinfo=UTC)
    assert found.duration_s == 3600


def test_power_that_never_ends_over_the_limit_is_counted_to_the_end() -> None:
    tree, a, _ = two_outlets(NodeLimit(power_w=10_000))
    (found,) = check(tree, {a: [(at(60), 10_500.0)]}, START, END).exceedances
    assert found.end_at == END
