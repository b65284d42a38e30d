"""A pass that stops what others have started, and starts nothing (OCPP 2.0.1 C16)."""

from typing import Any

from billing_yard import Yard, accepts, rfid

from voltyard.chargers.commands import ReadConfiguration
from voltyard.fleets.commands import TokenDraft


async def test_a_master_pass_stops_and_starts_nothing(yard: Yard) -> None:
    fleets = yard.core.fleets
    await fleets.save_token(yard.who, TokenDraft("POLICE1", group_id="MASTER"))
    await fleets.save_token(yard.who, TokenDraft("STAFF1", group_id="STAFF"))

    def say(action: str, payload: dict[str, Any]) -> dict[str, Any] | str:
        if action != "GetVariables":
            return accepts(action, payload)
        [item] = payload["getVariableData"]
        return {
            "getVariableResult": [
                {"attributeStatus": "Accepted", "attributeValue": "MASTER", **item}
            ]
        }

    async with yard.charger(say=say) as charger:
        read = ReadConfiguration(("AuthCtrlr.MasterPassGroupId",))
        await yard.core.chargers.command(yard.station().id, read, "Ada")
        told = await charger.call("Authorize", {"idToken": rfid("POLICE1")})
        info = told["idTokenInfo"]
        assert info["status"] == "Accepted"
        assert info["groupIdToken"]["idToken"] == "MASTER"
        begun = await charger.call(
            "TransactionEvent", yard.event("Started", 0, 0, 0, idToken=rfid("POLICE1"))
        )
        assert begun["idTokenInfo"]["status"] == "Invalid"
        await charger.call("TransactionEvent", yard.event("Ended", 1, 1, 0))
        info = {"transactionId": "tx-2"}
        begun = await charger.call(
            "TransactionEvent", yard.event("Started", 0, 2, 0, idToken=rfid("STAFF1"), info=info)
        )
        assert begun["idTokenInfo"]["status"] == "Accepted"
        ended = {**info, "stoppedReason": "MasterPass"}
        await charger.call(
            "TransactionEvent",
            yard.event("Ended", 1, 30, 9000, idToken=rfid("POLICE1"), info=ended),
        )
    page = await yard.core.sessions.page(yard.who.org_id)
    session = next(each for each in page.sessions if each.transaction_ref == "tx-2")
    assert (session.stop_reason, session.id_token) == ("MasterPass", "STAFF1")
    assert "stopped_by_other" not in session.flags
