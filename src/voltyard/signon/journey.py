"""The way to the provider and back: what a browser carries, sealed, from start to callback."""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit
from uuid import UUID

import msgspec

from voltyard.errors import Invalid
from voltyard.signon.model import Connection, SignOnRefused, Why
from voltyard.signon.ports import Sealer
from voltyard.signon.provider import Client, Metadata

TIME_FOR_IT = timedelta(minutes=10)
ABOUT = "sign-on journey"
CARRIED_MAX = 4_000


class Journey(msgspec.Struct, frozen=True):
    """Kept by the browser that began it, and by nobody else: a million beginnings cost nothing."""

    org_id: UUID
    slug: str
    issuer: str
    client_id: str
    redirect_uri: str
    state: str
    nonce: str
    verifier: str
    began_at: datetime
    back: str


@dataclass(frozen=True, slots=True)
class Departure:
    """Where the browser goes, and what it carries as a cookie until it is back."""

    url: str
    carried: str


@dataclass(frozen=True, slots=True)
class Return:
    """What the provider sends back through the browser. Everything in it may be forged."""

    state: str = ""
    code: str = ""
    iss: str = ""
    error: str = ""
    error_description: str = ""


def begin(connection: Connection, slug: str, client: Client, back: str, at: datetime) -> Journey:
    return Journey(
        org_id=connection.org_id,
        slug=slug,
        issuer=connection.issuer,
        client_id=client.client_id,
        redirect_uri=client.redirect_uri,
        state=secrets.token_urlsafe(32),
        nonce=secrets.token_urlsafe(32),
        verifier=secrets.token_urlsafe(64),
        began_at=at,
        back=back[:500],
    )


def address(journey: Journey, metadata: Metadata, scopes: tuple[str, ...]) -> str:
    """The authorisation request: code flow, PKCE by S256 (RFC 7636 §4.2), nonce."""
    digest = hashlib.sha256(journey.verifier.encode()).digest()
    asked = {
        "response_type": "code",
        "client_id": journey.client_id,
        "redirect_uri": journey.redirect_uri,
        "scope": " ".join(scopes),
        "state": journey.state,
        "nonce": journey.nonce,
        "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
        "code_challenge_method": "S256",
    }
    return with_query(metadata.authorization_endpoint, asked)


def with_query(url: str, added: dict[str, str]) -> str:
    parts = urlsplit(url)
    query = "&".join(filter(None, (parts.query, urlencode(added))))
    return urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))


def carried(journey: Journey, sealer: Sealer) -> str:
    sealed = sealer.seal(msgspec.json.encode(journey).decode(), ABOUT)
    return base64.urlsafe_b64encode(sealed).decode()


def resumed(text: str, back: Return, slug: str, sealer: Sealer, at: datetime) -> Journey:
    """The journey that this browser began and this answer belongs to. Raises SignOnRefused."""
    if not text or len(text) > CARRIED_MAX:
        raise SignOnRefused(Why.EXPIRED, "the browser carries no beginning")
    try:
        opened = sealer.open(base64.urlsafe_b64decode(text.encode()), ABOUT)
        journey = msgspec.json.decode(opened, type=Journey)
    except (Invalid, ValueError, msgspec.MsgspecError):
        raise SignOnRefused(Why.EXPIRED, "what the browser carries is not ours") from None
    if not hmac.compare_digest(journey.state.encode(), back.state.encode("utf-8", "replace")):
        raise SignOnRefused(Why.EXPIRED, "state")
    if journey.slug != slug or not timedelta(0) <= at - journey.began_at < TIME_FOR_IT:
        raise SignOnRefused(Why.EXPIRED, "too late")
    return journey


def check_answer(back: Return, metadata: Metadata) -> str:
    """The code of an answer that comes from the provider asked (RFC 9207 §2.4)."""
    if back.iss and back.iss != metadata.issuer:
        raise SignOnRefused(Why.TOKEN, "another provider has answered")
    if metadata.authorization_response_iss_parameter_supported and not back.iss:
        raise SignOnRefused(Why.TOKEN, "the answer does not say who gives it")
    if back.error:
        why = Why.DENIED if back.error in DENIALS else Why.PROVIDER_ERROR
        raise SignOnRefused(why, f"{_plain(back.error)} {_plain(back.error_description)}".strip())
    if not back.code or len(back.code) > 8_000:
        raise SignOnRefused(Why.PROVIDER_ERROR, "no code")
    return back.code


DENIALS = frozenset({"access_denied", "consent_required", "interaction_required", "login_required"})


def _plain(text: Any) -> str:
    return "".join(sign for sign in str(text)[:200] if sign.isprintable())
