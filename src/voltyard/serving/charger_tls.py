"""TLS towards chargers: a certificate renewed while it serves, and what clients may show."""

import logging
import secrets
import ssl
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from voltyard.clock import Clock
from voltyard.config import Settings
from voltyard.errors import VoltyardError
from voltyard.pki.authorities import locked_pem
from voltyard.pki.events import TrustChanged
from voltyard.pki.sealing import PrivateKey
from voltyard.pki.service import PkiService
from voltyard.serving.tls import CHARGER_SUITES, TlsError, bare_context, tls_context

log = logging.getLogger(__name__)

LOOK_S = 60.0
"""How often a certificate's file is looked at."""
RENEW_S = 12 * 3600.0


class ChargerTls:
    """One context for the OCPP port, changed in place: what connects next gets what is new.

    While nobody is trusted, no client is asked: a charger that shows its maker's certificate to
    whoever asks would fail. From then on a client may show one (OCPP security profile 3) or none
    (profile 2). OpenSSL lets through what leads to anything that any organisation trusts; whose
    it is, and whether it is revoked, is judged when the station says its identity. Sessions are
    not resumed by ticket, so that a certificate is shown at every connection.
    """

    def __init__(self, settings: Settings, pki: PkiService, clock: Clock) -> None:
        self._settings = settings
        self._pki = pki
        self._clock = clock
        self._seen: tuple[float, ...] = ()
        self.context = bare_context(CHARGER_SUITES)
        self.context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        self.context.options |= ssl.OP_NO_TICKET
        self.context.num_tickets = 0

    async def load(self) -> None:
        """The first certificate; raises TlsError. From then on trust follows the domain."""
        await self._load()
        self.trust()

    async def on_trust(self, event: TrustChanged) -> None:
        """A new authority of ours also means a new certificate of our own."""
        self.trust()
        if self._settings.tls_names and not self._settings.tls_cert:
            await self.reload()

    def trust(self) -> None:
        """Let through what leads to what is trusted now; what is not any more, the door refuses."""
        pem = self._pki.trusted_pem()
        if not pem:
            return
        with suppress(ssl.SSLError):
            self.context.load_verify_locations(cadata=pem)
        self.context.verify_mode = ssl.CERT_OPTIONAL

    async def watch(self) -> None:
        """Take up a certificate that was renewed; a broken one is logged, the old one stays."""
        waited_s = 0.0
        while True:
            await self._clock.sleep(LOOK_S)
            waited_s += LOOK_S
            if self._settings.tls_cert and self._changed() == self._seen:
                continue
            if not self._settings.tls_cert and waited_s < RENEW_S:
                continue
            waited_s = 0.0
            await self.reload()

    async def reload(self) -> bool:
        """Whether the certificate could be taken up."""
        try:
            await self._load()
        except (VoltyardError, OSError) as error:
            log.error("the OCPP port keeps its certificate: %s", error)
            return False
        log.info("the OCPP port has taken up its certificate anew")
        return True

    async def _load(self) -> None:
        if self._settings.tls_cert:
            self._from_files()
            return
        names = [name.strip() for name in self._settings.tls_names.split(",") if name.strip()]
        for chain, key in await self._pki.server_keys(names):
            self._take(chain, key)

    def _from_files(self) -> None:
        """Tried on another context first: a pair that does not fit must not spoil this one."""
        certificate, key = self._settings.tls_cert, self._settings.tls_key
        seen = self._changed()
        tls_context(certificate, key, CHARGER_SUITES)
        self.context.load_cert_chain(certificate, key)
        self._seen = seen

    def _changed(self) -> tuple[float, ...]:
        paths = (Path(self._settings.tls_cert), Path(self._settings.tls_key))
        return tuple(path.stat().st_mtime if path.exists() else 0.0 for path in paths)

    def _take(self, chain: str, key: PrivateKey) -> None:
        """OpenSSL reads files only: the key is in one for a moment, encrypted."""
        password = secrets.token_hex(32)
        self._settings.data_dir.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=self._settings.data_dir, suffix=".pem") as file:
            file.write(locked_pem(key, password) + chain.encode())
            file.flush()
            try:
                self.context.load_cert_chain(file.name, password=password)
            except (ssl.SSLError, OSError) as error:
                raise TlsError(f"the built-in certificate cannot be used: {error}") from error
