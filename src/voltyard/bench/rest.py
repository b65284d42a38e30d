"""REST as the bench calls it: one connection that stays, JSON in and out."""

import json
import time
from http.client import HTTPConnection
from typing import Any

from voltyard.errors import VoltyardError

IDLE_S = 3.0
"""A server closes what was quiet for longer than it waits: then it is dialled anew."""


class Rest:
    """Raises VoltyardError for an answer that is no success."""

    def __init__(self, port: int, key: str) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=120.0)
        self._used_s = 0.0
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def get(self, path: str) -> Any:
        return self._ask("GET", path, None)

    def post(self, path: str, body: object) -> Any:
        return self._ask("POST", path, json.dumps(body))

    def close(self) -> None:
        self._connection.close()

    def _ask(self, method: str, path: str, body: str | None) -> Any:
        if time.perf_counter() - self._used_s > IDLE_S:
            self._connection.close()
        self._connection.request(method, f"/api/v1{path}", body, self._headers)
        answer = self._connection.getresponse()
        text = answer.read()
        self._used_s = time.perf_counter()
        if answer.status >= 300:
            raise VoltyardError(f"{method} {path} answered {answer.status}: {text[:300]!r}")
        return json.loads(text) if text else None
