"""The OCPP JSON schemas of the package ``ocpp`` as oracle, and instances made of them."""

import json
import random
from collections.abc import Iterator
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
        node = self.resolved(node)
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
            return self._rng.randint(int(node.get("minimum", 1)), int(node.get("maximum", 100)))
        if kind == "number":
            most = int(node.get("maximum", 1000))
            return float(self._rng.randint(min(most, int(node.get("minimum", 1)), most - 9), most))
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
        if node.get("format") == "uri":
            return "https://files.example.org/1"
        if name == "value":
            return str(self._rng.randint(0, 100))
        return "x" * min(int(node.get("maxLength", 10)), 10)

    def resolved(self, node: dict[str, Any]) -> dict[str, Any]:
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


def spoilt(version: str, action: str, *, response: bool = False) -> Iterator[tuple[str, Json]]:
    """Instances with one thing wrong, named by what and where, that the schema refuses."""
    for what, changed in variants(version, action, response=response):
        if complaints(version, action, changed, response=response):
            yield what, changed


def variants(version: str, action: str, *, response: bool) -> Iterator[tuple[str, Json]]:
    """A whole instance with one thing changed at each place, some of them still valid."""
    root = schema(version, action, response=response)
    maker = Maker(root, random.Random(7), optional=1.0)
    whole = maker.make()
    for path, value, node in _places(maker, whole, root, ()):
        for what, changed in _changes(value, node):
            yield f"{what} {_name(path)}", _with(whole, path, changed)
        if path and not isinstance(path[-1], int):
            yield f"missing {_name(path)}", _without(whole, path)


Path = tuple[Any, ...]


def _places(
    maker: Maker, value: Json, node: dict[str, Any], path: Path
) -> Iterator[tuple[Path, Json, dict[str, Any]]]:
    node = maker.resolved(node)
    yield path, value, node
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in node["properties"]:
                yield from _places(maker, inner, node["properties"][key], (*path, key))
    elif isinstance(value, list):
        yield from _places(maker, value[0], node["items"], (*path, 0))


def _changes(value: Json, node: dict[str, Any]) -> Iterator[tuple[str, Json]]:
    if isinstance(value, dict):
        yield "array for", []
        yield "extra in", {**value, "surprise": 1}
    elif isinstance(value, list):
        yield "empty", []
        yield "text for", "?"
        if node.get("maxItems", 1000) <= 100:
            yield "many", value * (node["maxItems"] + 1)
    elif isinstance(value, str):
        yield from _other_texts(value, node)
    elif isinstance(value, bool):
        yield "word for", "yes"
        yield "number for", 1
    elif isinstance(value, (int, float)):
        yield from _other_numbers(node)
    if node.get("type"):
        yield "null for", None


def _other_texts(value: str, node: dict[str, Any]) -> Iterator[tuple[str, Json]]:
    yield "object for", {}
    yield "number for", 5
    if "format" in node:
        yield "nonsense for", "yesterday"
    if "enum" in node:
        yield "unknown", "Nonsense"
        for word in node["enum"]:
            yield f"{word} as", word
    if "maxLength" in node:
        yield "longest", "x" * int(node["maxLength"])
        yield "long", "x" * (int(node["maxLength"]) + 1)
        yield "huge", "z" * 70_000
    elif "enum" not in node and "format" not in node:
        yield "endless", "e" * 70_000


def _other_numbers(node: dict[str, Any]) -> Iterator[tuple[str, Json]]:
    yield "object for", {}
    yield "word for", "abc"
    yield "truth for", True
    yield "fraction for", 1.5
    yield "whole for", 2.0
    yield "nought for", 0
    yield "negative for", -1
    if node["type"] == "integer":
        yield "enormous for", 2**31
    if "multipleOf" in node:
        yield "hundredths for", 0.05
    if "maximum" in node:
        yield "more for", int(node["maximum"]) + 1


def _with(whole: Json, path: Path, value: Json) -> Json:
    """A copy along the path only."""
    if not path:
        return value
    changed = whole.copy()
    changed[path[0]] = _with(whole[path[0]], path[1:], value)
    return changed


def _without(whole: Json, path: Path) -> Json:
    changed = whole.copy()
    if len(path) == 1:
        del changed[path[0]]
    else:
        changed[path[0]] = _without(whole[path[0]], path[1:])
    return changed


def _name(path: Path) -> str:
    return ".".join(str(step) for step in path if not isinstance(step, int)) or "message"
