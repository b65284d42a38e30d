"""A depot that two fleet operators and guests share."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from api_world import PASSWORD, Tenant, World

from voltyard.chargers.model import StationRef
from voltyard.sessions.model import IdToken, MeterReading, Phase, Session, TransactionReport
from voltyard.sites.commands import AreaDraft, BayDraft, SiteDraft
from voltyard.tenancy.model import OPERATOR_PERMISSIONS


@dataclass
class Fleet:
    """An operator with a bus that charges, and its key."""

    id: UUID
    tenant: Tenant
    vehicle: str
    token: str
    ids: dict[str, Any] = field(default_factory=dict)
    session: Session | None = None


@dataclass
class SharedDepot:
    world: World
    depot: Tenant
    site: UUID
    closed: UUID
    """A site that no operator is admitted to."""
    areas: tuple[UUID, UUID]
    station: StationRef
    evses: tuple[UUID, ...] = ()

    async def operator(self, name: str, *areas: UUID) -> Fleet:
        """Created by the depot, furnished by itself."""
        made = await self.depot.post(
            "/operators",
            {
                "name": name,
                "admin": {
                    "email": f"{name.lower()}@fleet.example",
                    "name": name,
                    "password": PASSWORD,
                },
                "places": [{"site_id": str(self.site), "area_ids": [str(a) for a in areas]}],
            },
        )
        scopes = sorted(OPERATOR_PERMISSIONS)
        key = await self.acting(made["id"], "POST", "/keys", {"name": "own", "scopes": scopes})
        tenant = Tenant(self.depot.who, "", key["secret"], self.depot.client)
        value = f"TAG{name.upper()}"
        vehicle = await tenant.post("/vehicles", {"name": "Bus 1", "battery_wh": 300_000.0})
        token = await tenant.post("/tokens", {"value": value, "vehicle_id": vehicle["id"]})
        user = (await tenant.get("/users"))["items"][0]
        fleet = Fleet(UUID(made["id"]), tenant, vehicle["id"], value)
        fleet.ids = {
            "operator": made["id"],
            "vehicle": vehicle["id"],
            "token": token["id"],
            "user": user["id"],
            "key": key["key"]["id"],
        }
        duty = await self.duty(fleet)
        fleet.ids["duty"] = duty["id"]
        return fleet

    async def duty(self, fleet: Fleet) -> Any:
        now = self.world.core.clock.now()
        body = {
            "arrival_at": (now - timedelta(hours=1)).isoformat(),
            "departure_at": (now + timedelta(hours=8)).isoformat(),
            "external_id": "101",
            "vehicle_id": fleet.vehicle,
            "target_soc_pct": 90,
        }
        return await fleet.tenant.post(f"/sites/{self.site}/duties", body)

    async def acting(self, operator: str, method: str, path: str, body: object = None) -> Any:
        answer = await self.depot.call(
            method, path, json=body, headers={"voltyard-operator": operator}
        )
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    async def charge(self, token: str, outlet: int, key: str = "") -> Session:
        """A session of a token; as it is stored."""
        core = self.world.core
        now: datetime = core.clock.now()
        ack = await core.sessions.report(
            self.station,
            TransactionReport(
                Phase.STARTED,
                now,
                f"{key or token}-start",
                evse_number=outlet,
                connector_number=1,
                id_token=IdToken(token),
                readings=(MeterReading(now, 1_000.0, 50_000.0, 40.0),),
            ),
        )
        page = await core.sessions.page(self.depot.who.org_id)
        return next(s for s in page.sessions if s.transaction_ref == ack.transaction_ref)


async def shared_depot(world: World) -> SharedDepot:
    """Two areas of two outlets each, at one charger."""
    depot, core = await world.tenant("Depot"), world.core
    site = await core.sites.create_site(depot.who, SiteDraft("Shared"))
    closed = await core.sites.create_site(depot.who, SiteDraft("Closed"))
    areas = [
        await core.sites.save_area(depot.who, site.id, AreaDraft(name)) for name in ("East", "West")
    ]
    station = await core.chargers.create_station(
        depot.who, "CP-SHARED", site_id=site.id, password="charger password"
    )
    evses = []
    for number in (1, 2, 3, 4):
        area = areas[0] if number < 3 else areas[1]
        bay = await core.sites.save_bay(depot.who, site.id, BayDraft(f"B{number}", area.id))
        evse = await core.chargers.save_evse(
            depot.who, station.id, number, max_power_w=150_000.0, bay_id=bay.id
        )
        evses.append(evse.id)
    return SharedDepot(
        world, depot, site.id, closed.id, (areas[0].id, areas[1].id), station.ref, tuple(evses)
    )
