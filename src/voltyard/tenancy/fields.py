"""What people enter about organisations and themselves, checked and made tidy, or Invalid."""

import re
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from voltyard.errors import Invalid

EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
LOCALES = frozenset({"en", "de"})
NAME_MAX = 200


def slug(name: str) -> str:
    """Lower-case letters, digits and hyphens; never empty."""
    plain = name.lower()
    for letter, letters in (("ä", "ae"), ("ö", "oe"), ("ü", "ue"), ("ß", "ss")):
        plain = plain.replace(letter, letters)
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60] or "organisation"


def clean_name(text: str, field: str = "name") -> str:
    clean = " ".join(text.split())
    if not clean or len(clean) > NAME_MAX:
        raise Invalid(
            "The name is missing or too long.", fields={field: f"1 to {NAME_MAX} characters"}
        )
    return clean


def clean_email(text: str) -> str:
    clean = text.strip()
    if not EMAIL.fullmatch(clean) or len(clean) > 254:
        raise Invalid(
            "This is no e-mail address.", fields={"email": "must look like name@example.org"}
        )
    return clean


def known_timezone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Invalid(
            "There is no such time zone.", fields={"timezone": "an IANA name such as Europe/Berlin"}
        ) from None
    return text


def known_locale(text: str) -> str:
    if text not in LOCALES:
        raise Invalid("This language is not there.", fields={"locale": "one of de, en"})
    return text
