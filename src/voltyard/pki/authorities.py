"""The built-in authorities as they are kept: made when first needed, their keys sealed."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from cryptography.hazmat.primitives import serialization

from voltyard.clock import Clock
from voltyard.errors import Conflict, NotFound
from voltyard.pki import authority as make
from voltyard.pki import store, x509
from voltyard.pki.authority import Authority, Keyed
from voltyard.pki.book import Book
from voltyard.pki.model import Algorithm
from voltyard.pki.sealing import PrivateKey, SealError, Vault
from voltyard.pki.store import StoredAuthority, StoredServer
from voltyard.storage.engine import Database, Tx
from voltyard.tenancy import scope

log = logging.getLogger(__name__)

SERVER_LEFT = timedelta(days=30)
"""The server's own certificate is renewed when less than this is left."""

Note = Callable[[Tx], Awaitable[None]]
RunBlocking = Callable[[Callable[[], Any]], Awaitable[Any]]


class Authorities:
    """Puts what it loads or makes into the book."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        vault: Vault,
        book: Book,
        run_blocking: RunBlocking,
        name: str = "voltyard",
    ) -> None:
        self._database = database
        self._clock = clock
        self._vault = vault
        self._book = book
        self._run_blocking = run_blocking
        self._name = name
        self._making = asyncio.Lock()

    async def load(self) -> None:
        """One whose key cannot be opened is told in the log; chargers it certified are let in."""
        async with scope.transaction(self._database, scope.SYSTEM) as tx:
            found = await store.authorities(tx)
        for stored in found:
            try:
                opened = self._opened(stored)
            except SealError as error:
                log.error("no certificate can be issued: %s", error.message)
                pair = x509.read_certificates(stored.issuing + stored.root)
                self._book.closed.setdefault(stored.algorithm, []).extend(pair)
                continue
            if stored.current:
                self._book.authorities[stored.algorithm] = opened
            else:
                self._book.retiring.append(opened)

    async def get(self, algorithm: Algorithm) -> tuple[Authority, bool]:
        """The authority, and whether it was made just now. Raises SealError."""
        async with self._making:
            if algorithm in self._book.closed:
                raise SealError("the key of voltyard's certificate authority cannot be opened")
            known = self._book.authorities.get(algorithm)
            if known is not None:
                return known, False
            made = await self._make(algorithm)
            self._book.authorities[algorithm] = made
            return made, True

    async def _make(self, algorithm: Algorithm) -> Authority:
        now = self._clock.now()
        root, issuing = await self._run_blocking(lambda: make.make(algorithm, self._name, now))
        stored = self._sealed(algorithm, root, issuing)
        async with scope.transaction(self._database, scope.SYSTEM) as tx:
            if not await store.insert_authority(tx, stored, now):
                stored = next(
                    a for a in await store.authorities(tx) if a.algorithm is algorithm and a.current
                )
        return self._opened(stored)

    def _sealed(self, algorithm: Algorithm, root: Keyed, issuing: Keyed) -> StoredAuthority:
        return StoredAuthority(
            algorithm,
            x509.to_pem([root.certificate]),
            self._vault.seal(root.key, _about(algorithm, "root")),
            x509.to_pem([issuing.certificate]),
            self._vault.seal(issuing.key, _about(algorithm, "issuing")),
        )

    async def succeed(self, algorithm: Algorithm, note: Note) -> Authority:
        """A new root, signed by the old one too; it issues from now on, the old one is retiring.

        ``note`` writes into the same transaction. Raises SealError, NotFound, Conflict.
        """
        async with self._making:
            old = self._book.authorities.get(algorithm)
            if old is None:
                raise NotFound("There is no such authority yet.")
            now, generation = self._clock.now(), old.generation + 1
            old_root = await self.root(algorithm)
            root, issuing = await self._run_blocking(
                lambda: make.make(algorithm, self._name, now, generation)
            )
            bridge = make.bridge(old_root, root.certificate, now)
            stored = replace(
                self._sealed(algorithm, root, issuing),
                generation=generation,
                bridge=x509.to_pem([bridge]),
            )
            async with scope.transaction(self._database, scope.SYSTEM) as tx:
                if not await store.step_down(tx, algorithm, old.generation):
                    raise Conflict("it was renewed just now", code="authority")
                await store.insert_authority(tx, stored, now)
                await note(tx)
            opened = self._opened(stored)
            self._book.retiring.insert(0, old)
            self._book.authorities[algorithm] = opened
            return opened

    async def retire(self, algorithm: Algorithm, generation: int, note: Note) -> None:
        """What it issued opens nothing any more. Raises NotFound, and Conflict while it is used."""
        old = next(
            (
                a
                for a in self._book.retiring
                if a.algorithm is algorithm and a.generation == generation
            ),
            None,
        )
        if old is None:
            raise NotFound("There is no such authority.")
        issuer_hash = x509.name_hash(old.issuing.certificate)
        async with scope.transaction(self._database, scope.SYSTEM) as tx:
            used = await store.still_used(tx, issuer_hash, self._clock.now())
            if used:
                raise Conflict(
                    "chargers still use certificates of it: renew those first",
                    code="authority",
                    detail=str(used),
                )
            await store.delete_authority(tx, algorithm, generation)
            await note(tx)
        self._book.retiring.remove(old)

    def _opened(self, stored: StoredAuthority) -> Authority:
        """The root's key stays sealed: it is needed only to make another issuing authority."""
        key = self._vault.open(stored.issuing_key, _about(stored.algorithm, "issuing"))
        return Authority(
            stored.algorithm,
            x509.read_certificates(stored.root)[0],
            Keyed(x509.read_certificates(stored.issuing)[0], key),
            stored.generation,
            x509.read_certificates(stored.bridge)[0] if stored.bridge else None,
        )

    async def root(self, algorithm: Algorithm, generation: int | None = None) -> Keyed:
        """The root with its key, opened for once; the current one's. Raises SealError."""
        async with scope.transaction(self._database, scope.SYSTEM) as tx:
            stored = next(
                found
                for found in await store.authorities(tx)
                if found.algorithm is algorithm and generation in (None, found.generation)
            )
        key = self._vault.open(stored.root_key, _about(algorithm, "root"))
        return Keyed(x509.read_certificates(stored.root)[0], key)

    async def server(self, names: Sequence[str]) -> list[tuple[str, PrivateKey]]:
        """Chain (PEM) and key for the OCPP port, per algorithm: one RSA, one EC (A00.FR.317)."""
        async with scope.transaction(self._database, scope.SYSTEM) as tx:
            known = {found.algorithm: found for found in await store.servers(tx)}
        now = self._clock.now()
        pairs = []
        for algorithm in Algorithm:
            stored = known.get(algorithm)
            fresh = stored is not None and stored.not_after > now + SERVER_LEFT
            if stored is None or not fresh or stored.names != ",".join(names):
                stored = await self._issue_server(algorithm, names)
            key = self._vault.open(stored.key, _about(algorithm, "server"))
            pairs.append((stored.chain, key))
        return pairs

    async def _issue_server(self, algorithm: Algorithm, names: Sequence[str]) -> StoredServer:
        authority, _ = await self.get(algorithm)
        now = self._clock.now()
        made: Keyed = await self._run_blocking(
            lambda: make.issue_server(authority, names, organisation=self._name, now=now)
        )
        stored = StoredServer(
            algorithm,
            ",".join(names),
            x509.to_pem([made.certificate, *authority.between]),
            self._vault.seal(made.key, _about(algorithm, "server")),
            made.certificate.not_valid_after_utc,
        )
        async with scope.transaction(self._database, scope.SYSTEM) as tx:
            await store.save_server(tx, stored)
        return stored


def locked_pem(key: PrivateKey, password: str) -> bytes:
    """The key as PEM that only ``password`` opens."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(password.encode()),
    )


def _about(algorithm: Algorithm, what: str) -> str:
    return f"the {what} certificate ({algorithm.value})"
