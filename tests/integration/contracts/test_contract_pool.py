"""Contracts fetched from a pool by HTTP, in a process of its own."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.integration.contracts.contract_world import World, world
from tests.integration.contracts.test_contract_certificates import NoOwn
from voltyard.clock import SystemClock
from voltyard.contracts.fetching import Fetcher
from voltyard.contracts.model import ContractOrder, Unobtainable
from voltyard.contracts.pool import HttpPool, PoolSettings, emaid_key, namespace_of
from voltyard.contracts.service import ContractService, ContractSettings

STATION = uuid4()
ISO_2 = "urn:iso:15118:2:2013:MsgDef"
ISO_20 = "urn:iso:std:iso:15118:-20:CommonMessages"


@pytest.fixture
async def outside(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as found:
        yield found


@pytest.fixture
async def contracts(outside: World) -> AsyncIterator[ContractService]:
    service = make_service(outside)
    yield service
    await service.close()


def make_service(
    outside: World, *, update: str = "", path: str = "/pool/signedcontractdata", **more: Any
) -> ContractService:
    clock = SystemClock()
    fetcher = Fetcher(clock, timeout_s=more.pop("timeout_s", 5))
    settings = PoolSettings(outside.at(path), update and outside.at(update), **more)
    pool = HttpPool(fetcher, settings)
    return ContractService(clock, fetcher, ContractSettings(), NoOwn(), pool)


def order(**more: Any) -> ContractOrder:
    known: dict[str, Any] = {"station_id": STATION, "exi_request": "gJg=", "schema_version": ISO_2}
    return ContractOrder(**known | more)


def collection(*found: tuple[str, str]) -> dict[str, Any]:
    """GetSignedContractDataResV1 of OPNC."""
    return {
        "signedContractDataCollection": [
            {
                "certificateInstallationRes": exi,
                "emaid": emaid,
                "pcid": "WVWZZZ1JZ3W386752",
                "xsdMsgDefNamespace": ISO_2,
            }
            for exi, emaid in found
        ]
    }


async def test_a_contract_is_asked_of_the_pool_in_its_own_words(outside: World) -> None:
    service = make_service(outside, key="secret", party="DE*YRD")
    outside.pool(collection(("b25l", "DE8AACA2B3C4D5N")))
    answer = await service.contract(order())
    assert (answer.exi_response, answer.remaining) == ("b25l", None)
    [request] = await outside.asked(1)
    assert json.loads(request["body"]) == {
        "certificateInstallationReq": "gJg=",
        "xsdMsgDefNamespace": ISO_2,
    }
    headers = request["headers"]
    assert headers["authorization"] == "Bearer secret"
    assert headers["opnc-from-party-type"] == "cpo"
    assert headers["opnc-from-party-id"] == "DE*YRD"
    assert headers["alwaysreturnexi"] == "false"
    await service.close()


async def test_the_older_wrapping_is_read_too(outside: World, contracts: ContractService) -> None:
    data = {"certificateInstallationRes": "dHdv", "emaid": "DE8AACA2B3C4D5", "metaData": ""}
    outside.pool({"CCPResponse": {"emaidContent": [{"messageDef": data}]}})
    assert (await contracts.contract(order())).exi_response == "dHdv"


async def test_an_update_goes_where_updates_are_taken(
    outside: World, contracts: ContractService
) -> None:
    outside.pool(collection(("bmV3", "")))
    with pytest.raises(Unobtainable, match="no operation for updates"):
        await contracts.contract(order(update=True))
    service = make_service(outside, update="/pool/updates")
    assert (await service.contract(order(update=True))).exi_response == "bmV3"
    assert [request["path"] for request in await outside.asked(1)] == ["/pool/updates"]
    await service.close()


async def test_a_vehicle_that_takes_several_asks_again_for_each(
    outside: World, contracts: ContractService
) -> None:
    """OCPP 2.1 M01.FR.04 to FR.07; the preferred come first, no more than it can take."""
    outside.pool(collection(("b25l", "DE8AAC1"), ("dHdv", "DE8AAC2"), ("dGhyZWU=", "DE8AAC3")))
    wanted = order(schema_version=ISO_20, chains_max=2, preferred=("DE-8AA-C3",))
    first, second = await contracts.contract(wanted), await contracts.contract(wanted)
    assert (first.exi_response, first.remaining) == ("dGhyZWU=", 1)
    assert (second.exi_response, second.remaining) == ("b25l", 0)
    [request] = await outside.asked(1)
    assert json.loads(request["body"])["xsdMsgDefNamespace"] == "urn:iso:15118:20:2020:MsgDef"
    await outside.unasked()
    assert (await contracts.contract(wanted)).remaining == 1
    other = order(schema_version=ISO_20, chains_max=2, station_id=UUID(int=1))
    assert (await contracts.contract(other)).exi_response == "b25l"


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (404, {"errorMessages": ["no contract"], "traceId": "t-1"}, "HTTP 404"),
        (401, "no", "HTTP 401"),
        (200, {"signedContractDataCollection": []}, "no contract for this vehicle"),
        (200, [1], "cannot be read"),
        (200, {"signedContractDataCollection": [{"emaid": "x"}]}, "cannot be read"),
    ],
)
async def test_a_pool_that_has_none_says_why(
    outside: World, contracts: ContractService, status: int, body: Any, why: str
) -> None:
    outside.pool(body, status)
    with pytest.raises(Unobtainable, match=why) as raised:
        await contracts.contract(order())
    if status == 404:
        assert raised.value.detail == "no contract t-1"


@pytest.mark.parametrize(
    ("path", "why"),
    [("/slow", "no answer within"), ("/redirect", "HTTP 307"), ("/large", "is longer than")],
)
async def test_a_pool_that_misbehaves_is_given_up(outside: World, path: str, why: str) -> None:
    service = make_service(outside, path=path, timeout_s=0.7 if path == "/slow" else 20)
    with pytest.raises(Unobtainable, match=why):
        await service.contract(order())
    await service.close()


async def test_without_a_provider_there_is_none(outside: World) -> None:
    clock = SystemClock()
    service = ContractService(clock, Fetcher(clock, timeout_s=1), ContractSettings(), NoOwn())
    with pytest.raises(Unobtainable, match="no provider"):
        await service.contract(order())


def test_names_are_the_pools() -> None:
    assert namespace_of("urn:iso:15118:2:2013:MsgDef") == ISO_2
    assert namespace_of(ISO_20) == "urn:iso:15118:20:2020:MsgDef"
    assert namespace_of("urn:din:70121:2012:MsgDef") == "urn:din:70121:2012:MsgDef"
    assert emaid_key("de-8aa-CA2B3C4D5-N") == emaid_key("DE8AACA2B3C4D5") == "DE8AACA2B3C4D5"
