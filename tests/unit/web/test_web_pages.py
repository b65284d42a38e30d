"""The console's pages over HTTP: who may see and do what, forms, exports, headers."""

import csv
import re
from io import StringIO
from uuid import uuid5

import pytest
from litestar import Litestar
from litestar.exceptions import WebSocketDisconnect
from litestar.testing import TestClient

from tests.e2e.fake_auth import PASSWORD, SETUP_LINK
from tests.e2e.fake_data import SITE_ID, SPACE, duty_id, station_id
from tests.e2e.pages import OUTSIDE, PAGES
from tests.e2e.serve_fake import FakeConsole
from voltyard.chargers.model import StationState
from voltyard.web.export import csv_stream
from voltyard.web.ui import local_path

Client = TestClient[Litestar]


def csrf(client: Client, path: str = "/duties/new") -> str:
    found = re.search(r'name="csrf" value="([0-9a-f]+)"', client.get(path).text)
    assert found, f"no form on {path}"
    return found[1]


def post(client: Client, path: str, page: str = "/duties/new", **values: str):  # type: ignore[no-untyped-def]
    return client.post(path, data={"csrf": csrf(client, page), **values})


def as_role(client: Client, role: str) -> Client:
    client.cookies.set("voltyard_session", f"token-{role}")
    return client


@pytest.mark.parametrize("name", PAGES)
def test_every_page_is_served(admin: Client, name: str) -> None:
    answer = admin.get(PAGES[name])
    assert answer.status_code == (404 if name == "not-found" else 200)
    assert "<h1" in answer.text
    assert answer.text.count("<main") == 1


@pytest.mark.parametrize("name", PAGES)
def test_every_page_speaks_german(admin: Client, name: str) -> None:
    admin.cookies.set("voltyard_locale", "de")
    answer = admin.get(PAGES[name])
    assert 'lang="de"' in answer.text
    assert "Ladesäulen" in answer.text


@pytest.mark.parametrize("name", PAGES)
def test_without_log_in_every_page_leads_to_it(client: Client, name: str) -> None:
    answer = client.get(PAGES[name])
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/login?next=")


@pytest.mark.parametrize("name", [*PAGES, *OUTSIDE])
def test_no_page_has_inline_script_or_style(admin: Client, name: str) -> None:
    html = admin.get((PAGES | OUTSIDE)[name]).text
    assert not re.search(r"<script(?![^>]*(src=|application/json))", html)
    assert not re.search(r"\son[a-z]+=", html)
    assert " style=" not in html
    assert "<style" not in html


def test_the_policy_allows_only_our_own(admin: Client) -> None:
    policy = admin.get(PAGES["board"]).headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert admin.get(PAGES["board"]).headers["cache-control"] == "no-store"


def test_long_pages_are_compressed(admin: Client) -> None:
    answer = admin.get(PAGES["board"], headers={"accept-encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"


def test_log_in_and_out(client: Client) -> None:
    token = csrf(client, "/login")
    answer = client.post(
        "/login", data={"csrf": token, "email": "admin@depot.example", "password": PASSWORD}
    )
    assert answer.status_code == 303
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert client.get("/alerts").status_code == 200
    answer = post(client, "/logout")
    assert answer.headers["location"] == "/login"
    assert client.get("/alerts").status_code == 303


def test_a_wrong_password_says_nothing_about_the_person(client: Client) -> None:
    token = csrf(client, "/login")
    for email in ("admin@depot.example", "nobody@depot.example"):
        answer = client.post("/login", data={"csrf": token, "email": email, "password": "wrong"})
        assert answer.status_code == 401
        assert "E-mail or password is wrong." in answer.text


@pytest.mark.parametrize(
    ("path", "safe"),
    [
        ("/alerts?q=1", "/alerts?q=1"),
        ("https://evil.example/", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("javascript:alert(1)", "/"),
        (None, "/"),
    ],
)
def test_log_in_leads_only_to_our_own_pages(path: str | None, safe: str) -> None:
    assert local_path(path) == safe


def test_a_change_without_token_is_refused(admin: Client, console: FakeConsole) -> None:
    path = f"/duties/{duty_id(0)}/delete"
    assert admin.post(path).status_code == 403
    assert admin.post(path, data={"csrf": "0" * 64}).status_code == 403
    assert duty_id(0) in console.depot.duty_rows


def test_a_change_from_another_site_is_refused(admin: Client, console: FakeConsole) -> None:
    values = {"csrf": csrf(admin)}
    for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
        answer = admin.post(f"/duties/{duty_id(0)}/delete", data=values, headers=headers)
        assert answer.status_code == 403
    assert duty_id(0) in console.depot.duty_rows


def test_a_token_of_one_person_is_not_good_for_another(admin: Client) -> None:
    token = csrf(admin)
    as_role(admin, "dispatcher")
    assert admin.post(f"/duties/{duty_id(0)}/delete", data={"csrf": token}).status_code == 403


def test_set_up_works_once(client: Client, console: FakeConsole) -> None:
    page = f"/setup?token={SETUP_LINK}"
    values = {
        "token": SETUP_LINK,
        "organisation": "Nord",
        "name": "A. Brandt",
        "email": "a@nord.example",
        "timezone": "Europe/Berlin",
        "password": "long enough 1",
    }
    bad = post(client, "/setup", page, **values, again="something else")
    assert bad.status_code == 422
    assert "The two passwords differ." in bad.text
    assert "long enough 1" not in bad.text
    good = post(client, "/setup", page, **values, again="long enough 1")
    assert good.status_code == 303
    assert console.people.setup_done is not None
    assert client.get(page).status_code == 410


def test_language_and_theme_are_kept(client: Client) -> None:
    answer = post(client, "/preferences", "/login", locale="de", theme="dark", back="/login")
    assert answer.headers["location"] == "/login"
    page = client.get("/login").text
    assert 'lang="de" data-theme="dark"' in page
    assert "Anmelden" in page


DENIED = [
    ("viewer", f"/chargers/{station_id(0)}/commands/reset"),
    ("dispatcher", f"/chargers/{station_id(0)}/commands/reset"),
    ("viewer", f"/duties/{duty_id(0)}/delete"),
    ("technician", f"/duties/{duty_id(0)}/delete"),
    ("technician", "/vehicles/new"),
    ("viewer", f"/alerts/{uuid5(SPACE, 'alert 0')}/acknowledge"),
    ("dispatcher", f"/sites/{SITE_ID}/tree/{uuid5(SPACE, 'node Grid connection')}"),
    ("dispatcher", "/people/new"),
    ("technician", "/keys"),
    ("dispatcher", f"/chargers/{station_id(9_999)}/decide"),
]


@pytest.mark.parametrize(("role", "path"), DENIED)
def test_what_a_role_may_not_do_is_refused(client: Client, role: str, path: str) -> None:
    as_role(client, role)
    answer = post(client, path, "/alerts", name="x", kind="soft")
    assert answer.status_code == 403
    assert "Your role does not allow this." in answer.text


@pytest.mark.parametrize("path", ["/people", "/keys", "/audit", "/people.csv", "/audit.csv"])
def test_people_and_audit_are_for_administrators(client: Client, path: str) -> None:
    assert as_role(client, "dispatcher").get(path).status_code == 403


def test_what_a_role_may_not_do_is_not_offered(client: Client) -> None:
    as_role(client, "viewer")
    assert "/duties/new" not in client.get("/duties").text
    assert "/commands/reset" not in client.get(PAGES["charger"]).text
    assert "/acknowledge" not in client.get("/alerts").text
    assert "/people" not in client.get("/alerts").text


def test_htmx_gets_only_the_block_it_asks_for(admin: Client) -> None:
    headers = {"hx-request": "true", "hx-request-type": "partial", "hx-target": "div#results"}
    answer = admin.get("/sessions?q=BUS-205", headers=headers)
    assert answer.text.startswith('<div id="results"')
    assert "<html" not in answer.text
    assert "HX-Request" in answer.headers["vary"]


def test_htmx_is_sent_to_log_in_when_the_session_ended(client: Client) -> None:
    answer = client.get("/sessions", headers={"hx-request": "true"})
    assert answer.headers["hx-redirect"] == "/login"


def test_filters_and_paging(admin: Client) -> None:
    assert "137 entries" in admin.get("/sessions").text
    assert "1 entry" in admin.get(f"/sessions?q={uuid5(SPACE, 'session 5')}").text
    assert "Nothing matches" in admin.get("/sessions?q=zzz").text
    page = admin.get("/sessions?size=50&page=3").text
    assert "Page 3 of 3" in page
    assert "/sessions?size=50&amp;page=2" in page


def test_senseless_filters_are_ignored(admin: Client) -> None:
    path = "/sessions?since=yesterday&state=odd&page=-4&size=7000&station=x"
    assert "137 entries" in admin.get(path).text


EXPORTS = {
    "/sessions.csv": 137,
    "/chargers.csv": 41,
    "/duties.csv": 80,
    "/vehicles.csv": 80,
    "/tokens.csv": 80,
    "/alerts.csv?status=all": 5,
    "/audit.csv": 90,
    "/people.csv": 4,
    f"/sites/{SITE_ID}/board.csv": 80,
    f"/sites/{SITE_ID}/tree.csv": 27,
    f"/chargers/{station_id(0)}/log.csv": 220,
}


@pytest.mark.parametrize(("path", "rows"), EXPORTS.items())
def test_every_table_is_exported_whole(admin: Client, path: str, rows: int) -> None:
    answer = admin.get(path)
    assert answer.headers["content-type"].startswith("text/csv")
    assert "attachment" in answer.headers["content-disposition"]
    lines = list(csv.reader(StringIO(answer.text)))
    assert len(lines) == rows + 1
    assert {len(line) for line in lines} == {len(lines[0])}


def test_an_export_has_the_same_filters(admin: Client) -> None:
    lines = admin.get("/sessions.csv?q=BUS-205").text.splitlines()
    assert 1 < len(lines) < 10
    assert all("BUS-205" in line for line in lines[1:])


async def test_a_spreadsheet_runs_no_formula_of_ours() -> None:
    from voltyard.web.console.views import Page, Paging

    async def fetch(paging: Paging) -> Page[str]:
        return Page(("=cmd()",), 1, paging)

    stream = csv_stream("x.csv", ["name", "n"], fetch, lambda text: (text, -3.0))
    text = "".join([str(part) async for part in stream.iterator])  # type: ignore[union-attr]
    assert text == "name,n\r\n'=cmd(),-3\r\n"


def test_a_duty_is_made_and_faults_are_told(admin: Client, console: FakeConsole) -> None:
    bad = post(admin, "/duties/new", arrives_at="2026-01-15T20:00", departs_at="2026-01-15T05:00")
    assert bad.status_code == 422
    assert "Departure must be after arrival." in bad.text
    assert "Choose a vehicle or name a class." in bad.text
    assert 'aria-invalid="true"' in bad.text
    good = post(
        admin,
        "/duties/new",
        arrives_at="2026-01-15T20:00",
        departs_at="2026-01-16T05:00",
        vehicle_class="solo",
        target_soc_pct="95",
    )
    assert good.headers["location"] == "/duties?done=saved"
    assert len(console.depot.duty_rows) == 81


def test_an_import_is_checked_before_it_is_written(admin: Client) -> None:
    token = csrf(admin, "/duties/import")
    file = {"file": ("plan.csv", b"duty,departure\nA,2026\nB,bad", "text/csv")}
    started = admin.post("/duties/import", data={"csrf": token}, files=file)
    place = started.headers["location"]
    assert "Checking" in admin.get(place).text
    checked = admin.get(place).text
    assert "Nothing was written." in checked
    assert '<td class="mono" data-label="Column">departure</td>' in checked
    assert post(admin, f"{place}/confirm").status_code == 409


def test_a_good_import_is_confirmed(admin: Client) -> None:
    token = csrf(admin, "/duties/import")
    file = {"file": ("plan.csv", b"duty,departure\nA,2026\nB,2027", "text/csv")}
    place = admin.post("/duties/import", data={"csrf": token}, files=file).headers["location"]
    admin.get(place)
    assert "Import 2 duties" in admin.get(place).text
    post(admin, f"{place}/confirm")
    assert "Writing" in admin.get(place).text
    assert "The duties are in the timetable." in admin.get(place).text


def test_no_file_is_told(admin: Client) -> None:
    token = csrf(admin, "/duties/import")
    assert admin.post("/duties/import", data={"csrf": token}).status_code == 422


def test_a_command_is_checked_and_given(admin: Client, console: FakeConsole) -> None:
    path = f"/chargers/{station_id(0)}/commands/set_limit"
    bad = post(admin, path, power_kw="lots", minutes="15")
    assert bad.status_code == 422
    assert console.depot.given == []
    post(admin, path, power_kw="96,5", minutes="15")
    ((owner, row),) = console.depot.given
    assert owner == station_id(0)
    assert row.params == {"power_kw": "96.5", "minutes": "15"}
    assert "Set a limit" in admin.get(f"/chargers/{station_id(0)}/commands").text
    assert post(admin, f"/chargers/{station_id(0)}/commands/explode").status_code == 404


def test_a_new_charger_is_approved(admin: Client, console: FakeConsole) -> None:
    assert "asks to join" in admin.get(PAGES["charger-pending"]).text
    post(admin, f"/chargers/{station_id(9_999)}/decide", decision="approve")
    assert console.depot.decided["pending"] is StationState.APPROVED


def test_an_alert_is_acknowledged(admin: Client, console: FakeConsole) -> None:
    alert_id = uuid5(SPACE, "alert 0")
    answer = post(admin, f"/alerts/{alert_id}/acknowledge", "/alerts", back="/alerts?status=open")
    assert answer.headers["location"] == "/alerts?status=open"
    assert console.depot.alert_rows[alert_id].acknowledged_by == "Admin"


def test_a_limit_is_a_power_or_a_current(admin: Client, console: FakeConsole) -> None:
    node = uuid5(SPACE, "node Grid connection")
    path = f"/sites/{SITE_ID}/tree/{node}"
    assert post(admin, path, power_kw="100", current_a="10").status_code == 422
    assert post(admin, path, power_kw="2800", from_time="16:00").status_code == 422
    assert post(admin, path, power_kw="2800").status_code == 303
    assert console.depot.limits[node][0].power_w == 2_800_000


def test_a_key_is_shown_once(admin: Client) -> None:
    bad = post(admin, "/keys", "/keys", name="Depot")
    assert bad.status_code == 422
    made = post(admin, "/keys", "/keys", name="Depot", scope="view")
    assert made.status_code == 201
    assert "vy_8f31_9c1b6f0d2a7e4b5c" in made.text
    assert "vy_8f31_9c1b6f0d2a7e4b5c" not in admin.get("/keys").text


def test_a_person_needs_a_good_password_and_a_free_address(admin: Client) -> None:
    values = {"name": "New", "email": "new@depot.example", "role": "viewer"}
    assert post(admin, "/people/new", **values, password="short").status_code == 422
    assert post(admin, "/people/new", **values, password="long enough").status_code == 303
    taken = post(admin, "/people/new", **values, password="long enough")
    assert taken.status_code == 422
    assert "This is taken." in taken.text


def test_what_people_typed_is_escaped(admin: Client) -> None:
    html = admin.get("/sessions?q=<script>alert(1)</script>").text
    assert "<script>alert" not in html


def test_a_bad_address_is_a_page_not_a_crash(admin: Client) -> None:
    assert admin.get(f"/sites/{duty_id(1)}/board").status_code == 404
    assert "That did not work" in admin.get(f"/sites/{duty_id(1)}/board").text


def test_the_board_is_searched_and_filtered_by_the_server_too(admin: Client) -> None:
    found = admin.get(f"{PAGES['board']}?q=BUS-203").text
    assert found.count('class="tile"') == 1
    assert 'data-state="faulted"' in admin.get(f"{PAGES['board']}?state=faulted").text


def test_live_needs_a_session_and_our_origin(client: Client) -> None:
    with (
        client.websocket_connect("/live") as socket,
        pytest.raises(WebSocketDisconnect, match="sign in"),
    ):
        socket.receive_json()
    as_role(client, "viewer")
    with (
        client.websocket_connect("/live", headers={"origin": "https://evil.example"}) as socket,
        pytest.raises(WebSocketDisconnect, match="sign in"),
    ):
        socket.receive_json()


def test_live_gives_a_snapshot(admin: Client) -> None:
    with admin.websocket_connect("/live") as socket:
        socket.send_json({"sub": [f"board:{SITE_ID}", "board:nonsense"]})
        frames = [socket.receive_json(), socket.receive_json()]
    whole = next(frame for frame in frames if "s" in frame)
    assert len(whole["s"]) == 81
    assert {"t": "board:nonsense", "e": "not_found"} in frames


def test_nonsense_on_the_socket_harms_nobody(admin: Client) -> None:
    with admin.websocket_connect("/live") as socket:
        socket.send_text("{{{")
        socket.send_json({"sub": ["alerts"]})
        assert socket.receive_json()["t"] == "alerts"


def test_what_nobody_foresaw_is_logged_and_told_by_a_page(
    admin: Client,
    console: FakeConsole,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(type(console.depot), "alerts", broken)
    answer = admin.get("/alerts")
    assert answer.status_code == 500
    assert "It has been logged." in answer.text
    assert "a bug" not in answer.text
    assert any(record.exc_info for record in caplog.records)
