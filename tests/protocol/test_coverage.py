"""docs/coverage.toml says what the code does."""

import tomllib
from pathlib import Path

import pytest

from tests.protocol.schemas import actions
from tests.protocol.test_schema_oracle import COMMANDS, DIALECTS, NOW
from voltyard.errors import Invalid

COVERAGE = tomllib.loads(
    (Path(__file__).parents[2] / "docs" / "coverage.toml").read_text(encoding="utf-8")
)


def sent(version: str) -> set[str]:
    found = set()
    for command in COMMANDS:
        try:
            calls, _ = DIALECTS[version].express(command, NOW)
        except Invalid:
            continue
        found |= {call.action for call in calls}
    return found


@pytest.mark.parametrize(("version", "suffix"), [("1.6", ""), ("2.0.1", "Request")])
def test_coverage_is_what_the_code_does(version: str, suffix: str) -> None:
    stated = COVERAGE["ocpp"][version]
    routes = DIALECTS[version].routes
    assert set(stated["from_charger"]) == set(routes)
    for action, state in stated["from_charger"].items():
        logged = routes[action].handler.__module__.endswith("notices")
        assert state == ("logged" if logged else "done"), action
    assert {a for a, state in stated["to_charger"].items() if state == "done"} == sent(version)
    assert set(stated["from_charger"]) | set(stated["to_charger"]) == set(actions(version, suffix))
