"""Blocks C and M as a charger hears them: contracts of vehicles, standings of certificates."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from tests.protocol.ocpp_fakes import FakeSessions
from tests.protocol.schemas import complaints
from tests.protocol.test_schema_oracle import DIALECTS, NOW, exchange, read
from voltyard.contracts.model import (
    ContractAnswer,
    ContractCheck,
    ContractOrder,
    ContractStanding,
    Question,
    Source,
    Standing,
    Unobtainable,
    Verdict,
)
from voltyard.sessions.model import AuthorisationStatus

DIGEST = "ab" * 32
HASHES = {
    "hashAlgorithm": "SHA256",
    "issuerNameHash": DIGEST,
    "issuerKeyHash": DIGEST,
    "serialNumber": "1f",
}
OCSP = {**HASHES, "responderURL": "http://ocsp.example/"}
VERSIONS = ("2.0.1", "2.1")


@dataclass
class Told:
    """Answers as it was told to; keeps what it was asked."""

    der: bytes = b"\x30\x03\x0a\x01\x00"
    standing: ContractStanding = ContractStanding.VALID
    verdicts: dict[int, Verdict] = field(default_factory=dict)
    answer: ContractAnswer = field(default_factory=lambda: ContractAnswer("ZXhp"))
    fault: str = ""
    asked: list[Any] = field(default_factory=list)

    def _ask(self, asked: Any) -> None:
        self.asked.append(asked)
        if self.fault:
            raise Unobtainable(self.fault)

    async def status(self, asked: Question) -> bytes:
        self._ask(asked)
        return self.der

    async def revocation(self, asked: Question) -> Verdict:
        self.asked.append(asked)
        return self.verdicts[asked.certificate.serial]

    async def check(
        self, emaid: str, chain: str | None, asked: Sequence[Question]
    ) -> ContractCheck:
        self.asked.append((emaid, chain, asked))
        return ContractCheck(self.standing, "as told")

    async def contract(self, order: ContractOrder) -> ContractAnswer:
        self._ask(order)
        return self.answer


async def said(
    version: str, action: str, request: Any, told: Told, status: str = "accepted"
) -> tuple[dict[str, Any], set[str]]:
    """What is answered, which the schema of the version allows; and the flags."""
    assert complaints(version, action, request) == []
    message, _ = read(version, action, request)
    at_work, chargers = exchange()
    chargers.vehicle_certificates = told
    at_work.sessions = FakeSessions(AuthorisationStatus(status))
    response = await DIALECTS[version].routes[action].handler(at_work, message)
    answer = as_sent(response)
    assert complaints(version, action, answer, response=True) == []
    return answer, set(at_work.flags)


def as_sent(response: Any) -> dict[str, Any]:
    found = msgspec.json.decode(msgspec.json.encode(response))
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("version", VERSIONS)
async def test_the_responders_answer_is_handed_on_as_it_is(version: str) -> None:
    told = Told()
    request = {"ocspRequestData": OCSP}
    answer, flags = await said(version, "GetCertificateStatus", request, told)
    assert answer["status"] == "Accepted"
    assert base64.b64decode(answer["ocspResult"]) == told.der
    assert not flags
    [question] = told.asked
    assert (question.certificate.serial, question.urls) == (0x1F, ("http://ocsp.example/",))


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_status_that_cannot_be_had_has_failed_with_its_reason(version: str) -> None:
    told = Told(fault="nobody may be asked there")
    answer, flags = await said(version, "GetCertificateStatus", {"ocspRequestData": OCSP}, told)
    assert answer["status"] == "Failed"
    assert answer["statusInfo"]["additionalInfo"] == "nobody may be asked there"
    assert flags == {"certificate_status_failed"}
    told = Told(der=bytes(20_000))
    answer, _ = await said(version, "GetCertificateStatus", {"ocspRequestData": OCSP}, told)
    assert answer["status"] == "Failed"


async def test_a_longer_answer_fits_in_21_alone() -> None:
    told = Told(der=bytes(6_000))
    request = {"ocspRequestData": OCSP}
    assert (await said("2.0.1", "GetCertificateStatus", request, told))[0]["status"] == "Failed"
    assert (await said("2.1", "GetCertificateStatus", request, told))[0]["status"] == "Accepted"


AUTHORIZE = {
    "idToken": {"idToken": "DE-8AA-CA2B3C4D5-N", "type": "eMAID"},
    "iso15118CertificateHashData": [OCSP],
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("standing", "token", "certificate_status", "status"),
    [
        ("valid", "accepted", "Accepted", "Accepted"),
        ("valid", "concurrent", "Accepted", "ConcurrentTx"),
        ("valid", "not_here", "Accepted", "NotAtThisLocation"),
        ("valid", "unknown", "ContractCancelled", "Unknown"),
        ("valid", "blocked", "ContractCancelled", "Blocked"),
        ("expired", "accepted", "CertificateExpired", "Expired"),
        ("revoked", "accepted", "CertificateRevoked", "Invalid"),
        ("unproven", "accepted", "CertChainError", "Invalid"),
    ],
)
async def test_contract_and_token_are_both_judged(
    version: str, standing: str, token: str, certificate_status: str, status: str
) -> None:
    """C07.FR.13 to FR.17."""
    told = Told(standing=ContractStanding(standing))
    answer, flags = await said(version, "Authorize", AUTHORIZE, told, token)
    assert answer["certificateStatus"] == certificate_status
    assert answer["idTokenInfo"]["status"] == status
    assert flags == (set() if standing == "valid" else {"contract_certificate_refused"})


async def test_what_is_named_and_what_is_shown_are_both_looked_at() -> None:
    told = Told()
    await said("2.0.1", "Authorize", {**AUTHORIZE, "certificate": "PEM"}, told)
    [(emaid, chain, asked)] = told.asked
    assert (emaid, chain, len(asked)) == ("DE-8AA-CA2B3C4D5-N", "PEM", 1)


async def test_where_nothing_is_set_up_the_token_decides_and_it_is_flagged() -> None:
    told = Told(standing=ContractStanding.UNCHECKED)
    answer, flags = await said("2.0.1", "Authorize", AUTHORIZE, told)
    assert "certificateStatus" not in answer
    assert answer["idTokenInfo"]["status"] == "Accepted"
    assert flags == {"contract_certificate_ignored"}


def certificate_request(**more: Any) -> dict[str, Any]:
    known = {"iso15118SchemaVersion": "urn:x", "action": "Install", "exiRequest": "gJg="}
    return known | more


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("action", ["Install", "Update"])
async def test_a_vehicle_gets_its_contract(version: str, action: str) -> None:
    told = Told()
    request = certificate_request(action=action)
    answer, flags = await said(version, "Get15118EVCertificate", request, told)
    assert answer == {"status": "Accepted", "exiResponse": "ZXhp"}
    assert not flags
    [order] = told.asked
    assert (order.exi_request, order.schema_version) == ("gJg=", "urn:x")
    assert order.update is (action == "Update")


@pytest.mark.parametrize("version", VERSIONS)
async def test_no_contract_is_told_with_its_reason(version: str) -> None:
    told = Told(fault="the pool answers HTTP 404")
    request = certificate_request()
    answer, flags = await said(version, "Get15118EVCertificate", request, told)
    assert (answer["status"], answer["exiResponse"]) == ("Failed", "")
    assert answer["statusInfo"]["additionalInfo"] == "the pool answers HTTP 404"
    assert flags == {"contract_certificate_failed"}
    told = Told(answer=ContractAnswer("x" * 20_000))
    answer, _ = await said(version, "Get15118EVCertificate", request, told)
    assert answer["status"] == "Failed"


async def test_how_many_contracts_are_left_is_told_in_21() -> None:
    told = Told(answer=ContractAnswer("ZXhp", 2))
    request = certificate_request(maximumContractCertificateChains=3, prioritizedEMAIDs=["DE1"])
    answer, _ = await said("2.1", "Get15118EVCertificate", request, told)
    assert answer == {"status": "Accepted", "exiResponse": "ZXhp", "remainingContracts": 2}
    [order] = told.asked
    assert (order.chains_max, order.preferred) == (3, ("DE1",))


async def test_each_certificate_of_a_vehicles_chain_gets_its_standing() -> None:
    """2.1 M07: one that cannot be found out has failed, the others are answered."""
    told = Told(
        verdicts={
            1: Verdict(Standing.GOOD, NOW),
            2: Verdict(Standing.REVOKED, NOW),
            3: Verdict(Standing.FAILED, reason="nobody"),
        }
    )
    wanted = [
        {
            "certificateHashData": {**HASHES, "serialNumber": number},
            "source": source,
            "urls": ["http://ocsp.example/"],
        }
        for number, source in (("1", "OCSP"), ("2", "CRL"), ("3", "OCSP"), ("zz", "OCSP"))
    ]
    request = {"certificateStatusRequests": wanted}
    answer, flags = await said("2.1", "GetCertificateChainStatus", request, told)
    words = [one["status"] for one in answer["certificateStatus"]]
    assert words == ["Good", "Revoked", "Failed", "Failed"]
    assert [asked.source for asked in told.asked] == [Source.OCSP, Source.CRL, Source.OCSP]
    assert answer["certificateStatus"][0]["nextUpdate"] == "2026-11-21T18:00:00.000Z"
    assert flags == {"certificate_status_failed"}
