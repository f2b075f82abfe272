"""Measures what patterns cost: a pass beside SCAN MATCH, a lookup in the index, and what others feel of a paced pass."""

import socket
import sys
import tempfile
import time

import psycopg

from measuring import Aside, percentile, report, status, stop

RULES = """
version: 1
rules:
  - name: pages
    table: pages
    delete:
      patterns: ["page:{id}?", "page:{id}??"]
"""
# Keys are page:0 … page:999999. Row 1234 has page:12340 … page:123499, so that what a pattern matches is known.
KEYS = 1_000_000
PATTERNS = 100
PATIENCE = 120


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


class Patterns:
    def __init__(self, bench):
        self.bench, self.cache = bench, bench.cache

    # What is there

    def fresh(self):
        self.bench.use(RULES)
        self.bench.uninstall()
        self.bench.sql(
            "DROP TABLE IF EXISTS pages",
            "CREATE TABLE pages (id bigint PRIMARY KEY, version int NOT NULL DEFAULT 0)",
            "INSERT INTO pages SELECT i FROM generate_series(1000, 9999) AS i",
            "VACUUM ANALYZE pages",
        )
        self.cache.flushall()
        self.cache.set("foreground", "x")
        self.fill(range(KEYS))

    def fill(self, numbers):
        numbers = list(numbers)
        for start in range(0, len(numbers), 5000):
            self.cache.mset({f"page:{number}": "x" for number in numbers[start : start + 5000]})

    def keys_of(self, row):
        """What the two patterns of a row match: 110 keys."""
        return [f"page:{row}{rest}" for rest in range(10)] + [f"page:{row}{rest:02}" for rest in range(100)]

    def start(self, target):
        """A worker whose target has these settings."""
        self.config = tempfile.NamedTemporaryFile("w", suffix=".yaml")
        self.config.write(f"targets:\n  - name: cache\n    url: {self.bench.servers.redis_url}\n{target}")
        self.config.flush()
        return self.bench.start("unstale", "--config", self.config.name)

    def sweep(self, rows, pause=0.0002):
        """Seconds from the commit that makes the rows' patterns stale until the last of their keys is gone.

        Looks at how many keys are left, and rests for `pause` seconds: Redis and the worker need the cores more.
        """
        keys = [key for row in rows for key in self.keys_of(row)]
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
        """100 patterns in one pass as fast as can be, 100 passes of SCAN MATCH, and one SCAN without anything."""
        self.fresh()
        rows = range(2000, 2000 + PATTERNS // 2)
        patterns = [f"page:{row}{rest}" for row in rows for rest in ("?", "??")]
        results = {}
        for _ in range(self.bench.rounds):
            results.setdefault("bare SCAN", []).append(self.scan(None))
            process = self.start("    sweep_share: 100%\n")
            results.setdefault("unstale", []).append(self.sweep(rows))
            stop(process)
            results.setdefault("SCAN MATCH each", []).append(sum(self.scan(pattern) for pattern in patterns))
        report(f"patterns, {PATTERNS} over {KEYS:,} keys, at full speed", "s", results, base="bare SCAN")

    def many(self):
        """What 1,000 patterns cost more than one."""
        self.fresh()
        results = {}
        for _ in range(self.bench.rounds):
            for count in (2, 1000):
                process = self.start("    sweep_share: 100%\n")
                results.setdefault(f"{count} patterns", []).append(self.sweep(range(3000, 3000 + count // 2)))
                stop(process)
        report(f"patterns, one pass over {KEYS:,} keys, at full speed", "s", results, base="2 patterns")

    def scan(self, pattern):
        """Seconds for one SCAN of everything, by redis-py with hiredis."""
        start = time.perf_counter()
        cursor, found = 0, 0
        while True:
            cursor, keys = self.cache.scan(cursor, match=pattern, count=1000)
            found += len(keys)
            if cursor == 0:
                break
        if found < (1 if pattern else KEYS):
            sys.exit(f"SCAN has found {found} keys")
        return time.perf_counter() - start

    def index(self):
        """Commit to key gone with an index, one row's patterns at a time."""
        self.fresh()
        process = self.start('    index: {prefixes: ["page:"]}\n')
        before = status(process.pid, "RssAnon")
        self.wait_for_index()
        milliseconds = []
        for row in range(4000, 4000 + 20 * self.bench.rounds):
            milliseconds.append(self.sweep([row]) * 1000)
        memory = status(process.pid, "RssAnon") - before
        stop(process)
        for quantile in (0.5, 0.99):
            print(f"index, 2 patterns with 110 keys of {KEYS:,}, commit to last key gone  p{quantile * 100:<5g}"
                  f" {percentile(milliseconds, quantile):8.3f} ms   of {len(milliseconds)}")
        print(f"index, memory of the worker  {memory * 1024 / KEYS:.0f} bytes a key of 11", flush=True)

    def wait_for_index(self):
        """Until a row's keys are gone faster than a pass can be."""
        end = time.monotonic() + PATIENCE
        while self.sweep([1000]) > 0.05:
            if time.monotonic() > end:
                sys.exit(f"there is no index after {PATIENCE} s")

    def foreground(self):
        """What others feel: a client's latency with and without passes at the default share."""
        self.fresh()
        results = {}
        for _ in range(self.bench.rounds):
            process = self.start("")
            for name in ("without", "with passes"):
                client = Foreground(self.bench.servers.redis_port)
                end = time.monotonic() + self.bench.seconds
                passes = 0
                while time.monotonic() < end:
                    if name == "without":
                        time.sleep(0.1)  # until the end of the measurement
                    else:
                        self.sweep([5000 + passes], pause=0.1)
                        passes += 1
                results.setdefault(name, []).append(client.stop())
            stop(process)
        for quantile in (0.5, 0.99, 0.999):
            report(f"foreground GET beside passes at the default share, p{quantile * 100:g}", "ms",
                   {name: [percentile(sample, quantile) for sample in samples] for name, samples in results.items()},
                   base="without")
