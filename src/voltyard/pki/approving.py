"""Changes of security profiles, as they are kept for approval."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from voltyard.approvals.gate import fingerprint
from voltyard.approvals.model import Change, Difference
from voltyard.chargers.model import Station
from voltyard.pki.model import Profile, StationSecurity
from voltyard.tenancy.model import Permission

NAMES_MAX = 20


@dataclass(frozen=True, slots=True)
class RaiseProfile:
    """As ``Field.raise_profile`` takes it."""

    station_id: UUID
    profile: Profile
    url: str | None = None
    slot: int | None = None
    interface: str = "Wired0"


@dataclass(frozen=True, slots=True)
class RaiseProfiles:
    """The same for many stations, as one round."""

    station_ids: tuple[UUID, ...]
    profile: Profile
    url: str | None = None


@dataclass(frozen=True, slots=True)
class RequireProfile:
    station_id: UUID
    profile: Profile
    reason: str


def profile_change(station: Station, security: StationSecurity, asked: RaiseProfile) -> Change:
    """The charger is told to come with another profile, for 2.0.1 in another network slot."""
    used = security.required if security.used is None else security.used
    rows = [Difference(station.identity, "security_profile", _text(used), _text(asked.profile))]
    if asked.url:
        slot = "" if asked.slot is None else f"{asked.slot}: "
        network = f"{slot}{asked.url} ({asked.interface})"
        rows.append(Difference(station.identity, "network_profile", "", network))
    return _change("pki.raise_profile", Permission.CHARGERS_COMMAND, station, security, asked, rows)


def profiles_change(
    stations: Sequence[tuple[Station, StationSecurity]], asked: RaiseProfiles
) -> Change:
    """One proposal for all: it rests on what each of them uses."""
    used = [s.required if s.used is None else s.used for _, s in stations]
    names = [station.identity for station, _ in stations]
    of = ", ".join(names[:NAMES_MAX]) + (" …" if len(names) > NAMES_MAX else "")
    before = ", ".join(_text(profile) for profile in sorted(set(used)))
    rows = [
        Difference(of, "chargers", "", str(len(names))),
        Difference(of, "security_profile", before, _text(asked.profile)),
    ]
    if asked.url:
        rows.append(Difference(of, "network_profile", "", asked.url))
    base = fingerprint(
        sorted((str(a.id), s.required, s.used or 0, a.firmware or "") for a, s in stations)
    )
    subject = names[0] if len(names) == 1 else f"{names[0]} … {names[-1]}"
    permission = Permission.CHARGERS_COMMAND
    return Change("pki.raise_profiles", permission, subject, asked, base, tuple(rows))


def required_change(station: Station, security: StationSecurity, asked: RequireProfile) -> Change:
    """Below which profile it is refused."""
    values = (_text(security.required), _text(asked.profile))
    rows = [Difference(station.identity, "required_profile", *values)]
    return _change("pki.require_profile", Permission.SECURITY_WRITE, station, security, asked, rows)


def _change(
    action: str,
    permission: Permission,
    station: Station,
    security: StationSecurity,
    asked: RaiseProfile | RequireProfile,
    rows: list[Difference],
) -> Change:
    return Change(
        action,
        permission,
        station.identity,
        asked,
        fingerprint(security.required, security.used, station.firmware),
        tuple(rows),
        station.site_id,
    )


def _text(profile: Profile) -> str:
    return str(int(profile))
