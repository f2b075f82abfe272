"""What an operator does on the page."""

from page import FRESH
from running import TOKEN
from waiting import wait_until


def fail(site) -> None:
    """An order line whose lookup fails, until it is a dead letter."""
    site.sql("update orders set number = 'thirteen' where id = '13'")
    site.sql("update lines set quantity = quantity + 1 where id = '13'")
    wait_until(lambda: site.target["deadLetters"] == 1, "the action is a dead letter")


def test_a_dead_letter_is_redriven(page, site):
    site.redis("set", "order:13", "cached")
    fail(site)
    page.wait_for("#headline", "1 action failed for good")
    page.wait_for("#letter-list", "lookup (13)")
    page.wait_for("#letter-list", "invalid input syntax for type integer")
    assert "line · 2 attempts" in page.browser.text("#letter-list")
    site.sql("update orders set number = '13' where id = '13'")
    page.press("Redrive", "a-wrong-token")
    page.wait_for("#token-why", "refused this token")
    assert site.target["deadLetters"] == 1
    page.answer(TOKEN)
    page.wait_for("#letters", "Redriven: lookup (13)")
    wait_until(lambda: not site.has("order:13"), "the key is gone")
    page.wait_for("#letters", "None is left")
    page.wait_for("#headline", FRESH)
    # The token is known now.
    page.press("Pause delivery")
    page.wait_for("#headline", "Delivery is held")
    assert not page.dialog.is_shown
    page.press("Resume")
    page.wait_for("#headline", FRESH)


def test_a_dead_letter_is_discarded_on_a_second_thought(page, site):
    fail(site)
    page.wait_for("#letter-list", "lookup (13)")
    page.press("Discard")
    assert page.browser.run("return document.activeElement.textContent") == "Keep"
    page.press("Keep")
    assert page.browser.run("return document.activeElement.textContent") == "Discard"
    assert site.target["deadLetters"] == 1
    page.press("Discard")
    page.press("Discard for good", TOKEN)
    page.wait_for("#letters", "Discarded: lookup (13)")
    assert site.unstale("dead-letters", "list") == "no dead letters"
    page.wait_for("#headline", FRESH)


def test_delivery_is_paused_and_resumed(page, site):
    page.press("Pause delivery", TOKEN)
    page.wait_for("#headline", "Delivery is held")
    page.wait_for("#targets .pill", "held by an operator")
    site.change(1)
    page.wait_for("#details", "1 record to serve")
    assert site.has("user:1")
    page.press("Resume")
    wait_until(lambda: not site.has("user:1"), "the key is gone")
    page.wait_for("#headline", FRESH)
    page.wait_for("#targets .pill", "connected")


def test_no_token_no_order(page, site):
    page.press("Pause delivery")
    wait_until(lambda: page.dialog.is_shown, "the token is asked for")
    page.expected.add("401 (Unauthorized)")
    page.browser.button("Cancel", "dialog").click()
    wait_until(lambda: not page.dialog.is_shown, "the dialog is closed")
    assert not site.target["isHeld"]
    assert page.browser.run("return document.activeElement.textContent") == "Pause delivery"


def test_a_forgotten_token_is_asked_for_again(page, site):
    page.press("Pause delivery", TOKEN)
    page.wait_for("#headline", "Delivery is held")
    page.press("Forget the token", inside="footer")
    page.press("Resume", TOKEN)
    page.wait_for("#headline", FRESH)


def test_from_elsewhere_nothing_is_shown_without_the_token(page, site):
    worker, port = site.run(site.folder / "standby.log", "0.0.0.0:0", "The admin port is open")
    try:
        url = f"http://127.0.0.1:{port}/"
        page.origins.append(url)
        page.browser.open(url)
        page.wait_for("#headline", "The admin token is needed")
        page.answer("a-wrong-token")
        page.wait_for("#token-why", "refused this token")
        page.answer(TOKEN)
        page.wait_for("#headline", "Standing by")
        page.wait_for("#tail-note", "live")
        page.browser.open("about:blank")
    finally:
        worker.terminate()
        worker.wait()


def test_replays(page, site):
    site.change(2)
    wait_until(lambda: not site.has("user:2"), "the key is gone")
    site.redis("set", "user:2", "stale")
    page.press("Replay", TOKEN)
    page.wait_for("#replay-note", "served again")
    wait_until(lambda: not site.has("user:2"), "the key is gone once more")

    site.redis("set", "user:3", "stale")
    page.browser.one("#table").type("public.users")
    page.press("Replay")
    wait_until(lambda: not site.has("user:3"), "all users' keys are gone")

    page.expected.add("400 (Bad Request)")
    page.browser.one("#since").clear()
    page.browser.one("#since").type("soon")
    page.press("Replay")
    page.wait_for("#replay-note.bad", "a duration such as")


def test_the_log_level(page, site):
    def hold_for_a_moment() -> str:
        """What is logged of it."""
        begun = site.log.stat().st_size
        page.press("Pause delivery")
        page.wait_for("#headline", "Delivery is held")
        page.press("Resume")
        page.wait_for("#headline", FRESH)
        return site.log.read_text()[begun:]

    page.choose("#level", "error")
    page.answer(TOKEN)
    page.wait_for("#level-note", "logs error")
    assert site.status()["logLevel"] == "error"
    assert "Paused by an operator" not in hold_for_a_moment()
    page.choose("#level", "info")
    page.wait_for("#level-note", "logs info")
    assert "Paused by an operator" in hold_for_a_moment()
