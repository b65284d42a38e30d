"""The description is OpenAPI 3.1, complete, and true."""

import re
from typing import Any

import jsonschema_rs
import pytest
from api_world import Tenant, World

from voltyard.api.docs import operations


@pytest.fixture
async def document(world: World) -> Any:
    answer = await world.client.get("/api/openapi.json")
    assert answer.headers["content-type"].startswith("application/vnd.oai.openapi+json")
    return answer.json()


def references(part: Any) -> set[str]:
    if isinstance(part, dict):
        own = {part["$ref"]} if isinstance(part.get("$ref"), str) else set()
        return own.union(*(references(value) for value in part.values()))
    if isinstance(part, list):
        return set().union(*(references(value) for value in part))
    return set()


async def test_it_is_openapi_3_1_and_every_reference_leads_somewhere(document: Any) -> None:
    assert re.fullmatch(r"3\.1\.\d+", document["openapi"])
    assert document["info"]["title"] == "voltyard"
    for reference in references(document):
        target: Any = document
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]
    for schema in document["components"]["schemas"].values():
        jsonschema_rs.meta.validate(
            {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
        )


async def test_every_operation_is_told_fully(document: Any) -> None:
    ids: set[str] = set()
    for path, method, operation in operations(document):
        assert operation["operationId"] not in ids, path
        ids.add(operation["operationId"])
        assert operation["summary"], path
        assert operation["tags"], path
        assert "default" in operation["responses"], path
        assert any(status.startswith("2") for status in operation["responses"]), path
        declared = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"}
        assert declared == set(re.findall(r"{(\w+)}", path)), path
        if method in ("put", "patch"):
            assert "requestBody" in operation, path
    assert len(ids) > 60


def checker(document: Any, path: str, status: str) -> Any:
    content = document["paths"][path]["get"]["responses"][status]["content"]
    schema = content["application/json"]["schema"]
    return jsonschema_rs.validator_for({**schema, "components": document["components"]})


async def test_what_is_answered_is_as_described(
    world: World, tenant: Tenant, document: Any
) -> None:
    ids = await world.furnish(tenant)
    asked = 0
    for path, method, operation in operations(document):
        content = operation["responses"].get("200", {}).get("content", {})
        if method != "get" or "application/json" not in content:
            continue
        filled = path
        for name in re.findall(r"{(\w+)}", path):
            filled = filled.replace(
                "{" + name + "}", str(ids.get(name.removesuffix("_id"), "missing"))
            )
        if "missing" in filled or filled.endswith("/plan"):
            continue
        body = await tenant.get(filled)
        checker(document, path, "200").validate(body)
        asked += 1
    assert asked >= 25


async def test_a_problem_is_as_described(world: World, document: Any) -> None:
    answer = await world.client.get("/api/v1/sites")
    schema = {"$ref": "#/components/schemas/Problem", "components": document["components"]}
    jsonschema_rs.validator_for(schema).validate(answer.json())


async def test_the_page_shows_every_operation_and_loads_nothing_from_elsewhere(
    world: World, document: Any
) -> None:
    answer = await world.client.get("/api/docs")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    for _, _, operation in operations(document):
        assert f'id="{operation["operationId"]}"' in answer.text
    assert "<script" not in answer.text
    assert not re.findall(r"""(?:src|href)=["']?(?:https?:)?//""", answer.text)
    style = await world.client.get("/api/docs.css")
    assert style.headers["content-type"].startswith("text/css")
