"""The API over the real services and the real database, asked as a program would."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
from litestar import Litestar

from voltyard.access.commands import RuleDraft
from voltyard.access.model import Whom as Visitors
from voltyard.api.deps import ApiDeps, Metric, Part
from voltyard.app import Core
from voltyard.approvals import store as approvals
from voltyard.approvals.model import Kind as WaitingKind
from voltyard.approvals.model import Proposal
from voltyard.billing.commands import NewAccount, NewAssignment
from voltyard.billing.model import Target, Terms
from voltyard.bookings.commands import NewBooking, Whom
from voltyard.energy.enquiring import ExplainDesk
from voltyard.fleets.commands import TokenDraft, VehicleDraft
from voltyard.ids import new_id
from voltyard.preconditioning.commands import RuleDraft as WarmDraft
from voltyard.preconditioning.model import Kind
from voltyard.reservations.commands import NewReservation
from voltyard.sites.commands import BayDraft, SiteDraft
from voltyard.tenancy import scope
from voltyard.tenancy.access import system_principal
from voltyard.tenancy.model import Permission, Principal, Role
from voltyard.tenancy.service import NewUser, TenancyService

AT = datetime(2026, 1, 15, 12, tzinfo=UTC)
PASSWORD = "seven buses at dawn"


class Parts:
    """Health that the test decides."""

    parts: Sequence[Part] = (Part("database", True),)

    async def check(self) -> Sequence[Part]:
        return self.parts

    def read(self) -> Sequence[Metric]:
        return [Metric("voltyard_test_total", 3.0, {"kind": 'a"b'}, "counter", "Of a test.")]


@dataclass
class Tenant:
    """An organisation with a key that may do everything."""

    who: Principal
    email: str
    key: str
    client: httpx.AsyncClient

    async def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.key}", **options.pop("headers", {})}
        url = path if path.startswith("/api") else f"/api/v1{path}"
        return await self.client.request(method, url, headers=headers, **options)

    async def get(self, path: str, **options: Any) -> Any:
        answer = await self.call("GET", path, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, body: Any, status: int = 201) -> Any:
        answer = await self.call("POST", path, json=body)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    async def put(self, path: str, body: Any, status: int = 200) -> Any:
        answer = await self.call("PUT", path, json=body)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None


@dataclass
class World:
    core: Core
    client: httpx.AsyncClient
    parts: Parts
    people: TenancyService

    async def tenant(self, name: str) -> Tenant:
        email = f"{name.lower()}@example.org"
        admin = NewUser(email, name, Role.ADMIN, PASSWORD)
        organisation, _ = await self.people.create_organisation(name, admin)
        who = system_principal(organisation.id)
        return await self.key(who, email, frozenset(Permission))

    async def key(self, who: Principal, email: str, scopes: frozenset[Permission]) -> Tenant:
        made = await self.people.create_key(who, "test", scopes)
        return Tenant(who, email, made.text, self.client)

    async def furnish(self, tenant: Tenant) -> dict[str, UUID]:
        """One of everything that has an id."""
        core, who = self.core, tenant.who
        site = await core.sites.create_site(who, SiteDraft("Nord"))
        bay = await core.sites.save_bay(who, site.id, BayDraft("A1"))
        station = await core.chargers.create_station(
            who, f"CP-{who.org_id.hex[:8]}", site_id=site.id, password="charger password"
        )
        evse = await core.chargers.save_evse(who, station.id, 1, max_power_w=150_000.0)
        vehicle = await core.fleets.save_vehicle(who, VehicleDraft("Bus 1", "12m", 350_000.0))
        token = await core.fleets.save_token(who, TokenDraft("04A2B1C9", vehicle_id=vehicle.id))
        users = await core.tenancy.users(who)
        keys = await core.tenancy.keys(who)
        grid = {"kind": "grid", "name": "Grid", "limits": [{"power_w": 1e6}]}
        node = await tenant.post(f"/sites/{site.id}/nodes", grid)
        duty = await tenant.post(
            f"/sites/{site.id}/duties",
            {
                "arrival_at": "2026-01-15T18:30:00+01:00",
                "departure_at": "2026-01-16T05:00:00+01:00",
                "vehicle_id": str(vehicle.id),
                "target_soc_pct": 90,
            },
        )
        pushed = {"node_id": node["id"], "name": "Grid", "protocol": "push"}
        meter = await tenant.post(f"/sites/{site.id}/site-meters", pushed)
        tomorrow = core.clock.now() + timedelta(days=1)
        wanted = NewReservation(
            station.id, "04A2B1C9", tomorrow + timedelta(hours=1), evse.id, from_at=tomorrow
        )
        reservation = await core.reservations.reserve(who, wanted)
        booking = await core.bookings.book(
            who,
            NewBooking(
                site.id,
                Whom(bay.id, vehicle_id=vehicle.id),
                tomorrow,
                tomorrow + timedelta(hours=1),
            ),
        )
        warm = WarmDraft("Winter", Kind.HEATING, 9_000.0, enabled=False)
        warming = await core.preconditioning.save_rule(who, warm)
        vin = f"W{who.org_id.hex[:16].upper()}"
        await core.preconditioning.vdv261.admit(who, vehicle.id, vin=vin, without_password=True)
        tariff = await core.billing.create(who, "Day", Terms("EUR", ()))
        assigned = await core.billing.assign(who, NewAssignment(tariff.id, Target.GROUP, "G"))
        account = await core.billing.prepaid.open(who, NewAccount("A", "EUR", ("P1",)))
        admin = NewUser(f"{who.org_id.hex[:8]}@operator.example", "Op", Role.ADMIN, PASSWORD)
        operator = await core.operators.create(who, "Op", admin)
        guests = RuleDraft("Guests", Visitors.GUESTS, allow=False, active=False)
        rule = await core.access.save(who, site.id, guests)
        hook = {"name": "Hook", "kind": "webhook"}
        telematics = (await tenant.post("/telematics/connections", hook))["connection"]
        bms = await tenant.post("/presystems", {"path": who.org_id.hex, "name": "BMS"})
        proposal = await _proposed(core, who)
        await core.tenancy.login.open_session(users[0])
        [log_in] = await core.presence.everybodys(who)
        return {
            "log_in": log_in.id,
            "operator": operator.organisation.id,
            "rule": rule.id,
            "site": site.id,
            "bay": bay.id,
            "station": station.id,
            "evse": evse.id,
            "vehicle": vehicle.id,
            "token": token.id,
            "user": users[0].id,
            "key": keys[0].id,
            "node": UUID(node["id"]),
            "duty": UUID(duty["id"]),
            "meter": UUID(meter["id"]),
            "reservation": reservation.id,
            "booking": booking.id,
            "preconditioning_rule": warming.id,
            "tariff": tariff.id,
            "assignment": assigned.id,
            "account": account.id,
            "telematics": UUID(telematics["id"]),
            "presystem": UUID(bms["presystem"]["id"]),
            "proposal": proposal,
        }


async def _proposed(core: Core, who: Principal) -> UUID:
    """A proposal as it is kept; nothing else waits."""
    now = core.clock.now()
    kept = Proposal(
        new_id(), who.org_id, None, WaitingKind.LIMITS, "sites.tree", Permission.SITES_WRITE,
        "Grid", {}, "", (), "", "user", who.id, who.name, None, now, now + timedelta(days=1),
    )  # fmt: skip
    async with scope.transaction(core.database, scope.of(who.org_id)) as tx:
        await approvals.insert(tx, kept)
    return kept.id


def deps_of(core: Core, people: TenancyService, parts: Parts) -> ApiDeps:
    return ApiDeps(
        tenancy=people,
        sites=core.sites,
        fleets=core.fleets,
        timetable=core.timetable,
        chargers=core.chargers,
        sessions=core.sessions,
        live=core.sessions.live,
        energy=core.energy,
        alerts=core.alerts,
        notifications=core.telling.notifications,
        departures=core.telling.departures,
        firmware=core.firmware,
        diagnostics=core.diagnostics,
        pki=core.pki,
        reservations=core.reservations,
        bookings=core.bookings,
        local_lists=core.local_lists,
        preconditioning=core.preconditioning,
        billing=core.billing,
        operators=core.operators,
        access=core.access,
        presystems=core.presystems,
        sign_on=core.sign_on,
        presence=core.presence,
        configuration=core.configuration,
        monitoring=core.monitoring,
        bulk=core.bulk,
        site_meters=core.inputs.meters,
        prices=core.inputs.prices,
        policies=core.inputs.policies,
        why=ExplainDesk(
            core.energy, core.fleets, core.timetable, core.sessions, core.chargers, core.clock
        ),
        studies=core.studies,
        telematics=core.telematics,
        approvals=core.approvals,
        clock=core.clock,
        health=parts,
        meters=(parts,),
    )


def client_of(app: Litestar) -> httpx.AsyncClient:
    """Asks the application on the test's own event loop."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://voltyard.test")
