"""What a process has used, and figures as they are printed."""

import multiprocessing
import os
import statistics
import sys


def report(title, unit, results, base="bare"):
    reference = statistics.median(results[base]) if base in results else None
    for name, values in results.items():
        median = statistics.median(values)
        ratio = f"   {median / reference:5.2f} of {base}" if reference else ""
        print(f"{title}  {name:22} median {median:10.2f} {unit}   min {min(values):10.2f}   max {max(values):10.2f}{ratio}")
    sys.stdout.flush()


def percentile(values, quantile):
    return sorted(values)[min(len(values) - 1, int(len(values) * quantile))]


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def status(pid, field):
    """Of /proc/PID/status, in KiB."""
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(f"{field}:"))


def stop(process):
    process.terminate()
    process.wait()


class Aside:
    """Measures in a process of its own, for a thread would share Python's lock with whoever measures here: `measure`
    gives what it has measured, as soon as `is_over` is set."""

    def __init__(self, port):
        self.port = port
        self.is_over = multiprocessing.Event()
        self.results = multiprocessing.SimpleQueue()
        self.process = multiprocessing.Process(target=self.run, daemon=True)
        self.process.start()

    def run(self):
        self.results.put(self.measure())

    def stop(self):
        """What it has measured."""
        self.is_over.set()
        results = self.results.get()
        self.process.join()
        return results
