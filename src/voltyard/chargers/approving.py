"""Which commands of people may need a second person, and how they are kept until then."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from uuid import UUID

import msgspec

from voltyard.approvals.gate import fingerprint
from voltyard.approvals.model import Change, Difference, Kind
from voltyard.chargers.commands import (
    Ask,
    Command,
    CommandResult,
    CommandStatus,
    SendData,
    SetNetworkProfile,
    UpdateFirmware,
    WriteConfiguration,
)
from voltyard.chargers.model import Evse, Quirks, Station
from voltyard.chargers.secrets import keepable
from voltyard.errors import ChargerRefused, Conflict
from voltyard.tenancy.model import Permission

SHOWN_MAX = 20
"""So many chargers of a command in bulk are named; all are kept."""
CONFIGURES = frozenset(
    {
        "ChangeConfiguration",
        "SetVariables",
        "SetNetworkProfile",
        "DataTransfer",
        "SetDERControl",
        "ClearDERControl",
    }
)
"""``DataTransfer`` as well: what a maker's own message does nobody else knows."""
UPDATES = frozenset(
    {"UpdateFirmware", "SignedUpdateFirmware", "PublishFirmware", "UnpublishFirmware"}
)
ELECTRICAL = frozenset(
    {
        "node_id",
        "current_type",
        "max_power_w",
        "min_power_w",
        "phases",
        "phase_rotation",
        "voltage_v",
    }
)
"""Fields of an EVSE that the limits of its site rest on."""


@dataclass(frozen=True, slots=True)
class Order:
    """A command to one charger, or with a ``title`` to many; one of the three is set."""

    station_ids: tuple[UUID, ...]
    write: WriteConfiguration | None = None
    ask: Ask | None = None
    send: SendData | None = None
    title: str = ""
    timeout_s: float = 30.0

    @property
    def command(self) -> Command:
        found = self.write or self.ask or self.send
        assert found is not None
        return found


@dataclass(frozen=True, slots=True)
class EvseChange:
    """``evse`` with the fields of these ``names`` as they are to be."""

    station_id: UUID
    number: int
    names: tuple[str, ...]
    evse: Evse


@dataclass(frozen=True, slots=True)
class StationChange:
    """As ``update_station`` takes it; None stays as it is."""

    station_id: UUID
    name: str | None
    site_id: UUID | None
    quirks: Quirks | None


def kind_of(command: Command) -> Kind | None:
    """None for a command that never waits."""
    if isinstance(command, WriteConfiguration | SetNetworkProfile | SendData):
        return Kind.CONFIGURATION
    if isinstance(command, UpdateFirmware):
        return Kind.FIRMWARE
    if not isinstance(command, Ask):
        return None
    if command.action in CONFIGURES:
        return Kind.CONFIGURATION
    return Kind.FIRMWARE if command.action in UPDATES else None


def order_change(
    stations: Sequence[Station],
    command: Command,
    *,
    present: str | None = None,
    title: str = "",
    timeout_s: float = 30.0,
) -> Change:
    """``present``: what the key is set to now, as far as is known.

    Raises Conflict for a password: none is kept in the clear until somebody decides.
    """
    if keepable(command) != command:
        raise Conflict(
            "A password cannot wait for a second person: set it on the charger's security page.",
            code="secret_waits",
        )
    order = Order(
        tuple(station.id for station in stations),
        command if isinstance(command, WriteConfiguration) else None,
        command if isinstance(command, Ask) else None,
        command if isinstance(command, SendData) else None,
        title,
        timeout_s,
    )
    firmware = kind_of(command) is Kind.FIRMWARE
    rests_on = [(s.id, s.vendor, s.model, s.firmware, s.state) for s in stations]
    sites = {station.site_id for station in stations}
    names = [station.identity for station in stations]
    return Change(
        "chargers.bulk" if title else "chargers.order",
        Permission.CHARGERS_COMMAND if firmware else Permission.CHARGERS_WRITE,
        names[0] if len(names) == 1 else f"{title}: {len(names)}",
        order,
        fingerprint(rests_on, present),
        (*_order_rows(names, command, present),),
        sites.pop() if len(sites) == 1 else None,
    )


def _order_rows(names: Sequence[str], command: Command, present: str | None) -> list[Difference]:
    of = ", ".join(names[:SHOWN_MAX]) + (" …" if len(names) > SHOWN_MAX else "")
    if isinstance(command, WriteConfiguration):
        what = command.key if command.attribute is None else f"{command.key} ({command.attribute})"
        return [Difference(of, what, present or "", command.value)]
    if isinstance(command, SendData):
        what = f"DataTransfer {command.vendor_id} {command.message_id or ''}".strip()
        return [Difference(of, what, "", command.data or "")]
    assert isinstance(command, Ask)
    return [Difference(of, command.action, "", _json(command.payload))]


def answered(result: CommandResult) -> Mapping[str, str]:
    """What a charger said, for the proposal. Raises ChargerRefused where it was no."""
    word = result.word or result.status.value
    fine = (CommandStatus.ACCEPTED, CommandStatus.SCHEDULED, CommandStatus.REBOOT_REQUIRED)
    if result.status not in fine:
        raise ChargerRefused(f"The charger answered {word}.", detail=word)
    return {"word": word}


def evse_loosens(before: Evse | None, after: Evse) -> bool:
    """Whether limits of the site rest on another outlet than before; only lower power is a cut."""
    if before is None:
        return False
    changed = {name for name in ELECTRICAL if getattr(before, name) != getattr(after, name)}
    if before.node_id is None:
        changed.discard("node_id")
    if after.max_power_w < before.max_power_w:
        changed.discard("max_power_w")
    return bool(changed)


def evse_change(station: Station, before: Evse, after: Evse, names: Sequence[str]) -> Change:
    rows = [
        Difference(after.name, name, _plain(getattr(before, name)), _plain(getattr(after, name)))
        for name in names
        if getattr(before, name) != getattr(after, name)
    ]
    return Change(
        "chargers.evse",
        Permission.CHARGERS_WRITE,
        after.name,
        EvseChange(station.id, after.number, tuple(names), after),
        fingerprint(station.site_id, [_plain(getattr(before, n)) for n in sorted(ELECTRICAL)]),
        tuple(rows),
        station.site_id,
    )


def station_change(before: Station, data: StationChange, own: Quirks | None) -> Change:
    """``own``: the quirks that are the station's own now."""
    rows = []
    if data.quirks is not None:
        rows = quirk_rows(before.identity, own or Quirks(), data.quirks)
    if data.site_id not in (None, before.site_id):
        moved = (_plain(before.site_id), _plain(data.site_id))
        rows.append(Difference(before.identity, "site", *moved))
    return Change(
        "chargers.station",
        Permission.CHARGERS_WRITE,
        before.identity,
        data,
        fingerprint(before.site_id, before.name, own),
        tuple(rows),
        before.site_id,
    )


def quirk_rows(of: str, before: Quirks | None, after: Quirks | None) -> list[Difference]:
    """How a charger, or a make of them, wants its limits; None is not there."""
    rows = []
    for field in fields(Quirks):
        old = "" if before is None else _plain(getattr(before, field.name))
        new = "" if after is None else _plain(getattr(after, field.name))
        if old != new:
            rows.append(Difference(of, field.name, old, new))
    return rows


def _plain(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
