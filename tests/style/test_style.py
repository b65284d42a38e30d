"""The style of the house, checked over the source: what ruff, mypy and import-linter cannot say."""

import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.style import rooms, rules
from tests.style.rules import Module, Offence

REPOSITORY = Path(__file__).parents[2]
PACKAGE = REPOSITORY / "src" / "voltyard"
MODULES = rules.read(PACKAGE)

READS_REAL_TIME = {
    "clock.py": "the one place that does",
    "bench/control.py": "measures real time",
    "bench/depot_load.py": "measures real time",
    "bench/load.py": "measures real time",
    "bench/ocpp.py": "waits for processes outside of any loop",
    "bench/plan.py": "measures real time",
    "bench/rest.py": "knows how long a connection was quiet",
    "bench/storage.py": "measures real time",
    "simulator/runner.py": "reports how much real time a night took",
    "storage/embedded.py": "waits for a process before any loop runs",
}
HOLDS_SQL = {
    "serving/http.py": "health asks whether the database answers",
    "bench/durable.py": "counts what was stored, past the room that stored it",
    "bench/storage.py": "its own statement, to compare with",
    "eventlog.py": "the event tables are nobody's room",
    "jobs.py": "jobs and leases are nobody's room",
}
OPENS_TRANSACTIONS = {
    "serving/http.py": "health asks whether the database answers",
    "tenancy/scope.py": "the one door",
}
CATCHES_ALL = {
    "bus.py": "one handler's failure stops nobody else",
    "energy/control.py": "the tick goes on",
    "energy/service.py": "a lease that cannot be taken now is tried again",
    "eventlog.py": "the bus goes on; a delivery that fails again waits",
    "jobs.py": "one failing job or task stops no other",
    "ocpp/connection.py": "one bad message harms one message",
    "ocpp/gateway.py": "one bad connection harms one connection",
    "timetable/vdv463/link.py": "one bad message harms one message",
    "web/live.py": "one topic's failure leaves the others live",
}
NAMES_THE_WEBSOCKET_LIBRARY = {
    "bench/peers/ocpp_package.py",
    "ocpp/plain.py",
    "ocpp/socket.py",
    "simulator/link.py",
}

Rule = Callable[[Module], Iterator[Offence]]


def broken(rule: Rule, *, except_in: Callable[[str], bool] = lambda name: False) -> list[str]:
    return [
        str(offence) for source in MODULES if not except_in(source.name) for offence in rule(source)
    ]


def test_no_function_is_longer_than_the_limit() -> None:
    assert broken(rules.long_functions) == []


def test_every_module_says_what_it_is_for() -> None:
    assert broken(rules.missing_docstring) == []


def test_time_is_passed_in() -> None:
    assert broken(rules.wall_clock, except_in=READS_REAL_TIME.__contains__) == []


def test_chance_is_passed_in() -> None:
    assert broken(rules.unseeded_chance, except_in=lambda name: name == "clock.py") == []


def test_sql_lives_in_stores() -> None:
    def may(name: str) -> bool:
        return name.endswith("/store.py") or name.startswith("storage/") or name in HOLDS_SQL

    assert broken(rules.sql_text, except_in=may) == []


def test_tenant_data_has_one_door() -> None:
    def may(name: str) -> bool:
        return name.startswith("storage/") or name in OPENS_TRANSACTIONS

    assert broken(rules.opens_the_database, except_in=may) == []


def test_nothing_swallows_every_exception() -> None:
    assert broken(rules.swallows_everything, except_in=CATCHES_ALL.__contains__) == []


def test_units_come_last() -> None:
    assert broken(rules.unit_first) == []


def test_rooms_hold_the_files_of_the_house() -> None:
    strange = [
        f"{room}/{path.name}"
        for room, extra in rooms.EXTRA.items()
        for path in sorted((PACKAGE / room).glob("*.py"))
        if path.stem not in rooms.USUAL and path.stem not in extra
    ]
    gone = [
        f"{room}/{stem}.py"
        for room, extra in rooms.EXTRA.items()
        for stem in extra
        if not (PACKAGE / room / f"{stem}.py").exists()
    ]
    assert strange == [], "add it to tests/style/rooms.py with its reason, or name it as the others"
    assert gone == [], "no longer there: take it off tests/style/rooms.py"


def test_the_websocket_library_is_known_in_few_places() -> None:
    users = {
        source.name
        for source in MODULES
        if any(line.startswith(("import websockets", "from websockets")) for line in _lines(source))
    }
    assert users <= NAMES_THE_WEBSOCKET_LIBRARY


def test_no_two_test_files_have_one_name() -> None:
    """pytest imports them by that name alone; a clash shows only once both are collected."""
    names = Counter(
        path.name
        for path in (REPOSITORY / "tests").rglob("test_*.py")
        if "node_modules" not in path.parts
    )
    assert [name for name, count in names.items() if count > 1] == []


def test_exceptions_from_the_rules_are_still_needed() -> None:
    """An allow-list entry whose file no longer needs it is taken off."""
    lists: list[tuple[dict[str, str], Rule]] = [
        (READS_REAL_TIME, rules.wall_clock),
        (HOLDS_SQL, rules.sql_text),
        (OPENS_TRANSACTIONS, rules.opens_the_database),
        (CATCHES_ALL, rules.swallows_everything),
    ]
    idle = [
        name
        for allowed, rule in lists
        for name in allowed
        if not any(list(rule(source)) for source in MODULES if source.name == name)
    ]
    assert idle == []


def test_no_registry_is_named() -> None:
    """Commands and locks work with whatever registry the machine is set up for."""
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    ).stdout.splitlines()
    named = [
        name
        for name in tracked
        if not name.startswith("tests/style/") and name != "uv.lock"
        if (path := REPOSITORY / name).is_file() and rules.HOST.search(_text(path))
    ]
    assert named == []


BAD = {
    "def f():\n" + "    pass\n" * 70: rules.long_functions,
    "x = 1\n": rules.missing_docstring,
    "from datetime import datetime\nx = datetime.now()": rules.wall_clock,
    "import datetime\nx = datetime.datetime.now()": rules.wall_clock,
    "import time as _time\n_time.sleep(1)": rules.wall_clock,
    "from asyncio import sleep\nasync def f():\n    await sleep(1)": rules.wall_clock,
    "import random\nrandom.choice([1])": rules.unseeded_chance,
    "import random\nx = random.Random(1)": rules.unseeded_chance,
    'x = "SELECT id FROM sites"': rules.sql_text,
    "database.begin(org_id=None, system=True)": rules.opens_the_database,
    "try:\n    f()\nexcept Exception:\n    pass": rules.swallows_everything,
    "try:\n    f()\nexcept (ValueError, BaseException):\n    pass": rules.swallows_everything,
    "try:\n    f()\nexcept:\n    pass": rules.swallows_everything,
    "def f(kw_limit: int): ...": rules.unit_first,
}
GOOD = {
    "def f():\n" + "    pass\n" * 69: rules.long_functions,
    '"""What it is for."""\nx = 1\n': rules.missing_docstring,
    "async def f(clock):\n    await clock.sleep(clock.now())": rules.wall_clock,
    "import random\ndef f(chance: random.Random):\n    chance.random()": rules.unseeded_chance,
    'x = "Select a depot"': rules.sql_text,
    "async def f(engine):\n    engine.begin()": rules.opens_the_database,
    "try:\n    f()\nexcept BaseException:\n    g()\n    raise": rules.swallows_everything,
    "def f(limit_kw: int, w: int): ...": rules.unit_first,
}


@pytest.mark.parametrize(("text", "rule"), BAD.items())
def test_each_rule_sees_what_it_is_for(text: str, rule: Rule) -> None:
    assert list(rule(rules.module("sample.py", text)))


@pytest.mark.parametrize(("text", "rule"), GOOD.items())
def test_each_rule_lets_the_right_thing_pass(text: str, rule: Rule) -> None:
    assert not list(rule(rules.module("sample.py", text)))


def _lines(source: Module) -> list[str]:
    return [line.strip() for line in source.text.splitlines()]


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except UnicodeDecodeError:
        return ""
