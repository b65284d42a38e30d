"""Contracts of vehicles: checked when one is shown, fetched when a vehicle asks for its own."""

import asyncio
import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

from cryptography import x509 as certificates
from cryptography.x509.oid import AuthorityInformationAccessOID

from voltyard.clock import Clock
from voltyard.contracts import ocsp
from voltyard.contracts.fetching import Allowed, Fetcher
from voltyard.contracts.model import (
    Contract,
    ContractAnswer,
    ContractCheck,
    ContractOrder,
    ContractStanding,
    Question,
    Standing,
    Unobtainable,
    Verdict,
)
from voltyard.contracts.pool import ContractProvider, emaid_key
from voltyard.contracts.revoking import OwnAuthority, Revocations
from voltyard.errors import Invalid
from voltyard.pki import x509

log = logging.getLogger(__name__)

MORE_FOR = timedelta(minutes=10)
"""How long the further contracts of a vehicle are kept for its next requests."""
MORE_MAX = 500
CHAINS_MAX = 16
VALID = ContractStanding.VALID
NOWHERE = Allowed()
_PROVEN = {
    Standing.GOOD: VALID,
    Standing.REVOKED: ContractStanding.REVOKED,
    Standing.UNKNOWN: ContractStanding.UNPROVEN,
    Standing.FAILED: ContractStanding.UNPROVEN,
}


@dataclass(frozen=True, slots=True)
class ContractSettings:
    """``allowed``: whom chargers may have us ask. ``roots``: who vouches for contracts."""

    allowed: Allowed = NOWHERE
    roots: tuple[x509.Certificate, ...] = ()

    @property
    def checks(self) -> bool:
        """Whether anything is set up to check contracts by."""
        return bool(self.allowed.places or self.roots)


@dataclass(frozen=True, slots=True)
class _More:
    until_at: datetime
    contracts: tuple[Contract, ...]


class ContractService:
    """Implements ``contracts.model.VehicleCertificates``."""

    def __init__(
        self,
        clock: Clock,
        fetcher: Fetcher,
        settings: ContractSettings,
        own: OwnAuthority,
        provider: ContractProvider | None = None,
    ) -> None:
        self._clock = clock
        self._fetcher = fetcher
        self._settings = settings
        self._provider = provider
        self._revocations = Revocations(clock, fetcher, settings.allowed, settings.roots, own)
        self._more: dict[bytes, _More] = {}

    async def close(self) -> None:
        await self._revocations.close()
        await self._fetcher.close()

    async def status(self, asked: Question) -> bytes:
        """As the responder said it: the vehicle proves it (OCPP 2.0.1 M06). Raises Unobtainable."""
        answer, _ = await self._revocations.answer(asked)
        return answer.der

    async def revocation(self, asked: Question) -> Verdict:
        return await self._revocations.verdict(asked)

    async def check(
        self, emaid: str, chain: str | None, asked: Sequence[Question]
    ) -> ContractCheck:
        """A chain that is shown must lead to one of our roots: the charger had none for it
        (C07.FR.06). What is only named, the charger has verified but for its revocation."""
        if chain is None and not self._settings.checks:
            return ContractCheck(ContractStanding.UNCHECKED, "no responder may be asked")
        issuers: Sequence[x509.Certificate] = ()
        if chain is not None:
            try:
                shown = self._followed(emaid, chain)
            except Invalid as error:
                return ContractCheck(ContractStanding.UNPROVEN, error.message)
            if isinstance(shown, ContractCheck):
                return shown
            issuers = shown
            asked = questions(shown, asked)
        return await self._not_revoked(asked, issuers)

    def _followed(self, emaid: str, chain: str) -> ContractCheck | Sequence[x509.Certificate]:
        """The way to a root, the contract first; raises Invalid for what cannot be read."""
        found = x509.read_certificates(chain)
        leaf, now = found[0], self._clock.now()
        names = x509.common_name(leaf)
        if names is None or emaid_key(names) != emaid_key(emaid):
            return ContractCheck(ContractStanding.UNPROVEN, "it is another contract's")
        if any(certificate.not_valid_after_utc < now for certificate in found):
            return ContractCheck(ContractStanding.EXPIRED, "a certificate has expired")
        way = x509.path(leaf, found[1:], self._settings.roots, now)
        if way is None:
            return ContractCheck(ContractStanding.UNPROVEN, "it leads to nobody trusted here")
        return way

    async def _not_revoked(
        self, asked: Sequence[Question], issuers: Sequence[x509.Certificate]
    ) -> ContractCheck:
        """The worst that is said of any, all asked at once: the vehicle waits."""
        asking = (self._revocations.verdict(question, issuers) for question in asked)
        worst = ContractCheck(VALID)
        for verdict in await asyncio.gather(*asking):
            standing = _PROVEN[verdict.standing]
            if standing is ContractStanding.REVOKED:
                return ContractCheck(standing, "a certificate is revoked")
            if standing is not VALID:
                reason = verdict.reason or "the responder does not know it"
                worst = ContractCheck(standing, reason)
        return worst

    async def contract(self, order: ContractOrder) -> ContractAnswer:
        """The first contract; the next with each repetition of the request (2.1 M01.FR.04–07)."""
        if self._provider is None:
            raise Unobtainable("no provider of contract certificates is set up")
        key = hashlib.sha256(f"{order.station_id} {order.exi_request}".encode()).digest()
        waiting = self._waiting(key)
        if not waiting:
            try:
                found = await self._provider.contracts(order)
            except Unobtainable as error:
                log.warning("no contract certificate: %s %s", error.message, error.detail)
                raise
            waiting = tuple(found)[: min(order.chains_max or 1, CHAINS_MAX)]
        if not waiting:
            raise Unobtainable("there is no contract for this vehicle")
        rest = waiting[1:]
        if rest:
            self._more[key] = _More(self._clock.now() + MORE_FOR, rest)
        remaining = None if order.chains_max is None else len(rest)
        return ContractAnswer(waiting[0].exi_response, remaining)

    def _waiting(self, key: bytes) -> tuple[Contract, ...]:
        now = self._clock.now()
        if len(self._more) >= MORE_MAX:
            self._more = {k: more for k, more in self._more.items() if more.until_at > now}
        if len(self._more) >= MORE_MAX:
            self._more.clear()
        more = self._more.pop(key, None)
        return () if more is None or more.until_at <= now else more.contracts


def questions(way: Sequence[x509.Certificate], named: Sequence[Question]) -> list[Question]:
    """Of each certificate but the root, where it names a responder (RFC 5280 §4.2.2.1).

    ``named``: where it names none, the charger may have. What is asked about is what was shown.
    """
    told = {question.certificate.serial: question.urls for question in named}
    found = []
    for certificate, issuer in pairwise(way):
        urls = _responders(certificate) or told.get(certificate.serial_number, ())
        if urls:
            found.append(Question(ocsp.identify(certificate, issuer), urls))
    return found


def _responders(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        kind = certificates.AuthorityInformationAccess
        named = certificate.extensions.get_extension_for_class(kind).value
    except certificates.ExtensionNotFound:
        return ()
    return tuple(
        str(one.access_location.value)
        for one in named
        if one.access_method == AuthorityInformationAccessOID.OCSP
        and isinstance(one.access_location, certificates.UniformResourceIdentifier)
    )


def read_roots(path: str) -> tuple[x509.Certificate, ...]:
    """Of a PEM file; none where there is none. Raises Invalid."""
    if not path:
        return ()
    try:
        return tuple(certificates.load_pem_x509_certificates(Path(path).read_bytes()))
    except (OSError, ValueError) as error:
        raise Invalid(
            f"{path} holds no certificates that can be read", code="settings", detail=str(error)
        ) from None
