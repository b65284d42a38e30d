"""What somebody typed is not lost when it clashes with what is there."""

from console_world import World


async def test_a_vehicles_name_that_is_taken_leaves_the_form_filled(world: World) -> None:
    form = {
        "name": "Bus 77",
        "battery_kwh": "300",
        "max_power_kw": "150",
        "licence_plate": "B-VY 77",
    }
    path = "/vehicles/new"
    assert (await world.post(path, path, **form)).status_code == 303
    again = await world.post(path, path, **form)
    assert again.status_code == 422
    assert 'value="B-VY 77"' in again.text
    assert "f-name" in again.text


async def test_a_persons_address_that_is_taken_leaves_the_form_filled(world: World) -> None:
    form = {"name": "Ada", "email": "ada@example.org", "role": "viewer", "active": "on"}
    path = "/people/new"
    secret = {"password": "ten characters"}
    assert (await world.post(path, path, **form, **secret)).status_code == 303
    again = await world.post(path, path, **form | {"name": "Ada Two"}, **secret)
    assert again.status_code == 422
    assert 'value="Ada Two"' in again.text
