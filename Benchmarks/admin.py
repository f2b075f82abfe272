"""What it costs to look on: the admin port, scraped once a second; and an hour under load."""

import socket
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.request

from measuring import Aside, cpu_seconds, percentile, report, status, stop
from servers import BIN

RULES = """
version: 1
rules:
  - name: user
    table: users
    columns: [name]
    delete: {keys: ["user:{id}"]}
  - name: profile
    table: users
    columns: [name]
    where: new.id % 20 = 0
    rewarm: [{key: "profile:{id}", sql: "select name from users where id = :id", ttl: 1h, when: exists}]
"""


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


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Admin:
    def __init__(self, bench):
        self.bench = bench

    def latency(self):
        """Commit to key gone, with and without somebody who looks on."""
        results, cpu = {}, {}
        for _ in range(self.bench.rounds):
            for name in ("off", "on", "scraped"):
                self.bench.fresh()
                port = free_port()
                arguments = [] if name == "off" else ["--admin", f"127.0.0.1:{port}"]
                process = self.bench.start("unstale", *arguments)
                scraper = Scraper(port) if name == "scraped" else None
                before = cpu_seconds(process.pid)
                sample = self.bench.observe(200, seconds=self.bench.seconds)
                cpu.setdefault(name, []).append(cpu_seconds(process.pid) - before)
                if scraper:
                    scraper.stop()
                stop(process)
                for quantile in (0.5, 0.99):
                    results.setdefault(quantile, {}).setdefault(name, []).append(percentile(sample, quantile))
        for quantile, values in results.items():
            report(f"admin port, 200/s, p{quantile * 100:g}", "ms", values, base="off")
        report("admin port, the worker's CPU", "s", cpu, base="off")

    def soak(self, minutes):
        """Memory under 2,000 changes a second, with somebody who looks on."""
        bench = self.bench
        bench.fresh()
        bench.use(RULES)
        port = free_port()
        process = bench.start("unstale", "--admin", f"127.0.0.1:{port}")
        scraper = Scraper(port)
        with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
            script.write("\\set id random(1, 10000)\nUPDATE users SET name = 'user ' || random() WHERE id = :id;\n")
            script.flush()
            writers = subprocess.Popen(
                [f"{BIN}/pgbench", "-n", "-M", "prepared", "-c", "8", "-j", "2", "-R", "2000", "-T", str(int(minutes * 60)),
                 "-f", script.name, bench.servers.database_url],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            threading.Thread(target=writers.stdout.read, daemon=True).start()
            start, before, samples = time.monotonic(), cpu_seconds(process.pid), []
            while writers.poll() is None:
                self.cache_some()
                time.sleep(1)  # the sample's period
                samples.append((time.monotonic() - start, status(process.pid, "RssAnon")))
        used = (cpu_seconds(process.pid) - before) / (time.monotonic() - start)
        scrapes = scraper.stop()
        bench.wait_for_last()
        memory = [kibibytes / 1024 for _, kibibytes in samples]
        half = [(seconds / 3600, kibibytes / 1024) for seconds, kibibytes in samples[len(samples) // 2:]]
        slope = statistics.linear_regression(*zip(*half)).slope if len(half) > 1 else 0
        print(f"soak, {minutes:g} min at 2,000/s  anonymous memory {memory[0]:.1f} MiB at first, {memory[len(memory) // 2]:.1f} "
              f"half-way, {memory[-1]:.1f} at last, {max(memory):.1f} at most; second half {slope:+.2f} MiB an hour; "
              f"CPU {used * 100:.1f} % of a core; a scrape takes {statistics.median(scrapes) * 1000:.1f} ms")
        stop(process)

    def cache_some(self):
        """Applications fill what was deleted."""
        pipeline = self.bench.cache.pipeline(transaction=False)
        for number in range(1, 10_001):
            pipeline.set(f"user:{number}", "x")
        for number in range(20, 10_001, 20):
            pipeline.set(f"profile:{number}", "x", nx=True)
        pipeline.execute()
