"""The worker that people start with, for entries that are loaded anew: one SELECT and one SET an event."""

import asyncio
import sys

import asyncpg
import redis.asyncio

TRIGGER = """
CREATE OR REPLACE FUNCTION notify_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('changes', NEW.id::text);
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER notify_change AFTER UPDATE ON items FOR EACH ROW EXECUTE FUNCTION notify_change();
"""


async def main(database_url, redis_url):
    cache = redis.asyncio.from_url(redis_url)
    events = asyncio.Queue()
    listener, loader = await asyncpg.connect(database_url), await asyncpg.connect(database_url)
    await listener.execute(TRIGGER)
    await listener.add_listener("changes", lambda *event: events.put_nowait(int(event[3])))
    print("ready", flush=True)
    while True:
        number = await events.get()
        value = await loader.fetchval("SELECT to_json(i)::text FROM items i WHERE i.id = $1", number)
        await cache.set(f"item:{number}", value, ex=3600)


asyncio.run(main(*sys.argv[1:]))
