"""A simulated VDV 261 vehicle against a running server, by real HTTP and in real time.

    python -m voltyard.simulator.vdv261_http https://localhost:8180 WEB62804113456789 'password'

It stands at no charger: what it would draw flows nowhere, but it tells, is answered, and says when
it would heat.
"""

import argparse
import asyncio
from contextlib import suppress

import httpx

from voltyard.clock import Clock, SystemClock
from voltyard.simulator.cabin import CabinSpec, Conditioned
from voltyard.simulator.vdv261 import Vdv261Spec, Vdv261Vehicle
from voltyard.simulator.vehicle import BatterySpec

PATHS = {1: "/v1/vehicleMessage", 2: "/v2/vehicleMessage"}
TIMEOUT_S = 8.0


class HttpPost:
    """``vdv261.Post`` over HTTP; close ``client`` yourself."""

    def __init__(self, client: httpx.AsyncClient, paths: dict[int, str] | None = None) -> None:
        self._client = client
        self._paths = paths or PATHS

    async def __call__(
        self, version: int, user: str, password: str, body: bytes
    ) -> tuple[int, bytes]:
        headers = {
            "content-type": "application/json; charset=US-ASCII",
            "accept": "application/json; charset=US-ASCII",
        }
        try:
            answer = await self._client.post(
                self._paths[version], content=body, headers=headers, auth=(user, password)
            )
        except httpx.TransportError as error:
            raise OSError(str(error)) from error
        return answer.status_code, answer.content


def vehicle_of(spec: Vdv261Spec, post: HttpPost, clock: Clock, soc_pct: float) -> Vdv261Vehicle:
    """A cold bus with a battery of 350 kWh; it is heated by what it is granted in thought."""
    bus = Conditioned(BatterySpec(350e3, 150e3), soc_pct, CabinSpec())

    def changed(on: bool) -> None:
        bus.on = on

    return Vdv261Vehicle(spec, bus, clock, post, changed, bus.hvac_w)


async def main(arguments: argparse.Namespace) -> int:
    """Until interrupted, or after three messages that nobody answered (status 1)."""
    spec = Vdv261Spec(arguments.vin, arguments.evccid, arguments.password, arguments.version)
    verify = arguments.ca or not arguments.insecure
    async with httpx.AsyncClient(
        base_url=arguments.url, timeout=TIMEOUT_S, verify=verify
    ) as client:
        bus = vehicle_of(spec, HttpPost(client), SystemClock(), arguments.soc)
        running = asyncio.create_task(bus.run())
        told = 0
        while not running.done():
            await asyncio.wait({running}, timeout=1.0)
            for message, answer in list(zip(bus.sent, bus.answers, strict=True))[told:]:
                print(f"> {message}\n< {answer}", flush=True)
                told += 1
        print("given up" + (f": HTTP {bus.refused[-1]}" if bus.refused else ""), flush=True)
        return 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="voltyard.simulator.vdv261_http")
    parser.add_argument("url")
    parser.add_argument("vin")
    parser.add_argument("password")
    parser.add_argument("--evccid", default="00:1a:2b:3c:4d:5e")
    parser.add_argument("--version", type=int, choices=(1, 2), default=2)
    parser.add_argument("--soc", type=float, default=60.0)
    parser.add_argument("--ca", default="", help="PEM file of the root that signs the server")
    parser.add_argument("--insecure", action="store_true", help="any certificate will do")
    return parser.parse_args()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        raise SystemExit(asyncio.run(main(_arguments())))
