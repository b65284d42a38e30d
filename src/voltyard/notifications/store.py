"""All SQL of notifications: targets, routes, and the outbox that is the log of deliveries too."""

from collections.abc import Mapping, Sequence
from datetime import datetime, time
from typing import Any
from uuid import UUID

import msgspec

from voltyard.alerts.model import Severity
from voltyard.notifications.model import (
    Channel,
    Digest,
    Notification,
    NotificationFilter,
    Quiet,
    Route,
    State,
    Target,
)
from voltyard.storage.engine import Row, Tx

_TARGET = (
    "id, org_id, name, channel, address, shown, user_id, locale, enabled, events, quiet, digest"
)
_ROUTE = (
    "id, org_id, name, enabled, site_ids, kinds, least, weekdays, from_time, until_time,"
    " delay_min, tell_end, target_ids, user_ids"
)
_NOTE = (
    "id, org_id, target_id, target, channel, route, site_id, alert_id, kind, severity, topic,"
    " subject, body, payload, state, created_at, due_at, attempts, sent_at, answer, bundle_id, seq"
)
_PENDING = "state IN ('waiting', 'held')"
PER_TARGET = 10
"""So many messages of one target are taken at a time."""


# targets


async def targets(tx: Tx) -> list[Target]:
    rows = await tx.all(f"SELECT {_TARGET} FROM notification_targets ORDER BY name, id")
    return [_target(row) for row in rows]


async def target(tx: Tx, target_id: UUID) -> Target | None:
    row = await tx.one(
        f"SELECT {_TARGET} FROM notification_targets WHERE id = :id", {"id": target_id}
    )
    return None if row is None else _target(row)


async def put_target(tx: Tx, target: Target, at: datetime) -> None:
    await tx.execute(
        f"INSERT INTO notification_targets ({_TARGET}, created_at) VALUES (:id, :org_id, :name,"
        " :channel, :address, :shown, :user_id, :locale, :enabled, CAST(:events AS text[]),"
        " CAST(:quiet AS jsonb), CAST(:digest AS jsonb), :at) ON CONFLICT (id) DO UPDATE SET"
        " name = excluded.name, address = excluded.address, shown = excluded.shown,"
        " user_id = excluded.user_id, locale = excluded.locale, enabled = excluded.enabled,"
        " events = excluded.events, quiet = excluded.quiet, digest = excluded.digest",
        {
            "id": target.id,
            "org_id": target.org_id,
            "name": target.name,
            "channel": target.channel.value,
            "address": target.address,
            "shown": target.shown,
            "user_id": target.user_id,
            "locale": target.locale,
            "enabled": target.enabled,
            "events": sorted(target.events),
            "quiet": msgspec.json.encode(target.quiet).decode(),
            "digest": msgspec.json.encode(target.digest).decode(),
            "at": at,
        },
    )


async def delete_target(tx: Tx, target_id: UUID) -> None:
    await tx.execute("DELETE FROM notification_targets WHERE id = :id", {"id": target_id})


async def enable_target(tx: Tx, target_id: UUID, *, enabled: bool) -> None:
    await tx.execute(
        "UPDATE notification_targets SET enabled = :enabled WHERE id = :id",
        {"id": target_id, "enabled": enabled},
    )


async def put_secret(
    tx: Tx, target_id: UUID, secret: bytes, before: bytes | None, at: datetime
) -> None:
    await tx.execute(
        "UPDATE notification_targets SET secret = :secret, secret_before = :before,"
        " secret_changed_at = :at WHERE id = :id",
        {"id": target_id, "secret": secret, "before": before, "at": at},
    )


async def secrets(tx: Tx, target_id: UUID) -> tuple[bytes | None, bytes | None, datetime | None]:
    """The present one, the one before, and when it was replaced."""
    row = await tx.one(
        "SELECT secret, secret_before, secret_changed_at FROM notification_targets WHERE id = :id",
        {"id": target_id},
    )
    if row is None:
        return None, None, None
    return row["secret"], row["secret_before"], row["secret_changed_at"]


async def user_exists(tx: Tx, org_id: UUID, user_id: UUID) -> bool:
    """A look into the table of people: a foreign key could not see the tenant."""
    row = await tx.one(
        "SELECT id FROM users WHERE id = :id AND org_id = :org_id",
        {"id": user_id, "org_id": org_id},
    )
    return row is not None


async def user_active(tx: Tx, org_id: UUID, user_id: UUID | None) -> bool:
    row = await tx.one(
        "SELECT id FROM users WHERE id = :id AND org_id = :org_id AND active",
        {"id": user_id, "org_id": org_id},
    )
    return row is not None


async def own_sites(tx: Tx, org_id: UUID, site_ids: Sequence[UUID]) -> set[UUID]:
    """A look into the table of sites, for the same reason."""
    rows = await tx.all(
        "SELECT id FROM sites WHERE org_id = :org_id AND id = ANY(CAST(:ids AS uuid[]))",
        {"org_id": org_id, "ids": list(site_ids)},
    )
    return {row["id"] for row in rows}


# routes


async def routes(tx: Tx) -> list[Route]:
    rows = await tx.all(f"SELECT {_ROUTE} FROM notification_routes ORDER BY name, id")
    return [_route(row) for row in rows]


async def put_route(tx: Tx, route: Route) -> None:
    await tx.execute(
        f"INSERT INTO notification_routes ({_ROUTE}) VALUES (:id, :org_id, :name, :enabled,"
        " CAST(:site_ids AS uuid[]), CAST(:kinds AS text[]), :least, CAST(:weekdays AS int[]),"
        " :from_time, :until_time, :delay_min, :tell_end, CAST(:target_ids AS uuid[]),"
        " CAST(:user_ids AS uuid[])) ON CONFLICT (id) DO UPDATE SET name = excluded.name,"
        " enabled = excluded.enabled, site_ids = excluded.site_ids, kinds = excluded.kinds,"
        " least = excluded.least, weekdays = excluded.weekdays, from_time = excluded.from_time,"
        " until_time = excluded.until_time, delay_min = excluded.delay_min,"
        " tell_end = excluded.tell_end, target_ids = excluded.target_ids,"
        " user_ids = excluded.user_ids",
        {
            "id": route.id,
            "org_id": route.org_id,
            "name": route.name,
            "enabled": route.enabled,
            "site_ids": sorted(route.site_ids),
            "kinds": sorted(route.kinds),
            "least": route.least.value,
            "weekdays": sorted(route.weekdays),
            "from_time": route.from_time,
            "until_time": route.until_time,
            "delay_min": route.delay_min,
            "tell_end": route.tell_end,
            "target_ids": sorted(route.target_ids),
            "user_ids": sorted(route.user_ids),
        },
    )


async def delete_route(tx: Tx, route_id: UUID) -> None:
    await tx.execute("DELETE FROM notification_routes WHERE id = :id", {"id": route_id})


# the outbox


async def insert(tx: Tx, notes: Sequence[Notification]) -> None:
    """What is there already (the same news of the same cause) stays as it is."""
    await tx.execute_many(
        "INSERT INTO notifications (id, org_id, target_id, target, channel, route, site_id,"
        " alert_id, kind, severity, topic, subject, body, payload, state, created_at, due_at)"
        " VALUES (:id, :org_id, :target_id, :target, :channel, :route, :site_id, :alert_id, :kind,"
        " :severity, :topic, :subject, :body, CAST(:payload AS jsonb), :state, :created_at,"
        " :due_at) ON CONFLICT (id) DO NOTHING",
        [
            {
                "id": note.id,
                "org_id": note.org_id,
                "target_id": note.target_id,
                "target": note.target,
                "channel": note.channel.value,
                "route": note.route,
                "site_id": note.site_id,
                "alert_id": note.alert_id,
                "kind": note.kind,
                "severity": note.severity.value,
                "topic": note.topic,
                "subject": note.subject,
                "body": note.body,
                "payload": None
                if note.payload is None
                else msgspec.json.encode(note.payload).decode(),
                "state": note.state.value,
                "created_at": note.created_at,
                "due_at": note.due_at,
            }
            for note in notes
        ],
    )


async def told(tx: Tx, alert_ids: Sequence[UUID]) -> list[tuple[UUID, UUID]]:
    """Alert and target of what was told, or will be."""
    rows = await tx.all(
        "SELECT DISTINCT alert_id, target_id FROM notifications"
        " WHERE alert_id = ANY(CAST(:alerts AS uuid[])) AND target_id IS NOT NULL"
        " AND topic <> 'event' AND state IN ('waiting', 'held', 'sent', 'bundled')"
        " ORDER BY alert_id, target_id",
        {"alerts": list(alert_ids)},
    )
    return [(row["alert_id"], row["target_id"]) for row in rows]


async def lately(tx: Tx, targets: Sequence[UUID], since: datetime) -> dict[UUID, int]:
    """How many messages of their own people were sent, or are to be; systems take any number."""
    rows = await tx.all(
        "SELECT target_id, count(*) AS n FROM notifications WHERE created_at >= :since"
        " AND target_id = ANY(CAST(:ids AS uuid[])) AND channel <> 'webhook'"
        " AND state IN ('waiting', 'sent') GROUP BY target_id",
        {"ids": list(targets), "since": since},
    )
    return {row["target_id"]: row["n"] for row in rows}


async def drop_pending(tx: Tx, alert_ids: Sequence[UUID], why: str, now: datetime) -> None:
    """Not to be sent any more: what is not due yet of these alerts. Digests still show it."""
    await tx.execute(
        "UPDATE notifications SET state = 'dropped', answer = :why"
        " WHERE alert_id = ANY(CAST(:alerts AS uuid[])) AND state = 'waiting' AND due_at > :now"
        " AND attempts = 0 AND topic <> 'event'",
        {"alerts": list(alert_ids), "why": why, "now": now},
    )


async def replace_pending(
    tx: Tx, pairs: Sequence[tuple[UUID, UUID]], now: datetime
) -> dict[tuple[UUID, UUID], datetime]:
    """Drop what is not due yet, by alert and target, since there is news; when it was due."""
    rows = await tx.all(
        "UPDATE notifications SET state = 'dropped', answer = 'replaced by a newer one'"
        " WHERE (alert_id, target_id) IN (SELECT * FROM unnest(CAST(:alerts AS uuid[]),"
        " CAST(:targets AS uuid[])))"
        f" AND {_PENDING} AND due_at > :now AND attempts = 0 AND topic <> 'event'"
        " RETURNING alert_id, target_id, due_at",
        {"alerts": [a for a, _ in pairs], "targets": [t for _, t in pairs], "now": now},
    )
    found: dict[tuple[UUID, UUID], datetime] = {}
    for row in rows:
        pair = (row["alert_id"], row["target_id"])
        found[pair] = min(found.get(pair, row["due_at"]), row["due_at"])
    return found


async def drop_of_target(tx: Tx, target_id: UUID, why: str) -> None:
    await tx.execute(
        f"UPDATE notifications SET state = 'dropped', answer = :why WHERE target_id = :target"
        f" AND {_PENDING}",
        {"target": target_id, "why": why},
    )


async def release(tx: Tx, holder: str) -> None:
    """What a process of this name had in hand when it died."""
    await tx.execute(
        "UPDATE notifications SET leased_until = NULL, leased_by = NULL"
        f" WHERE leased_by = :holder AND {_PENDING}",
        {"holder": holder},
    )


async def lease(tx: Tx, holder: str, now: datetime, until: datetime) -> list[Notification]:
    """What is due: a few of each target, oldest first, none before an earlier one of its alert."""
    free = "(leased_until IS NULL OR leased_until <= :now)"
    rows = await tx.all(
        "UPDATE notifications SET leased_until = :until, leased_by = :holder,"
        " attempts = attempts + 1 WHERE id IN (SELECT id FROM (SELECT id, row_number() OVER"
        " (PARTITION BY target_id ORDER BY seq) AS place FROM notifications n"
        f" WHERE state = 'waiting' AND due_at <= :now AND {free} AND NOT EXISTS"
        " (SELECT 1 FROM notifications e WHERE e.alert_id = n.alert_id"
        " AND e.target_id = n.target_id AND e.state = 'waiting' AND e.seq < n.seq)) due"
        f" WHERE place <= {PER_TARGET} LIMIT 200) AND state = 'waiting' AND {free}"
        f" RETURNING {_NOTE}",
        {"until": until, "holder": holder, "now": now},
    )
    return sorted((_note(row) for row in rows), key=lambda note: note.seq)


async def next_due(tx: Tx) -> datetime | None:
    row = await tx.one(f"SELECT min(due_at) AS at FROM notifications WHERE {_PENDING}")
    return None if row is None else row["at"]


async def settle(
    tx: Tx, note_id: UUID, state: State, answer: str, *, sent_at: datetime | None = None
) -> None:
    await tx.execute(
        "UPDATE notifications SET state = :state, answer = :answer, sent_at = :sent_at,"
        " leased_until = NULL WHERE id = :id",
        {"id": note_id, "state": state.value, "answer": answer, "sent_at": sent_at},
    )


async def put_off(
    tx: Tx, note: Notification, untried: Sequence[UUID], due_at: datetime, answer: str
) -> None:
    """Try later; ``untried`` were taken with it. All that waits for its target waits as long."""
    await tx.execute(
        "UPDATE notifications SET answer = :answer WHERE id = :id",
        {"id": note.id, "answer": answer},
    )
    await tx.execute(
        "UPDATE notifications SET leased_until = NULL, attempts = attempts - 1"
        " WHERE id = ANY(CAST(:ids AS uuid[]))",
        {"ids": list(untried)},
    )
    await tx.execute(
        "UPDATE notifications SET due_at = greatest(due_at, :due_at), leased_until = NULL"
        " WHERE state = 'waiting' AND target_id = :target",
        {"target": note.target_id, "due_at": due_at},
    )


async def due_bundles(tx: Tx, now: datetime) -> list[Notification]:
    """Everything that waits for a digest whose time has come, by target and age."""
    rows = await tx.all(
        f"SELECT {_NOTE} FROM notifications WHERE state = 'held' AND target_id IN"
        " (SELECT target_id FROM notifications WHERE state = 'held' AND due_at <= :now)"
        " AND due_at <= :now ORDER BY target_id, seq LIMIT 2000 FOR UPDATE",
        {"now": now},
    )
    return [_note(row) for row in rows]


async def bundle(tx: Tx, note_ids: Sequence[UUID], bundle_id: UUID) -> None:
    await tx.execute(
        "UPDATE notifications SET state = 'bundled', bundle_id = :bundle"
        " WHERE id = ANY(CAST(:ids AS uuid[]))",
        {"ids": list(note_ids), "bundle": bundle_id},
    )


async def again(tx: Tx, note_id: UUID, now: datetime) -> bool:
    """A failed one is due now; False for any other."""
    touched = await tx.execute(
        "UPDATE notifications SET state = 'waiting', attempts = 0, due_at = :now"
        " WHERE id = :id AND state = 'failed' AND target_id IS NOT NULL",
        {"id": note_id, "now": now},
    )
    return touched > 0


async def find(
    tx: Tx, wanted: NotificationFilter, limit: int, offset: int
) -> tuple[list[Notification], int]:
    """Newest first, and how many there are in all."""
    where, params = _where(wanted)
    rows = await tx.all(
        f"SELECT {_NOTE} FROM notifications WHERE {where}"
        " ORDER BY seq DESC LIMIT :limit OFFSET :offset",
        {**params, "limit": limit, "offset": offset},
    )
    count = await tx.one(f"SELECT count(*) AS n FROM notifications WHERE {where}", params)
    return [_note(row) for row in rows], 0 if count is None else count["n"]


async def get(tx: Tx, note_id: UUID) -> Notification | None:
    row = await tx.one(f"SELECT {_NOTE} FROM notifications WHERE id = :id", {"id": note_id})
    return None if row is None else _note(row)


async def drop_before(tx: Tx, at: datetime) -> None:
    await tx.execute(
        f"DELETE FROM notifications WHERE created_at < :at AND NOT {_PENDING}", {"at": at}
    )


def _where(wanted: NotificationFilter) -> tuple[str, dict[str, Any]]:
    parts, params = ["true"], dict[str, Any]()
    for name in ("channel", "state", "target_id", "alert_id"):
        value = getattr(wanted, name)
        if value is not None:
            parts.append(f"{name} = :{name}")
            params[name] = value
    if wanted.topic:
        parts.append("topic = :topic")
        params["topic"] = wanted.topic
    if wanted.text:
        parts.append(
            "(subject ILIKE :text OR target ILIKE :text OR kind ILIKE :text OR answer ILIKE :text)"
        )
        escaped = wanted.text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        params["text"] = f"%{escaped}%"
    for name, sign in (("since", ">="), ("until", "<")):
        value = getattr(wanted, name)
        if value is not None:
            parts.append(f"created_at {sign} :{name}")
            params[name] = value
    return " AND ".join(parts), params


def _clock(text: str | None) -> time | None:
    return None if text is None else time.fromisoformat(text)


def _target(row: Row) -> Target:
    quiet: Mapping[str, Any] = row["quiet"]
    digest: Mapping[str, Any] = row["digest"]
    return Target(
        **{
            **row,
            "channel": Channel(row["channel"]),
            "events": frozenset(row["events"]),
            "quiet": Quiet(
                _clock(quiet["from_time"]), _clock(quiet["until_time"]), Severity(quiet["least"])
            ),
            "digest": Digest(digest["every_min"], _clock(digest["at"]), Severity(digest["most"])),
        }
    )


def _route(row: Row) -> Route:
    sets = ("site_ids", "kinds", "weekdays", "target_ids", "user_ids")
    return Route(
        **{**row, "least": Severity(row["least"]), **{name: frozenset(row[name]) for name in sets}}
    )


def _note(row: Row) -> Notification:
    return Notification(
        **{
            **row,
            "channel": Channel(row["channel"]),
            "severity": Severity(row["severity"]),
            "state": State(row["state"]),
        }
    )
