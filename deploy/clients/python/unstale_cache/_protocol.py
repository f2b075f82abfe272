"""The protocol as values: names of keys, commands, scripts, times. deploy/clients/README.md gives the reasons."""

from __future__ import annotations

import secrets
from typing import Any, Iterator, List, Optional, Tuple, Union

Key = Union[str, bytes]
Command = Tuple[Union[str, bytes, int], ...]

FENCE_MS = 60_000

# KEYS: key, fence, lock. ARGV: the fence's token, the lock's token, value, its lifetime in ms.
# pcall, so that the lock goes even where the value is refused, for want of memory say.
STORE = """
local stored = false
if redis.call('GET', KEYS[2]) == ARGV[1] then
    stored = redis.pcall('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
end
if redis.call('GET', KEYS[3]) == ARGV[2] then redis.call('UNLINK', KEYS[3]) end
return stored
"""

# KEYS: lock. ARGV: its token.
RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('UNLINK', KEYS[1]) end
"""

# KEYS: a tag. ARGV: key, how long in ms the tag has to live at least. A tag without a time to live has one of its own.
FILE = """
local is_new = redis.call('EXISTS', KEYS[1]) == 0
redis.call('SADD', KEYS[1], ARGV[1])
local left = redis.call('PTTL', KEYS[1])
if is_new or (left >= 0 and left < tonumber(ARGV[2])) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
"""


def new_token() -> bytes:
    return secrets.token_hex(16).encode()


def as_bytes(text: Any, what: str) -> bytes:
    if isinstance(text, str):
        return text.encode()
    if isinstance(text, bytes):
        return text
    raise TypeError(f"{what} must be bytes or str, not {type(text).__name__}")


def beside(prefix: bytes, key: bytes, in_cluster: bool) -> bytes:
    """What a key of ours is called that goes with a key. In a Cluster it is in the same slot: a key that has no hash tag
    becomes one."""
    if not in_cluster or has_hash_tag(key):
        return prefix + key
    return prefix + b"{" + key + b"}"


def has_hash_tag(key: bytes) -> bool:
    start = key.find(b"{")
    return start >= 0 and key.find(b"}", start) > start + 1


def fence_of(key: bytes, in_cluster: bool) -> bytes:
    return beside(b"unstale:fence:", key, in_cluster)


def lifetime_ms(ttl: float, jitter: float, rng: Any) -> int:
    """A lifetime of its own for each value, so that what is stored together doesn't expire together."""
    return max(1, round(ttl * 1000 * (1 + rng.uniform(-jitter, jitter))))


def pauses(rng: Any) -> Iterator[float]:
    """Seconds to wait before each look at whether another reader has stored its value."""
    pause = 0.002
    while True:
        yield pause * rng.uniform(0.5, 1.5)
        pause = min(pause * 1.5, 0.05)


def invalidation(keys: Tuple[Key, ...], in_cluster: bool) -> List[Command]:
    commands: List[Command] = []
    for key in (as_bytes(key, "a key") for key in keys):
        commands += [("SET", fence_of(key, in_cluster), new_token(), "PX", FENCE_MS), ("UNLINK", key)]
    return commands


class Fill:
    """One reader's way from a miss to a stored value: what it asks Redis, and what it knows by then."""

    def __init__(
        self, key: bytes, lock: Optional[float], lifetime: int, tags: List[bytes], in_cluster: bool
    ) -> None:
        self.key = key
        self.lifetime = lifetime  # of the value, in ms
        self.tags = tags
        self.fence = fence_of(key, in_cluster)
        self.lock = beside(b"unstale:lock:", key, in_cluster)
        self.patience = max(0.0, lock or 0.0)
        self.own = new_token()
        self.token: Optional[bytes] = None  # the fence's; without one nothing is stored
        self.holder: Optional[bytes] = None  # the lock's token: ours, or another reader's
        self.may_hold = False  # the lock may be ours, so it has to be released

    def take(self) -> List[Command]:
        """Takes the fence's token and, if it is free, the lock. Looks once more, for a holder may just be done."""
        commands: List[Command] = [("SET", self.fence, self.own, "NX", "PX", FENCE_MS), ("GET", self.fence)]
        if self.patience:
            self.may_hold = True
            commands += [("SET", self.lock, self.own, "NX", "PX", max(1, round(self.patience * 1000))), *self.look()]
        return commands

    def took(self, answers: List[Any]) -> Optional[bytes]:
        """Reads the answers to `take`. Returns the value, if there is one by now."""
        self.token = answers[1]
        value, self.holder = answers[3:] if self.patience else (None, None)
        self.may_hold = self.holder == self.own
        return value

    def file(self) -> List[Command]:
        """Files the key under its tags, for longer than the load and the value may last together."""
        return [("EVAL", FILE, 1, tag, self.key, FENCE_MS + self.lifetime) for tag in self.tags]

    def look(self) -> List[Command]:
        return [("GET", self.key), ("GET", self.lock)]

    def give_up(self) -> None:
        """Redis can't be used: nothing will be stored, and the lock expires by itself."""
        self.token = None
        self.may_hold = False
