"""Sinks that listen, and a house that sends to them."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from notify_house import SMS_TAKEN, House
from notify_sinks import Sinks, mail_server, web_server

from voltyard.notifications.channels.built import ChannelSettings
from voltyard.storage.engine import PostgresDatabase


@pytest.fixture
def sinks() -> Iterator[Sinks]:
    with (
        mail_server() as (mail, port),
        web_server() as (web, web_url),
        web_server(SMS_TAKEN) as (sms, sms_url),
    ):
        settings = ChannelSettings(
            smtp_url=f"smtp+plain://127.0.0.1:{port}",
            mail_from="voltyard <yard@example.org>",
            sms_url=sms_url,
            sms_user="AC1",
            sms_token="s3cret",
            sms_from="+4930111",
            notify_networks="127.0.0.0/8",
            notify_timeout_s=10.0,
        )
        yield Sinks(mail, web, web_url, sms, settings)


@pytest.fixture
async def house(database: PostgresDatabase, tmp_path: Path, sinks: Sinks) -> AsyncIterator[House]:
    made = await House(database, tmp_path, sinks.settings).insert()
    yield made
    await made.close()
