"""Bay bookings by REST: made, refused, lifted, repeated, and the rules of a site."""

from api_world import World


async def test_a_booking_from_its_making_to_its_end(world: World) -> None:
    tenant = await world.tenant("Mine")
    ids = await world.furnish(tenant)
    place = {"site_id": str(ids["site"]), "bay_id": str(ids["bay"])}
    now = world.core.clock.now()
    day = now.date().isoformat()
    whom = {**place, "vehicle_id": str(ids["vehicle"])}
    window = {"from_at": f"{day}T00:00:00Z", "until_at": f"{day}T23:59:00Z"}
    made = await tenant.post("/bay-bookings", {**whom, **window})
    assert (made["origin"], made["bay_id"]) == ("person", str(ids["bay"]))
    twice = await tenant.call("POST", "/bay-bookings", json={**whom, **window})
    assert twice.status_code == 409
    assert "Another booking keeps this place at that time." in twice.text
    odd = await tenant.call("POST", "/bay-bookings", json={**place, **window})
    assert odd.status_code == 422
    assert "name a vehicle or a token" in odd.text
    lifted = await tenant.post(
        f"/bay-bookings/{made['id']}/lift", {"reason": "Bus is in the workshop"}, status=200
    )
    assert lifted["lifted_reason"] == "Bus is in the workshop"
    gone = await tenant.call("DELETE", f"/bay-bookings/{made['id']}")
    assert gone.json()["state"] == "cancelled"
    again = await tenant.call("DELETE", f"/bay-bookings/{made['id']}")
    assert (again.status_code, again.json()["code"]) == (409, "over")


async def test_series_rules_and_decisions(world: World) -> None:
    tenant = await world.tenant("Mine")
    ids = await world.furnish(tenant)
    rules = f"/sites/{ids['site']}/bay-booking-rules"
    assert (await tenant.get(rules))["mode"] == "off"
    await tenant.put(rules, {"mode": "strict", "before_s": 300})
    assert (await tenant.get(rules))["before_s"] == 300
    series = await tenant.post(
        "/bay-booking-series",
        {
            "site_id": str(ids["site"]),
            "evse_id": str(ids["evse"]),
            "vehicle_id": str(ids["vehicle"]),
            "weekdays": [0, 1, 2, 3, 4, 5, 6],
            "begins": "22:00:00",
            "ends": "05:00:00",
            "first_on": world.core.clock.now().date().isoformat(),
        },
    )
    listed = await tenant.get(f"/bay-bookings?place_id={ids['evse']}&open_only=true")
    assert listed["total"] >= 14
    assert {item["series_id"] for item in listed["items"]} == {series["id"]}
    assert len(await tenant.get(f"/sites/{ids['site']}/bay-booking-series")) == 1
    ended = await tenant.call("DELETE", f"/bay-booking-series/{series['id']}")
    assert ended.json()["ended_at"] is not None
    assert (await tenant.get("/bay-booking-decisions"))["items"] == []
