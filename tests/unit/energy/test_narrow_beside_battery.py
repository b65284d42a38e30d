"""A battery beside a cabinet too narrow for the usual time to spare."""

from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from voltyard.energy import planner
from voltyard.energy.model import PlanInput, PlanMode, Stay, Step, Storage
from voltyard.sites import tree as trees
from voltyard.sites.model import Node, NodeKind, NodeLimit

START_AT = datetime(2026, 1, 14, 18, 0, tzinfo=UTC)


def test_who_a_node_of_their_own_holds_up_is_planned_beside_a_battery() -> None:
    """Two share 50 kW and need 88 of the 100 kWh that it carries until they leave: a profile found
    with them done at the last moment does not carry them done some minutes earlier."""
    root = Node(UUID(int=1), NodeKind.GRID, "grid", None, (NodeLimit(power_w=300e3),))
    cabinet = Node(UUID(int=2), NodeKind.CABINET, "C", root.id, (NodeLimit(power_w=50e3),))
    leaves = [
        Node(UUID(int=10 + i), NodeKind.EVSE, "E", cabinet.id, (), UUID(int=20 + i))
        for i in range(2)
    ]
    stays = tuple(
        Stay(
            id=UUID(int=30 + i),
            arrival_at=START_AT,
            departure_at=START_AT + timedelta(hours=2),
            energy_needed_wh=44e3,
            max_power_w=50e3,
            evse_id=leaf.evse_id,
        )
        for i, leaf in enumerate(leaves)
    )
    prices = (300.0,) * 7 + (10.0,) * 5
    given = PlanInput(
        site_id=UUID(int=9),
        now=START_AT,
        horizon_end=START_AT + timedelta(hours=3),
        tree=trees.build([root, cabinet, *leaves], ZoneInfo("UTC")),
        stays=stays,
        prices=tuple(
            Step(START_AT + timedelta(minutes=15 * i), START_AT + timedelta(minutes=15 * i + 15), p)
            for i, p in enumerate(prices)
        ),
        mode=PlanMode.COST,
        storages=(Storage(UUID(int=8), root.id, 100e3, 50e3, 50e3, 50e3),),
    )
    made = planner.plan(given)
    assert not any(forecast.will_miss for forecast in made.forecasts.values())
