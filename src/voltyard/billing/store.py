"""All SQL of tariffs, costs of sessions, prepaid accounts and payments."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from voltyard.billing.commands import BillingSettings
from voltyard.billing.model import (
    Assignment,
    Cost,
    CostState,
    Phase,
    Rating,
    SessionCost,
    StationCost,
    Target,
    Tariff,
    Terms,
)
from voltyard.billing.payment import (
    Account,
    Entry,
    EntryKind,
    Payment,
    PaymentSource,
    PaymentState,
)
from voltyard.storage.engine import Row, Tx

ONCE = "payments_once"
ASSIGNED_ONCE = "tariff_assignments_once"
NAMED_ONCE = "charging_tariffs_name"
_PAYMENT = tuple(field.name for field in fields(Payment))
_JSON = frozenset({"company", "details"})


@dataclass(frozen=True, slots=True)
class WebKey:
    """What makes the one-time passwords of a station."""

    station_id: UUID
    org_id: UUID
    secret: str
    validity_s: int
    length: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Placed:
    """What is known of a tariff on an outlet of a charger that reckons by itself."""

    station_id: UUID
    evse_number: int
    org_id: UUID
    tariff_key: str
    state: str
    word: str
    at: datetime


# Tariffs


async def tariffs(tx: Tx) -> list[Tariff]:
    rows = await tx.all(
        "SELECT id, org_id, name, number, terms, changed_at, retired FROM charging_tariffs"
        " ORDER BY name, id"
    )
    return [_tariff(row) for row in rows]


async def put_tariff(tx: Tx, tariff: Tariff, by: str) -> None:
    """A new tariff or a new version of one."""
    params = {
        "id": tariff.id,
        "org_id": tariff.org_id,
        "name": tariff.name,
        "number": tariff.number,
        "terms": _json(tariff.terms),
        "at": tariff.changed_at,
        "retired": tariff.retired,
        "by": by,
    }
    await tx.execute(
        "INSERT INTO charging_tariffs (id, org_id, name, number, terms, changed_at, retired)"
        " VALUES (:id, :org_id, :name, :number, CAST(:terms AS jsonb), :at, :retired)"
        " ON CONFLICT (id) DO UPDATE SET name = excluded.name, number = excluded.number,"
        " terms = excluded.terms, changed_at = excluded.changed_at, retired = excluded.retired",
        params,
    )
    await tx.execute(
        "INSERT INTO tariff_versions (tariff_id, number, org_id, name, terms, at, by)"
        " VALUES (:id, :number, :org_id, :name, CAST(:terms AS jsonb), :at, :by)"
        " ON CONFLICT (tariff_id, number) DO NOTHING",
        params,
    )


async def versions(tx: Tx, tariff_id: UUID) -> list[tuple[Tariff, str]]:
    """Newest first, each with who made it."""
    rows = await tx.all(
        "SELECT tariff_id AS id, org_id, name, number, terms, at AS changed_at, by"
        " FROM tariff_versions WHERE tariff_id = :id ORDER BY number DESC",
        {"id": tariff_id},
    )
    return [(_tariff(row), row["by"]) for row in rows]


async def assignments(tx: Tx) -> list[Assignment]:
    rows = await tx.all("SELECT id, org_id, tariff_id, target, ref FROM tariff_assignments")
    return [Assignment(**{**row, "target": Target(row["target"])}) for row in rows]


async def insert_assignment(tx: Tx, row: Assignment) -> None:
    await tx.execute(
        "INSERT INTO tariff_assignments (id, org_id, tariff_id, target, ref)"
        " VALUES (:id, :org_id, :tariff_id, :target, :ref)",
        {**asdict(row), "target": row.target.value},
    )


async def delete_assignment(tx: Tx, assignment_id: UUID) -> int:
    return await tx.execute("DELETE FROM tariff_assignments WHERE id = :id", {"id": assignment_id})


# Settings


async def settings(tx: Tx) -> dict[UUID, BillingSettings]:
    names = [field.name for field in fields(BillingSettings)]
    rows = await tx.all(f"SELECT org_id, {', '.join(names)} FROM billing_settings")
    return {row["org_id"]: BillingSettings(**{name: row[name] for name in names}) for row in rows}


async def save_settings(tx: Tx, org_id: UUID, found: BillingSettings) -> None:
    row = asdict(found)
    sets = ", ".join(f"{name} = excluded.{name}" for name in row)
    await tx.execute(
        f"INSERT INTO billing_settings (org_id, {', '.join(row)})"
        f" VALUES (:org_id, {', '.join(f':{name}' for name in row)})"
        f" ON CONFLICT (org_id) DO UPDATE SET {sets}",
        {"org_id": org_id, **row},
    )


# Costs


_COST = (
    "session_id, org_id, station_id, state, phases, cost, rated_at, reason, energy_wh, ratings,"
    " station_cost, account_id, hold"
)


async def save_cost(tx: Tx, row: SessionCost) -> None:
    cost = row.cost
    params = {
        "session_id": row.session_id,
        "org_id": row.org_id,
        "station_id": row.station_id,
        "state": row.state.value,
        "phases": _json(row.phases),
        "cost": _json(cost),
        "currency": cost.currency,
        "net": cost.net,
        "tax": cost.tax,
        "gross": cost.gross,
        "rated_at": row.rated_at,
        "reason": row.reason,
        "energy_wh": row.energy_wh,
        "ratings": _json(row.ratings),
        "station_cost": None if row.station_cost is None else _json(row.station_cost),
        "account_id": row.account_id,
        "hold": row.hold,
    }
    json = frozenset({"phases", "cost", "ratings", "station_cost"})
    values = ", ".join(f"CAST(:{k} AS jsonb)" if k in json else f":{k}" for k in params)
    sets = ", ".join(f"{k} = excluded.{k}" for k in params if k != "session_id")
    await tx.execute(
        f"INSERT INTO session_costs ({', '.join(params)}) VALUES ({values})"
        f" ON CONFLICT (session_id) DO UPDATE SET {sets}",
        params,
    )


async def cost_of(tx: Tx, session_id: UUID) -> SessionCost | None:
    row = await tx.one(
        f"SELECT {_COST} FROM session_costs WHERE session_id = :id", {"id": session_id}
    )
    return None if row is None else _session_cost(row)


async def running_costs(tx: Tx) -> list[SessionCost]:
    rows = await tx.all(f"SELECT {_COST} FROM session_costs WHERE state = 'running'")
    return [_session_cost(row) for row in rows]


async def totals(tx: Tx, session_ids: Sequence[UUID]) -> dict[UUID, tuple[Decimal, str, str]]:
    """Gross, currency and state of sessions, for lists."""
    rows = await tx.all(
        "SELECT session_id, gross, currency, state FROM session_costs WHERE session_id = ANY(:ids)",
        {"ids": list(session_ids)},
    )
    return {row["session_id"]: (row["gross"], row["currency"], row["state"]) for row in rows}


# Prepaid


async def accounts(tx: Tx) -> list[Account]:
    rows = await tx.all(
        "SELECT id, org_id, name, currency, balance, tokens, created_at, closed"
        " FROM prepaid_accounts ORDER BY name, id"
    )
    return [Account(**{**row, "tokens": tuple(row["tokens"])}) for row in rows]


async def save_account(tx: Tx, row: Account) -> None:
    params = asdict(row)
    del params["held"]
    params["tokens"] = list(row.tokens)
    names = ", ".join(params)
    values = ", ".join(f":{name}" for name in params)
    await tx.execute(
        f"INSERT INTO prepaid_accounts ({names}) VALUES ({values})"
        " ON CONFLICT (id) DO UPDATE SET name = excluded.name, tokens = excluded.tokens,"
        " closed = excluded.closed",
        params,
    )


async def book(tx: Tx, account_id: UUID, amount: Decimal) -> Decimal:
    """Add to the balance; what it is then. Rows are locked, so bookings never overtake."""
    row = await tx.one(
        "UPDATE prepaid_accounts SET balance = balance + :amount WHERE id = :id RETURNING balance",
        {"id": account_id, "amount": amount},
    )
    assert row is not None
    found: Decimal = row["balance"]
    return found


async def booked_for(tx: Tx, session_id: UUID) -> Decimal:
    """What a session has been booked so far: 0 or below."""
    row = await tx.one(
        "SELECT coalesce(sum(amount), 0) AS amount FROM prepaid_entries WHERE session_id = :id",
        {"id": session_id},
    )
    return Decimal(0) if row is None else row["amount"]


async def insert_entry(tx: Tx, entry: Entry) -> None:
    params = {**asdict(entry), "kind": entry.kind.value}
    await tx.execute(
        f"INSERT INTO prepaid_entries ({', '.join(params)})"
        f" VALUES ({', '.join(f':{name}' for name in params)})",
        params,
    )


async def entries(tx: Tx, account_id: UUID, *, limit: int) -> list[Entry]:
    names = ", ".join(field.name for field in fields(Entry))
    rows = await tx.all(
        f"SELECT {names} FROM prepaid_entries WHERE account_id = :id"
        " ORDER BY at DESC, id LIMIT :limit",
        {"id": account_id, "limit": limit},
    )
    return [Entry(**{**row, "kind": EntryKind(row["kind"])}) for row in rows]


# Payments


async def save_payment(tx: Tx, payment: Payment) -> None:
    params: dict[str, Any] = {name: getattr(payment, name) for name in _PAYMENT}
    params |= {"source": payment.source.value, "state": payment.state.value}
    for name in _JSON:
        params[name] = None if params[name] is None else _json(params[name])
    values = ", ".join(f"CAST(:{k} AS jsonb)" if k in _JSON else f":{k}" for k in params)
    sets = ", ".join(f"{k} = excluded.{k}" for k in params if k not in ("id", "org_id", "psp_ref"))
    await tx.execute(
        f"INSERT INTO payments ({', '.join(params)}) VALUES ({values})"
        f" ON CONFLICT (id) DO UPDATE SET {sets}",
        params,
    )


async def payment(tx: Tx, payment_id: UUID) -> Payment | None:
    return _payment(
        await tx.one(f"SELECT {_names()} FROM payments WHERE id = :id", {"id": payment_id})
    )


async def payment_by_ref(tx: Tx, psp_ref: str) -> Payment | None:
    """Locked until the transaction is over, so that it is changed by one at a time."""
    return _payment(
        await tx.one(
            f"SELECT {_names()} FROM payments WHERE psp_ref = :ref FOR UPDATE", {"ref": psp_ref}
        )
    )


async def payment_of(tx: Tx, session_id: UUID) -> Payment | None:
    return _payment(
        await tx.one(
            f"SELECT {_names()} FROM payments WHERE session_id = :id ORDER BY created_at",
            {"id": session_id},
        )
    )


async def payments(
    tx: Tx, *, state: str | None, session_id: UUID | None, limit: int, offset: int
) -> tuple[list[Payment], int]:
    """Newest change first, and how many there are."""
    where, params = "true", {}
    if state is not None:
        where, params = f"{where} AND state = :state", {"state": state}
    if session_id is not None:
        where += " AND session_id = :session_id"
        params["session_id"] = session_id  # type: ignore[assignment]
    rows = await tx.all(
        f"SELECT {_names()} FROM payments WHERE {where}"
        " ORDER BY changed_at DESC, id LIMIT :limit OFFSET :offset",
        {**params, "limit": limit, "offset": offset},
    )
    total = await tx.one(f"SELECT count(*) AS n FROM payments WHERE {where}", params)
    found = [each for each in map(_payment, rows) if each is not None]
    return found, int(total["n"]) if total else 0


async def session_named(tx: Tx, station_id: UUID, ref: str) -> UUID | None:
    """The session of a charger's transaction."""
    row = await tx.one(
        "SELECT id FROM sessions WHERE station_id = :station AND transaction_ref = :ref",
        {"station": station_id, "ref": ref},
    )
    return None if row is None else row["id"]


async def request_number(tx: Tx) -> int:
    """A number no other request to any charger has had."""
    row = await tx.one("SELECT nextval('charger_requests')::int AS number")
    assert row is not None
    return int(row["number"])


# Chargers


async def placed(tx: Tx) -> list[Placed]:
    names = ", ".join(field.name for field in fields(Placed))
    return [Placed(**row) for row in await tx.all(f"SELECT {names} FROM station_tariffs")]


async def save_placed(tx: Tx, row: Placed) -> None:
    await tx.execute(
        "INSERT INTO station_tariffs"
        " (station_id, evse_number, org_id, tariff_key, state, word, at)"
        " VALUES (:station_id, :evse_number, :org_id, :tariff_key, :state, :word, :at)"
        " ON CONFLICT (station_id, evse_number) DO UPDATE SET tariff_key = excluded.tariff_key,"
        " state = excluded.state, word = excluded.word, at = excluded.at",
        asdict(row),
    )


async def web_keys(tx: Tx) -> list[WebKey]:
    names = ", ".join(field.name for field in fields(WebKey))
    return [WebKey(**row) for row in await tx.all(f"SELECT {names} FROM station_web_payments")]


async def save_web_key(tx: Tx, row: WebKey) -> None:
    await tx.execute(
        "INSERT INTO station_web_payments (station_id, org_id, secret, validity_s, length, at)"
        " VALUES (:station_id, :org_id, :secret, :validity_s, :length, :at)"
        " ON CONFLICT (station_id) DO UPDATE SET secret = excluded.secret,"
        " validity_s = excluded.validity_s, length = excluded.length, at = excluded.at",
        asdict(row),
    )


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _tariff(row: Row) -> Tariff:
    return Tariff(
        row["id"],
        row["org_id"],
        row["name"],
        row["number"],
        msgspec.convert(row["terms"], Terms),
        row["changed_at"],
        bool(row.get("retired", False)),
    )


def _session_cost(row: Row) -> SessionCost:
    told = row["station_cost"]
    return SessionCost(
        row["session_id"],
        row["org_id"],
        row["station_id"],
        CostState(row["state"]),
        msgspec.convert(row["phases"], tuple[Phase, ...]),
        msgspec.convert(row["cost"], Cost),
        row["rated_at"],
        row["reason"],
        row["energy_wh"],
        msgspec.convert(row["ratings"], tuple[Rating, ...]),
        None if told is None else msgspec.convert(told, StationCost),
        row["account_id"],
        row["hold"],
    )


def _names() -> str:
    return ", ".join(_PAYMENT)


def _payment(row: Row | None) -> Payment | None:
    if row is None:
        return None
    values = dict(row)
    values["source"] = PaymentSource(row["source"])
    values["state"] = PaymentState(row["state"])
    return Payment(**values)
