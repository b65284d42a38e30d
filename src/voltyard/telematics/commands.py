"""What people enter about a connection, checked as a whole."""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from uuid import UUID

from voltyard.errors import Invalid
from voltyard.telematics.model import POLLED, SIGNALS, Access, Connection, Departures, Kind

NAME_MAX = 100
TEXT_MAX = 300
SECRET_MAX = 1_000
FIELDS = frozenset({*SIGNALS, "observed_at", "vin", "name", "external_id", "vehicle_id"})
LEAST_POLL_S: Mapping[Kind, float] = {Kind.GEOTAB: 10.0, Kind.SAMSARA: 5.0, Kind.RFMS: 60.0}
"""Some ask not to be asked more often."""
_ADDRESS = re.compile(
    r"https?://([a-z0-9._-]{1,253}|\[[0-9a-f:.]+\])(:\d{1,5})?(/[^\s?#@]*)?", re.IGNORECASE
)
SAMSARA_URL = "https://api.samsara.com"
GEOTAB_SERVER = "my.geotab.com"


@dataclass(frozen=True, slots=True)
class ConnectionDraft:
    """``password`` and ``signing`` None keep what is stored. ``signing`` is for Samsara, which
    makes the secret itself."""

    name: str
    kind: Kind
    access: Access = field(default_factory=Access)
    enabled: bool = True
    poll_s: float = 60.0
    silent_s: float = 3600.0
    keep_position: bool = False
    departures: Departures = Departures.SHOWN
    site_id: UUID | None = None
    target_soc_pct: float = 100.0
    password: str | None = None
    signing: str | None = None


def connection_from(
    draft: ConnectionDraft, connection_id: UUID, org_id: UUID, key: str, *, has_secret: bool
) -> Connection:
    """Raises Invalid, naming every field that is wrong."""
    faults: dict[str, str] = {}
    name = draft.name.strip()
    if not 1 <= len(name) <= NAME_MAX:
        faults["name"] = f"1 to {NAME_MAX} characters"
    _in(faults, "poll_s", draft.poll_s, LEAST_POLL_S.get(draft.kind, 5.0), 86_400.0)
    if draft.silent_s != 0.0:
        _in(faults, "silent_s", draft.silent_s, 60.0, 30 * 86_400.0)
    _in(faults, "target_soc_pct", draft.target_soc_pct, 1.0, 100.0)
    if draft.departures is not Departures.SHOWN and draft.site_id is None:
        faults["site_id"] = "duties need a site"
    if draft.kind in POLLED and not (draft.password or (has_secret and draft.password is None)):
        faults["password"] = "is needed to get in"
    for word in ("password", "signing"):
        if len(getattr(draft, word) or "") > SECRET_MAX:
            faults[word] = f"at most {SECRET_MAX} characters"
    if draft.signing and not _is_base64(draft.signing):
        faults["signing"] = "is written in Base64"
    access = _access(draft, faults)
    if faults:
        raise Invalid("This connection cannot work as it is set up.", fields=faults)
    return Connection(
        connection_id, org_id, name, draft.kind, access, draft.enabled, draft.poll_s,
        draft.silent_s, draft.keep_position, draft.departures, draft.site_id,
        draft.target_soc_pct, key,
    )  # fmt: skip


def _in(faults: dict[str, str], name: str, value: float, low: float, high: float) -> None:
    if not (isfinite(value) and low <= value <= high):
        faults[name] = f"{low:g} to {high:g}"


def _access(draft: ConnectionDraft, faults: dict[str, str]) -> Access:
    """What its kind has use for; nothing else is kept."""
    to = draft.access
    for word in ("url", "server", "database", "user", "host", "topic"):
        value = getattr(to, word)
        if len(value) > TEXT_MAX or any(ord(sign) < 32 for sign in value):
            faults[word] = f"at most {TEXT_MAX} characters"
    if draft.kind is Kind.GEOTAB:
        return _geotab(to, faults)
    if draft.kind is Kind.SAMSARA:
        return Access(url=_url(to.url.strip() or SAMSARA_URL, faults))
    if draft.kind is Kind.RFMS:
        url = _url(to.url.strip(), faults)
        return Access(url=url, user=to.user, soc_from_fuel=to.soc_from_fuel)
    _check_fields(to.fields, faults)
    if draft.kind is Kind.WEBHOOK:
        return Access(fields=dict(to.fields))
    return _mqtt(to, faults)


def _geotab(to: Access, faults: dict[str, str]) -> Access:
    server = (to.server.strip() or GEOTAB_SERVER).lower()
    if not re.fullmatch(r"(https?://)?[a-z0-9._-]{1,253}(:\d{1,5})?", server):
        faults["server"] = "a host name such as my.geotab.com"
    for name in ("database", "user"):
        if not getattr(to, name).strip():
            faults[name] = "is needed to get in"
    return Access(server=server, database=to.database.strip(), user=to.user.strip())


def _mqtt(to: Access, faults: dict[str, str]) -> Access:
    host = to.host.strip().lower()
    if not _is_host(host):
        faults["host"] = "a host name or address"
    if not 1 <= to.port <= 65_535:
        faults["port"] = "1 to 65535"
    if not to.topic or "\x00" in to.topic:
        faults["topic"] = "the topic it publishes to"
    return Access(
        host=host, port=to.port, topic=to.topic, tls=to.tls, user=to.user, fields=dict(to.fields)
    )


def _url(url: str, faults: dict[str, str]) -> str:
    if not _ADDRESS.fullmatch(url):
        faults["url"] = "begins with https:// and a host, and names no user"
    return url.rstrip("/")


def _is_host(text: str) -> bool:
    return 0 < len(text) <= 253 and not any(c.isspace() or c in "/@?#" for c in text)


def _check_fields(fields: Mapping[str, str], faults: dict[str, str]) -> None:
    if not set(fields) <= FIELDS:
        unknown = ", ".join(sorted(set(fields) - FIELDS))
        faults["fields"] = f"there is no {unknown}"
    elif any(not 1 <= len(path) <= 200 for path in fields.values()):
        faults["fields"] = "a path has 1 to 200 characters"


def _is_base64(text: str) -> bool:
    try:
        return len(base64.b64decode(text.strip(), validate=True)) >= 8
    except (binascii.Error, ValueError):
        return False
