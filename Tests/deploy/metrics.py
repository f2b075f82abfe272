"""Compares a scrape with the table of metrics in deploy/README.md: names, labels and kinds. Prints what differs."""

import re
import sys
from pathlib import Path

scraped = dict(re.findall(r"^# TYPE (\w+) (\w+)$", Path(sys.argv[1]).read_text(), re.M))
labels = {}
for name, found in re.findall(r"^(\w+)(?:\{(.*)\})? ", Path(sys.argv[1]).read_text(), re.M):
    name = re.sub("_(bucket|sum|count)$", "", name) if name not in scraped else name
    labels.setdefault(name, set()).update(set(re.findall(r'(\w+)="', found)) - {"le"})
mistakes = []
told = set()
for line in Path("deploy/README.md").read_text().splitlines():
    if re.match(r"\| `(unstale|process)_", line):
        names, told_labels, meaning = line.strip("| ").split(" | ", 2) if " | | " not in line else (
            line.strip("| ").split(" | | ")[0], "", line.split(" | | ")[1])
        for name in re.findall(r"`(\w+)`", names):
            told.add(name)
            if name not in scraped:
                mistakes.append(f"the worker has no {name}")
            elif (scraped[name] == "histogram") != meaning.startswith("histogram"):
                mistakes.append(f"{name} is a {scraped[name]}")
            if name in labels and labels[name] != set(re.findall(r"\w+", told_labels)):
                mistakes.append(f"{name} has the labels {sorted(labels[name])}")
mistakes += [f"deploy/README.md doesn't have {name}" for name in scraped.keys() - told]
for mistake in mistakes:
    print(mistake)
sys.exit(bool(mistakes))
