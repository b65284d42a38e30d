"""Policies of random depots: any of them, drawn at random, must never break a limit."""

from datetime import date, datetime, time, timedelta
from random import Random

from voltyard.energy.model import Step
from voltyard.energy.policies.atonce import ChargeNow
from voltyard.energy.policies.base import Group, Who
from voltyard.energy.policies.blocks import Block, BlockKind, TimeBlocks
from voltyard.energy.policies.cheapest import CheapestOnly
from voltyard.energy.policies.groups import PriorityGroups
from voltyard.energy.policies.readyby import ReadyBy
from voltyard.energy.policies.registry import SitePolicies
from voltyard.energy.policies.visitors import Order, VisitorsShare
from voltyard.sites.model import ElectricalTree

DAY = date(2026, 1, 15)


def random_policies(chance: Random, tree: ElectricalTree) -> SitePolicies:
    """Half of all sites have none but the usual."""
    if chance.random() < 0.5:
        return SitePolicies()
    nodes = [node.id for node in tree.nodes]
    groups = (
        Group("first", "First", chance.choice(list(Who)), (), (chance.choice(nodes),)),
        Group("fleet", "Fleet", Who.FLEET),
    )
    keys = [group.key for group in groups]
    blocks = tuple(_block(chance, keys) for _ in range(chance.randint(0, 3)))
    least_pct = chance.choice((None, 60.0, 95.0))
    return SitePolicies(
        groups=PriorityGroups(groups),
        ready_by=ReadyBy(least_pct),
        cheapest=CheapestOnly((chance.choice(keys),) if chance.random() < 0.4 else (), 1.0),
        blocks=TimeBlocks(blocks),
        charge_now=ChargeNow(chance.random() < 0.8),
        visitors=VisitorsShare(chance.choice(list(Order)), chance.choice((30.0, 100.0))),
    )


def _block(chance: Random, keys: list[str]) -> Block:
    kind = chance.choice(list(BlockKind))
    group = chance.choice(keys if kind is BlockKind.RESERVE else [*keys, ""])
    begins = datetime.combine(DAY, time(18)) + timedelta(minutes=chance.randint(5, 90))
    ends = begins + timedelta(minutes=chance.randint(5, 60))
    power_w = chance.uniform(10_000.0, 150_000.0)
    return Block(kind, power_w, group, begins.time(), ends.time())


def random_prices(chance: Random, since: datetime) -> tuple[Step, ...]:
    """By quarter hours, for a day."""
    starts = [since + timedelta(minutes=15 * quarter) for quarter in range(96)]
    return tuple(Step(at, at + timedelta(minutes=15), chance.uniform(0, 300)) for at in starts)
