"""Hits, misses, lifetimes, values, and what goes over the wire."""

import random
import secrets
import time
from pathlib import Path

import pytest
import redis
import redis.asyncio
import redis.asyncio.cluster
import redis.cluster

from unstale_cache import AsyncCache, Cache
from unstale_cache._protocol import RELEASE, STORE, lifetime_ms, pauses


async def test_a_miss_loads_and_stores_and_a_hit_does_not_load(kind, new_cache, new_loader, key, look):
    cache, loader = new_cache(), new_loader(b"value")
    assert await kind.read(cache, key, loader) == b"value"
    assert look.get(key) == b"value"
    loader.value = b"another"
    assert await kind.read(cache, key, loader) == b"value"
    assert loader.loads == 1
    assert not look.exists(f"unstale:lock:{key}")


async def test_the_fence_has_a_random_token_and_a_minute_to_live(kind, new_cache, new_loader, new_key, look):
    fences = []
    for key in (new_key(), new_key()):
        await kind.read(new_cache(), key, new_loader())
        fences.append(look.get(f"unstale:fence:{key}"))
        assert 55_000 < look.pttl(f"unstale:fence:{key}") <= 60_000
    assert all(len(fence) == 32 and int(fence, 16) for fence in fences)
    assert fences[0] != fences[1]


async def test_keys_are_bytes_or_str(kind, new_cache, new_loader, key, look):
    cache, loader = new_cache(), new_loader("value")
    await kind.read(cache, f"{key}:ü", loader)
    assert await kind.read(cache, f"{key}:ü".encode(), loader) == b"value"
    assert await kind.read(cache, f"{key}:".encode() + b"\xff", loader) == b"value"
    assert look.get(f"{key}:".encode() + b"\xff") == b"value"
    with pytest.raises(TypeError, match="a key must be bytes or str, not int"):
        await kind.read(cache, 7, loader)


BINARY = bytes(range(256)) + b"\r\n$-1\r\n"


@pytest.mark.parametrize("decode", [False, True])
@pytest.mark.parametrize("value, stored", [(BINARY, BINARY), ("Grüße", "Grüße".encode()), (b"", b""), ("", b"")])
async def test_values_are_bytes_whatever_the_client_decodes(
    kind, new_cache, new_loader, key, look, decode, value, stored
):
    cache, loader = new_cache(client_options={"decode_responses": decode}), new_loader(value)
    assert await kind.read(cache, key, loader) == stored
    assert await kind.read(cache, key, loader) == stored
    assert loader.loads == 1
    assert look.get(key) == stored


async def test_none_is_returned_and_not_stored(kind, new_cache, new_loader, key, look):
    cache, loader = new_cache(), new_loader(None)
    assert await kind.read(cache, key, loader) is None
    assert await kind.read(cache, key, loader) is None
    assert loader.loads == 2
    assert look.exists(key, f"unstale:lock:{key}") == 0


async def test_another_type_of_value_is_refused(kind, new_cache, new_loader, key, look):
    with pytest.raises(TypeError, match="what the loader returns must be bytes or str, not dict"):
        await kind.read(new_cache(), key, new_loader({}))
    assert look.exists(key, f"unstale:lock:{key}") == 0


async def test_a_value_over_the_cap_is_returned_and_not_stored(kind, new_cache, new_loader, new_key, look):
    cache = new_cache(max_bytes=4)
    for value, is_stored in ((b"1234", 1), ("äö", 1), (b"12345", 0), ("äöü", 0)):
        key = new_key()
        expected = value.encode() if isinstance(value, str) else value
        assert await kind.read(cache, key, new_loader(value)) == expected
        assert look.exists(key) == is_stored
        assert not look.exists(f"unstale:lock:{key}")


async def test_the_cap_is_half_a_mebibyte(kind, new_cache, new_loader, new_key, look):
    for size, is_stored in ((512 * 1024, 1), (512 * 1024 + 1, 0)):
        key = new_key()
        await kind.read(new_cache(), key, new_loader(bytes(size)))
        assert look.exists(key) == is_stored


async def test_the_lifetime_is_varied(kind, new_cache, new_loader, new_key, look):
    cache = new_cache(rng=random.Random(1))
    lifetimes = []
    for _ in range(50):
        key = new_key()
        await kind.read(cache, key, new_loader(), 100, jitter=0.2)
        lifetimes.append(look.pttl(key))
    assert 79_000 < min(lifetimes) < 85_000
    assert 115_000 < max(lifetimes) <= 120_000


async def test_without_jitter_the_lifetime_is_exact(kind, new_cache, new_loader, key, look):
    await kind.read(new_cache(), key, new_loader(), 100.5, jitter=0)
    assert 95_000 < look.pttl(key) <= 100_500


def test_a_lifetime_is_a_millisecond_at_least():
    rng = random.Random(1)
    assert [lifetime_ms(ttl, 0.1, rng) for ttl in (0.0001, 0, -5)] == [1, 1, 1]
    assert {lifetime_ms(0.002, 0.5, rng) for _ in range(100)} == {1, 2, 3}


def test_pauses_grow_from_milliseconds_to_a_twentieth_of_a_second():
    waits = pauses(random.Random(1))
    seconds = [next(waits) for _ in range(100)]
    assert 0.001 <= seconds[0] <= 0.003
    assert all(0.025 <= pause <= 0.075 for pause in seconds[20:])
    assert len(set(seconds)) == 100


async def test_a_hit_is_one_round_trip_and_a_miss_two_more(kind, new_cache, new_loader, key):
    calls = 0

    class Counted(kind.cache_class):
        async def _call(self, function, *args, **kwargs):
            nonlocal calls
            calls += 1
            return await super()._call(function, *args, **kwargs)

    cache = new_cache(cache_class=Counted)
    await kind.read(cache, key, new_loader())
    assert calls == 4  # the loader is one of them
    await kind.read(cache, key, new_loader())
    assert calls == 5


async def test_a_hit_makes_no_token_and_no_lifetime(kind, new_cache, new_loader, key, monkeypatch):
    await kind.read(new_cache(), key, new_loader())
    monkeypatch.setattr(secrets, "token_hex", None)
    assert await kind.read(new_cache(rng=None), key, new_loader()) == b"loaded"
    with pytest.raises(TypeError, match="a tag must be bytes or str, not int"):
        await kind.read(new_cache(), key, new_loader(), tags=[7])


async def test_scripts_that_redis_has_forgotten_are_sent_again(kind, new_server, new_cache, new_loader, new_key):
    server = new_server()
    cache = new_cache(server.url)
    for _ in range(2):
        key = new_key()
        await kind.read(cache, key, new_loader())
        await kind.read(cache, new_key(), new_loader(None))  # which releases its lock by a script
        assert server.client.get(key) == b"loaded"
        assert not list(server.client.scan_iter("unstale:lock:*"))
        server.client.script_flush()


def test_the_readme_has_the_same_scripts():
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    for script in (STORE, RELEASE):
        assert f"```lua{script}```" in readme


async def test_delete_fences_off_who_is_loading(kind, new_cache, new_loader, new_key, look):
    cache, one, other = new_cache(), new_key(), new_key()
    await kind.read(cache, other, new_loader())

    async def delete():
        await kind.delete(cache, one, other)

    assert await kind.read(cache, one, new_loader(b"old", delete)) == b"old"
    assert look.exists(one, other) == 0
    assert 55_000 < look.pttl(f"unstale:fence:{one}") <= 60_000
    assert await kind.read(cache, one, new_loader(b"new")) == b"new"
    assert look.get(one) == b"new"


async def test_delete_says_that_redis_is_down(kind, new_cache, new_server, key):
    server = new_server()
    cache = new_cache(server.url)
    server.kill()
    with pytest.raises(redis.ConnectionError):
        await kind.delete(cache, key)


def test_a_client_of_the_other_kind_is_refused(url):
    with pytest.raises(TypeError, match="AsyncCache one of redis.asyncio"):
        Cache(redis.asyncio.Redis.from_url(url))
    with pytest.raises(TypeError, match="Cache takes a client of redis"):
        AsyncCache(redis.Redis.from_url(url))


@pytest.fixture
def cluster(new_server):
    """A Cluster of one node, which checks slots like any other."""
    server = new_server("--cluster-enabled", "yes", "--cluster-require-full-coverage", "no")
    server.client.execute_command("CLUSTER ADDSLOTS", *range(16384))
    deadline = time.monotonic() + 10
    while server.client.execute_command("CLUSTER INFO")["cluster_state"] != "ok":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return server


async def test_in_a_cluster_what_goes_with_a_key_is_in_its_slot(kind, cluster, new_loader):
    classes = {Cache: redis.cluster.RedisCluster, AsyncCache: redis.asyncio.cluster.RedisCluster}
    client = classes[kind.cache_class](host="127.0.0.1", port=cluster.port)
    cache, loader = kind.cache_class(client), new_loader()
    for key in ["{user:42}:page", "user:42", "user:{", "{}odd"]:
        for _ in range(2):
            assert await kind.read(cache, key, loader) == b"loaded"
    # A key with a } and without a hash tag has nothing in its slot: it is loaded each time.
    assert loader.loads == 5
    for key in ["{user:42}:page", "user:42"]:
        await kind.delete(cache, key)
        assert await kind.read(cache, key, loader) == b"loaded"
    assert loader.loads == 7
    await kind.close(client)
