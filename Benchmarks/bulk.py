"""One statement that changes every row: from its commit until the last key is gone, by this process' clock."""

import time

from contestants import LIMIT

# Above Unstale's default limit a statement counts as 'any row', and keys go by one SCAN.
EACH_ROW = ("--row-limit", "1000000")


def run(bench):
    report = bench.report
    report.section(
        "bulk", f"One UPDATE of {bench.rows:,} rows, until the last key is gone. With Unstale's defaults, which record no "
        "single row beyond 50,000, that is one SCAN; with a higher --row-limit, and for the limit, each row is recorded")
    statements, tails, cpu = {}, {}, {}
    field = bench.field()
    for _ in range(bench.rounds):
        for contestant in (*field, *(f"{build}, each row" for build in bench.builds)):
            name = contestant.removesuffix(", each row")
            bench.fresh()
            worker = bench.start(name, install=EACH_ROW if name == LIMIT or name != contestant else ())
            bench.fill()
            before = worker.cpu()
            with bench.connect() as connection:
                start = time.monotonic()
                connection.execute("UPDATE users SET name = 'new'")
                committed = time.monotonic()
            bench.wait_until_empty(worker)
            tails.setdefault(contestant, []).append((time.monotonic() - committed) * 1000)
            statements.setdefault(contestant, []).append((committed - start) * 1000)
            cpu.setdefault(contestant, []).append(worker.cpu() - before)
            worker.stop()
    report.rows("the UPDATE", "ms", statements, base=LIMIT)
    report.rows("commit to last key gone", "ms", tails, base=LIMIT)
    report.rows("the worker's CPU", "s", cpu, base=LIMIT)
