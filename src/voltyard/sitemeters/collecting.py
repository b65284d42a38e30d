"""One task a meter that voltyard reads itself: tried again on failure, restarted on change."""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import aclosing, suppress
from uuid import UUID

from voltyard.bus import Bus
from voltyard.errors import Invalid
from voltyard.sitemeters.events import SiteMetersChanged
from voltyard.sitemeters.modbus import ModbusMeter
from voltyard.sitemeters.model import MeterProtocol, SiteMeter
from voltyard.sitemeters.mqtt import MqttMeter
from voltyard.sitemeters.protocols import MeterReader, Unreadable
from voltyard.sitemeters.service import SiteMeterService

log = logging.getLogger(__name__)

READERS: Mapping[MeterProtocol, type[MeterReader]] = {
    MeterProtocol.MODBUS: ModbusMeter,
    MeterProtocol.MQTT: MqttMeter,
}
"""Every way to read meters; PUSH needs none."""
AGAIN_S = (1.0, 2.0, 5.0, 10.0, 30.0)


class Collector:
    """Reads while it runs. ``run`` once; ends its tasks when it is cancelled."""

    def __init__(self, meters: SiteMeterService) -> None:
        self._meters = meters
        self._tasks: dict[UUID, tuple[SiteMeter, asyncio.Task[None]]] = {}
        self._changed = asyncio.Event()

    def listen(self, bus: Bus) -> None:
        bus.subscribe(SiteMetersChanged, self._on_changed, name="site_meters.collector")

    async def _on_changed(self, event: SiteMetersChanged) -> None:
        for meter_id, (meter, task) in list(self._tasks.items()):
            if meter.site_id == event.site_id:
                task.cancel()
                del self._tasks[meter_id]
        self._changed.set()

    async def run(self) -> None:
        try:
            while True:
                self._changed.clear()
                self._follow()
                await self._changed.wait()
        finally:
            tasks = [task for _, task in self._tasks.values()]
            for task in tasks:
                task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.gather(*tasks, return_exceptions=True)

    def _follow(self) -> None:
        for meter in self._meters.all():
            if meter.id in self._tasks or not meter.enabled or meter.protocol not in READERS:
                continue
            work = asyncio.get_running_loop().create_task(self._collect(meter))
            self._tasks[meter.id] = (meter, work)

    async def _collect(self, meter: SiteMeter) -> None:
        failures = 0
        while True:
            try:
                password = await self._meters.password(meter.id)
                reader = READERS[meter.protocol](meter, password, self._meters.clock)
                async with aclosing(reader.readings()) as readings:
                    async for reading in readings:
                        failures = 0
                        await self._meters.received(meter.id, reading)
                why = "the connection ended"
            except (Unreadable, Invalid, OSError) as error:
                why = str(error)
            self._meters.failed(meter.id, why)
            if failures == 0:
                log.info("site meter %s cannot be read: %s", meter.name, why)
            await self._meters.clock.sleep(AGAIN_S[min(failures, len(AGAIN_S) - 1)])
            failures += 1
