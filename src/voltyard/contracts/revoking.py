"""Whether certificates are revoked: asked of responders and lists, kept until there is news."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, Protocol, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from voltyard.clock import Clock
from voltyard.contracts import ocsp
from voltyard.contracts.fetching import Allowed, Fetcher, first_allowed
from voltyard.contracts.model import (
    CertificateId,
    Question,
    Source,
    Standing,
    Unobtainable,
    Verdict,
)
from voltyard.pki.sealing import SealError

log = logging.getLogger(__name__)
T = TypeVar("T")

KEPT_MAX = timedelta(days=7)
"""ISO 15118-20 lets no answer be older (OCPP 2.1 M07)."""
ANSWERS_MAX = 10_000
LISTS_MAX = 32
OCSP_BYTES_MAX = 64 * 1024
CRL_BYTES_MAX = 4 * 1024 * 1024
AT_ONCE_MAX = 16
_OCSP_HEADERS = {
    "content-type": "application/ocsp-request",
    "accept": "application/ocsp-response",
}


class OwnAuthority(Protocol):
    """voltyard's own authority, which answers for what it has issued."""

    async def ocsp_response(
        self, algorithm: str, name_hash: bytes, key_hash: bytes, serial: int
    ) -> bytes | None:
        """DER; None for a certificate of somebody else's."""


@dataclass(frozen=True, slots=True)
class RevokedSerials:
    """Of a list: what is on it, whose it is, until when it holds, and whether that is proven."""

    serials: frozenset[int]
    next_at: datetime


class Kept(Generic[T]):
    """Answers until they are out of date, the oldest dropped first; one asks for many."""

    def __init__(self, clock: Clock, size_max: int) -> None:
        self._clock = clock
        self._size_max = size_max
        self._known: dict[Hashable, tuple[datetime, T]] = {}
        self._asking: dict[Hashable, asyncio.Task[T]] = {}

    async def get(
        self,
        key: Hashable,
        fetch: Callable[[], Awaitable[T]],
        until: Callable[[T], datetime | None],
    ) -> T:
        """Raises what ``fetch`` raises. ``until`` None: not kept."""
        known = self._known.get(key)
        if known is not None and known[0] > self._clock.now():
            return known[1]
        task = self._asking.get(key)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._fetch(key, fetch, until))
            self._asking[key] = task
            task.add_done_callback(lambda done: self._ended(key, done))
        return await asyncio.shield(task)

    def _ended(self, key: Hashable, task: "asyncio.Task[T]") -> None:
        """Its failure is each asker's; with none left it is nobody's."""
        self._asking.pop(key, None)
        if not task.cancelled():
            task.exception()

    async def _fetch(
        self,
        key: Hashable,
        fetch: Callable[[], Awaitable[T]],
        until: Callable[[T], datetime | None],
    ) -> T:
        found = await fetch()
        until_at = until(found)
        if until_at is not None:
            self._known.pop(key, None)
            if len(self._known) >= self._size_max:
                del self._known[next(iter(self._known))]
            latest = self._clock.now() + KEPT_MAX
            self._known[key] = (min(until_at, latest), found)
        return found

    async def close(self) -> None:
        waiting: list[asyncio.Task[Any]] = list(self._asking.values())
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


class Revocations:
    """``roots``: certificates that are trusted, by which answers are proven."""

    def __init__(
        self,
        clock: Clock,
        fetcher: Fetcher,
        allowed: Allowed,
        roots: Sequence[x509.Certificate],
        own: OwnAuthority,
    ) -> None:
        self._clock = clock
        self._fetcher = fetcher
        self._allowed = allowed
        self._roots = roots
        self._own = own
        self._answers: Kept[tuple[ocsp.Answer, bool]] = Kept(clock, ANSWERS_MAX)
        self._lists: Kept[RevokedSerials] = Kept(clock, LISTS_MAX)
        self._room = asyncio.Semaphore(AT_ONCE_MAX)

    async def answer(self, asked: Question) -> tuple[ocsp.Answer, bool]:
        """The responder's word, and whether TLS proves who said it. Raises Unobtainable.

        Which of several addresses is asked is not the charger's choice: the first allowed.
        """
        of = asked.certificate
        try:
            own = await self._own.ocsp_response(
                of.algorithm, of.issuer_name_hash, of.issuer_key_hash, of.serial
            )
        except SealError as error:
            raise Unobtainable(error.message) from None
        if own is not None:
            return ocsp.read(own, of, self._clock.now()), True
        return await self._answers.get(
            (asked.certificate, asked.urls),
            lambda: self._ask(asked),
            lambda found: found[0].next_at,
        )

    async def _ask(self, asked: Question) -> tuple[ocsp.Answer, bool]:
        of, now = asked.certificate, self._clock.now()
        url = first_allowed(self._allowed, asked.urls)
        async with self._room:
            received = await self._fetcher.post(
                url, ocsp.request(of), _OCSP_HEADERS, size_max=OCSP_BYTES_MAX
            )
        return ocsp.read(received.body, of, now), received.secure

    async def verdict(self, asked: Question, issuers: Sequence[x509.Certificate] = ()) -> Verdict:
        """What is proven, by its signature or by whom TLS says it is from; else ``FAILED``."""
        now = self._clock.now()
        try:
            if asked.source is Source.CRL:
                return await self._by_list(asked, issuers)
            answer, secure = await self.answer(asked)
        except Unobtainable as error:
            log.warning("a certificate's standing is not known: %s %s", error, error.detail)
            return Verdict(Standing.FAILED, reason=error.message)
        known = (*issuers, *self._roots)
        signed = ocsp.is_signed(answer, asked.certificate, known, now)
        if signed is False:
            return Verdict(Standing.FAILED, reason="the responder's answer is wrongly signed")
        if signed is None and not secure:
            return Verdict(Standing.FAILED, reason="nobody is known who could prove the answer")
        next_at = None if answer.next_at is None else min(answer.next_at, now + KEPT_MAX)
        return Verdict(answer.standing, next_at)

    async def _by_list(self, asked: Question, issuers: Sequence[x509.Certificate]) -> Verdict:
        url = first_allowed(self._allowed, asked.urls)
        of = asked.certificate
        key = (url, of.algorithm, of.issuer_name_hash, of.issuer_key_hash)
        found = await self._lists.get(
            key, lambda: self._fetch_list(url, of, issuers), lambda got: got.next_at
        )
        revoked = of.serial in found.serials
        next_at = min(found.next_at, self._clock.now() + KEPT_MAX)
        return Verdict(Standing.REVOKED if revoked else Standing.GOOD, next_at)

    async def _fetch_list(
        self, url: str, of: CertificateId, issuers: Sequence[x509.Certificate]
    ) -> RevokedSerials:
        async with self._room:
            received = await self._fetcher.get(url, size_max=CRL_BYTES_MAX)
        known = [c for c in (*issuers, *self._roots) if ocsp.is_issuer(c, of)]
        now = self._clock.now()
        return read_list(received.body, of, known, now, secure=received.secure)

    async def close(self) -> None:
        await self._answers.close()
        await self._lists.close()


def read_list(
    body: bytes,
    of: CertificateId,
    issuers: Sequence[x509.Certificate],
    now: datetime,
    *,
    secure: bool,
) -> RevokedSerials:
    """A revocation list (DER or PEM) of the certificate's issuer; raises Unobtainable.

    A list without a next one to come, or past it, tells nothing of today.
    """
    try:
        pem = body.lstrip().startswith(b"-----BEGIN")
        crl = x509.load_pem_x509_crl(body) if pem else x509.load_der_x509_crl(body)
        next_at = crl.next_update_utc
        named = ocsp.name_hash(crl.issuer, of.algorithm) == of.issuer_name_hash
        signed = any(_signed(crl, issuer) for issuer in issuers)
        serials = frozenset(entry.serial_number for entry in crl)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise Unobtainable("the list cannot be read", detail=str(error)) from None
    if not named:
        raise Unobtainable("the list is another issuer's")
    if issuers and not signed:
        raise Unobtainable("the list is wrongly signed")
    if not issuers and not secure:
        raise Unobtainable("nobody is known who could prove the list")
    if next_at is None or next_at < now - ocsp.SKEW:
        raise Unobtainable("the list is out of date")
    return RevokedSerials(serials, next_at)


def _signed(crl: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    key = issuer.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        return False
    return crl.is_signature_valid(key)
