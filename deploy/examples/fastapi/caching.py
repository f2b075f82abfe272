"""Whole responses in Redis. They are stored by the first request that misses, and deleted by Unstale alone."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import HTTPException, Request, Response
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from unstale_cache import AsyncCache

TTL = 300  # seconds, give or take a tenth
MAX_BYTES = 256 * 1024
PATIENCE = 0.25  # seconds for an answer of Redis; then the request goes on without

Load = Callable[[], Awaitable[str | None]]


def connect(url: str) -> Redis:
    # No second attempt: Postgres has the answer.
    return Redis.from_url(
        url, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE, retry=Retry(NoBackoff(), 0))


def response_key(path: str, query: Mapping[str, Any] = {}, owner: int | None = None) -> str:
    """`resp:/path?query`, or `resp:user:42:/path?query` for what only one user may see.

    The query's parameters are sorted by name; of one that is repeated, the values keep their order. Every byte of
    a name or value but letters, digits and `-._~` is written as %XX, so none can look like a key's next part.
    """
    prefix = "resp:" if owner is None else f"resp:user:{owner}:"
    return f"{prefix}{path}?{urlencode(sorted(query.items()), doseq=True, quote_via=quote, safe='')}"


class Responses:
    """Answers one request, out of the cache where that has the response."""

    def __init__(self, request: Request, owner: int | None = None):
        self.owner = owner
        self._cache: AsyncCache = request.app.state.cache
        self._bypass = request.headers.get("x-cache-bypass") == "1" and _is_local(request)

    async def respond(self, path: str, load: Load, query: Mapping[str, Any] = {}) -> Response:
        """The JSON that `load` gives for these path, query and owner; where it gives None, 404.

        What `load` raises goes to the caller, and nothing is stored. So what is cached is the body of a 200.
        """
        loaded = False

        async def load_once() -> str | None:
            nonlocal loaded
            loaded = True
            return await load()

        if self._bypass:
            body = await load()
        else:
            body = await self._cache.get_or_load(
                response_key(path, query, self.owner), load_once, TTL, jitter=0.1, lock=1.0)
        if body is None:
            raise HTTPException(404)
        how = "bypass" if self._bypass else "miss" if loaded else "hit"
        return Response(body, media_type="application/json", headers={"X-Cache": how})


def _is_local(request: Request) -> bool:
    """Whether this comes from the worker beside us, and not from somebody who would have every page made anew."""
    return request.client is not None and request.client.host in ("127.0.0.1", "::1")
