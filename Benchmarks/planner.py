"""The planner alone, without servers: time for each change by ordo-one/benchmark, instructions by callgrind.

The package that does it (Package.swift beside this file) takes minutes to build at first, so a quick run leaves it out
unless it is asked for. Two builds of the worker are not compared: it plans with what is checked out.
"""

import os
import re
import subprocess
import tempfile

from measuring import CALLGRIND, executed
from report import median, ratio

HERE = os.path.dirname(os.path.abspath(__file__))
RULES = (1, 100, 1_000)
# As in workload/Workload.swift.
BATCH = 1_000


def run(bench):
    report = bench.report
    report.section("rules", "The planner alone, with one rule for the table that changes and the rest for other tables")
    for product in ("planner", "instructions"):
        subprocess.run(
            ["swift", "build", "--package-path", HERE, "-c", "release", "--product", product],
            stdout=subprocess.DEVNULL, check=True)
    rates = {}
    for _ in range(bench.rounds):
        for rules in RULES:
            rates.setdefault(f"{rules:,} rules", []).append(BATCH / batch_seconds(rules))
    report.rows("changes planned", "1/s", rates, base="1 rules")
    counted = {f"{rules:,} rules": [instructions(rules)] for rules in RULES}
    report.rows("instructions a change", "", counted, base="1 rules")
    report.goal(
        "planner, one rule, changes planned", median(rates["1 rules"]), unit="1/s", at_least=1_000_000)
    report.goal(
        "planner with 999 rules of other tables, as a share of its rate with one",
        ratio(rates, "1,000 rules", "1 rules"), at_least=0.9)


def batch_seconds(rules):
    """The median of a second's batches."""
    output = subprocess.run(
        [f"{HERE}/.build/release/planner", "--quiet", "true", "--time-units", "nanoseconds", "--filter", f"^rules: {rules}$"],
        capture_output=True, text=True, check=True, cwd=HERE).stdout
    return float(re.search(r"^\s*([0-9.]+) 0\.50{11}", output, re.MULTILINE)[1]) / 1e9


def instructions(rules, batches=10):
    """For each change: what twice as many batches take more, so that start and compiling the rules don't count."""
    with tempfile.TemporaryDirectory(prefix="unstale-bench.") as folder:
        # Debian's valgrind gives up at the debug information that Swift writes.
        program = f"{folder}/instructions"
        subprocess.run(["strip", "--strip-debug", "-o", program, f"{HERE}/.build/release/instructions"], check=True)
        once, twice = (collect(program, rules, count) for count in (batches, 2 * batches))
    return (twice - once) / (batches * BATCH)


def collect(program, rules, batches):
    return executed(
        [*CALLGRIND, program, str(rules), str(batches)], env={**os.environ, "SWIFT_DETERMINISTIC_HASHING": "1"})
