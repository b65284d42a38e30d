"""The OCPP JSON schemas of the package ``ocpp`` as oracle, and instances made of them."""

import json
import random
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from importlib.resources import files
from typing import Any

import jsonschema_rs

_FOLDER = {"1.6": "v16", "2.0.1": "v201", "2.1": "v21"}
_NO_SUFFIX = {"NotifyPeriodicEventStream"}

Json = Any


def _files(version: str) -> Any:
    return files("ocpp").joinpath(_FOLDER[version], "schemas")


@cache
def schema(version: str, action: str, *, response: bool) -> dict[str, Any]:
    bare = version == "1.6" or action in _NO_SUFFIX
    suffix = "Response" if response else "" if bare else "Request"
    text = _files(version).joinpath(f"{action}{suffix}.json").read_text(encoding="utf-8-sig")
    return dict(json.loads(text))


def actions(version: str) -> Iterator[str]:
    for file in _files(version).iterdir():
        name = file.name.removesuffix(".json")
        if name != file.name and not name.endswith("Response"):
            yield name.removesuffix("Request")


@cache
def _validator(version: str, action: str, response: bool) -> Any:
    return jsonschema_rs.validator_for(schema(version, action, response=response))


def complaints(version: str, action: str, instance: Json, *, response: bool = False) -> list[str]:
    """What the schema has against an instance."""
    return [str(error) for error in _validator(version, action, response).iter_errors(instance)]


class Maker:
    """Valid instances of one schema: only what is required, everything, or a seeded choice."""

    def __init__(self, root: dict[str, Any], rng: random.Random, optional: float) -> None:
        self._root = root
        self._rng = rng
        self._optional = optional

    def make(self) -> Json:
        return self._value(self._root, "")

    def _value(self, node: dict[str, Any], name: str) -> Json:
        node = self._resolved(node)
        if "enum" in node:
            return self._rng.choice(node["enum"])
        kind = node.get("type")
        if kind == "object":
            return self._object(node)
        if kind == "array":
            count = max(node.get("minItems", 1), 1)
            return [self._value(node["items"], name) for _ in range(count)]
        if kind == "string":
            return self._text(node, name)
        if name == "multiplier":
            return self._rng.randint(-3, 3)
        if kind == "integer":
            return self._rng.randint(int(node.get("minimum", 1)), 100)
        if kind == "number":
            return float(self._rng.randint(1, 1000))
        if kind == "boolean":
            return self._rng.random() < 0.5
        return "anything"

    def _object(self, node: dict[str, Any]) -> Json:
        required = node.get("required", [])
        made = {}
        for name, inner in node.get("properties", {}).items():
            if name in required or self._rng.random() < self._optional:
                made[name] = self._value(inner, name)
        return made

    def _text(self, node: dict[str, Any], name: str) -> str:
        if node.get("format") == "date-time":
            return "2026-11-21T18:00:00Z"
        if name == "value":
            return str(self._rng.randint(0, 100))
        return "x" * min(node.get("maxLength", 10), 10)

    def _resolved(self, node: dict[str, Any]) -> dict[str, Any]:
        reference = node.get("$ref")
        if reference is None:
            return node
        return dict(self._root["definitions"][reference.rsplit("/", 1)[1]])


def instances(version: str, action: str, *, response: bool = False) -> Iterator[Json]:
    root = schema(version, action, response=response)
    yield Maker(root, random.Random(1), optional=0.0).make()
    yield Maker(root, random.Random(2), optional=1.0).make()
    for seed in range(3, 13):
        yield Maker(root, random.Random(seed), optional=0.5).make()


def spoilt(version: str, action: str) -> Iterator[tuple[str, Json]]:
    """Instances with one thing wrong, named by what and where, that the schema refuses."""
    root = schema(version, action, response=False)
    whole = Maker(root, random.Random(7), optional=1.0).make()
    for path, node in _places(whole, ()):
        for what, changed in _changes(whole, path, node):
            if complaints(version, action, changed):
                yield f"{what} {_name(path)}", changed


def _places(value: Json, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Json]]:
    yield path, value
    if isinstance(value, dict):
        for key, inner in value.items():
            if key != "customData":
                yield from _places(inner, (*path, key))
    elif isinstance(value, list):
        yield from _places(value[0], (*path, 0))


def _changes(whole: Json, path: tuple[Any, ...], node: Json) -> Iterator[tuple[str, Json]]:
    if path and not isinstance(path[-1], int):
        yield "missing", _without(whole, path)
    if isinstance(node, dict):
        yield "array for", _with(whole, path, [])
        yield "extra in", _with(whole, path, {**node, "surprise": 1})
    elif isinstance(node, list):
        yield "empty", _with(whole, path, [])
        yield "text for", _with(whole, path, "?")
    elif isinstance(node, str):
        yield "object for", _with(whole, path, {})
        yield "long", _with(whole, path, "y" * 200)
        yield "huge", _with(whole, path, "z" * 20_000)
    elif isinstance(node, (int, float)):
        yield "object for", _with(whole, path, {})
        yield "word for", _with(whole, path, "abc")


def _with(whole: Json, path: tuple[Any, ...], value: Json) -> Json:
    if not path:
        return value
    changed = deepcopy(whole)
    _parent(changed, path)[path[-1]] = value
    return changed


def _without(whole: Json, path: tuple[Any, ...]) -> Json:
    changed = deepcopy(whole)
    del _parent(changed, path)[path[-1]]
    return changed


def _parent(whole: Json, path: tuple[Any, ...]) -> Json:
    for step in path[:-1]:
        whole = whole[step]
    return whole


def _name(path: tuple[Any, ...]) -> str:
    return ".".join(str(step) for step in path if not isinstance(step, int)) or "message"
