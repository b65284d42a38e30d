"""What people decide about stations and EVSEs; every change is audited in its transaction."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any
from uuid import UUID

from voltyard.approvals.gate import Action, Gate, OpenGate
from voltyard.approvals.model import Kind
from voltyard.chargers import store
from voltyard.chargers.admission import IDENTITY
from voltyard.chargers.approving import (
    EvseChange,
    StationChange,
    evse_change,
    evse_loosens,
    station_change,
)
from voltyard.chargers.core import ChargerCore, Makes
from voltyard.chargers.directory import Entry
from voltyard.chargers.events import EvsesChanged, StationApproved, StationChanged
from voltyard.chargers.model import Evse, Quirks, Station, StationState, evse_id_of, station_id_of
from voltyard.errors import Conflict, Forbidden, Invalid, NotFound
from voltyard.storage.engine import Tx
from voltyard.tenancy import scope
from voltyard.tenancy.model import Permission, Principal

PASSWORD_MIN = 8
PASSWORD_MAX = 64
EVSE_FIELDS = frozenset(
    {
        "name",
        "bay_id",
        "node_id",
        "current_type",
        "max_power_w",
        "min_power_w",
        "phases",
        "phase_rotation",
        "voltage_v",
        "operative",
    }
)
ROTATIONS = frozenset({"RST", "STR", "TRS", "RTS", "SRT", "TSR"})


class StationAdmin(ChargerCore):
    """Create, approve, reject, retire, edit. All need ``chargers:write``."""

    approvals: Gate = OpenGate()

    def gated_by(self, gate: Gate) -> None:
        """How chargers are limited, and what limits of sites rest on, may wait as well."""
        self.approvals = gate
        gate.carries_out(Action("chargers.evse", EvseChange, self._carry_out_evse))
        gate.carries_out(Action("chargers.station", StationChange, self._carry_out_station))

    async def create_station(
        self,
        who: Principal,
        identity: str,
        *,
        site_id: UUID | None = None,
        name: str = "",
        password: str | None = None,
        quirks: Quirks | None = None,
    ) -> Station:
        """An approved station, known before it first connects."""
        _may(who)
        if IDENTITY.fullmatch(identity) is None:
            raise Invalid("not a charger identity", fields={"identity": "1 to 128 characters"})
        hashed = None if password is None else await self._hash(password)
        station = Station(
            station_id_of(who.org_id, identity),
            who.org_id,
            site_id,
            identity,
            StationState.APPROVED,
            name=name or identity,
            quirks=quirks or Quirks(),
        )
        async with scope.transaction(self._database, scope.of(who.org_id)) as tx:
            await _check_site(tx, site_id)
            if not await store.insert_station(
                tx, station, password_hash=hashed, at=self._clock.now()
            ):
                raise Conflict("this identity is taken", fields={"identity": "taken"})
            await self._audit(
                tx, who, "station.create", "station", str(station.id), {"identity": identity}
            )
        own = None if station.quirks == Quirks() else station.quirks
        self._directory.add(Entry(station, password_hash=hashed, own_quirks=own))
        await self._publish_changed(station)
        return station

    async def approve(
        self, who: Principal, station_id: UUID, *, site_id: UUID | None = None
    ) -> Station:
        """Let a held (or rejected, or retired) station work at a site."""
        entry = self._of(who.org_id, station_id)
        if entry.station.state is StationState.APPROVED:
            raise Conflict("the station is approved already")
        site_id = site_id or entry.station.site_id
        changed = replace(entry.station, state=StationState.APPROVED, site_id=site_id)
        await self._save(who, entry, changed, "station.approve")
        await self._bus.publish(StationApproved(who.org_id, site_id, station_id, self._clock.now()))
        return entry.station

    async def reject(self, who: Principal, station_id: UUID) -> Station:
        return await self._end(who, station_id, StationState.REJECTED, "station.reject")

    async def retire(self, who: Principal, station_id: UUID) -> Station:
        """It may not connect any more; its history stays."""
        return await self._end(who, station_id, StationState.RETIRED, "station.retire")

    async def update_station(
        self,
        who: Principal,
        station_id: UUID,
        *,
        name: str | None = None,
        site_id: UUID | None = None,
        quirks: Quirks | None = None,
    ) -> Station:
        """What is None stays as it is; the standard's quirks leave it to those of its make.

        Other quirks or another site may wait for a second person.
        """
        entry = self._of(who.org_id, station_id)
        _may(who)
        await self._permit_station(who, entry, StationChange(station_id, name, site_id, quirks))
        changed = replace(
            entry.station,
            name=entry.station.name if name is None else name,
            site_id=site_id or entry.station.site_id,
        )
        await self._save(who, entry, changed, "station.update", quirks=quirks)
        return entry.station

    async def _permit_station(self, who: Principal, entry: Entry, data: StationChange) -> None:
        own, station = entry.own_quirks, entry.station
        other = data.quirks is not None and data.quirks != (own or Quirks())
        moved = station.site_id is not None and data.site_id not in (None, station.site_id)
        kind = Kind.LIMITS if moved else Kind.CONFIGURATION
        async with self.approvals.guarding(who):
            self.approvals.check(
                who, kind, lambda: station_change(station, data, own), needed=other or moved
            )

    async def _carry_out_station(self, who: Principal, data: StationChange) -> Mapping[str, Any]:
        await self.update_station(
            who, data.station_id, name=data.name, site_id=data.site_id, quirks=data.quirks
        )
        return {}

    async def set_password(self, who: Principal, station_id: UUID, password: str) -> None:
        """Takes effect at the next connection; the password itself is kept nowhere."""
        entry = self._of(who.org_id, station_id)
        hashed = await self._hash(password)
        await self._save(who, entry, entry.station, "station.password", password_hash=hashed)

    async def hashed(self, password: str) -> str:
        """As it is kept; raises Invalid for one that is too short or too long."""
        return await self._hash(password)

    async def adopt_password(self, station_id: UUID, password_hash: str) -> None:
        """The charger has come with this one: no other is let in from now on."""
        entry = self._directory.entry(station_id)
        if entry is None:
            return
        org_id = entry.station.org_id
        async with scope.transaction(self._database, scope.of(org_id)) as tx:
            await store.set_password(tx, station_id, password_hash)
        entry.password_hash = password_hash

    async def save_evse(
        self, who: Principal, station_id: UUID, number: int, **changes: Any
    ) -> Evse:
        """Create EVSE ``number`` or change the fields named (those of ``EVSE_FIELDS``)."""
        _may(who)
        entry = self._of(who.org_id, station_id)
        station = entry.station
        before = entry.evses.get(number) or Evse(
            evse_id_of(station_id, number),
            who.org_id,
            station.site_id,
            station_id,
            number,
            f"{station.name}/{number}",
        )
        evse, known = _edited(before, changes), entry.evses.get(number)
        async with (
            self.approvals.guarding(who),
            scope.transaction(self._database, scope.of(who.org_id)) as tx,
        ):
            await _check_place(tx, evse, station.site_id)
            self.approvals.check(
                who,
                Kind.LIMITS,
                lambda: evse_change(station, before, evse, list(changes)),
                needed=evse_loosens(known, evse),
            )
            saved = await store.upsert_evse(tx, evse)
            detail = {name: str(value) for name, value in changes.items()}
            await self._audit(tx, who, "evse.save", "evse", str(saved.id), detail)
        self._directory.put_evse(saved)
        self._change(entry, quirks=self._quirks(entry))
        await self._bus.publish(
            EvsesChanged(who.org_id, station.site_id, station_id, (saved.id,), self._clock.now())
        )
        return saved

    async def _carry_out_evse(self, who: Principal, data: EvseChange) -> Mapping[str, Any]:
        changes = {name: getattr(data.evse, name) for name in data.names}
        await self.save_evse(who, data.station_id, data.number, **changes)
        return {}

    async def makes_changed(self, makes: Makes) -> None:
        """As ``makes_from``; whoever limits chargers is told which are limited otherwise now."""
        for station in self.makes_from(makes):
            await self._publish_changed(station)

    async def _end(
        self, who: Principal, station_id: UUID, state: StationState, action: str
    ) -> Station:
        entry = self._of(who.org_id, station_id)
        await self._save(who, entry, replace(entry.station, state=state), action)
        if entry.link is not None:
            await entry.link.close(f"station {state.value}")
        return entry.station

    async def _save(
        self,
        who: Principal,
        entry: Entry,
        changed: Station,
        action: str,
        *,
        password_hash: str | None = None,
        quirks: Quirks | None = None,
    ) -> None:
        _may(who)
        hashed = password_hash or entry.password_hash
        own = entry.own_quirks or Quirks() if quirks is None else quirks
        changed = replace(changed, quirks=own)
        async with scope.transaction(self._database, scope.of(who.org_id)) as tx:
            await _check_site(tx, changed.site_id)
            await store.update_station(tx, changed, password_hash=hashed)
            detail = _difference(entry.station, changed)
            await self._audit(tx, who, action, "station", str(changed.id), detail)
        entry.password_hash = hashed
        entry.own_quirks = None if own == Quirks() else own
        moved = entry.station.site_id != changed.site_id
        self._change(
            entry,
            site_id=changed.site_id,
            state=changed.state,
            name=changed.name,
            quirks=self._quirks(entry),
        )
        if moved:
            await self._move_evses(entry)
        await self._publish_changed(entry.station)

    async def _move_evses(self, entry: Entry) -> None:
        site_id = entry.station.site_id
        for evse in tuple(entry.evses.values()):
            self._directory.put_evse(replace(evse, site_id=site_id))
        ids = tuple(evse.id for evse in entry.evses.values())
        await self._bus.publish(
            EvsesChanged(entry.station.org_id, site_id, entry.station.id, ids, self._clock.now())
        )

    async def _publish_changed(self, station: Station) -> None:
        await self._bus.publish(
            StationChanged(
                station.org_id,
                station.site_id,
                station.id,
                station.state.value,
                self._clock.now(),
            )
        )

    async def _hash(self, password: str) -> str:
        if not PASSWORD_MIN <= len(password) <= PASSWORD_MAX:
            why = f"{PASSWORD_MIN} to {PASSWORD_MAX} characters"
            raise Invalid(f"a charger's password has {why}", fields={"password": why})
        return await self._passwords.hash(password)


def _may(who: Principal) -> None:
    if not who.may(Permission.CHARGERS_WRITE):
        raise Forbidden("you may not change chargers")


async def _check_site(tx: Tx, site_id: UUID | None) -> None:
    if site_id is not None and not await store.site_exists(tx, site_id):
        raise NotFound("no such site", fields={"site_id": "unknown"})


async def _check_place(tx: Tx, evse: Evse, site_id: UUID | None) -> None:
    for field, table, row_id in (
        ("bay_id", "bays", evse.bay_id),
        ("node_id", "nodes", evse.node_id),
    ):
        if row_id is not None and not await store.belongs_to_site(tx, table, row_id, site_id):
            raise Invalid("not of the station's site", fields={field: "not of this site"})


def _edited(before: Evse, changes: Mapping[str, Any]) -> Evse:
    wrong = {name: "cannot be set" for name in changes if name not in EVSE_FIELDS}
    if wrong:
        raise Invalid("unknown fields", fields=wrong)
    evse = replace(before, **changes)
    checks = {
        "number": evse.number >= 1,
        "max_power_w": 0 < evse.max_power_w <= 10_000_000,
        "min_power_w": 0 <= evse.min_power_w <= evse.max_power_w,
        "phases": evse.phases in (1, 2, 3),
        "phase_rotation": evse.phase_rotation in ROTATIONS,
        "voltage_v": 100 <= evse.voltage_v <= 1_500,
    }
    wrong = {name: "out of range" for name, right in checks.items() if not right}
    if wrong:
        raise Invalid("these values cannot be", fields=wrong)
    return evse


def _difference(before: Station, after: Station) -> dict[str, Any]:
    return {
        field.name: {
            "from": str(getattr(before, field.name)),
            "to": str(getattr(after, field.name)),
        }
        for field in fields(before)
        if getattr(before, field.name) != getattr(after, field.name)
    }
