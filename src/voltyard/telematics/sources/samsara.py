"""Samsara: the feed of vehicle statistics, followed by its cursor.

Source: developers.samsara.com, "Telematics Sync" and the reference of
``/fleet/vehicles/stats/feed``: at most three types of statistics a request,
``pagination.endCursor`` given back as ``after``, at least 5 s between requests once
``hasNextPage`` is false.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from voltyard.telematics.fetching import Fetcher
from voltyard.telematics.model import Asset, Charging, Connection, Told
from voltyard.telematics.ports import Page, Secrets, Unreadable
from voltyard.telematics.sources.values import instant, number, text

PATH = "/fleet/vehicles/stats/feed"
SOC, STATUS, ODOMETER = "evStateOfChargeMilliPercent", "evChargingStatus", "obdOdometerMeters"
LEAST_S = 5.0
STATES: Mapping[str, tuple[bool | None, Charging | None]] = {
    "1": (None, Charging.NONE),
    "2": (True, Charging.YES),
}
"""``evChargingStatus``: 1 not charging, 2 charging; 0 and what else comes tell nothing."""


class Samsara:
    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher

    async def page(
        self, connection: Connection, secrets: Secrets, cursor: Mapping[str, str], now: datetime
    ) -> Page:
        """Raises Unreadable."""
        params = {"types": f"{SOC},{STATUS},{ODOMETER}"}
        if cursor.get("after"):
            params["after"] = cursor["after"]
        headers = {"authorization": f"Bearer {secrets.password}", "accept": "application/json"}
        answer = await self._fetcher.get(connection.access.url + PATH, headers, params)
        body = answer.body
        if not isinstance(body, dict) or not isinstance(body.get("data"), list):
            raise Unreadable("The answer holds no data.")
        paging = body.get("pagination")
        paging = paging if isinstance(paging, dict) else {}
        after = text(paging.get("endCursor")) or cursor.get("after", "")
        return Page(
            told=list(told_in(body)),
            cursor={"after": after},
            more=paging.get("hasNextPage") is True and after != cursor.get("after", ""),
            after_s=LEAST_S,
            assets=list(_assets(connection, body["data"], now)),
        )


def told_in(body: object) -> Iterable[Told]:
    """What statistics say, each at its own moment; signals of one moment together."""
    data = body.get("data") if isinstance(body, dict) else None
    for vehicle in data if isinstance(data, list) else ():
        if not isinstance(vehicle, dict) or not text(vehicle.get("id")):
            continue
        named: dict[str, Any] = {
            "external_id": text(vehicle["id"]),
            "name": text(vehicle.get("name")),
            "vin": _vin(vehicle),
        }
        by_moment: dict[datetime, dict[str, Any]] = {}
        for kind, read in READERS.items():
            for entry in _entries(vehicle.get(kind)):
                at = instant(entry.get("time"))
                if at is not None:
                    by_moment.setdefault(at, {}).update(read(entry.get("value")))
        for at in sorted(by_moment):
            signals = {name: value for name, value in by_moment[at].items() if value is not None}
            if signals:
                yield Told(observed_at=at, **named, **signals)


def _entries(found: object) -> Iterable[Mapping[str, Any]]:
    """The feed gives lists, a snapshot one object."""
    entries = found if isinstance(found, list) else [found]
    return [entry for entry in entries if isinstance(entry, dict)]


def _soc(value: object) -> Mapping[str, Any]:
    milli = number(value)
    return {"soc_pct": None if milli is None else milli / 1000.0}


def _odometer(value: object) -> Mapping[str, Any]:
    metres = number(value)
    return {"odometer_km": None if metres is None else metres / 1000.0}


def _status(value: object) -> Mapping[str, Any]:
    plugged, charging = STATES.get(text(value), (None, None))
    return {"plugged": plugged, "charging": charging}


READERS = {SOC: _soc, STATUS: _status, ODOMETER: _odometer}


def _vin(vehicle: Mapping[str, Any]) -> str:
    others = vehicle.get("externalIds")
    others = others if isinstance(others, dict) else {}
    return text(vehicle.get("vin")) or text(others.get("samsara.vin"))


def _assets(connection: Connection, data: Iterable[object], now: datetime) -> Iterable[Asset]:
    for vehicle in data:
        if isinstance(vehicle, dict) and text(vehicle.get("id")):
            yield Asset(
                connection.id, text(vehicle["id"]), text(vehicle.get("name")), _vin(vehicle),
                seen_at=now,
            )  # fmt: skip
