"""A voltyard of its own that opens an alert, and is killed by the test.

python notify_child.py DATABASE_URL FOLDER ORG SITE SETTINGS commit|send

``commit``: it says so once the alert is committed, and sends nothing. ``send``: it sends at once.
"""

import asyncio
import json
import sys
from pathlib import Path
from uuid import UUID

from notify_house import House

from voltyard.clock import SystemClock
from voltyard.notifications.channels.built import ChannelSettings
from voltyard.storage.engine import PostgresDatabase


async def main(url: str, folder: str, org: str, site: str, settings: str, how: str) -> None:
    channels = ChannelSettings(**json.loads(settings))
    database = PostgresDatabase(url, pool_size=2)
    ids = (UUID(org), UUID(site))
    house = House(database, Path(folder), channels, ids, SystemClock())
    await house.open()
    await house.raise_()
    print("committed", flush=True)
    if how == "send":
        await house.deliver()
    await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
