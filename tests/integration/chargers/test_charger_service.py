"""The charger service against the real database."""

import asyncio
from uuid import UUID, uuid4

import pytest
from charger_yard import START_AT, FakeLink, Yard

from voltyard.chargers.commands import CommandResult, CommandStatus, Reset
from voltyard.chargers.events import (
    EvsesChanged,
    EvseStatusChanged,
    StationApproved,
    StationConnected,
    StationDisconnected,
    StationSeen,
)
from voltyard.chargers.model import (
    Admission,
    BootDecision,
    BootInfo,
    BootStatus,
    ConfigRow,
    EvseStatus,
    Frame,
    FrameFilter,
    Station,
    StationRef,
    StationState,
    StatusReport,
)
from voltyard.chargers.service import ChargerService
from voltyard.errors import (
    ChargerOffline,
    ChargerTimeout,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
)
from voltyard.tenancy import scope
from voltyard.tenancy.model import Role


async def knock(
    service: ChargerService, identity: str = "CP1", password: str | None = None, remote: str = "r"
) -> tuple[Admission, Station | None]:
    admitted = await service.admit(identity, password, remote=remote, subprotocols=["ocpp1.6"])
    return admitted.admission, admitted.station


async def approved(yard: Yard) -> tuple[ChargerService, Station]:
    service = await yard.service(allow_no_password=True, auto_approve=True)
    _, station = await knock(service)
    assert station is not None
    return service, station


async def test_unknown_station_is_held_and_boots_pending(yard: Yard) -> None:
    service = await yard.service()
    admission, station = await knock(service, password="secret-of-cp1")
    assert admission is Admission.ACCEPT
    assert station is not None
    assert station.state is StationState.PENDING
    assert yard.seen(StationSeen)[0].identity == "CP1"
    reply = await service.booted(station.ref, BootInfo("Maker", "One"))
    assert reply.status is BootStatus.PENDING
    row = (await yard.rows("SELECT * FROM stations"))[0]
    assert (row["state"], row["vendor"], row["site_id"]) == ("pending", "Maker", None)


async def test_first_password_of_a_stranger_becomes_its_own(yard: Yard) -> None:
    service = await yard.service()
    await knock(service, password="secret-of-cp1")
    again = await yard.service()
    assert (await knock(again, password="secret-of-cp1"))[0] is Admission.ACCEPT
    assert (await knock(again, password="another-one"))[0] is Admission.UNAUTHORISED
    assert (await knock(again))[0] is Admission.UNAUTHORISED


async def test_without_password_only_if_allowed(yard: Yard) -> None:
    service = await yard.service()
    assert (await knock(service))[0] is Admission.UNAUTHORISED
    views = service.list_stations(yard.org_id)
    assert [view.station.identity for view in views] == ["CP1"], "held, so that it is seen"
    assert "no_password_sent" in views[0].station.flags
    lenient = await yard.service(allow_no_password=True)
    assert (await knock(lenient))[0] is Admission.ACCEPT


async def test_guessing_is_slowed_but_a_remembered_password_always_works(yard: Yard) -> None:
    service = await yard.service()
    await knock(service, password="secret-of-cp1")
    for _ in range(3):
        assert (await knock(service, password="wrong-one"))[0] is Admission.UNAUTHORISED
    answer = await service.admit("CP1", "wrong-one", remote="r", subprotocols=[])
    assert answer.admission is Admission.BUSY
    assert answer.retry_after_s == 1
    assert (await knock(service, password="secret-of-cp1"))[0] is Admission.ACCEPT
    yard.clock.advance(5)
    assert (await knock(service, password="wrong-one"))[0] is Admission.UNAUTHORISED


async def test_guessing_is_slowed_whatever_port_the_guesser_comes_from(yard: Yard) -> None:
    service = await yard.service(auto_approve=True)
    await knock(service, password="the right one, of its own")
    for port in range(50_000, 50_003):
        await knock(service, password="guess", remote=f"192.0.2.7:{port}")
    assert (await knock(service, password="guess", remote="192.0.2.7:50003"))[0] is Admission.BUSY
    for port in range(50_000, 50_003):
        await knock(service, password="guess", remote=f"2001:db8::7:{port}")
    busy, _ = await knock(service, password="guess", remote="2001:db8::7:50003")
    assert busy is Admission.BUSY


async def test_pending_stations_are_bounded(yard: Yard) -> None:
    service = await yard.service(allow_no_password=True, pending_max=2)
    assert (await knock(service, "A"))[0] is Admission.ACCEPT
    assert (await knock(service, "B"))[0] is Admission.ACCEPT
    assert (await knock(service, "C"))[0] is Admission.BUSY
    assert len(await yard.rows("SELECT 1 AS x FROM stations")) == 2


@pytest.mark.parametrize("identity", ["", "a/b", "x" * 129, "nul\x00", "line\nbreak"])
async def test_impossible_identities_are_unknown(yard: Yard, identity: str) -> None:
    service = await yard.service(allow_no_password=True)
    assert (await knock(service, identity))[0] is Admission.UNKNOWN
    assert await yard.rows("SELECT 1 AS x FROM stations") == []


async def test_new_link_replaces_the_old_at_once(yard: Yard) -> None:
    service, station = await approved(yard)
    old, new = FakeLink(station.ref), FakeLink(station.ref)
    await service.connected(old)
    await service.connected(new)
    await service.close()
    assert service.link(station.id) is new
    assert old.closed == "replaced by a new connection"
    await service.disconnected(old, "closed")
    assert service.link(station.id) is new
    assert yard.seen(StationDisconnected) == []
    await service.disconnected(new, "closed")
    assert service.link(station.id) is None
    assert len(yard.seen(StationConnected)) == 2
    assert not (await yard.rows("SELECT connected FROM stations"))[0]["connected"]


async def test_what_happened_is_told_though_the_database_does_not_take_it(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A charger does not tell its status again, and a lost link stays lost."""
    service, station = await approved(yard)
    link = FakeLink(station.ref)
    await service.connected(link)
    await service.ensure_evse(station.ref, 1)

    async def away(*_: object) -> None:
        raise ConnectionResetError("the database restarts")

    monkeypatch.setattr(yard.commits, "submit", away)
    with pytest.raises(ConnectionResetError):
        await service.status(station.ref, StatusReport(1, 1, EvseStatus.CHARGING, START_AT))
    assert [event.status for event in yard.seen(EvseStatusChanged)] == ["charging"]
    with pytest.raises(ConnectionResetError):
        await service.disconnected(link, "closed")
    assert len(yard.seen(StationDisconnected)) == 1


async def test_connectors_that_name_themselves_get_rows(yard: Yard) -> None:
    service, station = await approved(yard)
    report = StatusReport(2, 1, EvseStatus.CHARGING, START_AT)
    await service.status(station.ref, report)
    await service.status(station.ref, report)
    row = (await yard.rows("SELECT * FROM evses"))[0]
    assert (row["number"], row["status"], row["site_id"]) == (2, "charging", yard.site_id)
    view = service.station_view(yard.org_id, station.id)
    assert [evse.number for evse in view.unbound] == [2]
    assert view.connectors[row["id"]][0].status is EvseStatus.CHARGING
    assert len(yard.seen(EvsesChanged)) == 1
    assert len(yard.seen(EvseStatusChanged)) == 2
    await service.status(station.ref, StatusReport(0, 0, EvseStatus.FAULTED, START_AT))
    assert service.station_view(yard.org_id, station.id).status is EvseStatus.FAULTED


async def test_self_made_evses_are_bounded(yard: Yard) -> None:
    service = await yard.service(allow_no_password=True, auto_approve=True, evses_max=3)
    _, station = await knock(service)
    assert station is not None
    for number in range(1, 10):
        await service.status(station.ref, StatusReport(number, 1, EvseStatus.AVAILABLE, START_AT))
    assert len(await yard.rows("SELECT 1 AS x FROM evses")) == 3
    assert "too_many_evses" in service.station_view(yard.org_id, station.id).station.flags


async def test_one_connector_in_use_decides_for_the_evse(yard: Yard) -> None:
    service, station = await approved(yard)
    for number, status in ((1, EvseStatus.OCCUPIED), (2, EvseStatus.AVAILABLE)):
        await service.status(station.ref, StatusReport(1, number, status, START_AT))
    evse = service.outlet(station.id, 1)
    assert evse is not None
    assert evse.status is EvseStatus.OCCUPIED


async def test_a_clock_of_1970_does_not_date_a_status(yard: Yard) -> None:
    service, station = await approved(yard)
    long_ago = START_AT.replace(year=1970)
    await service.status(station.ref, StatusReport(1, 1, EvseStatus.AVAILABLE, long_ago))
    assert (await yard.rows("SELECT status_at FROM evses"))[0]["status_at"] == START_AT


async def test_approval_asks_a_waiting_charger_to_boot_again(yard: Yard) -> None:
    service = await yard.service(allow_no_password=True)
    _, station = await knock(service)
    assert station is not None
    link = FakeLink(station.ref)
    await service.connected(link)
    done = await service.approve(yard.principal(), station.id, site_id=yard.site_id)
    await service.close()
    assert done.state is StationState.APPROVED
    assert [type(command).__name__ for command in link.sent] == ["Trigger"]
    assert yard.seen(StationApproved)[0].site_id == yard.site_id
    assert [entry[0] for entry in yard.audited] == ["station.approve"]
    reply = await service.booted(station.ref, BootInfo("Maker", "One"))
    assert reply.status is BootStatus.ACCEPTED
    with pytest.raises(Conflict):
        await service.approve(yard.principal(), station.id)


class Guard:
    """Guards a site's limits by a word that is set."""

    def __init__(self, decision: BootDecision) -> None:
        self.decision = decision
        self.asked = 0

    def at_boot(self, station: StationRef) -> BootDecision:
        self.asked += 1
        return self.decision


async def test_a_charger_on_the_tree_is_accepted_when_its_limit_is_confirmed(yard: Yard) -> None:
    service, station = await approved(yard)
    guard = service.guard = Guard(BootDecision.WAIT)
    info = BootInfo("Maker", "One")
    assert (await service.booted(station.ref, info)).status is BootStatus.ACCEPTED
    assert guard.asked == 0, "it has no outlet on the tree"
    node_id = uuid4()
    async with scope.transaction(yard.database, scope.SYSTEM) as tx:
        await tx.execute(
            "INSERT INTO nodes (id, org_id, site_id, kind, name)"
            " VALUES (:id, :org, :site, 'grid', 'Grid')",
            {"id": node_id, "org": yard.org_id, "site": yard.site_id},
        )
    await service.save_evse(yard.principal(), station.id, 1, node_id=node_id)
    reply = await service.booted(station.ref, info)
    assert (reply.status, reply.held, reply.interval_s) == (BootStatus.PENDING, True, 10)
    guard.decision = BootDecision.ACCEPT_UNLIMITED
    reply = await service.booted(station.ref, info)
    assert (reply.status, reply.held, reply.interval_s) == (BootStatus.ACCEPTED, False, 300)
    known = service.station(station.id)
    assert known is not None
    assert "no_failsafe_at_boot" in known.flags


async def test_rejected_station_is_cut_off_and_stays_out(yard: Yard) -> None:
    service, station = await approved(yard)
    link = FakeLink(station.ref)
    await service.connected(link)
    await service.reject(yard.principal(), station.id)
    assert link.closed == "station rejected"
    assert (await knock(service))[0] is Admission.UNKNOWN
    assert (await knock(await yard.service(allow_no_password=True)))[0] is Admission.UNKNOWN


async def test_only_who_may_changes_chargers_and_only_their_own(yard: Yard) -> None:
    service, station = await approved(yard)
    with pytest.raises(Forbidden):
        await service.reject(yard.principal(Role.DISPATCHER), station.id)
    stranger = yard.principal()
    object.__setattr__(stranger, "org_id", uuid4())
    with pytest.raises(NotFound):
        await service.reject(stranger, station.id)
    with pytest.raises(NotFound):
        await service.frames(uuid4(), station.id)
    assert service.list_stations(uuid4()) == []


async def test_password_set_by_a_person_replaces_the_old(yard: Yard) -> None:
    service = await yard.service()
    station = await service.create_station(
        yard.principal(), "CP9", site_id=yard.site_id, password="first-password"
    )
    assert (await knock(service, "CP9", "first-password"))[0] is Admission.ACCEPT
    await service.set_password(yard.principal(), station.id, "second-password")
    assert (await knock(service, "CP9", "first-password"))[0] is Admission.UNAUTHORISED
    assert (await knock(service, "CP9", "second-password"))[0] is Admission.ACCEPT
    with pytest.raises(Invalid):
        await service.set_password(yard.principal(), station.id, "short")
    with pytest.raises(Conflict):
        await service.create_station(yard.principal(), "CP9")
    stored = (await yard.rows("SELECT password_hash FROM stations"))[0]["password_hash"]
    assert "second-password" not in stored


async def test_evse_is_bound_to_node_and_bay_of_its_site(yard: Yard) -> None:
    service, station = await approved(yard)
    node_id = await _node(yard)
    evse = await service.save_evse(
        yard.principal(), station.id, 1, node_id=node_id, max_power_w=75_000.0, name="Bay 1"
    )
    assert service.outlet(station.id, 1) == evse
    assert service.station_view(yard.org_id, station.id).unbound == ()
    changed = await service.save_evse(yard.principal(), station.id, 1, min_power_w=5_000.0)
    assert (changed.id, changed.max_power_w, changed.name) == (evse.id, 75_000.0, "Bay 1")
    with pytest.raises(Invalid):
        await service.save_evse(yard.principal(), station.id, 1, bay_id=uuid4())
    with pytest.raises(Invalid):
        await service.save_evse(yard.principal(), station.id, 1, phases=4)
    with pytest.raises(Invalid):
        await service.save_evse(yard.principal(), station.id, 1, org_id=uuid4())


async def _node(yard: Yard) -> UUID:
    node_id = uuid4()
    await yard.rows(
        "INSERT INTO nodes (id, org_id, site_id, kind, name) VALUES"
        " (:id, :org, :site, 'grid', 'Grid') RETURNING id",
        id=node_id,
        org=yard.org_id,
        site=yard.site_id,
    )
    return node_id


async def test_command_and_answer_are_kept(yard: Yard) -> None:
    service, station = await approved(yard)
    link = FakeLink(station.ref)
    link.answer = CommandResult(CommandStatus.ACCEPTED, "Accepted", {"x": 1}, 12.5)
    await service.connected(link)
    result = await service.command(station.id, Reset(hard=True), "Ada")
    assert result.accepted
    record = (await service.commands(yard.org_id, station.id))[0]
    assert (record.action, record.status, record.word) == ("Reset", "accepted", "Accepted")
    assert (record.request, record.response) == ({"hard": True, "evse_number": None}, {"x": 1})
    assert (record.requested_by, record.latency_ms) == ("Ada", 12.5)


async def test_failed_commands_are_kept_too(yard: Yard) -> None:
    service, station = await approved(yard)
    with pytest.raises(ChargerOffline):
        await service.command(station.id, Reset(), "Ada")
    link = FakeLink(station.ref, answer=ChargerTimeout("no answer in 30 s"))
    await service.connected(link)
    yard.clock.advance(1)
    with pytest.raises(ChargerTimeout):
        await service.command(station.id, Reset(), "Ada")
    statuses = [record.status for record in await service.commands(yard.org_id, station.id)]
    assert statuses == ["charger_timeout", "charger_offline"]


async def test_configuration_is_kept_and_a_complete_report_forgets_the_rest(yard: Yard) -> None:
    service, station = await approved(yard)
    first = [ConfigRow("A", "1"), ConfigRow("B", None, readonly=True, evse_number=1)]
    await service.configuration_reported(station.ref, first, complete=True)
    yard.clock.advance(10)
    await service.configuration_reported(station.ref, [ConfigRow("A", "2")], complete=False)
    assert len(await service.config(yard.org_id, station.id)) == 2
    yard.clock.advance(10)
    await service.configuration_reported(station.ref, [ConfigRow("A", "3")], complete=True)
    entries = await service.config(yard.org_id, station.id)
    assert [(entry.row.name, entry.row.value) for entry in entries] == [("A", "3")]


async def test_flags_are_counted_and_written_lazily(yard: Yard) -> None:
    service, station = await approved(yard)
    for count in range(3):
        service.flag(station.ref, "serial_too_long", f"S{count}\x00")
    service.maintain()
    flags = (await yard.rows("SELECT flags FROM stations"))[0]["flags"]
    assert (flags["serial_too_long"]["count"], flags["serial_too_long"]["detail"]) == (3, "S2")
    again = await yard.service()
    assert again.station_view(yard.org_id, station.id).flags[0].count == 3
    for count in range(200):
        service.flag(station.ref, f"odd{count}", "")
    assert len(service.station_view(yard.org_id, station.id).flags) <= 65


def frame(station: Station, number: int, **columns: object) -> Frame:
    base = {
        "at": START_AT,
        "org_id": station.org_id,
        "station_id": station.id,
        "direction": "in",
        "kind": "call",
        "message_id": f"m{number}",
        "action": "Heartbeat",
        "payload": "{}",
    }
    return Frame(**{**base, **columns})  # type: ignore[arg-type]


async def test_frames_are_logged_cut_and_found(yard: Yard) -> None:
    service, station = await approved(yard)
    service.frame(frame(station, 1, payload="x" * 20_000))
    service.frame(frame(station, 2, action="Authorize", payload='{"idTag":"50%\x00"}'))
    service.frame(frame(station, 3, direction="out", kind="error", error_code="InternalError"))
    await yard.commits.flush()

    async def found(**wanted: object) -> list[str]:
        asked = FrameFilter(**wanted)  # type: ignore[arg-type]
        rows = await service.frames(yard.org_id, station.id, asked)
        return sorted(row.message_id for row in rows)

    assert await found() == ["m1", "m2", "m3"]
    assert await found(action="Authorize") == ["m2"]
    assert await found(text="50%") == ["m2"]
    assert await found(errors_only=True) == ["m3"]
    assert await found(direction="out") == ["m3"]
    assert await found(from_at=yard.clock.advance(60)) == []
    cut = (await service.frames(yard.org_id, station.id, FrameFilter(text="xxx")))[0]
    assert cut.payload.endswith("… (20000 characters)")
    assert len(cut.payload) < 16_500


async def test_data_of_a_known_vendor_reaches_its_handler(yard: Yard) -> None:
    service, station = await approved(yard)
    got: list[tuple[str | None, str | None]] = []

    async def handler(ref: object, message_id: str | None, data: str | None) -> None:
        got.append((message_id, data))

    service.on_data("com.maker", handler)
    assert await service.data_received(station.ref, "com.Maker", "m", "d")
    assert not await service.data_received(station.ref, "else", None, None)
    assert got == [("m", "d")]


async def test_a_storm_of_stations_at_once(yard: Yard) -> None:
    """steve#2107: stations that connect together must not end in a deadlock."""
    service = await yard.service(allow_no_password=True, auto_approve=True)

    async def arrive(number: int) -> None:
        _, station = await knock(service, f"CP{number % 20}")
        assert station is not None
        await service.connected(FakeLink(station.ref))
        await service.booted(station.ref, BootInfo("Maker", "One"))
        for outlet in (2, 1):
            await service.status(
                station.ref, StatusReport(outlet, 1, EvseStatus.AVAILABLE, START_AT)
            )

    await asyncio.gather(*(arrive(number) for number in range(60)))
    assert len(await yard.rows("SELECT 1 AS x FROM stations WHERE connected")) == 20
    assert len(await yard.rows("SELECT 1 AS x FROM evses")) == 40
    assert len(await yard.rows("SELECT 1 AS x FROM connectors")) == 40


async def test_what_is_known_survives_a_restart_and_nobody_is_connected(yard: Yard) -> None:
    service, station = await approved(yard)
    await service.connected(FakeLink(station.ref))
    await service.status(station.ref, StatusReport(1, 1, EvseStatus.CHARGING, START_AT))
    again = await yard.service()
    view = again.station_view(yard.org_id, station.id)
    assert (view.station.connected, again.is_connected(station.id)) == (False, False)
    assert [evse.status for evse in view.evses] == [EvseStatus.CHARGING]
    assert view.connectors[view.evses[0].id][0].status is EvseStatus.CHARGING


async def test_without_an_organisation_nobody_is_let_in(yard: Yard) -> None:
    service = await yard.service(allow_no_password=True)

    async def nowhere() -> None:
        return None

    service._gate._home = nowhere
    answer = await service.admit("CP1", None, remote="r", subprotocols=[])
    assert (answer.admission, answer.retry_after_s) == (Admission.BUSY, 60)
