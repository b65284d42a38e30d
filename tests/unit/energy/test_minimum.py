"""Under overload everybody's minimum is planned before anybody's rest, by any curve of arrivals."""

from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from voltyard.energy.model import PlanInput, Stay
from voltyard.energy.planner import plan
from voltyard.sites.model import ElectricalTree, Node, NodeKind, NodeLimit

START = datetime(2026, 1, 1, 18, tzinfo=UTC)
ROOT = Node(UUID(int=1), NodeKind.GRID, "grid", None, (NodeLimit(power_w=200_000.0),))
TREE = ElectricalTree((ROOT,), ZoneInfo("UTC"), {ROOT.id: ROOT}, {})


def stays(seed: int, least: float) -> tuple[Stay, ...]:
    chance = Random(seed)
    found = []
    for number in range(20):
        arrival_at = START + timedelta(minutes=chance.uniform(0.0, 300.0))
        need_wh = chance.uniform(60e3, 300e3)
        found.append(
            Stay(
                id=UUID(int=100 + number),
                arrival_at=arrival_at,
                departure_at=arrival_at + timedelta(hours=chance.uniform(6.0, 10.0)),
                energy_needed_wh=need_wh,
                max_power_w=100e3,
                least_wh=least * need_wh,
                priority=chance.choice((3, 5)),
            )
        )
    return tuple(found)


def planned(seed: int, least: float) -> dict[UUID, float]:
    """The share of its need that each is promised."""
    asked = stays(seed, least)
    made = plan(PlanInput(ROOT.id, START, START + timedelta(hours=24), TREE, asked))
    assert made.stats.overload
    return {stay.id: made.allotted_wh[stay.id] / stay.energy_needed_wh for stay in asked}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nobody_is_left_below_the_minimum_while_somebody_has_more(seed: int) -> None:
    without, having = planned(seed, 0.0), planned(seed, 0.4)
    assert min(without.values()) < 0.3
    assert min(having.values()) >= 0.399
    assert sum(share >= 0.98 for share in having.values()) >= 2, "what is left makes whole vehicles"


def test_where_not_even_minimums_fit_the_more_important_have_theirs() -> None:
    having, asked = planned(1, 1.0), stays(1, 1.0)
    first = [having[stay.id] for stay in asked if stay.priority == 3]
    last = [having[stay.id] for stay in asked if stay.priority == 5]
    assert min(first) >= max(0.98, min(last))
    assert min(last) < 0.5
