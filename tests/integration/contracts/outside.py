"""The world outside, as a program of its own: OCSP responders (by OpenSSL), lists, a pool.

Run as ``python outside.py FOLDER``; says the port it listens on, then one line of JSON a request.
Below ``/ocsp/NAME`` answers the authority whose files are ``NAME.pem``, ``NAME.txt`` (its index)
and ``NAME-ocsp.pem`` and ``.key`` (who signs). Other paths are files of the folder, or misbehave.
"""

import json
import subprocess
import sys
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

FOLDER = Path(sys.argv[1])


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._say("")
        if self.path == "/slow":
            self._drip()
        elif self.path == "/redirect":
            self._redirect()
        elif self.path == "/large":
            self._give(200, b"x" * 6_000_000)
        else:
            path = FOLDER / self.path.lstrip("/")
            self._give(200, path.read_bytes()) if path.is_file() else self._give(404, b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.path.startswith("/ocsp/"):
            self._say("")
            self._give(200, ocsp(self.path.removeprefix("/ocsp/"), body))
        elif self.path.startswith("/pool"):
            self._say(body.decode())
            answer = json.loads((FOLDER / "pool.json").read_text())
            self._give(answer["status"], json.dumps(answer["body"]).encode())
        else:
            self.do_GET()

    def _redirect(self) -> None:
        self.send_response(307)
        self.send_header("location", "/ocsp/sub")
        self.end_headers()

    def _drip(self) -> None:
        """A byte now and then: no single wait is long."""
        self.send_response(200)
        self.end_headers()
        try:
            for _ in range(200):
                self.wfile.write(b"x")
                self.wfile.flush()
                time.sleep(0.05)
        except OSError:
            pass

    def _give(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        with suppress(OSError):
            self.wfile.write(body)

    def _say(self, body: str) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = {"method": self.command, "path": self.path, "headers": headers, "body": body}
        print(json.dumps(asked), flush=True)

    def log_message(self, format: str, *args: Any) -> None:
        """Told by ``_say``."""


def ocsp(name: str, request: bytes) -> bytes:
    """What OpenSSL's responder answers; ``NAME!SIGNER`` has another sign."""
    authority, _, signer = name.partition("!")
    signer = signer or authority
    with TemporaryDirectory() as place:
        asked, answered = Path(place, "request.der"), Path(place, "response.der")
        asked.write_bytes(request)
        command = ["openssl", "ocsp", "-index", FOLDER / f"{authority}.txt"]
        command += ["-CA", FOLDER / f"{authority}.pem", "-ndays", "2"]
        command += ["-rsigner", FOLDER / f"{signer}-ocsp.pem"]
        command += ["-rkey", FOLDER / f"{signer}-ocsp.key"]
        command += ["-reqin", asked, "-respout", answered]
        subprocess.run(command, check=True, capture_output=True, timeout=30)
        return answered.read_bytes()


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(json.dumps({"port": server.server_port}), flush=True)
    server.serve_forever()
