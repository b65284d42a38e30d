"""The station of ``kept_point_201``, held to OCPP 2.1 by the PyPI library ``ocpp``.

``python -m tests.interop.kept_point_21 URL IDENTITY PASSWORD TOKEN``.
"""

import asyncio
import sys

from tests.interop import charge_point_21, kept_point_201


class Kept(charge_point_21.Station, kept_point_201.Kept):
    """Each message is checked against the schemas of 2.1."""


if __name__ == "__main__":
    asyncio.run(kept_point_201.main(*sys.argv[1:5], kind=Kept, subprotocol="ocpp2.1"))
