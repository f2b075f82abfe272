"""What a process has used, and figures as they are printed."""

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
