"""All SQL of stations, EVSEs, connectors, configuration, commands and the message log."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

import msgspec

from voltyard.chargers.directory import Entry
from voltyard.chargers.model import (
    CommandRecord,
    ConfigEntry,
    ConfigRow,
    ConnectorState,
    CurrentType,
    Evse,
    EvseStatus,
    FlagCount,
    Frame,
    FrameFilter,
    Quirks,
    Station,
    StationState,
    Traits,
)
from voltyard.storage.engine import Row, Tx
from voltyard.storage.groupcommit import Write
from voltyard.storage.writes import Group

_STATION = (
    "id, org_id, site_id, identity, state, name, password_hash, vendor, model, serial, firmware,"
    " ocpp_version, connected, connected_at, last_seen_at, booted_at, remote, quirks, flags"
)
_EVSE = (
    "id, org_id, site_id, station_id, number, name, bay_id, node_id, current_type, max_power_w,"
    " min_power_w, phases, phase_rotation, voltage_v, operative, status, status_at, error_code,"
    " error_info"
)


async def load(tx: Tx) -> list[Entry]:
    """Every station with its EVSEs and connectors, as the scope allows."""
    stations = await tx.all(f"SELECT {_STATION} FROM stations")
    evses = await tx.all(f"SELECT {_EVSE} FROM evses")
    return _entries(stations, evses, await tx.all("SELECT * FROM connectors"))


async def load_one(
    tx: Tx, *, identity: str | None = None, station_id: UUID | None = None
) -> Entry | None:
    stations = await tx.all(
        f"SELECT {_STATION} FROM stations WHERE identity = :identity OR id = :id",
        {"identity": identity, "id": station_id},
    )
    if not stations:
        return None
    found = {"id": stations[0]["id"]}
    evses = await tx.all(f"SELECT {_EVSE} FROM evses WHERE station_id = :id", found)
    connectors = await tx.all(
        "SELECT c.* FROM connectors c JOIN evses e ON e.id = c.evse_id WHERE e.station_id = :id",
        found,
    )
    return _entries(stations, evses, connectors)[0]


async def mark_all_disconnected(tx: Tx) -> None:
    """At start: no charger is connected to a process that has just begun."""
    await tx.execute("UPDATE stations SET connected = false WHERE connected")


async def insert_station(
    tx: Tx, station: Station, *, password_hash: str | None, at: datetime
) -> bool:
    """False if the identity is taken (identities are unique over all organisations)."""
    done = await tx.execute(
        "INSERT INTO stations (id, org_id, site_id, identity, state, name, password_hash, quirks,"
        " created_at) VALUES (:id, :org_id, :site_id, :identity, :state, :name, :password_hash,"
        " CAST(:quirks AS jsonb), :at) ON CONFLICT DO NOTHING",
        {
            "id": station.id,
            "org_id": station.org_id,
            "site_id": station.site_id,
            "identity": station.identity,
            "state": station.state.value,
            "name": station.name,
            "password_hash": password_hash,
            "quirks": _json(station.quirks),
            "at": at,
        },
    )
    return done == 1


async def set_password(tx: Tx, station_id: UUID, password_hash: str) -> None:
    await tx.execute(
        "UPDATE stations SET password_hash = :password_hash WHERE id = :id",
        {"id": station_id, "password_hash": password_hash},
    )


async def update_station(tx: Tx, station: Station, *, password_hash: str | None) -> None:
    """What people decide of a station; what it says of itself goes by group commit."""
    await tx.execute(
        "UPDATE stations SET site_id = :site_id, state = :state, name = :name,"
        " password_hash = :password_hash, quirks = CAST(:quirks AS jsonb) WHERE id = :id",
        {
            "id": station.id,
            "site_id": station.site_id,
            "state": station.state.value,
            "name": station.name,
            "password_hash": password_hash,
            "quirks": _json(station.quirks),
        },
    )
    await tx.execute(
        "UPDATE evses SET site_id = :site_id WHERE station_id = :id",
        {"id": station.id, "site_id": station.site_id},
    )


async def upsert_evse(tx: Tx, evse: Evse) -> Evse:
    """Create or change an EVSE by its number; the row as it now is."""
    await ensure_evse(tx, evse)
    row = await tx.one(
        "UPDATE evses SET name = :name, site_id = :site_id, bay_id = :bay_id, node_id = :node_id,"
        " current_type = :current_type, max_power_w = :max_power_w, min_power_w = :min_power_w,"
        " phases = :phases, phase_rotation = :phase_rotation, voltage_v = :voltage_v,"
        " operative = :operative WHERE station_id = :station_id AND number = :number"
        f" RETURNING {_EVSE}",
        {name: value for name, value in _evse_params(evse).items() if name not in _FIXED},
    )
    assert row is not None
    return _evse(row)


async def ensure_evse(tx: Tx, evse: Evse) -> Evse:
    """Create the EVSE unless its number exists; the row that stands."""
    await tx.execute(
        "INSERT INTO evses (id, org_id, site_id, station_id, number, name, current_type,"
        " max_power_w) VALUES (:id, :org_id, :site_id, :station_id, :number, :name,"
        " :current_type, :max_power_w) ON CONFLICT DO NOTHING",
        {name: _evse_params(evse)[name] for name in _NEW_EVSE},
    )
    row = await tx.one(
        f"SELECT {_EVSE} FROM evses WHERE station_id = :station_id AND number = :number",
        {"station_id": evse.station_id, "number": evse.number},
    )
    assert row is not None
    return _evse(row)


_FIXED = frozenset({"id", "org_id"})
_NEW_EVSE = (
    "id",
    "org_id",
    "site_id",
    "station_id",
    "number",
    "name",
    "current_type",
    "max_power_w",
)


async def belongs_to_site(tx: Tx, table: str, row_id: UUID, site_id: UUID | None) -> bool:
    """Whether a bay or node exists (in this scope) and lies at the site."""
    assert table in {"bays", "nodes"}
    row = await tx.one(f"SELECT site_id FROM {table} WHERE id = :id", {"id": row_id})
    return row is not None and row["site_id"] == site_id


async def site_exists(tx: Tx, site_id: UUID) -> bool:
    return await tx.one("SELECT 1 AS x FROM sites WHERE id = :id", {"id": site_id}) is not None


async def config(tx: Tx, station_id: UUID) -> list[ConfigEntry]:
    rows = await tx.all(
        "SELECT component, component_instance, instance, evse_number, connector_number, name,"
        " attribute, value, readonly, traits, reboot_needed_at, read_at"
        " FROM station_config WHERE station_id = :id"
        " ORDER BY component, component_instance, evse_number, connector_number, name, instance,"
        " attribute",
        {"id": station_id},
    )
    return [_config_entry(row) for row in rows]


async def config_value(tx: Tx, station_id: UUID, component: str, name: str) -> str:
    """What a variable of the station itself was told to be; empty if it was not."""
    row = await tx.one(
        "SELECT value FROM station_config WHERE station_id = :id AND component = :component"
        " AND name = :name AND attribute = 'Actual'",
        {"id": station_id, "component": component, "name": name},
    )
    return "" if row is None else row["value"] or ""


async def drop_config_before(tx: Tx, station_id: UUID, at: datetime) -> None:
    """Forget keys that a complete report no longer names."""
    await tx.execute(
        "DELETE FROM station_config WHERE station_id = :id AND read_at < :at",
        {"id": station_id, "at": at},
    )


async def commands(
    tx: Tx, station_id: UUID, *, limit: int, before: datetime | None
) -> list[CommandRecord]:
    rows = await tx.all(
        "SELECT id, station_id, action, request, requested_by, requested_at, answered_at, status,"
        " word, response, latency_ms FROM charger_commands WHERE station_id = :id"
        " AND requested_at < coalesce(:before, 'infinity'::timestamptz)"
        " ORDER BY requested_at DESC, id LIMIT :limit",
        {"id": station_id, "limit": limit, "before": before},
    )
    return [CommandRecord(**row) for row in rows]


async def frames(
    tx: Tx,
    org_id: UUID,
    station_id: UUID | None,
    wanted: FrameFilter,
    *,
    limit: int,
    offset: int,
    oldest_first: bool = False,
) -> list[Frame]:
    """Newest first, unless ``oldest_first``; of all stations without ``station_id``.

    The order is one that an index has: a page reads little more than it shows.
    """
    where, params = _frame_conditions(wanted)
    if station_id is None:
        whose, params = "org_id = :org_id", {**params, "org_id": org_id}
    else:
        whose, params = "station_id = :station_id", {**params, "station_id": station_id}
    order = "at, direction" if oldest_first else "at DESC, direction"
    rows = await tx.all(
        "SELECT at, org_id, station_id, direction, kind, message_id, action, payload, error_code,"
        f" latency_ms, flags FROM ocpp_frames WHERE {whose}{where}"
        f" ORDER BY {order} LIMIT :limit OFFSET :offset",
        {**params, "limit": limit, "offset": offset},
    )
    return [Frame(**{**row, "flags": tuple(row["flags"])}) for row in rows]


def _frame_conditions(wanted: FrameFilter) -> tuple[str, dict[str, Any]]:
    parts = {
        "direction = :direction": ("direction", wanted.direction),
        "action = :action": ("action", wanted.action),
        "kind = :kind": ("kind", wanted.kind),
        "at >= :from_at": ("from_at", wanted.from_at),
        "at < :until_at": ("until_at", wanted.until_at),
        "(payload ILIKE :text OR message_id ILIKE :text)": ("text", _like(wanted.text)),
    }
    used = {sql: pair for sql, pair in parts.items() if pair[1] is not None}
    where = "".join(f" AND {sql}" for sql in used)
    if wanted.errors_only:
        where += " AND (error_code IS NOT NULL OR kind = 'error')"
    return where, dict(used.values())


def _like(text: str) -> str | None:
    if not text:
        return None
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def station_write(station_id: UUID, **columns: Any) -> Write:
    return Write("stations", {"id": station_id, **columns}, ("id",), update=True)


def evse_status_write(evse: Evse, info: str | None) -> Write:
    row = {
        "id": evse.id,
        "status": evse.status.value,
        "status_at": evse.status_at,
        "error_code": evse.error_code,
        "error_info": info,
    }
    return Write("evses", row, ("id",), update=True)


def connector_write(evse: Evse, state: ConnectorState) -> Write:
    row = {
        "id": uuid5(evse.id, str(state.number)),
        "org_id": evse.org_id,
        "evse_id": evse.id,
        "number": state.number,
        "status": state.status.value,
        "status_at": state.at,
        "error_code": state.error_code,
        "error_info": state.info,
    }
    return Write("connectors", row, ("evse_id", "number"))


def config_write(org_id: UUID, station_id: UUID, row: ConfigRow, read_at: datetime) -> Write:
    columns = {
        **_config_key(station_id, row),
        "org_id": org_id,
        "value": None if row.value is None else storable(row.value),
        "readonly": row.readonly,
        "read_at": read_at,
    }
    if row.traits is not None:
        columns["traits"] = _without_nul(msgspec.to_builtins(row.traits))
    return Write("station_config", columns, _CONFIG_KEY)


def config_set(station_id: UUID, row: ConfigRow, reboot_needed_at: datetime | None) -> Write:
    """A value that was set, if the key is kept already."""
    columns = {
        **_config_key(station_id, row),
        "value": None if row.value is None else storable(row.value),
        "reboot_needed_at": reboot_needed_at,
    }
    return Write("station_config", columns, _CONFIG_KEY, update=True)


def _config_key(station_id: UUID, row: ConfigRow) -> dict[str, Any]:
    return {
        "station_id": station_id,
        "component": storable(row.component),
        "component_instance": storable(row.component_instance),
        "instance": storable(row.instance),
        "evse_number": -1 if row.evse_number is None else row.evse_number,
        "connector_number": -1 if row.connector_number is None else row.connector_number,
        "name": storable(row.name),
        "attribute": storable(row.attribute),
    }


def _without_nul(traits: Mapping[str, Any]) -> dict[str, Any]:
    return {k: storable(v) if isinstance(v, str) else v for k, v in traits.items()}


_CONFIG_KEY = (
    "station_id",
    "component",
    "component_instance",
    "instance",
    "evse_number",
    "connector_number",
    "name",
    "attribute",
)


def command_write(org_id: UUID, record: CommandRecord) -> Write:
    row = {
        "id": record.id,
        "org_id": org_id,
        "station_id": record.station_id,
        "action": record.action,
        "request": record.request,
        "requested_by": record.requested_by,
        "requested_at": record.requested_at,
        "answered_at": record.answered_at,
        "status": record.status,
        "word": record.word,
        "response": record.response,
        "latency_ms": record.latency_ms,
    }
    return Write("charger_commands", row, ("id",))


FRAME = Group(
    "ocpp_frames",
    (
        "at",
        "org_id",
        "station_id",
        "direction",
        "kind",
        "message_id",
        "action",
        "payload",
        "error_code",
        "latency_ms",
        "flags",
    ),
)


def frame_write(frame: Frame, payload_max: int) -> Write:
    payload = storable(frame.payload)
    if len(payload) > payload_max:
        payload = f"{payload[:payload_max]}… ({len(payload)} characters)"
    return FRAME.insert(
        (
            frame.at,
            frame.org_id,
            frame.station_id,
            frame.direction,
            frame.kind,
            storable(frame.message_id),
            storable(frame.action),
            payload,
            None if frame.error_code is None else storable(frame.error_code),
            frame.latency_ms,
            frame.flags,
        )
    )


def flags_json(flags: Mapping[str, FlagCount]) -> dict[str, Any]:
    return {
        name: {"count": flag.count, "last_at": flag.last_at, "detail": storable(flag.detail)}
        for name, flag in flags.items()
    }


def storable(text: str) -> str:
    """Without what PostgreSQL's text cannot hold: NUL characters and lone surrogates."""
    if text.isascii():
        return text.replace("\x00", "") if "\x00" in text else text
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def _entries(
    stations: Sequence[Row], evses: Sequence[Row], connectors: Sequence[Row]
) -> list[Entry]:
    entries = {row["id"]: _entry(row) for row in stations}
    numbers: dict[UUID, tuple[Entry, int]] = {}
    for row in evses:
        entry = entries.get(row["station_id"])
        if entry is not None:
            entry.evses[row["number"]] = _evse(row)
            numbers[row["id"]] = (entry, row["number"])
    for row in connectors:
        if row["evse_id"] in numbers:
            entry, number = numbers[row["evse_id"]]
            entry.connectors.setdefault(number, {})[row["number"]] = _connector(row)
    return list(entries.values())


def _entry(row: Row) -> Entry:
    flags = {
        name: FlagCount(
            name,
            int(value["count"]),
            datetime.fromisoformat(value["last_at"]),
            str(value["detail"]),
        )
        for name, value in row["flags"].items()
    }
    station = Station(
        id=row["id"],
        org_id=row["org_id"],
        site_id=row["site_id"],
        identity=row["identity"],
        state=StationState(row["state"]),
        name=row["name"],
        vendor=row["vendor"],
        model=row["model"],
        serial=row["serial"],
        firmware=row["firmware"],
        ocpp_version=row["ocpp_version"],
        connected=row["connected"],
        connected_at=row["connected_at"],
        last_seen_at=row["last_seen_at"],
        booted_at=row["booted_at"],
        quirks=msgspec.convert(row["quirks"], Quirks),
        flags=tuple(sorted(flags)),
    )
    own = None if station.quirks == Quirks() else station.quirks
    return Entry(
        station,
        password_hash=row["password_hash"],
        remote=row["remote"],
        flags=flags,
        own_quirks=own,
    )


def _evse(row: Row) -> Evse:
    values = {name: value for name, value in row.items() if name != "error_info"}
    values["current_type"] = CurrentType(row["current_type"])
    values["status"] = EvseStatus(row["status"])
    return Evse(**values)


def _evse_params(evse: Evse) -> dict[str, Any]:
    skipped = {"status", "status_at", "error_code"}
    names = [field.name for field in fields(evse) if field.name not in skipped]
    return {**{name: getattr(evse, name) for name in names}, "current_type": str(evse.current_type)}


def _connector(row: Row) -> ConnectorState:
    return ConnectorState(
        row["number"],
        EvseStatus(row["status"]),
        row["status_at"],
        row["error_code"],
        row["error_info"],
    )


def _config_entry(row: Row) -> ConfigEntry:
    return ConfigEntry(
        ConfigRow(
            name=row["name"],
            value=row["value"],
            readonly=row["readonly"],
            component=row["component"],
            instance=row["instance"],
            evse_number=None if row["evse_number"] < 0 else row["evse_number"],
            attribute=row["attribute"],
            component_instance=row["component_instance"],
            connector_number=None if row["connector_number"] < 0 else row["connector_number"],
            traits=None if row["traits"] is None else msgspec.convert(row["traits"], Traits),
        ),
        row["read_at"],
        row["reboot_needed_at"],
    )


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
