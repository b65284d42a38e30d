"""Id tokens as they are written in the field: any case, MACs with and without separators, VID:."""

import re

from voltyard.sessions.model import IdToken, TokenKind

LENGTH_MAX = 255
_MAC = re.compile(r"(?:VID:?|MAC:?)?((?:[0-9A-F]{2}[:\-]?){5}[0-9A-F]{2})")


def clean(token: IdToken) -> IdToken:
    """Without surrounding blanks and what no database stores; at most 255 characters."""
    return IdToken(storable(token.value).strip()[:LENGTH_MAX], token.kind)


def storable(text: str) -> str:
    """Without what PostgreSQL's text cannot hold: NUL characters and lone surrogates."""
    if text.isascii():
        return text.replace("\x00", "") if "\x00" in text else text
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


def key(value: str) -> str:
    """What is equal for two spellings of one token: ``VID:001A2B3C4D5E``, ``00:1a:2b:…``."""
    upper = value.strip().upper()
    match = _MAC.fullmatch(upper)
    if match is None:
        return upper
    return match.group(1).replace(":", "").replace("-", "")


def spellings(token: IdToken) -> tuple[IdToken, ...]:
    """The ways under which a token may be known, the reported one first."""
    found = [token]
    plain = key(token.value)
    if _MAC.fullmatch(plain) is not None:
        paired = [plain[place : place + 2] for place in range(0, 12, 2)]
        written = (plain, f"VID:{plain}", ":".join(paired), "-".join(paired))
        kinds = (TokenKind.MAC, TokenKind.VID, TokenKind.MAC, TokenKind.MAC)
        found += [
            IdToken(value, kind)
            for value, kind in zip(written, kinds, strict=True)
            if value != token.value.upper()
        ]
    return tuple(found)
