"""The rules: a change deletes what it makes stale, and nothing else."""

import subprocess

import pytest
from running import EXAMPLE, describe, unstale, wait_until

ANN, CEM = 42, 43
PAGES = [
    ("/users/42", None), ("/users/43", None), ("/items/7", None), ("/items/8", None), ("/items", None),
    ("/items?sort=price", None), ("/items?limit=2", None), ("/items?category=tea", None),
    ("/items?category=tea&sort=price", None), ("/items?category=coffee&category=tea", None),
    ("/items?category=coffee", None), ("/items?category=teapots&limit=2", None), ("/items?category=*", None),
    ("/me/orders", ANN), ("/me/orders", CEM), ("/orders/A-2024-31", ANN), ("/orders/A-2024-32", CEM),
]
LISTS = {"resp:/items?sort=price", "resp:/items?limit=2"}
TEA = {"resp:/items?category=tea", "resp:/items?category=tea&sort=price", "resp:/items?category=coffee&category=tea"}
COFFEE = {"resp:/items?category=coffee", "resp:/items?category=coffee&category=tea"}
ANNS = {"resp:user:42:/orders/A-2024-31?", "resp:user:42:/me/orders?"}
CEMS = {"resp:user:43:/orders/A-2024-32?", "resp:user:43:/me/orders?"}

# What is written, what takes it back, and the entries that it makes stale.
CHANGES = [
    ("update users set name = 'Anna' where id = 42", "update users set name = 'Ann' where id = 42",
     {"resp:/users/42?"}),
    ("update users set email = 'a@example.org' where id = 42",
     "update users set email = 'ann@example.org' where id = 42", set()),
    ("update items set stock = 1 where id = 7", "update items set stock = 12 where id = 7", {"resp:/items/7?"}),
    ("update items set price = 9 where id = 7", "update items set price = 3.5 where id = 7",
     {"resp:/items/7?"} | LISTS | TEA),
    ("update items set category = 'coffee' where id = 7", "update items set category = 'tea' where id = 7",
     {"resp:/items/7?"} | LISTS | TEA | COFFEE),
    ("update items set category = '*' where id = 9", "update items set category = 'cocoa' where id = 9",
     LISTS | {"resp:/items?category=%2A"}),
    ("update items set name = 'Mocha' where id = 8", "update items set name = 'Coffee' where id = 8",
     {"resp:/items/8?", "resp:user:42:/orders/A-2024-31?"} | LISTS | COFFEE),
    ("insert into items (id, name, category, price, stock) values (50, 'Mate', 'tea', 1, 1)",
     "delete from items where id = 50", LISTS | TEA),
    ("update order_lines set quantity = 9 where id = 902", "update order_lines set quantity = 4 where id = 902",
     CEMS),
    ("update order_lines set order_id = 31 where id = 902", "update order_lines set order_id = 32 where id = 902",
     ANNS | CEMS),
    ("insert into orders (id, number, customer_id, state) values (50, 'B', 43, 'open')",
     "delete from orders where id = 50", {"resp:user:43:/me/orders?"}),
    ("update employees set status = 'out'", "update employees set status = 'in'", set()),
]


def test_the_rules_pass_their_own_tests():
    subprocess.run([unstale(), "test", "--rules", EXAMPLE / "rules.yaml"], check=True)


@pytest.mark.parametrize("write, undo, stale", CHANGES)
def test_a_change_deletes_what_is_stale_and_nothing_else(shop, write, undo, stale):
    for path, user in PAGES:
        assert shop.get(path, user).status_code == 200, path
    cached = set(shop.entries())
    assert len(cached) == len(PAGES) and stale <= cached
    try:
        shop.sql(write)
        shop.settle()
        # What is re-warmed is there again.
        assert cached - set(shop.entries()) == stale
        remaining = shop.stale_entries()
        assert not remaining, describe(remaining)
    finally:
        shop.sql(undo)


def test_the_first_list_is_never_missed(shop):
    shop.get("/items")
    shop.sql("update items set price = 3.20 where id = 7")
    try:
        lists = []

        def is_fresh() -> bool:
            lists.append(shop.get("/items"))
            return "3.20" in lists[-1].text

        wait_until(is_fresh, "the new price on the list")
        assert {response.headers["X-Cache"] for response in lists} == {"hit"}
        assert 260_000 < shop.redis.pttl("resp:/items?") <= 330_000
    finally:
        shop.sql("update items set price = 3.50 where id = 7")
