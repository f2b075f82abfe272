"""Changes that piled up while no worker ran: from its cold start until the last key is gone.

Only Unstale, the limit and a replication slot know what happened while they were away. A worker that listens loses it,
so the careful one is stopped (SIGSTOP) while the commits are made, and its time begins when it goes on: no start is in it.
CPU and memory are of the whole life of those that start.
"""

import signal
import time

from contestants import LIMIT, launch
from measuring import Peak
from report import median, ratio

CONTESTANTS = (LIMIT, "decoding", "careful")


def run(bench):
    sizes = bench.scale((100_000, 1_000_000), (1_000, 4_000))
    bench.report.section("backlog", "Changes of a row each that are there when the worker starts")
    small = measure(bench, sizes[0], bench.field(limit=(), peers=CONTESTANTS))
    large = measure(bench, sizes[1], bench.field(peers=()))
    goal = bench.report.goal
    if LIMIT in small[0]:
        goal("backlog of 100,000, as a multiple of the limit's time", ratio(small[0], "unstale", LIMIT), at_most=2)
        goal("how many times faster than the careful worker", ratio(small[0], "careful", "unstale"), at_least=2)
    goal("backlog of 100,000, CPU", median(small[1]["unstale"]), unit="s", at_most=0.15)
    goal("backlog of 100,000, peak anonymous memory", median(small[2]["unstale"]) * 1.048576, unit="MB", at_most=30)
    goal("backlog of 1,000,000, as a multiple of the time of 100,000",
         median(large[0]["unstale"]) / median(small[0]["unstale"]), at_most=12)


def measure(bench, rows, contestants):
    seconds, cpu, memory = {}, {}, {}
    for _ in range(bench.rounds):
        for contestant in contestants:
            bench.fresh(rows)
            go = pile_up(bench, contestant, rows)
            start = time.monotonic()
            worker = go()
            peak = Peak(worker.pid)
            before = worker.cpu() if contestant == "careful" else 0
            bench.wait_until_empty(worker)
            seconds.setdefault(contestant, []).append(time.monotonic() - start)
            cpu.setdefault(contestant, []).append(worker.cpu() - before)
            memory.setdefault(contestant, []).append(peak.stop())
            worker.stop()
    for what, unit, results in (
        ("until the last key is gone", "s", seconds), ("CPU", "s", cpu), ("peak anonymous memory", "MiB", memory),
    ):
        bench.report.rows(f"{rows:,} changes: {what}", unit, results, base=LIMIT)
    return seconds, cpu, memory


def pile_up(bench, contestant, rows):
    """Makes the changes while the contestant is away; gives what it takes to let it go."""
    worker = bench.start(contestant)
    bench.fill(rows)
    if contestant == "careful":
        worker.signal(signal.SIGSTOP)
        bench.update_each(rows, durable=False)

        def go_on():
            worker.signal(signal.SIGCONT)
            return worker

        return go_on
    worker.stop()
    # The limit stores no cursor, so it is told where to begin.
    arguments = [bench.value("SELECT pg_current_snapshot()::text")] if contestant == LIMIT else []
    bench.update_each(rows, durable=False)
    return lambda: launch(contestant, bench, *arguments)
