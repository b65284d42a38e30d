"""What ``voltyard serve`` writes to standard error, whoever in it writes: JSON, line by line."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import msgspec

ENVIRONMENT = {
    "VOLTYARD_LOG_JSON": "true",
    "VOLTYARD_LOG_LEVEL": "DEBUG",
    "VOLTYARD_HTTP_PORT": "0",
    "VOLTYARD_OCPP_PORT": "0",
}


def said_of(process: subprocess.Popen[str], begins: str) -> str:
    """The rest of the first line of its output that begins so."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(begins):
            return line.removeprefix(begins).strip()
    raise AssertionError(f"it never said {begins!r}")


def port_of(url: str) -> int:
    return int(url.split("://")[1].split("/")[0].rsplit(":", 1)[1])


def spoil(port: int) -> None:
    """Bytes that are no HTTP."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(b"\x16\x03\x01 no such thing\r\n\r\n")
        connection.recv(1000)


def test_every_line_is_json_and_a_second_server_is_told_who_has_the_folder(
    tmp_path: Path,
) -> None:
    environment = os.environ | ENVIRONMENT | {"VOLTYARD_DATA_DIR": str(tmp_path / "data")}
    command = [sys.executable, "-u", "-m", "voltyard.cli", "serve"]
    with (tmp_path / "err").open("w") as errors:
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
        )
        try:
            http_port = port_of(said_of(process, "console"))
            spoil(port_of(said_of(process, "chargers")))
            spoil(http_port)
            second = subprocess.run(
                command, env=environment, capture_output=True, text=True, check=False, timeout=60
            )
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)
    assert second.returncode == 1
    assert f"another voltyard (process {process.pid})" in second.stderr
    lines = (tmp_path / "err").read_text().splitlines()
    assert [line for line in lines if not msgspec.json.decode(line)["message"]] == []
    assert process.returncode == 0
