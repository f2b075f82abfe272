"""What the page shows of a worker."""

import signal

from page import FRESH
from running import HOSTILE, RULES
from waiting import wait_until


def test_numbers_move(page, site):
    before = int(page.rule("user")["changes"])
    for user in range(1, 6):
        site.change(user)
    wait_until(lambda: int(page.rule("user")["changes"]) == before + 5, "five changes more")
    assert not site.has("user:5")
    assert page.rule("user")["failures"] == "0"
    page.wait_for("#targets .sums", "changes in")
    # The largest values of the last quarter of an hour, as soon as there is a point: though each change was served
    # between two looks at the worker.
    for chart in ["first", "last"]:
        readout = f".charts > :{chart}-child .readout"
        wait_until(lambda: page.browser.text(readout).startswith("at most"), f"points in the {chart} chart")


def test_the_charts_values_by_keyboard(page):
    get = "const plot = document.querySelector('.plot svg'); return plot.getAttribute(arguments[0])"
    wait_until(lambda: int(page.browser.run(get, "aria-valuemax")) >= 1, "two points", 30)
    page.browser.run("document.querySelector('.plot svg').focus()")
    plot = page.browser.all(".plot svg")[0]
    plot.type("\ue012")  # the left arrow
    assert page.browser.run(get, "aria-valuenow") == str(int(page.browser.run(get, "aria-valuemax")) - 1)
    assert page.browser.text(".readout.held") == page.browser.run(get, "aria-valuetext").replace("\u00a0", " ")
    assert plot.label == "Lag over the last 15 minutes"


def test_the_live_tail(page, site):
    site.change(7)
    page.wait_for("#rows", "user:7")
    row = page.browser.text("#rows li:first-child")
    assert "update" in row and "public.users" in row and row.strip().endswith("ms"), row
    page.press("Pause", inside="#tail")
    site.change(8)
    page.wait_for("#tail-pause", "Resume, 1 new")
    assert "user:8" not in page.browser.text("#rows")
    page.press("Resume, 1 new")
    page.wait_for("#rows", "user:8")
    page.browser.one("#filter").type("USER:7")
    page.wait_until_gone("#rows", "user:8")
    site.change(9)
    site.change(7)
    wait_until(lambda: page.browser.text("#rows").count("user:7") == 2, "only those with this text")
    assert "user:9" not in page.browser.text("#rows")


def test_many_changes_are_few_rows(page, site):
    site.sql("do $$ begin for n in 1..3000 loop update users set name = n where id = '1'; commit; end loop; end $$")
    page.wait_for("#rows", "user:1")
    wait_until(lambda: site.target["backlog"] == 0, "all is served")
    page.wait_for("#headline", FRESH)
    assert page.browser.run("return document.querySelectorAll('#rows li').length") <= 200


def test_what_comes_from_data_stays_text(page, site):
    site.redis("set", f"hostile:{HOSTILE}", "cached")
    site.sql(f"""update "{HOSTILE}" set name = 'x'; update lines set quantity = 2 where id = 'evil'""")
    page.wait_for("#rows", f"hostile:{HOSTILE}")
    page.wait_for("#rows", f"public.{HOSTILE}")
    page.wait_for("#letter-list", f"lookup ({HOSTILE})")
    page.press("Discard")
    assert page.browser.all("#rows img, #letter-list img") == []


def test_what_is_degraded_and_what_mends_it(page, site):
    site.sql("alter table users disable trigger all")
    try:
        page.wait_for("#headline", "Changes may be missing")
        page.wait_for("#fault-list", "public.users")
        page.wait_for("#fault-list code", "unstale install")
        page.press("Copy", inside="#fault-list")
        wait_until(lambda: page.browser.text("#fault-list .command [role=status]"), "it says what became of it")
    finally:
        site.sql("alter table users enable trigger all")
    page.wait_for("#headline", FRESH)
    assert not page.browser.one("#faults").is_shown


def test_refused_rules(page, site):
    site.rules.write_text(RULES.replace("table: users", "tabel: users"))
    try:
        site.worker.send_signal(signal.SIGHUP)
        page.wait_for("#headline", "New rules are refused")
        page.wait_for("#fault-list", "rules.yaml:5:5: ")
        assert "goes on with the 3 rules" in page.browser.text("#fault-list")
    finally:
        site.rules.write_text(RULES)
        site.worker.send_signal(signal.SIGHUP)
    page.wait_for("#headline", FRESH)


def test_a_redis_that_takes_no_writes(page, site):
    site.redis("replicaof", "127.0.0.1", "1")
    try:
        site.sql("update users set name = name || 'x' where id = '1'")
        page.wait_for("#headline", "Delivery waits")
        page.wait_for("#targets .why", "READONLY")
        page.wait_for("#targets .pill", "paused")
    finally:
        site.redis("replicaof", "no", "one")
    page.wait_for("#headline", FRESH)


def test_the_worker_ends_and_comes_back(page, site):
    site.change(1)
    page.wait_for("#rows", "user:1")
    site.kill()
    page.expected |= {"net::ERR_"}
    page.wait_for("#headline", "The worker is gone")
    page.wait_for("#details", "has not answered since")
    assert "user:1" in page.browser.text("#rows")
    site.start()
    page.wait_for("#headline", FRESH)
    page.wait_for("#tail-note", "live")
    site.change(2)
    page.wait_for("#rows li:first-child", "user:2")
