"""Checks what no tool knows: that the files of deploy/ agree with each other. Prints what doesn't."""

import json
import re
import sys
from pathlib import Path

import yaml

deploy = Path("deploy")
mistakes = []


def expect(is_true, mistake):
    if not is_true:
        mistakes.append(mistake)


def metrics_of_manual():
    """Those of the README's table; a histogram is its three series."""
    metrics = set()
    for line in (deploy / "README.md").read_text().splitlines():
        if re.match(r"\| `(unstale|process)_", line):
            name, _, meaning = line.strip("| ").split(" | ", 1)[0], None, line.rsplit("|", 2)[1]
            for metric in re.findall(r"`(\w+)`", name):
                is_histogram = meaning.strip().startswith("histogram")
                metrics |= {metric + end for end in ("_bucket", "_sum", "_count")} if is_histogram else {metric}
    return metrics


def metrics_in(expression):
    return set(re.findall(r"\b(?:unstale|process)_\w+", re.sub(r'"[^"]*"', "", expression)))


def expressions(dashboard):
    """What each panel, annotation and variable asks for."""
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]
    for annotation in dashboard["annotations"]["list"]:
        yield annotation["name"], annotation["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], re.fullmatch(r"label_values\((.*), \w+\)", variable["query"]["query"])[1]


def check_dashboard(metrics):
    """Panels ask for metrics that there are, in PromQL (written to the file that is named), and lie side by side."""
    dashboard = json.loads((deploy / "grafana/dashboard.json").read_text())
    variables = {"$" + variable["name"] for variable in dashboard["templating"]["list"]}
    rules, asked = [], set()
    for title, expression in expressions(dashboard):
        for metric in metrics_in(expression) - metrics:
            mistakes.append(f"dashboard.json: {title}: no metric is named {metric}")
        asked |= metrics_in(expression)
        for variable in set(re.findall(r"\$\w+", expression)) - variables - {"$__rate_interval"}:
            mistakes.append(f"dashboard.json: {title}: no variable is named {variable}")
        expression = expression.replace("$__rate_interval", "1m").replace("$target", ".*")
        rules.append({"record": f"panel:{len(rules)}", "expr": expression})
    Path(sys.argv[1]).write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    for metric in metrics - asked:
        if not metric.endswith(("_sum", "_count", "_info")):
            mistakes.append(f"dashboard.json: no panel shows {metric}")
    cells, ids = set(), set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        area = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])}
        expect(not area & cells and max(area)[0] < 24, f"dashboard.json: {panel['title']}: it lies over another panel")
        expect(panel["id"] not in ids, f"dashboard.json: {panel['title']}: its id is another panel's")
        expect(panel["type"] == "row" or panel["datasource"]["uid"] == "${datasource}",
               f"dashboard.json: {panel['title']}: it has a data source of its own")
        cells |= area
        ids.add(panel["id"])


def check_alerts(metrics):
    for group in yaml.safe_load((deploy / "prometheus/alerts.yaml").read_text())["groups"]:
        for rule in group["rules"]:
            for metric in metrics_in(rule["expr"]) - metrics:
                mistakes.append(f"alerts.yaml: {rule['alert']}: no metric is named {metric}")
            missing = {"summary", "description"} - rule["annotations"].keys()
            expect(not missing, f"alerts.yaml: {rule['alert']}: it has no {' and no '.join(missing)}")
            expect("`" in rule["annotations"].get("description", ""), f"alerts.yaml: {rule['alert']}: no command helps")


def check_links():
    """What the READMEs name is there."""
    for page in (Path("README.md"), deploy / "README.md"):
        for link in re.findall(r"\]\(([^)#]+)", page.read_text()):
            expect("://" in link or (page.parent / link).exists(), f"{page}: there is no {link}")


metrics = metrics_of_manual()
expect(len(metrics) > 40, f"deploy/README.md: a table of only {len(metrics)} metrics")
check_dashboard(metrics)
check_alerts(metrics)
check_links()
for mistake in mistakes:
    print(mistake)
sys.exit(bool(mistakes))
