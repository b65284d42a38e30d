"""OCPP 2.1 block O: messages on the display."""

from collections.abc import Sequence
from typing import Annotated

from voltyard.ocpp.v21.types import MessageContent, StatusInfo
from voltyard.ocpp.v201 import display as display_201
from voltyard.ocpp.v201.types import Wire201
from voltyard.ocpp.wire import Items, Natural, OneOf, Some, Word

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


class MessageInfo(display_201.MessageInfo, kw_only=True):
    id: Natural
    message: MessageContent
    state: MessageStateWord | None = None
    message_extra: Annotated[Sequence[MessageContent], Items(1, 4)] | None = None


class NotifyDisplayMessages(display_201.NotifyDisplayMessages, kw_only=True):
    message_info: Some[MessageInfo] | None = None


class NotifyDisplayMessagesResponse(Wire201):
    pass


class SetDisplayMessage(display_201.SetDisplayMessage, kw_only=True):
    message: MessageInfo


class SetDisplayMessageResponse(display_201.SetDisplayMessageResponse, kw_only=True):
    status: DisplayMessageStatusWord
    status_info: StatusInfo | None = None


class GetDisplayMessages(display_201.GetDisplayMessages, kw_only=True):
    id: Some[Natural] | None = None
    state: MessageStateWord | None = None


class GetDisplayMessagesResponse(display_201.GetDisplayMessagesResponse, kw_only=True):
    status_info: StatusInfo | None = None


class ClearDisplayMessage(display_201.ClearDisplayMessage, kw_only=True):
    id: Natural


class ClearDisplayMessageResponse(display_201.ClearDisplayMessageResponse, kw_only=True):
    status: ClearMessageStatusWord
    status_info: StatusInfo | None = None
