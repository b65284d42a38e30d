"""Console and API in one application, as the server builds it."""

import httpx
from api_world import AT
from litestar import Litestar

from voltyard.app import build_core
from voltyard.clock import ScaledClock
from voltyard.config import Settings
from voltyard.serving.http import make_http
from voltyard.storage.engine import PostgresDatabase


def ask(app: Litestar) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://voltyard.test")


async def test_the_api_lives_beside_the_console(database: PostgresDatabase) -> None:
    core = build_core(Settings(), database, ScaledClock(AT), holder="test", inline=True)
    async with ask(make_http(core, b"s" * 32, Settings())) as client:
        assert (await client.get("/api/v1/me")).json()["code"] == "unauthenticated"
        assert (await client.get("/api/openapi.json")).status_code == 200
        assert (await client.get("/api/docs")).status_code == 200
        for method, path, status in (
            ("GET", "/api/v1/sites/not-an-id", 404),
            ("GET", "/api/v1/nothing", 404),
            ("DELETE", "/api/v1/me", 405),
        ):
            answer = await client.request(method, path)
            assert answer.status_code == status, path
            assert answer.headers["content-type"] == "application/problem+json"
        metrics = (await client.get("/metrics")).text
        assert "voltyard_commit_batches_total 0" in metrics
        assert 'voltyard_event_deliveries_total{outcome="failed"} 0' in metrics
        waiting = await client.get("/health/ready")
        assert waiting.status_code == 503, "nothing was started yet"
        assert {"name": "database", "ok": True, "why": ""} in waiting.json()["parts"]
        # A changing request with a forged cookie is refused before anything happens.
        forged = await client.post(
            "/api/v1/sites", json={"name": "X"}, headers={"cookie": "voltyard_session=x"}
        )
        assert forged.status_code == 401
