"""What of a command must not be kept: passwords and keys, hidden before it is stored or shown."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from voltyard.chargers.commands import Ask, Command, WriteConfiguration

HIDDEN = "(hidden)"
SECRET_KEYS = frozenset({"authorizationkey", "authorisationkey", "basicauthpassword"})
"""Configuration keys (1.6) and variables (2.0.1) that hold a password."""
_SECRET_FIELDS = frozenset({"apnPassword", "password", "key", "simPin", "basicAuthPassword"})


def is_secret(key: str) -> bool:
    """Whether a configuration key or ``Component.Variable`` holds a password."""
    return key.rpartition(".")[2].strip().lower() in SECRET_KEYS


def keepable(command: Command) -> Command:
    """The command as it may be stored and shown."""
    if isinstance(command, WriteConfiguration) and is_secret(command.key):
        return replace(command, value=HIDDEN)
    if isinstance(command, Ask):
        return replace(command, payload=without_secrets(command.payload))
    return command


def without_secrets(payload: Mapping[str, Any]) -> dict[str, Any]:
    """A message's payload with every password replaced by ``HIDDEN``."""
    return {name: _hidden(name, value, payload) for name, value in payload.items()}


def _hidden(name: str, value: Any, within: Mapping[str, Any]) -> Any:
    if isinstance(value, Mapping):
        return without_secrets(value)
    if isinstance(value, list):
        return [without_secrets(item) if isinstance(item, Mapping) else item for item in value]
    return HIDDEN if _holds_secret(name, within) else value


def _holds_secret(name: str, within: Mapping[str, Any]) -> bool:
    if name == "value":
        return is_secret(str(within.get("key", "")))
    if name == "attributeValue":
        variable = within.get("variable")
        named = variable.get("name", "") if isinstance(variable, Mapping) else ""
        return is_secret(str(named))
    if name == "key":
        return "server" in within
    return name in _SECRET_FIELDS
