"""What is cached, for whom and under which key."""

import pytest
from running import SECRET, bearer, token, wait_until

from caching import MAX_BYTES, response_key

ANN, CEM = 42, 43


def test_a_write_needs_no_more_than_postgres(shop):
    assert shop.get("/items/7").headers["X-Cache"] == "miss"
    cached = shop.get("/items/7")
    assert (cached.headers["X-Cache"], cached.json()["stock"]) == ("hit", 12)
    assert cached.headers["Content-Type"] == "application/json"

    item = {**cached.json(), "stock": 11}
    assert shop.http.put("/items/7", json=item).status_code == 204
    wait_until(lambda: shop.get("/items/7").json() == item, "the new stock")
    shop.sql("update items set stock = 12 where id = 7")
    wait_until(lambda: shop.get("/items/7").json()["stock"] == 12, "what psql wrote")


def test_the_order_of_parameters_does_not_matter(shop):
    assert shop.get("/items?sort=price&limit=2&category=tea").headers["X-Cache"] == "miss"
    same = "category=tea&limit=2&sort=price", "limit=2&category=tea&sort=price", "limit=02&category=te%61&sort=price"
    for query in same:
        assert shop.get(f"/items?{query}").headers["X-Cache"] == "hit", query
    assert list(shop.entries()) == ["resp:/items?category=tea&limit=2&sort=price"]


def test_repeated_parameters_are_all_kept(shop):
    both = shop.get("/items?category=tea&limit=9&category=coffee").json()
    assert sorted(item["name"] for item in both) == ["Coffee", "Tea"]
    assert [item["name"] for item in shop.get("/items?category=coffee&limit=9").json()] == ["Coffee"]
    assert set(shop.entries()) == {
        "resp:/items?category=tea&category=coffee&limit=9", "resp:/items?category=coffee&limit=9"}


def test_a_path_has_one_key_however_it_is_written(shop):
    shop.get("/items/7")
    for path in ("/items/07", "/items/%37", "/items/7?utm=x"):
        assert shop.get(path).headers["X-Cache"] == "hit", path
    shop.sql("insert into orders (number, customer_id, state) values ('A 7?#:%2F', 42, 'open')")
    shop.get("/orders/A%207%3F%23%3A%252F", ANN)
    assert set(shop.entries()) == {"resp:/items/7?", "resp:user:42:/orders/A%207%3F%23%3A%252F?"}
    shop.sql("update orders set state = 'paid' where number = 'A 7?#:%2F'")
    wait_until(lambda: set(shop.entries()) == {"resp:/items/7?"}, "the order's page deleted")


@pytest.mark.parametrize("value", ["a&sort=price", "a=b", "a%26sort=price", "é", "*", "a b+c", "a?b#c", "a:b/c"])
def test_a_value_can_not_forge_another_key(shop, value):
    keys = {
        response_key("/items", query)
        for query in ({"category": [value]}, {"category": value.split("&")}, {"category": [value], "sort": "price"},
                      {"category": ["a"], "sort": "price"}, {"category": [value, ""]})
    }
    assert len(keys) == 5 - (value.split("&") == [value])
    assert response_key("/me/orders", owner=42) != response_key("/me/orders", owner=4)
    # The application agrees on what the encoded value means.
    shop.http.get("/items", params={"category": value})
    (key,) = shop.entries()
    assert key == response_key("/items", {"category": [value]})
    assert key.count("&") == 0 and key.isascii()


def test_entries_expire_at_different_times(shop):
    for limit in range(1, 21):
        shop.get(f"/items?limit={limit}")
    lifetimes = [shop.redis.pttl(key) for key in shop.entries()]
    assert len(lifetimes) == 20
    assert all(260_000 < lifetime <= 330_000 for lifetime in lifetimes)
    assert max(lifetimes) - min(lifetimes) > 5_000


def test_a_large_response_is_not_cached(shop):
    shop.sql(f"insert into items (id, name, price, stock) values (20, repeat('x', {MAX_BYTES}), 1, 1)")
    try:
        for _ in range(2):
            response = shop.get("/items/20")
            assert (response.status_code, response.headers["X-Cache"]) == (200, "miss")
            assert len(response.content) > MAX_BYTES
        assert shop.entries() == {}
    finally:
        shop.sql("delete from items where id = 20")


def test_errors_are_not_cached(shop):
    refused = [
        ("/items/404", None, 404), ("/items/0", None, 422), ("/nowhere", None, 404), ("/items?limit=0", None, 422),
        ("/items?colour=red", None, 422), ("/items?category=%00", None, 422), ("/me/orders", None, 401),
        ("/orders/A-1", ANN, 404),
    ]
    for _ in range(2):
        for path, user, status in refused:
            assert shop.get(path, user).status_code == status, path
    assert shop.entries() == {}
    shop.sql("insert into items (id, name, price, stock) values (404, 'Found', 1, 1)")
    assert shop.get("/items/404").status_code == 200
    shop.sql("delete from items where id = 404")


def test_nobody_gets_the_response_of_somebody_else(shop):
    def numbers(user: int) -> list[str]:
        return [order["number"] for order in shop.get("/me/orders", user).json()]

    for _ in range(2):
        assert "A-2024-31" in numbers(ANN) and "A-2024-31" not in numbers(CEM)
        assert numbers(CEM) == ["A-2024-32"]
    assert shop.get("/orders/A-2024-31", ANN).headers["X-Cache"] == "miss"
    assert shop.get("/orders/A-2024-31", ANN).headers["X-Cache"] == "hit"
    assert shop.get("/orders/A-2024-31", CEM).status_code == 404
    signature = token(ANN).partition(".")[2]
    for forged in ("", "42", "42.", f"43.{signature}", f"042.{signature}", f"42.{signature[:-1]}", f"{ANN}.{SECRET}"):
        for path in ("/orders/A-2024-31", "/me/orders"):
            headers = {"Authorization": f"Bearer {forged}"} if forged else {}
            assert shop.http.get(path, headers=headers).status_code == 401, forged


def test_bypass_neither_reads_nor_stores(shop):
    bypass = {"X-Cache-Bypass": "1"}
    assert shop.http.get("/items/7", headers=bypass).headers["X-Cache"] == "bypass"
    assert shop.entries() == {}
    shop.redis.set("resp:/items/7?", "{}")
    assert shop.get("/items/7").text == "{}"
    assert shop.http.get("/items/7", headers=bypass).json()["name"] == "Tea"
    assert shop.get("/items/7").text == "{}"
    # uvicorn believes a proxy on this machine that names the client.
    abroad = bypass | {"X-Forwarded-For": "203.0.113.7"}
    assert shop.http.get("/items/7", headers=abroad).headers["X-Cache"] == "hit"
    assert shop.http.get("/items/7", headers=bypass | bearer(ANN)).headers["X-Cache"] == "bypass"
