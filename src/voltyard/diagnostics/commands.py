"""What people ask for, and whether it makes sense. Pure."""

import re
from dataclasses import dataclass
from datetime import datetime

from voltyard.chargers.commands import LogKind
from voltyard.errors import Invalid

ADDRESS_MAX = 400
ADDRESS = re.compile(r"(?:https?|ftps?|sftp)://[^\s/?#]+(?:[/?#]\S*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class NewLogRequest:
    """``address`` is where the charger shall bring it instead of to us: an FTP server of one's
    own, say. User and password may be in it; no file comes back to voltyard from there.
    ``as_password``: the key of our own address is sent as user and password before the host,
    for chargers that make nothing of a longer path."""

    kind: LogKind = LogKind.DIAGNOSTICS
    since: datetime | None = None
    until: datetime | None = None
    address: str = ""
    as_password: bool = False


def checked(new: NewLogRequest) -> None:
    """Raises Invalid with each wrong field."""
    wrong: dict[str, str] = {}
    if new.since is not None and new.until is not None and new.until <= new.since:
        wrong["until"] = "must be after the beginning"
    if new.address and not _is_address(new.address):
        wrong["address"] = "begins with http, https, ftp, ftps or sftp and names a host"
    if wrong:
        raise Invalid("This log cannot be asked for.", fields=wrong)


def _is_address(text: str) -> bool:
    return len(text) <= ADDRESS_MAX and ADDRESS.fullmatch(text) is not None
