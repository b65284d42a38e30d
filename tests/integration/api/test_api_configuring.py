"""Makes, templates and drift, with chargers that obey, refuse and do not know."""

from collections.abc import Mapping
from typing import Any

from api_world import Tenant, World
from technician import plug

from voltyard.chargers.model import BootInfo, Quirks

TEMPLATE = {
    "name": "House",
    "vendor": "maker*",
    "wanted": [
        {"key": "HeartbeatInterval", "value": "300"},
        {"key": "MeterValuesSampledData", "value": "SoC,Power.Active.Import"},
        {"key": "LocalPreAuthorize", "value": "true"},
        {"key": "Colour", "value": "red"},
    ],
}


class Keys:
    """A 1.6 charger that holds keys; ``refused`` are answered with Rejected."""

    def __init__(self, refused: frozenset[str] = frozenset()) -> None:
        self.kept: dict[str, str] = {
            "HeartbeatInterval": "60",
            "MeterValuesSampledData": "Power.Active.Import,SoC",
            "LocalPreAuthorize": "TRUE",
        }
        self.refused = refused
        self.reboots: frozenset[str] = frozenset()
        self.written: list[str] = []

    def __call__(self, action: str, payload: Mapping[str, Any]) -> Mapping[str, Any]:
        if action == "ChangeConfiguration":
            return {"status": self._write(payload["key"], payload["value"])}
        if action != "GetConfiguration":
            return {"status": "Accepted"}
        keys = payload.get("key", list(self.kept))
        return {
            "configurationKey": [
                {"key": key, "readonly": False, "value": self.kept[key]}
                for key in keys
                if key in self.kept
            ],
            "unknownKey": [key for key in keys if key not in self.kept],
        }

    def _write(self, key: str, value: str) -> str:
        self.written.append(key)
        if key in self.refused:
            return "Rejected"
        self.kept[key] = value
        return "RebootRequired" if key in self.reboots else "Accepted"


async def test_the_configuration_of_a_charger_is_kept_and_set(world: World, tenant: Tenant) -> None:
    keys = Keys()
    keys.reboots = frozenset({"HeartbeatInterval"})
    link = await plug(world, tenant, say=keys)
    path = f"/stations/{link.station.id}"
    body = {"command": "read_configuration"}
    await tenant.post(f"{path}/commands", body, status=200)
    rows = (await tenant.get(f"{path}/configuration"))["items"]
    assert {row["name"]: row["value"] for row in rows} == keys.kept
    changed = await tenant.put(f"{path}/configuration", {"key": "HeartbeatInterval", "value": "90"})
    assert changed == {"word": "RebootRequired", "accepted": True, "reboot_needed": True}
    rows = {row["name"]: row for row in (await tenant.get(f"{path}/configuration"))["items"]}
    assert rows["HeartbeatInterval"]["value"] == "90"
    assert rows["HeartbeatInterval"]["reboot_needed"]
    assert not rows["LocalPreAuthorize"]["reboot_needed"]
    await world.core.chargers.booted(link.station, BootInfo("Maker", "One"))
    rows = {row["name"]: row for row in (await tenant.get(f"{path}/configuration"))["items"]}
    assert not rows["HeartbeatInterval"]["reboot_needed"]
    del keys.kept["LocalPreAuthorize"]
    await tenant.post(f"{path}/commands", body, status=200)
    rows = (await tenant.get(f"{path}/configuration"))["items"]
    assert "LocalPreAuthorize" not in {row["name"] for row in rows}


async def test_drift_is_repaired_and_what_is_the_same_is_left(world: World, tenant: Tenant) -> None:
    keys = Keys()
    link = await plug(world, tenant, say=keys)
    await tenant.post("/templates", TEMPLATE)
    found = (await tenant.post(f"/stations/{link.station.id}/drift/repair", None, status=200))[
        "items"
    ]
    assert {row["key"]: row["state"] for row in found} == {
        "HeartbeatInterval": "repaired",
        "Colour": "unknown_key",
    }
    assert keys.written == ["HeartbeatInterval"]
    assert keys.kept["HeartbeatInterval"] == "300"
    keys.kept["HeartbeatInterval"] = "10"
    await world.core.configuration.keeper.look(link.station.id)
    assert keys.kept["HeartbeatInterval"] == "300"
    open_now = (await tenant.get("/drift"))["items"]
    assert [row["key"] for row in open_now] == ["Colour"]


async def test_a_charger_that_refuses_is_not_fought(world: World, tenant: Tenant) -> None:
    keys = Keys(refused=frozenset({"HeartbeatInterval"}))
    link = await plug(world, tenant, say=keys)
    made = await tenant.post("/templates", TEMPLATE)
    keeper, station_id = world.core.configuration.keeper, link.station.id
    for _ in range(5):
        await keeper.look(station_id)
    assert keys.written == ["HeartbeatInterval"]
    (row,) = (
        row
        for row in (await tenant.get(f"/stations/{station_id}/drift"))["items"]
        if row["key"] == "HeartbeatInterval"
    )
    assert (row["state"], row["word"], row["tries"], row["found"]) == (
        "refused",
        "Rejected",
        1,
        "60",
    )
    flags = {flag["flag"] for flag in (await tenant.get(f"/stations/{station_id}"))["flags"]}
    assert "configuration_refused" in flags
    await world.core.chargers.booted(link.station, BootInfo("Maker", "One", firmware="2.0"))
    await keeper.look(station_id)
    assert keys.written == ["HeartbeatInterval"] * 2
    wanted = [{"key": "HeartbeatInterval", "value": "600"}]
    await tenant.put(f"/templates/{made['id']}", {**TEMPLATE, "wanted": wanted})
    await keeper.look(station_id)
    assert keys.written == ["HeartbeatInterval"] * 3
    keys.refused = frozenset()
    await tenant.post(f"/stations/{station_id}/drift/repair", None, status=200)
    assert keys.kept["HeartbeatInterval"] == "600"


async def test_a_template_that_only_looks_sets_nothing(world: World, tenant: Tenant) -> None:
    keys = Keys()
    link = await plug(world, tenant, say=keys)
    await tenant.post("/templates", {**TEMPLATE, "repairs": False})
    await tenant.post(f"/stations/{link.station.id}/drift/repair", None, status=200)
    assert keys.written == []
    states = {row["key"]: row["state"] for row in (await tenant.get("/drift"))["items"]}
    assert states["HeartbeatInterval"] == "drifted"


async def test_the_more_specific_template_decides_and_no_password_is_taken(
    world: World, tenant: Tenant
) -> None:
    keys = Keys()
    link = await plug(world, tenant, say=keys)
    await tenant.post("/templates", TEMPLATE)
    special = {
        "name": "Ones",
        "vendor": "Maker",
        "model": "One",
        "wanted": [{"key": "HeartbeatInterval", "value": "60"}],
    }
    await tenant.post("/templates", special)
    await tenant.post(f"/stations/{link.station.id}/drift/repair", None, status=200)
    assert keys.written == []
    secret = {**special, "name": "S", "wanted": [{"key": "AuthorizationKey", "value": "x"}]}
    answer = await tenant.call("POST", "/templates", json=secret)
    assert answer.status_code == 422
    governed = world.core.configuration.governed(link.station.id)
    assert "HeartbeatInterval" in governed


async def test_keys_of_another_version_are_told_and_many_are_read_in_parts(
    world: World, tenant: Tenant
) -> None:
    def say(action: str, payload: Mapping[str, Any]) -> Mapping[str, Any]:
        data = payload.get("getVariableData", ())
        results = [{"attributeStatus": "Accepted", "attributeValue": "1", **one} for one in data]
        return {"getVariableResult": results}

    new = await plug(world, tenant, "CP-2", "2.0.1", say=say)
    wanted = [{"key": "HeartbeatInterval", "value": "1"}, {"key": "A.B", "value": "1"}]
    await tenant.post("/templates", {**TEMPLATE, "wanted": wanted})
    found = await world.core.configuration.keeper.look(new.station.id)
    assert [(row.key, row.state.value) for row in found] == [("HeartbeatInterval", "unknown_key")]
    keys = Keys()
    keys.kept = {f"K{number}": "1" for number in range(25)}
    old = await plug(world, tenant, "CP-1", say=keys)
    wanted = [{"key": key, "value": "1"} for key in keys.kept]
    await tenant.post(
        "/templates", {**TEMPLATE, "name": "Many", "version": "1.6", "wanted": wanted}
    )
    old.heard.clear()
    await world.core.configuration.keeper.look(old.station.id)
    sizes = [len(payload["key"]) for _, payload in old.heard if "key" in payload]
    assert max(sizes) <= 10
    assert sum(sizes) >= 25


async def test_makes_decide_how_their_chargers_are_limited(world: World, tenant: Tenant) -> None:
    await world.core.configuration.load()
    link = await plug(world, tenant, make=("ABB", "Terra AC W22"))
    path = f"/stations/{link.station.id}"
    told = await tenant.get(path)
    assert (told["quirks"]["stack_level_max"], told["quirks"]["unit"]) == (0, "A")
    assert (await tenant.get(f"{path}/make"))["make"]["id"] is None
    mine = {"vendor": "abb*", "model": "*terra*", "quirks": {"unit": "W", "phases": 1}}
    made = await tenant.post("/makes", mine)
    assert (await tenant.get(path))["quirks"]["unit"] == "W"
    assert (await tenant.get(f"{path}/make"))["make"]["id"] == made["id"]
    again = await tenant.call("POST", "/makes", json=mine)
    assert again.status_code == 409
    await tenant.call("PATCH", path, json={"quirks": {"unit": "A", "min_current_a": 8}})
    assert (await tenant.get(path))["quirks"]["min_current_a"] == 8
    await tenant.call("PATCH", path, json={"quirks": {}})
    assert (await tenant.get(path))["quirks"]["unit"] == "W"
    await tenant.call("DELETE", f"/makes/{made['id']}")
    assert (await tenant.get(path))["quirks"]["stack_level_max"] == 0


async def test_a_cap_of_the_station_holds_one_outlet_only(world: World, tenant: Tenant) -> None:
    await world.core.configuration.load()
    link = await plug(world, tenant, make=("Odd", "Cap"))
    await tenant.post("/makes", {"vendor": "Odd", "quirks": {"holder": "station"}})
    path = f"/stations/{link.station.id}"
    await tenant.put(f"{path}/evses/1", {"name": "1"})
    assert (await tenant.get(path))["quirks"]["holder"] == "station"
    await tenant.put(f"{path}/evses/2", {"name": "2"})
    told = await tenant.get(path)
    assert told["quirks"]["holder"] == "transactions"
    assert "quirk_impossible" in {flag["flag"] for flag in told["flags"]}
    assert Quirks().holder == "transactions"
