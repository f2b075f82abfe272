"""Fixtures: a Redis, and readers of both kinds behind one way to call them."""

import asyncio
import itertools
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from uuid import uuid4

import pytest
import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from servers import Server
from unstale_cache import AsyncCache, Cache


class SyncKind:
    """Calls a `Cache` in threads, and its coroutine functions from them on the test's loop."""

    cache_class = Cache

    def __init__(self, loop):
        self.loop = loop
        self.pool = ThreadPoolExecutor(64)

    def client(self, url, **options):
        return redis.Redis.from_url(url, retry=Retry(NoBackoff(), 0), **options)

    async def close(self, client):
        client.close()

    def blocking(self, function):
        return lambda *args: asyncio.run_coroutine_threadsafe(function(*args), self.loop).result()

    async def read(self, cache, key, loader, ttl=60, **options):
        call = partial(cache.get_or_load, key, self.blocking(loader), ttl, **options)
        return await self.loop.run_in_executor(self.pool, call)

    async def delete(self, cache, *keys):
        cache.delete(*keys)


class AsyncKind:
    cache_class = AsyncCache

    def client(self, url, **options):
        return redis.asyncio.Redis.from_url(url, retry=AsyncRetry(NoBackoff(), 0), **options)

    async def close(self, client):
        async with client:  # aclose() is newer than redis 5.0
            pass

    def blocking(self, function):
        return function

    async def read(self, cache, key, loader, ttl=60, **options):
        return await cache.get_or_load(key, loader, ttl, **options)

    async def delete(self, cache, *keys):
        await cache.delete(*keys)


@pytest.fixture(params=["sync", "asyncio"])
async def kind(request):
    if request.param == "asyncio":
        yield AsyncKind()
    else:
        loop = asyncio.get_running_loop()
        kind = SyncKind(loop)
        yield kind
        await loop.run_in_executor(None, kind.pool.shutdown)  # the loop goes on: its threads may wait for it


@pytest.fixture(scope="session")
def url():
    return os.environ["UNSTALE_TEST_REDIS_URL"]


@pytest.fixture
def look(url):
    """A client of the test's own, to look at what is in Redis and to play the worker."""
    with redis.Redis.from_url(url) as client:
        yield client


@pytest.fixture
def new_key():
    prefix = f"test:{uuid4().hex}"
    numbers = itertools.count()
    return lambda: f"{prefix}:{next(numbers)}"


@pytest.fixture
def key(new_key):
    return new_key()


@pytest.fixture
async def new_cache(kind, url):
    """Makes readers, of the fixture's Redis or another, and closes their clients in the end."""
    clients = {}

    def make(at=url, cache_class=kind.cache_class, client_options={}, **options):
        which = (at, *client_options.items())
        if which not in clients:
            clients[which] = kind.client(at, **client_options)
        return cache_class(clients[which], **options)

    yield make
    for client in clients.values():
        await kind.close(client)


@pytest.fixture
def new_server():
    """Starts servers of the test's own."""
    servers = []

    def start(*arguments, **options):
        servers.append(Server(*arguments, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.kill()


class Loader:
    """Counts its loads. `during` is awaited in each."""

    def __init__(self, value=b"loaded", during=None):
        self.value = value
        self.during = during
        self.loads = 0

    async def __call__(self):
        self.loads += 1
        if self.during:
            await self.during()
        if isinstance(self.value, BaseException):
            raise self.value
        return self.value


@pytest.fixture
def new_loader():
    return Loader
