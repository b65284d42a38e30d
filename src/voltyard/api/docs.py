"""The OpenAPI 3.1 description and a page that shows it, with nothing from elsewhere."""

import html
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

import msgspec
from litestar import Litestar, Response, Router, get
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme, Tag
from litestar.types import ControllerRouterHandler

from voltyard import __version__
from voltyard.api.approvals import MAY_WAIT
from voltyard.api.problems import Problem

DESCRIPTION = """Charging management for electric fleets.

Send an API key made under “People” in the console: `Authorization: Bearer vy_…`. A key does what
its scopes allow. Times are RFC 3339; what is sent needs an offset. Units are in the names:
`_w` watts, `_wh` watt-hours, `_pct` per cent, `_s` seconds, `_a` amps. Lists have `limit` and
`offset`. Errors are problem details (RFC 9457) with a stable `code` and one entry in `errors` for
each wrong field. What belongs to another organisation is not found. A change may answer 202: it
waits for a second person, where that is switched on; the header `Voltyard-Reason` says why."""
TAGS = {
    "Sites": "Sites, areas, bays, the electrical tree and its limits.",
    "Stations": "Charging stations, EVSEs, configuration, message log and commands.",
    "Configuration": "Makes, templates, and chargers that differ from theirs.",
    "Monitoring": "Variables that chargers watch, and the events they tell.",
    "Sessions": "Charging sessions and their curves.",
    "Fleet": "Vehicles and the tokens that name them.",
    "Timetable": "Duties: who must leave when, with how much.",
    "Preconditioning": "Rules, what runs before departures, vehicles that tell by VDV 261.",
    "Energy": "Power now, planned, forecast and past.",
    "Studies": "A period against what-ifs, the smallest site, room to grow.",
    "Alerts": "What a person must know.",
    "Approvals": "Changes that wait for a second person.",
    "Firmware": "Images, campaigns over many chargers, and how far each charger is.",
    "Logs": "Diagnostics and security logs of chargers.",
    "People": "Organisation, users, API keys and the audit.",
}
_METHODS = ("get", "post", "put", "patch", "delete")
_PAGE_NAME = re.compile(r"Page_.*\.(\w+?)(?:Out)?_$")
_UPLOADS = {"csv": "text/csv", "spice-ev": "application/json"}
_WAITS = {
    "description": "Not done yet: it waits for a second person, as switched on.",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ProposalOut"}}},
}
_SECURE = {
    "content-security-policy": "default-src 'none'; style-src 'self'; frame-ancestors 'none';"
    " base-uri 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


def docs_routes(make_router: Callable[[], Router]) -> list[ControllerRouterHandler]:
    """``/api/openapi.json``, ``/api/docs`` and its style sheet; made when first asked for."""

    @cache
    def rendered() -> tuple[bytes, str]:
        description = describe(make_router())
        return msgspec.json.format(msgspec.json.encode(description), indent=1), page(description)

    @get("/api/openapi.json", include_in_schema=False, sync_to_thread=False)
    def openapi_json() -> Response[bytes]:
        return Response(rendered()[0], media_type="application/vnd.oai.openapi+json;version=3.1")

    @get("/api/docs", include_in_schema=False, sync_to_thread=False)
    def docs() -> Response[str]:
        return Response(rendered()[1], media_type="text/html; charset=utf-8", headers=_SECURE)

    @get("/api/docs.css", include_in_schema=False, sync_to_thread=False)
    def docs_css() -> Response[str]:
        return Response(CSS, media_type="text/css; charset=utf-8")

    return [openapi_json, docs, docs_css]


def describe(api: Router) -> dict[str, Any]:
    """The OpenAPI document as plain objects."""
    key = SecurityScheme(type="http", scheme="bearer", description="An API key: vy_…")
    config = OpenAPIConfig(
        title="voltyard",
        version=__version__,
        description=DESCRIPTION,
        tags=[Tag(name=name, description=text) for name, text in TAGS.items()],
        security=[{"key": []}],
        components=Components(security_schemes={"key": key}),
        path="/unused",
    )
    app = Litestar(route_handlers=[api], openapi_config=config)
    document: dict[str, Any] = app.openapi_schema.to_schema()
    document = _renamed(document)
    for path, method, operation in operations(document):
        _tidy(path, method, operation)
    document["components"]["schemas"]["Problem"] = _problem_schema()
    return document


def operations(document: Mapping[str, Any]) -> Iterable[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                yield path, method, item[method]


def _renamed(document: dict[str, Any]) -> dict[str, Any]:
    """Schemas of pages under short names: ``VehiclePage``."""
    schemas = document["components"]["schemas"]
    text = msgspec.json.encode(document).decode()
    for name in schemas:
        found = _PAGE_NAME.match(name)
        if found:
            text = text.replace(f'"{name}"', f'"{found[1]}Page"')
            text = text.replace(f"schemas/{name}", f"schemas/{found[1]}Page")
    renamed: dict[str, Any] = msgspec.json.decode(text)
    return renamed


def _tidy(path: str, method: str, operation: dict[str, Any]) -> None:
    """Stable operation ids, and the one shape of every error."""
    words = [w for w in re.split(r"[^A-Za-z0-9]+", path.removeprefix("/api/v1")) if w]
    operation["operationId"] = "_".join([method, *(w.replace("-", "_") for w in words)])
    media = _UPLOADS.get(path.rpartition(".")[2]) if "/import." in path else None
    if media is not None:
        schema = {"type": "string", "format": "binary"}
        operation["requestBody"] = {"required": True, "content": {media: {"schema": schema}}}
    for status in [s for s in operation["responses"] if not s.startswith("2")]:
        del operation["responses"][status]
    if (method, path) in MAY_WAIT:
        operation["responses"]["202"] = _WAITS
    problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
    operation["responses"]["default"] = {
        "description": "A problem: see its code.",
        "content": {"application/problem+json": problem},
    }


def _problem_schema() -> dict[str, Any]:
    _, parts = msgspec.json.schema_components([Problem], ref_template="#/components/schemas/{name}")
    problem: dict[str, Any] = parts["Problem"]
    problem["properties"]["errors"]["items"] = parts["FieldError"]
    return problem


# The page


def page(document: Mapping[str, Any]) -> str:
    """All operations by tag, as a page without scripts."""
    groups: dict[str, list[str]] = {tag["name"]: [] for tag in document["tags"]}
    for path, method, operation in operations(document):
        entry = _operation(document, path, method, operation)
        groups.setdefault(operation.get("tags", ["Other"])[0], []).append(entry)
    links = "".join(f'<li><a href="#{_e(tag)}">{_e(tag)}</a></li>' for tag in groups)
    sections = "".join(
        f'<section><h2 id="{_e(tag)}">{_e(tag)}</h2>'
        f"<p>{_e(TAGS.get(tag, ''))}</p>{''.join(entries)}</section>"
        for tag, entries in groups.items()
    )
    intro = "".join(
        f"<p>{_code(_e(block))}</p>" for block in document["info"]["description"].split("\n\n")
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<title>voltyard REST API</title>"
        '<link rel="stylesheet" href="/api/docs.css"></head><body><main>'
        f"<h1>voltyard REST API <small>{_e(document['info']['version'])}</small></h1>{intro}"
        '<p><a href="/api/openapi.json">OpenAPI 3.1 description</a></p>'
        f'<nav aria-label="Sections"><ul>{links}</ul></nav>{sections}</main></body></html>'
    )


def _operation(
    document: Mapping[str, Any], path: str, method: str, operation: Mapping[str, Any]
) -> str:
    rows = "".join(
        _row(p["name"], p["schema"], p["in"], bool(p.get("required")), p.get("description", ""))
        for p in operation.get("parameters", ())
    )
    body = operation.get("requestBody", {}).get("content", {})
    parts = [f"<p>{_code(_e(operation.get('description', '')))}</p>"]
    if rows:
        parts.append(_table("Parameters", rows))
    for media, content in body.items():
        parts.append(
            f"<h4>Body <code>{_e(media)}</code></h4>{_schema(document, content['schema'])}"
        )
    for status, answer in operation["responses"].items():
        for media, content in answer.get("content", {}).items():
            shown = "" if status == "default" else _schema(document, content.get("schema", {}))
            parts.append(f"<h4>{_e(status)} <code>{_e(media)}</code></h4>{shown}")
    summary = _e(operation.get("summary", ""))
    return (
        f'<details id="{_e(operation["operationId"])}"><summary><b class="{method}">'
        f"{method.upper()}</b> <code>{_e(path)}</code> <span>{summary}</span></summary>"
        f"{''.join(parts)}</details>"
    )


def _schema(document: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """The fields of a struct; of a union, of each of its members."""
    options = schema.get("oneOf") or schema.get("anyOf")
    if options:
        return "".join(_schema(document, option) for option in options)
    name = schema.get("$ref", "").rpartition("/")[2]
    found = document["components"]["schemas"].get(name, schema)
    needed = set(found.get("required", ()))
    rows = "".join(
        _row(field, inner, "", field in needed, inner.get("description", ""))
        for field, inner in found.get("properties", {}).items()
    )
    text = f"<p>{_code(_e(found.get('description', '')))}</p>" if name else ""
    return text + (_table(name or "Fields", rows) if rows else "")


def _table(caption: str, rows: str) -> str:
    head = "<tr><th>Name</th><th>Type</th><th></th><th>Meaning</th></tr>"
    return (
        f'<div class="wide"><table><caption>{_e(caption)}</caption><thead>{head}</thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _row(name: str, schema: Mapping[str, Any], where: str, needed: bool, text: str) -> str:
    marks = ", ".join(part for part in (where, "required" if needed else "") if part)
    return (
        f"<tr><td><code>{_e(name)}</code></td><td>{_e(_type(schema))}</td><td>{_e(marks)}</td>"
        f"<td>{_code(_e(text))}</td></tr>"
    )


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    for key in ("oneOf", "anyOf"):
        if key in schema:
            return " or ".join(dict.fromkeys(_type(option) for option in schema[key]))
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"])
    kind = schema.get("type", "any")
    if isinstance(kind, list):
        kind = " or ".join(kind)
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return f"{kind} ({schema['format']})" if "format" in schema else str(kind)


def _e(text: object) -> str:
    return html.escape(str(text), quote=True)


def _code(escaped: str) -> str:
    return re.sub(r"``?([^`]+)``?", r"<code>\1</code>", escaped)


CSS = """
:root { color-scheme: light dark; --line: #8886; --quiet: #667; --link: #0b5cad }
@media (prefers-color-scheme: dark) { :root { --quiet: #aab; --link: #7db8f5 } }
body { font: 15px/1.5 system-ui, sans-serif; margin: 0; padding: 1rem }
main { max-width: 68rem; margin: 0 auto }
a { color: var(--link) }
small, summary span { color: var(--quiet); font-weight: normal }
nav ul { display: flex; flex-wrap: wrap; gap: .5rem 1rem; padding: 0; list-style: none }
details { border-top: 1px solid var(--line); padding: .4rem 0 }
summary { cursor: pointer; overflow-wrap: anywhere }
summary b { display: inline-block; min-width: 4.2rem }
.wide { overflow-x: auto }
table { border-collapse: collapse; margin: .3rem 0 1rem; min-width: 60% }
caption { text-align: left; font-weight: 600 }
th, td { text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top }
"""
