"""Logical decoding: pg_recvlogical with wal2json, and a pipeline of UNLINK for what has piled up in the pipe.

There is no trigger, and the slot keeps what happens while nobody reads. But pg_recvlogical confirms what it has written
into the pipe: what this program has read and not yet deleted when it is killed stays stale.
"""

import json
import os
import signal
import subprocess
import sys

import redis

SLOT = "cache"
KEYS_A_COMMAND = 500


def recvlogical(binaries, database_url, *arguments):
    return [f"{binaries}/pg_recvlogical", "-d", database_url, "--slot", SLOT, *arguments]


def ids(lines):
    """Rows by their key before and after the change, each once."""
    found = {}
    for line in lines:
        change = json.loads(line)
        for column in (*change.get("identity", ()), *change.get("columns", ())):
            if column["name"] == "id":
                found[column["value"]] = None
    return found


def main(database_url, redis_url, binaries):
    cache = redis.from_url(redis_url)
    subprocess.run(
        recvlogical(binaries, database_url, "--create-slot", "--if-not-exists", "--plugin", "wal2json"), check=True)
    reader = subprocess.Popen(
        recvlogical(
            binaries, database_url, "--start", "-f", "-", "-o", "format-version=2", "-o", "include-transaction=false",
            "-o", "include-types=false", "-o", "add-tables=public.users"),
        stdout=subprocess.PIPE)
    signal.signal(signal.SIGTERM, lambda *_: reader.terminate())
    print("ready", flush=True)
    rest = b""
    while piled_up := os.read(reader.stdout.fileno(), 1 << 20):
        *lines, rest = (rest + piled_up).split(b"\n")
        keys = [f"user:{id}" for id in ids(lines)]
        pipeline = cache.pipeline(transaction=False)
        for start in range(0, len(keys), KEYS_A_COMMAND):
            pipeline.unlink(*keys[start : start + KEYS_A_COMMAND])
        pipeline.execute()
    reader.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
