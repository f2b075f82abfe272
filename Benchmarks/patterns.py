"""Measures what patterns cost: a pass beside SCAN MATCH, a lookup in the index, and what others feel of a paced pass."""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time

import psycopg

from latency import quantiles
from measuring import Aside, percentile, status
from report import ratio

RULES = """
version: 1
rules:
  - name: pages
    table: pages
    delete:
      patterns: ["page:{id}?", "page:{id}??"]
"""
RULE_OF_ONE = RULES.replace('"page:{id}?", ', "")
# Keys are page:0 … page:999999. Row 1234 has page:12340 … page:123499, so that what a pattern matches is known. A quick
# run has a tenth of both.
KEYS = 1_000_000
PATIENCE = 120
# What a pass asks for at a time at the default share, and how long it rests where that takes 0.12 ms.
SCAN = f"{os.path.dirname(os.path.abspath(__file__))}/limit/scan"
COUNT, REST_US = 100, 600


class Foreground(Aside):
    """A client with a GET every millisecond; says how long each took, in ms."""

    def measure(self):
        latencies = []
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while not self.is_over.is_set():
                time.sleep(0.001)  # the load's own pace
                start = time.perf_counter()
                connection.sendall(b"GET foreground\r\n")
                connection.recv(64)
                latencies.append((time.perf_counter() - start) * 1000)
        return latencies


def run(bench):
    patterns = Patterns(bench)
    bench.report.section(
        "patterns", f"Deletes by pattern among {patterns.keys:,} keys: in one pass at full speed (`sweep_share: 100%`), by an "
        "index, and what others feel of passes at the default share")
    patterns.passes()
    patterns.index()
    patterns.foreground()


class Patterns:
    def __init__(self, bench):
        self.bench, self.cache = bench, bench.cache
        self.keys = bench.scale(KEYS, KEYS // 10)
        self.first_row = self.keys // 1000
        self.counts = bench.scale((1, 10, 100, 1_000), (1, 10, 100))

    # What is there

    def fresh(self, rules=RULES):
        self.bench.use(rules)
        self.bench.uninstall()
        self.bench.sql(
            "DROP TABLE IF EXISTS pages",
            "CREATE TABLE pages (id bigint PRIMARY KEY, version int NOT NULL DEFAULT 0)",
            f"INSERT INTO pages SELECT i FROM generate_series({self.first_row}, {self.keys // 100 - 1}) AS i",
            "VACUUM ANALYZE pages",
        )
        self.cache.flushall()
        self.cache.set("foreground", "x")
        self.fill(range(self.keys))

    def fill(self, numbers):
        numbers = list(numbers)
        for start in range(0, len(numbers), 5000):
            self.cache.mset({f"page:{number}": "x" for number in numbers[start : start + 5000]})

    def keys_of(self, row, rests):
        """What a row's patterns match: 10 keys with one more digit, 100 with two."""
        return [f"page:{row}{number:0{len(rest)}}" for rest in rests for number in range(10 ** len(rest))]

    def start(self, target, build="unstale"):
        """A worker whose target has these settings."""
        self.config = tempfile.NamedTemporaryFile("w", suffix=".yaml")
        self.config.write(f"targets:\n  - name: cache\n    url: {self.bench.servers.redis_url}\n{target}")
        self.config.flush()
        return self.bench.start(build, "--config", self.config.name)

    def sweep(self, rows, pause=0.0002, rests=("?", "??")):
        """Seconds from the commit that makes the rows' patterns stale until the last of their keys is gone.

        Looks at how many keys are left, and rests for `pause` seconds: Redis and the worker need the cores more.
        """
        keys = [key for row in rows for key in self.keys_of(row, rests)]
        left = self.cache.dbsize() - len(keys)
        with psycopg.connect(self.bench.servers.database_url, autocommit=True) as connection:
            connection.execute("UPDATE pages SET version = version + 1 WHERE id = ANY(%s)", (list(rows),))
            committed = time.perf_counter()
        while self.cache.dbsize() > left:
            if time.perf_counter() - committed > PATIENCE:
                sys.exit(f"{self.cache.dbsize() - left} keys are still there after {PATIENCE} s")
            time.sleep(pause)  # until it looks again; PATIENCE is the deadline
        seconds = time.perf_counter() - committed
        if self.cache.exists(*keys):
            sys.exit("other keys are gone than those that the patterns match")
        self.fill(int(key.removeprefix("page:")) for key in keys)
        return seconds

    # What is measured

    def passes(self):
        """One bare SCAN, passes for some patterns, and as many passes of SCAN MATCH: by redis-py with hiredis."""
        self.fresh(RULE_OF_ONE)
        results, each = {}, {}
        for _ in range(self.bench.rounds):
            results.setdefault("bare SCAN", []).append(self.scan(None))
            for count in self.counts:
                rows = range(2 * self.first_row, 2 * self.first_row + count)
                for build in self.bench.builds:
                    worker = self.start("    sweep_share: 100%\n", build)
                    name = f"{build}, {count:,} patterns"
                    results.setdefault(name, []).append(self.sweep(rows, rests=("??",)))
                    worker.stop()
            # It takes a minute at full size, always the same one.
            if not each:
                rows = range(2 * self.first_row, 2 * self.first_row + self.bench.scale(100, 10))
                each["SCAN MATCH for each"] = [sum(self.scan(f"page:{row}??") for row in rows)]
        report = self.bench.report
        report.rows("commit to last key gone", "s", results, base="bare SCAN")
        report.rows(f"{self.bench.scale(100, 10)} patterns without Unstale", "s", each)
        report.goal("100 patterns, as a multiple of one bare SCAN", ratio(results, "unstale, 100 patterns", "bare SCAN"), at_most=1.5)

    def scan(self, pattern):
        """Seconds for one SCAN of everything, by redis-py with hiredis."""
        start = time.perf_counter()
        cursor, found = 0, 0
        while True:
            cursor, keys = self.cache.scan(cursor, match=pattern, count=1000)
            found += len(keys)
            if cursor == 0:
                break
        if found < (1 if pattern else self.keys):
            sys.exit(f"SCAN has found {found} keys")
        return time.perf_counter() - start

    def index(self):
        """Commit to key gone with an index, one row's patterns at a time."""
        self.fresh()
        worker = self.start('    index: {prefixes: ["page:"]}\n')
        before = status(worker.pid, "RssAnon")
        self.wait_for_index()
        milliseconds = []
        for row in range(4 * self.first_row, 4 * self.first_row + 20 * self.bench.rounds):
            milliseconds.append(self.sweep([row]) * 1000)
        memory = status(worker.pid, "RssAnon") - before
        worker.stop()
        for quantile in (0.5, 0.99):
            self.bench.report.rows(
                f"2 patterns with 110 keys, commit to last key gone, p{quantile * 100:g}", "ms",
                {"unstale, index": [percentile(milliseconds, quantile)]})
        self.bench.report.rows("the index' memory, for a key of 11 bytes", "B", {"unstale, index": [memory * 1024 / self.keys]})

    def wait_for_index(self):
        """Until a row's keys are gone faster than a pass can be."""
        end = time.monotonic() + PATIENCE
        while self.sweep([self.first_row]) > 0.05:
            if time.monotonic() > end:
                sys.exit(f"there is no index after {PATIENCE} s")

    def foreground(self):
        """What others feel: a client's latency without and with passes at the default share, and beside a program that
        does nothing but SCAN at the pace that a quiet machine has them at."""
        self.fresh()
        samples = {}
        for _ in range(self.bench.rounds):
            worker = self.start("")
            for name in ("without", "with passes", "with SCAN alone, in C"):
                client = Foreground(self.bench.servers.redis_port)
                if name == "with passes":
                    self.keep_sweeping()
                else:
                    with self.scanning() if "SCAN" in name else contextlib.nullcontext():
                        time.sleep(self.bench.seconds)  # the client measures for so long
                samples.setdefault(name, []).append(client.stop())
            worker.stop()
        results = quantiles(samples)
        for name, values in results.items():
            self.bench.report.rows(f"others' GET beside passes, {name}", "ms", values, base="without")
        self.bench.report.goal(
            "others' p99 beside passes, as a multiple of that without",
            ratio(results["p99"], "with passes", "without"), at_most=2)

    def keep_sweeping(self):
        """One pass after the other, for as long as a round takes."""
        end = time.monotonic() + self.bench.seconds
        row = 5 * self.first_row
        while time.monotonic() < end:
            self.sweep([row], pause=0.1)
            row += 1

    @contextlib.contextmanager
    def scanning(self):
        """A program that asks for all keys over and over at a pace."""
        command = [SCAN, self.bench.servers.redis_port, COUNT, REST_US]
        process = subprocess.Popen(list(map(str, command)))
        try:
            yield
            if process.poll() is not None:
                sys.exit("the program that scans has ended")
        finally:
            process.kill()
            process.wait()
