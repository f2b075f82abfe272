"""Makes the pictures that the README shows: the shop of deploy/demo after a quarter of an hour of traffic."""

import math
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from browser import Browser
from running import Site

ROOT = Path(__file__).parents[2]
SECONDS = 900
WRITES = [
    (6, "update items set stock = stock + 1 where id = {item};"),
    (3, "update employees set status = case status when 'in' then 'out' else 'in' end where id = {employee};"),
    (2, "update order_lines set quantity = quantity % 9 + 1 where id = {line};"),
    (2, "update orders set state = case state when 'open' then 'paid' else 'open' end where id = {order};"),
    (1, "update users set name = md5(name) where id = {user};"),
    (0.2, "update items set price = price + 0.01 where id = {item};"),
    (0.1, "update employees set name = md5(name) where id = {employee};"),
]
BURST = """do $$ begin
    for n in 1..4000 loop update items set stock = n where id = 9; commit; end loop;
end $$"""


def write(site: Site, seconds: float, burst: bool = False) -> None:
    """Some writes a second, now more, now less, and once far too many."""
    chance = random.Random(seconds)
    psql = ["psql", "-X", "-q", site.database]
    processes = [subprocess.Popen(psql, stdin=subprocess.PIPE, text=True)]
    began = time.monotonic()
    while (now := time.monotonic() - began) < seconds:
        if burst and now > 0.6 * seconds:
            burst = False
            processes.append(subprocess.Popen([*psql, "-c", BURST], stdin=subprocess.DEVNULL))
        statement = chance.choices([text for _, text in WRITES], [weight for weight, _ in WRITES])[0]
        processes[0].stdin.write(statement.format(
            item=chance.choice([7, 8]), employee=chance.randint(1, 5), line=chance.randint(900, 902),
            order=chance.choice([31, 32]), user=chance.randint(41, 43)) + "\n")
        processes[0].stdin.flush()
        time.sleep(0.04 / (1.6 + math.sin(now / 70) + 0.4 * math.sin(now / 11)))
    processes[0].stdin.close()
    assert [process.wait() for process in processes] == [0] * len(processes)


def main(file: Path) -> None:
    schema = (ROOT / "deploy/shop/tables.sql").read_text()
    rules = (ROOT / "rules/shop.yaml").read_text()
    with tempfile.TemporaryDirectory(dir=os.environ["UNSTALE_TEST_DIR"]) as folder, \
            Site(Path(folder), schema, rules) as site, Browser(Path(folder)) as browser:
        write(site, SECONDS - 70, burst=True)
        browser.look(width=1040, height=930)
        browser.open(site.url)
        # The lines of the rules are drawn from what the page itself has seen.
        write(site, 70)
        for dark, name in [(False, file), (True, file.with_stem(f"{file.stem}-dark"))]:
            browser.look(width=1040, height=930, dark=dark)
            browser.screenshot(name)


main(Path(sys.argv[1]))
