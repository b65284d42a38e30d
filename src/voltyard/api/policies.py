"""What a site wants of its charging beyond limits and readiness: who goes first, when, how much."""

from datetime import time
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Router, get, put
from litestar.params import FromPath, JSONBody

from voltyard.api.caller import Deps, Who, remote_of
from voltyard.api.deps import AnyRequest
from voltyard.api.wire import In
from voltyard.energy.policies.base import Who as WhoIsMeant
from voltyard.energy.policies.blocks import BlockKind
from voltyard.energy.policies.registry import SitePolicies, payload
from voltyard.energy.policies.visitors import Order

Key = Annotated[str, msgspec.Meta(min_length=1, max_length=40)]


class GroupIn(In):
    """Vehicles that are treated alike; empty ``vehicle_classes`` and ``node_ids`` mean all, a node
    stands for the outlets below it. ``fleet``: with a duty, or a vehicle of yours."""

    key: Key
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    who: WhoIsMeant = WhoIsMeant.ANY
    vehicle_classes: list[str] = msgspec.field(default_factory=list)
    node_ids: list[UUID] = msgspec.field(default_factory=list)


class GroupsIn(In):
    """In order of importance; a vehicle is in the first that fits, in none it comes last."""

    groups: Annotated[list[GroupIn], msgspec.Meta(max_length=20)] = msgspec.field(
        default_factory=list
    )


class ReadyByIn(In):
    """Everybody of these groups (empty: all) gets to this before anybody gets more."""

    minimum_soc_pct: float | None = None
    groups: list[Key] = msgspec.field(default_factory=list)


class CheapestIn(In):
    """These groups charge in the cheapest hours of each day, or up to a price per MWh, alone."""

    groups: list[Key] = msgspec.field(default_factory=list)
    hours: float = 4.0
    price_max: float | None = None


class BlockIn(In):
    """``reserve``: so much is kept for the group. ``cap``: the group (empty: the whole site) takes
    no more. Local times, ``to_time`` exclusive; weekdays 0 is Monday."""

    kind: BlockKind
    power_w: float
    group: Annotated[str, msgspec.Meta(max_length=40)] = ""
    from_time: time | None = None
    to_time: time | None = None
    weekdays: list[int] = msgspec.field(default_factory=lambda: list(range(7)))


class BlocksIn(In):
    blocks: Annotated[list[BlockIn], msgspec.Meta(max_length=50)] = msgspec.field(
        default_factory=list
    )


class ChargeNowIn(In):
    """Whether a session that a person put first charges at once, whatever the plan says."""

    enabled: bool = True


class VisitorsIn(In):
    """How those without a duty who are no vehicle of yours share, and how much of what the others
    leave at the grid connection."""

    order: Order = Order.TURNS
    share_pct: float = 100.0


class PoliciesIn(In):
    """All at once; what is left out is as if never set."""

    groups: GroupsIn = msgspec.field(default_factory=GroupsIn)
    ready_by: ReadyByIn = msgspec.field(default_factory=ReadyByIn)
    cheapest: CheapestIn = msgspec.field(default_factory=CheapestIn)
    blocks: BlocksIn = msgspec.field(default_factory=BlocksIn)
    charge_now: ChargeNowIn = msgspec.field(default_factory=ChargeNowIn)
    visitors: VisitorsIn = msgspec.field(default_factory=VisitorsIn)


class PoliciesOut(PoliciesIn):
    """As they are in force."""


@get("/sites/{site_id:uuid}/policies", summary="What the site wants of its charging")
async def policies(deps: Deps, who: Who, site_id: FromPath[UUID]) -> PoliciesOut:
    return _shown(await deps.policies.policies(who, site_id))


@put("/sites/{site_id:uuid}/policies", summary="Set what the site wants of its charging")
async def set_policies(
    deps: Deps, who: Who, request: AnyRequest, site_id: FromPath[UUID], data: JSONBody[PoliciesIn]
) -> PoliciesOut:
    """All policies at once; obeyed within seconds, by limits and plans alike."""
    wanted: dict[str, Any] = msgspec.to_builtins(data)
    made = await deps.policies.replace(who, site_id, wanted, remote=remote_of(request))
    return _shown(made)


def _shown(found: SitePolicies) -> PoliciesOut:
    return msgspec.convert(payload(found), PoliciesOut)


ROUTER = Router(path="/", tags=["Policies"], route_handlers=[policies, set_policies])
