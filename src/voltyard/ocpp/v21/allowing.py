"""OCPP 2.1 Q01: in which ways of energy transfer a token may charge, told with its acceptance."""

from typing import Any

import msgspec

from voltyard.ocpp.routing import Exchange
from voltyard.ocpp.v21 import pricing
from voltyard.ocpp.v21.authorization import Authorize, AuthorizeResponse
from voltyard.ocpp.v201 import authorization as authorization_201
from voltyard.ocpp.wire import Wire
from voltyard.sessions.model import BOTH_WAYS


async def authorise(exchange: Exchange, request: Authorize) -> Wire:
    return allowed(exchange, await pricing.authorise(exchange, request))


def allowed(exchange: Exchange, answer: Any) -> Wire:
    """Q01.FR.01: where the station's V2X is on, what it knows, to all who may charge: whether
    anything flows back is by an order of ours. Elsewhere it is left out (Q01.FR.08)."""
    assert isinstance(answer, authorization_201.AuthorizeResponse)
    ways = exchange.chargers.transfers(exchange.station)
    if answer.id_token_info.status != "Accepted" or not any(BOTH_WAYS in way for way in ways):
        return answer
    facts = msgspec.to_builtins(answer)
    return msgspec.convert(facts | {"allowedEnergyTransfer": list(ways)}, AuthorizeResponse)
