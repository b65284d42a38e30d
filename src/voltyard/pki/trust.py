"""What is trusted: the built-in authorities, imported ones, revocations; and who is cut by them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives import serialization

from voltyard.errors import Conflict, Invalid, NotFound
from voltyard.ids import new_id
from voltyard.pki import authority as make
from voltyard.pki import store, x509
from voltyard.pki.desk import Desk
from voltyard.pki.events import TrustChanged
from voltyard.pki.model import (
    Algorithm,
    Anchor,
    AnchorUse,
    AuthorityView,
    Policy,
    Revocation,
)
from voltyard.pki.sealing import PrivateKey
from voltyard.storage.engine import Tx
from voltyard.tenancy import scope
from voltyard.tenancy.access import require
from voltyard.tenancy.model import Permission, Principal

Audit = Callable[[Tx, Principal, str, str, str, Mapping[str, Any]], Awaitable[None]]


class Trust(Desk):
    """``audit`` is set by who builds it."""

    audit: Audit

    def trusted_pem(self) -> str:
        """Everything a client's certificate may lead to, of all organisations: for TLS alone.

        Who may be trusted for which station is judged at the door.
        """
        theirs = [c for pairs in self._book.anchors.values() for _, c in pairs]
        return x509.to_pem([*self._book.built_in(), *theirs])

    async def server_keys(self, names: Sequence[str]) -> list[tuple[str, PrivateKey]]:
        """Certificates of the OCPP port by the built-in authorities: chain (PEM) and key each."""
        before = len(self._book.authorities)
        made = await self._authorities.server(names)
        if len(self._book.authorities) != before:
            await self._bus.publish(TrustChanged(self.clock.now()))
        return made

    async def authorities(self, who: Principal) -> list[AuthorityView]:
        """The built-in ones; made now if there is none yet."""
        require(who, Permission.VIEW)
        if not (self._book.authorities or self._book.closed):
            await self._authorities.get(Algorithm.EC)
            await self._bus.publish(TrustChanged(self.clock.now()))
        issuing = [_authority_view(a) for a in self._book.authorities.values()]
        for algorithm, (below, root, *_) in self._book.closed.items():
            issuing.append(_view_of(algorithm, below, root))
        issuing.sort(key=lambda view: view.algorithm)
        return issuing + [_authority_view(old, current=False) for old in self._book.retiring]

    async def succeed(self, who: Principal, algorithm: Algorithm) -> list[AuthorityView]:
        """A new built-in root. It is signed by the old one, too, so nobody is cut.

        The server shows a certificate of the new one at once, and new certificates of chargers
        are the new one's; those of the old one hold until they end or are replaced.
        """
        require(who, Permission.SECURITY_WRITE)

        async def note(tx: Tx) -> None:
            await self.audit(tx, who, "pki.succeed", "authority", algorithm.value, {})

        await self._authorities.succeed(algorithm, note)
        await self._bus.publish(TrustChanged(self.clock.now()))
        return await self.authorities(who)

    async def retire(self, who: Principal, algorithm: Algorithm, generation: int) -> None:
        """Trust what a former authority issued no more. Conflict while chargers use it."""
        require(who, Permission.SECURITY_WRITE)

        async def note(tx: Tx) -> None:
            detail = {"generation": generation}
            await self.audit(tx, who, "pki.retire", "authority", algorithm.value, detail)

        await self._authorities.retire(algorithm, generation, note)

    async def revocation_list(
        self, who: Principal, algorithm: Algorithm, generation: int | None = None
    ) -> str:
        """A CRL (PEM) of a built-in issuing authority: this organisation's revocations."""
        require(who, Permission.VIEW)
        known = [a for a in self._book.all_authorities() if a.algorithm is algorithm]
        authority = next((a for a in known if generation in (None, a.generation)), None)
        if authority is None:
            raise NotFound("There is no such authority yet.")
        async with scope.transaction(self.database, scope.of(who.org_id)) as tx:
            found = await store.revocations(tx)
        async with scope.transaction(self.database, scope.SYSTEM) as tx:
            number = await store.next_crl_number(tx, algorithm, authority.generation)
        issuer = x509.name_hash(authority.issuing.certificate)
        mine = [entry for entry in found if entry.issuer_hash == issuer]
        crl = make.revocation_list(authority, mine, number=number, now=self.clock.now())
        return crl.public_bytes(serialization.Encoding.PEM).decode()

    def anchors(self, who: Principal) -> list[Anchor]:
        require(who, Permission.VIEW)
        return [anchor for anchor, _ in self._book.anchors.get(who.org_id, ())]

    async def trust(self, who: Principal, name: str, use: AnchorUse, pem: str) -> list[Anchor]:
        """Import every certificate of a PEM text. Raises Invalid for one that is no authority."""
        require(who, Permission.SECURITY_WRITE)
        now = self.clock.now()
        found = x509.read_certificates(pem)
        for certificate in found:
            fault = x509.key_fault(certificate.public_key())
            if not x509.is_authority(certificate):
                fault = "it is no authority's certificate"
            if certificate.not_valid_after_utc <= now:
                fault = "it has ended"
            if fault is not None:
                raise Invalid(f"{certificate.subject.rfc4514_string()}: {fault}", code="anchor")
        made = [_anchor(who, name, use, certificate, now) for certificate in found]
        async with scope.transaction(self.database, scope.of(who.org_id)) as tx:
            added = [anchor for anchor in made if await store.insert_anchor(tx, anchor)]
            for anchor in added:
                detail = {"name": name, "use": use.value, "subject": anchor.subject}
                await self.audit(tx, who, "anchor.create", "anchor", str(anchor.id), detail)
        if not added:
            raise Conflict("this is trusted already", code="anchor")
        for anchor, certificate in zip(made, found, strict=True):
            if anchor in added:
                self._book.add_anchor(anchor, certificate)
        await self._bus.publish(TrustChanged(now))
        return added

    async def distrust(self, who: Principal, anchor_id: UUID) -> None:
        """Its certificates open no connection any more; those that stand by it are cut."""
        require(who, Permission.SECURITY_WRITE)
        known = next((a for a in self.anchors(who) if a.id == anchor_id), None)
        if known is None:
            raise NotFound("There is no such certificate.")
        async with scope.transaction(self.database, scope.of(who.org_id)) as tx:
            await store.delete_anchor(tx, anchor_id)
            detail = {"name": known.name, "subject": known.subject}
            await self.audit(tx, who, "anchor.delete", "anchor", str(anchor_id), detail)
        self._book.drop_anchor(who.org_id, anchor_id)
        certificate = x509.read_certificates(known.certificate)[0]
        theirs = x509.name_hash(certificate)
        await self._cut(who.org_id, lambda pairs: any(issuer == theirs for issuer, _ in pairs))

    def policy(self, who: Principal) -> Policy:
        require(who, Permission.VIEW)
        return self._book.policy(who.org_id)

    async def set_policy(self, who: Principal, policy: Policy) -> Policy:
        require(who, Permission.SECURITY_WRITE)
        wrong = {}
        if not 1 <= policy.valid_days <= 3_650:
            wrong["valid_days"] = "1 to 3650"
        if not 0 <= policy.renew_days < policy.valid_days:
            wrong["renew_days"] = "less than valid_days"
        if len(policy.organisation) > make.COMMON_NAME_MAX:
            wrong["organisation"] = f"at most {make.COMMON_NAME_MAX} characters"
        if wrong:
            raise Invalid("these values cannot be", fields=wrong)
        async with scope.transaction(self.database, scope.of(who.org_id)) as tx:
            await store.save_policy(tx, who.org_id, policy)
            detail = {"issuer": policy.issuer.value, "organisation": policy.organisation}
            await self.audit(tx, who, "pki.policy", "policy", str(who.org_id), detail)
        self._book.policies[who.org_id] = policy
        return policy

    async def import_revocations(self, who: Principal, pem: str) -> int:
        """A CRL of an imported authority; how many certificates it names."""
        require(who, Permission.SECURITY_WRITE)
        issuers = [found for _, found in self._book.anchors.get(who.org_id, ())]
        issuer_hash, found = x509.read_revocations(pem, issuers)
        entries = [
            Revocation(who.org_id, issuer_hash, number, at, "listed by its authority", "crl")
            for number, at in found
        ]
        async with scope.transaction(self.database, scope.of(who.org_id)) as tx:
            await store.insert_revocations(tx, entries)
            detail = {"count": len(entries)}
            await self.audit(tx, who, "pki.revocations", "crl", issuer_hash, detail)
        for entry in entries:
            self._book.revoke(entry)
        await self._cut_revoked(who.org_id)
        return len(entries)

    async def revocations(self, who: Principal) -> list[Revocation]:
        require(who, Permission.VIEW)
        async with scope.transaction(self.database, scope.of(who.org_id)) as tx:
            return await store.revocations(tx)

    async def _cut_revoked(self, org_id: UUID) -> None:
        revoked = self._book.revoked
        await self._cut(org_id, lambda pairs: any((org_id, *pair) in revoked for pair in pairs))

    async def _cut(self, org_id: UUID, by: Callable[[Sequence[tuple[str, str]]], bool]) -> None:
        for station_id, shown in tuple(self._book.presented.items()):
            station = self.stations.station(station_id)
            if station is None or station.org_id != org_id or not by(shown.revocable):
                continue
            link = self.stations.link(station_id)
            if link is not None:
                await link.close("its certificate is not trusted any more")


def _authority_view(authority: make.Authority, *, current: bool = True) -> AuthorityView:
    below, root = authority.issuing.certificate, authority.root
    made = _view_of(authority.algorithm, below, root)
    return replace(made, generation=authority.generation, current=current)


def _view_of(
    algorithm: Algorithm, issuing: x509.Certificate, root: x509.Certificate
) -> AuthorityView:
    return AuthorityView(
        algorithm,
        x509.to_pem([root]),
        x509.to_pem([issuing]),
        root.subject.rfc4514_string(),
        root.not_valid_after_utc,
        x509.fingerprint(root),
    )


def _anchor(
    who: Principal, name: str, use: AnchorUse, certificate: x509.Certificate, now: datetime
) -> Anchor:
    return Anchor(
        id=new_id(),
        org_id=who.org_id,
        name=name,
        use=use,
        certificate=x509.to_pem([certificate]),
        fingerprint=x509.fingerprint(certificate),
        subject=certificate.subject.rfc4514_string(),
        not_after=certificate.not_valid_after_utc,
        created_at=now,
        created_by=who.name,
    )
