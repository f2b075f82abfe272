"""Measures Unstale beside what else people run. See ../README.md; run by ./run.

How to read what it prints: contestants take turns (A B C A B C …), so what else the machine does meets all of them, and
the ratios of their medians say more than the figures themselves. Where minimum and maximum of two contestants overlap,
more rounds are needed before one can be called faster. Each module beside this one is one measurement, and says at its
top what is done and by whose clock.
"""

import argparse
import os
import signal
import sys

import admin
import backlog
import bulk
import capture
import check
import drain
import held
import idle
import latency
import patterns
import planner
import rewarm
from environment import environment, results_file
from harness import Bench
from report import Report
from servers import Servers

HERE = os.path.dirname(os.path.abspath(__file__))
MEASUREMENTS = {
    "capture": capture.run,
    "drain": drain.run,
    "backlog": backlog.run,
    "latency": latency.run,
    "bulk": bulk.run,
    "patterns": patterns.run,
    "rewarm": rewarm.run,
    "held": held.run,
    "idle": idle.run,
    "rules": planner.run,
    "admin": admin.run,
    "soak": admin.soak,
}


def left_out(is_quick):
    """What takes an hour, and in a quick run what takes minutes to build."""
    return ("soak", "rules") if is_quick else ("soak",)


def main():
    parser = argparse.ArgumentParser(prog="Benchmarks/run", description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(MEASUREMENTS)}; default: all but soak, and but rules if quick")
    parser.add_argument("--binary", default=f"{HERE}/../.build/release/unstale", help="the build that is measured")
    parser.add_argument("--against", nargs=2, metavar=("REV", "BINARY"), help="another build, to compare it with")
    parser.add_argument("--command", default="Benchmarks/bench.py", help="what the results say was run")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=30, help="how long one measurement of latency takes")
    parser.add_argument("--minutes", type=float, default=60, help="how long the soak takes")
    parser.add_argument("--quick", action="store_true", help="only see that everything works, for a few seconds each")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - MEASUREMENTS.keys():
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    builds = {"unstale": os.path.abspath(arguments.binary)}
    if arguments.against:
        builds[f"unstale {arguments.against[0]}"] = os.path.abspath(arguments.against[1])
    # So that the servers and whoever runs are ended then too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    report = Report(judges=not arguments.quick, base=[*builds][1] if arguments.against else None)
    names = arguments.names or [name for name in MEASUREMENTS if name not in left_out(arguments.quick)]
    try:
        with Servers() as servers:
            bench = Bench(servers, builds, report, arguments)
            check.run(bench)
            for name in names:
                MEASUREMENTS[name](bench)
    finally:
        # What was measured before something failed counts too.
        if not arguments.quick and report.sections:
            path = results_file()
            with open(path, "w") as file:
                file.write(report.markdown("Benchmarks", environment(builds, arguments.command)))
            print(f"\nWritten to {path}")


main()
