"""Drain and latency while another session keeps a transaction open for the whole run: one that reads by a snapshot, and
one that has written to the very table. Both keep Postgres from tidying up, which slows down every writer, so each is
compared with bare under the same conditions too."""

import contextlib

import drain
from latency import observe, quantiles
from report import ratio

RATE = 200
TRANSACTIONS = {
    "none": (),
    "a snapshot": ("BEGIN ISOLATION LEVEL REPEATABLE READ", "SELECT count(*) FROM users"),
    "an open write": ("BEGIN", "INSERT INTO users VALUES (-1, 'open')"),
}


@contextlib.contextmanager
def holding(bench, transaction):
    with bench.connect() as connection:
        for statement in TRANSACTIONS[transaction]:
            connection.execute(statement)
        yield
        connection.execute("ROLLBACK")


def run(bench):
    report = bench.report
    report.section(
        "held", f"{bench.rows:,} durable commits by 8 writers, and latency at {RATE}/s, while another transaction is open")
    seconds, tails, rates, samples = {}, {}, {}, {}
    for _ in range(bench.rounds):
        for transaction in TRANSACTIONS:
            for contestant in ("bare", *bench.builds):
                name = f"{contestant}, {transaction} held"
                bench.fresh()
                worker = None if contestant == "bare" else bench.start(contestant)
                with holding(bench, transaction):
                    if worker:
                        bench.fill()
                        results = drain.drain(bench, worker, durable=not bench.is_quick)
                        samples.setdefault(name, []).append(observe(bench, RATE))
                        worker.stop()
                    else:
                        results = [bench.update_each(durable=not bench.is_quick)]
                for values, value in zip((seconds, tails, rates), results):
                    values.setdefault(name, []).append(value)
    base = "unstale, none held"
    report.rows("the commits", "s", seconds, base="bare, none held")
    report.rows("last commit to last key gone", "ms", tails, base=base)
    report.rows("changes served", "1/s", rates, base=base)
    latencies = quantiles(samples)
    for quantile, values in latencies.items():
        report.rows(f"latency, {quantile}", "ms", values, base=base)
    for transaction in list(TRANSACTIONS)[1:]:
        name = f"unstale, {transaction} held"
        report.goal(f"changes served while {transaction} is held, as a share of unheld", ratio(rates, name, base), at_least=0.9)
        report.goal(f"latency p50 while {transaction} is held, unheld as a share of it",
                    ratio(latencies["p50"], base, name), at_least=0.9)

