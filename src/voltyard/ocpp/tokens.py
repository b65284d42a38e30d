"""Id tokens between the wire and the domain."""

import re

from voltyard.sessions.model import IdToken, TokenKind

_MAC = re.compile(r"(?:[0-9A-Fa-f]{2}([:-]))(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}")
_VID = re.compile(r"VID:", re.IGNORECASE)

KIND_TO_201 = {
    TokenKind.RFID: "ISO14443",
    TokenKind.MAC: "MacAddress",
    TokenKind.VID: "MacAddress",
    TokenKind.EMAID: "eMAID",
    TokenKind.CENTRAL: "Central",
    TokenKind.KEYCODE: "KeyCode",
    TokenKind.LOCAL: "Local",
    TokenKind.DIRECT_PAYMENT: "Central",
    TokenKind.NONE: "NoAuthorization",
}
KIND_FROM_201 = {
    "ISO14443": TokenKind.RFID,
    "ISO15693": TokenKind.RFID,
    "MacAddress": TokenKind.MAC,
    "EVCCID": TokenKind.MAC,
    "eMAID": TokenKind.EMAID,
    "Central": TokenKind.CENTRAL,
    "KeyCode": TokenKind.KEYCODE,
    "Local": TokenKind.LOCAL,
    "DirectPayment": TokenKind.DIRECT_PAYMENT,
    "NoAuthorization": TokenKind.NONE,
}


def token_16(id_tag: str) -> IdToken:
    """1.6 has one text for every kind: a vehicle's MAC is known by "VID:" or by its shape.

    The value of a MAC is written without separators.
    """
    text = id_tag.strip()
    prefix = _VID.match(text)
    if prefix is not None:
        return IdToken(_plain_mac(text[prefix.end() :]), TokenKind.VID)
    if _MAC.fullmatch(text):
        return IdToken(_plain_mac(text), TokenKind.MAC)
    return IdToken(text, TokenKind.RFID)


def token_201(text: str, kind: TokenKind) -> IdToken:
    if kind is TokenKind.MAC:
        return IdToken(_plain_mac(text.strip()), kind)
    return IdToken(text.strip(), kind)


def id_tag(token: IdToken) -> str:
    """How a token is written towards a 1.6 charger."""
    return f"VID:{token.value}" if token.kind is TokenKind.VID else token.value


def _plain_mac(text: str) -> str:
    return text.replace(":", "").replace("-", "") if _MAC.fullmatch(text) else text
