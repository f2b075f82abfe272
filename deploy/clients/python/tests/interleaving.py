"""Readers and a writer that take one step at a time, in an order that the test chooses."""

import asyncio
from uuid import uuid4


class Row:
    """A row of the database, and the worker that invalidates its key after each commit."""

    def __init__(self, look, key):
        self.look = look
        self.key = key
        self.version = 0

    async def load(self):
        return str(self.version)

    def commit(self):
        self.version += 1

    def fence(self):
        self.look.set(f"unstale:fence:{self.key}", uuid4().hex, px=60_000)

    def unlink(self):
        self.look.unlink(self.key)

    @property
    def cached(self):
        """What a hit would find: "nothing", "new" or "stale"."""
        value = self.look.get(self.key)
        return "nothing" if value is None else "new" if int(value) == self.version else "stale"


def stepped(kind, step, fenced=True):
    """A class of readers that await `step` before and after each command, those within a pipeline too."""

    class Stepped(kind.cache_class):
        async def _call(self, function, *args, **kwargs):
            await super()._call(kind.blocking(step))
            answer = await super()._call(function, *args, **kwargs)
            await super()._call(kind.blocking(step))
            return answer

        async def _pipeline(self, commands):
            answers = []
            for command in commands:
                answers += await super()._pipeline([command])
            return answers

        async def _store(self, fill, value):
            if fenced:
                await super()._store(fill, value)
            else:
                await self._call(self._client.set, fill.key, value)

    return Stepped


class Clock:
    """A second passes whenever somebody sleeps."""

    def __init__(self, kind):
        self.now = 0.0
        self.sleep = kind.blocking(self._sleep)

    async def _sleep(self, seconds):
        self.now += 1.0

    def __call__(self):
        return self.now


class Schedule:
    """Lets one of several actors take a step, waits until it has, and draws again."""

    def __init__(self, rng):
        self.rng = rng
        self.turns = {}
        self.changed = asyncio.Event()

    def step(self, name):
        async def wait_for_turn():
            turn = self.turns[name] = asyncio.get_running_loop().create_future()
            self.changed.set()
            await turn

        return wait_for_turn

    async def run(self, *actors):
        tasks = [asyncio.ensure_future(actor) for actor in actors]
        for task in tasks:
            task.add_done_callback(lambda _: self.changed.set())
        while not all(task.done() for task in tasks):
            if len(self.turns) < sum(not task.done() for task in tasks):
                self.changed.clear()
                await asyncio.wait_for(self.changed.wait(), 30)
            else:
                self.turns.pop(self.rng.choice(sorted(self.turns))).set_result(None)
        await asyncio.gather(*tasks)
