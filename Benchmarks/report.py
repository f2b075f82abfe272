"""What a run has found: printed as it comes, and written as Markdown in the end."""

import statistics
import sys
import time


class Report:
    def __init__(self, judges=True, base=None):
        """`base` is whom all are compared with, where he takes part: another build."""
        self.judges, self.base = judges, base
        self.sections = []
        self.goals = []
        self.start = time.monotonic()

    def section(self, name, about):
        """A measurement, with one table of its own."""
        self.sections.append((name, about, [], []))
        print(f"\n{name}, after {time.monotonic() - self.start:.0f} s: {about}", flush=True)

    def rows(self, what, unit, results, base=None):
        """What each contestant's rounds came to; `base` is whom the medians are compared with."""
        base = self.base if self.base in results else base
        reference = median(results[base]) if base in results else None
        for contestant, values in results.items():
            ratio = f"{median(values) / reference:.2f} of {base}" if reference else ""
            cells = [what, contestant, *(number(value) for value in (median(values), min(values), max(values))), unit, ratio]
            self.sections[-1][2].append(cells)
            print(f"  {what:44} {contestant:30} median {cells[2]:>9}  min {cells[3]:>9}  max {cells[4]:>9} {unit}  {ratio}")
        sys.stdout.flush()

    def note(self, text):
        self.sections[-1][3].append(text)
        print(f"  {text}", flush=True)

    def goal(self, text, value, unit="", at_least=None, at_most=None):
        """Compares what was measured with where it must come out; a quick run measures too little for that."""
        if not self.judges:
            return
        is_met = (at_least is None or value >= at_least) and (at_most is None or value <= at_most)
        bound = f"≥ {number(at_least)}" if at_least is not None else f"≤ {number(at_most)}"
        self.goals.append([text, f"{bound} {unit}".strip(), f"{number(value)} {unit}".strip(), "met" if is_met else "not met"])
        print("  goal: " + " | ".join(self.goals[-1]), flush=True)

    def markdown(self, title, environment):
        lines = [f"# {title}", "", *table(["what", "value"], environment)]
        if self.goals:
            lines += ["", "## Goals", "", *table(["goal", "bound", "measured", ""], self.goals)]
        for name, about, rows, notes in self.sections:
            lines += ["", f"## {name}", "", about]
            if rows:
                lines += ["", *table(["what", "contestant", "median", "min", "max", "unit", "ratio"], rows)]
            lines += [line for note in notes for line in ("", note)]
        return "\n".join(lines) + "\n"


def table(heads, rows):
    return [f"| {' | '.join(cells)} |" for cells in (heads, ["---"] * len(heads), *rows)]


def median(values):
    return statistics.median(values)


def ratio(results, one, other):
    """How the medians of two contestants compare."""
    return median(results[one]) / median(results[other])


def number(value):
    """Three digits that count."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.{2 if abs(value) >= 0.1 else 4}f}" if abs(value) < 10 else f"{value:.1f}"
