"""Measures how entries are loaded anew: after one bulk update, one at a time, and in a storm."""

import json
import random
import subprocess
import sys
import time

import psycopg

from measuring import percentile, status

RULES = """
version: 1
rules:
  - name: item
    table: items
    rewarm:
      - key: "item:{id}"
        sql: select to_json(i) from items i where i.id = :id
        ttl: 1h
        when: exists
"""
TTL = 3600
# Times are measured with the writer's clock, and end when an entry's own lifetime began: so nobody has to look
# at Redis often to know when an entry was stored.
PATIENCE = 60


def run(bench):
    rewarm = Rewarm(bench)
    bench.report.section(
        "rewarm", f"Entries that are loaded anew by SQL: {rewarm.rows:,} after one UPDATE, one at a time, and in a storm of "
        f"{rewarm.storm_rows:,} updates by 8 writers")
    rewarm.bulk()
    rewarm.latency()
    rewarm.storm()


class Rewarm:
    def __init__(self, bench):
        self.bench, self.cache = bench, bench.cache
        self.rows = bench.scale(10_000, 1_000)
        self.storm_rows = bench.scale(100_000, 2_000)

    # What is there

    def fresh(self, rows):
        """The table as new, nothing captured, and an entry for every row."""
        self.bench.use(RULES)
        self.bench.uninstall()
        self.bench.sql(
            "DROP TABLE IF EXISTS items",
            "DROP FUNCTION IF EXISTS notify_change",
            "CREATE TABLE items (id bigint PRIMARY KEY, name text NOT NULL, price numeric NOT NULL, version int NOT NULL)"
            " WITH (fillfactor = 50)",
            f"INSERT INTO items SELECT i, 'item ' || i, i / 100.0, 0 FROM generate_series(1, {rows}) AS i",
            "VACUUM ANALYZE items",
            "CHECKPOINT",
        )
        self.cache.flushall()
        pipeline = self.cache.pipeline(transaction=False)
        for key, value in self.values().items():
            pipeline.set(key, value, ex=TTL)
        pipeline.execute()

    def values(self):
        """What the entries should be."""
        return {f"item:{number}": text.encode() for number, text in self.bench.sql("SELECT id, to_json(i)::text FROM items i")}

    def entries(self, keys):
        found = {}
        for start in range(0, len(keys), 1000):
            some = keys[start : start + 1000]
            found.update(zip(some, self.cache.mget(some)))
        return found

    def stored_at(self, keys):
        """When the last of these entries was stored: its expiry less its time to live."""
        pipeline = self.cache.pipeline(transaction=False)
        for key in keys:
            pipeline.execute_command("PEXPIRETIME", key)
        return max(pipeline.execute()) / 1000 - TTL

    # After one bulk update

    def bulk(self):
        """All entries after an UPDATE of all rows: by the worker, and by a loop of SELECT and SET."""
        times, rates, updates, cpu, memory, seen = {}, {}, {}, {}, {}, []
        for _ in range(self.bench.rounds):
            for contestant, change in (("unstale", self.rewarm_by_worker), ("loop", self.rewarm_by_loop)):
                self.fresh(self.rows)
                update, seconds = change(cpu, memory, seen)
                rows = self.values()
                if self.entries(list(rows)) != rows:
                    sys.exit(f"{contestant} has left entries that are not as their rows")
                updates.setdefault(contestant, []).append(update * 1000)
                times.setdefault(contestant, []).append(seconds * 1000)
                rates.setdefault(contestant, []).append(self.rows / seconds)
        report, title = self.bench.report.rows, "one UPDATE"
        report(f"{title}, commit to last new value", "ms", times, base="loop")
        report(f"{title}, entries", "1/s", rates, base="loop")
        report(f"{title}, the UPDATE itself", "ms", updates, base="loop")
        report(f"{title}, the worker's CPU", "s", cpu)
        report(f"{title}, peak anonymous memory", "MiB", memory)
        report(f"{title}, Redis' time for looking on", "ms", {"looking on": seen})

    def update_all(self, connection):
        """How long it took, and when it was committed."""
        start = time.time()
        connection.execute("UPDATE items SET version = version + 1")
        committed = time.time()
        return committed - start, committed

    def rewarm_by_worker(self, cpu, memory, seen):
        worker = self.bench.start("unstale")
        keys = [f"item:{number}" for number in range(1, self.rows + 1)]
        before = worker.cpu()
        self.cache.config_resetstat()
        with psycopg.connect(self.bench.servers.database_url, autocommit=True) as connection:
            update, committed = self.update_all(connection)
        peak = self.wait_until_new(keys, worker.pid)
        cpu.setdefault("unstale", []).append(worker.cpu() - before)
        memory.setdefault("unstale", []).append(peak / 1024)
        seen.append(self.cache.info("commandstats")["cmdstat_mget"]["usec"] / 1000)
        worker.stop()
        return update, self.stored_at(keys) - committed

    def rewarm_by_loop(self, *_):
        with psycopg.connect(self.bench.servers.database_url, autocommit=True) as connection:
            update, committed = self.update_all(connection)
            for number in range(1, self.rows + 1):
                row = connection.execute("SELECT to_json(i)::text FROM items i WHERE i.id = %s", (number,)).fetchone()
                self.cache.set(f"item:{number}", row[0], ex=TTL)
        return update, self.stored_at([f"item:{number}" for number in range(1, self.rows + 1)]) - committed

    def wait_until_new(self, keys, pid):
        """Until all entries are of version 1; gives the most anonymous memory that the worker had, in KiB.

        Looks every 10 ms at 100 entries, and at all when those are new.
        """
        end, peak, left = time.monotonic() + PATIENCE, 0, keys
        while left:
            if time.monotonic() > end:
                sys.exit(f"{len(left)} entries are still not new after {PATIENCE} s, {left[0]} among them")
            time.sleep(0.01)  # until it looks again; PATIENCE is the deadline
            peak = max(peak, status(pid, "RssAnon"))
            sample = left[:: max(1, len(left) // 100)]
            if all(is_new(value) for value in self.cache.mget(sample)):
                left = [key for key, value in self.entries(left).items() if not is_new(value)]
        return peak

    # One at a time

    def latency(self, rate=100):
        """Commit to new value, one change at a time, in the writer's clock."""
        results = {}
        for _ in range(self.bench.rounds):
            for contestant in ("unstale", "naive_rewarm"):
                self.fresh(self.rows)
                worker = self.bench.start(contestant)
                results.setdefault(contestant, []).append(self.observe(rate))
                worker.stop()
        for quantile in (0.5, 0.99, 0.999, 1):
            self.bench.report.rows(
                f"{rate}/s, commit to new value, p{quantile * 100:g}", "ms",
                {name: [percentile(sample, quantile) for sample in samples] for name, samples in results.items()},
                base="naive_rewarm")

    def observe(self, rate):
        latencies = []
        with psycopg.connect(self.bench.servers.database_url, autocommit=True) as connection:
            next_at = time.perf_counter()
            for version in range(1, int(rate * self.bench.seconds) + 1):
                row = random.randint(1, self.rows)
                while (wait := next_at - time.perf_counter()) > 0:
                    time.sleep(wait)  # the load's own pace
                next_at += 1 / rate
                connection.execute("UPDATE items SET version = %s WHERE id = %s", (version, row), prepare=True)
                committed = time.perf_counter()
                while not is_new(self.cache.get(f"item:{row}"), version):
                    if time.perf_counter() - committed > 5:
                        sys.exit(f"item:{row} is still not new after 5 s")
                    # Redis and the worker need the cores more.
                    time.sleep(0.0001)
                latencies.append((time.perf_counter() - committed) * 1000)
        return latencies

    # In a storm

    def storm(self):
        """100,000 updates by 8 writers: how many loads that costs, and whether anything is stale afterwards."""
        for name, ids in (("uniform", f"random(1, {self.storm_rows})"), ("zipfian", f"random_zipfian(1, {self.storm_rows}, 1.1)")):
            self.fresh(self.storm_rows)
            worker = self.bench.start("unstale")
            before = worker.cpu()
            rate = self.bench.pgbench(
                f"\\set id {ids}\nUPDATE items SET version = version + 1 WHERE id = :id;\n", 8, "-t", str(self.storm_rows // 8))
            ended = time.monotonic()
            rewarms = self.wait_until_served()
            settled, cpu = time.monotonic() - ended, worker.cpu() - before
            rows = self.values()
            entries = self.entries(list(rows))
            cached = {key: value for key, value in entries.items() if value is not None}
            stale = [key for key, value in cached.items() if value != rows[key]]
            worker.stop()
            counts = ", ".join(f"{count} {what}" for what, count in sorted(rewarms.items()) if count)
            self.bench.report.note(
                f"Storm, {name}: {rate:.0f} tx/s; {counts}; served {settled:.1f} s after the last on {cpu:.1f} s of CPU; "
                f"{len(cached)} cached, {len(stale)} stale")
            if stale or not cached:
                sys.exit(f"stale: {stale[:10]}")

    def wait_until_served(self):
        """Until the cursor is behind the last change, and so all loads are done; gives what the loads came to."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            output = subprocess.run(
                [self.bench.builds["unstale"], "status", "--json"], env=self.bench.environment, capture_output=True, text=True)
            target = json.loads(output.stdout)["targets"][0]
            if target["backlog"] == 0:
                return target["rewarms"]
            time.sleep(0.1)  # until it asks again; PATIENCE is the deadline
        sys.exit(f"{target['backlog']} records are not served after {PATIENCE} s")


def is_new(value, version=1):
    return value is not None and value.endswith(b'"version":%d}' % version)
