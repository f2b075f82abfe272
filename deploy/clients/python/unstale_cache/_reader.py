"""What a reader does, written once for both kinds of client."""

from __future__ import annotations

import asyncio
import inspect
import logging
import random
import time
from typing import Any, Awaitable, Callable, Coroutine, Iterable, List, Optional, TypeVar

from redis.asyncio.cluster import RedisCluster as AsyncRedisCluster
from redis.client import NEVER_DECODE
from redis.cluster import RedisCluster
from redis.exceptions import RedisClusterException, RedisError, ResponseError

from ._protocol import RELEASE, STORE, Command, Fill, Key, as_bytes, lifetime_ms, pauses

logger = logging.getLogger("unstale_cache")
Answer = TypeVar("Answer")

REDIS_ERRORS = (RedisError, RedisClusterException, OSError, asyncio.TimeoutError)
RAW = {NEVER_DECODE: True}  # bytes, even from a client that decodes
SECONDS_BETWEEN_WARNINGS = 10.0


class Reader:
    """Steps that wait are coroutines. In `Cache` they block instead, and never suspend."""

    is_async: bool

    def __init__(
        self,
        redis_client: Any,
        *,
        max_bytes: int = 512 * 1024,
        rng: Any = random,
        clock: Callable[[], float] = time.monotonic,
        sleep: Optional[Callable[[float], Any]] = None,
    ) -> None:
        if inspect.iscoroutinefunction(redis_client.execute_command) != self.is_async:
            raise TypeError("Cache takes a client of redis, AsyncCache one of redis.asyncio")
        self._client = redis_client
        self._in_cluster = isinstance(redis_client, (RedisCluster, AsyncRedisCluster))
        self._max_bytes = max_bytes
        self._rng = rng
        self._clock = clock
        self._sleep = sleep or (asyncio.sleep if self.is_async else time.sleep)
        self._store_script = redis_client.register_script(STORE)
        self._release_script = redis_client.register_script(RELEASE)
        self._next_warning = clock()

    async def _call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Calls a function of the client's kind, or the caller's loader."""
        raise NotImplementedError

    async def _finish_interrupted(self, release: Coroutine[Any, Any, None]) -> None:
        """Has a lock released although its holder is being cancelled."""
        raise NotImplementedError

    async def _get_or_load(
        self,
        key: Key,
        loader: Callable[[], Any],
        ttl: float,
        jitter: float,
        lock: Optional[float],
        tags: Iterable[Key],
    ) -> Optional[bytes]:
        key = as_bytes(key, "a key")
        tag_names = [as_bytes(tag, "a tag") for tag in tags]
        try:
            value = await self._call(self._client.execute_command, "GET", key, **RAW)
        except REDIS_ERRORS as error:
            self._warn(error)
            return await self._load(loader)
        if value is not None:
            return value
        # Only now: a hit pays for no random token.
        fill = Fill(key, lock, lifetime_ms(ttl, jitter, self._rng), tag_names, self._in_cluster)
        return await self._fill(fill, loader)

    async def _fill(self, fill: Fill, loader: Callable[[], Any]) -> Optional[bytes]:
        try:
            value = await self._safely(fill, self._prepare(fill))
            if value is None:
                await self._safely(fill, self._file(fill))
                value = await self._load(loader)
                await self._safely(fill, self._store(fill, value))
        except Exception:
            await self._release(fill)
            raise
        except BaseException:
            if fill.may_hold:
                await self._finish_interrupted(self._release(fill))
            raise
        await self._release(fill)
        return value

    async def _prepare(self, fill: Fill) -> Optional[bytes]:
        """Gets ready to load. Returns a value if another reader's comes first."""
        value = await self._take(fill)
        if value is not None or fill.holder in (None, fill.own):
            return value
        deadline = self._clock() + fill.patience
        for pause in pauses(self._rng):
            await self._call(self._sleep, max(0.0, min(pause, deadline - self._clock())))
            value, holder = await self._pipeline(fill.look())
            if value is not None:
                return value
            # One holder is all that we wait for. Of a value that can't be stored every reader is a holder in turn,
            # and the last would wait for all of them.
            if holder != fill.holder or self._clock() >= deadline:
                break
        return await self._take(fill)  # what has been invalidated meanwhile needs the new token

    async def _take(self, fill: Fill) -> Optional[bytes]:
        return fill.took(await self._pipeline(fill.take()))

    async def _load(self, loader: Callable[[], Any]) -> Optional[bytes]:
        value = await self._call(loader)
        return None if value is None else as_bytes(value, "what the loader returns")

    async def _file(self, fill: Fill) -> None:
        """After the token was taken, in a round trip of its own: in a Cluster, a pipeline has no order. A tag that is
        emptied before this changes nothing for us; one that is emptied after it gives the key another token."""
        if fill.tags and fill.token is not None:
            try:
                await self._pipeline(fill.file())
            except ResponseError as error:  # about the tag: the lock is as good as before
                fill.token = None
                self._warn(error)

    async def _store(self, fill: Fill, value: Optional[bytes]) -> None:
        if value is None or len(value) > self._max_bytes or fill.token is None:
            return
        keys = [fill.key, fill.fence, fill.lock]
        await self._call(self._store_script, keys, [fill.token, fill.own, value, fill.lifetime])
        fill.may_hold = False

    async def _release(self, fill: Fill) -> None:
        if fill.may_hold:
            await self._safely(fill, self._call(self._release_script, [fill.lock], [fill.own]))

    async def _pipeline(self, commands: List[Command]) -> List[Any]:
        pipeline = self._client.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command, **RAW)
        return await self._call(pipeline.execute)

    async def _safely(self, fill: Fill, step: Awaitable[Answer]) -> Optional[Answer]:
        """Takes a step that talks to Redis alone. If it fails, the reader goes on without Redis."""
        try:
            return await step
        except REDIS_ERRORS as error:
            fill.give_up()
            self._warn(error)
            return None

    def _warn(self, error: BaseException) -> None:
        now = self._clock()
        level = logging.DEBUG if now < self._next_warning else logging.WARNING
        if level == logging.WARNING:
            self._next_warning = now + SECONDS_BETWEEN_WARNINGS
        logger.log(level, "values are loaded without the cache: %s: %s", type(error).__name__, error)
