"""Lists, cache and reservations as OCPP 2.0.1 has them, seen from a station."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from voltyard.simulator.rpc import Payload, Reply
from voltyard.simulator.tokens import Reserved, Standing, read_instant

if TYPE_CHECKING:
    from voltyard.simulator.charger import Charger


class Tokens201:
    """The messages; what they do is ``TokenMemory``'s."""

    def __init__(self, charger: "Charger") -> None:
        self._charger = charger

    @property
    def handlers(self) -> Mapping[str, Callable[[Payload], Reply]]:
        return {
            "GetLocalListVersion": lambda _: Reply({"versionNumber": self._charger.tokens.version}),
            "SendLocalList": self._send_list,
            "ClearCache": self._clear_cache,
            "ReserveNow": self._reserve,
            "CancelReservation": self._cancel,
        }

    def _send_list(self, payload: Payload) -> Reply:
        rows = [
            (
                str(row["idToken"]["idToken"]),
                standing_201(row["idTokenInfo"]) if "idTokenInfo" in row else None,
            )
            for row in payload.get("localAuthorizationList", ())
        ]
        full = payload["updateType"] == "Full"
        word = self._charger.tokens.change_list(int(payload["versionNumber"]), rows, full=full)
        return Reply({"status": word})

    def _clear_cache(self, payload: Payload) -> Reply:
        self._charger.tokens.cache.clear()
        return Reply({"status": "Accepted" if self._charger.settings.cache else "Rejected"})

    def _reserve(self, payload: Payload) -> Reply:
        until_at = read_instant(str(payload["expiryDateTime"]))
        assert until_at is not None
        word = self._charger.tokens.reserve(
            Reserved(
                int(payload["id"]),
                int(payload.get("evseId", 0)),
                str(payload["idToken"]["idToken"]),
                str(payload.get("groupIdToken", {}).get("idToken", "")),
                until_at,
            )
        )
        return Reply({"status": word}, self._charger.report_all)

    def _cancel(self, payload: Payload) -> Reply:
        known = self._charger.tokens.cancel(int(payload["reservationId"]))
        return Reply({"status": "Accepted" if known else "Rejected"}, self._charger.report_all)


def standing_201(info: Mapping[str, Any]) -> Standing:
    group = info.get("groupIdToken", {}).get("idToken", "")
    return Standing(str(info["status"]), str(group), read_instant(info.get("cacheExpiryDateTime")))
