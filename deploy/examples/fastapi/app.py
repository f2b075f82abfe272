"""A small shop. Reads are cached as whole responses; writes go to Postgres, and no handler invalidates anything."""

import os
import secrets
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Annotated, Literal
from urllib.parse import quote

import asyncpg
from fastapi import Depends, FastAPI, HTTPException, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from unstale_cache import AsyncCache

from caching import MAX_BYTES, Responses, connect
from tokens import Principal


@asynccontextmanager
async def lifespan(app: FastAPI):
    async with asyncpg.create_pool(os.environ["DATABASE_URL"]) as app.state.database:
        async with connect(os.environ["REDIS_URL"]) as redis:
            app.state.cache = AsyncCache(redis, max_bytes=MAX_BYTES)
            yield


app = FastAPI(title="Shop", lifespan=lifespan)


async def database(request: Request) -> asyncpg.Pool:
    return request.app.state.database


async def responses(request: Request) -> Responses:
    return Responses(request)


async def own_responses(request: Request, user: Principal) -> Responses:
    return Responses(request, owner=user)


Database = Annotated[asyncpg.Pool, Depends(database)]
# The same for everybody.
Shared = Annotated[Responses, Depends(responses)]
# Another for each user: who asks is a part of the key, and known only by way of it.
Own = Annotated[Responses, Depends(own_responses)]

Id = Annotated[int, Path(ge=1, le=2**31 - 1)]
Text = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00]*$")]
Number = Annotated[str, Path(max_length=100, pattern=r"^[^\x00]*$")]


class ItemsQuery(BaseModel):
    # What the shop doesn't know is refused. If it were ignored, anybody could fill the cache with copies.
    model_config = ConfigDict(extra="forbid")

    category: list[Text] = []
    limit: int = Field(50, ge=1, le=500)
    sort: Literal["name", "price"] = "name"


class Profile(BaseModel):
    name: Text
    email: Text


class Item(BaseModel):
    name: Text
    category: Text
    price: Decimal = Field(ge=0, max_digits=8, decimal_places=2)
    stock: int = Field(ge=0, le=1_000_000)


class Line(BaseModel):
    item: int = Field(ge=1, le=2**31 - 1)
    quantity: int = Field(ge=1, le=1000)


class Order(BaseModel):
    lines: list[Line] = Field(min_length=1, max_length=100)


# --- Reads: each response is one query's, and so of one moment ---------------------------------------------------


@app.get("/users/{id}")
async def read_user(id: Id, db: Database, shared: Shared) -> Response:
    user = "select json_build_object('id', id, 'name', name) from users where id = $1"
    return await shared.respond(f"/users/{id}", lambda: db.fetchval(user, id))


@app.get("/items")
async def list_items(query: Annotated[ItemsQuery, Query()], db: Database, shared: Shared) -> Response:
    order = {"name": "name, id", "price": "price, id"}[query.sort]
    items = f"""
        select coalesce(json_agg(i), '[]') from (
            select id, name, category, price::text from items
            where category = any ($1) or $1 = '{{}}' order by {order} limit $2
        ) i
        """
    # As it was understood, not as it was written: ?limit=050 is ?limit=50, which is the default.
    return await shared.respond(
        "/items", lambda: db.fetchval(items, query.category, query.limit), query.model_dump(exclude_defaults=True))


@app.get("/items/{id}")
async def read_item(id: Id, db: Database, shared: Shared) -> Response:
    item = "select to_json(i) from (select id, name, category, price::text, stock from items where id = $1) i"
    return await shared.respond(f"/items/{id}", lambda: db.fetchval(item, id))


@app.get("/orders/{number}")
async def read_order(number: Number, db: Database, own: Own) -> Response:
    order = """
        select json_build_object('number', o.number, 'state', o.state, 'lines', coalesce((
            select json_agg(json_build_object('item', i.name, 'quantity', l.quantity) order by l.id)
            from order_lines l join items i on i.id = l.item_id where l.order_id = o.id), '[]'))
        from orders o where o.number = $1 and o.customer_id = $2
        """
    return await own.respond(f"/orders/{quote(number, safe='')}", lambda: db.fetchval(order, number, own.owner))


@app.get("/me/orders")
async def list_own_orders(db: Database, own: Own) -> Response:
    orders = """
        select coalesce(json_agg(json_build_object('number', o.number, 'state', o.state, 'pieces', coalesce((
            select sum(l.quantity) from order_lines l where l.order_id = o.id), 0)) order by o.id), '[]')
        from orders o where o.customer_id = $1
        """
    return await own.respond("/me/orders", lambda: db.fetchval(orders, own.owner))


# --- Writes ------------------------------------------------------------------------------------------------------


@app.put("/me", status_code=204)
async def update_profile(profile: Profile, user: Principal, db: Database) -> None:
    await db.execute("update users set name = $2, email = $3 where id = $1", user, profile.name, profile.email)


@app.post("/items", status_code=201)
async def add_item(item: Item, db: Database) -> dict[str, int]:
    insert = "insert into items (name, category, price, stock) values ($1, $2, $3, $4) returning id"
    return {"id": await db.fetchval(insert, item.name, item.category, item.price, item.stock)}


@app.put("/items/{id}", status_code=204)
async def update_item(id: Id, item: Item, db: Database) -> None:
    update = "update items set name = $2, category = $3, price = $4, stock = $5, updated_at = now() where id = $1"
    done(await db.execute(update, id, item.name, item.category, item.price, item.stock))


@app.delete("/items/{id}", status_code=204)
async def delete_item(id: Id, db: Database) -> None:
    done(await db.execute("delete from items where id = $1", id))


@app.post("/orders", status_code=201)
async def place_order(order: Order, user: Principal, db: Database) -> dict[str, str]:
    number = f"A-{secrets.token_hex(6)}"
    async with db.acquire() as connection, connection.transaction():
        insert = "insert into orders (number, customer_id, state) values ($1, $2, 'open') returning id"
        id = await connection.fetchval(insert, number, user)
        # In the order of their ids, so that two orders can't wait for each other's items.
        for line in sorted(order.lines, key=lambda line: line.item):
            take = "update items set stock = stock - $2 where id = $1 and stock >= $2"
            if await connection.execute(take, line.item, line.quantity) == "UPDATE 0":
                raise HTTPException(409, f"item {line.item} is out of stock")
            insert = "insert into order_lines (order_id, item_id, quantity) values ($1, $2, $3)"
            await connection.execute(insert, id, line.item, line.quantity)
    return {"number": number}


@app.delete("/orders/{number}", status_code=204)
async def cancel_order(number: Number, user: Principal, db: Database) -> None:
    async with db.acquire() as connection, connection.transaction():
        find = "select id from orders where number = $1 and customer_id = $2 and state = 'open' for update"
        id = await connection.fetchval(find, number, user)
        await connection.execute("delete from order_lines where order_id = $1", id)
        done(await connection.execute("delete from orders where id = $1", id))


def done(status: str) -> None:
    """Raises 404 if a statement found no row."""
    if status.endswith(" 0"):
        raise HTTPException(404)


@app.exception_handler(asyncpg.IntegrityConstraintViolationError)
async def conflict(request: Request, error: asyncpg.IntegrityConstraintViolationError) -> Response:
    """An address that somebody else has, an item that is in an order."""
    return JSONResponse({"detail": error.constraint_name}, 409)
