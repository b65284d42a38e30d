"""What a campaign does in the single case: signatures, windows, a crash between store and send."""

import asyncio
import base64
from dataclasses import replace
from datetime import time, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from firmware_yard import QUICK, START_AT, Yard, chunks, yard

from voltyard.errors import Conflict, Invalid
from voltyard.firmware.commands import NewCampaign, NewImage
from voltyard.firmware.model import Failure, FirmwareImage, Signing, UpdateState, Window
from voltyard.firmware.sending import Sender
from voltyard.simulator.upkeep import Outcome, image_of
from voltyard.sites.commands import SiteDraft

CONTENT = image_of("2.0.0", 20_000)


def signature_of() -> tuple[str, str]:
    """(certificate PEM, signature base64) of CONTENT, valid at the time of the yard."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Acme firmware")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(START_AT - timedelta(days=30))
        .not_valid_after(START_AT + timedelta(days=30))
        .sign(key, SHA256())
    )
    signature = key.sign(CONTENT, ec.ECDSA(SHA256()))
    pem = certificate.public_bytes(Encoding.PEM).decode()
    return pem, base64.b64encode(signature).decode()


async def signed_image(there: Yard) -> FirmwareImage:
    certificate, signature = signature_of()
    new = NewImage(
        vendor="Voltyard Simulated",
        version="2.0.0",
        file_name="vy-2.0.0.bin",
        signature=signature,
        certificate=certificate,
    )
    return await there.firmware.add_image(there.who, new, chunks(CONTENT))


async def ended(there: Yard, campaign: object) -> None:
    async def over() -> bool:
        return await there.state_of(campaign) in ("done", "stopped")  # type: ignore[arg-type]

    await there.until(over)


async def actions(there: Yard, identity: str) -> set[str]:
    found = await there.server.core.chargers.frames(
        there.who.org_id, there.id_of(identity), limit=1000
    )
    return {frame.action for frame in found}


async def test_signed_updates_go_to_those_who_know_them(database_url: str, tmp_path: Path) -> None:
    rollout = replace(QUICK, canary=0, attempts=1)
    async with yard(database_url, tmp_path / "data") as there:
        there.add("NEW16")
        there.add("OLD16").upkeep.security_extension = False
        there.add("C201", "ocpp2.0.1")
        there.add("BAD201", "ocpp2.0.1").upkeep.outcome = Outcome.INVALID_SIGNATURE
        await there.until(lambda: all(c.uplink.online for c in there.chargers.values()))
        image = await signed_image(there)
        assert image.signature_fits is True
        stations = [there.id_of(identity) for identity in there.chargers]
        campaign = await there.campaign(image, stations, rollout)
        await ended(there, campaign)
        assert await there.states(campaign) == [UpdateState.DONE] * 3 + [UpdateState.FAILED]
        assert (await there.updates(campaign))[3].failure is Failure.SIGNATURE
        assert "SignedFirmwareStatusNotification" in await actions(there, "NEW16")
        old = await actions(there, "OLD16")
        assert {"SignedUpdateFirmware", "UpdateFirmware", "FirmwareStatusNotification"} <= old


async def test_only_signed_means_only_signed(database_url: str, tmp_path: Path) -> None:
    rollout = replace(QUICK, canary=0, attempts=1, signing=Signing.REQUIRED)
    async with yard(database_url, tmp_path / "data") as there:
        there.add("OLD16").upkeep.security_extension = False
        await there.until(lambda: there.chargers["OLD16"].uplink.online)
        stations = [there.id_of("OLD16")]
        with pytest.raises(Invalid):
            await there.campaign(await there.image(), stations, rollout)
        campaign = await there.campaign(await signed_image(there), stations, rollout)
        await ended(there, campaign)
        assert (await there.updates(campaign))[0].failure is Failure.UNSUPPORTED
        assert there.chargers["OLD16"].firmware == "1.0.0"


async def test_a_charger_that_takes_signed_firmware_only_says_so(
    database_url: str, tmp_path: Path
) -> None:
    async with yard(database_url, tmp_path) as there:
        there.add("CP00").upkeep.signed_only = True
        await there.until(lambda: there.chargers["CP00"].uplink.online)
        rollout = replace(QUICK, attempts=1)
        campaign = await there.campaign(await there.image(), [there.id_of("CP00")], rollout)
        await ended(there, campaign)
        assert (await there.updates(campaign))[0].failure is Failure.NEEDS_SIGNATURE


async def test_a_signature_of_another_file_is_refused_and_leaves_nothing(
    database_url: str, tmp_path: Path
) -> None:
    async with yard(database_url, tmp_path / "data") as there:
        certificate, signature = signature_of()
        new = NewImage(
            vendor="A", version="1", file_name="f", signature=signature, certificate=certificate
        )
        with pytest.raises(Invalid, match="not made over this file"):
            await there.firmware.add_image(there.who, new, chunks(b"another file"))
        left = [path for path in (tmp_path / "data" / "firmware").rglob("*") if path.is_file()]
        assert left == []


async def test_a_crash_between_store_and_send_is_noticed(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next process asks for the firmware status: Idle means that it was never asked."""
    never = asyncio.Event()

    async def stuck(self: Sender, order: object) -> None:
        await never.wait()

    async with yard(database_url, tmp_path) as there:
        stations = await there.add_fleet(2)
        with monkeypatch.context() as patched:
            patched.setattr(Sender, "send", stuck)
            rollout = replace(QUICK, canary=0)
            campaign = await there.campaign(await there.image(), stations, rollout)

            async def asked() -> bool:
                return await there.states(campaign) == [UpdateState.ASKED] * 2

            await there.until(asked)
            there.server.core.crash()
        clock = there.clock
    async with yard(database_url, tmp_path, clock) as there:
        await there.add_fleet(2)
        await ended(there, campaign)
        updates = await there.updates(campaign)
        assert [(u.state, u.attempt) for u in updates] == [(UpdateState.DONE, 1)] * 2


async def test_nobody_begins_outside_of_the_window(database_url: str, tmp_path: Path) -> None:
    """It is 23:00 at the site, 22:00 UTC."""
    closed = (Window(time(2), time(4)),)
    async with yard(database_url, tmp_path) as there:
        await there.server.core.sites.create_site(there.who, SiteDraft("Depot"))
        station = (await there.add_fleet(1))[0]
        campaign = await there.campaign(
            await there.image(), [station], replace(QUICK, windows=closed)
        )

        async def blocked() -> bool:
            return (await there.updates(campaign))[0].blocked == "window"

        await there.until(blocked)
        view = await there.firmware.cancel_campaign(there.who, campaign)
        assert view.progress.counts == {UpdateState.CANCELLED: 1}
        opened = replace(QUICK, windows=(Window(time(22, 30), time(2)),))
        image = (await there.firmware.images(there.who.org_id))[0][0]
        again = await there.campaign(image, [station], opened)
        await ended(there, again)
        assert await there.states(again) == [UpdateState.DONE]


async def test_offline_chargers_wait_and_pauses_hold(database_url: str, tmp_path: Path) -> None:
    async with yard(database_url, tmp_path) as there:
        stations = await there.add_fleet(1)
        gone = await there.server.core.chargers.create_station(there.who, "GONE")
        image = await there.image()
        new = NewCampaign(image.id, (gone.id, *stations), "x", QUICK)
        with pytest.raises(Invalid, match="not made for GONE"):
            await there.firmware.start_campaign(there.who, new)
        view = await there.firmware.start_campaign(there.who, replace(new, force=True))
        campaign = view.campaign.id

        async def blocked() -> bool:
            return (await there.updates(campaign))[0].blocked == "offline"

        await there.until(blocked)
        with pytest.raises(Conflict, match="Another campaign"):
            await there.campaign(image, stations)
        with pytest.raises(Conflict):
            await there.firmware.retire_image(there.who, image.id)
        await there.firmware.pause_campaign(there.who, campaign)
        canary = (await there.updates(campaign))[0]
        await there.firmware.leave_out(there.who, canary.id)
        await there.firmware.tick()
        assert there.chargers["CP00"].upkeep.updates == 0
        await there.firmware.resume_campaign(there.who, campaign)
        await ended(there, campaign)
        assert await there.states(campaign) == [UpdateState.CANCELLED, UpdateState.DONE]
        await there.firmware.retire_image(there.who, image.id)
        assert image.sha256 is not None
        assert not there.firmware.blobs.has(image.sha256)


async def test_chargers_that_have_it_are_skipped(database_url: str, tmp_path: Path) -> None:
    async with yard(database_url, tmp_path) as there:
        there.add("HAS", firmware="v2.0.0")
        there.add("NOT")
        await there.until(lambda: all(c.uplink.online for c in there.chargers.values()))
        stations = [there.id_of("HAS"), there.id_of("NOT")]
        campaign = await there.campaign(await there.image(), stations)
        await ended(there, campaign)
        assert await there.states(campaign) == [UpdateState.SKIPPED, UpdateState.DONE]
        assert there.chargers["HAS"].upkeep.updates == 0
