"""What people ask for, and whether it makes sense. Pure."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from voltyard.chargers.commands import LogKind
from voltyard.errors import Invalid

ADDRESS_MAX = 400
SCHEMES = frozenset({"http", "https", "ftp", "ftps", "sftp"})


@dataclass(frozen=True, slots=True)
class NewLogRequest:
    """``address`` is where the charger shall bring it instead of to us: an FTP server of one's
    own, say. User and password may be in it; no file comes back to voltyard from there."""

    kind: LogKind = LogKind.DIAGNOSTICS
    since: datetime | None = None
    until: datetime | None = None
    address: str = ""


def checked(new: NewLogRequest) -> None:
    """Raises Invalid with each wrong field."""
    wrong: dict[str, str] = {}
    if new.since is not None and new.until is not None and new.until <= new.since:
        wrong["until"] = "must be after the beginning"
    if new.address and not _is_address(new.address):
        wrong["address"] = f"begins with one of {', '.join(sorted(SCHEMES))}; no spaces"
    if wrong:
        raise Invalid("This log cannot be asked for.", fields=wrong)


def _is_address(text: str) -> bool:
    if len(text) > ADDRESS_MAX or any(character.isspace() for character in text):
        return False
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme.lower() in SCHEMES and bool(parts.hostname)
