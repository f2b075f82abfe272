"""Before anything is measured: each contestant deletes every key that is stale, and no other."""

import sys

from contestants import LIMIT, PEERS

ROWS = 1_000


def run(bench):
    bench.report.section("check", f"{ROWS:,} commits, {ROWS // 2:,} inserts, and one UPDATE of all rows: every key goes, no other")
    for contestant in (*bench.builds, LIMIT, *PEERS):
        bench.fresh(ROWS)
        worker = bench.start(contestant)
        bench.fill(ROWS)
        bench.update_each(ROWS)
        bench.wait_until_empty(worker)
        bench.fill(ROWS)
        bench.sql("UPDATE users SET name = 'again'")
        bench.wait_until_empty(worker)
        bench.cache.mset({f"user:{number}": "x" for number in range(ROWS + 1, ROWS + ROWS // 2 + 1)})
        bench.sql(f"INSERT INTO users SELECT i, 'new' FROM generate_series({ROWS + 1}, {ROWS + ROWS // 2}) AS i")
        bench.wait_until_empty(worker)
        bench.fill(2)
        bench.cache.set("other:1", "x")
        bench.sql("DELETE FROM users WHERE id = 1")
        others = {b"user:2", b"other:1"}
        bench.wait_until_gone("user:1", worker)
        if set(bench.cache.keys()) != others:
            sys.exit(f"{contestant} has deleted keys that were not stale")
        worker.stop()
        bench.report.note(f"{contestant} has deleted every key")
