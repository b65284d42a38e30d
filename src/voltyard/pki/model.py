"""Who a charger is and how it proves it: profiles, certificates, trust, security events."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from uuid import UUID


class Profile(IntEnum):
    """OCPP security profiles; 0 is none at all and only for a bench or a closed network."""

    NONE = 0
    BASIC = 1
    TLS_BASIC = 2
    TLS_CERTIFICATE = 3


class Algorithm(StrEnum):
    """Of an authority and the certificates it issues (A00.FR.317 asks for both)."""

    EC = "ec-p256"
    RSA = "rsa-3072"


class Issuer(StrEnum):
    """Who signs a station's requests: voltyard itself, or an authority elsewhere, by hand."""

    BUILT_IN = "built_in"
    EXTERNAL = "external"


class AnchorUse(StrEnum):
    """What an imported certificate is trusted for.

    OPERATOR: the organisation's own authority, which signs its stations' certificates.
    MANUFACTURER: vouches for a new station until it has a certificate of the operator's.
    """

    OPERATOR = "operator"
    MANUFACTURER = "manufacturer"


class CertificateState(StrEnum):
    """From a station's request to the end of its certificate."""

    REFUSED = "refused"
    """The request was not acceptable; ``reason`` says why."""
    WAITING = "waiting"
    """An authority elsewhere has to sign it."""
    ISSUED = "issued"
    """Signed; the station has not confirmed it yet."""
    INSTALLED = "installed"
    """The station took it."""
    IN_USE = "in_use"
    """The station has connected with it."""
    REJECTED = "rejected"
    """The station did not take it."""
    REPLACED = "replaced"
    """A newer one is in use; this one stays valid until it ends or is revoked."""
    REVOKED = "revoked"


OPEN = frozenset({CertificateState.WAITING, CertificateState.ISSUED})
VALID = frozenset({CertificateState.INSTALLED, CertificateState.IN_USE, CertificateState.REPLACED})


@dataclass(frozen=True, slots=True)
class Policy:
    """How an organisation's stations get their certificates.

    ``organisation`` is what a certificate's O must be (the CPO's name); empty: the organisation's
    own name. ``any_organisation`` lets stations through whose request names another, for chargers
    that cannot be told theirs. ``renew_days`` before its end a certificate is renewed.
    """

    organisation: str = ""
    any_organisation: bool = False
    issuer: Issuer = Issuer.BUILT_IN
    valid_days: int = 365
    renew_days: int = 30


@dataclass(frozen=True, slots=True)
class Anchor:
    """An imported certificate that is trusted; ``fingerprint`` is SHA-256 in hexadecimal."""

    id: UUID
    org_id: UUID
    name: str
    use: AnchorUse
    certificate: str
    fingerprint: str
    subject: str
    not_after: datetime
    created_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True)
class Installed:
    """A certificate a station holds, as it names it: hashes by ``algorithm``, in hexadecimal.

    ``use`` is one of ``ROOT_USES`` or another word of the station's.
    """

    use: str
    algorithm: str
    issuer_name_hash: str
    issuer_key_hash: str
    serial: str


@dataclass(frozen=True, slots=True)
class StationSecurity:
    """What is asked of one station and what it last showed.

    ``required``: connections below are refused. ``target``: it was told to use this profile;
    ``required`` follows once it has connected with it. ``certificate_name``: a CN besides the
    identity that is this station's, its serial number as a rule (A00.FR.405). ``next_passwords``:
    hashes, with spaces between, of passwords it was told and has not come with yet (A01).
    """

    station_id: UUID
    org_id: UUID
    required: Profile = Profile.NONE
    target: Profile | None = None
    target_at: datetime | None = None
    certificate_name: str | None = None
    used: Profile | None = None
    used_at: datetime | None = None
    used_fingerprint: str | None = None
    used_not_after: datetime | None = None
    by_manufacturer: bool = False
    renewal_asked_at: datetime | None = None
    installed: tuple[Installed, ...] = ()
    installed_at: datetime | None = None
    next_passwords: str = ""
    password_asked_at: datetime | None = None
    password_changed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class StationCertificate:
    """One request of a station and what became of it. ``serial`` is in hexadecimal."""

    id: UUID
    org_id: UUID
    station_id: UUID
    state: CertificateState
    issuer: Issuer
    csr: str
    key_hash: str
    requested_at: datetime
    use: str = "station"
    request_id: int | None = None
    chain: str = ""
    serial: str | None = None
    fingerprint: str | None = None
    issuer_hash: str | None = None
    subject: str = ""
    not_before: datetime | None = None
    not_after: datetime | None = None
    issued_at: datetime | None = None
    sent_at: datetime | None = None
    answered_at: datetime | None = None
    revoked_at: datetime | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Revocation:
    """A certificate nobody is let in with: by the SHA-256 of its issuer's name, and its serial."""

    org_id: UUID
    issuer_hash: str
    serial: str
    revoked_at: datetime
    reason: str
    source: str


@dataclass(frozen=True, slots=True)
class SecurityEvent:
    """``source`` is "charger" (it reported it) or "voltyard" (seen here, at the door)."""

    id: UUID
    org_id: UUID
    station_id: UUID
    at: datetime
    received_at: datetime
    kind: str
    info: str
    critical: bool
    source: str = "charger"


@dataclass(frozen=True, slots=True)
class EventFilter:
    """``kind`` is exact; ``text`` is sought in kind and info, case aside."""

    station_id: UUID | None = None
    kind: str | None = None
    critical: bool | None = None
    source: str | None = None
    text: str = ""
    from_at: datetime | None = None
    until_at: datetime | None = None
    station_ids: frozenset[UUID] | None = None


@dataclass(frozen=True, slots=True)
class CertificateFilter:
    """``ends_before``: valid certificates that end before then."""

    station_id: UUID | None = None
    state: CertificateState | None = None
    ends_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class SecurityView:
    """A station's security for pages and REST.

    ``required`` is what its connections must show, the house's lowest profile included.
    """

    station_id: UUID
    identity: str
    connected: bool
    security: StationSecurity
    required: Profile
    connected_profile: Profile | None


@dataclass(frozen=True, slots=True)
class CertificateBrief:
    """A station's certificate, or its request for one, without the texts."""

    id: UUID
    station_id: UUID
    state: CertificateState
    issuer: Issuer
    subject: str
    serial: str | None
    not_after: datetime | None
    requested_at: datetime
    issued_at: datetime | None
    reason: str


@dataclass(frozen=True, slots=True)
class SecurityRow:
    """A station at a glance.

    ``held``: the certificate it uses or could use. ``newest``: its newest request, whatever
    became of it. ``open_events``: security events that nobody has acknowledged yet.
    """

    view: SecurityView
    name: str
    site_id: UUID | None
    version: str
    held: CertificateBrief | None
    newest: CertificateBrief | None
    open_events: int

    @property
    def now(self) -> Profile | None:
        """What it uses, or used when it was last connected; None if that was never told."""
        shown = self.view.connected_profile
        return self.view.security.used if shown is None else shown

    @property
    def wanted(self) -> Profile:
        return max(self.view.required, self.view.security.target or Profile.NONE)

    @property
    def tls(self) -> bool:
        return (self.now or Profile.NONE) >= Profile.TLS_BASIC

    @property
    def behind(self) -> bool:
        """It was told to come with a higher profile and has not yet."""
        return self.wanted > (self.now or Profile.NONE)

    @property
    def not_after(self) -> datetime | None:
        """When the certificate it uses ends, whoever issued it."""
        if self.held is not None:
            return self.held.not_after
        return self.view.security.used_not_after

    @property
    def failed(self) -> bool:
        """Its newest request came to nothing."""
        states = (CertificateState.REFUSED, CertificateState.REJECTED, CertificateState.REVOKED)
        return self.newest is not None and self.newest.state in states


@dataclass(frozen=True, slots=True)
class AuthorityView:
    """One of the built-in authorities, as anybody may see it (PEM).

    ``current``: it issues. One that does not is trusted until it is retired.
    """

    algorithm: Algorithm
    root: str
    issuing: str
    subject: str
    not_after: datetime
    fingerprint: str
    generation: int = 1
    current: bool = True


ROUTINE_EVENTS = frozenset(
    {"FirmwareUpdated", "SettingSystemTime", "StartupOfTheDevice", "ResetOrReboot"}
)
"""Critical by the lists of OCPP, and everyday: worth knowing, not worth waking anybody."""

CRITICAL_EVENTS = ROUTINE_EVENTS | frozenset(
    {
        "SecurityLogWasCleared",
        "MemoryExhaustion",
        "TamperDetectionActivated",
        "InvalidFirmwareSignature",
        "InvalidFirmwareSigningCertificate",
        "InvalidCsmsCertificate",
        "InvalidCentralSystemCertificate",
        "InvalidChargingStationCertificate",
        "InvalidChargePointCertificate",
        "InvalidTLSVersion",
        "InvalidTLSCipherSuite",
        "MaintenanceLoginAccepted",
        "MaintenanceLoginFailed",
        "DiscardedRenewedClientCertificate",
    }
)
"""The union of the lists of 1.6 (security whitepaper §8), 2.0.1 and 2.1 (appendix 1)."""

_LIKE_LISTED: Mapping[str, str] = {name.casefold(): name for name in CRITICAL_EVENTS}


def event_kind(word: str) -> str:
    """A listed event under its listed spelling, whatever the case; others as they came."""
    return _LIKE_LISTED.get(word.casefold(), word)


def plain(text: str) -> str:
    """Without what PostgreSQL's text cannot hold: NUL characters and lone surrogates."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def is_critical(kind: str) -> bool:
    return event_kind(kind) in CRITICAL_EVENTS


ROOT_USES = ("csms_root", "manufacturer_root", "v2g_root", "mo_root")
"""Roots that can be put on a station; 1.6 has the first two."""


@dataclass(frozen=True, slots=True)
class Presented:
    """With what a station is connected now."""

    profile: Profile
    fingerprint: str | None = None
    issuer_hash: str | None = None
    serial: str | None = None
    not_after: datetime | None = None
    by_manufacturer: bool = False
    revocable: tuple[tuple[str, str], ...] = field(default=())
    """(issuer hash, serial) of every certificate on the way to what is trusted."""
