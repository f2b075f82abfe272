"""What is said to be stale is served no more, and nothing is served by one who can't hear."""

import asyncio
import json
import os
import secrets
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff

import local_cache
from local_cache import LocalCache
from running import Process, sql, unstale

URL = f"{os.environ['UNSTALE_TEST_REDIS_URL'].rstrip('/')}/12"
RULES = """
version: 1
rules:
  - name: user
    table: users
    delete: {keys: ["user:{id}"], tags: ["team:{team}"]}
    publish: {channel: CHANNEL}
"""


# What a client does about a lost connection: what it does by default, nothing, or to connect anew whatever happens.
RETRIES = {"default": {}, "never": {"retry": None}, "for ever": {"retry": Retry(ConstantBackoff(0.01), 10**9)}}


def client(port=urlsplit(URL).port, **options):
    return Redis(host="127.0.0.1", port=port, db=12, **options)


async def until(condition, what, seconds=20.0):
    end = asyncio.get_running_loop().time() + seconds
    while not condition():
        assert asyncio.get_running_loop().time() < end, what
        await asyncio.sleep(0.005)


@asynccontextmanager
async def listening(redis, channel):
    cache = LocalCache(redis, channel)
    task = asyncio.create_task(cache.run())
    try:
        await until(lambda: cache.is_listening, "the subscription stands")
        yield cache
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def redis():
    async with client() as redis:
        yield redis


@pytest.fixture
def channel():
    return f"test:{secrets.token_hex(8)}"


class Source:
    """Counts its loads."""

    def __init__(self):
        self.loads = 0

    async def __call__(self):
        self.loads += 1
        return self.loads


async def served(cache, key, source, **options):
    return await cache.get_or_load(key, source, **options)


@pytest.mark.parametrize("news", [
    {"keys": ["a:1"]}, {"patterns": ["a:*"]}, {"patterns": ["a:[1]"]}, {"tags": ["t"]}, {"counters": ["a:1"]},
    {"any": True, "patterns": ["z:*"]}, {"keys": [{"base64": "YToxCg=="}, "a:1"]},
])
async def test_what_is_stale_is_loaded_anew(redis, channel, news):
    stale, fresh = Source(), Source()
    async with listening(redis, channel) as cache:
        for _ in range(3):
            assert await served(cache, "a:1", stale, tags=["t"]) == 1
            assert await served(cache, "b:1", fresh, tags=["u"]) == 1
        await redis.publish(channel, json.dumps({"rule": "r", "at": 1.5} | news))
        await until(lambda: "a:1" not in cache._entries, "it is forgotten")
        assert await served(cache, "a:1", stale) == 2
        assert await served(cache, "b:1", fresh) == (2 if "any" in news else 1)


async def test_a_load_that_was_overtaken_is_not_kept(redis, channel):
    async with listening(redis, channel) as cache:
        begun, go = asyncio.Event(), asyncio.Event()

        async def slow():
            begun.set()
            await go.wait()
            return "before"

        first = asyncio.create_task(served(cache, "a", slow))
        await begun.wait()
        beside = asyncio.create_task(served(cache, "a", slow))
        await redis.publish(channel, json.dumps({"rule": "r", "at": 1, "keys": ["a"]}))
        await until(lambda: "a" not in cache._entries, "it is forgotten")
        go.set()
        assert await first == "before" and await beside == "before"
        assert await served(cache, "a", Source()) == 1


async def test_a_load_that_fails_fails_for_all_who_wait_and_is_tried_again(redis, channel):
    async with listening(redis, channel) as cache:
        go = asyncio.Event()

        async def failing():
            await go.wait()
            raise ValueError

        readers = [asyncio.create_task(served(cache, "a", failing)) for _ in range(3)]
        await asyncio.sleep(0)
        go.set()
        assert {type(error) for error in await asyncio.gather(*readers, return_exceptions=True)} == {ValueError}
        assert await served(cache, "a", Source()) == 1


async def test_who_waits_for_a_load_that_is_cancelled_loads_itself(redis, channel):
    async with listening(redis, channel) as cache:
        source = Source()
        first = asyncio.create_task(served(cache, "a", asyncio.Event().wait))
        await until(lambda: "a" in cache._entries, "it loads")
        others = [asyncio.create_task(served(cache, "a", source)) for _ in range(3)]
        await asyncio.sleep(0)  # they wait
        first.cancel()
        assert await asyncio.gather(*others) == [1, 1, 1]
        assert first.cancelled() and await served(cache, "a", source) == 1


UNREADABLE = ["text", b"\xff", "", "1", "null", '["a"]', '{"keys": 1}', '{"keys": [{}]}', "[" * 10_000]


@pytest.mark.parametrize("message", UNREADABLE)
async def test_what_cannot_be_read_may_name_anything(redis, channel, message):
    source = Source()
    async with listening(redis, channel) as cache:
        assert await served(cache, "a", source) == 1
        await redis.publish(channel, message)
        await until(lambda: not cache._entries, "it is forgotten")
        assert cache.is_listening
        assert await served(cache, "a", source) == 2
        await redis.publish(channel, json.dumps({"rule": "r", "at": 1, "keys": ["a"]}))
        await until(lambda: not cache._entries, "it hears the next one")


@pytest.mark.parametrize("retries", RETRIES)
async def test_what_was_sent_while_the_connection_was_lost_is_not_served(redis, channel, retries):
    source = Source()
    async with client(**RETRIES[retries]) as retrying, listening(retrying, channel) as cache:
        assert await served(cache, "a", source) == 1
        assert await redis.client_kill_filter(_type="pubsub") >= 1
        await redis.publish(channel, json.dumps({"rule": "r", "at": 1, "keys": ["a"]}))  # to nobody
        await until(lambda: not cache._entries, "it is noticed")
        await until(lambda: cache.is_listening, "it listens again")
        assert await served(cache, "a", source) == 2
        assert await served(cache, "a", source) == 2
        await redis.publish(channel, json.dumps({"rule": "r", "at": 1, "keys": ["a"]}))
        await until(lambda: not cache._entries, "it hears again")


@pytest.mark.parametrize("retries", RETRIES)
@pytest.mark.parametrize("is_closed", [False, True], ids=["silent", "closed"])
async def test_a_connection_that_is_silent_or_closed_is_none(channel, monkeypatch, is_closed, retries):
    monkeypatch.setattr(local_cache, "SILENCE", 0.2)

    async def pipe(reader, writer):
        while not is_mute.is_set() and (data := await reader.read(1 << 16)):
            writer.write(data)
        await asyncio.Event().wait()

    async def relay(reader, writer):
        writers.append(writer)
        address = urlsplit(URL)
        to_redis = await asyncio.open_connection(address.hostname, address.port)
        await asyncio.gather(pipe(reader, to_redis[1]), pipe(to_redis[0], writer))

    is_mute, writers = asyncio.Event(), []
    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with client(port, **RETRIES[retries]) as through, listening(through, channel) as cache:
        await asyncio.sleep(1)  # longer than it may be silent: the answers to PING count
        assert cache.is_listening
        assert await served(cache, "a", Source()) == 1
        is_mute.set()
        if is_closed:
            server.close()
            for writer in writers:
                writer.close()
        await until(lambda: not cache.is_listening, "it is noticed", 5)
        assert not cache._entries
    server.close()


async def test_with_the_worker_nothing_stale_is_served(redis, channel, tmp_path):
    """A row's version goes up in Postgres; once it is committed, memory has it within moments."""
    server = os.environ["UNSTALE_TEST_DATABASE_URL"]
    name = f"listener_{secrets.token_hex(6)}"
    database = urlsplit(server)._replace(path=f"/{name}").geturl()
    (tmp_path / "rules.yaml").write_text(RULES.replace("CHANNEL", channel))
    environment = {"UNSTALE_DATABASE_URL": database, "UNSTALE_REDIS_URL": URL, "UNSTALE_RULES": str(tmp_path / "rules.yaml")}
    run = asyncio.to_thread
    await run(sql, server, f"create database {name}")
    worker = None
    try:
        await run(sql, database, "create table users (id int primary key, team int, version int)",
                  "insert into users select i, i % 2, 0 from generate_series(1, 4) i")
        installed = await run(Process, [unstale(), "install"], tmp_path / "install.log", environment)
        assert await run(installed.process.wait) == 0
        worker = await run(Process, [unstale(), "run"], tmp_path / "worker.log", environment)
        await run(worker.wait_for_line, "Serving")
        versions = {"user:1": 0, "team:1": 0, "user:2": 0}

        async def read(cache, key, tags=()):
            async def load():
                return versions[key]

            return await cache.get_or_load(key, load, tags)

        async with listening(redis, channel) as cache:
            assert await read(cache, "user:1") == await read(cache, "user:2") == 0
            assert await read(cache, "team:1", tags=["team:1"]) == 0
            versions.update({"user:1": 1, "team:1": 1})
            await run(sql, database, "update users set version = 1 where id = 1")
            await until(lambda: not {"user:1", "team:1"} & set(cache._entries), "both are forgotten")
            assert await read(cache, "user:1") == 1 and await read(cache, "team:1", tags=["team:1"]) == 1
            assert "user:2" in cache._entries
            await run(sql, database, "truncate users")
            await until(lambda: not cache._entries, "all are forgotten")
    finally:
        if worker:
            await run(worker.stop)
        await run(sql, server, f"drop database {name} with (force)")
