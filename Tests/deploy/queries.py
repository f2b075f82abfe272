"""Asks a Prometheus what the dashboard asks it. Prints the queries that fail or find nothing."""

import json
import re
import sys
import urllib.parse
import urllib.request
from pathlib import Path

import yaml

# Where nothing fails, nobody counts it, and neither where no tag is emptied.
rare = re.compile(r"unstale_(attempts|dead_letters|tagged_keys)_total")
mistakes = []
for rule in yaml.safe_load(Path(sys.argv[1]).read_text())["groups"][0]["rules"]:
    url = f"{sys.argv[2]}/api/v1/query?" + urllib.parse.urlencode({"query": rule["expr"]})
    with urllib.request.urlopen(url) as answer:
        found = json.load(answer)["data"]["result"]
    is_rare = rare.search(rule["expr"]) or rule["expr"].startswith("changes(")  # it was started once
    if not found and not is_rare:
        mistakes.append(f"finds nothing: {rule['expr']}")
for mistake in mistakes:
    print(mistake)
sys.exit(bool(mistakes))
