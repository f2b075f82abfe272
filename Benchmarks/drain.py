"""As many commits as there are rows, by 8 writers, with the worker beside them: how much it slows them down, how long
after the last commit the last key is gone, and on how much CPU and memory.

Times are those of this process: from pgbench's end, which is within milliseconds of its last commit, until Redis is empty.
Every row changes once, so there is a last key; and a contestant that leaves one behind fails the run.
"""

import time

from capture import commits
from measuring import Peak
from report import median, ratio


def run(bench):
    report = bench.report
    report.section("drain", f"{bench.rows:,} single-row commits by 8 writers, with the worker beside them")
    for durable in bench.scale((True, False), (False,)):
        results = Results()
        for _ in range(bench.rounds):
            for contestant in bench.field("bare"):
                one(bench, contestant, durable, results)
        results.report(report, commits(durable))
        report.goal(
            f"{bench.rows:,} commits with the worker beside them, {commits(durable)}, as a multiple of bare",
            ratio(results.seconds, "unstale", "bare"), at_most=1.3 if durable else 1.45)
        report.goal(
            f"last commit to last key gone, {commits(durable)}", median(results.tails["unstale"]), unit="ms", at_most=50)
        if "decoding" in results.seconds:
            report.goal(
                f"commits with the worker beside them, {commits(durable)}, as a multiple of those beside logical decoding",
                ratio(results.seconds, "unstale", "decoding"), at_most=1)


class Results:
    def __init__(self):
        self.seconds, self.tails, self.rates, self.cpu, self.memory = {}, {}, {}, {}, {}

    def report(self, report, what):
        report.rows(f"{what}: the commits", "s", self.seconds, base="bare")
        report.rows(f"{what}: last commit to last key gone", "ms", self.tails)
        report.rows(f"{what}: changes served", "1/s", self.rates)
        report.rows(f"{what}: the worker's CPU", "s", self.cpu)
        report.rows(f"{what}: peak anonymous memory", "MiB", self.memory)


def one(bench, contestant, durable, results):
    bench.fresh()
    if contestant == "bare":
        results.seconds.setdefault(contestant, []).append(bench.update_each(durable=durable))
        return
    worker = bench.start(contestant)
    bench.fill()
    before, peak = worker.cpu(), Peak(worker.pid)
    seconds, tail, rate = drain(bench, worker, durable)
    for values, value in (
        (results.seconds, seconds), (results.tails, tail), (results.rates, rate),
        (results.cpu, worker.cpu() - before), (results.memory, peak.stop()),
    ):
        values.setdefault(contestant, []).append(value)
    worker.stop()


def drain(bench, worker, durable=True):
    """How long the commits took in seconds, how long after them the last key was gone in ms, and changes a second."""
    seconds = bench.update_each(durable=durable)
    end = time.monotonic()
    bench.wait_until_empty(worker)
    tail = time.monotonic() - end
    return seconds, tail * 1000, bench.rows / (seconds + tail)
