"""What capturing costs who writes; no worker runs. Throughput is pgbench's, times of single statements the client's,
instructions callgrind's: those tell what a change of the triggers brings, however busy the machine is.
"""

import importlib
import time

from measuring import CALLGRIND, executed
from report import ratio
from servers import BIN, as_postgres

CLIENTS = (1, 4, 8, 32)
CHANGE = "\\set id random(1, {rows})\nUPDATE users SET name = 'user ' || random() WHERE id = :id;\n"
UNSEEN = "\\set id random(1, {rows})\nUPDATE users SET seen = seen + 1 WHERE id = :id;\n"


def prepare(bench, contestant):
    bench.fresh()
    if contestant in bench.builds:
        bench.install(contestant)
    elif contestant == "unstale, each row":
        bench.install("unstale", "--row-limit", "1000000")
    elif contestant != "bare":
        bench.sql(importlib.import_module(f"peers.{contestant}").TRIGGER)


def run(bench):
    report = bench.report
    report.section(
        "capture", "Updates by primary key without a worker, by what captures them: Unstale's triggers, and the row and "
        "statement triggers of those that NOTIFY (naive, careful, cachewatch). Logical decoding has none")
    field = bench.field("bare", limit=(), peers=("naive", "careful", "cachewatch"))
    singles(bench, field)
    instructions(bench, bench.scale(field, field[:2]))
    bulk(bench, field if len(bench.builds) > 1 else (*field[:2], "unstale, each row", *field[2:]))


def singles(bench, field):
    seconds = max(1, round(bench.seconds / 6))
    results = {}
    cases = bench.scale([(durable, clients) for durable in (True, False) for clients in CLIENTS], [(False, 8)])
    for _ in range(bench.rounds):
        for durable, clients in cases:
            for contestant in field:
                prepare(bench, contestant)
                for script in (CHANGE, UNSEEN):
                    results.setdefault((durable, clients, script), {}).setdefault(contestant, []).append(
                        bench.pgbench(script.format(rows=bench.rows), clients, "-T", str(seconds), durable=durable))
    for (durable, clients, script), rates in results.items():
        what = f"{clients} clients, {commits(durable)}{'' if script == CHANGE else ', no rule cares'}"
        bench.report.rows(what, "tx/s", rates, base="bare")
    if bench.is_quick:
        return
    for durable, bound in ((True, 0.87), (False, 0.70)):
        bench.report.goal(
            f"capture alone, 8 writers, {commits(durable)}, as a share of bare",
            ratio(results[durable, 8, CHANGE], "unstale", "bare"), at_least=bound)
        bench.report.goal(
            f"updates that no rule cares about, 1 writer, {commits(durable)}, time over bare",
            (1 / ratio(results[durable, 1, UNSEEN], "unstale", "bare") - 1) * 100, unit="%", at_most=8)


def commits(durable):
    return "durable" if durable else "asynchronous"


def instructions(bench, field):
    """What a backend alone executes for an UPDATE by primary key with its asynchronous commit, as another role than the
    tables' owner. Those of so many more updates, so that its start doesn't count."""
    few, many = bench.scale((200, 1_200), (20, 60))
    changes = {"": "name = 'changed ' || {count} || ' ' || i", ", no rule cares": "seen = seen + 1"}
    counted = {what: {} for what in changes}
    for contestant in field:
        prepare(bench, contestant)
        bench.sql(
            "DO $$ BEGIN CREATE ROLE writer; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
            "GRANT ALL ON users TO writer", "CHECKPOINT")
        with bench.servers.without_postgres() as data:
            for what, change in changes.items():
                once, more = (collect(data, change.format(count=count), count, bench.rows) for count in (few, many))
                counted[what][contestant] = [(more - once) / (many - few)]
    for what, results in counted.items():
        bench.report.rows(f"instructions of a lone UPDATE{what}", "", results, base="bare")


def collect(data, change, count, rows):
    # 61 shares no factor with the number of rows.
    update = f"UPDATE users SET {change} WHERE id = 1 + i * 61 % {rows}"
    script = f"SET ROLE writer;\nDO $$ BEGIN FOR i IN 1..{count} LOOP {update}; COMMIT; END LOOP; END $$;\n"
    settings = [word for setting in ("exit_on_error=on", "jit=off", "synchronous_commit=off") for word in ("-c", setting)]
    return executed(as_postgres([*CALLGRIND, f"{BIN}/postgres", "--single", "-D", data, *settings, "postgres"]), input=script)


def bulk(bench, field):
    """One statement that changes as many rows as there are, and one that brings as many."""
    updates, copies, unseen = {}, {}, {}
    for _ in range(bench.rounds):
        for contestant in field:
            prepare(bench, contestant)
            with bench.connect() as connection:
                for results, statement in ((unseen, "UPDATE users SET seen = 1"), (updates, "UPDATE users SET name = 'new'")):
                    start = time.perf_counter()
                    connection.execute(statement)
                    results.setdefault(contestant, []).append((time.perf_counter() - start) * 1000)
                    connection.execute("VACUUM users")  # so that the next one finds the same room
                copies.setdefault(contestant, []).append(copy(connection, bench.rows) * 1000)
    for what, results in (("UPDATE", updates), ("COPY", copies), ("UPDATE, no rule cares", unseen)):
        bench.report.rows(f"{what}, {bench.rows:,} rows", "ms", results, base="bare")
    bench.report.goal("one UPDATE of 100,000 rows, as a multiple of bare", ratio(updates, "unstale", "bare"), at_most=1.5)
    if "unstale, each row" in updates:
        bench.report.goal(
            "the same with each row recorded (--row-limit)", ratio(updates, "unstale, each row", "bare"), at_most=1.5)


def copy(connection, rows):
    text = "".join(f"{rows + number}\tuser\t0\n" for number in range(1, rows + 1))
    start = time.perf_counter()
    with connection.cursor().copy("COPY users FROM STDIN") as stream:
        stream.write(text)
    return time.perf_counter() - start
