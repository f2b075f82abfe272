"""Commit to key gone, at a steady rate of single-row commits.

One process writes and looks (`observer/`): it sends an UPDATE when it is due, takes the time when the answer to its
commit is there, and from then on asks Redis with EXISTS whether the key is gone, all by one clock. It rests for 50 µs
between two looks, so each figure is too large by up to that and one round trip, the same for everybody. pgcachewatch has
no keys: it prints when it heard.
"""

import os
import subprocess
import sys
import time

from measuring import percentile
from report import median

RATES = (50, 200, 1_000)
OBSERVER = f"{os.path.dirname(os.path.abspath(__file__))}/observer/observer"
PATIENCE = 5
QUANTILES = (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("max", 1))


def run(bench):
    report = bench.report
    report.section("latency", f"Commit to key gone at a steady rate, {bench.seconds:g} s a round; in the writer's clock")
    for rate in bench.scale(RATES, (200,)):
        samples = {}
        for _ in range(bench.rounds):
            for contestant in bench.field(peers=("naive", "careful", "decoding", "cachewatch")):
                bench.fresh()
                worker = bench.start(contestant)
                sample = hear(bench, worker, rate) if contestant == "cachewatch" else observe(bench, rate)
                samples.setdefault(contestant, []).append(sample)
                worker.stop()
        results = quantiles(samples)
        for name, values in results.items():
            report.rows(f"{rate:,}/s, {name}", "ms", values, base="naive")
        if rate == 200:
            report.goal("latency at 200/s, p50", median(results["p50"]["unstale"]), unit="ms", at_most=0.6)
            report.goal("latency at 200/s, p99", median(results["p99"]["unstale"]), unit="ms", at_most=2)
            if "naive" in samples:
                for name in ("p50", "p99"):
                    report.goal(f"latency at 200/s, {name}, not above the asyncpg worker's",
                                median(results[name]["unstale"]), unit="ms", at_most=median(results[name]["naive"]))


def quantiles(samples):
    """By quantile and contestant: one value a round."""
    return {
        name: {who: [percentile(sample, quantile) for sample in rounds] for who, rounds in samples.items()}
        for name, quantile in QUANTILES
    }


def observe(bench, rate, seconds=None):
    """Milliseconds of each change."""
    return [(gone - commit) * 1000 for commit, gone in watch(bench, rate, seconds or bench.seconds)]


def hear(bench, worker, rate):
    """The same of a worker that prints when it hears of a change; one writer's come in the order of its commits."""
    commits = [commit for commit, _ in watch(bench, rate, bench.seconds, "blind")]
    end = time.monotonic() + PATIENCE
    while len(worker.lines) <= len(commits):
        if time.monotonic() > end:
            sys.exit(f"pgcachewatch has heard of {len(worker.lines) - 1} of {len(commits)} commits")
        time.sleep(0.01)  # until the rest was read; PATIENCE is the deadline
    return [max(0, float(heard) - commit) * 1000 for commit, heard in zip(commits, worker.lines[1:])]


def watch(bench, rate, seconds, *arguments):
    """When each change was committed, and when its key was gone."""
    servers = bench.servers
    numbers = (servers.redis_port, rate, int(rate * seconds), bench.rows)
    command = [OBSERVER, servers.database_url, *map(str, numbers), *arguments]
    lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    return [tuple(map(float, line.split())) for line in lines]
