"""Real servers that take what voltyard sends: mail by SMTP, webhooks and text messages by HTTP."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from aiosmtpd.smtp import SMTP

from voltyard.notifications.channels.built import ChannelSettings


class MailSink:
    """Each mail it took. ``refuse``: the answer to the next recipients, such as ``450 later``."""

    def __init__(self) -> None:
        self.mails: list[Message] = []
        self.refuse: list[str] = []

    async def handle_RCPT(
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        if self.refuse:
            return self.refuse.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.mails.append(message_from_bytes(envelope.content, policy=default))
        return "250 taken"


@contextmanager
def mail_server() -> Iterator[tuple[MailSink, int]]:
    """The sink and its port; the server runs on a loop of its own."""
    sink, loop = MailSink(), asyncio.new_event_loop()
    running = threading.Thread(target=loop.run_forever)
    running.start()

    async def listen() -> asyncio.Server:
        return await loop.create_server(lambda: SMTP(sink, loop=loop), "127.0.0.1", 0)

    server = asyncio.run_coroutine_threadsafe(listen(), loop).result(10)
    try:
        yield sink, server.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        running.join()
        loop.close()


class WebSink:
    """Each request: path, headers in small letters, body. ``answers`` come first, then 200.

    While ``hold`` is set nothing is answered; ``arrived`` is set by each request.
    """

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.answers: list[tuple[int, dict[str, str], str]] = []
        self.hold = threading.Event()
        self.hold.set()
        self.arrived = threading.Event()

    @property
    def forms(self) -> list[dict[str, str]]:
        return [
            {name: values[0] for name, values in parse_qs(body.decode()).items()}
            for _, _, body in self.requests
        ]

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(body) for _, _, body in self.requests]


@contextmanager
def web_server(answer: str = "{}") -> Iterator[tuple[WebSink, str]]:
    """The sink and its address."""
    sink = WebSink()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"] or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            sink.requests.append((self.path, headers, body))
            sink.arrived.set()
            sink.hold.wait()
            status, extra, text = sink.answers.pop(0) if sink.answers else (200, {}, answer)
            self.send_response(status)
            for name, value in {"content-type": "application/json", **extra}.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            with suppress(ConnectionError):  # of a process that was killed meanwhile
                self.wfile.write(text.encode())

        def log_message(self, *args: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    running = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    running.start()
    try:
        yield sink, f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        sink.hold.set()
        server.shutdown()
        running.join()
        server.server_close()


@dataclass
class Sinks:
    mail: MailSink
    web: WebSink
    web_url: str
    sms: WebSink
    settings: ChannelSettings
