"""The worker that people start with: LISTEN with a JSON payload a row, one DELETE an event."""

import asyncio
import json
import sys

import asyncpg
import redis.asyncio

TRIGGER = """
CREATE OR REPLACE FUNCTION notify_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('changes', json_build_object('table', TG_TABLE_NAME, 'id', coalesce(NEW.id, OLD.id))::text);
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER notify_change AFTER INSERT OR UPDATE OR DELETE ON users
    FOR EACH ROW EXECUTE FUNCTION notify_change();
"""


async def main(database_url, redis_url):
    cache = redis.asyncio.from_url(redis_url)
    events = asyncio.Queue()
    connection = await asyncpg.connect(database_url)
    await connection.execute(TRIGGER)
    await connection.add_listener("changes", lambda *event: events.put_nowait(event[3]))
    print("ready", flush=True)
    while True:
        change = json.loads(await events.get())
        await cache.delete(f"user:{change['id']}")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
