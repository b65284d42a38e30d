"""All SQL of pki: authorities, policies, anchors, stations, certificates, revocations, events."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from voltyard.pki.model import (
    Algorithm,
    Anchor,
    AnchorUse,
    CertificateBrief,
    CertificateFilter,
    CertificateState,
    EventFilter,
    Installed,
    Issuer,
    Policy,
    Profile,
    Revocation,
    SecurityEvent,
    StationCertificate,
    StationSecurity,
)
from voltyard.storage.engine import Row, Tx

_CERTIFICATE = ", ".join(field.name for field in fields(StationCertificate))
_STATION = ", ".join(field.name for field in fields(StationSecurity))
_BRIEF = ", ".join(field.name for field in fields(CertificateBrief))
_EVENT = ", ".join(field.name for field in fields(SecurityEvent))
_ANCHOR = ", ".join(field.name for field in fields(Anchor))


@dataclass(frozen=True, slots=True)
class StoredAuthority:
    """PEM texts and sealed keys. ``bridge``: its root, signed by the one before it."""

    algorithm: Algorithm
    root: str
    root_key: bytes
    issuing: str
    issuing_key: bytes
    generation: int = 1
    current: bool = True
    bridge: str = ""


_AUTHORITY = ", ".join(field.name for field in fields(StoredAuthority))


@dataclass(frozen=True, slots=True)
class StoredServer:
    """A certificate of the OCPP port: chain as PEM, its key sealed, the names it is for."""

    algorithm: Algorithm
    names: str
    chain: str
    key: bytes
    not_after: datetime


async def authorities(tx: Tx) -> list[StoredAuthority]:
    """The current one of each algorithm first."""
    rows = await tx.all(
        f"SELECT {_AUTHORITY} FROM pki_authorities"
        " ORDER BY algorithm, current DESC, generation DESC"
    )
    return [StoredAuthority(**{**row, "algorithm": Algorithm(row["algorithm"])}) for row in rows]


async def insert_authority(tx: Tx, made: StoredAuthority, at: datetime) -> bool:
    """False if there is one already: somebody else was faster."""
    done = await tx.execute(
        f"INSERT INTO pki_authorities ({_AUTHORITY}, created_at)"
        f" VALUES ({_params([field.name for field in fields(StoredAuthority)])}, :at)"
        " ON CONFLICT DO NOTHING",
        {**_plain(made), "at": at},
    )
    return done == 1


async def step_down(tx: Tx, algorithm: Algorithm, generation: int) -> bool:
    """It issues no more; the port's certificate by it is to be replaced. False if another has."""
    done = await tx.execute(
        "UPDATE pki_authorities SET current = false"
        " WHERE algorithm = :algorithm AND generation = :generation AND current",
        {"algorithm": algorithm.value, "generation": generation},
    )
    await tx.execute(
        "DELETE FROM pki_servers WHERE algorithm = :algorithm", {"algorithm": algorithm.value}
    )
    return done == 1


async def delete_authority(tx: Tx, algorithm: Algorithm, generation: int) -> bool:
    done = await tx.execute(
        "DELETE FROM pki_authorities"
        " WHERE algorithm = :algorithm AND generation = :generation AND NOT current",
        {"algorithm": algorithm.value, "generation": generation},
    )
    return done == 1


async def still_used(tx: Tx, issuer_hash: str, at: datetime) -> int:
    """Stations, of all organisations, whose certificate is this issuer's and valid at ``at``."""
    row = await tx.one(
        "SELECT count(DISTINCT station_id) AS n FROM pki_certificates"
        " WHERE issuer_hash = :issuer_hash AND state IN ('issued', 'installed', 'in_use')"
        " AND not_after > :at",
        {"issuer_hash": issuer_hash, "at": at},
    )
    return 0 if row is None else int(row["n"])


async def next_crl_number(tx: Tx, algorithm: Algorithm, generation: int) -> int:
    row = await tx.one(
        "UPDATE pki_authorities SET crl_number = crl_number + 1"
        " WHERE algorithm = :algorithm AND generation = :generation RETURNING crl_number",
        {"algorithm": algorithm.value, "generation": generation},
    )
    return 1 if row is None else int(row["crl_number"])


async def servers(tx: Tx) -> list[StoredServer]:
    rows = await tx.all("SELECT algorithm, names, chain, key, not_after FROM pki_servers")
    return [StoredServer(**{**row, "algorithm": Algorithm(row["algorithm"])}) for row in rows]


async def save_server(tx: Tx, server: StoredServer) -> None:
    await tx.execute(
        "INSERT INTO pki_servers (algorithm, names, chain, key, not_after)"
        " VALUES (:algorithm, :names, :chain, :key, :not_after) ON CONFLICT (algorithm)"
        " DO UPDATE SET names = excluded.names, chain = excluded.chain, key = excluded.key,"
        " not_after = excluded.not_after",
        _plain(server),
    )


async def policies(tx: Tx) -> dict[UUID, Policy]:
    rows = await tx.all(
        "SELECT org_id, organisation, any_organisation, issuer, valid_days, renew_days"
        " FROM pki_policies"
    )
    return {
        row["org_id"]: Policy(
            row["organisation"],
            row["any_organisation"],
            Issuer(row["issuer"]),
            row["valid_days"],
            row["renew_days"],
        )
        for row in rows
    }


async def save_policy(tx: Tx, org_id: UUID, policy: Policy) -> None:
    await tx.execute(
        "INSERT INTO pki_policies (org_id, organisation, any_organisation, issuer, valid_days,"
        " renew_days) VALUES (:org_id, :organisation, :any_organisation, :issuer, :valid_days,"
        " :renew_days) ON CONFLICT (org_id) DO UPDATE SET organisation = excluded.organisation,"
        " any_organisation = excluded.any_organisation, issuer = excluded.issuer,"
        " valid_days = excluded.valid_days, renew_days = excluded.renew_days",
        {**_plain(policy), "org_id": org_id},
    )


async def organisation_name(tx: Tx, org_id: UUID) -> str:
    row = await tx.one("SELECT name FROM organisations WHERE id = :id", {"id": org_id})
    return "" if row is None else str(row["name"])


async def anchors(tx: Tx) -> list[Anchor]:
    rows = await tx.all(f"SELECT {_ANCHOR} FROM pki_anchors ORDER BY created_at, id")
    return [Anchor(**{**row, "use": AnchorUse(row["use"])}) for row in rows]


async def insert_anchor(tx: Tx, anchor: Anchor) -> bool:
    """False if it is trusted already."""
    names = [field.name for field in fields(Anchor)]
    done = await tx.execute(
        f"INSERT INTO pki_anchors ({_ANCHOR}) VALUES ({_params(names)}) ON CONFLICT DO NOTHING",
        _plain(anchor),
    )
    return done == 1


async def delete_anchor(tx: Tx, anchor_id: UUID) -> None:
    await tx.execute("DELETE FROM pki_anchors WHERE id = :id", {"id": anchor_id})


async def stations(tx: Tx) -> list[StationSecurity]:
    return [_station(row) for row in await tx.all(f"SELECT {_STATION} FROM pki_stations")]


async def save_station(tx: Tx, security: StationSecurity) -> None:
    """Raises the driver's IntegrityError if the certificate name is another station's."""
    names = [field.name for field in fields(StationSecurity)]
    changes = ", ".join(f"{n} = excluded.{n}" for n in names if n not in {"station_id", "org_id"})
    values = _params(names).replace(":installed,", "CAST(:installed AS jsonb),")
    row = _plain(security)
    row["installed"] = msgspec.json.encode(security.installed).decode()
    await tx.execute(
        f"INSERT INTO pki_stations ({_STATION}) VALUES ({values})"
        f" ON CONFLICT (station_id) DO UPDATE SET {changes}",
        row,
    )


async def name_is_taken(tx: Tx, name: str, station_id: UUID) -> bool:
    """By another station, as its identity or its certificate name."""
    row = await tx.one(
        "SELECT 1 AS x FROM stations WHERE identity = :name AND id <> :id"
        " UNION ALL SELECT 1 FROM pki_stations WHERE certificate_name = :name"
        " AND station_id <> :id",
        {"name": name, "id": station_id},
    )
    return row is not None


async def insert_certificate(tx: Tx, row: StationCertificate) -> None:
    names = [field.name for field in fields(StationCertificate)]
    await tx.execute(
        f"INSERT INTO pki_certificates ({_CERTIFICATE}) VALUES ({_params(names)})", _plain(row)
    )


async def update_certificate(tx: Tx, row: StationCertificate) -> None:
    names = [field.name for field in fields(StationCertificate)]
    changes = ", ".join(f"{n} = :{n}" for n in names if n not in _LASTING)
    kept = {name: value for name, value in _plain(row).items() if name not in _LASTING - {"id"}}
    await tx.execute(f"UPDATE pki_certificates SET {changes} WHERE id = :id", kept)


_LASTING = frozenset(
    {"id", "org_id", "station_id", "csr", "key_hash", "requested_at", "use", "request_id"}
)


async def certificate(tx: Tx, certificate_id: UUID) -> StationCertificate | None:
    row = await tx.one(
        f"SELECT {_CERTIFICATE} FROM pki_certificates WHERE id = :id", {"id": certificate_id}
    )
    return None if row is None else _certificate(row)


async def certificates(
    tx: Tx, wanted: CertificateFilter, *, limit: int, offset: int = 0
) -> list[StationCertificate]:
    """Newest request first."""
    parts: dict[str, Any] = {}
    where = ["true"]
    if wanted.station_id is not None:
        where.append("station_id = :station_id")
        parts["station_id"] = wanted.station_id
    if wanted.state is not None:
        where.append("state = :state")
        parts["state"] = wanted.state.value
    if wanted.ends_before is not None:
        where.append("state IN ('installed', 'in_use') AND not_after < :ends_before")
        parts["ends_before"] = wanted.ends_before
    rows = await tx.all(
        f"SELECT {_CERTIFICATE} FROM pki_certificates WHERE {' AND '.join(where)}"
        " ORDER BY requested_at DESC, id LIMIT :limit OFFSET :offset",
        {**parts, "limit": limit, "offset": offset},
    )
    return [_certificate(row) for row in rows]


async def held(tx: Tx, ids: frozenset[UUID] | None = None) -> list[CertificateBrief]:
    """What each station, or each of ``ids``, uses; failing that, what it has taken."""
    rows = await tx.all(
        f"SELECT DISTINCT ON (station_id) {_BRIEF} FROM pki_certificates"
        f" WHERE state IN ('installed', 'in_use'){_AMONG}"
        " ORDER BY station_id, state = 'in_use' DESC, requested_at DESC, id",
        {"ids": _listed(ids)},
    )
    return [_brief(row) for row in rows]


async def newest(tx: Tx, ids: frozenset[UUID] | None = None) -> list[CertificateBrief]:
    """The newest request of each station, or of each of ``ids``."""
    rows = await tx.all(
        f"SELECT DISTINCT ON (station_id) {_BRIEF} FROM pki_certificates WHERE true{_AMONG}"
        " ORDER BY station_id, requested_at DESC, id",
        {"ids": _listed(ids)},
    )
    return [_brief(row) for row in rows]


_AMONG = " AND (CAST(:ids AS uuid[]) IS NULL OR station_id = ANY(CAST(:ids AS uuid[])))"


async def issued_unsent(tx: Tx) -> list[StationCertificate]:
    """Signed and not answered yet, oldest first."""
    rows = await tx.all(
        f"SELECT {_CERTIFICATE} FROM pki_certificates WHERE state = 'issued'"
        " ORDER BY requested_at, id"
    )
    return [_certificate(row) for row in rows]


async def signed(tx: Tx, at: datetime) -> list[StationCertificate]:
    """Every certificate that may still be shown at ``at``."""
    rows = await tx.all(
        f"SELECT {_CERTIFICATE} FROM pki_certificates WHERE fingerprint IS NOT NULL"
        " AND not_after > :at ORDER BY requested_at, id",
        {"at": at},
    )
    return [_certificate(row) for row in rows]


async def by_fingerprint(tx: Tx, station_id: UUID, fingerprint: str) -> StationCertificate | None:
    row = await tx.one(
        f"SELECT {_CERTIFICATE} FROM pki_certificates"
        " WHERE station_id = :station_id AND fingerprint = :fingerprint",
        {"station_id": station_id, "fingerprint": fingerprint},
    )
    return None if row is None else _certificate(row)


async def key_of_another(tx: Tx, key_hash: str, station_id: UUID) -> bool:
    """Whether another station has asked with this key (A00.FR.427: one each)."""
    row = await tx.one(
        "SELECT 1 AS x FROM pki_certificates WHERE key_hash = :key_hash"
        " AND station_id <> :station_id AND state <> 'refused'",
        {"key_hash": key_hash, "station_id": station_id},
    )
    return row is not None


async def requests_since(tx: Tx, station_id: UUID, at: datetime) -> int:
    row = await tx.one(
        "SELECT count(*) AS n FROM pki_certificates WHERE station_id = :id AND requested_at >= :at",
        {"id": station_id, "at": at},
    )
    return 0 if row is None else int(row["n"])


async def close_open(tx: Tx, station_id: UUID, reason: str) -> None:
    """Requests a newer one has made pointless."""
    await tx.execute(
        "UPDATE pki_certificates SET state = 'refused', reason = :reason"
        " WHERE station_id = :id AND state = 'waiting'",
        {"id": station_id, "reason": reason},
    )


async def replace_others(tx: Tx, station_id: UUID, fingerprint: str) -> None:
    """The one with this fingerprint is in use now; older ones were replaced by it."""
    await tx.execute(
        "UPDATE pki_certificates SET state = 'replaced' WHERE station_id = :id"
        " AND state IN ('installed', 'in_use') AND fingerprint <> :fingerprint"
        " AND requested_at <= (SELECT requested_at FROM pki_certificates"
        " WHERE station_id = :id AND fingerprint = :fingerprint)",
        {"id": station_id, "fingerprint": fingerprint},
    )
    await tx.execute(
        "UPDATE pki_certificates SET state = 'in_use' WHERE station_id = :id"
        " AND fingerprint = :fingerprint AND state <> 'revoked'",
        {"id": station_id, "fingerprint": fingerprint},
    )


async def revocations(tx: Tx) -> list[Revocation]:
    rows = await tx.all(
        "SELECT org_id, issuer_hash, serial, revoked_at, reason, source FROM pki_revocations"
        " ORDER BY revoked_at, issuer_hash, serial"
    )
    return [Revocation(**row) for row in rows]


async def revoked_since(tx: Tx, issuer_hash: str, serial: str) -> datetime | None:
    """Of whatever organisation's; None if it is not revoked."""
    row = await tx.one(
        "SELECT min(revoked_at) AS at FROM pki_revocations"
        " WHERE issuer_hash = :issuer_hash AND serial = :serial",
        {"issuer_hash": issuer_hash, "serial": serial},
    )
    return None if row is None else row["at"]


async def was_issued(tx: Tx, issuer_hash: str, serial: str) -> bool:
    """Whether a station's request became this certificate."""
    row = await tx.one(
        "SELECT 1 AS x FROM pki_certificates WHERE issuer_hash = :issuer_hash AND serial = :serial",
        {"issuer_hash": issuer_hash, "serial": serial},
    )
    return row is not None


async def insert_revocations(tx: Tx, found: Sequence[Revocation]) -> None:
    await tx.execute_many(
        "INSERT INTO pki_revocations (org_id, issuer_hash, serial, revoked_at, reason, source)"
        " VALUES (:org_id, :issuer_hash, :serial, :revoked_at, :reason, :source)"
        " ON CONFLICT DO NOTHING",
        [_plain(entry) for entry in found],
    )


async def insert_event(tx: Tx, event: SecurityEvent) -> bool:
    """False if it is known: a charger repeats what it was not answered to."""
    names = [field.name for field in fields(SecurityEvent)]
    done = await tx.execute(
        f"INSERT INTO security_events ({_EVENT}) VALUES ({_params(names)}) ON CONFLICT DO NOTHING",
        _plain(event),
    )
    return done == 1


async def events(
    tx: Tx, wanted: EventFilter, *, limit: int, offset: int = 0
) -> list[SecurityEvent]:
    """Newest first, by when they were received."""
    where, params = _event_conditions(wanted)
    rows = await tx.all(
        f"SELECT {_EVENT} FROM security_events WHERE {where}"
        " ORDER BY received_at DESC, id LIMIT :limit OFFSET :offset",
        {**params, "limit": limit, "offset": offset},
    )
    return [SecurityEvent(**row) for row in rows]


async def count_events(tx: Tx, wanted: EventFilter) -> int:
    where, params = _event_conditions(wanted)
    row = await tx.one(f"SELECT count(*) AS n FROM security_events WHERE {where}", params)
    return 0 if row is None else int(row["n"])


async def event_kinds(tx: Tx) -> list[str]:
    """Every kind that was ever told, by name."""
    rows = await tx.all("SELECT DISTINCT kind FROM security_events ORDER BY kind LIMIT 500")
    return [str(row["kind"]) for row in rows]


def _event_conditions(wanted: EventFilter) -> tuple[str, dict[str, Any]]:
    text = None
    if wanted.text:
        escaped = wanted.text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        text = f"%{escaped}%"
    parts = {
        "station_id = :station_id": ("station_id", wanted.station_id),
        "station_id = ANY(:station_ids)": ("station_ids", _listed(wanted.station_ids)),
        "kind = :kind": ("kind", wanted.kind),
        "critical = :critical": ("critical", wanted.critical),
        "source = :source": ("source", wanted.source),
        "(kind ILIKE :text OR info ILIKE :text)": ("text", text),
        "received_at >= :from_at": ("from_at", wanted.from_at),
        "received_at < :until_at": ("until_at", wanted.until_at),
    }
    used = {sql: pair for sql, pair in parts.items() if pair[1] is not None}
    return " AND ".join(["true", *used]), dict(used.values())


def _listed(ids: frozenset[UUID] | None) -> list[UUID] | None:
    return None if ids is None else sorted(ids)


async def organisations_with_events(tx: Tx) -> set[UUID]:
    return {row["org_id"] for row in await tx.all("SELECT DISTINCT org_id FROM security_events")}


async def drop_refused_before(tx: Tx, at: datetime) -> int:
    """Requests that never became a certificate."""
    return await tx.execute(
        "DELETE FROM pki_certificates WHERE state = 'refused' AND requested_at < :at", {"at": at}
    )


async def drop_events_before(tx: Tx, at: datetime) -> int:
    return await tx.execute("DELETE FROM security_events WHERE received_at < :at", {"at": at})


def _params(names: Sequence[str]) -> str:
    return ", ".join(f":{name}" for name in names)


def _plain(thing: Any) -> dict[str, Any]:
    """Enums of text and number as what they stand for."""
    values = {field.name: getattr(thing, field.name) for field in fields(thing)}
    return {
        name: value.value if hasattr(value, "value") else value for name, value in values.items()
    }


def _station(row: Row) -> StationSecurity:
    profile = {
        name: None if row[name] is None else Profile(row[name])
        for name in ("required", "target", "used")
    }
    installed = tuple(msgspec.convert(row["installed"], list[Installed]))
    return StationSecurity(**{**row, **profile, "installed": installed})


def _brief(row: Row) -> CertificateBrief:
    return CertificateBrief(
        **{**row, "state": CertificateState(row["state"]), "issuer": Issuer(row["issuer"])}
    )


def _certificate(row: Row) -> StationCertificate:
    return StationCertificate(
        **{**row, "state": CertificateState(row["state"]), "issuer": Issuer(row["issuer"])}
    )
