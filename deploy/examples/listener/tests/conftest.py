import os
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2]
# The example, and what runs a worker for the tests of the other one.
sys.path[:0] = [str(EXAMPLES / "listener"), str(EXAMPLES / "fastapi/tests")]


def pytest_configure(config):
    if "UNSTALE_TEST_DATABASE_URL" not in os.environ:
        pytest.exit("run these by Tests/with-servers, which gives them a Postgres and a Redis", 64)
    config.option.basetemp = config.option.basetemp or f"{os.environ['UNSTALE_TEST_DIR']}/pytest"
