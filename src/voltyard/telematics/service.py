"""Telematics: connections set up by people, what they bring taken in, shown beside the rest."""

import base64
import secrets as chance
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from voltyard.alerts.model import Cause, Severity
from voltyard.alerts.service import AlertService
from voltyard.bus import Bus
from voltyard.clock import Clock
from voltyard.errors import Conflict, Invalid, NotFound
from voltyard.ids import new_id
from voltyard.storage.engine import Database
from voltyard.telematics import store
from voltyard.telematics.commands import ConnectionDraft, connection_from
from voltyard.telematics.departures import Follower
from voltyard.telematics.events import ConnectionChanged
from voltyard.telematics.intake import Intake
from voltyard.telematics.model import (
    POSTS,
    Asset,
    Connection,
    Flag,
    Kind,
    Observation,
    Outcome,
    Result,
    Status,
    Told,
    View,
    health,
    is_silent,
)
from voltyard.telematics.ports import Duties, Sealer, Secrets, Sites, Vehicles
from voltyard.tenancy import audit
from voltyard.tenancy.access import require
from voltyard.tenancy.integrity import refusals
from voltyard.tenancy.model import Permission, Principal
from voltyard.tenancy.scope import SYSTEM, of, transaction

ALERT = "telematics_silent"
CONNECTIONS_MAX = 50
ITEMS_MAX = 1_000
SOURCE_MAX = 50
SHOWN_MAX = 500
KEPT_EVERY = timedelta(seconds=30)
"""How often the status of a connection that is spoken to all the time is stored."""
SECRET_BYTES = 32
_CLASHES = {
    "telematics_connections_org_id_name_key": ("name", "There is a connection of this name."),
}


@dataclass(slots=True)
class _Live:
    """A connection in memory; ``kept`` is its status as stored last, at ``kept_at``."""

    connection: Connection
    status: Status
    sealed: bytes | None
    kept: Status | None = None
    kept_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class OtherRooms:
    """What is asked of them."""

    vehicles: Vehicles
    duties: Duties
    sites: Sites
    alerts: AlertService
    sealer: Sealer


class TelematicsService:
    """``intake`` is what planning asks. ``tick`` every half minute, ``drop_old`` once a day."""

    def __init__(
        self, database: Database, bus: Bus, clock: Clock, parts: OtherRooms, *, keep_days: int = 90
    ) -> None:
        self._database = database
        self._bus = bus
        self.clock = clock
        self._parts = parts
        self._keep = timedelta(days=keep_days)
        self._note = audit.Notes(clock)
        self._live: dict[UUID, _Live] = {}
        self._of_key: dict[str, UUID] = {}
        self.intake = Intake(database, bus, clock, parts.vehicles)
        self._follower = Follower(clock, parts.duties)

    async def load(self) -> None:
        """Connections and what was told lately; once, at start."""
        async with transaction(self._database, SYSTEM) as tx:
            found = await store.connections(tx)
        for connection, status, sealed in found:
            self._live[connection.id] = _Live(connection, status, sealed, status)
            self._of_key[connection.key] = connection.id
        await self.intake.load()
        for asset in self.intake.assets.values():
            if asset.vehicle_id is not None:
                seen = self.intake.known(asset.vehicle_id).newest.get("departure_at")
                if seen is not None and seen.departure_at and seen.connection_id is not None:
                    self._follower.remember(seen.connection_id, seen.vehicle_id, seen.departure_at)

    # for what asks and listens

    def all(self) -> list[tuple[Connection, Status]]:
        return [(live.connection, live.status) for live in self._live.values()]

    def current(self, connection_id: UUID) -> tuple[Connection, Status] | None:
        live = self._live.get(connection_id)
        return None if live is None else (live.connection, live.status)

    def by_key(self, key: str) -> Connection | None:
        """Whose address this is, if it is switched on."""
        live = self._live.get(self._of_key.get(key, UUID(int=0)))
        return live.connection if live is not None and live.connection.enabled else None

    def secrets(self, connection_id: UUID) -> Secrets:
        """Raises Invalid when they cannot be opened."""
        live = self._live.get(connection_id)
        if live is None or live.sealed is None:
            return Secrets()
        text = self._parts.sealer.open(live.sealed, str(connection_id))
        return msgspec.json.decode(text, type=Secrets)

    async def heard(
        self, connection: Connection, told: Sequence[Told], assets: Iterable[Asset] = ()
    ) -> list[Outcome]:
        """What a connection brought, or that it answered and has nothing new."""
        outcomes: list[Outcome] = []
        assets = list(assets)
        for begin in range(0, max(1, len(told)), ITEMS_MAX):
            part = told[begin : begin + ITEMS_MAX]
            outcomes += await self.intake.take(
                connection.org_id, str(connection.id), part, connection, assets
            )
            assets = []
        why = await self._follow(connection, told, outcomes)
        live = self._live.get(connection.id)
        if live is not None:
            now = self.clock.now()
            live.status = replace(
                counted(live.status, told, outcomes),
                alive_at=now,
                failures=0,
                fault=why,
                fault_at=now if why else live.status.fault_at,
            )
            if live.kept_at is None or now - live.kept_at >= KEPT_EVERY:
                await self._keep_status(live)
        return outcomes

    async def _follow(
        self, connection: Connection, told: Sequence[Told], outcomes: Sequence[Outcome]
    ) -> str:
        """The newest departure of each vehicle."""
        newest: dict[UUID, tuple[datetime, datetime]] = {}
        for one, outcome in zip(told, outcomes, strict=True):
            usable = outcome.result in (Result.TAKEN, Result.FLAGGED)
            wrong = {Flag.DEPARTURE_RANGE, Flag.FUTURE, Flag.OLD}.intersection(outcome.flags)
            if not usable or wrong or outcome.vehicle_id is None or one.departure_at is None:
                continue
            before = newest.get(outcome.vehicle_id)
            if before is None or before[0] <= one.observed_at:
                newest[outcome.vehicle_id] = (one.observed_at, one.departure_at)
        wrongs = [
            await self._follower.follow(connection, vehicle_id, departure_at)
            for vehicle_id, (_, departure_at) in sorted(newest.items())
        ]
        return next((why for why in wrongs if why), "")

    def begun(self, connection_id: UUID, next_at: datetime) -> None:
        """It is being asked: not again before then, whatever becomes of it."""
        live = self._live.get(connection_id)
        if live is not None:
            live.status = replace(live.status, next_at=next_at)

    async def asked(self, connection_id: UUID, changed: Status) -> None:
        """What came of a question: stored at once, so that nothing is asked for twice."""
        live = self._live.get(connection_id)
        if live is not None:
            live.status = changed
            await self._keep_status(live)

    def failed(self, connection_id: UUID, why: str) -> None:
        """A message that could not be read, or a broker that is not there."""
        live = self._live.get(connection_id)
        if live is not None:
            status = live.status
            live.status = replace(
                status, failures=status.failures + 1, fault=why[:300], fault_at=self.clock.now()
            )

    async def _keep_status(self, live: _Live) -> None:
        if live.kept == live.status:
            return
        live.kept, live.kept_at = live.status, self.clock.now()
        async with transaction(self._database, of(live.connection.org_id)) as tx:
            await store.put_status(tx, live.connection.id, live.status)

    async def tick(self) -> None:
        """Tell of connections that are silent; store what is known of those that speak."""
        now = self.clock.now()
        for live in list(self._live.values()):
            await self._watch(live, now)
            await self._keep_status(live)

    async def _watch(self, live: _Live, now: datetime) -> None:
        connection, key = live.connection, f"{ALERT}:{live.connection.id}"
        if not is_silent(connection, live.status, now):
            await self._parts.alerts.resolve(connection.org_id, key)
            return
        since = live.status.alive_at or live.status.since
        params = {"connection": connection.name, "since": since.isoformat(timespec="minutes")}
        cause = Cause(
            ALERT, Severity.WARNING, key, "telematics_connection", str(connection.id), params
        )
        await self._parts.alerts.raise_(connection.org_id, None, cause)

    async def drop_old(self) -> None:
        async with transaction(self._database, SYSTEM) as tx:
            await store.drop_before(tx, self.clock.now() - self._keep)

    # connections, for people

    def views(self, who: Principal) -> list[View]:
        """By name."""
        require(who, Permission.VIEW)
        mine = [live for live in self._live.values() if live.connection.org_id == who.org_id]
        return [self._view(live) for live in sorted(mine, key=lambda one: one.connection.name)]

    def view(self, who: Principal, connection_id: UUID) -> View:
        """Raises NotFound, for another organisation's too."""
        require(who, Permission.VIEW)
        return self._view(self._mine(who, connection_id))

    def _mine(self, who: Principal, connection_id: UUID) -> _Live:
        live = self._live.get(connection_id)
        if live is None or live.connection.org_id != who.org_id:
            raise NotFound("There is no such connection.")
        return live

    def _view(self, live: _Live) -> View:
        state = health(live.connection, live.status, self.clock.now())
        return View(live.connection, live.status, state, live.sealed is not None)

    async def save(
        self,
        who: Principal,
        draft: ConnectionDraft,
        connection_id: UUID | None = None,
        *,
        remote: str = "",
    ) -> tuple[View, str]:
        """Create it, or change the one of ``connection_id``. The secret of a new webhook is
        told once. Raises Invalid, Conflict, NotFound."""
        require(who, Permission.FLEET_WRITE)
        known = None if connection_id is None else self._mine(who, connection_id)
        if known is not None and known.connection.kind is not draft.kind:
            raise Conflict("The kind of a connection stays as it is.", code="kind_fixed")
        count = sum(live.connection.org_id == who.org_id for live in self._live.values())
        if known is None and count >= CONNECTIONS_MAX:
            raise Conflict(f"There are at most {CONNECTIONS_MAX} connections.")
        before = Secrets() if known is None else self._opened(known)
        key = known.connection.key if known is not None else chance.token_urlsafe(24)
        made = connection_from(
            draft, connection_id or new_id(), who.org_id, key, has_secret=bool(before.password)
        )
        await self._check_place(who, made)
        new_secret = ""
        if made.kind is Kind.WEBHOOK and not before.signing:
            new_secret = _new_secret()
        secrets = _changed(before, draft, new_secret)
        action = "telematics_connection." + ("create" if known is None else "update")
        moved = known is None or _elsewhere(known.connection, made)
        await self._store(who, made, secrets, action, remote, afresh=moved)
        return self._view(self._live[made.id]), new_secret

    def _opened(self, live: _Live) -> Secrets:
        """A key that was lost locks nobody out: they enter the secret anew."""
        try:
            return self.secrets(live.connection.id)
        except Invalid:
            return Secrets()

    async def _check_place(self, who: Principal, made: Connection) -> None:
        if made.site_id is not None:
            try:
                await self._parts.sites.charging_site(who, made.site_id)
            except NotFound:
                wrong = {"site_id": "there is no such site"}
                raise Invalid("There is no such site.", fields=wrong) from None

    async def _store(
        self,
        who: Principal,
        made: Connection,
        secrets: Secrets,
        action: str,
        remote: str,
        *,
        afresh: bool,
    ) -> None:
        now, empty = self.clock.now(), secrets == Secrets()
        text = msgspec.json.encode(secrets).decode()
        sealed = None if empty else self._parts.sealer.seal(text, str(made.id))
        known = self._live.get(made.id)
        status = replace(
            Status(now) if known is None else known.status,
            since=now, next_at=None, failures=0, fault="",
        )  # fmt: skip
        if afresh:
            status = replace(status, cursor={})
        with refusals(_CLASHES):
            async with transaction(self._database, of(who.org_id)) as tx:
                await store.put_connection(tx, made, now)
                await store.put_secret(tx, made.id, sealed)
                await store.put_status(tx, made.id, status)
                detail = {"name": made.name, "kind": made.kind.value, "enabled": made.enabled}
                await self._note(tx, who, action, made.id, detail, remote)
        self._live[made.id] = _Live(made, status, sealed, status, now)
        self._of_key[made.key] = made.id
        await self._bus.publish(ConnectionChanged(made.org_id, made.id, now))

    async def rotate(self, who: Principal, connection_id: UUID, *, remote: str = "") -> str:
        """A new secret of a webhook, told once; the one before it goes on counting until the
        next. Raises Conflict for connections that have none of ours."""
        require(who, Permission.FLEET_WRITE)
        live = self._mine(who, connection_id)
        if live.connection.kind is not Kind.WEBHOOK:
            raise Conflict("Only webhooks have a secret of ours.", code="no_secret")
        before, made = self._opened(live), _new_secret()
        secrets = replace(before, signing=(made, *before.signing)[:2])
        action = "telematics_connection.rotate"
        await self._store(who, live.connection, secrets, action, remote, afresh=False)
        return made

    async def delete(self, who: Principal, connection_id: UUID, *, remote: str = "") -> None:
        """What it told stays."""
        require(who, Permission.FLEET_WRITE)
        live = self._mine(who, connection_id)
        async with transaction(self._database, of(who.org_id)) as tx:
            await store.delete_connection(tx, connection_id)
            detail = {"name": live.connection.name}
            await self._note(tx, who, "telematics_connection.delete", connection_id, detail, remote)
        self._live.pop(connection_id, None)
        self._of_key.pop(live.connection.key, None)
        self.intake.forget(connection_id)
        await self._parts.alerts.resolve(who.org_id, f"{ALERT}:{connection_id}")
        now = self.clock.now()
        await self._bus.publish(ConnectionChanged(who.org_id, connection_id, now, deleted=True))

    # vehicles as others name them

    def assets(self, who: Principal, connection_id: UUID) -> list[Asset]:
        """Those that are none of ours first."""
        self.view(who, connection_id)
        found = [one for one in self.intake.assets.values() if one.connection_id == connection_id]
        return sorted(found, key=lambda one: (one.vehicle_id is not None, one.label, one.vin))

    async def choose(
        self,
        who: Principal,
        connection_id: UUID,
        chosen: Mapping[str, UUID | None],
        *,
        remote: str = "",
    ) -> list[Asset]:
        """Say which vehicles are meant; None: let VIN and name decide again."""
        require(who, Permission.FLEET_WRITE)
        self._mine(who, connection_id)
        own = {vehicle.id for vehicle in await self._parts.vehicles.own(who.org_id)}
        changed: list[Asset] = []
        for external_id, vehicle_id in chosen.items():
            asset = self.intake.assets.get((connection_id, external_id))
            if asset is None or (vehicle_id is not None and vehicle_id not in own):
                wrong = {external_id[:100]: "there is no such vehicle"}
                raise Invalid("There is no such vehicle.", fields=wrong)
            changed.append(replace(asset, vehicle_id=vehicle_id, chosen=vehicle_id is not None))
        async with transaction(self._database, of(who.org_id)) as tx:
            await store.put_assets(tx, who.org_id, changed)
            detail = {"vehicles": [asset.external_id for asset in changed][:50]}
            await self._note(
                tx, who, "telematics_connection.vehicles", connection_id, detail, remote
            )
        for asset in changed:
            self.intake.assets[connection_id, asset.external_id] = asset
        return self.assets(who, connection_id)

    # observations

    async def report(self, who: Principal, source: str, told: Sequence[Told]) -> list[Outcome]:
        """By REST. ``source`` is the caller's own word; with the vehicle and the moment it makes
        an observation what it is. Raises Invalid for too many at once."""
        require(who, Permission.FLEET_WRITE)
        if len(told) > ITEMS_MAX:
            raise Invalid(f"At most {ITEMS_MAX} observations at once.", code="too_many_items")
        word = source.strip() or "rest"
        if len(word) > SOURCE_MAX or _is_uuid(word):
            raise Invalid("This source cannot be used.", fields={"source": "1 to 50 characters"})
        return await self.intake.take(who.org_id, word, told)

    def names(self, org_id: UUID) -> dict[str, str]:
        """Sources as people call them."""
        mine = (live.connection for live in self._live.values())
        return {str(one.id): one.name for one in mine if one.org_id == org_id}

    async def history(
        self, who: Principal, vehicle_id: UUID, *, before: datetime | None = None, limit: int = 100
    ) -> list[Observation]:
        """The newest first. Raises NotFound for a vehicle that one does not see."""
        require(who, Permission.VIEW)
        if await self._parts.vehicles.vehicle_of(who.org_id, vehicle_id) is None:
            raise NotFound("There is no such vehicle.")
        async with transaction(self._database, of(who.org_id)) as tx:
            return await store.observations(tx, vehicle_id, before, min(limit, SHOWN_MAX))

    async def last_of(
        self, who: Principal, connection_id: UUID, limit: int = 50
    ) -> list[Observation]:
        """The last that a connection brought."""
        self.view(who, connection_id)
        async with transaction(self._database, of(who.org_id)) as tx:
            return await store.of_connection(tx, connection_id, min(limit, SHOWN_MAX))


def counted(status: Status, told: Sequence[Told], outcomes: Sequence[Outcome]) -> Status:
    kinds = [outcome.result for outcome in outcomes]
    fresh = (Result.TAKEN, Result.FLAGGED)
    moments = [
        one.observed_at
        for one, outcome in zip(told, outcomes, strict=True)
        if outcome.result is Result.TAKEN
    ]
    if status.heard_at is not None:
        moments.append(status.heard_at)
    return replace(
        status,
        heard_at=max(moments, default=None),
        taken=status.taken + sum(kind in fresh for kind in kinds),
        flagged=status.flagged + kinds.count(Result.FLAGGED),
        unknown=status.unknown + kinds.count(Result.UNKNOWN_VEHICLE),
    )


def _changed(before: Secrets, draft: ConnectionDraft, new_secret: str) -> Secrets:
    password = before.password if draft.password is None else draft.password
    signing = before.signing
    if new_secret:
        signing = (new_secret,)
    elif draft.signing is not None and draft.kind in POSTS and draft.kind is not Kind.WEBHOOK:
        signing = (draft.signing.strip(),) if draft.signing.strip() else ()
    return Secrets(password, signing)


def _elsewhere(before: Connection, after: Connection) -> bool:
    """Another account: where the old one stood means nothing there."""
    return before.access != after.access


def _new_secret() -> str:
    return "whsec_" + base64.b64encode(chance.token_bytes(SECRET_BYTES)).decode()


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
