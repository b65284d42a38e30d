"""Session and charger pages: what a vehicle asks for, who goes first, orders to discharge."""

from uuid import uuid5

from litestar import Litestar
from litestar.testing import TestClient

from tests.e2e.fake_data import SPACE, station_id
from tests.unit.web.test_web_pages import as_role, post
from voltyard.energy.discharging import Hindrance
from voltyard.web.console import needs_words

Client = TestClient[Litestar]
SESSION = f"/sessions/{uuid5(SPACE, 'session 5')}"
ENDED = f"/sessions/{uuid5(SPACE, 'session 90')}"


def test_what_the_vehicle_asks_for_is_shown(admin: Client) -> None:
    page = admin.get(SESSION).text
    assert "What the vehicle asks for" in page
    assert "46.2" in page
    assert "Asked for at the charger" in page
    assert "Given back" in page
    charger = admin.get(f"/chargers/{station_id(0)}").text
    assert "Asks for" in charger
    assert "Ordered to give back" in charger
    assert "Given back" in charger


def test_a_session_that_is_over_takes_no_orders(admin: Client) -> None:
    page = admin.get(ENDED).text
    assert "Charge first" not in page
    assert "/discharge" not in page


def test_who_may_control_sessions_gives_orders(admin: Client) -> None:
    answer = post(admin, f"{SESSION}/priority", SESSION, first="on")
    assert answer.status_code == 303
    order = {"power_kw": "40", "until": "2027-01-15T03:00", "floor_pct": "50"}
    assert post(admin, f"{SESSION}/discharge", SESSION, **order).status_code == 303
    assert post(admin, f"{SESSION}/discharge/end", SESSION).status_code == 303
    odd = post(admin, f"{SESSION}/discharge", SESSION, **order | {"floor_pct": "400"})
    assert odd.status_code == 422
    assert 'aria-invalid="true"' in odd.text
    past = post(admin, f"{SESSION}/discharge", SESSION, **order | {"until": "2020-01-15T03:00"})
    assert past.status_code == 422


def test_who_may_only_look_gives_none(admin: Client) -> None:
    viewer = as_role(admin, "viewer")
    assert "Charge first" not in viewer.get(SESSION).text


def test_every_hindrance_has_its_words() -> None:
    assert set(needs_words.WHY) == {why for why in Hindrance if why is not Hindrance.NONE}
