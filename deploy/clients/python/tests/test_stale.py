"""No reader leaves behind what it read before the last change, whenever that comes."""

import itertools
from collections import Counter

import pytest

from interleaving import Row, outcome, race


@pytest.mark.parametrize("lock", [None, 5.0])
async def test_no_moment_of_a_change_leaves_a_stale_value(kind, new_cache, new_key, look, lock):
    steps = await outcome(kind, new_cache, Row(look, new_key()), (100, 100, 100), lock=lock)
    assert steps == (10 if lock is None else 16)
    moments = list(itertools.combinations_with_replacement(range(steps + 1), 3))
    seen = {True: Counter(), False: Counter()}
    for fenced, moment in itertools.product(seen, moments):
        row = Row(look, new_key())
        await outcome(kind, new_cache, row, moment, fenced, lock=lock)
        seen[fenced][row.cached] += 1
        if fenced:
            assert row.cached != "stale", moment
    assert seen[True]["new"] > 0 and seen[True]["nothing"] > 0
    assert seen[False]["stale"] > 0  # the same moments do harm to a reader without the fence


@pytest.mark.parametrize("lock", [None, 5.0])
async def test_no_random_order_leaves_a_stale_value(kind, new_cache, new_key, look, lock):
    seen = {True: Counter(), False: Counter()}
    for fenced, seeds in ((True, range(300)), (False, range(100))):
        for seed in seeds:
            row = Row(look, new_key())
            await race(kind, new_cache, row, seed, fenced, lock=lock)
            seen[fenced][row.cached] += 1
            if fenced:
                assert row.cached != "stale", f"seed {seed}"
    assert seen[True]["new"] > 0
    assert seen[False]["stale"] > 0
