"""Single sign-on: a connection to a provider, what it says of people, why that is refused."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from voltyard.errors import Forbidden
from voltyard.tenancy.model import Role

TEXT_MAX = 200
GROUPS_MAX = 1_000
ENTRA_HOSTS = frozenset(
    {
        "login.microsoftonline.com",
        "login.microsoftonline.us",
        "login.partner.microsoftonline.cn",
        "sts.windows.net",
    }
)
"""Only these say by ``xms_edov`` that the owner of an e-mail address is verified."""


class LocalPasswords(StrEnum):
    """Who may still come in by a password of voltyard's own."""

    ALLOWED = "allowed"
    ADMINS = "admins"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class RoleRule:
    """Whoever is in ``group`` gets ``role``; of several rules the first that fits counts."""

    group: str
    role: Role


@dataclass(frozen=True, slots=True)
class Connection:
    """An organisation's identity provider (OpenID Connect Core 1.0).

    ``domains``: of e-mail addresses; empty is any. ``default_role`` None refuses whom no rule
    fits. ``session_h``: a log-in by this connection ends after so many hours at the latest.
    """

    org_id: UUID
    name: str
    enabled: bool
    issuer: str
    client_id: str
    scopes: tuple[str, ...]
    domains: tuple[str, ...]
    groups_claim: str
    roles: tuple[RoleRule, ...]
    default_role: Role | None
    create_users: bool
    passwords: LocalPasswords
    session_h: int
    changed_at: datetime
    has_secret: bool = False


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a user is at the provider. The address is what it was at the last sign-in."""

    user_id: UUID
    issuer: str
    subject: str
    email: str
    linked_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Offer:
    """What the sign-in page offers: ``name`` is the connection's."""

    slug: str
    name: str


@dataclass(frozen=True, slots=True)
class Proven:
    """What a provider has said of somebody, checked. ``locale`` may be empty."""

    subject: str
    email: str
    name: str
    locale: str
    groups: tuple[str, ...]


class Why(StrEnum):
    """Why a sign-in was refused. Pages say it in words."""

    UNREACHABLE = "unreachable"
    PROVIDER_ANSWER = "provider_answer"
    PROVIDER_ERROR = "provider_error"
    DENIED = "denied"
    EXPIRED = "expired"
    REPLAYED = "replayed"
    TOKEN = "token"
    NO_EMAIL = "no_email"
    UNVERIFIED = "unverified"
    DOMAIN = "domain"
    NO_ROLE = "no_role"
    GROUPS_MISSING = "groups_missing"
    UNKNOWN_PERSON = "unknown_person"
    DISABLED = "disabled"
    OTHER_PERSON = "other_person"
    ELSEWHERE = "elsewhere"
    LAST_ADMIN = "last_admin"
    SWITCHED_OFF = "switched_off"
    BUSY = "busy"


@dataclass(frozen=True, slots=True)
class Trial:
    """What a provider says of itself, looked at just now. ``why`` None: all is well."""

    why: Why | None
    detail: str = ""
    authorization_endpoint: str = ""
    signs_out: bool = False
    keys: int = 0


class SignOnRefused(Forbidden):
    """Nobody was signed in. ``detail`` is for the log and the audit, and holds no secret."""

    code = "sign_on"

    def __init__(self, why: Why, detail: str = "") -> None:
        super().__init__("You were not signed in.", detail=detail, fields={"why": why.value})
        self.why = why


Claims = Mapping[str, Any]


def claim(claims: Claims, path: str) -> Any:
    """The claim of this very name, or the one to which dots lead (``realm_access.roles``)."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for part in path.split("."):
        if not isinstance(found, Mapping):
            return None
        found = found.get(part)
    return found


def groups_of(claims: Claims, path: str) -> tuple[str, ...] | None:
    """A list of names, or one name; None where nothing is said.

    Raises SignOnRefused when the provider points elsewhere for groups (too many for a token):
    whoever seems to be in no group may be in any.
    """
    found = claim(claims, path)
    elsewhere = claims.get("_claim_names")
    if found is None and isinstance(elsewhere, Mapping) and path in elsewhere:
        raise SignOnRefused(Why.GROUPS_MISSING, f"{path} is distributed")
    if isinstance(found, str):
        return (found,)
    if isinstance(found, Sequence):
        return tuple(name for name in found[:GROUPS_MAX] if isinstance(name, str))
    return None


def role_of(connection: Connection, groups: Sequence[str]) -> Role:
    """Raises SignOnRefused where no rule fits and there is no role for everybody."""
    held = frozenset(groups)
    for rule in connection.roles:
        if rule.group in held:
            return rule.role
    if connection.default_role is None:
        raise SignOnRefused(Why.NO_ROLE, f"{len(held)} groups, none of a role")
    return connection.default_role


def verified_email(claims: Claims, issuer: str) -> str:
    """The address, when the provider says that it is the person's. Raises SignOnRefused."""
    email = claims.get("email")
    if not isinstance(email, str) or not email.strip() or len(email) > 254:
        raise SignOnRefused(Why.NO_EMAIL)
    clean = email.strip()
    local, _, domain = clean.rpartition("@")
    if not local or not domain or any(ord(sign) <= 32 or sign == "@" for sign in local + domain):
        raise SignOnRefused(Why.NO_EMAIL)
    said = claims.get("email_verified")
    if said is None and _is_entra(issuer):
        said = claims.get("xms_edov") in (True, 1, "1", "true")
    if said is not True and said != "true":
        raise SignOnRefused(Why.UNVERIFIED, clean)
    return clean


def needs_userinfo(connection: Connection, claims: Claims) -> bool:
    """Whether the token leaves something open that the userinfo endpoint may know."""
    wanted = ["email"]
    if not _is_entra(connection.issuer):
        wanted.append("email_verified")
    if connection.roles and "_claim_names" not in claims:
        wanted.append(connection.groups_claim)
    return any(claim(claims, path) is None for path in wanted)


def proven(connection: Connection, claims: Claims) -> Proven:
    """What counts of a verified token. Raises SignOnRefused."""
    email = verified_email(claims, connection.issuer)
    domain = email.rpartition("@")[2].lower()
    if connection.domains and domain not in connection.domains:
        raise SignOnRefused(Why.DOMAIN, email)
    return Proven(
        subject=str(claims["sub"]),
        email=email,
        name=_name(claims, email),
        locale=_locale(claims),
        groups=groups_of(claims, connection.groups_claim) or (),
    )


def _is_entra(issuer: str) -> bool:
    scheme, _, rest = issuer.partition("://")
    return scheme == "https" and rest.partition("/")[0] in ENTRA_HOSTS


def _name(claims: Claims, email: str) -> str:
    for key in ("name", "preferred_username"):
        text = claims.get(key)
        if isinstance(text, str):
            shown = "".join(sign if sign.isprintable() else " " for sign in text)
            if clean := " ".join(shown.split())[:TEXT_MAX]:
                return clean
    return email[:TEXT_MAX]


def _locale(claims: Claims) -> str:
    """Empty where the provider says none of ours."""
    said = claims.get("locale")
    short = said.replace("_", "-").partition("-")[0].lower() if isinstance(said, str) else ""
    return short if short in ("de", "en") else ""
