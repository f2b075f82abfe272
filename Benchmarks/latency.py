"""Commit to key gone, at a steady rate of single-row commits.

One process writes and looks: it sends an UPDATE when it is due, takes the time when the answer to its commit is there,
and asks Redis with EXISTS whether the keys under way are gone, all by one clock. Between two looks it waits on
Postgres' socket for 50 µs, as on two cores a loop that never rests takes what worker, Postgres and Redis need; so each
figure is too large by up to 50 µs and one round trip, the same for everybody. A key that is gone before the answer is
there counts as 0. pgcachewatch has no keys: it prints when it heard.
"""

import ctypes
import gc
import select
import socket
import sys
import time

import psycopg

from contestants import LIMIT
from measuring import percentile
from report import median

RATES = (50, 200, 1_000)
REST = 50e-6
PATIENCE = 5
PR_SET_TIMERSLACK = 29
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
    commits, gone = Observer(bench).run(rate, seconds or bench.seconds)
    return [max(0, there - commit) * 1000 for commit, there in zip(commits, gone)]


def hear(bench, worker, rate):
    """The same of a worker that prints when it hears of a change; one writer's come in the order of its commits."""
    commits, _ = Observer(bench, has_keys=False).run(rate, bench.seconds)
    end = time.monotonic() + PATIENCE
    while len(worker.lines) <= len(commits):
        if time.monotonic() > end:
            sys.exit(f"pgcachewatch has heard of {len(worker.lines) - 1} of {len(commits)} commits")
        time.sleep(0.01)  # until the rest was read; PATIENCE is the deadline
    return [max(0, float(heard) - commit) * 1000 for commit, heard in zip(commits, worker.lines[1:])]


class Observer:
    def __init__(self, bench, has_keys=True):
        self.bench, self.has_keys = bench, has_keys
        # A short wait may otherwise last 50 µs longer than asked for.
        ctypes.CDLL(None).prctl(PR_SET_TIMERSLACK, 1000, 0, 0, 0)

    def run(self, rate, seconds):
        """When each change was committed, and when its key was gone."""
        total = int(rate * seconds)
        gc.disable()  # its pauses would be in the figures
        try:
            with self.bench.connect() as self.connection, socket.create_connection(
                ("127.0.0.1", self.bench.servers.redis_port)
            ) as self.cache:
                self.cache.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.cache.settimeout(PATIENCE)
                return self.loop(rate, total)
        finally:
            gc.enable()

    def loop(self, rate, total):
        pg = self.connection.pgconn
        pg.prepare(b"change", b"UPDATE users SET name = 'user ' || random() WHERE id = $1")
        commits, gone = [None] * total, [None] * total
        waiting, sent, is_writing = {}, 0, False
        start = time.perf_counter()
        while sent < total or is_writing or waiting:
            now = time.perf_counter()
            if not is_writing and sent < total and now >= start + sent / rate:
                row = sent % self.bench.rows + 1
                if self.has_keys:
                    self.ask(b"SET user:%d x\r\n" % row, 1)
                    waiting[sent] = b"EXISTS user:%d\r\n" % row
                pg.send_query_prepared(b"change", [b"%d" % row])
                sent, is_writing = sent + 1, True
            select.select([pg.socket] if is_writing else [], [], [], REST)
            if is_writing:
                pg.consume_input()
                if not pg.is_busy():
                    commits[sent - 1] = time.perf_counter()
                    is_writing = self.take_result(pg)
            if waiting:
                answers = self.ask(b"".join(waiting.values()), len(waiting))
                seen = time.perf_counter()
                for number, answer in zip(list(waiting), answers):
                    if answer == b":0":
                        gone[number] = seen
                        del waiting[number]
                    elif commits[number] and seen - commits[number] > PATIENCE:
                        sys.exit(f"user:{number % self.bench.rows + 1} is still there after {PATIENCE} s")
        return commits, gone

    def take_result(self, pg):
        """Whether the write is still under way: never, once all of its answer is there."""
        while result := pg.get_result():
            if result.status != psycopg.pq.ExecStatus.COMMAND_OK:
                sys.exit(result.error_message.decode())
        return False

    def ask(self, commands, count):
        self.cache.sendall(commands)
        answers = b""
        while answers.count(b"\n") < count:
            answers += self.cache.recv(65536)
        return answers.split(b"\r\n")
