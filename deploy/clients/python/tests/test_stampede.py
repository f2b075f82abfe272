"""One reader of a cold key loads, and nothing that happens to it holds up the others for long."""

import asyncio
import time

import pytest
import redis.asyncio

from unstale_cache import AsyncCache, Cache


class Gate:
    """Holds a loader up until the test opens it."""

    def __init__(self):
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()

    async def __call__(self):
        self.reached.set()
        await asyncio.wait_for(self.opened.wait(), 10)


def crowd(kind, size):
    """A class of readers, and an event that is set when so many of them have begun to wait."""
    loop, full, left = asyncio.get_running_loop(), asyncio.Event(), iter(range(size - 1, -1, -1))

    class Crowd(kind.cache_class):
        async def _pipeline(self, commands):
            answers = await super()._pipeline(commands)
            if len(commands) == 5 and next(left, None) == 0:
                loop.call_soon_threadsafe(full.set)
            return answers

    return Crowd, full


async def holder_and_crowd(kind, new_cache, key, holder, loader, size=50, lock=10.0, **client_options):
    """One reader whose load waits at a gate, and others who wait for it. Opens the gate once they all do."""
    cache_class, full = crowd(kind, size)
    cache = new_cache(cache_class=cache_class, client_options=client_options)
    gate = holder.during
    first = asyncio.ensure_future(kind.read(cache, key, holder, lock=lock))
    await asyncio.wait_for(gate.reached.wait(), 10)
    others = [asyncio.ensure_future(kind.read(cache, key, loader, lock=lock)) for _ in range(size - 1)]
    await asyncio.wait_for(full.wait(), 10)
    gate.opened.set()
    started = time.monotonic()
    outcomes = await asyncio.wait_for(asyncio.gather(first, *others, return_exceptions=True), 20)
    return outcomes, time.monotonic() - started


async def test_of_fifty_readers_of_a_cold_key_one_loads(kind, new_cache, new_loader, new_key):
    cache = new_cache()
    for _ in range(5):
        key, loader = new_key(), new_loader(during=lambda: asyncio.sleep(0.05))
        assert await asyncio.gather(*(kind.read(cache, key, loader, lock=30) for _ in range(50))) == [b"loaded"] * 50
        assert loader.loads == 1


async def test_without_a_lock_each_loads(kind, new_cache, new_loader, key):
    gate = Gate()
    loader = new_loader(during=gate)
    cache = new_cache()
    readers = [asyncio.ensure_future(kind.read(cache, key, loader, lock=lock)) for lock in (None, 0, None, 0)]
    while loader.loads < 4:
        await asyncio.wait_for(gate.reached.wait(), 10)
        gate.reached.clear()
    gate.opened.set()
    assert await asyncio.gather(*readers) == [b"loaded"] * 4


@pytest.mark.parametrize("decode", [False, True])
async def test_all_who_wait_get_the_holders_value(kind, new_cache, new_loader, key, look, decode):
    holder, loader = new_loader(b"holder's \xff", Gate()), new_loader(b"theirs")
    outcomes, seconds = await holder_and_crowd(kind, new_cache, key, holder, loader, decode_responses=decode)
    assert outcomes == [b"holder's \xff"] * 50
    assert loader.loads == 0
    assert seconds < 5
    assert not look.exists(f"unstale:lock:{key}")


@pytest.mark.parametrize("what", ["fails", "loads none", "loads too much", "is refused"])
async def test_a_holder_that_stores_nothing_does_not_hold_up_others(kind, new_cache, new_loader, key, look, what):
    gate = Gate()
    values = {"fails": ValueError("no such user"), "loads none": None, "loads too much": bytes(600 * 1024)}
    holder = new_loader(values.get(what, b"old"), gate)
    if what == "is refused":

        async def invalidate():
            await gate()
            look.set(f"unstale:fence:{key}", "0" * 32, px=60_000)
            look.unlink(key)

        holder.during = invalidate
        invalidate.reached, invalidate.opened = gate.reached, gate.opened
    loader = new_loader(b"new")
    outcomes, seconds = await holder_and_crowd(kind, new_cache, key, holder, loader, size=10)
    if what == "fails":
        assert outcomes.pop(0) is holder.value
    else:
        assert outcomes.pop(0) == holder.value
    assert outcomes == [b"new"] * 9
    assert 1 <= loader.loads <= 9
    assert seconds < 5  # of ten that they would wait at most
    assert look.get(key) == b"new"  # with the token that they took after the invalidation
    assert not look.exists(f"unstale:lock:{key}")


async def test_nobody_waits_for_a_second_holder(kind, new_cache, new_loader, key, look):
    """The lock goes from one reader to another between two looks, and nothing is stored."""
    look.set(f"unstale:lock:{key}", "first", px=60_000)

    class Overtaken(kind.cache_class):
        async def _call(self, function, *args, **kwargs):
            if function is self._sleep:
                look.set(f"unstale:lock:{key}", "second", px=60_000)
            return await super()._call(function, *args, **kwargs)

    started = time.monotonic()
    assert await kind.read(new_cache(cache_class=Overtaken), key, new_loader(), lock=20) == b"loaded"
    assert time.monotonic() - started < 10
    assert look.get(f"unstale:lock:{key}") == b"second"


async def test_a_killed_holder_is_waited_for_no_longer_than_its_lock(kind, new_cache, new_loader, key, look):
    cache, loader, started = new_cache(), new_loader(), time.monotonic()
    look.set(f"unstale:lock:{key}", "of a reader that was killed", px=300)
    assert await asyncio.gather(*(kind.read(cache, key, loader, lock=20) for _ in range(5))) == [b"loaded"] * 5
    assert 0.2 < time.monotonic() - started < 10
    assert 1 <= loader.loads <= 5


async def test_a_slow_holder_is_waited_for_no_longer_than_agreed(kind, new_cache, new_loader, key, look):
    look.set(f"unstale:lock:{key}", "of a slow reader", px=60_000)
    loader, started = new_loader(), time.monotonic()
    assert await kind.read(new_cache(), key, loader, lock=0.3) == b"loaded"
    assert 0.3 <= time.monotonic() - started < 10
    assert look.get(key) == b"loaded"
    assert look.get(f"unstale:lock:{key}") == b"of a slow reader"


async def test_a_lock_lives_as_long_as_others_wait(kind, new_cache, new_loader, key, look):
    lifetimes = []

    async def measure():
        lifetimes.append(look.pttl(f"unstale:lock:{key}"))

    await kind.read(new_cache(), key, new_loader(during=measure), lock=3)
    assert 2_000 < lifetimes[0] <= 3_000


async def test_a_holder_leaves_the_lock_of_another_alone(kind, new_cache, new_loader, new_key, look):
    for value in (b"stored", None):
        key = new_key()

        async def take_over():
            look.set(f"unstale:lock:{key}", "another", px=60_000)

        await kind.read(new_cache(), key, new_loader(value, take_over))
        assert look.get(f"unstale:lock:{key}") == b"another"


async def test_a_value_that_came_just_before_the_lock_is_taken(kind, new_cache, new_loader, key, look):
    class Late(kind.cache_class):
        async def _take(self, fill):
            look.set(fill.key, "stored meanwhile")
            return await super()._take(fill)

    loader = new_loader()
    assert await kind.read(new_cache(cache_class=Late), key, loader) == b"stored meanwhile"
    assert loader.loads == 0
    assert not look.exists(f"unstale:lock:{key}")


async def test_a_loaders_error_comes_after_the_release(kind, new_cache, new_loader, key, look):
    error = OSError("the database is down")  # an error like those of Redis
    loader = new_loader(error)
    with pytest.raises(OSError) as raised:
        await kind.read(new_cache(), key, loader)
    assert raised.value is error and loader.loads == 1
    assert look.exists(key, f"unstale:lock:{key}") == 0


async def released(look, key):
    """Waits until the lock is gone."""
    deadline = time.monotonic() + 5
    while look.exists(f"unstale:lock:{key}"):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


async def test_cancelled_while_it_loads(url, new_loader, key, look):
    async with redis.asyncio.Redis.from_url(url) as client:
        gate = Gate()
        cache = AsyncCache(client)
        reader = asyncio.ensure_future(cache.get_or_load(key, new_loader(during=gate), 60, lock=60))
        await asyncio.wait_for(gate.reached.wait(), 10)
        assert look.exists(f"unstale:lock:{key}")
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        await released(look, key)
        assert await cache.get_or_load(key, new_loader(), 60) == b"loaded"


@pytest.mark.parametrize("step", ["GET", "take", "store"])
async def test_cancelled_while_redis_answers(new_server, new_loader, key, step):
    """Redis is stopped at a step, so that the reader is sure to be waiting for it when it is cancelled."""
    server = new_server()
    async with redis.asyncio.Redis.from_url(server.url, socket_timeout=None) as client:
        waits = asyncio.Event()

        class Stuck(AsyncCache):
            calls = 0

            async def _call(self, function, *args, **kwargs):
                self.calls += 1
                if self.calls == {"GET": 1, "take": 2, "store": 4}[step]:
                    server.stop()
                    waits.set()
                return await super()._call(function, *args, **kwargs)

        cache = Stuck(client)
        await client.ping()
        reader = asyncio.ensure_future(cache.get_or_load(key, new_loader(), 60, lock=60))
        await waits.wait()
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(reader, 5)
        server.resume()
        await released(server.client, key)
        assert await cache.get_or_load(key, new_loader(), 60) == b"loaded"


def test_interrupted_while_it_loads(url, key, look):
    def loader():
        assert look.exists(f"unstale:lock:{key}")
        raise KeyboardInterrupt

    with redis.Redis.from_url(url) as client, pytest.raises(KeyboardInterrupt):
        Cache(client).get_or_load(key, loader, 60, lock=60)
    assert not look.exists(f"unstale:lock:{key}")
