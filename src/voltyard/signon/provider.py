"""What is asked of a provider: its configuration, its keys, tokens for a code, more claims."""

from base64 import b64encode
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import msgspec

from voltyard.clock import Clock
from voltyard.errors import Invalid
from voltyard.notifications.guard import host_of
from voltyard.signon.model import SignOnRefused, Why
from voltyard.signon.ports import Answer, Fetch
from voltyard.signon.tokens import Expected, Key, UnknownKey, read_keys, verified

T = TypeVar("T")

KEEP = timedelta(hours=1)
"""Configuration and keys are asked for again after so long."""
KEYS_AGAIN = timedelta(seconds=30)
"""An unknown key makes us ask for the keys again, but not more often than this."""
NOT_AGAIN = timedelta(seconds=10)
"""A provider that did not answer is not asked for so long."""
KNOWN_MAX = 500


class Metadata(msgspec.Struct, frozen=True):
    """OpenID Connect Discovery 1.0 §3, as far as it is used."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str = ""
    end_session_endpoint: str = ""
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False


class Tokens(msgspec.Struct, frozen=True):
    """What the token endpoint answers (OAuth 2.0 §5.1)."""

    id_token: str
    access_token: str = ""


class _Failure(msgspec.Struct, frozen=True):
    error: str = ""
    error_description: str = ""


@dataclass(frozen=True, slots=True)
class Client:
    """Who we are at the provider; without a secret a public client, proven by PKCE alone."""

    client_id: str
    secret: str
    redirect_uri: str


@dataclass(frozen=True, slots=True)
class _Known:
    metadata: Metadata
    read_at: datetime
    keys: tuple[Key, ...] = ()
    keys_at: datetime | None = None


class Providers:
    """Providers by issuer, remembered for a while; nothing is asked twice in a row."""

    def __init__(self, fetch: Fetch, clock: Clock) -> None:
        self._fetch = fetch
        self._clock = clock
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._silent: OrderedDict[str, tuple[datetime, SignOnRefused]] = OrderedDict()

    async def metadata(self, issuer: str, *, fresh: bool = False) -> Metadata:
        """Raises SignOnRefused: unreachable, or an answer that is not its own."""
        known = self._known.get(issuer)
        if known is not None and not fresh and self._clock.now() - known.read_at < KEEP:
            return known.metadata
        silent = self._silent.get(issuer)
        if silent is not None and not fresh and self._clock.now() - silent[0] < NOT_AGAIN:
            raise SignOnRefused(silent[1].why, silent[1].detail)
        try:
            found = await self._asked(issuer)
        except SignOnRefused as refused:
            _remember(self._silent, issuer, (self._clock.now(), refused))
            raise
        self._silent.pop(issuer, None)
        _remember(self._known, issuer, _Known(found, self._clock.now()))
        return found

    async def _asked(self, issuer: str) -> Metadata:
        answer = await self._fetch.get(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        found = _read(answer, Metadata, "configuration")
        _check(found, issuer)
        return found

    async def keys(self, issuer: str, *, again: bool = False) -> tuple[Key, ...]:
        """``again``: one was missing, so they are asked for anew unless they have just been."""
        metadata = await self.metadata(issuer)
        known = self._known[issuer]
        age = None if known.keys_at is None else self._clock.now() - known.keys_at
        if age is not None and age < (KEYS_AGAIN if again else KEEP):
            return known.keys
        answer = await self._fetch.get(metadata.jwks_uri)
        if answer.status != 200:
            raise SignOnRefused(Why.UNREACHABLE, f"its keys: HTTP {answer.status}")
        keys = read_keys(answer.body)
        self._known[issuer] = replace(
            self._known.get(issuer, known), keys=keys, keys_at=self._clock.now()
        )
        return keys

    async def exchange(self, issuer: str, client: Client, code: str, verifier: str) -> Tokens:
        """The code for tokens (OAuth 2.0 §4.1.3, RFC 7636 §4.5). Raises SignOnRefused."""
        metadata = await self.metadata(issuer)
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": client.redirect_uri,
            "code_verifier": verifier,
            "client_id": client.client_id,
        }
        headers: dict[str, str] = {}
        if client.secret and _by_header(metadata):
            del form["client_id"]
            headers["authorization"] = _basic(client.client_id, client.secret)
        elif client.secret:
            form["client_secret"] = client.secret
        answer = await self._fetch.post(metadata.token_endpoint, form, headers)
        if answer.status >= 500:
            raise SignOnRefused(Why.UNREACHABLE, f"token endpoint: HTTP {answer.status}")
        if answer.status != 200:
            raise SignOnRefused(Why.PROVIDER_ERROR, f"token endpoint: {_failure(answer)}")
        return _read(answer, Tokens, "tokens")

    async def claims(self, expected: Expected, tokens: Tokens) -> dict[str, Any]:
        """Of the identity token, with keys asked for again when they have changed."""
        keys = await self.keys(expected.issuer)
        now = self._clock.now()
        try:
            return verified(tokens.id_token, keys, expected, now)
        except UnknownKey:
            again = await self.keys(expected.issuer, again=True)
            return verified(tokens.id_token, again, expected, now)

    async def more_claims(
        self, issuer: str, tokens: Tokens, claims: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """With what the userinfo endpoint adds about the same person (OpenID Connect Core §5.3).

        An address and whether it is verified come from one and the same of the two.
        """
        metadata = await self.metadata(issuer)
        if not metadata.userinfo_endpoint or not tokens.access_token:
            return claims
        if any(ord(sign) <= 32 or ord(sign) > 126 for sign in tokens.access_token):
            raise SignOnRefused(Why.PROVIDER_ANSWER, "access token")
        headers = {"authorization": f"Bearer {tokens.access_token}"}
        answer = await self._fetch.get(metadata.userinfo_endpoint, headers)
        more = _read(answer, dict[str, Any], "userinfo")
        if more.get("sub") != claims.get("sub"):
            raise SignOnRefused(Why.TOKEN, "userinfo is about somebody else")
        if "email" in claims and "email_verified" in claims:
            return {**more, **claims}
        pair = {name: more.get(name) for name in ("email", "email_verified")}
        return {**more, **claims, **pair}

    async def close(self) -> None:
        await self._fetch.close()


def _remember(known: OrderedDict[str, T], issuer: str, thing: T) -> None:
    """The oldest is forgotten past the bound."""
    known[issuer] = thing
    known.move_to_end(issuer)
    while len(known) > KNOWN_MAX:
        known.popitem(last=False)


def _read(answer: Answer, kind: type[T], what: str) -> T:
    if answer.status != 200:
        why = Why.UNREACHABLE if answer.status >= 500 else Why.PROVIDER_ANSWER
        raise SignOnRefused(why, f"{what}: HTTP {answer.status}")
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise SignOnRefused(Why.PROVIDER_ANSWER, f"{what}: {error}"[:300]) from None


def _check(found: Metadata, issuer: str) -> None:
    """It speaks for itself only (Discovery §4.3), and no step of it is less safe than its name."""
    if found.issuer != issuer:
        told = f"it calls itself {found.issuer[:200]!r}"
        raise SignOnRefused(Why.PROVIDER_ANSWER, told)
    wanted = ("authorization_endpoint", "token_endpoint", "jwks_uri")
    for name in (*wanted, "userinfo_endpoint", "end_session_endpoint"):
        url = getattr(found, name)
        if not url and name not in wanted:
            continue
        try:
            scheme, _, _ = host_of(url)
        except Invalid:
            raise SignOnRefused(Why.PROVIDER_ANSWER, f"{name} is no web address") from None
        if scheme != "https" and urlsplit(issuer).scheme == "https":
            raise SignOnRefused(Why.PROVIDER_ANSWER, f"{name} is not https")


def _by_header(metadata: Metadata) -> bool:
    methods = metadata.token_endpoint_auth_methods_supported
    return "client_secret_basic" in methods or "client_secret_post" not in methods


def _basic(client_id: str, secret: str) -> str:
    """OAuth 2.0 §2.3.1: both are form-encoded before they are joined."""
    joined = f"{quote(client_id, safe='')}:{quote(secret, safe='')}"
    return f"Basic {b64encode(joined.encode()).decode()}"


def _failure(answer: Answer) -> str:
    try:
        told = msgspec.json.decode(answer.body, type=_Failure)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return f"HTTP {answer.status}"
    return f"HTTP {answer.status} {told.error} {told.error_description}"[:300].strip()
