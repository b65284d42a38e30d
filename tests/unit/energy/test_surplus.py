"""What plans may expect to be fed into the grid, from the meter at the grid connection."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from tests.unit.energy.energy_cases import EVENING, flat_tree
from voltyard.energy.loadforecast import forecast_steps, surplus_steps
from voltyard.energy.otherload import Metered, OtherLoad
from voltyard.energy.ports import PlanPrices

SITE = UUID(int=9)
TREE = flat_tree(100e3, 1)
METER = Metered(
    UUID(int=5), TREE.root.id, True, 2_000.0, True, 0.0, 0.0, at=EVENING, power_w=-30_000.0
)


class Inputs:
    """One meter; the sun shines for the first hour."""

    def __init__(self, *metered: Metered) -> None:
        self._metered = metered

    def metered(self, site_id: UUID) -> Sequence[Metered]:
        return self._metered

    def saw(self, site_id: UUID, loads_w: Mapping[UUID, float], power_w: float) -> None: ...

    def forecast(
        self, meter_id: UUID, present_w: float | None, starts: Sequence[datetime]
    ) -> list[float] | None:
        return [-30e3 if at < EVENING + timedelta(hours=1) else 4e3 for at in starts]

    def prices(self, site_id: UUID, from_at: datetime, until_at: datetime) -> PlanPrices:
        return PlanPrices()


def steps(inputs: Inputs) -> list[float]:
    until_at = EVENING + timedelta(hours=2)
    return [s.value for s in surplus_steps(inputs, SITE, TREE, {}, EVENING, until_at)]


def test_the_margin_is_kept_and_limits_see_no_generation() -> None:
    inputs = Inputs(METER)
    assert steps(inputs) == [28e3] * 4 + [0.0] * 5
    until_at = EVENING + timedelta(hours=2)
    loads = forecast_steps(inputs, SITE, TREE, {}, EVENING, until_at)[TREE.root.id]
    assert [s.value for s in loads] == [2e3] * 4 + [6e3] * 5


@pytest.mark.parametrize(
    "meter",
    [
        replace(METER, known=False),
        replace(METER, all=False),
        replace(METER, node_id=TREE.nodes[1].id),
    ],
)
def test_nothing_is_expected_of_a_silent_meter_or_of_one_that_sees_a_part(meter: Metered) -> None:
    assert steps(Inputs(meter)) == []


def test_the_site_feeds_in_what_its_meter_shows_and_nothing_of_it_counts_under_limits() -> None:
    load = OtherLoad()
    load.take([METER], [], TREE)
    assert load.seen_w() == {METER.meter_id: -30e3}
    assert load.net_w(TREE) == -30e3
    assert load.at_nodes(TREE) == {TREE.root.id: 2e3}
