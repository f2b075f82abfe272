"""pgcachewatch: it clears caches inside of Python processes and knows nothing of Redis. So only what its triggers cost
and how soon it hears of a commit can be compared: it prints when, by the clock that all processes of a machine share."""

import asyncio
import sys
import time

import asyncpg
from pgcachewatch import listeners, models, queries

TRIGGER = queries.create_notify_function(models.DEFAULT_PG_CHANNE, "notify_change") + queries.create_after_change_trigger(
    "notify_change", "users", "notify_change")


async def main(database_url, _):
    connection = await asyncpg.connect(database_url)
    await connection.execute(TRIGGER)
    events = listeners.PGEventQueue()
    await events.connect(connection)
    print("ready", flush=True)
    while True:
        await events.get()
        print(time.perf_counter(), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
