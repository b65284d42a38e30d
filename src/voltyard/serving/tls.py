"""Who speaks TLS, and how."""

from ssl import PROTOCOL_TLS_SERVER, SSLContext, TLSVersion

from voltyard.config import Settings


def tls_context(settings: Settings) -> SSLContext | None:
    if not settings.tls_cert:
        return None
    context = SSLContext(PROTOCOL_TLS_SERVER)
    context.minimum_version = TLSVersion.TLSv1_2
    context.load_cert_chain(settings.tls_cert, settings.tls_key)
    return context
