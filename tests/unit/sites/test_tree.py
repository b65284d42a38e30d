"""A tree that could not be guarded is refused, with the path of each fault."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, time
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from voltyard.errors import Invalid
from voltyard.sites.model import Node, NodeKind, NodeLimit
from voltyard.sites.tree import build

ZONE = ZoneInfo("Europe/Berlin")
GRID = Node(UUID(int=1), NodeKind.GRID, "grid", None, (NodeLimit(power_w=100e3),))
FEEDER = Node(UUID(int=2), NodeKind.FEEDER, "F1", GRID.id)
EVSE = Node(UUID(int=3), NodeKind.EVSE, "E1", FEEDER.id, evse_id=UUID(int=30))


def faults(*nodes: Node) -> dict[str, str]:
    with pytest.raises(Invalid) as refused:
        build(nodes, ZONE)
    assert refused.value.code == "tree_invalid"
    return dict(refused.value.fields)


def limited(**fields: object) -> Sequence[Node]:
    return [replace(GRID, limits=(NodeLimit(**fields),)), FEEDER, EVSE]  # type: ignore[arg-type]


def test_root_comes_first_and_parents_before_children() -> None:
    tree = build([EVSE, FEEDER, GRID], ZONE)
    assert [node.id for node in tree.nodes] == [GRID.id, FEEDER.id, EVSE.id]
    assert [n.name for n in tree.path_of_evse(UUID(int=30))] == ["E1", "F1", "grid"]
    assert tree.leaf_of_evse == {UUID(int=30): EVSE}


def test_no_root() -> None:
    assert "nodes" in faults()


def test_two_roots() -> None:
    second = replace(GRID, id=UUID(int=9))
    assert set(faults(GRID, second)) == {"nodes[1].parent_id"}


def test_root_must_be_the_grid_connection_and_limited() -> None:
    root = replace(GRID, kind=NodeKind.FEEDER, limits=())
    assert set(faults(root, FEEDER, EVSE)) == {"nodes[0].kind", "nodes[0].limits"}


def test_grid_connection_below_another_node() -> None:
    assert set(faults(GRID, replace(FEEDER, kind=NodeKind.GRID), EVSE)) == {"nodes[1].kind"}


def test_cycle() -> None:
    first = replace(FEEDER, parent_id=UUID(int=5))
    second = replace(FEEDER, id=UUID(int=5), parent_id=FEEDER.id)
    assert set(faults(GRID, first, second)) == {"nodes[1].parent_id", "nodes[2].parent_id"}


def test_unknown_parent() -> None:
    assert set(faults(GRID, FEEDER, replace(EVSE, parent_id=UUID(int=77)))) == {
        "nodes[2].parent_id"
    }


def test_node_below_an_evse() -> None:
    below = replace(FEEDER, id=UUID(int=8), parent_id=EVSE.id)
    assert set(faults(GRID, FEEDER, EVSE, below)) == {"nodes[3].parent_id"}


def test_same_node_or_evse_twice() -> None:
    again = replace(EVSE, id=UUID(int=8))
    assert set(faults(GRID, FEEDER, EVSE, again)) == {"nodes[3].evse_id"}
    assert "nodes[3].id" in faults(GRID, FEEDER, EVSE, replace(EVSE, evse_id=UUID(int=31)))


def test_evse_node_and_evse_belong_together() -> None:
    assert set(faults(GRID, FEEDER, replace(EVSE, evse_id=None))) == {"nodes[2].evse_id"}
    assert set(faults(GRID, replace(FEEDER, evse_id=UUID(int=31)), EVSE)) == {"nodes[1].evse_id"}


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({}, "power_w"),
        ({"power_w": 1.0, "current_a": 1.0}, "power_w"),
        ({"power_w": 0.0}, "power_w"),
        ({"power_w": -1.0}, "power_w"),
        ({"power_w": float("inf")}, "power_w"),
        ({"power_w": float("nan")}, "power_w"),
        ({"current_a": float("nan")}, "current_a"),
        ({"current_a": 32.0, "phases": 4}, "phases"),
        ({"current_a": 32.0, "voltage_v": 0.0}, "voltage_v"),
        ({"power_w": 1.0, "weekdays": frozenset()}, "weekdays"),
        ({"power_w": 1.0, "weekdays": frozenset({7})}, "weekdays"),
        (
            {"power_w": 1.0, "valid_from": date(2026, 2, 1), "valid_to": date(2026, 1, 1)},
            "valid_to",
        ),
        ({"power_w": 1.0, "from_time": time(1, tzinfo=ZONE)}, "from_time"),
    ],
)
def test_meaningless_limit(fields: dict[str, object], fault: str) -> None:
    assert set(faults(*limited(**fields))) == {f"nodes[0].limits[0].{fault}"}


def test_nothing_at_all_may_be_allowed_in_a_window() -> None:
    closed = NodeLimit(power_w=0.0, from_time=time(17), to_time=time(19))
    build([replace(GRID, limits=(*GRID.limits, closed)), FEEDER, EVSE], ZONE)


def test_every_fault_is_reported_at_once() -> None:
    bad = replace(EVSE, evse_id=None, limits=(NodeLimit(power_w=-1.0),))
    assert set(faults(replace(GRID, limits=()), FEEDER, bad)) == {
        "nodes[0].limits",
        "nodes[2].evse_id",
        "nodes[2].limits[0].power_w",
    }
