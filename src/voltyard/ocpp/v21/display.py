"""OCPP 2.1 block O: messages on the display."""

from typing import Annotated

from voltyard.ocpp.v21.types import Component, MessageContent, StatusInfo
from voltyard.ocpp.v201.display import GetDisplayMessagesStatusWord, MessagePriorityWord
from voltyard.ocpp.v201.types import Wire201
from voltyard.ocpp.wire import Instant, Integer, Items, Natural, OneOf, Some, Str36, Word

MessageStateWord = Annotated[
    Word, OneOf("Charging", "Faulted", "Idle", "Unavailable", "Suspended", "Discharging")
]
DisplayMessageStatusWord = Annotated[
    Word,
    OneOf(
        "Accepted",
        "NotSupportedMessageFormat",
        "Rejected",
        "NotSupportedPriority",
        "NotSupportedState",
        "UnknownTransaction",
        "LanguageNotSupported",
    ),
]
ClearMessageStatusWord = Annotated[Word, OneOf("Accepted", "Unknown", "Rejected")]


class MessageInfo(Wire201):
    id: Natural
    priority: MessagePriorityWord
    message: MessageContent
    display: Component | None = None
    state: MessageStateWord | None = None
    start_date_time: Instant | None = None
    end_date_time: Instant | None = None
    transaction_id: Str36 | None = None
    message_extra: Annotated[list[MessageContent], Items(1, 4)] | None = None


class NotifyDisplayMessages(Wire201):
    request_id: Integer
    message_info: Some[MessageInfo] | None = None
    tbc: bool = False


class NotifyDisplayMessagesResponse(Wire201):
    pass


class SetDisplayMessage(Wire201):
    message: MessageInfo


class SetDisplayMessageResponse(Wire201):
    status: DisplayMessageStatusWord
    status_info: StatusInfo | None = None


class GetDisplayMessages(Wire201):
    request_id: Integer
    id: Some[Natural] | None = None
    priority: MessagePriorityWord | None = None
    state: MessageStateWord | None = None


class GetDisplayMessagesResponse(Wire201):
    status: GetDisplayMessagesStatusWord
    status_info: StatusInfo | None = None


class ClearDisplayMessage(Wire201):
    id: Natural


class ClearDisplayMessageResponse(Wire201):
    status: ClearMessageStatusWord
    status_info: StatusInfo | None = None
