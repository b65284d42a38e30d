"""Changes that wait for a second person: proposals, decisions, and what waits at all."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response, Router, get, post, put
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from voltyard.api.caller import Deps, Who, remote_of
from voltyard.api.deps import AnyRequest
from voltyard.api.wire import In, Limit, Offset, Out, Page, Text, out
from voltyard.approvals.gate import BECAUSE, Proposed
from voltyard.approvals.model import (
    REASON_MAX,
    Kind,
    Proposal,
    ProposalFilter,
    State,
    Switches,
)
from voltyard.tenancy.access import require
from voltyard.tenancy.model import Permission

REASON_HEADER = "voltyard-reason"
Reason = Annotated[str, msgspec.Meta(max_length=REASON_MAX)]


class DifferenceOut(Out):
    """Empty is nothing there. ``of`` names the thing, ``what`` says what of it."""

    of: str
    what: str
    before: str
    after: str


class ProposalOut(Out):
    """A change that waits, or how it ended.

    ``payload`` is the exact change that ``action`` is carried out with; ``permission`` is what
    whoever decides needs. ``outcome`` holds ``result``, or ``code`` and ``message``.
    """

    id: UUID
    kind: Kind
    action: str
    permission: Permission
    subject: str
    site_id: UUID | None
    payload: Any
    differences: list[DifferenceOut]
    reason: str
    proposer_kind: str
    proposer_id: UUID
    proposer_name: str
    proposed_at: datetime
    expires_at: datetime
    state: State
    decided_by: UUID | None
    decided_name: str
    decided_at: datetime | None
    decision: str
    ended_at: datetime | None
    outcome: dict[str, Any]


class ApproveIn(In):
    reason: Reason = ""


class RefuseIn(In):
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=REASON_MAX)]


class SettingsIO(In):
    """``kinds`` that wait: limits, configuration, firmware. ``expires_s``: 5 minutes to 30 days."""

    kinds: list[Kind] = msgspec.field(default_factory=list)
    expires_s: int = 86_400


@get("/approvals", summary="Changes proposed, newest first")
async def proposals(
    deps: Deps,
    who: Who,
    limit: Limit = 50,
    offset: Offset = 0,
    kind: FromQuery[Kind | None] = None,
    only_state: Annotated[State | None, QueryParameter(name="state")] = None,
    text: Text = "",
) -> Page[ProposalOut]:
    wanted = ProposalFilter(kind=kind, state=only_state, text=text)
    found, total = await deps.approvals.page(who, wanted, limit=limit, offset=offset)
    items = [shown(proposal) for proposal in found]
    more = offset + len(items) < total
    return Page(items=items, limit=limit, offset=offset, total=total, more=more)


@get("/approvals/{proposal_id:uuid}", summary="One proposed change")
async def proposal(deps: Deps, who: Who, proposal_id: FromPath[UUID]) -> ProposalOut:
    return shown(await deps.approvals.one(who, proposal_id))


@post("/approvals/{proposal_id:uuid}/approve", summary="Have it carried out", status_code=200)
async def approve(
    deps: Deps,
    who: Who,
    request: AnyRequest,
    proposal_id: FromPath[UUID],
    data: JSONBody[ApproveIn],
) -> ProposalOut:
    """By a second person who is signed in and may do it themselves: ``second_person`` (403) else.

    Answers when it was carried out, with how that went: ``done``, ``failed``, or ``outdated``
    where what it rested on has changed meanwhile.
    """
    remote = remote_of(request)
    return shown(await deps.approvals.approve(who, proposal_id, data.reason, remote=remote))


@post("/approvals/{proposal_id:uuid}/refuse", summary="Have it not carried out", status_code=200)
async def refuse(
    deps: Deps,
    who: Who,
    request: AnyRequest,
    proposal_id: FromPath[UUID],
    data: JSONBody[RefuseIn],
) -> ProposalOut:
    """As ``approve``."""
    remote = remote_of(request)
    return shown(await deps.approvals.refuse(who, proposal_id, data.reason, remote=remote))


@post("/approvals/{proposal_id:uuid}/withdraw", summary="Take it back", status_code=200)
async def withdraw(
    deps: Deps, who: Who, request: AnyRequest, proposal_id: FromPath[UUID]
) -> ProposalOut:
    """By the proposer alone."""
    return shown(await deps.approvals.withdraw(who, proposal_id, remote=remote_of(request)))


@post("/approvals/{proposal_id:uuid}/reason", summary="Say why it is asked for", status_code=200)
async def explain(
    deps: Deps,
    who: Who,
    request: AnyRequest,
    proposal_id: FromPath[UUID],
    data: JSONBody[ApproveIn],
) -> ProposalOut:
    """By the proposer alone, while it waits. The header ``Voltyard-Reason`` says it at once."""
    remote = remote_of(request)
    return shown(await deps.approvals.explain(who, proposal_id, data.reason, remote=remote))


@post("/approvals/{proposal_id:uuid}/again", summary="Ask for the same anew", status_code=200)
async def again(deps: Deps, who: Who, proposal_id: FromPath[UUID]) -> ProposalOut:
    """By the proposer, of one that came to nothing, on what is there now. Waits again (202)."""
    await deps.approvals.again(who, proposal_id)
    return shown(await deps.approvals.one(who, proposal_id))


@get("/approval-settings", summary="Which changes wait for a second person")
async def settings(deps: Deps, who: Who) -> SettingsIO:
    require(who, Permission.VIEW)
    return _settings(deps.approvals.switches(who.org_id))


@put("/approval-settings", summary="Set which changes wait for a second person")
async def set_settings(
    deps: Deps, who: Who, request: AnyRequest, data: JSONBody[SettingsIO]
) -> SettingsIO:
    """``one_person`` (409): nobody else could approve. Switching off waits itself (202)."""
    wanted = Switches(frozenset(data.kinds), data.expires_s)
    return _settings(await deps.approvals.set_switches(who, wanted, remote=remote_of(request)))


def shown(found: Proposal) -> ProposalOut:
    rows = [out(DifferenceOut, row) for row in found.differences]
    return out(ProposalOut, found, differences=rows, outcome=dict(found.outcome))


def _settings(found: Switches) -> SettingsIO:
    return SettingsIO(kinds=sorted(found.kinds), expires_s=found.expires_s)


async def hear_why(request: AnyRequest) -> None:
    """Before every route: the reason a caller gives along with what they ask for."""
    said = request.headers.get(REASON_HEADER, "")
    BECAUSE.set(said.encode("latin-1", "replace").decode("utf-8", "replace").strip())


def on_proposed(request: AnyRequest, proposed: Proposed) -> Response[bytes]:
    """Not done and no failure: it waits."""
    found = proposed.proposal
    return Response(
        msgspec.json.encode(shown(found)),
        status_code=202,
        media_type="application/json",
        headers={"location": f"/api/v1/approvals/{found.id}"},
    )


MAY_WAIT = frozenset(
    {
        ("put", "/api/v1/sites/{site_id}"),
        ("delete", "/api/v1/sites/{site_id}"),
        ("put", "/api/v1/sites/{site_id}/tree"),
        ("post", "/api/v1/sites/{site_id}/nodes"),
        ("put", "/api/v1/sites/{site_id}/nodes/{node_id}"),
        ("delete", "/api/v1/sites/{site_id}/nodes/{node_id}"),
        ("put", "/api/v1/sites/{site_id}/nodes/{node_id}/limits"),
        ("post", "/api/v1/sites/{site_id}/nodes/{node_id}/emergency-limit"),
        ("post", "/api/v1/makes"),
        ("put", "/api/v1/makes/{make_id}"),
        ("delete", "/api/v1/makes/{make_id}"),
        ("post", "/api/v1/templates"),
        ("put", "/api/v1/templates/{template_id}"),
        ("delete", "/api/v1/templates/{template_id}"),
        ("patch", "/api/v1/stations/{station_id}"),
        ("put", "/api/v1/stations/{station_id}/evses/{number}"),
        ("post", "/api/v1/stations/{station_id}/commands"),
        ("post", "/api/v1/stations/{station_id}/ocpp"),
        ("put", "/api/v1/stations/{station_id}/configuration"),
        ("post", "/api/v1/stations/{station_id}/drift/repair"),
        ("post", "/api/v1/security/steps"),
        ("post", "/api/v1/stations/{station_id}/security-profile"),
        ("put", "/api/v1/stations/{station_id}/required-profile"),
        ("post", "/api/v1/firmware/campaigns"),
        ("post", "/api/v1/firmware/campaigns/{campaign_id}/resume"),
        ("post", "/api/v1/approvals/{proposal_id}/again"),
        ("put", "/api/v1/approval-settings"),
    }
)
"""Routes whose change may become a proposal: the description tells their 202."""

ROUTER = Router(
    path="/",
    tags=["Approvals"],
    route_handlers=[
        proposals,
        proposal,
        approve,
        refuse,
        withdraw,
        explain,
        again,
        settings,
        set_settings,
    ],
)
