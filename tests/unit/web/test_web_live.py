"""The live hub: deltas, sequence numbers, gaps, bounded queues."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from uuid import UUID

import msgspec
import pytest

from tests.e2e.fake_auth import principal
from voltyard.clock import SystemClock
from voltyard.errors import NotFound
from voltyard.tenancy.model import Principal, Role
from voltyard.web.console.data import LiveRecord
from voltyard.web.live import Client, LiveHub, Topic, diff

WHO = principal(Role.VIEWER)


def decoded(frame: bytes | None) -> dict[str, object]:
    assert frame is not None
    found: dict[str, object] = msgspec.json.decode(frame)
    return found


class Source:
    """A topic whose records the test sets; counts how often it was asked."""

    def __init__(self) -> None:
        self.records: dict[str, LiveRecord] = {"a": {"p": 1}}
        self.reads = 0
        self.error: Exception | None = None

    async def __call__(self, who: Principal, topic: str) -> Mapping[str, LiveRecord]:
        self.reads += 1
        if topic == "secret":
            raise NotFound("There is no such topic.")
        if self.error is not None:
            raise self.error
        return dict(self.records)


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
async def hub(source: Source) -> LiveHub:
    return LiveHub(source, SystemClock(), flush_s=0.01)


def test_only_changed_fields_are_sent() -> None:
    changed, gone = diff({"a": {"p": 1, "s": 5}, "b": {"p": 2}}, {"a": {"p": 2, "s": 5}})
    assert changed == {"a": {"p": 2}}
    assert gone == ["b"]


def test_a_field_that_went_is_sent_as_nothing() -> None:
    changed, _ = diff({"a": {"p": 1, "v": "BUS"}}, {"a": {"p": 1}})
    assert changed == {"a": {"v": None}}


def test_a_new_key_is_sent_whole() -> None:
    assert diff({}, {"a": {"p": 1}}) == ({"a": {"p": 1}}, [])


def test_the_sequence_counts_frames_not_looks() -> None:
    topic = Topic("board:x")
    assert decoded(topic.advance({"a": {"p": 1}}))["q"] == 1
    assert topic.advance({"a": {"p": 1}}) is None
    assert decoded(topic.advance({"a": {"p": 2}}))["q"] == 2
    assert decoded(topic.snapshot()) == {"t": "board:x", "q": 2, "s": {"a": {"p": 2}}}


def test_applying_deltas_gives_the_snapshot() -> None:
    topic = Topic("t")
    seen: dict[str, dict[str, object]] = {}
    states = [{"a": {"p": 1}}, {"a": {"p": 2}, "b": {"p": 9}}, {"b": {"p": 9, "s": 4}}, {}]
    for state in states:
        frame = topic.advance(state)
        if frame is None:
            continue
        message = decoded(frame)
        for key, values in message["d"].items():  # type: ignore[attr-defined]
            seen.setdefault(key, {}).update(values)
        for key in message.get("x", []):  # type: ignore[attr-defined]
            del seen[key]
        assert seen == topic.records


async def test_a_full_queue_drops_the_oldest() -> None:
    client = Client(WHO, queue_frames=3)
    for number in range(5):
        client.offer(b"%d" % number)
    assert client.dropped == 2
    assert [await client.take() for _ in range(3)] == [b"2", b"3", b"4"]


async def test_joining_gives_a_snapshot_and_then_deltas(hub: LiveHub, source: Source) -> None:
    client = Client(WHO)
    await hub.join(client, "board:x")
    assert "s" in decoded(await client.take())
    source.records = {"a": {"p": 7}}
    assert decoded(await client.take())["d"] == {"a": {"p": 7}}
    await hub.close()


async def test_everybody_gets_the_same_frame_and_one_read_serves_all(
    hub: LiveHub, source: Source
) -> None:
    clients = [Client(WHO) for _ in range(5)]
    for client in clients:
        await hub.join(client, "board:x")
        await client.take()
    assert source.reads <= 2
    source.records = {"a": {"p": 3}}
    frames = [await client.take() for client in clients]
    assert len(set(frames)) == 1
    await hub.close()


async def test_a_snapshot_is_sent_again_on_request(hub: LiveHub) -> None:
    client = Client(WHO)
    await hub.join(client, "board:x")
    await client.take()
    hub.resend(client, "board:x")
    assert "s" in decoded(await client.take())
    await hub.close()


async def test_nobody_looking_means_no_reading(hub: LiveHub, source: Source) -> None:
    client = Client(WHO)
    await hub.join(client, "board:x")
    hub.leave(client, "board:x")
    assert hub.topic_count == 0
    reads = source.reads
    for _ in range(5):
        await asyncio.sleep(0)
    assert source.reads == reads


async def test_a_topic_that_is_not_theirs_is_refused(hub: LiveHub) -> None:
    client = Client(WHO)
    with pytest.raises(NotFound):
        await hub.join(client, "secret")
    assert hub.topic_count == 0


async def test_a_failing_read_does_not_end_the_topic(hub: LiveHub, source: Source) -> None:
    client = Client(WHO)
    await hub.join(client, "board:x")
    await client.take()
    source.error = RuntimeError("the database is away")
    while source.reads < 4:
        await SystemClock().sleep(0.01)
    source.error, source.records = None, {"a": {"p": 5}}
    assert decoded(await client.take())["d"] == {"a": {"p": 5}}
    await hub.close()


async def test_topics_of_two_organisations_never_meet(hub: LiveHub, source: Source) -> None:
    stranger = Principal(
        principal(Role.ADMIN).id, "user", WHO.id, "Other", WHO.permissions, Role.VIEWER
    )
    mine, theirs = Client(WHO), Client(stranger)
    await hub.join(mine, "alerts")
    await hub.join(theirs, "alerts")
    assert hub.topic_count == 2
    await hub.close()


async def test_a_tab_cannot_hold_endless_topics(hub: LiveHub) -> None:
    client = Client(WHO)
    for number in range(40):
        await hub.join(client, f"board:{number}")
    assert len(client.topics) == 16
    await hub.close()


class Tab:
    """A socket whose other end says nothing."""

    def __init__(self) -> None:
        self.closed: tuple[int, str] | None = None

    async def receive_data(self, mode: str) -> str:
        await asyncio.Event().wait()
        return ""

    async def send_data(self, text: str, mode: str) -> None:
        return None

    async def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)


@pytest.mark.parametrize(
    "later",
    [
        None,
        replace(WHO, org_id=UUID(int=5)),
        replace(WHO, permissions=frozenset()),
    ],
)
async def test_a_socket_ends_when_its_person_is_switched_off_or_works_elsewhere(
    source: Source, later: Principal | None
) -> None:
    hub = LiveHub(source, SystemClock(), flush_s=0.01, still_s=0.001)
    answers: list[Principal | Exception | None] = [WHO, OSError("the database is away"), WHO, later]

    async def still() -> Principal | None:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    tab = Tab()
    async with asyncio.timeout(10):
        await hub.serve(tab, WHO, still)  # type: ignore[arg-type]  # as much of one as is used
    assert tab.closed == (4401, "sign in")
    assert answers == []
    assert hub.topic_count == 0
