from __future__ import annotations

from typing import Any, Callable, Coroutine, Iterable, Optional, TypeVar, Union

from ._protocol import Key, invalidation
from ._reader import Reader

Answer = TypeVar("Answer")


class Cache(Reader):
    """Reads through a client of redis-py, which threads may share, and this with it.

    A value of more than `max_bytes` is returned and not stored.
    """

    is_async = False

    def get_or_load(
        self,
        key: Key,
        loader: Callable[[], Union[bytes, str, None]],
        ttl: float,
        jitter: float = 0.1,
        lock: Optional[float] = 1.0,
        tags: Iterable[Key] = (),
    ) -> Optional[bytes]:
        """Returns what is cached under the key, or else what the loader returns, which is then cached.

        A str is encoded as UTF-8. None is returned and not cached. `ttl` is in seconds, and varied by plus or minus
        the fraction `jitter`. While one reader loads, others wait for its value, `lock` seconds at most; nobody
        waits if that is 0 or None. What is cached is filed under `tags`, which rules with `fence: true` empty. A
        Redis that fails costs its timeout and no error; a loader's error is raised.
        """
        return _finish(self._get_or_load(key, loader, ttl, jitter, lock, tags))

    def delete(self, *keys: Key) -> None:
        """Deletes keys, and keeps those who load them now from storing. Call it after the commit.

        Raises what redis-py raises, since the keys may then still be there.
        """
        _finish(self._pipeline(invalidation(keys, self._in_cluster)))

    async def _call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    async def _finish_interrupted(self, release: Coroutine[Any, Any, None]) -> None:
        await release


def _finish(steps: Coroutine[Any, Any, Answer]) -> Answer:
    """Runs a coroutine that never suspends."""
    try:
        steps.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("a step of Cache has suspended")
