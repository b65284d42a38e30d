"""What a site's plans aim at: its own wish, its tariff's, else by whether anybody is announced."""

from uuid import UUID

import pytest

from voltyard.energy.model import PlanMode
from voltyard.energy.planning import mode_for
from voltyard.sites.commands import SiteDraft, site_from
from voltyard.sites.model import PlanFor


@pytest.mark.parametrize(
    ("wish", "tariff", "announced", "mode"),
    [
        (PlanFor.AUTO, None, True, PlanMode.PEAK),
        (PlanFor.AUTO, None, False, PlanMode.EARLY),
        (PlanFor.AUTO, PlanMode.COST, False, PlanMode.COST),
        (PlanFor.AUTO, PlanMode.COST, True, PlanMode.COST),
        (PlanFor.EARLY, PlanMode.COST, True, PlanMode.EARLY),
        (PlanFor.PEAK, None, False, PlanMode.PEAK),
        (PlanFor.PEAK, PlanMode.COST, True, PlanMode.PEAK),
    ],
)
def test_what_plans_of_a_site_aim_at(
    wish: PlanFor, tariff: PlanMode | None, announced: bool, mode: PlanMode
) -> None:
    site = site_from(SiteDraft("Yard", plan_for=wish), UUID(int=1), UUID(int=2))
    assert mode_for(site, tariff, PlanMode.PEAK, announced=announced) is mode
