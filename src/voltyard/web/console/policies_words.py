"""Words for policies of sites."""

from collections.abc import Mapping

from voltyard.energy.policies.base import Who
from voltyard.energy.policies.blocks import BlockKind
from voltyard.energy.policies.visitors import Order
from voltyard.web.i18n import N_

WHO: Mapping[Who, str] = {
    Who.ANY: N_("All vehicles"),
    Who.FLEET: N_("Fleet: with a duty, or a vehicle of ours"),
    Who.VISITORS: N_("Visitors"),
}
KINDS: Mapping[BlockKind, str] = {
    BlockKind.RESERVE: N_("Kept free for"),
    BlockKind.CAP: N_("No more for"),
}
ORDERS: Mapping[Order, str] = {
    Order.TURNS: N_("Full power by turns"),
    Order.EQUAL: N_("The same power for all"),
    Order.FIRST_COME: N_("Who came first is served first"),
}
