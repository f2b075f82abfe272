"""Readers and a writer that take one step at a time, in an order that the test chooses."""

import asyncio
import random
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
    def changes(self):
        """What becomes of one change, in this order."""
        return self.commit, self.fence, self.unlink

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


async def outcome(kind, new_cache, row, moments, fenced=True, **reading):
    """One reader, with each of the changes before its step of that number. Returns how many steps it took."""
    changes = list(zip(moments, row.changes))[::-1]  # the next one last
    steps = 0

    async def step():
        nonlocal steps
        while changes and changes[-1][0] == steps:
            changes.pop()[1]()
        steps += 1

    cache = new_cache(cache_class=stepped(kind, step, fenced))
    assert await kind.read(cache, row.key, row.load, **reading) in (b"0", b"1")
    while changes:
        changes.pop()[1]()
    return steps


async def race(kind, new_cache, row, seed, fenced=True, **reading):
    """Three readers, who read for as long as it takes to make three changes."""
    schedule, clock, key = Schedule(random.Random(seed)), Clock(kind), row.key
    written = False

    async def read(name):
        step = schedule.step(name)
        cache = new_cache(cache_class=stepped(kind, step, fenced), clock=clock, sleep=clock.sleep)

        async def load():
            loaded = await row.load()
            for _ in range(3):
                await step()
            return loaded

        while not written:
            await kind.read(cache, key, load, **reading)

    async def write():
        nonlocal written
        step = schedule.step("writer")
        for _ in range(3):
            for _ in range(schedule.rng.randrange(12)):
                await step()
            for change in row.changes:
                await step()
                change()
        written = True

    await schedule.run(*(read(f"reader {number}") for number in range(3)), write())
