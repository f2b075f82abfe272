"""After all the traffic, the cache says what the database says."""

import asyncio
import os
import random
import signal

import asyncpg
import httpx
import pytest
from running import Shop, describe, wait_until
from traffic import Traffic

SEED = int(os.environ.get("SHOP_SEED", "20240501"))
# Readers that are held up with what they had read. How many attempts that takes depends on the machine.
ENOUGH = 10


def test_every_cached_response_is_what_the_database_says(tmp_path):
    with Shop(tmp_path, worker=True) as shop:
        traffic = Traffic(shop, SEED)
        traffic.run(10)
        shop.settle()

        cached = shop.entries()
        stale = shop.stale_entries()
        assert not stale, f"{len(stale)} of {len(cached)} are stale, seed {SEED}:\n{describe(stale)}"
        assert not traffic.failures, traffic.failures[:5]

        leaked = [(number, user) for number, user in traffic.sightings if traffic.owners[number] != user]
        assert not leaked and len(traffic.sightings) > len(traffic.owners) / 2

        # Or the above would say little.
        print(f"seed {SEED}: {len(cached)} entries, read {dict(traffic.seen)}, written {dict(traffic.written)}")
        assert len(cached) >= 30
        assert sum(traffic.written.values()) >= 200
        assert traffic.seen["hit"] >= 0.3 * traffic.seen.total() and traffic.seen["miss"] >= 200


def test_without_the_worker_the_cache_is_stale(tmp_path):
    with Shop(tmp_path, worker=False) as shop:
        Traffic(shop, SEED).run(2)
        assert len(shop.stale_entries()) > 5


def test_a_reader_that_is_held_up_stores_nothing_old(tmp_path):
    with Shop(tmp_path, worker=True) as shop:
        shop.sql("insert into items (id, name, price, stock) select n, 'Item', 1, 1 from generate_series(2001, 8000) n")
        old = asyncio.run(hold_readers_up(shop, range(2001, 8001)))
        shop.settle()
        stale = shop.stale_entries()
        assert not stale, f"{len(stale)} entries are stale:\n{describe(stale)}"
        print(f"{old} readers were held up with what they had read")
        assert old >= ENOUGH


async def hold_readers_up(shop: Shop, items: range) -> int:
    """Stops the application while it reads items, which then change, until that was the right moment often enough. Gives
    the number of answers from before the changes."""
    rng = random.Random(SEED)
    app, old = shop.processes[0], 0
    database = await asyncpg.connect(shop.database_url)
    async with httpx.AsyncClient(base_url=shop.url, timeout=30) as http:
        while items and old < ENOUGH:
            *some, last = items[:10]
            items = items[10:]
            requests = [asyncio.create_task(http.get(f"/items/{item}")) for item in some]
            await asyncio.sleep(rng.uniform(0, 0.03))
            app.send(signal.SIGSTOP)
            try:
                # Where this goes, the others of the statement have gone.
                shop.redis.set(f"resp:/items/{last}?", "cached")
                await database.execute("update items set stock = 0 where id = any ($1)", [*some, last])
                wait_until(lambda: not shop.redis.exists(f"resp:/items/{last}?"), "the change served")
            finally:
                app.send(signal.SIGCONT)
            old += sum(response.json()["stock"] for response in await asyncio.gather(*requests))
    await database.close()
    return old
