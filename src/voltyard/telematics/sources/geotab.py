"""MyGeotab: JSON-RPC with a session, status data followed by ``GetFeed``.

Source: developers.geotab.com, reference of ``Authenticate``, ``Get`` and ``GetFeed``, and its guide
to rate limits. Geotab's own Python client is not used here: it follows redirects, goes to whatever
server an answer names and reads without a bound, none of which may be done for a tenant. The tests
let it speak with the same server as this.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from voltyard.telematics.fetching import Fetcher, waits_s
from voltyard.telematics.model import Asset, Charging, Connection, Told
from voltyard.telematics.ports import Page, Secrets, Unreadable
from voltyard.telematics.sources.values import instant, number, text
from voltyard.units import iso_z

FEEDS: Mapping[str, str] = {
    "soc": "DiagnosticStateOfChargeId",
    "state": "DiagnosticElectricVehicleChargingStateId",
    "odometer": "DiagnosticOdometerId",
}
STATES: Mapping[float, tuple[bool | None, Charging]] = {
    0.0: (None, Charging.NONE),
    1.0: (True, Charging.AC),
    2.0: (True, Charging.DC),
}
RESULTS_MAX = 5_000
LOOK_BACK = timedelta(hours=6)
"""How far the first question reaches back."""
DEVICES_EVERY = timedelta(hours=6)
REFUSED = frozenset(
    {"InvalidUserException", "AccessDeniedException", "InvalidApiOperationException"}
)
HERE = "ThisServer"


@dataclass(frozen=True, slots=True)
class _Session:
    server: str
    credentials: Mapping[str, Any]
    password: str


class _Failed(Exception):
    """What the server says went wrong."""

    def __init__(self, name: str, message: str, after_s: float | None) -> None:
        super().__init__(message)
        self.name = name
        self.message = message
        self.after_s = after_s


class Geotab:
    """Sessions are kept while they last; a connection whose password changed gets a new one."""

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher
        self._sessions: dict[UUID, _Session] = {}

    async def page(
        self, connection: Connection, secrets: Secrets, cursor: Mapping[str, str], now: datetime
    ) -> Page:
        """Raises Unreadable."""
        try:
            return await self._page(connection, secrets, cursor, now)
        except _Failed as failed:
            self._sessions.pop(connection.id, None)
            if failed.name == "OverLimitException":
                said = "It was asked too often."
                raise Unreadable(said, after_s=failed.after_s or 60.0) from None
            said = f"{failed.name}: {failed.message}"[:300]
            raise Unreadable(said, refused=failed.name in REFUSED) from None

    async def _page(
        self, connection: Connection, secrets: Secrets, cursor: Mapping[str, str], now: datetime
    ) -> Page:
        after, told, more = dict(cursor), list[Told](), False
        assets: Sequence[Asset] = ()
        asked_at = instant(cursor.get("devices_at"))
        if asked_at is None or now - asked_at >= DEVICES_EVERY:
            assets = await self._devices(connection, secrets, now)
            after["devices_at"] = iso_z(now)
        for name, diagnostic in FEEDS.items():
            search: dict[str, Any] = {"diagnosticSearch": {"id": diagnostic}}
            params: dict[str, Any] = {"typeName": "StatusData", "resultsLimit": RESULTS_MAX}
            if after.get(name):
                params["fromVersion"] = after[name]
            else:
                search["fromDate"] = iso_z(now - LOOK_BACK)
            found = await self._call(connection, secrets, "GetFeed", params | {"search": search})
            data = found.get("data") if isinstance(found, dict) else None
            if not isinstance(data, list):
                raise Unreadable("The answer holds no data.")
            after[name] = text(found.get("toVersion")) or after.get(name, "")
            more = more or len(data) >= RESULTS_MAX
            told += _told(data, diagnostic)
        return Page(told=_joined(told), cursor=after, more=more, assets=assets)

    async def _devices(
        self, connection: Connection, secrets: Secrets, now: datetime
    ) -> Sequence[Asset]:
        found = await self._call(
            connection, secrets, "Get", {"typeName": "Device", "resultsLimit": RESULTS_MAX}
        )
        return [
            Asset(
                connection.id,
                text(device["id"]),
                text(device.get("name")) or text(device.get("licensePlate")),
                text(device.get("vehicleIdentificationNumber")),
                seen_at=now,
            )
            for device in (found if isinstance(found, list) else ())
            if isinstance(device, dict) and text(device.get("id"))
        ]

    async def _call(
        self, connection: Connection, secrets: Secrets, method: str, params: Mapping[str, Any]
    ) -> Any:
        """A session that has ended is begun anew, once."""
        known = self._sessions.get(connection.id)
        if known is None or known.password != secrets.password:
            known = await self._enter(connection, secrets)
        try:
            return await self._ask(known, method, params)
        except _Failed as failed:
            if failed.name != "InvalidUserException":
                raise
            known = await self._enter(connection, secrets)
            return await self._ask(known, method, params)

    async def _ask(self, session: _Session, method: str, params: Mapping[str, Any]) -> Any:
        given = {**params, "credentials": session.credentials}
        return await self._post(session.server, method, given)

    async def _enter(self, connection: Connection, secrets: Secrets) -> _Session:
        to = connection.access
        self._sessions.pop(connection.id, None)
        given = {"database": to.database, "userName": to.user, "password": secrets.password}
        found = await self._post(to.server, "Authenticate", given)
        credentials = found.get("credentials") if isinstance(found, dict) else None
        if not isinstance(credentials, dict) or not text(credentials.get("sessionId")):
            raise Unreadable("The answer to the log-in holds no session.")
        path = text(found.get("path"))
        server = to.server if path in ("", HERE) else path
        made = _Session(server, credentials, secrets.password)
        self._sessions[connection.id] = made
        return made

    async def _post(self, server: str, method: str, params: Mapping[str, Any]) -> Any:
        """Raises _Failed for what the server itself says, Unreadable for all else."""
        base = server if "://" in server else f"https://{server}"
        body = {"id": -1, "method": method, "params": params}
        answer = await self._fetcher.post(f"{base}/apiv1", {}, body)
        found = answer.body
        if not isinstance(found, dict):
            raise Unreadable("The answer is none of JSON-RPC.")
        error = found.get("error")
        if isinstance(error, dict):
            causes = error.get("errors")
            first = causes[0] if isinstance(causes, list) and causes else error
            first = first if isinstance(first, dict) else error
            name, message = text(first.get("name")), text(first.get("message"))
            raise _Failed(name or "error", message, waits_s(answer.headers))
        return found.get("result")


def _told(data: Sequence[object], diagnostic: str) -> Iterable[Told]:
    """One for each value of the diagnostic; what else came is left out."""
    for entry in data:
        if not isinstance(entry, dict) or _id(entry.get("diagnostic")) != diagnostic:
            continue
        at, value, device = instant(entry.get("dateTime")), number(entry.get("data")), entry
        named = _id(device.get("device"))
        if at is None or value is None or not named:
            continue
        if diagnostic == FEEDS["soc"]:
            yield Told(observed_at=at, external_id=named, soc_pct=value)
        elif diagnostic == FEEDS["odometer"]:
            yield Told(observed_at=at, external_id=named, odometer_km=value / 1000.0)
        elif value in STATES:
            plugged, charging = STATES[value]
            yield Told(observed_at=at, external_id=named, plugged=plugged, charging=charging)


def _id(found: object) -> str:
    return text(found.get("id")) if isinstance(found, dict) else text(found)


def _joined(told: Iterable[Told]) -> Sequence[Told]:
    """Values of one device and moment are one observation; by time, so that the newest is last."""
    by_moment: dict[tuple[datetime, str], dict[str, Any]] = {}
    for one in told:
        signals = {
            name: value
            for name in ("soc_pct", "odometer_km", "plugged", "charging")
            if (value := getattr(one, name)) is not None
        }
        by_moment.setdefault((one.observed_at, one.external_id), {}).update(signals)
    return [
        Told(observed_at=at, external_id=device, **by_moment[at, device])
        for at, device in sorted(by_moment)
    ]
