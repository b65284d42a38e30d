"""How a version lists its messages: one row each, by the block whose file holds its structs.

A row names a module and an action; the module holds the request as ``<Action>`` and the response
as ``<Action>Response``. To handle a message that is only noted, give its row to ``received`` with
a handler. Whatever we may send can be sent by its name; a command of its own is in orders.py.
"""

from collections.abc import Mapping
from functools import cache
from types import ModuleType
from typing import Any

from voltyard.ocpp.reader import Reader
from voltyard.ocpp.routing import Answer, Exchange, Handler, Message, Outgoing, State
from voltyard.ocpp.wire import Wire


def registry(*messages: Message) -> Mapping[str, Message]:
    """By action. A message listed twice is a mistake."""
    found = {message.action: message for message in messages}
    assert len(found) == len(messages), "an action is listed twice"
    return found


def received(module: ModuleType, action: str, handler: Handler) -> Message:
    """A charger calls it, and the domain hears of it."""
    return Message(*_parts(module, action), handler=handler, received=State.DONE)


def noted(module: ModuleType, action: str, handler: Handler | None = None) -> Message:
    """A charger calls it; it is answered and kept in the message log.

    Without a handler the answer is the empty one.
    """
    parts = _parts(module, action)
    return Message(*parts, handler=handler or _acknowledging(parts[3]), received=State.LOGGED)


def sent(module: ModuleType, action: str) -> Message:
    """We call it: some command is expressed so, or somebody by its name (anything.py)."""
    return Message(*_parts(module, action), sent=State.DONE)


def both(module: ModuleType, action: str, handler: Handler) -> Message:
    """Either side calls it."""
    return Message(*_parts(module, action), handler=handler, received=State.DONE, sent=State.DONE)


def _parts(module: ModuleType, action: str) -> tuple[str, str, type[Wire], type[Wire] | None]:
    response: type[Wire] | None = getattr(module, f"{action}Response", None)
    return action, module.__name__.rpartition(".")[2], getattr(module, action), response


def _acknowledging(response: type[Wire] | None) -> Handler:
    async def acknowledge(exchange: Exchange, request: Any) -> Wire | None:
        return None if response is None else response()

    return acknowledge


def outgoing(
    messages: Mapping[str, Message], request: Wire, answer: Answer, **more: Any
) -> Outgoing:
    """A call to a charger from its request alone; ``answer`` reads the response of its row.

    ``more``: ``replaces``, ``secret``, ``triggers`` of Outgoing.
    """
    message = messages[type(request).__name__]
    assert message.request is type(request)
    assert message.response is not None
    return Outgoing(message.action, request, _reader(message.response), answer, **more)


@cache
def _reader(kind: type[Wire]) -> Reader:
    return Reader(kind)
