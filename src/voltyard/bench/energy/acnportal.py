"""The peer acnportal: its own algorithms, in a process of its own, in the loop of all others."""

import subprocess
import sys
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from voltyard.bench.energy.case import STEP_S, Case, Floats
from voltyard.bench.energy.world import Fleet, World
from voltyard.errors import VoltyardError

TITLES: Mapping[str, str] = {
    "rr": "acnportal RoundRobin",
    "fcfs": "acnportal FCFS",
    "edf": "acnportal EDF",
    "llf": "acnportal LLF",
}
_PEERS = Path(__file__).parent / "peers"
_KW = 1000.0
_STEP_KW = 0.2
_STEP_A = 0.1
"""What its round robin adds in turn: a tenth of an ampere is its own, where amps mean anything."""


def installed(folder: Path) -> Path:
    """A Python that has acnportal, installed once below ``folder``. Raises ``VoltyardError``."""
    wanted = _PEERS / "acnportal.txt"
    place = folder / f"acnportal-{sha256(wanted.read_bytes()).hexdigest()[:12]}"
    python = place / "bin" / "python"
    if not (place / "installed").exists():
        _do([sys.executable, "-m", "venv", "--clear", str(place)])
        _do([str(python), "-m", "pip", "install", "--quiet", "-r", str(wanted)])
        (place / "installed").touch()
    return python


def _do(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise VoltyardError(f"acnportal could not be installed:\n{done.stderr.strip()[-400:]}")


class AcnPortal:
    """One of acnportal's algorithms; it is told each step what all others know, too.

    Where a published figure is to be found again (``case.volts``), it is told what its own
    simulator tells it: what is missing by the meter, and not that vehicles take less than outlets
    could give.
    """

    def __init__(self, case: Case, fleet: Fleet, python: Path, algorithm: str) -> None:
        self.name, self.pace_min = TITLES[algorithm], STEP_S // 60
        self._published = case.volts is not None
        self._asked_wh = np.array([visit.asked_wh for visit in case.visits])
        self._most_w = np.array([outlet.max_power_w for outlet in case.outlets])
        self._process = subprocess.Popen(
            [str(python), str(_PEERS / "acn.py"), algorithm],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        matrix, limits_kw = _constraints(fleet)
        self._ask(
            {
                "period_min": STEP_S / 60,
                "volts": case.volts or _KW,
                "step_a": _STEP_A if case.volts else _STEP_KW,
                "matrix": matrix.tolist(),
                "limits_kw": limits_kw.tolist(),
                "most_kw": [outlet.max_power_w / _KW for outlet in case.outlets],
            }
        )

    def look(self, world: World) -> None:
        rows, fleet = world.rows, world.fleet
        missing_wh = np.maximum(0.0, fleet.target_pct[rows] - world.soc_pct)
        missing_wh *= fleet.wh_per_pct[rows]
        takes_w = world.takes_w
        if self._published:
            missing_wh = np.maximum(0.0, self._asked_wh[rows] - world.energy_wh[rows])
            takes_w = self._most_w[fleet.outlet[rows]]
        answer = self._ask(
            {
                "step": world.step,
                "root_kw": float(world.free_w()[0]) / _KW,
                "sessions": [
                    [
                        int(fleet.outlet[row]),
                        int(fleet.arrival[row]),
                        int(fleet.departure[row]),
                        float(missing_wh[place]) / _KW,
                        float(takes_w[place]) / _KW,
                    ]
                    for place, row in enumerate(rows.tolist())
                ],
            }
        )
        world.measured.allocate_s.append(float(answer["seconds"]))
        world.command(np.array(answer["kw"], dtype=np.float64) * _KW)

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30.0)

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(msgspec.json.encode(question) + b"\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise VoltyardError(f"{self.name} ended before it answered")
        found: dict[str, Any] = msgspec.json.decode(answer)
        return found


def _constraints(fleet: Fleet) -> tuple[Floats, Floats]:
    """Rows of nodes that their outlets can fill, the root first."""
    outlets = len(fleet.outlet_paths)
    below = np.zeros((fleet.nodes + 1, outlets))
    for number, path in enumerate(fleet.outlet_paths):
        below[path, number] = 1.0
    count = below.sum(axis=1)
    kept = [0, *(n for n in range(1, fleet.nodes) if count[n] > 1)]
    return below[kept], fleet.limit_w[kept] / _KW
