"""Reads through a Redis cache that Unstale keeps true to Postgres: no stale fill, no stampede."""

from ._asyncio import AsyncCache
from ._sync import Cache

__all__ = ["AsyncCache", "Cache"]
