"""What chargers are told of money on their own time, and what they can do with it.

A charger that connects is asked what it knows of tariffs; then its fallback texts and, if it
reckons by itself (OCPP 2.1), its default tariffs are brought in step. A few chargers at a time.
"""

import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from uuid import UUID

from voltyard.billing import store
from voltyard.billing.events import TariffsChanged
from voltyard.billing.model import Tariff
from voltyard.billing.ports import Stations, Words
from voltyard.billing.shelf import Shelf
from voltyard.billing.store import Placed
from voltyard.bus import Bus
from voltyard.chargers.commands import ReadConfiguration, WriteConfiguration
from voltyard.chargers.events import EvsesChanged, StationConnected
from voltyard.chargers.model import Station
from voltyard.clock import Clock
from voltyard.errors import ChargerOffline, ChargerTimeout, VoltyardError
from voltyard.storage.engine import Database
from voltyard.tenancy import scope

log = logging.getLogger(__name__)

PER_TICK = 10
WAITING_MAX = 50_000
VERSIONS = frozenset({"2.0.1", "2.1"})
LOCAL_VERSION = "2.1"
CTRL = "TariffCostCtrlr"
TARIFF_TEXT, COST_TEXT = f"{CTRL}.TariffFallbackMessage", f"{CTRL}.TotalCostFallbackMessage"
SETTLED_BY_US = "PaymentCtrlr.SettlementByCSMS"
ASKED = (
    f"{CTRL}.Available[Tariff]",
    f"{CTRL}.Enabled[Tariff]",
    f"{CTRL}.Available[Cost]",
    f"{CTRL}.Enabled[Cost]",
    "DisplayMessageCtrlr.Available",
    SETTLED_BY_US,
    TARIFF_TEXT,
    COST_TEXT,
)
ACCEPTED, DUPLICATE = "Accepted", "DuplicateTariffId"
IN_PLACE, REFUSED, GONE = "in_place", "refused", "gone"


@dataclass(frozen=True, slots=True)
class Abilities:
    """``shows``: it can show a text about the tariff. ``local``: it reckons by itself.

    ``settled_by_us``: payments at its terminal are ours to settle (C21.FR.05).
    ``texts``: the fallback texts it has now, by the name of their variable.
    """

    shows: bool = False
    shows_cost: bool = False
    local: bool = False
    settled_by_us: bool = False
    texts: Mapping[str, str] | None = None


class Devices:
    """Nothing here is awaited by a message of a charger."""

    def __init__(
        self,
        database: Database,
        bus: Bus,
        clock: Clock,
        shelf: Shelf,
        *,
        stations: Stations,
        words: Words,
    ) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._shelf = shelf
        self._stations = stations
        self._words = words
        self._waiting: OrderedDict[UUID, None] = OrderedDict()
        self._abilities: dict[UUID, Abilities] = {}
        self._deaf: set[UUID] = set()

    def listen(self) -> None:
        self._bus.subscribe(StationConnected, self._on_connected, name="billing.connected")
        self._bus.subscribe(TariffsChanged, self._on_tariffs, name="billing.tariffs")
        self._bus.subscribe(EvsesChanged, self._on_evses, name="billing.evses")

    async def _on_connected(self, event: StationConnected) -> None:
        self._abilities.pop(event.station_id, None)
        self._deaf.discard(event.station_id)
        self._look_at(event.station_id, event.org_id)

    async def _on_evses(self, event: EvsesChanged) -> None:
        self._look_at(event.station_id, event.org_id)

    async def _on_tariffs(self, event: TariffsChanged) -> None:
        for station in self._stations.all_stations():
            if station.org_id == event.org_id:
                self._look_at(station.id, event.org_id)

    def _look_at(self, station_id: UUID, org_id: UUID) -> None:
        priced = self._shelf.prices(org_id) or org_id in self._shelf.settings
        if priced and len(self._waiting) < WAITING_MAX:
            self._waiting[station_id] = None

    def abilities(self, station_id: UUID) -> Abilities:
        return self._abilities.get(station_id, Abilities())

    def language(self, station_id: UUID) -> str:
        """In which a charger shows texts about tariffs; empty if it shows none (I01.FR.02)."""
        station = self._stations.station(station_id)
        if station is None or not self.abilities(station_id).shows:
            return ""
        settings = self._shelf.settings_of(station.org_id)
        return settings.language if settings.show_tariff else ""

    async def tick(self) -> None:
        """Every few seconds: the next chargers that may have to be told something."""
        for _ in range(min(PER_TICK, len(self._waiting))):
            station_id, _ = self._waiting.popitem(last=False)
            station = self._stations.station(station_id)
            if station is None or not self._stations.is_connected(station_id):
                continue
            if (station.ocpp_version or "") in VERSIONS:
                await self._in_step(station)

    async def _in_step(self, station: Station) -> None:
        try:
            if station.id not in self._abilities:
                self._abilities[station.id] = await self._read(station)
            await self._texts(station)
            if self.abilities(station.id).local:
                await self._tariffs(station)
        except (ChargerOffline, ChargerTimeout) as error:
            log.info("%s is told of tariffs later: %s", station.identity, error.message)
        except VoltyardError as error:
            self._stations.flag(station.ref, "tariffs_not_told", error.message)

    async def _read(self, station: Station) -> Abilities:
        """A charger without the component knows nothing of tariffs."""
        result = await self._stations.command(station.id, ReadConfiguration(ASKED), "voltyard")
        rows = {row.key: row.value or "" for row in result.detail.get("rows", ())}
        on = {name for name, value in rows.items() if value.strip().lower() == "true"}
        tariff = {f"{CTRL}.Available[Tariff]", f"{CTRL}.Enabled[Tariff]"}
        cost = {f"{CTRL}.Available[Cost]", f"{CTRL}.Enabled[Cost]"}
        return Abilities(
            shows=bool(tariff & on) or "DisplayMessageCtrlr.Available" in on,
            shows_cost=bool((cost | tariff) & on),
            local=station.ocpp_version == LOCAL_VERSION and tariff <= on,
            settled_by_us=SETTLED_BY_US in on,
            texts={name: rows[name] for name in (TARIFF_TEXT, COST_TEXT) if name in rows},
        )

    async def _texts(self, station: Station) -> None:
        """I04.FR.02, I05.FR.01: what it shows when it knows nothing better."""
        settings = self._shelf.settings_of(station.org_id)
        wanted = {TARIFF_TEXT: settings.fallback_tariff, COST_TEXT: settings.fallback_cost}
        known = self.abilities(station.id)
        have = dict(known.texts or {})
        for name, text in wanted.items():
            if not text or name not in have or have[name] == text:
                continue
            result = await self._stations.command(
                station.id, WriteConfiguration(name, text), "voltyard"
            )
            if result.accepted:
                have[name] = text
            else:
                self._stations.flag(station.ref, "fallback_text_refused", result.word)
        self._abilities[station.id] = replace(known, texts=have)

    # Tariffs on chargers that reckon by themselves (I07, I10)

    def wanted(self, station: Station) -> dict[int, tuple[str, Tariff]]:
        """By outlet, 0 for all of them: the tariff that counts where nothing else is agreed."""
        found = {
            evse.number: tariff
            for evse in self._stations.outlets(station.id)
            for tariff in self._shelf.default_tariffs(station, evse)
        }
        keys = {tariff.key for tariff in found.values()}
        if len(keys) == 1 and len(found) == len(self._stations.outlets(station.id)):
            tariff = next(iter(found.values()))
            return {0: (tariff.key, tariff)}
        return {number: (f"{tariff.key}-{number}", tariff) for number, tariff in found.items()}

    async def _tariffs(self, station: Station) -> None:
        wanted = self.wanted(station)
        mine = [row for row in self._shelf.placed.values() if row.station_id == station.id]
        obsolete = [
            row
            for row in mine
            if row.state == IN_PLACE and wanted.get(row.evse_number, ("",))[0] != row.tariff_key
        ]
        await self._clear(station, obsolete)
        for number, (key, tariff) in wanted.items():
            known = self._shelf.placed.get((station.id, number))
            if known is None or known.tariff_key != key or known.state != IN_PLACE:
                await self._set(station, number, key, tariff)

    async def _clear(self, station: Station, rows: Sequence[Placed]) -> None:
        """A running session goes on with its tariff (I10.FR.07)."""
        if not rows:
            return
        keys = [row.tariff_key for row in rows]
        command = self._words.clear(station.ocpp_version or "", keys)
        if command is None:
            return
        await self._stations.command(station.id, command, "voltyard")
        for row in rows:
            await self._keep(station, row.evse_number, row.tariff_key, GONE, "")

    async def _set(self, station: Station, number: int, key: str, tariff: Tariff) -> None:
        word = await self._asked(station, number, key, tariff)
        if word == DUPLICATE and not await self._holds(station, number, key):
            clear = self._words.clear(station.ocpp_version or "", [key])
            if clear is not None:
                await self._stations.command(station.id, clear, "voltyard")
            word = await self._asked(station, number, key, tariff)
        taken = word in (ACCEPTED, DUPLICATE)
        await self._keep(station, number, key, IN_PLACE if taken else REFUSED, word)
        if not taken:
            self._stations.flag(station.ref, "tariff_refused", f"{word}: {tariff.name}")

    async def _asked(self, station: Station, number: int, key: str, tariff: Tariff) -> str:
        command = self._words.set_default(station.ocpp_version or "", number, tariff, key)
        if command is None:
            return "NotSupported"
        try:
            result = await self._stations.command(station.id, command, "voltyard")
        except (ChargerOffline, ChargerTimeout):
            raise
        except VoltyardError as error:
            return (error.detail or error.code)[:60]
        return result.word

    async def _holds(self, station: Station, number: int, key: str) -> bool:
        """Whether it has that tariff where it belongs (I09)."""
        command = self._words.read(station.ocpp_version or "")
        if command is None:
            return False
        result = await self._stations.command(station.id, command, "voltyard")
        outlets = {evse.number for evse in self._stations.outlets(station.id)}
        needed = outlets if number == 0 else {number}
        return any(
            row["key"] == key and needed <= set(row["evse_numbers"])
            for row in self._words.assigned(result)
        )

    async def _keep(self, station: Station, number: int, key: str, state: str, word: str) -> None:
        row = Placed(station.id, number, station.org_id, key, state, word, self._clock.now())
        async with scope.transaction(self._database, scope.of(station.org_id)) as tx:
            await store.save_placed(tx, row)
        self._shelf.placed[(station.id, number)] = row

    async def tell_cost(self, station_id: UUID, ref: str, total: Decimal) -> None:
        """I02: the running cost, to chargers that show it; never kept, the next is newer."""
        station, link = self._stations.station(station_id), self._stations.link(station_id)
        if station is None or link is None or station_id in self._deaf:
            return
        command = self._words.cost(station.ocpp_version or "", ref, total)
        known = self._abilities.get(station_id)
        if command is None or (known is not None and not known.shows_cost):
            return
        try:
            await link.send(command, timeout_s=10.0)
        except (ChargerOffline, ChargerTimeout):
            return
        except VoltyardError as error:
            self._deaf.add(station_id)
            log.info("%s does not show costs: %s", station.identity, error.message)
