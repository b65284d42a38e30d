"""Configuration as chargers tell it: in one answer, or in reports of several parts."""

from charger_yard import FakeLink, Yard

from voltyard.chargers.commands import (
    CommandResult,
    CommandStatus,
    ReadConfiguration,
    WriteConfiguration,
)
from voltyard.chargers.model import ConfigRow, Station, Traits
from voltyard.chargers.service import ChargerService
from voltyard.chargers.settings import named


async def approved(yard: Yard, version: str) -> tuple[ChargerService, Station, FakeLink]:
    service = await yard.service(allow_no_password=True, auto_approve=True)
    admitted = await service.admit("CP1", None, remote="r", subprotocols=["ocpp1.6"])
    assert admitted.station is not None
    link = FakeLink(admitted.station.ref, version)
    await service.connected(link)
    return service, admitted.station, link


def row(name: str, value: str, **more: object) -> ConfigRow:
    return ConfigRow(name, value, component="C", **more)  # type: ignore[arg-type]


async def keys(yard: Yard, service: ChargerService, station: Station) -> dict[str, str | None]:
    await yard.commits.flush()
    entries = await service.config(yard.org_id, station.id)
    return {entry.row.key: entry.row.value for entry in entries}


async def test_a_full_report_in_parts_is_kept_whole_and_forgets_what_it_does_not_name(
    yard: Yard,
) -> None:
    """What came in the first part is not older than what came in the last."""
    service, station, link = await approved(yard, "2.0.1")
    await service.configuration_reported(station.ref, [row("Old", "0")], complete=False)
    yard.clock.advance(60)
    await service.command(station.id, ReadConfiguration(), "Ada")
    (asked,) = link.sent
    assert isinstance(asked, ReadConfiguration)
    number = asked.report_id
    for index in range(3):
        yard.clock.advance(5)
        await service.configuration_reported(
            station.ref, [row(f"Part{index}", "1")], complete=index == 2, report_id=number
        )
    assert set(await keys(yard, service, station)) == {"C.Part0", "C.Part1", "C.Part2"}


async def test_a_report_of_some_forgets_nothing(yard: Yard) -> None:
    service, station, _ = await approved(yard, "2.0.1")
    await service.configuration_reported(station.ref, [row("A", "1")], complete=False)
    yard.clock.advance(60)
    await service.configuration_reported(
        station.ref, [row("B", "2")], complete=True, report_id=4711
    )
    assert set(await keys(yard, service, station)) == {"C.A", "C.B"}


async def test_every_attribute_and_what_a_variable_is_like_is_kept(yard: Yard) -> None:
    service, station, _ = await approved(yard, "2.0.1")
    traits = Traits("ReadWrite", True, False, "W", "decimal", 0.0, 22000.0, None, True)
    rows = [
        row("Power", "11", evse_number=1, connector_number=2, component_instance="x",
            traits=traits),
        row("Power", "22", evse_number=1, connector_number=2, component_instance="x",
            attribute="MaxSet"),
        row("Power", "3", evse_number=2, instance="L1"),
    ]  # fmt: skip
    await service.configuration_reported(station.ref, rows, complete=False)
    await yard.commits.flush()
    kept = [entry.row for entry in await service.config(yard.org_id, station.id)]
    assert sorted(kept, key=lambda one: one.value or "") == sorted(
        rows, key=lambda one: one.value or ""
    )
    assert {one.key for one in kept} == {"C[x]@1/2.Power", "C@2.Power[L1]"}
    for one in kept:
        found = named(one.key, "2.0.1")
        assert (found.component, found.component_instance, found.evse_number) == (
            one.component,
            one.component_instance,
            one.evse_number,
        )
        assert (found.connector_number, found.name, found.instance) == (
            one.connector_number,
            one.name,
            one.instance,
        )


async def test_what_was_set_is_shown_and_a_password_never(yard: Yard) -> None:
    service, station, link = await approved(yard, "1.6")
    rows = (ConfigRow("A", "1"), ConfigRow("AuthorizationKey", "from the charger"))
    link.answer = CommandResult(CommandStatus.ACCEPTED, "", {"rows": rows})
    await service.command(station.id, ReadConfiguration(), "Ada")
    assert await keys(yard, service, station) == {"A": "1", "AuthorizationKey": "(hidden)"}
    link.answer = CommandResult(CommandStatus.ACCEPTED, "Accepted")
    await service.command(station.id, WriteConfiguration("A", "2"), "Ada")
    await service.command(station.id, WriteConfiguration("AuthorizationKey", "secret"), "Ada")
    assert await keys(yard, service, station) == {"A": "2", "AuthorizationKey": "(hidden)"}
    link.answer = CommandResult(CommandStatus.REJECTED, "Rejected")
    await service.command(station.id, WriteConfiguration("A", "3"), "Ada")
    assert (await keys(yard, service, station))["A"] == "2"
    requests = str(await yard.rows("SELECT request FROM charger_commands"))
    assert "secret" not in requests
