"""The console's pages by name, for screenshots and for checks that go over all of them."""

from uuid import uuid5

from tests.e2e.fake_data import SITE_ID, SPACE, duty_id, station_id

SITE = f"/sites/{SITE_ID}"
PAGES: dict[str, str] = {
    "board": f"{SITE}/board",
    "board-compact": f"{SITE}/board?view=compact",
    "board-table": f"{SITE}/board?view=table",
    "load": f"{SITE}/load",
    "timetable": f"{SITE}/timetable",
    "timetable-table": f"{SITE}/timetable?view=table",
    "sessions": "/sessions",
    "sessions-none": "/sessions?q=nothing-like-this",
    "session": f"/sessions/{uuid5(SPACE, 'session 5')}",
    "chargers": "/chargers",
    "charger": f"/chargers/{station_id(0)}",
    "charger-pending": f"/chargers/{station_id(9_999)}",
    "log": f"/chargers/{station_id(0)}/log",
    "log-search": f"/chargers/{station_id(0)}/log?errors=1",
    "frame": f"/chargers/{station_id(0)}/log/5",
    "duties": "/duties",
    "duty": f"/duties/{duty_id(0)}",
    "duty-new": "/duties/new",
    "import": "/duties/import",
    "vehicles": "/vehicles",
    "vehicle": f"/vehicles/{uuid5(SPACE, 'vehicle 3')}",
    "tokens": "/tokens",
    "token": f"/tokens/{uuid5(SPACE, 'token 3')}",
    "alerts": "/alerts",
    "alerts-all": "/alerts?status=all",
    "alerts-none": "/alerts?q=nothing-like-this",
    "tree": f"{SITE}/tree",
    "node": f"{SITE}/tree/{uuid5(SPACE, 'node Grid connection')}",
    "people": "/people",
    "person": f"/people/{uuid5(SPACE, 'A. Brandt')}",
    "keys": "/keys",
    "audit": "/audit",
    "not-found": f"/duties/{SITE_ID}",
}
OUTSIDE: dict[str, str] = {
    "login": "/login",
    "setup": "/setup?token=once-only",
    "setup-closed": "/setup?token=used",
}
