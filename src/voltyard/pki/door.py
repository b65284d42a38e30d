"""What a connection proves: whose certificate it is, and whether that is enough.

A station that has shown a security profile is not let in below it any more (A05.FR.07/09).
"""

from dataclasses import dataclass
from uuid import UUID

from voltyard.chargers.admission import Proof
from voltyard.chargers.model import Peer, Station, StationState
from voltyard.clock import Clock
from voltyard.pki import x509
from voltyard.pki.book import Book
from voltyard.pki.model import AnchorUse, Presented, Profile
from voltyard.pki.x509 import Certificate

CHAIN_MAX = 10


@dataclass(frozen=True, slots=True)
class Shown:
    """What the certificate of a connection is worth.

    ``presented`` is there when it is this station's. ``fault`` refuses the connection;
    ``remark`` says why it counts for nothing. ``pin``: the name to keep as this station's.
    """

    presented: Presented | None = None
    fault: str | None = None
    remark: str = ""
    pin: str | None = None


NOTHING = Shown()


class Door:
    """Judges from memory; see ``chargers.admission.Doorkeeper``."""

    def __init__(self, book: Book, clock: Clock, lowest: Profile) -> None:
        self._book = book
        self._clock = clock
        self._lowest = lowest

    def prove(self, station: Station, peer: Peer, *, password: bool) -> Proof:
        shown = self.shown(station, peer)
        if shown.fault is not None:
            return Proof(fault=shown.fault, detail=shown.remark)
        profile = self.profile(peer, shown, password=password)
        required = self.required(station)
        if profile < required:
            why = f"profile {profile}, {required} is required; {shown.remark}".rstrip("; ")
            return Proof(fault="profile_too_low", detail=why)
        return Proof(certificate=shown.presented is not None)

    def required(self, station: Station) -> Profile:
        return max(self._book.security(station.id, station.org_id).required, self._lowest)

    def profile(self, peer: Peer, shown: Shown, *, password: bool) -> Profile:
        if shown.presented is not None:
            return Profile.TLS_CERTIFICATE
        if not password:
            return Profile.NONE
        return Profile.TLS_BASIC if peer.secure else Profile.BASIC

    def vouched(self, org_id: UUID, peer: Peer) -> bool:
        chain = x509.read_der(peer.chain[:CHAIN_MAX])
        makers = self._book.trusted(org_id, AnchorUse.MANUFACTURER)
        if not chain or not makers:
            return False
        return x509.path(chain[0], chain[1:], makers, self._clock.now()) is not None

    def shown(self, station: Station, peer: Peer) -> Shown:
        """The built-in authorities first, then the organisation's own, then makers of chargers."""
        if not peer.secure or not peer.chain:
            return NOTHING
        chain = x509.read_der(peer.chain[:CHAIN_MAX])
        if not chain:
            return Shown(fault="certificate_unreadable")
        leaf, others = chain[0], chain[1:]
        weak = x509.key_fault(leaf.public_key())
        if weak is not None:
            return Shown(fault="certificate_weak", remark=weak)
        found = (
            self._of_built_in(station, leaf, others)
            or self._of_operator(station, leaf, others)
            or self._of_maker(station, leaf, others)
        )
        if found is None:
            return Shown(remark=f"nobody trusted vouches now for {leaf.subject.rfc4514_string()}")
        if found.presented is not None and self._book.is_revoked(station.org_id, found.presented):
            return Shown(fault="certificate_revoked", remark=f"serial {x509.serial(leaf)}")
        return found

    def _of_built_in(
        self, station: Station, leaf: Certificate, others: list[Certificate]
    ) -> Shown | None:
        """Certificates issued here are known one by one.

        One nobody knows (the database is an older copy) counts by its CN: none is ever issued
        with the identity of another station.
        """
        way = x509.path(leaf, others, self._book.built_in(), self._clock.now())
        if way is None:
            return None
        owner = self._book.issued.get(x509.fingerprint(leaf))
        name = x509.common_name(leaf)
        mine = owner == station.id if owner is not None else name == station.identity
        return Shown(presented(way)) if mine else _of_another(name)

    def _of_operator(
        self, station: Station, leaf: Certificate, others: list[Certificate]
    ) -> Shown | None:
        anchors = self._book.trusted(station.org_id, AnchorUse.OPERATOR)
        way = x509.path(leaf, others, anchors, self._clock.now())
        if way is None:
            return None
        name = x509.common_name(leaf)
        if name not in self.names(station):
            return _of_another(name)
        policy = self._book.policy(station.org_id)
        wanted = None if policy.any_organisation else self._book.organisation(station.org_id)
        fault = x509.organisation_fault(leaf, wanted)
        return (
            Shown(presented(way)) if fault is None else Shown(None, "certificate_of_another", fault)
        )

    def _of_maker(
        self, station: Station, leaf: Certificate, others: list[Certificate]
    ) -> Shown | None:
        """A maker knows serial numbers, not identities: a name not given to a station counts for
        nothing, but while a person has yet to approve the station its first one is kept."""
        anchors = self._book.trusted(station.org_id, AnchorUse.MANUFACTURER)
        way = x509.path(leaf, others, anchors, self._clock.now())
        if way is None:
            return None
        name = x509.common_name(leaf)
        mine = presented(way, by_manufacturer=True)
        if name in self.names(station):
            return Shown(mine)
        if name is not None and self._may_pin(station, name):
            return Shown(mine, pin=name)
        return Shown(
            remark=f"its certificate names {name or 'nobody'}, which is not this station's"
        )

    def names(self, station: Station) -> frozenset[str]:
        """CNs that are this station's (A00.FR.405)."""
        given = self._book.security(station.id, station.org_id).certificate_name
        return frozenset({station.identity} if given is None else {station.identity, given})

    def _may_pin(self, station: Station, name: str) -> bool:
        given = self._book.security(station.id, station.org_id).certificate_name
        waits = station.state is StationState.PENDING
        return waits and given is None and self._book.owner_of_name(name) is None


def presented(way: list[Certificate], *, by_manufacturer: bool = False) -> Presented:
    """``way`` leads from the station's certificate to what is trusted."""
    leaf = way[0]
    return Presented(
        Profile.TLS_CERTIFICATE,
        x509.fingerprint(leaf),
        x509.issuer_hash(leaf),
        x509.serial(leaf),
        leaf.not_valid_after_utc,
        by_manufacturer,
        tuple((x509.issuer_hash(c), x509.serial(c)) for c in way),
    )


def _of_another(name: str | None) -> Shown:
    return Shown(fault="certificate_of_another", remark=f"its CN is {name or 'missing'}")
