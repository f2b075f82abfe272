import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent))


def pytest_configure(config):
    if "UNSTALE_TEST_DATABASE_URL" not in os.environ:
        pytest.exit("run these by Tests/with-servers, which gives them a Postgres and a Redis", 64)
    # The logs go when the servers do.
    config.option.basetemp = config.option.basetemp or f"{os.environ['UNSTALE_TEST_DIR']}/pytest"


@pytest.fixture(scope="session")
def running_shop(tmp_path_factory):
    from running import Shop

    with Shop(tmp_path_factory.mktemp("shop"), worker=True) as shop:
        yield shop


@pytest.fixture
def shop(running_shop):
    """The shop with its worker, nothing cached and nothing left to do."""
    running_shop.settle()
    running_shop.redis.flushdb()
    return running_shop
