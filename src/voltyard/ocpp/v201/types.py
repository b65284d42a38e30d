"""Building blocks of OCPP 2.0.1 messages used by several blocks."""

from typing import Annotated, Literal

from voltyard.ocpp.routing import Exchange
from voltyard.ocpp.tokens import KIND_FROM_201, KIND_TO_201, token_201
from voltyard.ocpp.wire import (
    CustomData,
    Instant,
    Integer,
    Natural,
    OneOf,
    Some,
    Standard,
    Str8,
    Str20,
    Str36,
    Str50,
    Str512,
    Wire,
    Word,
)
from voltyard.sessions.model import Authorisation, AuthorisationStatus, IdToken, TokenKind
from voltyard.units import iso_z

GenericStatusWord = Annotated[Word, OneOf("Accepted", "Rejected")]
GenericDeviceModelStatusWord = Annotated[
    Word, OneOf("Accepted", "Rejected", "NotSupported", "EmptyResultSet")
]
IdTokenWord = Annotated[
    Word,
    OneOf(
        "Central",
        "eMAID",
        "ISO14443",
        "ISO15693",
        "KeyCode",
        "Local",
        "MacAddress",
        "NoAuthorization",
        flag="",
    ),
]
AuthorizationStatusWord = Literal[
    "Accepted",
    "Blocked",
    "ConcurrentTx",
    "Expired",
    "Invalid",
    "NoCredit",
    "NotAllowedTypeEVSE",
    "NotAtThisLocation",
    "NotAtThisTime",
    "Unknown",
]
MessageFormatWord = Annotated[Word, OneOf("ASCII", "HTML", "URI", "UTF8")]


class Wire201(Wire, kw_only=True):
    """Every object of 2.0.1 may carry ``customData``, which we pass over."""

    custom_data: Annotated[object, Standard(CustomData)] = None


class StatusInfo(Wire201):
    reason_code: Str20
    additional_info: Str512 | None = None


class Evse(Wire201):
    id: Natural
    connector_id: Natural | None = None


class Component(Wire201):
    name: Str50
    evse: Evse | None = None
    instance: Str50 | None = None


class Variable(Wire201):
    name: Str50
    instance: Str50 | None = None


class ComponentVariable(Wire201):
    component: Component
    variable: Variable | None = None


class AdditionalInfo(Wire201):
    additional_id_token: Str36
    type: Str50


class IdTokenWire(Wire201):
    id_token: Str36
    type: IdTokenWord
    additional_info: Some[AdditionalInfo] | None = None


class MessageContent(Wire201):
    format: MessageFormatWord
    content: Str512
    language: Str8 | None = None


class IdTokenInfo(Wire201):
    status: AuthorizationStatusWord
    cache_expiry_date_time: Instant | None = None
    charging_priority: Integer | None = None
    language1: Str8 | None = None
    evse_id: Some[Integer] | None = None
    group_id_token: IdTokenWire | None = None
    language2: Str8 | None = None
    personal_message: MessageContent | None = None


AUTHORISATION_STATUS: dict[AuthorisationStatus, AuthorizationStatusWord] = {
    AuthorisationStatus.ACCEPTED: "Accepted",
    AuthorisationStatus.BLOCKED: "Blocked",
    AuthorisationStatus.EXPIRED: "Expired",
    AuthorisationStatus.INVALID: "Invalid",
    AuthorisationStatus.UNKNOWN: "Unknown",
    AuthorisationStatus.CONCURRENT: "ConcurrentTx",
    AuthorisationStatus.NOT_HERE: "NotAtThisLocation",
    AuthorisationStatus.NOT_NOW: "NotAtThisTime",
    AuthorisationStatus.RESERVED: "NotAtThisTime",
    AuthorisationStatus.NO_CREDIT: "NoCredit",
}
ID_TOKEN_MAX = 36


def id_token_info(authorisation: Authorisation) -> IdTokenInfo:
    """C10: the answer is kept until its expiry; a group whose name does not fit is left out."""
    until_at = authorisation.until_at
    return IdTokenInfo(
        status=AUTHORISATION_STATUS[authorisation.status],
        cache_expiry_date_time=None if until_at is None else iso_z(until_at),
        evse_id=list(authorisation.evse_numbers) or None,
        group_id_token=write_group(authorisation.group),
    )


def write_group(group: str) -> IdTokenWire | None:
    """A group is named by whoever runs the site, not by a card."""
    fits = 0 < len(group) <= ID_TOKEN_MAX
    return IdTokenWire(id_token=group, type="Central") if fits else None


def read_token(exchange: Exchange, wire: IdTokenWire) -> IdToken:
    kind = KIND_FROM_201.get(wire.type)
    if kind is None:
        exchange.flag("token_type_unknown", wire.type)
        kind = TokenKind.RFID
    return token_201(wire.id_token, kind)


def write_token(token: IdToken) -> IdTokenWire:
    return IdTokenWire(id_token=token.value, type=KIND_TO_201[token.kind])
