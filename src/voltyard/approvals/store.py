"""All SQL of proposals and of what waits."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from voltyard.approvals.model import Difference, Kind, Proposal, ProposalFilter, State, Switches
from voltyard.storage.engine import Row, Tx
from voltyard.tenancy.model import Permission

_COLUMNS = (
    "id, org_id, site_id, kind, action, permission, subject, payload, base, differences, reason,"
    " proposer_kind, proposer_id, proposer_name, owner_id, proposed_at, expires_at, state,"
    " decided_by, decided_name, decided_at, decision, ended_at, outcome"
)


async def settings(tx: Tx) -> dict[UUID, Switches]:
    """By organisation, of those in scope that ever set them."""
    rows = await tx.all("SELECT * FROM approval_settings")
    return {row["org_id"]: _switches(row) for row in rows}


async def setting(tx: Tx, org_id: UUID) -> Switches:
    """Locked until the transaction ends, also where nothing was ever set."""
    await tx.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('approvals ' || CAST(:id AS text), 0))",
        {"id": str(org_id)},
    )
    row = await tx.one("SELECT * FROM approval_settings WHERE org_id = :id", {"id": org_id})
    return Switches() if row is None else _switches(row)


def _switches(row: Row) -> Switches:
    kinds = frozenset(Kind(kind) for kind in row["kinds"] if kind in set(Kind))
    return Switches(kinds, row["expires_s"], row["changed_at"], row["changed_by"])


async def put_setting(tx: Tx, org_id: UUID, switches: Switches) -> None:
    await tx.execute(
        "INSERT INTO approval_settings (org_id, kinds, expires_s, changed_at, changed_by)"
        " VALUES (:org_id, :kinds, :expires_s, :at, :by) ON CONFLICT (org_id) DO UPDATE SET"
        " kinds = excluded.kinds, expires_s = excluded.expires_s,"
        " changed_at = excluded.changed_at, changed_by = excluded.changed_by",
        {
            "org_id": org_id,
            "kinds": sorted(kind.value for kind in switches.kinds),
            "expires_s": switches.expires_s,
            "at": switches.changed_at,
            "by": switches.changed_by,
        },
    )


async def insert(tx: Tx, proposal: Proposal) -> None:
    await tx.execute(
        f"INSERT INTO proposals ({_COLUMNS}) VALUES (:id, :org_id, :site_id, :kind, :action,"
        " :permission, :subject, CAST(:payload AS jsonb), :base, CAST(:differences AS jsonb),"
        " :reason, :proposer_kind, :proposer_id, :proposer_name, :owner_id, :proposed_at,"
        " :expires_at, 'waiting', NULL, '', NULL, '', NULL, '{}')",
        {
            "id": proposal.id,
            "org_id": proposal.org_id,
            "site_id": proposal.site_id,
            "kind": proposal.kind.value,
            "action": proposal.action,
            "permission": proposal.permission.value,
            "subject": proposal.subject,
            "payload": _json(proposal.payload),
            "base": proposal.base,
            "differences": _json(proposal.differences),
            "reason": proposal.reason,
            "proposer_kind": proposal.proposer_kind,
            "proposer_id": proposal.proposer_id,
            "proposer_name": proposal.proposer_name,
            "owner_id": proposal.owner_id,
            "proposed_at": proposal.proposed_at,
            "expires_at": proposal.expires_at,
        },
    )


async def same(tx: Tx, proposal: Proposal) -> Proposal | None:
    """One that waits already and is the same, by the same hand."""
    row = await tx.one(
        f"SELECT {_COLUMNS} FROM proposals WHERE state = 'waiting' AND action = :action"
        " AND base = :base AND proposer_id = :proposer_id AND expires_at > :now"
        " AND payload = CAST(:payload AS jsonb) LIMIT 1",
        {
            "action": proposal.action,
            "base": proposal.base,
            "proposer_id": proposal.proposer_id,
            "now": proposal.proposed_at,
            "payload": _json(proposal.payload),
        },
    )
    return None if row is None else _proposal(row)


async def one(tx: Tx, proposal_id: UUID, *, lock: bool = False) -> Proposal | None:
    row = await tx.one(
        f"SELECT {_COLUMNS} FROM proposals WHERE id = :id{' FOR UPDATE' if lock else ''}",
        {"id": proposal_id},
    )
    return None if row is None else _proposal(row)


async def in_state(tx: Tx, state: State) -> list[Proposal]:
    """Of everybody in scope, the oldest first."""
    rows = await tx.all(
        f"SELECT {_COLUMNS} FROM proposals WHERE state = :state ORDER BY proposed_at, id",
        {"state": state.value},
    )
    return [_proposal(row) for row in rows]


async def page(
    tx: Tx, wanted: ProposalFilter, *, limit: int, offset: int
) -> tuple[list[Proposal], int]:
    """Newest first, and how many there are in all."""
    where = (
        "(CAST(:waiting AS boolean) IS NULL OR (state = 'waiting') = :waiting)"
        " AND (CAST(:kind AS text) IS NULL OR kind = :kind)"
        " AND (CAST(:state AS text) IS NULL OR state = :state)"
        " AND (CAST(:text AS text) = '' OR position(lower(:text) IN"
        " lower(subject || ' ' || proposer_name || ' ' || reason)) > 0)"
    )
    params: dict[str, Any] = {
        "waiting": wanted.waiting,
        "kind": None if wanted.kind is None else wanted.kind.value,
        "state": None if wanted.state is None else wanted.state.value,
        "text": wanted.text,
    }
    rows = await tx.all(
        f"SELECT {_COLUMNS} FROM proposals WHERE {where} ORDER BY proposed_at DESC, id"
        " LIMIT :limit OFFSET :offset",
        {**params, "limit": limit, "offset": offset},
    )
    count = await tx.one(f"SELECT count(*) AS n FROM proposals WHERE {where}", params)
    return [_proposal(row) for row in rows], 0 if count is None else int(count["n"])


async def claim(
    tx: Tx, proposal_id: UUID, state: State, by: UUID, name: str, decision: str, at: datetime
) -> bool:
    """Approved (``running``) or refused, by whoever is first; False if it does not wait."""
    done = await tx.execute(
        "UPDATE proposals SET state = :state, decided_by = :by, decided_name = :name,"
        " decided_at = :at, decision = :decision,"
        " ended_at = CASE WHEN :state = 'refused' THEN CAST(:at AS timestamptz) END"
        " WHERE id = :id AND state = 'waiting' AND expires_at > :at",
        {
            "id": proposal_id,
            "state": state.value,
            "by": by,
            "name": name,
            "at": at,
            "decision": decision,
        },
    )
    return done == 1


async def end(
    tx: Tx,
    proposal_id: UUID,
    was: State,
    state: State,
    at: datetime,
    outcome: Mapping[str, Any] | None = None,
) -> bool:
    """False if it was not in ``was``."""
    done = await tx.execute(
        "UPDATE proposals SET state = :state, ended_at = :at, outcome = CAST(:outcome AS jsonb)"
        " WHERE id = :id AND state = :was",
        {
            "id": proposal_id,
            "was": was.value,
            "state": state.value,
            "at": at,
            "outcome": _json(outcome or {}),
        },
    )
    return done == 1


async def explain(tx: Tx, proposal_id: UUID, reason: str) -> bool:
    """False when it does not wait any more."""
    done = await tx.execute(
        "UPDATE proposals SET reason = :reason WHERE id = :id AND state = 'waiting'",
        {"id": proposal_id, "reason": reason},
    )
    return done == 1


async def carried_out(tx: Tx, proposal_id: UUID, since: datetime) -> bool:
    """Whether the audit of the proposal's organisation has the change itself."""
    row = await tx.one(
        "SELECT 1 AS one FROM audit_log WHERE at >= :since AND detail ->> 'proposal' = :id LIMIT 1",
        {"since": since, "id": str(proposal_id)},
    )
    return row is not None


async def key_made_by(tx: Tx, key_id: UUID) -> tuple[str, UUID] | None:
    """Kind and id of whoever made an API key, by the audit."""
    row = await tx.one(
        "SELECT actor_kind, actor_id FROM audit_log WHERE action = 'key.create'"
        " AND object_id = :id ORDER BY id LIMIT 1",
        {"id": str(key_id)},
    )
    return None if row is None else (row["actor_kind"], row["actor_id"])


def _proposal(row: Row) -> Proposal:
    parts = dict(row)
    parts["kind"], parts["state"] = Kind(row["kind"]), State(row["state"])
    parts["permission"] = Permission(row["permission"])
    parts["differences"] = msgspec.convert(row["differences"], tuple[Difference, ...])
    return Proposal(**parts)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
