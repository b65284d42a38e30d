"""Contracts of vehicles against OpenSSL's OCSP responder, in a process of its own."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from tests.integration.contracts.contract_world import (
    DAY,
    EMAID,
    Made,
    World,
    hash_data,
    make,
    world,
)
from tests.integration.pki.pki_openssl import openssl
from voltyard.clock import SystemClock
from voltyard.contracts import ocsp
from voltyard.contracts.fetching import Fetcher, read_allowed
from voltyard.contracts.model import (
    ContractStanding,
    Question,
    Source,
    Standing,
    Unobtainable,
)
from voltyard.contracts.service import ContractService, ContractSettings


class NoOwn:
    """Nothing is voltyard's own here."""

    async def ocsp_response(self, *asked: Any) -> bytes | None:
        return None


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
    outside: World, *, roots: tuple[Made, ...] | None = None, below: str = "/", timeout_s: float = 5
) -> ContractService:
    clock = SystemClock()
    trusted = (outside.root,) if roots is None else roots
    settings = ContractSettings(
        read_allowed(outside.at(below)), tuple(made.certificate for made in trusted)
    )
    return ContractService(clock, Fetcher(clock, timeout_s=timeout_s), settings, NoOwn())


def named(outside: World, made: Made, path: str, algorithm: str = "SHA256") -> Question:
    return Question(
        ocsp.identify(made.certificate, outside.sub.certificate, algorithm), (outside.at(path),)
    )


@pytest.mark.parametrize("algorithm", ["SHA256", "SHA384", "SHA512"])
async def test_a_responder_is_asked_once_and_its_answer_proves_itself(
    outside: World, contracts: ContractService, tmp_path: Path, algorithm: str
) -> None:
    made = outside.contract()
    asked = named(outside, made, "/ocsp/sub", algorithm)
    answers = await asyncio.gather(*(contracts.status(asked) for _ in range(5)))
    assert len(set(answers)) == 1
    assert await contracts.status(asked) == answers[0]
    [request] = await outside.asked(1)
    assert request["headers"]["content-type"] == "application/ocsp-request"
    await outside.unasked()
    (tmp_path / "told.der").write_bytes(answers[0])
    (tmp_path / "leaf.pem").write_text(made.pem)
    (tmp_path / "chain.pem").write_text(outside.root.pem + outside.sub.pem)
    said = openssl(
        "ocsp", "-respin", tmp_path / "told.der", f"-{algorithm.lower()}",
        "-issuer", tmp_path / "sub.pem", "-cert", tmp_path / "leaf.pem",
        "-CAfile", tmp_path / "chain.pem",
    )  # fmt: skip
    assert "Response verify OK" in said
    assert "leaf.pem: good" in said


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/elsewhere/sub", "nobody may be asked there"),
        ("/ocspx/sub", "nobody may be asked there"),
        ("/ocsp/../secret", "nobody may be asked there"),
    ],
)
async def test_only_who_is_allowed_is_asked(outside: World, path: str, why: str) -> None:
    service = make_service(outside, below="/ocsp")
    with pytest.raises(Unobtainable, match=why):
        await service.status(named(outside, outside.contract(), path))
    await outside.unasked()
    await service.close()


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/redirect", "HTTP 307"),
        ("/large", "longer than 65536 bytes"),
        ("/slow", "no answer within"),
        ("/missing", "HTTP 404"),
        ("/sub.pem", "cannot be read"),
    ],
)
async def test_a_responder_that_misbehaves_is_given_up(outside: World, path: str, why: str) -> None:
    service = make_service(outside, timeout_s=0.7 if path == "/slow" else 20)
    with pytest.raises(Unobtainable, match=why):
        await service.status(named(outside, outside.contract(), path))
    [request] = await outside.asked(1)
    assert request["path"] == path
    await outside.unasked()
    await service.close()


async def test_a_responder_that_is_gone_is_no_answer(outside: World) -> None:
    clock = SystemClock()
    settings = ContractSettings(read_allowed("http://127.0.0.1:9/"))
    service = ContractService(clock, Fetcher(clock, timeout_s=2), settings, NoOwn())
    asked = named(outside, outside.contract(), "/ocsp/sub")
    with pytest.raises(Unobtainable, match="cannot be reached"):
        await service.status(Question(asked.certificate, ("http://127.0.0.1:9/",)))
    await service.close()


def shown(outside: World, made: Made) -> str:
    return made.pem + outside.sub.pem


async def test_a_contract_is_followed_to_its_root_and_its_standing_asked(
    outside: World, contracts: ContractService
) -> None:
    made = outside.contract()
    found = await contracts.check(EMAID, shown(outside, made), ())
    assert found.standing is ContractStanding.VALID, found
    assert {request["path"] for request in await outside.asked(2)} == {"/ocsp/sub", "/ocsp/root"}


async def test_a_revoked_contract_is_told_so(outside: World, contracts: ContractService) -> None:
    made = outside.contract()
    outside.write("sub", outside.sub, [], [made])
    found = await contracts.check(EMAID, shown(outside, made), ())
    assert found.standing is ContractStanding.REVOKED


async def test_a_revoked_authority_takes_its_contracts_with_it(
    outside: World, contracts: ContractService
) -> None:
    made = outside.contract()
    outside.write("root", outside.root, [], [outside.sub])
    found = await contracts.check(EMAID, shown(outside, made), ())
    assert found.standing is ContractStanding.REVOKED


async def test_an_expired_contract_is_told_so_and_nobody_asked(
    outside: World, contracts: ContractService
) -> None:
    made = outside.contract(ends=-DAY)
    found = await contracts.check(EMAID, shown(outside, made), ())
    assert found.standing is ContractStanding.EXPIRED
    await outside.unasked()


async def test_what_cannot_be_proven_is_not_valid(
    outside: World, contracts: ContractService
) -> None:
    made = outside.contract()
    stranger = make("DE-8AA-CA2B3C4D5-N", make("another root", authority=True))
    tries = {
        "another contract's": (EMAID.replace("4D5", "4D6"), shown(outside, made)),
        "nobody trusted": (EMAID, stranger.pem),
        "no certificate": (EMAID, "nonsense"),
    }
    for why, (emaid, chain) in tries.items():
        found = await contracts.check(emaid, chain, ())
        assert found.standing is ContractStanding.UNPROVEN
        assert why in found.reason
    outside.write("sub", outside.sub, [])
    found = await contracts.check(EMAID, shown(outside, made), ())
    assert found.standing is ContractStanding.UNPROVEN


async def test_an_answer_that_somebody_else_signed_counts_for_nothing(outside: World) -> None:
    service = make_service(outside)
    made = outside.contract(responder="/ocsp/sub!root")
    found = await service.check(EMAID, shown(outside, made), ())
    assert (found.standing, found.reason) == (
        ContractStanding.UNPROVEN,
        "the responder's answer is wrongly signed",
    )
    await service.close()


async def test_an_answer_that_nobody_known_could_prove_counts_for_nothing(outside: World) -> None:
    """By plain HTTP, about a certificate that is only named, whose issuer nobody knows here."""
    made = outside.contract()
    asked = named(outside, made, "/ocsp/sub")
    alone, knowing = make_service(outside, roots=()), make_service(outside, roots=(outside.sub,))
    found = await alone.check(EMAID, None, (asked,))
    assert found.standing is ContractStanding.UNPROVEN
    assert (await knowing.check(EMAID, None, (asked,))).standing is ContractStanding.VALID
    await alone.close()
    await knowing.close()


async def test_what_was_shown_is_asked_about_not_what_was_named(
    outside: World, contracts: ContractService
) -> None:
    """A charger cannot have a revoked contract pass by naming a good one."""
    good, bad = outside.contract(), outside.contract()
    outside.write("sub", outside.sub, [good], [bad])
    asked = (named(outside, good, "/ocsp/sub"),)
    found = await contracts.check(EMAID, shown(outside, bad), asked)
    assert found.standing is ContractStanding.REVOKED


async def test_with_nothing_set_up_nothing_is_checked() -> None:
    clock = SystemClock()
    service = ContractService(clock, Fetcher(clock, timeout_s=1), ContractSettings(), NoOwn())
    found = await service.check(EMAID, None, ())
    assert found.standing is ContractStanding.UNCHECKED
    found = await service.check(EMAID, make(EMAID).pem, ())
    assert found.standing is ContractStanding.UNPROVEN
    await service.close()


async def test_a_list_of_what_is_revoked_is_read(outside: World) -> None:
    service = make_service(outside, roots=(outside.sub,))
    good, bad = outside.contract(), outside.contract()
    outside.crl([bad])
    for made, standing in ((good, Standing.GOOD), (bad, Standing.REVOKED)):
        identity = ocsp.identify(made.certificate, outside.sub.certificate)
        asked = Question(identity, (outside.at("/sub.crl"),), Source.CRL)
        verdict = await service.revocation(asked)
        assert verdict.standing is standing
        assert verdict.next_at is not None
    assert [request["path"] for request in await outside.asked(1)] == ["/sub.crl"]
    await outside.unasked()
    await service.close()


async def test_a_list_that_another_signed_is_no_list(outside: World) -> None:
    service = make_service(outside, roots=(outside.sub,))
    made = outside.contract()
    outside.crl([], by=outside.root)
    identity = ocsp.identify(made.certificate, outside.sub.certificate)
    for path in ("/sub.crl", "/large", "/missing"):
        verdict = await service.revocation(Question(identity, (outside.at(path),), Source.CRL))
        assert verdict.standing is Standing.FAILED
    await service.close()


def test_hash_data_is_what_openssl_names_a_certificate(tmp_path: Path) -> None:
    root = make("root", authority=True)
    leaf = make("leaf", root)
    (tmp_path / "root.pem").write_text(root.pem)
    (tmp_path / "leaf.der").write_bytes(leaf.certificate.public_bytes(Encoding.DER))
    (tmp_path / "leaf.pem").write_text(leaf.pem)
    said = openssl(
        "ocsp", "-sha256", "-issuer", tmp_path / "root.pem", "-cert", tmp_path / "leaf.pem",
        "-req_text", "-no_nonce",
    ).upper()  # fmt: skip
    data = hash_data(leaf, root, "http://x/")
    for name in ("issuerNameHash", "issuerKeyHash", "serialNumber"):
        assert data[name].upper().lstrip("0") in said
