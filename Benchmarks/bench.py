"""Measures Unstale beside what else people run. See ../README.md; run by ./run."""

import argparse
import atexit
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import psycopg
import redis

from admin import Admin
from measuring import cpu_seconds, percentile, report, status, stop
from patterns import Patterns
from rewarm import Rewarm
from servers import BIN, Servers

HERE = os.path.dirname(os.path.abspath(__file__))
ROWS = 10_000
RULES = """
version: 1
rules:
  - name: user
    table: users
    columns: [name]
    delete:
      keys: ["user:{id}"]
"""


class Bench:
    def __init__(self, servers, binary, rounds, seconds):
        self.servers, self.binary, self.rounds, self.seconds = servers, binary, rounds, seconds
        self.rules = tempfile.NamedTemporaryFile("w", suffix=".yaml")
        self.environment = {
            **os.environ,
            "UNSTALE_DATABASE_URL": servers.database_url,
            "UNSTALE_REDIS_URL": servers.redis_url,
            "UNSTALE_RULES": self.rules.name,
        }
        self.cache = redis.from_url(servers.redis_url)

    # What is there

    def use(self, rules):
        """Has `install` and the worker go by these rules from now on."""
        self.rules.seek(0)
        self.rules.truncate()
        self.rules.write(rules)
        self.rules.flush()

    def sql(self, *statements):
        with psycopg.connect(self.servers.database_url, autocommit=True) as connection:
            return [connection.execute(statement) for statement in statements][-1]

    def fresh(self):
        """The table as new, nothing captured, nothing cached."""
        self.use(RULES)
        self.uninstall()
        self.sql(
            "DROP TABLE IF EXISTS users",
            "DROP FUNCTION IF EXISTS notify_change",
            "CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL, seen int NOT NULL DEFAULT 0) WITH (fillfactor = 80)",
            f"INSERT INTO users SELECT i, 'user ' || i FROM generate_series(1, {ROWS}) AS i",
            "VACUUM ANALYZE users",
            "CHECKPOINT",
        )
        self.cache.flushall()

    def uninstall(self):
        subprocess.run([self.binary, "uninstall"], env=self.environment, stdout=subprocess.DEVNULL, check=True)

    def install(self):
        subprocess.run([self.binary, "install"], env=self.environment, stdout=subprocess.DEVNULL, check=True)

    def fill(self):
        pipeline = self.cache.pipeline(transaction=False)
        for number in range(1, ROWS + 1):
            pipeline.set(f"user:{number}", "x")
        pipeline.execute()

    # Who does it

    def start(self, contestant, *arguments):
        """A running worker, when it is ready."""
        if contestant == "unstale":
            self.install()
            environment = dict(self.environment)
            # Settings with targets have their own URLs.
            if "--config" in arguments:
                environment.pop("UNSTALE_REDIS_URL", None)
            process = subprocess.Popen(
                [self.binary, "run", *arguments], env=environment, stderr=subprocess.PIPE, text=True)
            stream, sign = process.stderr, "Serving"
        else:
            process = subprocess.Popen(
                [sys.executable, f"{HERE}/peers/{contestant}.py", self.servers.database_url, self.servers.redis_url],
                stdout=subprocess.PIPE, text=True)
            stream, sign = process.stdout, "ready"
        for line in stream:
            if sign in line:
                break
        threading.Thread(target=stream.read, daemon=True).start()
        # Where a measurement fails, nobody is left behind.
        atexit.register(process.kill)
        time.sleep(0.3)
        return process

    def pgbench(self, script, clients, transactions, durable=True, mode="prepared"):
        """Transactions per second; `mode` is how pgbench sends statements, by default as drivers do."""
        with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
            file.write(script)
            file.flush()
            output = subprocess.run(
                [f"{BIN}/pgbench", "-n", "-M", mode, "-c", str(clients), "-j", "2",
                 "-t", str(transactions // clients), "-f", file.name, self.servers.database_url],
                env={**os.environ, "PGOPTIONS": f"-c synchronous_commit={'on' if durable else 'off'}"},
                capture_output=True, text=True, check=True).stdout
        return float(re.search(r"tps = ([0-9.]+)", output)[1])

    # What is measured

    def capture(self):
        """Throughput of 8 writers by what captures their updates."""
        change = f"\\set id random(1, {ROWS})\nUPDATE users SET name = 'user ' || random() WHERE id = :id;\n"
        unseen = f"\\set id random(1, {ROWS})\nUPDATE users SET seen = seen + 1 WHERE id = :id;\n"
        notify = (
            "CREATE FUNCTION notify_change() RETURNS trigger LANGUAGE plpgsql AS "
            "$$BEGIN PERFORM pg_notify('changes', NEW.id::text); RETURN NULL; END$$",
            "CREATE TRIGGER notify_change AFTER UPDATE ON users FOR EACH ROW EXECUTE FUNCTION notify_change()",
        )
        for durable, mode in ((True, "simple"), (True, "prepared"), (False, "prepared")):
            results = {}
            for _ in range(self.rounds):
                for name, prepare, script in (
                    ("bare", None, change),
                    ("unstale", self.install, change),
                    ("unstale, no rule cares", self.install, unseen),
                    ("NOTIFY a row", lambda: self.sql(*notify), change),
                ):
                    self.fresh()
                    if prepare:
                        prepare()
                    results.setdefault(name, []).append(
                        self.pgbench(script, 8, 40_000, durable, mode))
            commits = "durable" if durable else "asynchronous"
            report(f"capture, 8 writers, {commits} commits, {mode} statements", "tx/s", results)

    def drain(self):
        """100,000 commits by 8 writers: how long until the last key is gone, and on how much CPU."""
        change = f"\\set id random(1, {ROWS})\nUPDATE users SET name = 'user ' || random() WHERE id = :id;\n"
        rates, tails, cpu, memory = {}, {}, {}, {}
        for _ in range(self.rounds):
            for contestant in ("bare", "unstale", "naive"):
                self.fresh()
                if contestant == "bare":
                    rates.setdefault(contestant, []).append(self.pgbench(change, 8, 100_000))
                    continue
                process = self.start(contestant)
                self.fill()
                before = cpu_seconds(process.pid)
                rates.setdefault(contestant, []).append(self.pgbench(change, 8, 100_000))
                end = time.monotonic()
                self.wait_for_last()
                tails.setdefault(contestant, []).append((time.monotonic() - end) * 1000)
                cpu.setdefault(contestant, []).append(cpu_seconds(process.pid) - before)
                memory.setdefault(contestant, []).append(status(process.pid, "RssAnon") / 1024)
                stop(process)
        report("drain, 100,000 commits by 8 writers", "tx/s", rates)
        report("drain, last commit to last key gone", "ms", tails, base="naive")
        report("drain, the worker's CPU", "s", cpu, base="naive")
        report("drain, anonymous memory", "MiB", memory, base="naive")

    def wait_for_last(self):
        """Until a change made after all others has arrived."""
        self.cache.set("user:1", "x")
        self.sql("UPDATE users SET name = 'last ' || random() WHERE id = 1")
        while self.cache.exists("user:1"):
            time.sleep(0.0005)

    def latency(self):
        """Commit to key gone, one change at a time, in the writer's clock."""
        for rate in (50, 200, 1000):
            results = {}
            for _ in range(self.rounds):
                for contestant in ("unstale", "naive"):
                    self.fresh()
                    process = self.start(contestant)
                    results.setdefault(contestant, []).append(self.observe(rate, seconds=self.seconds))
                    stop(process)
            for name, samples in results.items():
                for quantile in (0.5, 0.99, 0.999):
                    values = [percentile(sample, quantile) for sample in samples]
                    print(f"latency, {rate}/s  {name:10} p{quantile * 100:<5g} median {statistics.median(values):7.3f} ms"
                          f"   min {min(values):7.3f}   max {max(values):7.3f}")

    def observe(self, rate, seconds):
        latencies = []
        with psycopg.connect(self.servers.database_url, autocommit=True) as connection:
            next_at = time.perf_counter()
            for number in range(int(rate * seconds)):
                key, row = f"user:{number % ROWS + 1}", number % ROWS + 1
                self.cache.set(key, "x")
                while (wait := next_at - time.perf_counter()) > 0:
                    time.sleep(wait)
                next_at += 1 / rate
                connection.execute("UPDATE users SET name = 'user ' || random() WHERE id = %s", (row,), prepare=True)
                committed = time.perf_counter()
                while self.cache.exists(key):
                    if time.perf_counter() - committed > 5:
                        sys.exit(f"{key} is still there after 5 s")
                latencies.append((time.perf_counter() - committed) * 1000)
        return latencies

    def idle(self):
        """What a worker with nothing to do costs."""
        self.fresh()
        process = self.start("unstale")
        time.sleep(3)
        before, start = cpu_seconds(process.pid), time.monotonic()
        time.sleep(max(10, self.seconds))
        used = (cpu_seconds(process.pid) - before) / (time.monotonic() - start)
        print(f"idle  anonymous {status(process.pid, 'RssAnon') / 1024:.1f} MiB   resident "
              f"{status(process.pid, 'VmRSS') / 1024:.1f} MiB   CPU {used * 100:.2f} % of a core")
        stop(process)

    def rewarm(self):
        """Entries that are loaded anew."""
        rewarm = Rewarm(self)
        rewarm.bulk()
        rewarm.latency()
        rewarm.storm()


    def patterns(self):
        """Deletes by pattern."""
        patterns = Patterns(self)
        patterns.passes()
        patterns.many()
        patterns.index()
        patterns.foreground()

    def admin(self):
        """What it costs to look on."""
        Admin(self).latency()

    def soak(self):
        """An hour under load."""
        Admin(self).soak(self.minutes)


def main():
    names = ["capture", "drain", "latency", "idle", "rewarm", "patterns", "admin"]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *names, "soak"], help="default: all but soak")
    parser.add_argument("--binary", default=f"{HERE}/../.build/release/unstale")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10, help="how long one measurement of latency takes")
    parser.add_argument("--minutes", type=float, default=60, help="how long the soak takes")
    arguments = parser.parse_args()
    with Servers() as servers:
        bench = Bench(servers, os.path.abspath(arguments.binary), arguments.rounds, arguments.seconds)
        bench.minutes = arguments.minutes
        for name in arguments.names or names:
            getattr(bench, name)()


main()
