"""No reader leaves behind what it read before the last change, whenever that comes."""

import itertools
import random
from collections import Counter

import pytest

from interleaving import Clock, Row, Schedule, stepped


async def outcome(kind, new_cache, row, moments, lock, fenced):
    """One reader, with commit, fence and delete each before its step of that number. Returns how many steps it took."""
    changes = sorted(zip(moments, (row.commit, row.fence, row.unlink)), key=lambda change: change[0], reverse=True)
    steps = 0

    async def step():
        nonlocal steps
        while changes and changes[-1][0] == steps:
            changes.pop()[1]()
        steps += 1

    cache = new_cache(cache_class=stepped(kind, step, fenced))
    assert await kind.read(cache, row.key, row.load, lock=lock) in (b"0", b"1")
    while changes:
        changes.pop()[1]()
    return steps


@pytest.mark.parametrize("lock", [None, 5.0])
async def test_no_moment_of_a_change_leaves_a_stale_value(kind, new_cache, new_key, look, lock):
    steps = await outcome(kind, new_cache, Row(look, new_key()), (100, 100, 100), lock, True)
    assert steps == (10 if lock is None else 16)
    moments = list(itertools.combinations_with_replacement(range(steps + 1), 3))
    seen = {True: Counter(), False: Counter()}
    for fenced, moment in itertools.product(seen, moments):
        row = Row(look, new_key())
        await outcome(kind, new_cache, row, moment, lock, fenced)
        seen[fenced][row.cached] += 1
        if fenced:
            assert row.cached != "stale", moment
    assert seen[True]["new"] > 0 and seen[True]["nothing"] > 0
    assert seen[False]["stale"] > 0  # the same moments do harm to a reader without the fence


async def race(kind, new_cache, look, key, seed, lock, fenced):
    """Three readers, who read for as long as it takes to make three changes."""
    schedule, clock, row = Schedule(random.Random(seed)), Clock(kind), Row(look, key)
    written = False

    async def read(name):
        step = schedule.step(name)
        cache = new_cache(cache_class=stepped(kind, step, fenced), clock=clock, sleep=clock.sleep)

        async def load():
            loaded = await row.load()
            for _ in range(3):
                await step()
            return loaded

        while not written:
            await kind.read(cache, key, load, lock=lock)

    async def write():
        nonlocal written
        step = schedule.step("writer")
        for _ in range(3):
            for _ in range(schedule.rng.randrange(12)):
                await step()
            for change in (row.commit, row.fence, row.unlink):
                await step()
                change()
        written = True

    await schedule.run(*(read(f"reader {number}") for number in range(3)), write())
    return row.cached


@pytest.mark.parametrize("lock", [None, 5.0])
async def test_no_random_order_leaves_a_stale_value(kind, new_cache, new_key, look, lock):
    seen = {True: Counter(), False: Counter()}
    for fenced, seeds in ((True, range(300)), (False, range(100))):
        for seed in seeds:
            cached = await race(kind, new_cache, look, new_key(), seed, lock, fenced)
            seen[fenced][cached] += 1
            if fenced:
                assert cached != "stale", f"seed {seed}"
    assert seen[True]["new"] > 0
    assert seen[False]["stale"] > 0
