"""SQL of vehicles and tokens."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from voltyard.fleets.model import Token, TokenFilter, TokenState, Vehicle
from voltyard.storage.engine import Row, Tx

VEHICLE = tuple(Vehicle.__dataclass_fields__)
TOKEN = tuple(Token.__dataclass_fields__)


def _vehicle(row: Row) -> Vehicle:
    curve = tuple((float(soc), float(power)) for soc, power in row["charge_curve"])
    return Vehicle(**{**{name: row[name] for name in VEHICLE}, "charge_curve": curve})


def _token(row: Row) -> Token:
    places = {name: tuple(row[name]) for name in ("site_ids", "area_ids")}
    return Token(**{**{name: row[name] for name in TOKEN}, **places})


def _params(thing: Vehicle | Token) -> dict[str, Any]:
    found = {name: getattr(thing, name) for name in thing.__dataclass_fields__}
    if isinstance(thing, Vehicle):
        found["charge_curve"] = msgspec.json.encode(thing.charge_curve).decode()
    else:
        found |= {"site_ids": list(thing.site_ids), "area_ids": list(thing.area_ids)}
    return found


def _value(name: str) -> str:
    return f"CAST(:{name} AS jsonb)" if name == "charge_curve" else f":{name}"


def _insert(table: str, columns: Sequence[str]) -> str:
    values = ", ".join(_value(name) for name in columns)
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({values})"


def _update(table: str, columns: Sequence[str]) -> str:
    changes = ", ".join(f"{n} = {_value(n)}" for n in columns if n not in ("id", "org_id"))
    return f"UPDATE {table} SET {changes} WHERE id = :id AND org_id = :org_id"


async def insert_vehicles(tx: Tx, vehicles: Sequence[Vehicle]) -> None:
    await tx.execute_many(_insert("vehicles", VEHICLE), [_params(v) for v in vehicles])


async def update_vehicles(tx: Tx, vehicles: Sequence[Vehicle]) -> None:
    await tx.execute_many(_update("vehicles", VEHICLE), [_params(v) for v in vehicles])


async def delete_vehicle(tx: Tx, vehicle_id: UUID) -> None:
    await tx.execute("DELETE FROM vehicles WHERE id = :id", {"id": vehicle_id})


async def vehicle(tx: Tx, vehicle_id: UUID) -> Vehicle | None:
    row = await tx.one("SELECT * FROM vehicles WHERE id = :id", {"id": vehicle_id})
    return None if row is None else _vehicle(row)


async def all_vehicles(tx: Tx) -> list[Vehicle]:
    """Those of operators below, too."""
    return [_vehicle(row) for row in await tx.all("SELECT * FROM vehicles ORDER BY name, id")]


async def find_vehicles(
    tx: Tx, conditions: Sequence[str], params: Mapping[str, Any], *, limit: int, offset: int
) -> tuple[list[Vehicle], int]:
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    total = await tx.one(f"SELECT count(*) AS n FROM vehicles{where}", params)
    rows = await tx.all(
        f"SELECT * FROM vehicles{where} ORDER BY name, id LIMIT :limit OFFSET :offset",
        {**params, "limit": limit, "offset": offset},
    )
    return [_vehicle(row) for row in rows], int(total["n"]) if total else 0


async def insert_tokens(tx: Tx, tokens: Sequence[Token]) -> None:
    await tx.execute_many(_insert("tokens", TOKEN), [_params(token) for token in tokens])


async def update_tokens(tx: Tx, tokens: Sequence[Token]) -> None:
    await tx.execute_many(_update("tokens", TOKEN), [_params(token) for token in tokens])


async def delete_token(tx: Tx, token_id: UUID) -> None:
    await tx.execute("DELETE FROM tokens WHERE id = :id", {"id": token_id})


async def token(tx: Tx, token_id: UUID) -> Token | None:
    row = await tx.one("SELECT * FROM tokens WHERE id = :id", {"id": token_id})
    return None if row is None else _token(row)


async def all_tokens(tx: Tx) -> list[Token]:
    """Those of operators below, too."""
    return [_token(row) for row in await tx.all("SELECT * FROM tokens ORDER BY value, id")]


_GOOD = "NOT blocked AND (valid_until IS NULL OR valid_until > :now)"
_BEGUN = "(valid_from IS NULL OR valid_from <= :now)"
_IDLE = "EXISTS (SELECT 1 FROM vehicles v WHERE v.id = vehicle_id AND NOT v.active)"
_STATES: Mapping[TokenState, str] = {
    TokenState.BLOCKED: "blocked",
    TokenState.EXPIRED: "(NOT blocked AND valid_until <= :now)",
    TokenState.NOT_YET: f"({_GOOD} AND valid_from > :now)",
    TokenState.OUT_OF_SERVICE: f"({_GOOD} AND {_BEGUN} AND {_IDLE})",
    TokenState.VALID: f"({_GOOD} AND {_BEGUN} AND NOT {_IDLE})",
}


def token_conditions(wanted: TokenFilter, now: datetime) -> tuple[list[str], dict[str, Any]]:
    """``Token.state_at`` says the same of one token."""
    conditions: list[str] = []
    params: dict[str, Any] = {}
    if wanted.text:
        conditions.append(
            "(strpos(lower(value), :text) > 0 OR strpos(lower(label), :text) > 0"
            " OR strpos(lower(group_id), :text) > 0 OR EXISTS (SELECT 1 FROM vehicles v"
            " WHERE v.id = vehicle_id AND strpos(lower(v.name), :text) > 0))"
        )
        params["text"] = wanted.text.lower()
    for name in ("vehicle_id", "kind", "concurrent"):
        value = getattr(wanted, name)
        if value is not None:
            conditions.append(f"{name} = :{name}")
            params[name] = value
    if wanted.state is not None:
        conditions.append(_STATES[wanted.state])
        if wanted.state is not TokenState.BLOCKED:
            params["now"] = now
    return conditions, params


async def find_tokens(
    tx: Tx, conditions: Sequence[str], params: Mapping[str, Any], *, limit: int, offset: int
) -> tuple[list[Token], int]:
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    total = await tx.one(f"SELECT count(*) AS n FROM tokens{where}", params)
    rows = await tx.all(
        f"SELECT * FROM tokens{where} ORDER BY lower(value), id LIMIT :limit OFFSET :offset",
        {**params, "limit": limit, "offset": offset},
    )
    return [_token(row) for row in rows], int(total["n"]) if total else 0
