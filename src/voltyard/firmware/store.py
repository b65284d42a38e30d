"""All SQL of firmware images, campaigns and the updates of single chargers."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any
from uuid import UUID

import msgspec

from voltyard.firmware.model import (
    Campaign,
    CampaignState,
    Failure,
    FirmwareImage,
    Progress,
    Rollout,
    Update,
    UpdateState,
)
from voltyard.storage.engine import Row, Tx

_IMAGE = tuple(field.name for field in fields(FirmwareImage))
_CAMPAIGN = tuple(field.name for field in fields(Campaign))
_UPDATE = tuple(field.name for field in fields(Update))
_FINAL = "('done', 'failed', 'skipped', 'cancelled')"
_IDLE = "('waiting', 'done', 'failed', 'skipped', 'cancelled')"


async def next_request_id(tx: Tx) -> int:
    """A number no other request to any charger has had."""
    row = await tx.one("SELECT nextval('charger_requests')::int AS id")
    assert row is not None
    return int(row["id"])


# Images


async def insert_image(tx: Tx, image: FirmwareImage) -> None:
    await tx.execute(_insert("firmware_images", _IMAGE), _image_params(image))


async def save_image(tx: Tx, image: FirmwareImage) -> None:
    await tx.execute(
        "UPDATE firmware_images SET vendor = :vendor, models = CAST(:models AS text[]),"
        " version = :version, reported_as = :reported_as, note = :note, retired_at = :retired_at"
        " WHERE id = :id",
        {
            name: value
            for name, value in _image_params(image).items()
            if name in ("vendor", "models", "version", "reported_as", "note", "retired_at", "id")
        },
    )


async def image(tx: Tx, image_id: UUID) -> FirmwareImage | None:
    row = await tx.one("SELECT * FROM firmware_images WHERE id = :id", {"id": image_id})
    return None if row is None else _image(row)


async def images(
    tx: Tx, *, retired: bool = False, limit: int = 100, offset: int = 0
) -> tuple[list[FirmwareImage], int]:
    """Newest first, and how many there are."""
    where = "TRUE" if retired else "retired_at IS NULL"
    rows = await tx.all(
        f"SELECT * FROM firmware_images WHERE {where} ORDER BY created_at DESC, id"
        " LIMIT :limit OFFSET :offset",
        {"limit": limit, "offset": offset},
    )
    count = await tx.one(f"SELECT count(*) AS n FROM firmware_images WHERE {where}")
    return [_image(row) for row in rows], int(count["n"]) if count else 0


async def is_named(tx: Tx, sha256: str) -> bool:
    """Whether any image of anybody that is not retired is this content."""
    row = await tx.one(
        "SELECT 1 FROM firmware_images WHERE sha256 = :sha256 AND retired_at IS NULL",
        {"sha256": sha256},
    )
    return row is not None


async def is_in_use(tx: Tx, image_id: UUID) -> bool:
    row = await tx.one(
        "SELECT 1 FROM firmware_campaigns WHERE image_id = :id"
        " AND (state IN ('running', 'paused', 'stopped') OR EXISTS (SELECT 1 FROM firmware_updates"
        f" u WHERE u.campaign_id = firmware_campaigns.id AND u.state NOT IN {_FINAL}))",
        {"id": image_id},
    )
    return row is not None


# Campaigns


async def insert_campaign(tx: Tx, campaign: Campaign, updates: Sequence[Update]) -> None:
    await tx.execute(_insert("firmware_campaigns", _CAMPAIGN), _campaign_params(campaign))
    await tx.execute_many(
        _insert("firmware_updates", _UPDATE), [_update_params(update) for update in updates]
    )


async def save_campaign(tx: Tx, campaign: Campaign) -> None:
    await tx.execute(
        "UPDATE firmware_campaigns SET state = :state, changed_at = :changed_at,"
        " ended_at = :ended_at, forgiven = :forgiven, why = :why WHERE id = :id",
        {
            "id": campaign.id,
            "state": campaign.state.value,
            "changed_at": campaign.changed_at,
            "ended_at": campaign.ended_at,
            "forgiven": campaign.forgiven,
            "why": campaign.why,
        },
    )


async def campaign(tx: Tx, campaign_id: UUID, *, lock: bool = False) -> Campaign | None:
    row = await tx.one(
        "SELECT * FROM firmware_campaigns WHERE id = :id" + (" FOR UPDATE" if lock else ""),
        {"id": campaign_id},
    )
    return None if row is None else _campaign(row)


async def campaigns(
    tx: Tx, *, open_only: bool = False, limit: int = 100, offset: int = 0
) -> tuple[list[Campaign], int]:
    """Newest first, and how many there are."""
    where = "state IN ('running', 'paused', 'stopped')" if open_only else "TRUE"
    rows = await tx.all(
        f"SELECT * FROM firmware_campaigns WHERE {where} ORDER BY created_at DESC, id"
        " LIMIT :limit OFFSET :offset",
        {"limit": limit, "offset": offset},
    )
    count = await tx.one(f"SELECT count(*) AS n FROM firmware_campaigns WHERE {where}")
    return [_campaign(row) for row in rows], int(count["n"]) if count else 0


async def alive(tx: Tx) -> list[Campaign]:
    """Those that run, and those some charger of which is still under way; oldest first."""
    rows = await tx.all(
        "SELECT * FROM firmware_campaigns c WHERE state = 'running' OR EXISTS (SELECT 1 FROM"
        f" firmware_updates u WHERE u.campaign_id = c.id AND u.state NOT IN {_IDLE})"
        " ORDER BY created_at, id"
    )
    return [_campaign(row) for row in rows]


async def progress(tx: Tx, campaign_ids: Sequence[UUID]) -> dict[UUID, Progress]:
    rows = await tx.all(
        "SELECT campaign_id, state, count(*) AS n FROM firmware_updates"
        " WHERE campaign_id = ANY(:ids) GROUP BY campaign_id, state",
        {"ids": list(campaign_ids)},
    )
    counts: dict[UUID, dict[UpdateState, int]] = {each: {} for each in campaign_ids}
    for row in rows:
        counts[row["campaign_id"]][UpdateState(row["state"])] = int(row["n"])
    return {each: Progress(found) for each, found in counts.items()}


# Updates


async def updates(tx: Tx, campaign_id: UUID) -> list[Update]:
    """All of a campaign, in their order."""
    rows = await tx.all(
        "SELECT * FROM firmware_updates WHERE campaign_id = :id ORDER BY position",
        {"id": campaign_id},
    )
    return [_update(row) for row in rows]


async def update(tx: Tx, update_id: UUID, *, lock: bool = False) -> Update | None:
    row = await tx.one(
        "SELECT * FROM firmware_updates WHERE id = :id" + (" FOR UPDATE" if lock else ""),
        {"id": update_id},
    )
    return None if row is None else _update(row)


async def save_update(tx: Tx, update: Update) -> None:
    columns = [name for name in _UPDATE if name not in ("id", "org_id", "campaign_id")]
    changes = ", ".join(f"{name} = :{name}" for name in columns)
    wanted = {*columns, "id"}
    params = {name: value for name, value in _update_params(update).items() if name in wanted}
    await tx.execute(f"UPDATE firmware_updates SET {changes} WHERE id = :id", params)


async def note_blocked(tx: Tx, blocked: Mapping[UUID, str]) -> None:
    """Why those that wait do not begin."""
    await tx.execute_many(
        "UPDATE firmware_updates SET blocked = :why WHERE id = :id AND state = 'waiting'",
        [{"id": update_id, "why": why} for update_id, why in blocked.items()],
    )


async def watched(tx: Tx) -> set[UUID]:
    """Chargers with an update under way, or with one that failed and may still prove itself."""
    rows = await tx.all(
        "SELECT DISTINCT station_id FROM firmware_updates"
        " WHERE state NOT IN ('waiting', 'done', 'skipped', 'cancelled')"
    )
    return {row["station_id"] for row in rows}


async def current(tx: Tx, station_id: UUID) -> Update | None:
    """The update of a charger that is under way, else the one that ended last; locked."""
    row = await tx.one(
        "SELECT * FROM firmware_updates WHERE station_id = :id"
        " AND state NOT IN ('waiting', 'skipped', 'cancelled')"
        " ORDER BY (state IN ('done', 'failed')), changed_at DESC LIMIT 1 FOR UPDATE",
        {"id": station_id},
    )
    return None if row is None else _update(row)


async def of_station(tx: Tx, station_id: UUID, limit: int = 20) -> list[Update]:
    """Newest first."""
    rows = await tx.all(
        "SELECT * FROM firmware_updates WHERE station_id = :id"
        " ORDER BY changed_at DESC LIMIT :limit",
        {"id": station_id, "limit": limit},
    )
    return [_update(row) for row in rows]


async def busy_stations(tx: Tx, station_ids: Sequence[UUID]) -> set[UUID]:
    """Those with an update under way, in whatever campaign."""
    rows = await tx.all(
        "SELECT DISTINCT station_id FROM firmware_updates WHERE station_id = ANY(:ids)"
        f" AND state NOT IN {_IDLE}",
        {"ids": list(station_ids)},
    )
    return {row["station_id"] for row in rows}


async def wanted_elsewhere(tx: Tx, station_ids: Sequence[UUID]) -> set[UUID]:
    """Those that an open campaign has still to update."""
    rows = await tx.all(
        "SELECT DISTINCT u.station_id FROM firmware_updates u JOIN firmware_campaigns c"
        " ON c.id = u.campaign_id WHERE u.station_id = ANY(:ids)"
        f" AND u.state NOT IN {_FINAL}",
        {"ids": list(station_ids)},
    )
    return {row["station_id"] for row in rows}


async def by_link(tx: Tx, link: str) -> tuple[Update, FirmwareImage] | None:
    """The update under way that was given this link, with its image."""
    row = await tx.one(
        f"SELECT * FROM firmware_updates WHERE link = :link AND state NOT IN {_IDLE}",
        {"link": link},
    )
    if row is None:
        return None
    found = await tx.one(
        "SELECT i.* FROM firmware_images i JOIN firmware_campaigns c ON c.image_id = i.id"
        " WHERE c.id = :id",
        {"id": row["campaign_id"]},
    )
    return None if found is None else (_update(row), _image(found))


def _insert(table: str, columns: Sequence[str]) -> str:
    values = ", ".join(_CASTS.get(name, f":{name}") for name in columns)
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({values})"


_CASTS = {"rollout": "CAST(:rollout AS jsonb)", "models": "CAST(:models AS text[])"}


def _image_params(image: FirmwareImage) -> dict[str, Any]:
    return {name: getattr(image, name) for name in _IMAGE} | {"models": list(image.models)}


def _campaign_params(campaign: Campaign) -> dict[str, Any]:
    rollout = msgspec.json.encode(campaign.rollout).decode()
    found = {name: getattr(campaign, name) for name in _CAMPAIGN}
    return found | {"rollout": rollout, "state": campaign.state.value}


def _update_params(update: Update) -> dict[str, Any]:
    found = {name: getattr(update, name) for name in _UPDATE}
    failure = None if update.failure is None else update.failure.value
    return found | {"state": update.state.value, "failure": failure}


def _image(row: Row) -> FirmwareImage:
    found = {name: row[name] for name in _IMAGE}
    return FirmwareImage(**{**found, "models": tuple(row["models"])})


def _campaign(row: Row) -> Campaign:
    found = Campaign(**{name: row[name] for name in _CAMPAIGN})
    rollout = msgspec.convert(row["rollout"], Rollout)
    return replace(found, state=CampaignState(row["state"]), rollout=rollout)


def _update(row: Row) -> Update:
    found = Update(**{name: row[name] for name in _UPDATE})
    failure = None if row["failure"] is None else Failure(row["failure"])
    return replace(found, state=UpdateState(row["state"]), failure=failure)
