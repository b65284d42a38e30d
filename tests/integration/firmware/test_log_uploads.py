"""Logs brought by chargers of every make, and by clients that know nothing of voltyard."""

import asyncio
import shutil
import subprocess
import urllib.request
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from firmware_yard import Yard, yard

from voltyard.chargers.commands import LogKind
from voltyard.diagnostics import service
from voltyard.diagnostics.commands import NewLogRequest
from voltyard.diagnostics.model import LogFailure, LogState
from voltyard.diagnostics.service import LogView
from voltyard.errors import NotFound
from voltyard.simulator.courier import Upload

CONTENT = b"\x00\r\n--log\r\nline 1\r\n" * 5000


@dataclass
class Absent:
    """A charger's courier that only notes the address; the test brings the file itself."""

    urls: asyncio.Queue[str] = field(default_factory=asyncio.Queue)

    async def fetch(self, url: str) -> bytes:
        raise NotImplementedError

    async def bring(self, url: str, name: str, content: bytes, how: Upload) -> None:
        self.urls.put_nowait(url)


async def view(there: Yard, request: object) -> LogView:
    return await there.diagnostics.request(there.who.org_id, request.id)  # type: ignore[attr-defined]


async def until_closed(there: Yard, request: object) -> LogView:
    async def closed() -> bool:
        return not (await view(there, request)).request.open

    await there.until(closed)
    return await view(there, request)


async def content_of(there: Yard, found: LogView, place: int = 0) -> bytes:
    _, chunks = await there.diagnostics.opened(there.who, found.files[place].id)
    return b"".join([chunk async for chunk in chunks])


@pytest.fixture
async def there(database_url: str, tmp_path: Path) -> AsyncIterator[Yard]:
    async with yard(database_url, tmp_path) as opened:
        yield opened


async def test_chargers_bring_their_logs_each_in_its_way(there: Yard) -> None:
    ways = list(product(("ocpp1.6", "ocpp2.0.1"), Upload, (False, True)))
    for place, (protocol, how, _) in enumerate(ways):
        there.add(f"CP{place:02d}", protocol).upkeep.upload = how
    await there.until(lambda: all(c.uplink.online for c in there.chargers.values()))
    asked = []
    for place, (_, _, as_password) in enumerate(ways):
        new = NewLogRequest(as_password=as_password)
        asked.append(await there.diagnostics.ask(there.who, there.id_of(f"CP{place:02d}"), new))
    for place, (request, way) in enumerate(zip(asked, ways, strict=True)):
        await until_closed(there, request)
        await there.diagnostics.settle()
        found = await view(there, request)
        assert (found.request.state, found.request.failure) == (LogState.DONE, None), way
        assert [file.name for file in found.files] == [found.request.announced], way
        assert f"of CP{place:02d}".encode() in await content_of(there, found)


async def test_a_1_6_charger_with_the_new_message_only_is_asked_by_it(there: Yard) -> None:
    upkeep = there.add("CP00").upkeep
    upkeep.plain_log = False
    await there.until(lambda: there.chargers["CP00"].uplink.online)
    request = await there.diagnostics.ask(there.who, there.id_of("CP00"), NewLogRequest())
    assert (await until_closed(there, request)).request.state is LogState.DONE
    new = NewLogRequest(kind=LogKind.SECURITY)
    request = await there.diagnostics.ask(there.who, there.id_of("CP00"), new)
    found = await until_closed(there, request)
    assert b"SecurityLog" in await content_of(there, found)


async def test_a_charger_that_has_none_or_knows_none_says_so(there: Yard) -> None:
    upkeep = there.add("CP00").upkeep
    upkeep.has_log = False
    await there.until(lambda: there.chargers["CP00"].uplink.online)
    request = await there.diagnostics.ask(there.who, there.id_of("CP00"), NewLogRequest())
    assert (await until_closed(there, request)).request.failure is LogFailure.NOTHING
    upkeep.plain_log = upkeep.security_extension = False
    request = await there.diagnostics.ask(there.who, there.id_of("CP00"), NewLogRequest())
    assert (await until_closed(there, request)).request.failure is LogFailure.UNSUPPORTED


async def test_uploaded_and_nothing_there_is_a_failure(there: Yard) -> None:
    there.add("CP00").upkeep.courier = Absent()  # type: ignore[assignment]
    await there.until(lambda: there.chargers["CP00"].uplink.online)
    request = await there.diagnostics.ask(there.who, there.id_of("CP00"), NewLogRequest())
    found = await until_closed(there, request)
    assert found.request.failure is LogFailure.NOTHING_ARRIVED


def by_urllib(url: str) -> None:
    asked = urllib.request.Request(f"{url}a.zip", data=CONTENT, method="PUT")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(asked, timeout=20) as answer:
        assert answer.status == 200


def by_urllib_chunked(url: str) -> None:
    """Without a length: Transfer-Encoding: chunked."""
    pieces = iter([CONTENT[:7], CONTENT[7:]])
    asked = urllib.request.Request(url, data=pieces, method="POST")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(asked, timeout=20) as answer:
        assert answer.status == 200


def by_httpx_form(url: str) -> None:
    fields = {"user": "x", "comment": "y" * 5000}
    files = {"diagnostics": ("a.zip", CONTENT, "application/zip")}
    with httpx.Client(trust_env=False) as client:
        assert client.post(url, data=fields, files=files).status_code == 200


def by_curl(*arguments: str) -> Callable[[str], None]:
    def bring(url: str) -> None:
        said = subprocess.run(
            ["curl", "--noproxy", "*", "-sS", "-w", "%{http_code}", *arguments, url],
            input=CONTENT,
            capture_output=True,
            check=True,
        )
        assert said.stdout.decode().endswith("200"), said

    return bring


OURS = {
    "urllib": by_urllib,
    "urllib chunked": by_urllib_chunked,
    "httpx form": by_httpx_form,
}
CURL = {
    "curl -T (PUT)": by_curl("-T", "-"),
    "curl PUT with Expect": by_curl("-T", "-", "-H", "Expect: 100-continue"),
    "curl POST": by_curl("--data-binary", "@-", "-H", "Content-Type: application/octet-stream"),
    "curl form": by_curl("-F", "file=@-;filename=a.zip"),
    "curl form without a file name": by_curl("-F", "file=<-"),
}
CLIENTS = {**OURS, **(CURL if shutil.which("curl") else {})}


async def test_clients_of_all_kinds_are_served(there: Yard) -> None:
    charger = there.add("CP00")
    charger.upkeep.courier = courier = Absent()  # type: ignore[assignment]
    await there.until(lambda: charger.uplink.online)
    for name, bring in CLIENTS.items():
        request = await there.diagnostics.ask(there.who, there.id_of("CP00"), NewLogRequest())
        url = await asyncio.wait_for(courier.urls.get(), 30)
        await asyncio.to_thread(bring, url)
        found = await until_closed(there, request)
        assert found.request.state is LogState.DONE, name
        assert [file.size_bytes for file in found.files] == [len(CONTENT)], name
        assert await content_of(there, found) == CONTENT


async def test_an_address_ends_with_its_upload_and_takes_what_it_should(
    there: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "LOG_MAX_BYTES", 1000)
    charger = there.add("CP00", "ocpp2.0.1")
    charger.upkeep.courier = courier = Absent()  # type: ignore[assignment]
    await there.until(lambda: charger.uplink.online)
    request = await there.diagnostics.ask(there.who, there.id_of("CP00"), NewLogRequest())
    url = await asyncio.wait_for(courier.urls.get(), 30)
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(url)).status_code == 405
        assert (await client.put(url, content=b"")).status_code == 400
        assert (await client.put(url, content=b"x" * 1001)).status_code == 413
        odd = {"content-type": "multipart/form-data"}
        assert (await client.post(url, content=b"x", headers=odd)).status_code == 400
        spoilt = {"content-type": "multipart/form-data; boundary=b"}
        assert (await client.post(url, content=b"--b\r\nno", headers=spoilt)).status_code == 400
        fields = {"comment": (None, "only a field")}
        assert (await client.post(url, files=fields)).status_code == 400
        parts = urlsplit(url)
        guess = f"{parts.scheme}://{parts.netloc}/files/logs/{'0' * 32}/a.log"
        assert (await client.put(guess, content=b"x")).status_code == 404
        assert (await client.put(f"{url}../../../etc/x.log", content=b"a")).status_code in (
            200,
            404,
        )
        assert (await client.put(f"{url}a.log", content=b"x" * 1000)).status_code == 200
        found = await until_closed(there, request)
        assert found.request.state is LogState.DONE
        assert (await client.put(f"{url}late.log", content=b"x")).status_code == 404
    assert not list(there.diagnostics.blobs._folder.glob("tmp*"))


async def test_a_new_request_ends_the_one_before(there: Yard) -> None:
    charger = there.add("CP00", "ocpp2.0.1")
    charger.upkeep.courier = Absent()  # type: ignore[assignment]
    await there.until(lambda: charger.uplink.online)
    first = await there.diagnostics.ask(there.who, there.id_of("CP00"), NewLogRequest())
    await there.diagnostics.ask(there.who, there.id_of("CP00"), NewLogRequest())
    assert (await view(there, first)).request.state is LogState.CANCELLED


async def test_files_are_deleted_by_people_and_by_age(there: Yard) -> None:
    there.add("CP00", "ocpp2.0.1")
    await there.until(lambda: there.chargers["CP00"].uplink.online)
    station = there.id_of("CP00")
    for _ in range(2):
        request = await there.diagnostics.ask(there.who, station, NewLogRequest())
        found = await until_closed(there, request)
    blobs = there.diagnostics.blobs
    assert blobs.has(found.files[0].sha256)
    await there.diagnostics.delete_file(there.who, found.files[0].id)
    assert not blobs.has(found.files[0].sha256)
    with pytest.raises(NotFound):
        await there.diagnostics.opened(there.who, found.files[0].id)
    there.diagnostics._keep_days = -1
    assert await there.diagnostics.expire() == 1
    left, total = await there.diagnostics.requests(there.who.org_id, station)
    assert (total, [view.files for view in left]) == (2, [(), ()])
