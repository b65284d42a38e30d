"""Kill -9 between commit and send, and between send and mark: each is told exactly once."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from notify_house import House
from notify_sinks import Sinks
from standardwebhooks import Webhook

from voltyard.notifications.model import Channel

HERE = Path(__file__).parent


def started(
    house: House, url: str, folder: Path, sinks: Sinks, how: str
) -> "subprocess.Popen[str]":
    """Another process in the same organisation."""
    arguments = [url, str(folder), str(house.org_id), str(house.site_id)]
    child = subprocess.Popen(
        [sys.executable, str(HERE / "notify_child.py"), *arguments,
         json.dumps(asdict(sinks.settings)), how],
        stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(HERE)},
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline() == "committed\n"
    return child


def killed(child: "subprocess.Popen[str]") -> None:
    os.kill(child.pid, signal.SIGKILL)
    child.wait(10)
    assert child.stdout is not None
    child.stdout.close()


async def three_targets(house: House, sinks: Sinks) -> str:
    mail, _ = await house.target(Channel.EMAIL, "desk@example.org")
    sms, _ = await house.target(Channel.SMS, "+491701234567")
    hook, secret = await house.target(Channel.WEBHOOK, f"{sinks.web_url}/hook")
    await house.route(mail, sms, hook)
    return secret


async def test_killed_between_commit_and_send_each_is_told_exactly_once(
    house: House, sinks: Sinks, database_url: str, tmp_path: Path
) -> None:
    secret = await three_targets(house, sinks)
    killed(await asyncio.to_thread(started, house, database_url, tmp_path, sinks, "commit"))
    assert (sinks.mail.mails, sinks.sms.requests, sinks.web.requests) == ([], [], [])
    house.clock.forward(minutes=1)
    await house.open()
    await house.raise_()
    assert await house.deliver() == 3
    assert await house.deliver() == 0
    ((_, headers, body),) = sinks.web.requests
    assert Webhook(secret).verify(body, headers)["data"]["topic"] == "opened"
    assert (len(sinks.mail.mails), len(sinks.sms.requests)) == (1, 1)
    assert [row["state"] for row in await house.log()] == ["sent"] * 3


async def test_killed_between_send_and_mark_it_comes_again_under_the_same_id(
    house: House, sinks: Sinks, database_url: str, tmp_path: Path
) -> None:
    hook, secret = await house.target(Channel.WEBHOOK, f"{sinks.web_url}/hook")
    await house.route(hook)
    sinks.web.hold.clear()
    child = await asyncio.to_thread(started, house, database_url, tmp_path, sinks, "send")
    assert await asyncio.to_thread(sinks.web.arrived.wait, 30)
    killed(child)
    sinks.web.hold.set()
    house.clock.forward(minutes=1)
    await house.open()
    assert await house.deliver() == 1
    first, second = sinks.web.requests
    assert first[1]["webhook-id"] == second[1]["webhook-id"]
    assert first[2] == second[2]
    Webhook(secret).verify(second[2], second[1])
    assert [(row["state"], row["attempts"]) for row in await house.log()] == [("sent", 2)]
    assert await house.deliver() == 0
