"""Load on the cab display: so many requests a second over a few kept connections, until it is ended.

Usage: python -m tests.bench.hammer URL REQUESTS_PER_S. Prints how many were answered with 200 in each second.
"""

from __future__ import annotations

import asyncio
import sys
import time
from urllib.parse import urlsplit

CONNECTIONS = 16  # an answer takes up to two scans
PATHS = ("/api/v1/snapshot", "/api/v1/snapshot", "/api/v1/snapshot", "/healthz")


async def _hammer(host: str, port: int, period_s: float, answered: list[int]) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    due_s = time.monotonic()
    number = 0
    while True:
        number += 1
        writer.write(f"GET {PATHS[number % len(PATHS)]} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(length)
        answered[0] += head.startswith(b"HTTP/1.1 200")
        due_s = max(due_s + period_s, time.monotonic() - 1.0)  # what a slow second missed is made up for, within limits
        await asyncio.sleep(max(0.0, due_s - time.monotonic()))


async def _main(url: str, rate: float) -> None:
    address = urlsplit(url)
    answered = [0]
    hammers = [
        asyncio.create_task(_hammer(address.hostname or "", address.port or 80, CONNECTIONS / rate, answered))
        for _ in range(CONNECTIONS)
    ]
    while not any(hammer.done() for hammer in hammers):
        before = answered[0]
        await asyncio.sleep(1.0)
        print(answered[0] - before, flush=True)
    for hammer in hammers:
        if hammer.done():
            hammer.result()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], float(sys.argv[2])))
