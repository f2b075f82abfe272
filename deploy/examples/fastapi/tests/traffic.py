"""Readers and writers who use the shop at the same time, all by one seed."""

import asyncio
import random
import time
from collections import Counter
from urllib.parse import quote

import asyncpg
import httpx
from running import Shop, bearer

USERS, ITEMS, ORDERS = range(101, 111), range(201, 231), range(301, 341)
CATEGORIES = ["tea", "coffee", "cocoa", "herbs & tea", "*", "ümläut?=1"]
READERS, WRITERS = 10, 3

SCHEMA = [
    "insert into users select n, 'User ' || n, n || '@example.org' from generate_series(101, 110) n",
    """insert into items select n, 'Item ' || n, 1 + n % 7, 1000000, now(), ($1::text[])[1 + n % 6]
       from generate_series(201, 230) n""",
    "insert into orders select n, 'N ' || n, 101 + n % 10, 'open' from generate_series(301, 340) n",
    """insert into order_lines select 10 * n + l, n, 201 + (n * l) % 30, l
       from generate_series(301, 340) n, generate_series(1, 3) l""",
]


class Traffic:
    def __init__(self, shop: Shop, seed: int):
        self.shop = shop
        self.seed = seed
        self.seen: Counter[str] = Counter()  # responses by X-Cache
        self.written: Counter[str] = Counter()
        self.failures: list[str] = []
        self.owners = {f"N {n}": 101 + n % 10 for n in ORDERS}  # of each order, who may see it
        self.sightings: set[tuple[str, int]] = set()  # an order's number, who saw it
        self.added: list[int] = []  # items that are in no order

    def run(self, seconds: float) -> None:
        """For so many seconds, and until there was enough of it, however slow the machine."""
        began = time.monotonic()
        asyncio.run(self._run(lambda: time.monotonic() < began + seconds or (
            self.seen.total() < 200 * seconds and time.monotonic() < began + 120)))

    async def _run(self, goes_on) -> None:
        self.goes_on = goes_on
        limits = httpx.Limits(max_connections=None)
        self.database = await asyncpg.connect(self.shop.database_url)
        async with httpx.AsyncClient(base_url=self.shop.url, timeout=30, limits=limits) as self.http:
            for statement in SCHEMA:
                await self.database.execute(statement, *[CATEGORIES] if "$1" in statement else [])
            async with asyncio.TaskGroup() as group:
                for number in range(READERS):
                    group.create_task(self._repeat(self._read, f"reader {number}"))
                for number in range(WRITERS):
                    group.create_task(self._repeat(self._write, f"writer {number}"))
                group.create_task(self._repeat(self._write_behind, "psql"))
        await self.database.close()

    async def _repeat(self, act, name: str) -> None:
        rng = random.Random(f"{self.seed} {name}")
        while self.goes_on():
            await act(rng)

    # --- Readers

    async def _read(self, rng: random.Random) -> None:
        path, user = self._page(rng)
        response = await self.http.get(path, headers=bearer(user))
        if response.status_code == 200:
            self.seen[response.headers["X-Cache"]] += 1
            if path == "/me/orders":
                self.sightings |= {(order["number"], user) for order in response.json()}
        elif response.status_code != 404:
            self.failures.append(f"{response.status_code} GET {path}: {response.text}")

    def _page(self, rng: random.Random) -> tuple[str, int | None]:
        """Some pages are read more than others: the square of a number below 1 is small rather than large."""
        def some(choices):
            return choices[int(rng.random() ** 2 * len(choices))]

        user = some(USERS)
        return rng.choice([
            lambda: (f"/users/{user}", None),
            lambda: (f"/items/{some(ITEMS)}", None),
            lambda: (some(["/items", "/items?sort=price", "/items?limit=3", "/items?limit=9&sort=price"]), None),
            lambda: (f"/items?category={quote(some(CATEGORIES))}" + some(["", "&sort=price", "&limit=5"]), None),
            lambda: (f"/items?category={quote(some(CATEGORIES))}&category={quote(some(CATEGORIES))}", None),
            lambda: ("/me/orders", user),
            lambda: (f"/orders/{quote(rng.choice([n for n, owner in self.owners.items() if owner == user]))}", user),
        ])()

    # --- Writers

    async def _write(self, rng: random.Random) -> None:
        """A request that writes."""
        user, item = rng.choice(USERS), rng.choice(ITEMS)
        goods = {
            "name": f"Item {item}" + rng.choice(["", "", "", "!"]), "category": rng.choice(CATEGORIES),
            "price": f"{rng.randrange(100, 900) / 100:.2f}", "stock": 1_000_000,
        }
        kind = rng.choice(["item", "item", "profile", "add", "delete", "order", "order", "cancel"])
        match kind:
            case "item":
                await self._send("PUT", f"/items/{item}", json=goods)
            case "profile":
                profile = {"name": f"User {rng.random()}", "email": f"{user}@example.org"}
                await self._send("PUT", "/me", user, json=profile)
            case "add":
                self.added.append((await self._send("POST", "/items", json=goods)).json()["id"])
            case "delete" if self.added:
                await self._send("DELETE", f"/items/{self.added.pop(rng.randrange(len(self.added)))}")
            case "order":
                lines = [{"item": item, "quantity": rng.randint(1, 5)} for item in rng.sample(ITEMS, rng.randint(1, 3))]
                placed = await self._send("POST", "/orders", user, json={"lines": lines})
                self.owners[placed.json()["number"]] = user
            case "cancel":
                number, owner = rng.choice(list(self.owners.items()))
                await self._send("DELETE", f"/orders/{quote(number)}", owner)
        self.written[kind] += 1
        await self._rest(rng)

    async def _send(self, method: str, path: str, user: int | None = None, **arguments) -> httpx.Response:
        response = await self.http.request(method, path, headers=bearer(user), **arguments)
        if response.status_code not in (200, 201, 204, 404):
            self.failures.append(f"{response.status_code} {method} {path}: {response.text}")
        return response

    async def _write_behind(self, rng: random.Random) -> None:
        """What the application doesn't know of; some of it is open for a while, or rolled back."""
        item, order, other = rng.choice(ITEMS), rng.choice(ORDERS), rng.choice(ORDERS)
        statement, arguments = rng.choice([
            # Locked in the order in which the application locks them: there is to be no deadlock.
            ("""with locked as (select id from items where category = $1 order by id for update)
                update items i set price = price % 9 + 0.01 from locked where i.id = locked.id""",
             [rng.choice(CATEGORIES)]),
            ("update items set name = name || '.' where id = $1 and length(name) < 90", [item]),
            ("update users set name = name || '.' where length(name) < 90", []),
            ("update order_lines set quantity = quantity % 9 + 1 where order_id = $1", [order]),
            ("""with other as (select id from orders where id = $2 for update)
                update order_lines set order_id = other.id from other where order_id = $1""", [order, other]),
            ("update orders set state = case state when 'open' then 'paid' else 'open' end where id = $1", [order]),
            ("delete from order_lines where order_id = $1 and quantity = 1", [order]),
        ])
        transaction = self.database.transaction()
        await transaction.start()
        await self.database.execute(statement, *arguments)
        await asyncio.sleep(rng.choice([0, 0, 0.02]))
        await (transaction.rollback() if rng.random() < 0.1 else transaction.commit())
        self.written["behind"] += 1
        await self._rest(rng)

    async def _rest(self, rng: random.Random) -> None:
        """Until others have read so much: a slow machine is to have as many hits as a fast one."""
        enough = self.seen.total() + rng.randrange(30)
        while self.seen.total() < enough and self.goes_on():
            await asyncio.sleep(0.002)
