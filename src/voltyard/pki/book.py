"""Certificates in memory: what each station must prove, who is trusted; the door reads it."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from voltyard.pki.authority import Authority
from voltyard.pki.model import (
    Algorithm,
    Anchor,
    AnchorUse,
    Policy,
    Presented,
    Profile,
    Revocation,
    StationCertificate,
    StationSecurity,
)
from voltyard.pki.x509 import Certificate

NO_POLICY = Policy()


@dataclass(slots=True)
class Book:
    """One owner writes it (the service), after the commit of what it writes.

    ``closed``: built-in authorities whose key cannot be opened; ``retiring``: those that issue no
    more. What they issued still counts.
    ``issued``: whose each certificate of the built-in authorities is, by fingerprint. ``open``:
    stations with a request that is not answered yet.
    """

    securities: dict[UUID, StationSecurity] = field(default_factory=dict)
    presented: dict[UUID, Presented] = field(default_factory=dict)
    authorities: dict[Algorithm, Authority] = field(default_factory=dict)
    retiring: list[Authority] = field(default_factory=list)
    closed: dict[Algorithm, list[Certificate]] = field(default_factory=dict)
    anchors: dict[UUID, list[tuple[Anchor, Certificate]]] = field(default_factory=dict)
    policies: dict[UUID, Policy] = field(default_factory=dict)
    organisations: dict[UUID, str] = field(default_factory=dict)
    issued: dict[str, UUID] = field(default_factory=dict)
    ends: dict[UUID, datetime] = field(default_factory=dict)
    open: set[UUID] = field(default_factory=set)
    revoked: set[tuple[UUID, str, str]] = field(default_factory=set)

    def security(self, station_id: UUID, org_id: UUID) -> StationSecurity:
        return self.securities.get(station_id) or StationSecurity(station_id, org_id)

    def policy(self, org_id: UUID) -> Policy:
        return self.policies.get(org_id, NO_POLICY)

    def organisation(self, org_id: UUID) -> str:
        """What O a certificate of this organisation's stations has."""
        return self.policy(org_id).organisation or self.organisations.get(org_id, "")

    def trusted(self, org_id: UUID, use: AnchorUse) -> list[Certificate]:
        return [found for anchor, found in self.anchors.get(org_id, ()) if anchor.use is use]

    def built_in(self) -> list[Certificate]:
        opened = [
            certificate
            for authority in self.all_authorities()
            for certificate in (authority.issuing.certificate, authority.root)
        ]
        return opened + [certificate for pair in self.closed.values() for certificate in pair]

    def all_authorities(self) -> list[Authority]:
        """Those that issue and those that did."""
        return [*self.authorities.values(), *self.retiring]

    def owner_of_name(self, name: str) -> UUID | None:
        """The station this certificate name was given to."""
        for security in self.securities.values():
            if security.certificate_name == name:
                return security.station_id
        return None

    def add_anchor(self, anchor: Anchor, certificate: Certificate) -> None:
        self.anchors.setdefault(anchor.org_id, []).append((anchor, certificate))

    def drop_anchor(self, org_id: UUID, anchor_id: UUID) -> None:
        left = [pair for pair in self.anchors.get(org_id, ()) if pair[0].id != anchor_id]
        self.anchors[org_id] = left

    def revoke(self, entry: Revocation) -> None:
        self.revoked.add((entry.org_id, entry.issuer_hash, entry.serial))

    def is_revoked(self, org_id: UUID, shown: Presented) -> bool:
        return any((org_id, issuer, number) in self.revoked for issuer, number in shown.revocable)

    def ends_at(self, row: StationCertificate) -> None:
        """The last certificate of a station that ends last counts."""
        if row.not_after is None:
            return
        known = self.ends.get(row.station_id)
        if known is None or row.not_after > known:
            self.ends[row.station_id] = row.not_after

    def needs_row(self, station_id: UUID, shown: Presented) -> bool:
        """Whether a connection tells anything worth keeping: plain passwords do not."""
        return station_id in self.securities or shown.profile > Profile.BASIC
