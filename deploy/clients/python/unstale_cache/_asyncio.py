from __future__ import annotations

import asyncio
from typing import Any, Awaitable, Callable, Coroutine, Iterable, Optional, Set, Union

from ._protocol import Key, invalidation
from ._reader import Reader

# A loop holds its tasks weakly.
_releases: Set[asyncio.Task[None]] = set()


class AsyncCache(Reader):
    """Reads through a client of redis.asyncio. A value of more than `max_bytes` is returned and not stored."""

    is_async = True

    async def get_or_load(
        self,
        key: Key,
        loader: Callable[[], Awaitable[Union[bytes, str, None]]],
        ttl: float,
        jitter: float = 0.1,
        lock: Optional[float] = 1.0,
        tags: Iterable[Key] = (),
    ) -> Optional[bytes]:
        """`Cache.get_or_load`, with a coroutine function as the loader."""
        return await self._get_or_load(key, loader, ttl, jitter, lock, tags)

    async def delete(self, *keys: Key) -> None:
        """`Cache.delete`."""
        await self._pipeline(invalidation(keys, self._in_cluster))

    async def _call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return await function(*args, **kwargs)

    async def _finish_interrupted(self, release: Coroutine[Any, Any, None]) -> None:
        # A task of its own: a cancelled one may be cancelled again wherever it waits.
        try:
            task = asyncio.get_running_loop().create_task(release)
        except RuntimeError:  # the loop is gone, so the lock has to expire
            release.close()
            return
        _releases.add(task)
        task.add_done_callback(_releases.discard)
