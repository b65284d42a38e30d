"""The charging station of ``charge_point_201``, held to OCPP 2.1 by the PyPI library ``ocpp``.

``python -m tests.interop.charge_point_21 URL IDENTITY PASSWORD TOKEN``.
"""

import asyncio
import sys
from typing import Any

from ocpp.exceptions import NotImplementedError as NotKnownHere
from ocpp.v21 import ChargePoint, call, call_result

from tests.interop import charge_point_201


class Station(charge_point_201.Station):
    """The library checks each message it sends and gets against the schemas of 2.1."""

    _call = call
    _call_result = call_result
    _ocpp_version = ChargePoint._ocpp_version

    async def _handle_call(self, msg: Any) -> None:
        """In 2.1 the library never answers what it has no handler for; a server then waits."""
        if msg.action in self.route_map:
            await super()._handle_call(msg)
        else:
            await self._send(msg.create_call_error(NotKnownHere()).to_json())


if __name__ == "__main__":
    asyncio.run(charge_point_201.main(*sys.argv[1:5], kind=Station, subprotocol="ocpp2.1"))
