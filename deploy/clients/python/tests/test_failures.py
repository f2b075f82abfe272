"""Whatever is wrong with Redis, a reader loads once and nothing is raised."""

import asyncio
import logging
import os
import socket
import time

import pytest
import redis

IMPATIENT = {"socket_timeout": 0.5, "socket_connect_timeout": 0.5}


async def reads_without_redis(kind, cache, key, loader, seconds=10, **options):
    started = time.monotonic()
    assert await kind.read(cache, key, loader, **options) == b"loaded"
    assert loader.loads == 1
    assert time.monotonic() - started < seconds


async def test_redis_is_not_there(kind, new_cache, new_loader, key):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and does not listen
        cache = new_cache(f"redis://127.0.0.1:{closed.getsockname()[1]}")
        await reads_without_redis(kind, cache, key, new_loader())
        with pytest.raises(ValueError):
            await kind.read(cache, key, new_loader(ValueError()))


ALONE = ["GET", "take", "load", "store"]
WAITING = ["GET", "take", "sleep", "look", "take again", "load"]


@pytest.mark.parametrize("how", ["kill", "stop"])
@pytest.mark.parametrize(
    "steps, before", [*((ALONE, step) for step in ALONE), (WAITING, "look"), (WAITING, "take again")]
)
async def test_redis_fails_in_the_middle(kind, new_server, new_cache, new_loader, key, how, steps, before):
    server = new_server()
    if steps is WAITING:
        server.client.set(f"unstale:lock:{key}", "another's", px=60_000)
    calls = 0

    class Failing(kind.cache_class):
        async def _call(self, function, *args, **kwargs):
            nonlocal calls
            calls += 1
            if calls == steps.index(before) + 1:
                getattr(server, how)()
            answer = await super()._call(function, *args, **kwargs)
            if function is self._sleep and before == "take again":
                server.client.unlink(f"unstale:lock:{key}")
            return answer

    cache = new_cache(server.url, Failing, IMPATIENT)
    await reads_without_redis(kind, cache, key, new_loader(), lock=30)
    # What has failed before the load is not tried again: it costs one timeout.
    failed_after_load = before in ("load", "store")
    assert calls == (len(ALONE) if failed_after_load else steps.index(before) + 2)


async def test_redis_stops_while_a_loader_fails(kind, new_server, new_cache, new_loader, key):
    server = new_server()

    async def stop():
        server.stop()

    with pytest.raises(ValueError):
        await kind.read(new_cache(server.url, client_options=IMPATIENT), key, new_loader(ValueError(), stop))


async def test_redis_comes_back(kind, new_server, new_cache, new_loader, key):
    server = new_server()
    cache = new_cache(server.url, client_options=IMPATIENT)
    server.stop()
    await reads_without_redis(kind, cache, key, new_loader())
    server.resume()
    deadline = time.monotonic() + 10
    while server.client.get(key) is None:
        assert time.monotonic() < deadline
        assert await kind.read(cache, key, new_loader()) == b"loaded"


async def test_redis_forgets_the_token(kind, new_cache, new_loader, key, look):
    async def forget():
        look.unlink(f"unstale:fence:{key}")

    await reads_without_redis(kind, new_cache(), key, new_loader(during=forget))
    assert look.exists(key, f"unstale:lock:{key}") == 0


async def test_a_replica_serves_hits_and_takes_nothing(kind, new_server, new_cache, new_loader, new_key):
    primary = new_server("--repl-diskless-sync-delay", "0")
    cached, missing = new_key(), new_key()
    primary.client.set(cached, "cached")
    replica = new_server("--replicaof", "127.0.0.1", str(primary.port))
    deadline = time.monotonic() + 10
    while replica.client.get(cached) is None:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    cache = new_cache(replica.url)
    assert await kind.read(cache, cached, new_loader()) == b"cached"
    await reads_without_redis(kind, cache, missing, new_loader())


async def test_redis_is_out_of_memory(kind, new_server, new_cache, new_loader, new_key):
    server = new_server()
    cached, missing = new_key(), new_key()
    server.client.set(cached, "cached")
    server.client.config_set("maxmemory", 1)
    cache = new_cache(server.url)
    assert await kind.read(cache, cached, new_loader()) == b"cached"
    await reads_without_redis(kind, cache, missing, new_loader())


async def test_redis_runs_out_of_memory_during_a_load(kind, new_server, new_cache, new_loader, key):
    server = new_server()

    async def starve():
        server.client.config_set("maxmemory", 1)

    await reads_without_redis(kind, new_cache(server.url), key, new_loader(during=starve))
    assert server.client.exists(key, f"unstale:lock:{key}") == 0


async def test_redis_is_loading_its_data(kind, new_server, new_cache, new_loader, key):
    before = new_server()
    before.client.mset({f"key:{number}": os.urandom(1000) for number in range(3000)})
    before.client.save()
    slowly = ("--key-load-delay", "5000", "--loading-process-events-interval-bytes", "1024")
    server = new_server(*slowly, directory=before.directory, ready=False)
    with pytest.raises(redis.exceptions.BusyLoadingError):
        server.client.get(key)
    await reads_without_redis(kind, new_cache(server.url), key, new_loader())
    assert server.client.info()["loading"]


async def test_the_key_is_of_another_type(kind, new_cache, new_loader, key, look):
    look.hset(key, "field", "value")
    await reads_without_redis(kind, new_cache(), key, new_loader())
    assert look.type(key) == b"hash"


async def test_rights_are_lacking(kind, new_server, new_cache, new_loader, key):
    server = new_server()
    server.client.execute_command("ACL", "SETUSER", "reader", "on", ">secret", "~*", "+get")
    cache = new_cache(f"redis://reader:secret@127.0.0.1:{server.port}")
    await reads_without_redis(kind, cache, key, new_loader())


async def test_these_rights_are_enough(kind, new_server, new_cache, new_loader, key):
    server = new_server()
    rights = ["~*", "+get", "+set", "+unlink", "+evalsha", "+script|load"]
    server.client.execute_command("ACL", "SETUSER", "reader", "on", ">secret", *rights)
    cache = new_cache(f"redis://reader:secret@127.0.0.1:{server.port}")
    assert await kind.read(cache, key, new_loader()) == b"loaded"
    assert server.client.get(key) == b"loaded"
    await kind.delete(cache, key)
    assert server.client.get(key) is None


async def test_a_failing_redis_is_warned_of_once_in_ten_seconds(kind, new_server, new_cache, new_loader, key, caplog):
    caplog.set_level(logging.DEBUG, "unstale_cache")
    now = 100.0
    server = new_server()
    cache = new_cache(server.url, clock=lambda: now)
    server.kill()
    levels = []
    for now in (100.0, 100.5, 109.9, 110.1, 111.0):
        caplog.clear()
        await kind.read(cache, key, new_loader())
        levels += [record.levelname for record in caplog.records if record.name == "unstale_cache"]
    assert levels == ["WARNING", "DEBUG", "DEBUG", "WARNING", "DEBUG"]
