"""What is filed under a tag goes with it, whenever the worker empties it."""

import itertools
from collections import Counter

from interleaving import Row, outcome, race


class TaggedRow(Row):
    """The worker knows the tag alone, as it does when a rule says `delete: {tags: …}`."""

    def __init__(self, look, key):
        super().__init__(look, key)
        self.tag = f"{key}:tag"
        self.taken = f"unstale:tag:{self.tag}"

    def take(self):
        if self.look.exists(self.tag) and not self.look.exists(self.taken):
            self.look.rename(self.tag, self.taken)

    def empty(self):
        for key in self.look.smembers(self.taken):
            self.key = key.decode()
            self.fence()
            self.unlink()
        self.look.unlink(self.taken)

    @property
    def changes(self):
        return self.commit, self.take, self.empty

    @property
    def is_filed(self):
        return self.look.sismember(self.tag, self.key)


async def test_a_value_is_filed_before_it_is_loaded(kind, new_cache, new_loader, key, look):
    tags = [f"{key}:a", f"{key}:ü".encode()]

    async def during():
        assert all(look.sismember(tag, key) for tag in tags)
        assert look.exists(f"unstale:fence:{key}")

    assert await kind.read(new_cache(), key, new_loader(during=during), tags=tags) == b"loaded"
    assert look.get(key) == b"loaded"
    for tag in tags:
        assert look.pttl(key) + 50_000 < look.pttl(tag) <= 66_000 + 60_000


async def test_a_hit_files_nothing(kind, new_cache, new_loader, key, look):
    await kind.read(new_cache(), key, new_loader())
    await kind.read(new_cache(), key, new_loader(), tags=[f"{key}:tag"])
    assert not look.exists(f"{key}:tag")


async def test_a_tag_lives_as_long_as_the_longest_of_its_values(kind, new_cache, new_loader, new_key, look):
    tag = new_key()
    for ttl, expected in ((100, 160_000), (10, 160_000), (200, 260_000)):
        await kind.read(new_cache(), new_key(), new_loader(), ttl=ttl, jitter=0, tags=[tag])
        assert expected - 10_000 < look.pttl(tag) <= expected
    look.persist(tag)
    await kind.read(new_cache(), new_key(), new_loader(), tags=[tag])
    assert look.ttl(tag) == -1 and look.scard(tag) == 4


async def test_what_cannot_be_filed_is_not_stored(kind, new_cache, new_loader, key, look):
    look.set(f"{key}:tag", "no set")
    assert await kind.read(new_cache(), key, new_loader(b"value"), tags=[f"{key}:tag"]) == b"value"
    assert look.exists(key, f"unstale:lock:{key}") == 0
    assert look.get(f"{key}:tag") == b"no set"


async def test_who_may_not_file_leaves_no_lock(kind, new_server, new_cache, new_loader, key):
    server = new_server()
    rights = ["~*", "+get", "+set", "+unlink", "+evalsha", "+script|load"]  # and no EVAL
    server.client.execute_command("ACL", "SETUSER", "reader", "on", ">secret", *rights)
    cache = new_cache(f"redis://reader:secret@127.0.0.1:{server.port}")
    assert await kind.read(cache, key, new_loader(b"value"), tags=[f"{key}:tag"]) == b"value"
    assert server.client.exists(key, f"{key}:tag", f"unstale:lock:{key}") == 0


async def test_no_moment_of_a_change_leaves_a_stale_or_an_unfiled_value(kind, new_cache, new_key, look):
    row = TaggedRow(look, new_key())
    steps = await outcome(kind, new_cache, row, (100, 100, 100), lock=None, tags=[row.tag])
    assert steps == 12
    seen = Counter()
    for moments in itertools.combinations_with_replacement(range(steps + 1), 3):
        row = TaggedRow(look, new_key())
        await outcome(kind, new_cache, row, moments, lock=None, tags=[row.tag])
        seen[row.cached] += 1
        assert row.cached != "stale", moments
        assert row.cached == "nothing" or row.is_filed, moments
    assert seen["new"] > 0 and seen["nothing"] > 0


async def test_no_random_order_leaves_a_stale_or_an_unfiled_value(kind, new_cache, new_key, look):
    seen = Counter()
    for seed in range(200):
        row = TaggedRow(look, new_key())
        await race(kind, new_cache, row, seed, lock=None, tags=[row.tag])
        seen[row.cached] += 1
        assert row.cached != "stale", f"seed {seed}"
        assert row.cached == "nothing" or row.is_filed, f"seed {seed}"
    assert seen["new"] > 0
