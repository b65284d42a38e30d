"""rFMS 4: vehicle statuses of truck makers, the newest first, then what came since.

Source: rFMS 4.0 (fms-standard.com): ``GET /vehiclestatuses`` with ``starttime`` (by the time of
receipt), ``lastVin`` while ``moreDataAvailable``, ``requestServerDateTime`` for the next question;
``hrTotalVehicleDistance`` and distances in metres; not more than one question a minute.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from voltyard.telematics.fetching import Fetcher
from voltyard.telematics.model import Asset, Charging, Connection, Told
from voltyard.telematics.ports import Page, Secrets, Unreadable
from voltyard.telematics.sources.values import instant, number, text

PATH = "/vehiclestatuses"
ACCEPT = "application/json; rfms=vehiclestatuses.v4.0"
LEAST_S = 60.0
CHARGING: Mapping[str, Charging] = {
    "NOT_CHARGING": Charging.NONE,
    "CHARGING": Charging.YES,
    "CHARGING_AC": Charging.AC,
    "CHARGING_DC": Charging.DC,
    "ERROR": Charging.FAULT,
}
PLUGGED: Mapping[str, bool] = {
    "CONNECTED": True,
    "DISCONNECTING": True,
    "CONNECTING": False,
    "DISCONNECTED": False,
}


class Rfms:
    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher

    async def page(
        self, connection: Connection, secrets: Secrets, cursor: Mapping[str, str], now: datetime
    ) -> Page:
        """Raises Unreadable."""
        params = {"contentFilter": "SNAPSHOT"}
        if cursor.get("start"):
            params |= {"starttime": cursor["start"], "datetype": "received"}
        else:
            params["latestOnly"] = "true"
        if cursor.get("last_vin"):
            params["lastVin"] = cursor["last_vin"]
        headers, auth = {"accept": ACCEPT}, None
        if connection.access.user:
            auth = (connection.access.user, secrets.password)
        else:
            headers["authorization"] = f"Bearer {secrets.password}"
        answer = await self._fetcher.get(connection.access.url + PATH, headers, params, auth)
        return _page(connection, answer.body, cursor, now)


def _page(connection: Connection, body: Any, cursor: Mapping[str, str], now: datetime) -> Page:
    if not isinstance(body, dict):
        raise Unreadable("The answer is no object.")
    inner = body.get("vehicleStatusResponse")
    statuses = (inner if isinstance(inner, dict) else body).get("vehicleStatuses")
    if statuses is None:
        statuses = []
    if not isinstance(statuses, list):
        raise Unreadable("The answer holds no vehicle statuses.")
    told = [seen for one in statuses if (seen := told_of(one, connection)) is not None]
    told.sort(key=lambda seen: (seen.observed_at, seen.vin))
    vins = [text(one.get("vin")) for one in statuses if isinstance(one, dict)]
    # A server that says there is more after the same vehicle again would never end.
    more = body.get("moreDataAvailable") is True and bool(vins)
    more = more and vins[-1] != cursor.get("last_vin", "")
    # What comes while pages are read is asked for by the time of the first of them.
    first = cursor.get("next") or text(body.get("requestServerDateTime"))
    start = cursor.get("start", "")
    after = {"start": first or start}
    if more:
        after = {"start": start, "last_vin": vins[-1], "next": first}
    return Page(
        told, {name: value for name, value in after.items() if value}, more, LEAST_S,
        _assets(connection, vins, now),
    )  # fmt: skip


def told_of(status: object, connection: Connection) -> Told | None:
    """None for what names no vehicle or no time, or tells nothing."""
    if not isinstance(status, dict):
        return None
    vin, at = text(status.get("vin")), instant(status.get("createdDateTime"))
    if not vin or at is None:
        return None
    found = status.get("snapshotData")
    snapshot: Mapping[str, Any] = found if isinstance(found, dict) else {}
    soc = number(snapshot.get("hybridBatteryPackRemainingCharge"))
    if soc is None and connection.access.soc_from_fuel:
        soc = number(snapshot.get("fuelLevel1"))
    signals: dict[str, Any] = {
        "soc_pct": soc,
        "odometer_km": _km(status.get("hrTotalVehicleDistance")),
        "range_km": _range(snapshot.get("estimatedDistanceToEmpty")),
        "plugged": PLUGGED.get(text(snapshot.get("batteryPackChargingConnectionStatus"))),
        "charging": CHARGING.get(text(snapshot.get("batteryPackChargingStatus"))),
        **_position(snapshot.get("gnssPosition")),
    }
    if all(value is None for value in signals.values()):
        return None
    return Told(observed_at=at, vin=vin, external_id=vin, **signals)


def _km(value: object) -> float | None:
    metres = number(value)
    return None if metres is None else metres / 1000.0


def _range(found: object) -> float | None:
    if not isinstance(found, dict):
        return None
    return next(
        (km for name in ("batteryPack", "total") if (km := _km(found.get(name))) is not None), None
    )


def _position(found: object) -> Mapping[str, float | None]:
    place: Mapping[str, Any] = found if isinstance(found, dict) else {}
    at = number(place.get("latitude")), number(place.get("longitude"))
    if None in at:
        return {}
    return {"latitude": at[0], "longitude": at[1]}


def _assets(connection: Connection, vins: Sequence[str], now: datetime) -> Sequence[Asset]:
    return [Asset(connection.id, vin, vin, vin, seen_at=now) for vin in sorted({*vins} - {""})]
