"""Duties from other systems: checked first, imported all or nothing, written out again."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from voltyard.errors import Invalid
from voltyard.storage.engine import Database
from voltyard.tenancy.access import require
from voltyard.tenancy.model import Permission, Principal
from voltyard.tenancy.scope import of, transaction
from voltyard.timetable import spice_ev, store
from voltyard.timetable.importing import CsvDuties, Fault, ImportReport, parse_csv, write_csv
from voltyard.timetable.model import Duty, DutyState, overlaps, problems
from voltyard.timetable.ports import Sites, Vehicles

EXPORT_MAX = 100_000


class Intake:
    """Base of ``TimetableService``: what comes in lists."""

    def __init__(self, database: Database, sites: Sites, vehicles: Vehicles) -> None:
        self._database = database
        self._sites = sites
        self._vehicles = vehicles

    async def save_all(
        self,
        who: Principal,
        duties: Sequence[Duty],
        *,
        expect_new: bool | None = None,
        remove: Sequence[UUID] = (),
        remote: str = "",
    ) -> list[Duty]:
        raise NotImplementedError

    async def check_file(self, who: Principal, site_id: UUID, content: bytes) -> ImportReport:
        """A dry run of a CSV file, or of a SpiceEV scenario when the file is JSON."""
        if content.lstrip()[:1] == b"{":
            return await self.check_spice_ev(who, site_id, content)
        return await self.check_csv(who, site_id, content)

    async def check_csv(self, who: Principal, site_id: UUID, content: bytes) -> ImportReport:
        """A dry run: every row that would be imported and every fault with its reason."""
        org_id = who.org_id
        site = await self._sites.charging_site(who, site_id)
        parsed = parse_csv(
            content,
            CsvDuties(
                site,
                {v.name.casefold(): v for v in await self._vehicles.own(org_id)},
                {bay.name.casefold(): bay for bay in await self._sites.charging_bays(who, site_id)},
            ),
        )
        return await self._compared(who, site_id, "csv", parsed)

    async def check_spice_ev(
        self, who: Principal, site_id: UUID, content: bytes, *, connector: str = ""
    ) -> ImportReport:
        """A dry run of the stays at one grid connector (default: the one named as the site)."""
        site = await self._sites.charging_site(who, site_id)
        known = {v.name.casefold(): v for v in await self._vehicles.own(who.org_id)}
        parsed = spice_ev.read_duties(content, site, known, connector=connector)
        return await self._compared(who, site_id, spice_ev.SOURCE, parsed)

    async def check_duties(
        self, who: Principal, site_id: UUID, duties: Sequence[Duty], *, source: str
    ) -> ImportReport:
        """A dry run of duties that came as objects; row 1 is the first of them."""
        await self._sites.charging_site(who, site_id)
        vehicles = {vehicle.id for vehicle in await self._vehicles.own(who.org_id)}
        bays = {bay.id for bay in await self._sites.charging_bays(who, site_id)}
        faults: list[Fault] = []
        seen: dict[str, int] = {}
        for row, duty in enumerate(duties, start=1):
            wrong = problems(duty)
            if duty.vehicle_id is not None and duty.vehicle_id not in vehicles:
                wrong["vehicle_id"] = "there is no such vehicle"
            if duty.bay_id is not None and duty.bay_id not in bays:
                wrong["bay_id"] = "there is no such bay at this site"
            if seen.setdefault(duty.external_id, row) != row:
                wrong["external_id"] = f"occurs in row {seen[duty.external_id]} already"
            faults += [Fault(row, name, reason) for name, reason in wrong.items()]
        lines = tuple(range(1, len(duties) + 1))
        report = ImportReport(tuple(duties), tuple(faults), len(duties), lines=lines)
        return await self._compared(who, site_id, source, report)

    async def import_file(
        self,
        who: Principal,
        site_id: UUID,
        content: bytes,
        *,
        remove_absent: bool = False,
        remote: str = "",
    ) -> ImportReport:
        """Import a CSV file or a SpiceEV scenario, as ``check_file`` reads it."""
        report = await self.check_file(who, site_id, content)
        return await self._imported(who, report, remove_absent=remove_absent, remote=remote)

    async def import_csv(
        self,
        who: Principal,
        site_id: UUID,
        content: bytes,
        *,
        remove_absent: bool = False,
        remote: str = "",
    ) -> ImportReport:
        """Import all rows, or raise Invalid (fields ``row 7 departure``) and import none.

        ``remove_absent`` deletes planned duties of earlier files that depart within this file's
        span and that it no longer names.
        """
        report = await self.check_csv(who, site_id, content)
        return await self._imported(who, report, remove_absent=remove_absent, remote=remote)

    async def import_spice_ev(
        self,
        who: Principal,
        site_id: UUID,
        content: bytes,
        *,
        connector: str = "",
        remote: str = "",
    ) -> ImportReport:
        report = await self.check_spice_ev(who, site_id, content, connector=connector)
        return await self._imported(who, report, remove_absent=False, remote=remote)

    async def import_duties(
        self,
        who: Principal,
        site_id: UUID,
        duties: Sequence[Duty],
        *,
        source: str,
        dry_run: bool = False,
        remove_absent: bool = False,
        remote: str = "",
    ) -> ImportReport:
        """Duties as objects, all of one source. With ``dry_run`` only the report."""
        require(who, Permission.DUTIES_WRITE)
        report = await self.check_duties(who, site_id, duties, source=source)
        if dry_run:
            return report
        return await self._imported(who, report, remove_absent=remove_absent, remote=remote)

    async def export_csv(
        self,
        who: Principal,
        site_id: UUID,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> str:
        """Duties of a site as a CSV text that can be imported again."""
        require(who, Permission.VIEW)
        site = await self._sites.charging_site(who, site_id)
        wanted = store.DutyFilter(site_id, since, until, org_id=who.org_id, limit=EXPORT_MAX)
        async with transaction(self._database, of(who.org_id)) as tx:
            found, _ = await store.find(tx, wanted)
        vehicles = {v.id: v.name for v in await self._vehicles.all(who.org_id)}
        bays = {bay.id: bay.name for bay in await self._sites.charging_bays(who, site_id)}
        return write_csv(found, site.zone, vehicles, bays)

    async def _compared(
        self, who: Principal, site_id: UUID, source: str, parsed: ImportReport
    ) -> ImportReport:
        """What is there already: duties that are replaced, those departed, and overlaps."""
        if not parsed.duties:
            return parsed
        keys = [duty.external_id for duty in parsed.duties]
        vehicle_ids = {d.vehicle_id for d in parsed.duties if d.vehicle_id is not None}
        first = min(duty.arrival_at for duty in parsed.duties)
        last = max(duty.departure_at for duty in parsed.duties)
        async with transaction(self._database, of(who.org_id)) as tx:
            known = await store.by_external_ids(tx, who.org_id, site_id, source, keys)
            others = await store.of_vehicles(tx, list(vehicle_ids), first, last)
        names = {v.id: v.name for v in await self._vehicles.own(who.org_id)}
        replaced = {duty.id for duty in known.values()}
        remaining = [duty for duty in others if duty.id not in replaced]
        warnings = [
            *_closed(parsed, known),
            *_overlapping(parsed, remaining, names),
        ]
        return replace(
            parsed, replaces=len(known), warnings=(*parsed.warnings, *warnings), source=source
        )

    async def _imported(
        self, who: Principal, report: ImportReport, *, remove_absent: bool, remote: str
    ) -> ImportReport:
        require(who, Permission.DUTIES_WRITE)
        if report.faults or not report.duties:
            fields = {f"row {f.row} {f.column}".strip(): f.reason for f in report.faults}
            raise Invalid(
                "the file was not imported: it has faults" if fields else "the file has no duties",
                code="import_faults",
                fields=fields,
            )
        gone = await self._absent(who, report) if remove_absent else []
        await self.save_all(who, report.duties, remove=gone, remote=remote)
        return replace(report, removed=len(gone))

    async def _absent(self, who: Principal, report: ImportReport) -> list[UUID]:
        departures = [duty.departure_at for duty in report.duties]
        async with transaction(self._database, of(who.org_id)) as tx:
            return await store.absent(
                tx,
                who.org_id,
                report.duties[0].site_id,
                report.source,
                [duty.external_id for duty in report.duties],
                min(departures),
                max(departures),
            )


def _closed(report: ImportReport, known: Mapping[str, Duty]) -> Iterable[Fault]:
    for row, duty in zip(report.lines, report.duties, strict=True):
        before = known.get(duty.external_id)
        if before is not None and before.state is DutyState.DEPARTED:
            yield Fault(row, "id", "has departed and stays as it is", duty.external_id)


def _overlapping(
    report: ImportReport, others: Sequence[Duty], names: Mapping[UUID, str]
) -> Iterable[Fault]:
    rows = {duty.id: row for row, duty in zip(report.lines, report.duties, strict=True)}
    for first, second in overlaps([*report.duties, *others]):
        mine, other = (second, first) if second.id in rows else (first, second)
        if mine.id not in rows:
            continue
        name = names.get(mine.vehicle_id, "") if mine.vehicle_id else ""
        reason = f"this vehicle has another stay then: {other.external_id}"
        yield Fault(rows[mine.id], "vehicle", reason, name)
