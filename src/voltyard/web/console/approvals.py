"""Changes that wait for a second person: seen, decided, taken back; and which ones wait."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect, Stream

from voltyard.approvals.gate import Proposed
from voltyard.approvals.model import (
    CHOOSABLE,
    Kind,
    Proposal,
    ProposalFilter,
    State,
    Switches,
)
from voltyard.approvals.service import ApprovalService
from voltyard.errors import NotFound, VoltyardError
from voltyard.tenancy.model import Permission
from voltyard.web.console import approval_words
from voltyard.web.console.common import paging, posted, query, search_text
from voltyard.web.console.tokens import remote_of
from voltyard.web.console.views import Page, Paging
from voltyard.web.export import Cell, csv_stream
from voltyard.web.ui import AnyRequest, Ui

HEADER = (
    "proposed_at", "kind", "subject", "changes", "proposed_by", "reason", "state", "decided_by",
    "decided_at", "decision", "expires_at", "ended_at", "outcome", "id",
)  # fmt: skip
HOUR_S = 3600


def room_of(ui: Ui) -> ApprovalService:
    """Raises NotFound where there are no approvals behind the console."""
    if ui.deps.approvals is None:
        raise NotFound("There is nothing at this address.")
    return ui.deps.approvals


@get("/approvals")
async def approvals_page(ui: NamedDependency[Ui]) -> Response[str]:
    page = await _found(ui, _filter(ui), paging(ui))
    switches = room_of(ui).switches(ui.who.org_id)
    return ui.page("approvals.html", page=page, said=approval_words, switches=switches)


@get("/approvals.csv")
async def approvals_export(ui: NamedDependency[Ui]) -> Stream:
    wanted = _filter(ui)
    room_of(ui)
    return csv_stream("approvals.csv", HEADER, lambda part: _found(ui, wanted, part), _cells)


async def _found(ui: Ui, wanted: ProposalFilter, part: Paging) -> Page[Proposal]:
    found, total = await room_of(ui).page(ui.who, wanted, limit=part.size, offset=part.offset)
    return Page(tuple(found), total, part)


def _filter(ui: Ui) -> ProposalFilter:
    """Those that wait, unless others are asked for."""
    fields = query(ui)
    status = fields.text("status") or "waiting"
    return ProposalFilter(
        waiting={"waiting": True, "decided": False}.get(status),
        kind=fields.one_of("kind", Kind),
        state=fields.one_of("state", State),
        text=search_text(ui),
    )


def _cells(row: Proposal) -> tuple[Cell, ...]:
    changes = "; ".join(f"{d.of} {d.what}: {d.before} → {d.after}" for d in row.differences)
    return (
        row.proposed_at,
        row.kind.value,
        row.subject,
        changes,
        row.proposer_name,
        row.reason,
        row.state.value,
        row.decided_name,
        row.decided_at,
        row.decision,
        row.expires_at,
        row.ended_at,
        str(row.outcome.get("message", "")),
        str(row.id),
    )


@get("/approvals/{proposal_id:uuid}")
async def approval_page(ui: NamedDependency[Ui], proposal_id: FromPath[UUID]) -> Response[str]:
    return await _proposal(ui, proposal_id, {}, None)


async def _proposal(
    ui: Ui, proposal_id: UUID, values: Mapping[str, str], error: VoltyardError | None
) -> Response[str]:
    room = room_of(ui)
    row = await room.one(ui.who, proposal_id)
    site = next((site for site in ui.sites if site.id == row.site_id), None)
    return ui.page(
        "approval.html",
        status=422 if error else 200,
        row=row,
        place=site,
        mine=row.is_of(ui.who),
        may_decide=room.may_decide(ui.who, row),
        decides_with=row.permission.value,
        said=approval_words,
        values={"reason": row.reason, **values},
        faults=error.fields if error else {},
        error=error.message if error else "",
    )


@post("/approvals/{proposal_id:uuid}/{verb:str}")
async def decide(
    ui: NamedDependency[Ui], proposal_id: FromPath[UUID], verb: FromPath[str]
) -> Response[Any]:
    """Approve, refuse, withdraw, say why, or ask anew."""
    room, form, remote = room_of(ui), await posted(ui), remote_of(ui)
    reason = form.text("reason", longest=10_000)
    try:
        if verb == "approve":
            await room.approve(ui.who, proposal_id, reason, remote=remote)
        elif verb == "refuse":
            await room.refuse(ui.who, proposal_id, reason, remote=remote)
        elif verb == "withdraw":
            await room.withdraw(ui.who, proposal_id, remote=remote)
        elif verb == "reason":
            await room.explain(ui.who, proposal_id, reason, remote=remote)
        elif verb == "again":
            await room.again(ui.who, proposal_id)
        else:
            raise NotFound("There is nothing at this address.")
    except NotFound:
        raise
    except VoltyardError as error:
        return await _proposal(ui, proposal_id, form.values, error)
    done = "saved" if verb in ("reason", "again") else None
    return ui.go(f"/approvals/{proposal_id}", done=done)


@get("/approvals/settings")
async def settings_page(ui: NamedDependency[Ui]) -> Response[str]:
    return _settings(ui, _values(room_of(ui).switches(ui.who.org_id)), None)


@post("/approvals/settings")
async def save_settings(ui: NamedDependency[Ui]) -> Response[Any]:
    ui.require(Permission.SECURITY_WRITE)
    form = await posted(ui)
    try:
        hours = form.number("hours", low=5 / 60, high=720, required=True)
        form.check()
        kinds = frozenset(kind for kind in CHOOSABLE if form.flag(f"kind_{kind.value}"))
        wanted = Switches(kinds, round((hours or 24) * HOUR_S))
        await room_of(ui).set_switches(ui.who, wanted, remote=remote_of(ui))
    except VoltyardError as error:
        return _settings(ui, form.values, error)
    return ui.go("/approvals/settings", done="saved")


def _values(switches: Switches) -> dict[str, str]:
    kinds = {f"kind_{kind.value}": "on" for kind in switches.kinds}
    return {**kinds, "hours": f"{switches.expires_s / HOUR_S:g}"}


def _settings(ui: Ui, values: Mapping[str, str], error: VoltyardError | None) -> Response[str]:
    return ui.page(
        "approval_settings.html",
        status=422 if error else 200,
        switches=room_of(ui).switches(ui.who.org_id),
        kinds=CHOOSABLE,
        said=approval_words,
        values=values,
        faults=error.fields if error else {},
        error=error.message if error else "",
    )


def on_proposed(request: AnyRequest, proposed: Proposed) -> Response[Any]:
    """Whatever page a change was entered on: it goes on where it waits."""
    path = f"/approvals/{proposed.proposal.id}?done=proposed"
    if request.headers.get("hx-request"):
        return Response("", status_code=204, headers={"hx-redirect": path})
    return Redirect(path, status_code=303)


ROUTES = [
    approvals_page,
    approvals_export,
    settings_page,
    save_settings,
    approval_page,
    decide,
]
