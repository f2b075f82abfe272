"""A cache in the memory of a process. It forgets what Unstale says is stale, and serves nothing while it can't hear that."""

import asyncio
import base64
import json
import logging
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

logger = logging.getLogger("local_cache")
TTL = 60.0  # seconds: what no message says is stale is looked up again after that
SILENCE = 2.0  # seconds without a word, after which the connection is asked whether it is still there, and has as many
MAX_ENTRIES = 10_000

Load = Callable[[], Awaitable[Any]]


class LoadEnded(Exception):
    """Whoever loaded was cancelled."""


class Entry:
    """A value, or one that is being loaded. Whoever comes meanwhile waits for it."""

    def __init__(self, tags: Iterable[str], clock: Callable[[], float]):
        self.tags = frozenset(tags)
        self.end = clock() + TTL
        self.value: asyncio.Future = asyncio.get_running_loop().create_future()


class LocalCache:
    """`run()` listens; `get_or_load()` is for everybody else on the same event loop."""

    def __init__(self, redis: Redis, channel: str, clock: Callable[[], float] = time.monotonic):
        self._redis = redis
        self._channel = channel
        self._clock = clock
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self.is_listening = False

    async def get_or_load(self, key: str, load: Load, tags: Iterable[str] = ()) -> Any:
        """What is in memory, or else what `load` gives: from Redis, say, or from Postgres' primary.

        An entry is there from before its load begins. If a message about it comes during the load, it is gone, and
        whoever asks after that loads anew: so nothing that was read before a change is served after its message.
        """
        if not self.is_listening:
            return await load()
        entry = self._entries.get(key)
        if entry and entry.end > self._clock():
            try:
                return await asyncio.shield(entry.value)
            except LoadEnded:
                return await self.get_or_load(key, load, tags)
        entry = self._entries[key] = Entry(tags, self._clock)
        self._entries.move_to_end(key)
        while len(self._entries) > MAX_ENTRIES:
            self._entries.popitem(last=False)
        try:
            value = await load()
        except BaseException as error:
            self._drop(lambda other, found: found is entry)
            # Those who wait for it get the same, but they aren't cancelled because we are. A future's error that nobody
            # takes would be complained about.
            entry.value.set_exception(error if isinstance(error, Exception) else LoadEnded())
            entry.value.exception()
            raise
        entry.value.set_result(value)
        return value

    async def run(self) -> None:
        """Listens until it is cancelled. Without a connection, all is loaded and nothing kept."""
        while True:
            try:
                await self._listen()
            except (RedisError, OSError, asyncio.TimeoutError) as error:
                logger.warning("nothing is cached until Redis is back: %s", type(error).__name__)
            finally:
                self.is_listening = False
                self._entries.clear()
            await asyncio.sleep(0.2)

    async def _listen(self) -> None:
        async with self._redis.pubsub() as channel:
            await channel.subscribe(self._channel)
            while True:
                # A client that retries connects anew in there, for as long as it takes: so there is a limit.
                message = await asyncio.wait_for(_hear(channel), 2 * SILENCE)
                if message["type"] == "subscribe":
                    # What is loaded from the moment on that the subscription stands is covered by it. It may be another
                    # one, of a client that connected anew and says nothing of it: what was sent between is lost.
                    self._entries.clear()
                    self.is_listening = True
                elif message["type"] == "message":
                    self._read(message["data"])

    def _read(self, data: bytes | str) -> None:
        try:
            self._take(json.loads(data))
        except Exception as error:  # whoever sent it, it may have named anything
            logger.warning("a message can't be read, so that all is forgotten: %s", type(error).__name__)
            self._entries.clear()

    def _take(self, news: dict) -> None:
        """One message of the worker: `{"rule": …, "at": …, "keys": […], "patterns": […], "tags": […], …}`."""
        if news.get("any"):  # any row may have changed, so that nobody knows which keys or tags
            return self._entries.clear()
        keys = {text(item) for item in news.get("keys", []) + news.get("counters", [])}
        # Before the first wildcard: what is forgotten too much is loaded again.
        prefixes = tuple(re.split(r"[*?\[\\]", text(item))[0] for item in news.get("patterns", []))
        tags = {text(item) for item in news.get("tags", [])}
        for key in keys:
            self._entries.pop(key, None)
        if prefixes or tags:
            self._drop(lambda key, entry: key.startswith(prefixes) or not tags.isdisjoint(entry.tags))

    def _drop(self, is_stale: Callable[[str, Entry], bool]) -> None:
        for key in [key for key, entry in self._entries.items() if is_stale(key, entry)]:
            del self._entries[key]


async def _hear(channel: PubSub) -> dict:
    """The next message, which the answer to a PING is too."""
    while (message := await channel.get_message(timeout=SILENCE)) is None:
        await channel.ping()
    return message


def text(item: str | dict) -> str:
    """A key. One that is no UTF-8, or has a NUL in it, comes as an object, and is what Python makes of such bytes."""
    return item if isinstance(item, str) else base64.b64decode(item["base64"]).decode(errors="surrogateescape")
