"""permessage-deflate (required of a CSMS by OCPP-J 2.0.1 §3.3) with a client on npm ``ws``."""

import pytest

from tests.interop.process import INTEROP, NODE, package, program
from tests.protocol.socket_rig import port


@pytest.mark.parametrize(
    ("client", "server", "agreed"),
    [
        ("none", "none", {"permessage-deflate", "server_max_window_bits=12"}),
        ("9", "9", {"server_max_window_bits=9", "client_max_window_bits=9"}),
        ("15", "15", {"server_max_window_bits=12", "client_max_window_bits=12"}),
    ],
)
async def test_windows_are_small_and_whatever_was_agreed_is_understood(
    client: str, server: str, agreed: set[str]
) -> None:
    package("ws")
    async with port() as there:
        url = f"{there.url}/DEFLATE"
        script = str(INTEROP / "deflate.mjs")
        async with program(str(NODE), script, url, "ocpp2.0.1", client, server) as point:
            await point.until("closed", code=1000)
            told = point.told
    (extensions,) = (fact["extensions"] for fact in told if fact["event"] == "agreed")
    assert agreed <= {part.strip() for part in extensions.split(";")}
    answers = [(fact["id"], fact["kind"]) for fact in told if fact["event"] == "answer"]
    assert answers == [("long", 3), ("short", 3)]
    assert there.chargers.data[0][2] == "a meter value and another " * 3000
