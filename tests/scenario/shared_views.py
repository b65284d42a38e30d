"""What each organisation of a shared depot sees once the days are over: by query, REST, export."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import httpx
from litestar import Litestar

from tests.integration.api.api_world import Parts, client_of, deps_of
from voltyard.api import problems
from voltyard.api.app import api_router, make_api
from voltyard.api.docs import describe, operations
from voltyard.app import Core, build_core
from voltyard.clock import ScaledClock
from voltyard.config import Settings
from voltyard.storage.engine import PostgresDatabase
from voltyard.tenancy import scope
from voltyard.tenancy.access import on_behalf, system_principal
from voltyard.tenancy.model import OPERATOR_PERMISSIONS

MARKS = {
    "vehicles": ("org_id", ("id", "name")),
    "tokens": ("org_id", ("value",)),
    "duties": ("org_id", ("id", "external_id")),
    "sessions": ("fleet_org_id", ("id",)),
}
"""By table: whose a row is, and what gives it away wherever it is written."""
EVERYTHING = """
SELECT c.relname AS name FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
AND NOT c.relispartition AND a.attname = 'org_id' ORDER BY c.relname"""


@dataclass
class View:
    """Of one fleet operator: what it holds, and every place where somebody else's shows."""

    org_id: UUID
    own: Mapping[str, list[str]]
    foreign: Mapping[str, list[str]]
    asked: int = 0
    leaks: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    open_doors: list[str] = field(default_factory=list)

    def read(self, where: str, text: str) -> None:
        self.asked += 1
        for mark in (mark for marks in self.foreign.values() for mark in marks):
            at = text.find(mark)
            if at >= 0:
                self.leaks.append(f"{where}: …{text[max(0, at - 150) : at + 150]}…")

    def holds(self, where: str, text: str, table: str) -> None:
        """Each of one's own by its name at least, the last of its marks."""
        names = self.own[table][len(MARKS[table][1]) - 1 :: len(MARKS[table][1])]
        self.missing += [f"{where}: {name}" for name in names if name not in text]


async def views(url: str, depot_id: UUID, site_id: UUID, now: datetime) -> list[View]:
    """Of each operator of the depot, all that it can ask for."""
    async with _standing(url, now) as (core, client):
        owned, paths = await _marks(core, depot_id), _paths(core)
        found = []
        for operator in await core.operators.operators(system_principal(depot_id)):
            org_id = operator.organisation.id
            foreign: dict[str, list[str]] = {}
            for owner, marks in owned.items():
                for table, texts in marks.items() if owner != org_id else ():
                    foreign.setdefault(table, []).extend(texts)
            view = View(org_id, owned[org_id], foreign)
            who = on_behalf(system_principal(depot_id), org_id)
            made = await core.tenancy.create_key(who, "test", OPERATOR_PERMISSIONS)
            client.headers["authorization"] = f"Bearer {made.text}"
            await _by_query(core, view)
            await _by_rest(client, view, paths, site_id)
            await _at_closed_doors(client, view)
            found.append(view)
    return found


@asynccontextmanager
async def _standing(url: str, now: datetime) -> AsyncIterator[tuple[Core, httpx.AsyncClient]]:
    """The server again, on what the days have left behind."""
    database = PostgresDatabase(url, pool_size=2)
    core = build_core(Settings(), database, ScaledClock(now), holder="views", inline=True)
    await core.chargers.load()
    await core.sessions.load()
    await core.alerts.load()
    core.spawn(core.commits.run(), "commits")
    deps = deps_of(core, core.tenancy, Parts())
    app = Litestar(
        make_api(lambda: deps), openapi_config=None, exception_handlers=problems.HANDLERS
    )
    async with client_of(app) as client:
        yield core, client
    core.crash()
    await database.close()


async def _marks(core: Core, depot_id: UUID) -> dict[UUID, dict[str, list[str]]]:
    """As the depot operator sees everybody; what is no operator's is the depot's."""
    found: dict[UUID, dict[str, list[str]]] = {}
    async with scope.transaction(core.database, scope.of(depot_id)) as tx:
        for table, (owner, columns) in MARKS.items():
            rows = await tx.all(f"SELECT {owner} AS owner, {', '.join(columns)} FROM {table}")
            for row in rows:
                marks = found.setdefault(row["owner"] or depot_id, {}).setdefault(table, [])
                marks += [str(row[column]) for column in columns]
        guests = await tx.all("SELECT id_token FROM sessions WHERE vehicle_id IS NULL")
    found[depot_id].setdefault("guests", []).extend(row["id_token"] for row in guests)
    return found


async def _by_query(core: Core, view: View) -> None:
    """Every table, by a query that forgets to ask whose rows it wants."""
    async with scope.transaction(core.database, scope.SYSTEM) as tx:
        tables = [row["name"] for row in await tx.all(EVERYTHING)]
    async with scope.transaction(core.database, scope.at_places(view.org_id)) as tx:
        for table in tables:
            rows = await tx.all(f"SELECT row_to_json(t)::text AS text FROM {table} t")
            view.read(f"table {table}", "\n".join(row["text"] for row in rows))


def _paths(core: Core) -> list[str]:
    """Every list and export, of an organisation and of a site."""
    document = describe(api_router(lambda: deps_of(core, core.tenancy, Parts())))
    every = [path for path, method, _ in operations(document) if method == "get"]
    return [path for path in every if "{" not in path.replace("{site_id}", "")]


async def _by_rest(
    client: httpx.AsyncClient, view: View, paths: Sequence[str], site_id: UUID
) -> None:
    texts: dict[str, str] = {}
    for path in paths:
        query = {} if path.endswith(".csv") else {"limit": "500"}
        answer = await client.get(path.replace("{site_id}", str(site_id)), params=query)
        assert answer.status_code in (200, 403, 404, 422), answer.text
        texts[path.removeprefix("/api/v1")] = answer.text
        view.read(f"{answer.status_code} {path}", answer.text)
    for name, table in _shown_in():
        view.holds(name, texts[name], table)


def _shown_in() -> Iterator[tuple[str, str]]:
    """Where one's own must be."""
    yield "/vehicles", "vehicles"
    yield "/vehicles.csv", "vehicles"
    yield "/tokens", "tokens"
    yield "/tokens.csv", "tokens"
    yield "/sessions", "sessions"
    yield "/sessions.csv", "sessions"
    yield "/sites/{site_id}/duties", "duties"


async def _at_closed_doors(client: httpx.AsyncClient, view: View) -> None:
    """Others' things by their ids, as a neighbour might guess them."""
    for table in ("vehicles", "duties", "sessions"):
        for mark in view.foreign[table]:
            if len(mark) == len(str(view.org_id)) and mark.count("-") == 4:
                answer = await client.get(f"/api/v1/{table}/{mark}")
                if answer.status_code != 404:
                    view.open_doors.append(f"{answer.status_code} {table}/{mark}")
