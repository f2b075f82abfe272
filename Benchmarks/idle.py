"""What a worker with nothing to do costs: itself, and the servers it is connected to."""

import contextlib
import time

from measuring import context_switches, status
from report import median

FIELDS = ("anonymous memory", "resident memory", "CPU", "wake-ups", "Postgres statements", "Redis commands")
UNITS = ("MiB", "MiB", "%", "1/s", "1/s", "1/s")


def run(bench):
    report = bench.report
    report.section(
        "idle", "Nothing to do: memory, share of a core, how often a thread wakes up, what the servers are asked (Postgres "
        "counted in its log)")
    results = {field: {} for field in FIELDS}
    with logged_statements(bench):
        for _ in range(min(bench.rounds, 3)):
            for contestant in bench.field():
                bench.fresh()
                worker = bench.start(contestant)
                time.sleep(bench.scale(3, 0.2))  # a warm-up, of which nothing counts: nothing tells when what a start sets off is over
                for field, value in zip(FIELDS, observe(bench, worker)):
                    results[field].setdefault(contestant, []).append(value)
                worker.stop()
    for field, unit in zip(FIELDS, UNITS):
        report.rows(field, unit, results[field])
    for field, unit, bound, factor in (
        ("anonymous memory", "MB", 10, 1.048576), ("resident memory", "MB", 42, 1.048576), ("CPU", "%", 0.2, 1),
        ("Postgres statements", "1/s", 3, 1),
    ):
        report.goal(f"idle: {field}", median(results[field]["unstale"]) * factor, unit=unit, at_most=bound)


@contextlib.contextmanager
def logged_statements(bench):
    """Those of all sessions that begin meanwhile."""
    bench.sql("ALTER SYSTEM SET log_statement = 'all'", "SELECT pg_reload_conf()")
    bench.wait_until(None, lambda: bench.value("SHOW log_statement") == "all", "Postgres has not read its settings anew")
    yield
    bench.sql("ALTER SYSTEM RESET log_statement", "SELECT pg_reload_conf()")


def observe(bench, worker):
    start, counts = time.monotonic(), count(bench, worker)
    time.sleep(bench.scale(10, 1))  # the measurement's length
    elapsed = time.monotonic() - start
    cpu, switches, statements, commands = (
        (after - before) / elapsed for before, after in zip(counts, count(bench, worker)))
    memory = [status(worker.pid, field) / 1024 for field in ("RssAnon", "VmRSS")]
    # The INFO that counts commands is one of them.
    return *memory, cpu * 100, switches, statements, max(0, commands - 1 / elapsed)


def count(bench, worker):
    with open(f"{bench.servers.data}/log") as log:
        statements = sum("LOG:  statement:" in line or "LOG:  execute " in line for line in log)
    commands = bench.cache.info("stats")["total_commands_processed"]
    return worker.cpu(), context_switches(worker.pid), statements, commands
