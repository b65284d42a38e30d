"""Meters by Modbus TCP: one connection a meter, few requests a poll. The one place for pymodbus."""

from collections.abc import AsyncGenerator, Sequence

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException

from voltyard.clock import Clock
from voltyard.errors import Invalid
from voltyard.sitemeters.mapping import WORDS, number_of, reading_of
from voltyard.sitemeters.model import Point, Reading, SiteMeter
from voltyard.sitemeters.protocols import Unreadable

ANSWER_S = 3.0
AT_ONCE = 100
"""Registers asked for with one request (Modbus allows 125)."""


class ModbusMeter:
    """See docs/extend/site-meter-protocol.md."""

    def __init__(self, meter: SiteMeter, password: str | None, clock: Clock) -> None:
        self._meter = meter
        self._clock = clock

    async def readings(self) -> AsyncGenerator[Reading, None]:
        """A reading every ``poll_s``. Raises Unreadable when the connection or the meter fails."""
        to = self._meter.connection
        client = AsyncModbusTcpClient(
            to.host, port=to.port, timeout=ANSWER_S, retries=1, reconnect_delay=0.0
        )
        try:
            async with self._clock.timeout(2 * ANSWER_S):
                connected = await client.connect()
            if not connected:
                raise Unreadable("no connection")
            while True:
                yield await self._read(client)
                await self._clock.sleep(to.poll_s)
        except (ModbusException, TimeoutError, OSError) as error:
            raise Unreadable(str(error) or "no answer") from error
        finally:
            client.close()

    async def _read(self, client: AsyncModbusTcpClient) -> Reading:
        words: dict[tuple[str, int], int] = {}
        for table, first, count in spans(self._meter.points):
            read = client.read_holding_registers
            if table == "input":
                read = client.read_input_registers
            async with self._clock.timeout(3 * ANSWER_S):
                answer = await read(first, count=count, device_id=self._meter.connection.unit_id)
            if answer.isError() or len(answer.registers) < count:
                raise Unreadable(f"the meter refuses {table} register {first}: {answer}")
            for offset, word in enumerate(answer.registers):
                words[(table, first + offset)] = word

        def raw(point: Point) -> float:
            own = range(point.address, point.address + WORDS[point.kind])
            return number_of(
                [words[(point.table, at)] for at in own], point.kind, swapped=point.swapped
            )

        try:
            return reading_of(self._meter.points, raw, self._clock.now())
        except Invalid as error:
            raise Unreadable(error.message) from error


def spans(points: Sequence[Point]) -> list[tuple[str, int, int]]:
    """Table, first register and how many: neighbours are asked for together, gaps are not."""
    found: list[tuple[str, int, int]] = []
    for point in sorted(points, key=lambda p: (p.table, p.address)):
        end = point.address + WORDS[point.kind]
        if found:
            table, first, count = found[-1]
            if table == point.table and point.address <= first + count and end - first <= AT_ONCE:
                found[-1] = (table, first, max(count, end - first))
                continue
        found.append((point.table, point.address, end - point.address))
    return found
