"""What it costs to look on: the admin port, scraped once a second; and an hour under load."""

import statistics
import subprocess
import tempfile
import threading
import time
import urllib.request

from harness import RULES
from latency import observe
from measuring import Aside, percentile, status
from servers import BIN, free_port

REWARM = """
  - name: profile
    table: users
    columns: [name]
    where: new.id % 20 = 0
    rewarm: [{key: "profile:{id}", sql: "select name from users where id = :id", ttl: 1h, when: exists}]
"""
ROWS = 10_000


class Scraper(Aside):
    """Asks for the metrics and the status once a second, and says how long each took."""

    def measure(self):
        seconds = []
        while not self.is_over.wait(1):
            start = time.perf_counter()
            for path in ("/metrics", "/api/status"):
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                    answer.read()
            seconds.append(time.perf_counter() - start)
        return seconds


def run(bench):
    """Commit to key gone, with and without somebody who looks on."""
    bench.report.section("admin", f"The admin port, at 200 changes/s for {bench.seconds:g} s a round")
    results, cpu = {}, {}
    for _ in range(bench.rounds):
        for name in ("off", "on", "scraped"):
            bench.fresh()
            port = free_port()
            worker = bench.start("unstale", *([] if name == "off" else ["--admin", f"127.0.0.1:{port}"]))
            scraper = Scraper(port) if name == "scraped" else None
            before = worker.cpu()
            sample = observe(bench, 200)
            cpu.setdefault(name, []).append(worker.cpu() - before)
            if scraper:
                scraper.stop()
            worker.stop()
            for quantile in (0.5, 0.99):
                results.setdefault(quantile, {}).setdefault(name, []).append(percentile(sample, quantile))
    for quantile, values in results.items():
        bench.report.rows(f"commit to key gone, p{quantile * 100:g}", "ms", values, base="off")
    bench.report.rows("the worker's CPU", "s", cpu, base="off")


def soak(bench):
    """Memory under 2,000 changes a second, with somebody who looks on."""
    bench.report.section("soak", f"{bench.minutes:g} min at 2,000 changes/s, with somebody who looks on")
    bench.fresh(ROWS)
    bench.use(RULES + REWARM)
    port = free_port()
    worker = bench.start("unstale", "--admin", f"127.0.0.1:{port}")
    scraper = Scraper(port)
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(f"\\set id random(1, {ROWS})\nUPDATE users SET name = 'user ' || random() WHERE id = :id;\n")
        script.flush()
        writers = subprocess.Popen(
            [f"{BIN}/pgbench", "-n", "-M", "prepared", "-c", "8", "-j", "2", "-R", "2000", "-T", str(int(bench.minutes * 60)),
             "-f", script.name, bench.servers.database_url],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        threading.Thread(target=writers.stdout.read, daemon=True).start()
        start, before, samples = time.monotonic(), worker.cpu(), []
        while writers.poll() is None:
            cache_some(bench)
            time.sleep(1)  # the sample's period
            samples.append((time.monotonic() - start, status(worker.pid, "RssAnon")))
    used = (worker.cpu() - before) / (time.monotonic() - start)
    scrapes = scraper.stop()
    bench.cache.set("user:1", "x")
    bench.sql("UPDATE users SET name = 'last' WHERE id = 1")
    bench.wait_until_gone("user:1", worker)
    memory = [kibibytes / 1024 for _, kibibytes in samples]
    half = [(seconds / 3600, kibibytes / 1024) for seconds, kibibytes in samples[len(samples) // 2:]]
    slope = statistics.linear_regression(*zip(*half)).slope if len(half) > 1 else 0
    bench.report.note(
        f"Anonymous memory {memory[0]:.1f} MiB at first, {memory[len(memory) // 2]:.1f} half-way, {memory[-1]:.1f} at last, "
        f"{max(memory):.1f} at most; second half {slope:+.2f} MiB an hour; CPU {used * 100:.1f} % of a core; "
        f"a scrape takes {statistics.median(scrapes) * 1000:.1f} ms")
    worker.stop()


def cache_some(bench):
    """Applications fill what was deleted."""
    pipeline = bench.cache.pipeline(transaction=False)
    for number in range(1, ROWS + 1):
        pipeline.set(f"user:{number}", "x")
    for number in range(20, ROWS + 1, 20):
        pipeline.set(f"profile:{number}", "x", nx=True)
    pipeline.execute()
