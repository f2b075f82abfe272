from browser import Browser, Element
from running import Site
from waiting import wait_until

FRESH = "The cache is up to date"


class Page:
    def __init__(self, browser: Browser, site: Site):
        self.browser = browser
        self.site = site
        # Who may be asked.
        self.origins = [site.url]
        # What the browser itself logs of answers that a test is about.
        self.expected: set[str] = set()

    def open(self, width: int = 1280, dark: bool = False) -> None:
        """Opens it anew, in a tab that knows no token."""
        self.browser.look(width=width, dark=dark)
        self.browser.open(self.site.url)
        self.browser.run("sessionStorage.clear()")
        self.browser.log("browser")
        self.browser.requests()
        self.browser.open(self.site.url)
        self.wait_for("#headline", FRESH)
        self.wait_for("#tail-note", "live")

    def check(self) -> None:
        """Nothing was logged, no script ran that isn't the page's own, and nobody else was asked."""
        errors = [entry["message"] for entry in self.browser.log("browser")]
        assert [error for error in errors if not any(text in error for text in self.expected)] == []
        assert [url for url in self.browser.requests() if not url.startswith(tuple(self.origins))] == []
        assert self.browser.all("img, iframe, main script") == []

    def wait_for(self, css: str, text: str, seconds: float = 20) -> None:
        wait_until(lambda: text in self.browser.text(css), f"'{text}' in {css}", seconds)

    def wait_until_gone(self, css: str, text: str) -> None:
        wait_until(lambda: text not in self.browser.text(css), f"no '{text}' in {css}")

    def rule(self, name: str) -> dict[str, str]:
        """A line of the table of rules."""
        script = """
            const rows = [...document.querySelectorAll('tbody tr')]
            const row = rows.find(row => row.cells[0].textContent === arguments[0])
            return Object.fromEntries([...row.cells].map(cell => [cell.dataset.label ?? '', cell.textContent]))
        """
        return self.browser.run(script, name)

    def choose(self, css: str, name: str) -> None:
        """Chooses from a list."""
        (option,) = [option for option in self.browser.all(f"{css} option") if option.text == name]
        option.click()

    def press(self, button: str, token: str | None = None, inside: str = "main") -> None:
        """Presses a button, and types the token into what opens then."""
        self.browser.button(button, inside).click()
        if token:
            self.answer(token)

    def answer(self, token: str) -> None:
        self.expected.add("401 (Unauthorized)")
        wait_until(lambda: self.dialog.is_shown, "the token is asked for")
        self.browser.one("#token").clear()
        self.browser.one("#token").type(token)
        self.browser.button("Go on", "dialog").click()

    @property
    def dialog(self) -> Element:
        return self.browser.one("#token-dialog")
