"""Single sign-on and log-ins by REST."""

from api_world import Tenant, World

from voltyard.tenancy.model import Permission

CONNECTION = {
    "name": "Depot ID",
    "issuer": "https://id.example.org/realms/depot",
    "client_id": "voltyard",
    "secret": "s3cret",
    "roles": [{"group": "yard", "role": "dispatcher"}],
    "domains": ["Example.ORG"],
}


async def test_a_connection_is_entered_changed_and_forgotten(world: World, tenant: Tenant) -> None:
    empty = await tenant.get("/single-sign-on")
    assert empty["connection"] is None
    assert empty["redirect_uri"].endswith("/callback")
    made = await tenant.put("/single-sign-on", CONNECTION)
    assert (made["has_secret"], made["domains"], made["passwords"]) == (
        True, ["example.org"], "allowed",
    )  # fmt: skip
    shown = await tenant.call("GET", "/single-sign-on")
    assert "s3cret" not in shown.text
    kept = {name: value for name, value in CONNECTION.items() if name != "secret"}
    moved = await tenant.call(
        "PUT", "/single-sign-on", json={**kept, "issuer": "https://x.example"}
    )
    assert moved.status_code == 422
    assert [each["field"] for each in moved.json()["errors"]] == ["secret"]
    assert (await tenant.get("/single-sign-on/people"))["items"] == []
    assert (await tenant.call("DELETE", "/single-sign-on")).status_code == 204
    assert (await tenant.call("DELETE", "/single-sign-on")).status_code == 404


async def test_a_provider_in_a_private_network_is_not_asked(world: World, tenant: Tenant) -> None:
    """Neither by the loopback address nor by one that stands for a cloud's own data."""
    for issuer in ("http://127.0.0.1:1", "https://169.254.169.254", "https://[::ffff:10.0.0.1]"):
        await tenant.put("/single-sign-on", {**CONNECTION, "issuer": issuer})
        trial = await tenant.post("/single-sign-on/check", {}, 200)
        assert trial["why"] == "unreachable"
        assert "not allowed" in trial["detail"]


async def test_only_who_administers_people_sees_and_ends_log_ins(
    world: World, tenant: Tenant
) -> None:
    ids = await world.furnish(tenant)
    scopes = frozenset(Permission) - {Permission.PEOPLE_WRITE}
    less = await world.key(tenant.who, tenant.email, scopes)
    for method, path in (
        ("GET", "/single-sign-on"),
        ("PUT", "/single-sign-on"),
        ("DELETE", "/single-sign-on"),
        ("POST", "/single-sign-on/check"),
        ("GET", "/single-sign-on/people"),
        ("GET", "/log-ins"),
        ("DELETE", f"/users/{ids['user']}/log-ins"),
    ):
        options = {"json": CONNECTION} if method == "PUT" else {}
        assert (await less.call(method, path, **options)).status_code == 403, path
    assert (await less.call("DELETE", f"/log-ins/{ids['log_in']}")).status_code == 404
    [one] = (await tenant.get("/log-ins", params={"user_id": str(ids["user"])}))["items"]
    assert (one["id"], one["issuer"], one["current"]) == (str(ids["log_in"]), "", False)
    assert (await tenant.call("DELETE", f"/log-ins/{ids['log_in']}")).status_code == 204
    assert (await tenant.get("/log-ins"))["items"] == []
    ended = await tenant.call("DELETE", f"/users/{ids['user']}/log-ins")
    assert ended.json() == {"ended": 0}
    found = (await tenant.get("/audit", params={"text": "LOGIN.ended"}))["items"]
    assert {each["action"] for each in found} == {"login.ended", "login.ended_all"}
