"""Sites, areas, bays and the electrical tree with its limits."""

from datetime import date, time
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Router, delete, get, post, put
from litestar.params import FromPath, JSONBody

from voltyard.api.caller import Deps, Who, remote_of
from voltyard.api.deps import AnyRequest
from voltyard.api.wire import In, Limit, Name, Offset, Out, Page, out, sliced
from voltyard.errors import NotFound
from voltyard.ids import new_id
from voltyard.sites.commands import AreaDraft, BayDraft, NodeDraft, SiteDraft, UnknownToken
from voltyard.sites.model import EVERY_DAY, Node, NodeKind, NodeLimit, PlanFor

Watts = Annotated[float, msgspec.Meta(ge=0, le=1e9)]


class SiteIn(In):
    name: Name
    timezone: Annotated[str, msgspec.Meta(examples=["Europe/Berlin"])] = "Europe/Berlin"
    country: Annotated[str, msgspec.Meta(examples=["DE"])] = "DE"
    currency: Annotated[str, msgspec.Meta(examples=["EUR"])] = "EUR"
    unknown_token: UnknownToken = UnknownToken.ACCEPT
    """What happens to a token that nobody knows."""
    unknown_vehicle_power_w: Watts | None = None
    """Most power for a vehicle nobody recognised; null leaves it uncapped."""
    unknown_vehicle_priority: Annotated[int, msgspec.Meta(ge=1, le=9)] = 9
    plan_for: PlanFor = PlanFor.AUTO
    """What plans aim at once everybody is ready: the tariff's objective and, without a tariff,
    early charging while nobody is announced, the least peak while there are duties (auto); early
    charging always; the least peak always."""


class SiteOut(Out):
    id: UUID
    name: str
    timezone: str
    country: str
    currency: str
    unknown_token: str
    unknown_vehicle_power_w: float | None
    unknown_vehicle_priority: int
    plan_for: str


class AreaIn(In):
    name: Name
    position: int = 0


class AreaOut(Out):
    id: UUID
    name: str
    position: int


class BayIn(In):
    """``lane``: bays of one lane stand behind one another, ``position`` 0 at its way out."""

    name: Name
    area_id: UUID | None = None
    position: int = 0
    lane: Annotated[str, msgspec.Meta(max_length=60)] = ""


class BayOut(Out):
    id: UUID
    name: str
    area_id: UUID | None
    position: int
    lane: str


class LimitIO(In):
    """One limit: ``power_w`` in all, or ``current_a`` on each phase. The lowest that holds counts.

    Times are local to the site, ``to_time`` exclusive; a window with from ≥ to runs over
    midnight. Without times, weekdays and dates it always holds.
    """

    power_w: Watts | None = None
    current_a: Annotated[float, msgspec.Meta(ge=0, le=100_000)] | None = None
    phases: int = 3
    voltage_v: float = 230.0
    from_time: time | None = None
    to_time: time | None = None
    weekdays: Annotated[list[int], msgspec.Meta(description="0 is Monday.")] = msgspec.field(
        default_factory=lambda: list(range(7))
    )
    valid_from: date | None = None
    valid_to: date | None = None
    source: Annotated[str, msgspec.Meta(max_length=100)] = "contract"


class NodeIn(In):
    """A node of the tree; EVSE nodes name their EVSE."""

    kind: NodeKind
    name: Name
    parent_id: UUID | None = None
    limits: list[LimitIO] = msgspec.field(default_factory=list)
    evse_id: UUID | None = None


class NodeOut(Out):
    id: UUID
    kind: NodeKind
    name: str
    parent_id: UUID | None
    evse_id: UUID | None
    limits: list[LimitIO]


class TreeNodeIn(NodeIn):
    """``id`` of a node that is there already keeps it; a new node may bring its own."""

    id: UUID | None = None


class TreeIn(In):
    nodes: Annotated[list[TreeNodeIn], msgspec.Meta(min_length=1, max_length=20_000)]


class TreeOut(Out):
    nodes: list[NodeOut]


class LimitsIn(In):
    limits: Annotated[list[LimitIO], msgspec.Meta(max_length=200)]


@get("/sites", summary="Sites")
async def sites(deps: Deps, who: Who, limit: Limit = 100, offset: Offset = 0) -> Page[SiteOut]:
    return sliced(SiteOut, await deps.sites.sites(who), limit=limit, offset=offset)


@post("/sites", summary="Create a site")
async def create_site(deps: Deps, who: Who, request: AnyRequest, data: JSONBody[SiteIn]) -> SiteOut:
    made = await deps.sites.create_site(who, _site(data), remote=remote_of(request))
    return out(SiteOut, made)


@get("/sites/{site_id:uuid}", summary="One site")
async def site(deps: Deps, who: Who, site_id: FromPath[UUID]) -> SiteOut:
    return out(SiteOut, await deps.sites.site(who, site_id))


@put("/sites/{site_id:uuid}", summary="Change a site")
async def change_site(
    deps: Deps, who: Who, request: AnyRequest, site_id: FromPath[UUID], data: JSONBody[SiteIn]
) -> SiteOut:
    changed = await deps.sites.update_site(who, site_id, _site(data), remote=remote_of(request))
    return out(SiteOut, changed)


@delete("/sites/{site_id:uuid}", summary="Delete a site with its areas, bays, tree and duties")
async def delete_site(deps: Deps, who: Who, request: AnyRequest, site_id: FromPath[UUID]) -> None:
    await deps.sites.delete_site(who, site_id, remote=remote_of(request))


def _site(data: SiteIn) -> SiteDraft:
    return SiteDraft(**msgspec.structs.asdict(data))


@get("/sites/{site_id:uuid}/areas", summary="Areas of a site")
async def areas(
    deps: Deps, who: Who, site_id: FromPath[UUID], limit: Limit = 100, offset: Offset = 0
) -> Page[AreaOut]:
    return sliced(AreaOut, await deps.sites.areas(who, site_id), limit=limit, offset=offset)


@post("/sites/{site_id:uuid}/areas", summary="Create an area")
async def create_area(
    deps: Deps, who: Who, request: AnyRequest, site_id: FromPath[UUID], data: JSONBody[AreaIn]
) -> AreaOut:
    draft = AreaDraft(data.name, data.position)
    made = await deps.sites.save_area(who, site_id, draft, remote=remote_of(request))
    return out(AreaOut, made)


@put("/sites/{site_id:uuid}/areas/{area_id:uuid}", summary="Change an area")
async def change_area(
    deps: Deps,
    who: Who,
    request: AnyRequest,
    site_id: FromPath[UUID],
    area_id: FromPath[UUID],
    data: JSONBody[AreaIn],
) -> AreaOut:
    draft = AreaDraft(data.name, data.position)
    changed = await deps.sites.save_area(who, site_id, draft, area_id, remote=remote_of(request))
    return out(AreaOut, changed)


@delete("/sites/{site_id:uuid}/areas/{area_id:uuid}", summary="Delete an area")
async def delete_area(
    deps: Deps, who: Who, request: AnyRequest, site_id: FromPath[UUID], area_id: FromPath[UUID]
) -> None:
    await deps.sites.delete_area(who, site_id, area_id, remote=remote_of(request))


@get("/sites/{site_id:uuid}/bays", summary="Bays of a site")
async def bays(
    deps: Deps, who: Who, site_id: FromPath[UUID], limit: Limit = 100, offset: Offset = 0
) -> Page[BayOut]:
    return sliced(BayOut, await deps.sites.bays(who, site_id), limit=limit, offset=offset)


@post("/sites/{site_id:uuid}/bays", summary="Create a bay")
async def create_bay(
    deps: Deps, who: Who, request: AnyRequest, site_id: FromPath[UUID], data: JSONBody[BayIn]
) -> BayOut:
    draft = BayDraft(data.name, data.area_id, data.position, data.lane)
    made = await deps.sites.save_bay(who, site_id, draft, remote=remote_of(request))
    return out(BayOut, made)


@put("/sites/{site_id:uuid}/bays/{bay_id:uuid}", summary="Change a bay")
async def change_bay(
    deps: Deps,
    who: Who,
    request: AnyRequest,
    site_id: FromPath[UUID],
    bay_id: FromPath[UUID],
    data: JSONBody[BayIn],
) -> BayOut:
    draft = BayDraft(data.name, data.area_id, data.position, data.lane)
    changed = await deps.sites.save_bay(who, site_id, draft, bay_id, remote=remote_of(request))
    return out(BayOut, changed)


@delete("/sites/{site_id:uuid}/bays/{bay_id:uuid}", summary="Delete a bay")
async def delete_bay(
    deps: Deps, who: Who, request: AnyRequest, site_id: FromPath[UUID], bay_id: FromPath[UUID]
) -> None:
    await deps.sites.delete_bay(who, site_id, bay_id, remote=remote_of(request))


@get("/sites/{site_id:uuid}/tree", summary="The electrical tree, parents before children")
async def tree(deps: Deps, who: Who, site_id: FromPath[UUID]) -> TreeOut:
    return TreeOut(nodes=[_node_out(n) for n in await deps.sites.nodes(who, site_id)])


@put("/sites/{site_id:uuid}/tree", summary="Replace the whole tree")
async def replace_tree(
    deps: Deps, who: Who, request: AnyRequest, site_id: FromPath[UUID], data: JSONBody[TreeIn]
) -> TreeOut:
    """All or nothing: every fault is named by its path, such as ``nodes[3].limits[0].power_w``."""
    nodes = [
        Node(
            given.id or new_id(),
            given.kind,
            given.name,
            given.parent_id,
            _limits(given.limits),
            given.evse_id,
        )
        for given in data.nodes
    ]
    built = await deps.sites.replace_tree(who, site_id, nodes, remote=remote_of(request))
    return TreeOut(nodes=[_node_out(node) for node in built.nodes])


@post("/sites/{site_id:uuid}/nodes", summary="Add a node")
async def create_node(
    deps: Deps, who: Who, request: AnyRequest, site_id: FromPath[UUID], data: JSONBody[NodeIn]
) -> NodeOut:
    made = await deps.sites.add_node(who, site_id, _draft(data), remote=remote_of(request))
    return _node_out(made)


@get("/sites/{site_id:uuid}/nodes/{node_id:uuid}", summary="One node")
async def node(deps: Deps, who: Who, site_id: FromPath[UUID], node_id: FromPath[UUID]) -> NodeOut:
    for known in await deps.sites.nodes(who, site_id):
        if known.id == node_id:
            return _node_out(known)
    raise NotFound("There is no such node.")


@put("/sites/{site_id:uuid}/nodes/{node_id:uuid}", summary="Change a node")
async def change_node(
    deps: Deps,
    who: Who,
    request: AnyRequest,
    site_id: FromPath[UUID],
    node_id: FromPath[UUID],
    data: JSONBody[NodeIn],
) -> NodeOut:
    changed = await deps.sites.update_node(
        who, site_id, node_id, _draft(data), remote=remote_of(request)
    )
    return _node_out(changed)


@put("/sites/{site_id:uuid}/nodes/{node_id:uuid}/limits", summary="Set a node's limits")
async def set_limits(
    deps: Deps,
    who: Who,
    request: AnyRequest,
    site_id: FromPath[UUID],
    node_id: FromPath[UUID],
    data: JSONBody[LimitsIn],
) -> NodeOut:
    changed = await deps.sites.set_limits(
        who, site_id, node_id, _limits(data.limits), remote=remote_of(request)
    )
    return _node_out(changed)


@delete("/sites/{site_id:uuid}/nodes/{node_id:uuid}", summary="Delete a node without children")
async def delete_node(
    deps: Deps, who: Who, request: AnyRequest, site_id: FromPath[UUID], node_id: FromPath[UUID]
) -> None:
    await deps.sites.delete_node(who, site_id, node_id, remote=remote_of(request))


def _draft(data: NodeIn) -> NodeDraft:
    return NodeDraft(data.kind, data.name, data.parent_id, _limits(data.limits), data.evse_id)


def _limits(given: list[LimitIO]) -> tuple[NodeLimit, ...]:
    return tuple(
        NodeLimit(**{**msgspec.structs.asdict(limit), "weekdays": frozenset(limit.weekdays)})
        for limit in given
    )


def _node_out(node: Node) -> NodeOut:
    limits = [
        out(LimitIO, limit, weekdays=sorted(limit.weekdays or EVERY_DAY)) for limit in node.limits
    ]
    return out(NodeOut, node, limits=limits)


ROUTER = Router(
    path="/",
    tags=["Sites"],
    route_handlers=[
        sites,
        create_site,
        site,
        change_site,
        delete_site,
        areas,
        create_area,
        change_area,
        delete_area,
        bays,
        create_bay,
        change_bay,
        delete_bay,
        tree,
        replace_tree,
        create_node,
        node,
        change_node,
        set_limits,
        delete_node,
    ],
)
