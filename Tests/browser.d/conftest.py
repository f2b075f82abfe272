import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


def pytest_configure(config):
    if "UNSTALE_TEST_DATABASE_URL" not in os.environ:
        pytest.exit("run these by Tests/browser, which gives them a program, a Postgres and a Redis", 64)
    # The logs go when the servers do.
    config.option.basetemp = config.option.basetemp or f"{os.environ['UNSTALE_TEST_DIR']}/pytest"


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    from running import Site

    with Site(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    from browser import Browser

    with Browser(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


@pytest.fixture
def page(browser, site):
    """The page, just opened, with nothing left to do. After the test it is seen to have kept to itself."""
    from page import Page

    site.settle()
    page = Page(browser, site)
    page.open()
    yield page
    page.check()
