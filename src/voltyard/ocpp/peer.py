"""How a peer is connected: in the clear or by TLS, and with which verified certificates."""

import asyncio
import ssl
from typing import Any

from voltyard.chargers.model import IN_THE_CLEAR, Peer

DER = 2
"""``_ssl.ENCODING_DER``."""


def peer_of(transport: asyncio.BaseTransport) -> Peer:
    """OpenSSL has verified the chain when the connection was made; whose it is, the domain says."""
    tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
    if tls is None:
        return IN_THE_CLEAR
    return Peer(secure=True, chain=_verified(tls))


def _verified(tls: Any) -> tuple[bytes, ...]:
    """The peer's certificate first. Python has a public way to it from 3.13 on."""
    if tls.getpeercert(binary_form=True) is None:
        return ()
    public = getattr(tls, "get_verified_chain", None)
    found = tls._sslobj.get_verified_chain() if public is None else public()
    if not found:
        return (tls.getpeercert(binary_form=True),)
    return tuple(c if isinstance(c, bytes) else c.public_bytes(DER) for c in found)
