"""Certificates and security by REST: who may, what is answered, what a program downloads."""

from uuid import uuid4

from api_world import Tenant, World
from cryptography import x509

from voltyard.chargers.model import StationRef
from voltyard.tenancy.model import ROLE_PERMISSIONS, Permission, Role


async def refused(tenant: Tenant, method: str, path: str, body: object) -> None:
    answer = await tenant.call(method, path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), answer.text


async def test_policy_and_trust_are_an_administrators(world: World) -> None:
    mine = await world.tenant("Mine")
    technician = await world.key(mine.who, mine.email, ROLE_PERMISSIONS[Role.TECHNICIAN])
    assert (await technician.get("/pki/policy"))["issuer"] == "built_in"
    wanted = {"organisation": "Stadtwerke", "issuer": "external", "valid_days": 90}
    await refused(technician, "PUT", "/pki/policy", wanted)
    made = await mine.put("/pki/policy", wanted)
    assert made["renew_days"] == 30
    assert await technician.get("/pki/policy") == made
    (authority,) = (await mine.get("/pki/authorities"))["items"]
    body = {"name": "Corporate", "use": "operator", "certificates": authority["root"]}
    await refused(technician, "POST", "/pki/anchors", body)
    (anchor,) = (await mine.post("/pki/anchors", body))["items"]
    again = await mine.call("POST", "/pki/anchors", json=body)
    assert again.status_code == 409
    assert (await technician.get("/pki/anchors"))["total"] == 1
    assert (await mine.call("DELETE", f"/pki/anchors/{anchor['id']}")).status_code == 204
    assert (await mine.get("/pki/anchors"))["items"] == []
    wrong = await mine.call("POST", "/pki/anchors", json={**body, "certificates": "x"})
    assert wrong.status_code == 422
    crl = await mine.call("POST", "/pki/revocations", json={"crl": "x"})
    assert (crl.status_code, crl.json()["code"]) == (422, "crl")
    assert (await mine.get("/pki/revocations"))["items"] == []


async def test_roots_and_the_list_of_revocations_are_files(world: World) -> None:
    mine = await world.tenant("Mine")
    answer = await mine.call("GET", "/pki/roots")
    assert answer.headers["content-type"].startswith("application/x-pem-file")
    assert 'filename="voltyard-roots.pem"' in answer.headers["content-disposition"]
    (root,) = x509.load_pem_x509_certificates(answer.content)
    (authority,) = (await mine.get("/pki/authorities"))["items"]
    assert root.subject.rfc4514_string() == authority["subject"]
    listed = await mine.call("GET", "/pki/authorities/ec-p256/crl")
    crl = x509.load_pem_x509_crl(listed.content)
    issuing = x509.load_pem_x509_certificate(authority["issuing"].encode())
    assert crl.is_signature_valid(issuing.public_key())  # type: ignore[arg-type]
    assert (await mine.call("GET", "/pki/authorities/rsa-3072/crl")).status_code == 404
    assert "PRIVATE" not in answer.text + listed.text


async def test_a_new_root_by_rest(world: World) -> None:
    mine = await world.tenant("Mine")
    technician = await world.key(mine.who, mine.email, frozenset({Permission.CHARGERS_WRITE}))
    assert (await mine.call("POST", "/pki/authorities/ec-p256/succeed")).status_code == 404
    await mine.get("/pki/authorities")
    await refused(technician, "POST", "/pki/authorities/ec-p256/succeed", {})
    made = (await mine.call("POST", "/pki/authorities/ec-p256/succeed")).json()["items"]
    assert [(a["generation"], a["current"]) for a in made] == [(2, True), (1, False)]
    assert (await mine.call("DELETE", "/pki/authorities/ec-p256/2")).status_code == 404
    assert (await mine.call("DELETE", "/pki/authorities/ec-p256/1")).status_code == 204
    assert len((await mine.get("/pki/authorities"))["items"]) == 1


async def test_security_of_a_station(world: World) -> None:
    mine, theirs = await world.tenant("Mine"), await world.tenant("Theirs")
    viewer = await world.key(mine.who, mine.email, frozenset({Permission.VIEW}))
    station = await mine.post("/stations", {"identity": "CP-S", "password": "sixteen letters x"})
    path = f"/stations/{station['id']}"
    shown = await viewer.get(f"{path}/security")
    assert (shown["required"], shown["connected_profile"], shown["installed"]) == (0, None, [])
    await refused(viewer, "PUT", f"{path}/certificate-name", {"certificate_name": "SN-1"})
    await refused(viewer, "POST", f"{path}/certificate-request", {})
    await refused(viewer, "POST", f"{path}/security-profile", {"profile": 2})
    await refused(viewer, "POST", f"{path}/roots", {})
    await refused(viewer, "POST", f"{path}/password/rotate", {})
    away = await mine.call("POST", f"{path}/password/rotate")
    assert (away.status_code, away.json()["code"]) == (409, "charger_offline")
    named = await mine.put(f"{path}/certificate-name", {"certificate_name": "SN-1"})
    assert named["certificate_name"] == "SN-1"
    low = await mine.put(f"{path}/required-profile", {"profile": 1, "reason": "a bench"})
    assert low["required"] == 1
    offline = await mine.call("POST", f"{path}/certificate-request")
    assert (offline.status_code, offline.json()["code"]) == (409, "charger_offline")
    (row,) = (await mine.get("/security"))["items"]
    assert row["identity"] == "CP-S"
    assert (await theirs.get("/security"))["items"] == []


async def test_a_step_for_many_stations_tells_of_each(world: World) -> None:
    mine = await world.tenant("Mine")
    viewer = await world.key(mine.who, mine.email, frozenset({Permission.VIEW}))
    station = await mine.post("/stations", {"identity": "CP-M", "password": "sixteen letters x"})
    ids = [station["id"], str(uuid4())]
    await refused(viewer, "POST", "/security/steps", {"station_ids": ids, "step": "root"})
    for step in ("root", "certificate", "profile", "password"):
        done = await mine.post("/security/steps", {"station_ids": ids, "step": step}, 200)
        codes = [row["code"] for row in done["items"]]
        assert codes[0] in {"charger_offline", "tls"}
        assert codes[1] == "not_found"


async def test_security_events_are_filtered(world: World) -> None:
    mine, theirs = await world.tenant("Mine"), await world.tenant("Theirs")
    station = await mine.post("/stations", {"identity": "CP-E", "password": "sixteen letters x"})
    known = next(v for v in world.core.chargers.list_stations(mine.who.org_id))
    assert isinstance(known.station.ref, StationRef)
    for kind in ("TamperDetectionActivated", "InvalidMessages"):
        at = world.core.clock.now()
        await world.core.chargers.security_event(known.station.ref, kind, at, "seen")
    assert len((await mine.get("/security-events"))["items"]) == 2
    found = await mine.get("/security-events?critical=true")
    assert [event["kind"] for event in found["items"]] == ["TamperDetectionActivated"]
    assert found["items"][0]["station_id"] == station["id"]
    assert (await mine.get(f"/security-events?station_id={uuid4()}"))["items"] == []
    assert (await mine.get("/security-events?source=voltyard"))["items"] == []
    assert (await mine.get("/security-events?limit=1"))["more"] is True
    assert (await theirs.get("/security-events"))["items"] == []


async def test_requests_of_stations(world: World) -> None:
    mine = await world.tenant("Mine")
    await mine.post("/stations", {"identity": "CP-C", "password": "sixteen letters x"})
    known = next(v for v in world.core.chargers.list_stations(mine.who.org_id))
    assert not await world.core.chargers.certificate_requested(known.station.ref, "nonsense")
    (row,) = (await mine.get("/certificates?state=refused"))["items"]
    assert "cannot be read" in row["reason"]
    assert (await mine.get("/certificates?state=in_use"))["items"] == []
    file = await mine.call("GET", f"/certificates/{row['id']}/request")
    assert file.text == "nonsense"
    chain = await mine.call("PUT", f"/certificates/{row['id']}/chain", json={"chain": "x"})
    assert chain.status_code == 409
    revoke = await mine.call("POST", f"/certificates/{row['id']}/revoke", json={"reason": "x"})
    assert revoke.status_code == 409
