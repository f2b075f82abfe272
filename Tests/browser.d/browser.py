"""Chromium, headless, by the W3C WebDriver protocol."""

import base64
import json
import os
import re
import subprocess
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from waiting import wait_until

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


class Refused(Exception):
    """What the driver says of a command that failed."""


class Element:
    def __init__(self, browser: "Browser", reference: dict):
        self.browser = browser
        self.reference = reference
        self.path = f"/element/{reference[ELEMENT]}"

    def click(self) -> None:
        self.browser.command("POST", f"{self.path}/click", {})

    def type(self, text: str) -> None:
        self.browser.command("POST", f"{self.path}/value", {"text": text})

    def clear(self) -> None:
        self.browser.command("POST", f"{self.path}/clear", {})

    @property
    def text(self) -> str:
        """What of it is to be seen."""
        return self.browser.command("GET", f"{self.path}/text").replace("\u00a0", " ")

    @property
    def label(self) -> str:
        """What a screen reader calls it."""
        return self.browser.command("GET", f"{self.path}/computedlabel")

    @property
    def is_shown(self) -> bool:
        return self.browser.command("GET", f"{self.path}/displayed")


class Browser:
    """Lends a window in a `with` block."""

    def __init__(self, folder: Path):
        self.folder = folder

    def __enter__(self) -> "Browser":
        log = self.folder / "chromedriver.log"
        with open(log, "wb") as output:
            self.driver = subprocess.Popen(
                ["chromedriver", "--port=0"], cwd=self.folder, stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, env={**os.environ, "HOME": str(self.folder)})
        try:
            port = wait_until(lambda: re.search(r"on port (\d+)\.", log.read_text()), "chromedriver is started")[1]
            self.url = f"http://127.0.0.1:{port}/session"
            profile = f"--user-data-dir={self.folder}/profile"
            arguments = ["--headless=new", "--hide-scrollbars", "--disable-dev-shm-usage", profile]
            if os.geteuid() == 0:  # Chromium's sandbox refuses to run as root.
                arguments.append("--no-sandbox")
            options = {"args": arguments, "binary": "/usr/bin/chromium", "perfLoggingPrefs": {"enableNetwork": True}}
            wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}
            session = self.command("POST", "", {"capabilities": {"alwaysMatch": wanted}})
            self.url += f"/{session['sessionId']}"
        except BaseException:
            self.driver.kill()
            raise
        return self

    def __exit__(self, *_) -> None:
        try:
            self.command("DELETE", "")
        finally:
            self.driver.terminate()
            self.driver.wait()

    def command(self, method: str, path: str, body: dict | None = None):
        data = None if body is None else json.dumps(body).encode()
        request = Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urlopen(request, timeout=60) as response:
                return json.load(response)["value"]
        except HTTPError as error:
            value = json.load(error)["value"]
            raise Refused(f"{method} {path}: {value['error']}: {value['message']}") from None

    def open(self, url: str) -> None:
        self.command("POST", "/url", {"url": url})

    def all(self, css: str) -> list[Element]:
        found = self.command("POST", "/elements", {"using": "css selector", "value": css})
        return [Element(self, reference) for reference in found]

    def one(self, css: str) -> Element:
        (element,) = self.all(css)
        return element

    def text(self, css: str) -> str:
        """What is to be read there; nothing where there is no such thing."""
        script = "return [...document.querySelectorAll(arguments[0])].map(node => node.innerText).join('\\n')"
        return self.run(script, css).replace("\u00a0", " ")

    def button(self, name: str, inside: str = "body") -> Element:
        """The one button in sight with this text."""
        def find() -> list[Element]:
            return [button for button in self.all(f"{inside} button") if button.text == name and button.is_shown]

        (button,) = wait_until(find, f"a button {name}")
        return button

    def run(self, script: str, *arguments):
        return self.command("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def log(self, kind: str) -> list[dict]:
        """What was logged since the last call."""
        return self.command("POST", "/se/log", {"type": kind})

    def requests(self) -> list[str]:
        """Where requests went since the last call."""
        events = [json.loads(entry["message"])["message"] for entry in self.log("performance")]
        return [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]

    def emulate(self, command: str, **parameters) -> None:
        self.command("POST", "/goog/cdp/execute", {"cmd": f"Emulation.{command}", "params": parameters})

    def look(self, *, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        """Makes it another screen."""
        self.emulate("setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        still = {"name": "prefers-reduced-motion", "value": "reduce"}
        self.emulate("setEmulatedMedia", features=[scheme, still])

    def screenshot(self, file: Path) -> None:
        file.write_bytes(base64.b64decode(self.command("GET", "/screenshot")))
