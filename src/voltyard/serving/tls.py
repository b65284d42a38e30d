"""Who speaks TLS, and how: TLS 1.2 and 1.3, suites that authenticate what they encrypt."""

import ssl
from pathlib import Path

from voltyard.errors import VoltyardError

BROWSER_SUITES = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Of TLS 1.2: forward secrecy and authenticated encryption. TLS 1.3 has no others."""

CHARGER_SUITES = f"{BROWSER_SUITES}:RSA+AESGCM"
"""OCPP's security profiles 2 and 3 have a CSMS offer AES-GCM with RSA key exchange as well."""


VEHICLE_SUITES = f"{BROWSER_SUITES}:ECDHE-ECDSA-AES128-SHA256"
"""Vehicles with VDV 261 may have no other than the last (V2ICP-16); it needs an ECDSA key."""


class TlsError(VoltyardError):
    """The certificate or its key cannot be used."""

    code = "tls"


def tls_context(certificate: str, key: str, suites: str) -> ssl.SSLContext | None:
    """For a port that speaks TLS only; None without a certificate. PEM files, the chain included.

    Raises TlsError that names the file.
    """
    if not certificate:
        return None
    for path in (certificate, key):
        if not Path(path).is_file():
            raise TlsError(f"the TLS file {path} does not exist")
    context = bare_context(suites)
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except (OSError, ValueError) as error:
        raise TlsError(f"{certificate} with {key} cannot be used for TLS: {error}") from error
    return context


def bare_context(suites: str) -> ssl.SSLContext:
    """For a server, without a certificate yet."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(suites)
    context.options |= ssl.OP_NO_RENEGOTIATION
    return context


def _no_password() -> str:
    """Without it OpenSSL would ask on the terminal for the password of an encrypted key."""
    raise ValueError("the key is encrypted; voltyard needs one that is not")
