"""docs/coverage.toml says what the code does."""

import tomllib
from pathlib import Path

import pytest

from tests.protocol.schemas import actions
from tests.protocol.test_schema_oracle import COMMANDS, DIALECTS, MESSAGES, NOW
from voltyard.chargers.commands import Ask
from voltyard.errors import Invalid
from voltyard.ocpp.routing import State
from voltyard.ocpp.speech import OcppSpeech

ROOT = Path(__file__).parents[2]
COVERAGE = tomllib.loads((ROOT / "docs" / "coverage.toml").read_text(encoding="utf-8"))


def sent(version: str) -> set[str]:
    """By a command of its own, or by its name with the least payload the standard allows."""
    found = set()
    asks = [
        Ask(kind.action, OcppSpeech().example(version, kind.action))
        for kind in OcppSpeech().messages(version)
    ]
    for command in (*COMMANDS, *asks):
        try:
            calls, _ = DIALECTS[version].express(command, NOW)
        except Invalid:
            continue
        found |= {call.action for call in calls}
    return found


@pytest.mark.parametrize("version", DIALECTS)
def test_every_message_of_the_standard_is_listed(version: str) -> None:
    assert set(MESSAGES[version]) == set(actions(version))
    for action, message in MESSAGES[version].items():
        assert message.action == message.request.__name__ == action
        assert message.received is not None or message.sent is not None
        assert (message.handler is not None) == (message.received is not None)


@pytest.mark.parametrize("version", DIALECTS)
def test_coverage_is_what_the_registry_says(version: str) -> None:
    stated, messages = COVERAGE["ocpp"][version], MESSAGES[version].values()
    assert stated["from_charger"] == {
        message.action: message.received for message in messages if message.received
    }
    assert stated["to_charger"] == {
        message.action: message.sent for message in messages if message.sent
    }


@pytest.mark.parametrize("version", DIALECTS)
def test_what_is_called_sent_is_sent(version: str) -> None:
    assert sent(version) == {
        message.action for message in MESSAGES[version].values() if message.sent is State.DONE
    }


def named_tests() -> list[str]:
    """Every test that the file names."""
    named = {test for version in COVERAGE["tests"].values() for test in version.values()}
    cases = (case for version in COVERAGE["use_cases"].values() for case in version.values())
    return sorted(named | {case["test"] for case in cases if case["done"]})


@pytest.mark.parametrize("version", DIALECTS)
def test_every_message_names_its_test(version: str) -> None:
    assert set(COVERAGE["tests"][version]) == set(MESSAGES[version])


@pytest.mark.parametrize("name", named_tests())
def test_a_named_test_exists(name: str) -> None:
    path, _, function = name.partition("::")
    source = (ROOT / path).read_text(encoding="utf-8")
    assert f"def {function}(" in source


@pytest.mark.parametrize("version", ["2.0.1", "2.1"])
def test_a_use_case_is_proven_or_says_why_not(version: str) -> None:
    for number, case in COVERAGE["use_cases"][version].items():
        assert case["name"], number
        assert ("test" in case) == case["done"], number
        assert ("why" in case) != case["done"], number
