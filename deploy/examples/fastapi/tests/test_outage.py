"""Redis is there to help: without it, every request is answered all the same."""

import signal
import socket
import time

import httpx
import pytest
from running import Process, Shop, wait_until

PAGES = [("/users/42", None), ("/items", None), ("/items/7", None), ("/me/orders", 42), ("/orders/A-2024-31", 42)]
ITEM = {"name": "Mate", "category": "tea", "price": "2.50", "stock": 3}


@pytest.fixture
def redis_server(tmp_path):
    """A Redis that may be stopped: (process, URL)."""
    path = tmp_path / "redis.sock"
    command = ["redis-server", "--port", "0", "--unixsocket", str(path), "--save", "", "--dir", str(tmp_path)]
    server = Process(command, tmp_path / "redis.log", {})
    try:
        server.wait_for_line("eady to accept connections")
        yield server, f"unix://{path}"
    finally:
        server.send(signal.SIGCONT)
        server.stop()


def answers(shop: Shop) -> float:
    """The longest that a page took, all of which must be there."""
    longest = 0.0
    for path, user in PAGES * 2:
        began = time.monotonic()
        response = shop.get(path, user)
        assert (response.status_code, response.headers["X-Cache"]) == (200, "miss"), response.text
        longest = max(longest, time.monotonic() - began)
    return longest


def test_a_closed_port(tmp_path):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and not listening
        with Shop(tmp_path, worker=False, redis_url=f"redis://127.0.0.1:{closed.getsockname()[1]}") as shop:
            answers(shop)


def test_a_redis_that_hangs_and_comes_back(tmp_path, redis_server):
    server, url = redis_server
    with Shop(tmp_path, worker=False, redis_url=url) as shop:
        assert [shop.get("/items/7").headers["X-Cache"] for _ in range(2)] == ["miss", "hit"]
        server.send(signal.SIGSTOP)
        assert answers(shop) < 5
        assert shop.http.post("/items", json=ITEM).status_code == 201
        server.send(signal.SIGCONT)
        wait_until(lambda: shop.get("/items/7").headers["X-Cache"] == "hit", "the cache is used again")


def test_a_failed_request_is_not_cached(tmp_path, redis_server):
    with Shop(tmp_path, worker=False, redis_url=redis_server[1]) as shop:
        shop.sql("alter table users rename to people")
        # On a connection of its own, which uvicorn closes after this.
        assert httpx.get(f"{shop.url}/users/42").status_code == 500
        assert shop.entries() == {}
        shop.sql("alter table people rename to users")
        assert shop.get("/users/42").headers["X-Cache"] == "miss"
