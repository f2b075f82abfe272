"""The same worker, done carefully: it notifies only of updates that matter, deletes what has piled up in one round trip,
and, after it was cut off, everything that it may have missed."""

import sys
import time

import psycopg
import redis

TRIGGER = """
CREATE OR REPLACE FUNCTION notify_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('changes', coalesce(NEW.id, OLD.id)::text);
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER notify_write AFTER INSERT OR DELETE ON users
    FOR EACH ROW EXECUTE FUNCTION notify_change();
CREATE OR REPLACE TRIGGER notify_change AFTER UPDATE ON users
    FOR EACH ROW WHEN (OLD.name IS DISTINCT FROM NEW.name) EXECUTE FUNCTION notify_change();
"""
KEYS_A_COMMAND = 500


def unlink(cache, keys):
    pipeline = cache.pipeline(transaction=False)
    for start in range(0, len(keys), KEYS_A_COMMAND):
        pipeline.unlink(*keys[start : start + KEYS_A_COMMAND])
    pipeline.execute()


def serve(database_url, cache):
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(TRIGGER)
        connection.execute("LISTEN changes")
        # Whatever was changed before is not going to be told.
        unlink(cache, list(cache.scan_iter("user:*", count=1000)))
        print("ready", flush=True)
        while True:
            # One, and those that came in the same read.
            ids = {notify.payload for notify in connection.notifies(stop_after=1)}
            unlink(cache, [f"user:{id}" for id in ids])


def main(database_url, redis_url):
    cache = redis.from_url(redis_url)
    while True:
        try:
            serve(database_url, cache)
        except (psycopg.OperationalError, redis.ConnectionError) as error:
            print(error, file=sys.stderr)
            time.sleep(1)  # the backoff between two attempts to connect: a server that is down tells nobody when it is back


if __name__ == "__main__":
    main(*sys.argv[1:])
