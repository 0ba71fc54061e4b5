"""How fast the page of `distal browse` is, and whether it stays so with many clients.

    python -m bench.page [--rounds 9] [--clients 32] [--seconds 60] [--threads 2] [--json]

A real server (`distal browse` on the demo locus with enformer-mini, a fresh cache) in a process of its own, asked over
its socket. One client: the first look at windows that nobody has looked at, then the same again. A browser (Debian's
chromium, if it is there): from the address to the load event, to a page that can be used, to one with its first tracks
drawn; each round with an empty profile, the tracks cached by the server. Many clients: each asks again as soon as it
has its answer, for 131,072 bp at random places of 1 Mb that is cached, as JSON and as bigWig in parts, and for parts of
the genome's file; then the same while one more client looks at new windows all the time. The server's memory is read
before and after. The clients run on the same machine, in one process: what they need is missing to the server.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

BROWSER = os.environ.get("DISTAL_BROWSER", "/usr/bin/chromium")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
TILE = 65_536
SCREEN = 131_072
FIRST = 42_467_328
"""The first tile of the demo's sequence that is all there, 0-based; behind it come 16 more."""
NEW = 20_971_520
"""Here, and from half of it on, are the new windows. The demo has N there, which takes a model as long."""
TRACKS = "0,1,2"
LOADED = "() => performance.getEntriesByType('navigation')[0].loadEventEnd"
USABLE = "html[data-ready=yes]"
DRAWN = USABLE + ":not([data-busy])"


@dataclass
class Measured:
    """Seconds of one kind of request."""

    what: str
    seconds: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    wall: float = 0.0
    """How long it was asked for, by all clients together."""
    memory: tuple[float, ...] = ()
    """MB of the server, before and after."""

    def row(self) -> dict[str, Any]:
        """The figures of a table."""
        return {
            "what": self.what,
            "times": len(self.seconds),
            "median_ms": 1e3 * statistics.median(self.seconds),
            "p99_ms": 1e3 * sorted(self.seconds)[min(len(self.seconds) - 1, int(len(self.seconds) * 0.99))],
            "most_ms": 1e3 * max(self.seconds),
            "per_second": len(self.seconds) / self.wall if self.wall else None,
            "statuses": self.statuses,
            "memory_mb": list(self.memory),
        }


class Client:
    """One connection that stays open, and asks one thing after the other."""

    def __init__(self, address: str, name: str) -> None:
        place = urlsplit(address)
        self._host, self._port, self._name = place.hostname, place.port, name
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def get(self, target: str, more: str = "") -> int:
        """Ask for a target with further header lines; the status, once the whole body is here."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port)
        reader, writer = self._streams
        head = (
            f"GET {target} HTTP/1.1\r\nhost: {self._host}:{self._port}\r\nx-distal-client: {self._name}\r\n{more}\r\n"
        )
        writer.write(head.encode())
        answer = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        await reader.readexactly(int(answer.split("content-length: ")[1].split("\r\n")[0]))
        return int(answer.split()[1])

    async def close(self) -> None:
        """End the connection."""
        if self._streams is not None:
            self._streams[1].close()
            await self._streams[1].wait_closed()


def look(start: int, width: int, form: str = "json") -> str:
    """The address of some tracks over a region; `start` is 0-based."""
    region = quote(f"chr20:{start + 1}-{start + width}")
    return f"/api/signal?region={region}&tracks={TRACKS}&points=1000&format={form}"


def anything(draw: random.Random, tiles: int) -> tuple[str, str]:
    """What a page asks for as somebody pans over the first tiles."""
    start = FIRST + draw.randrange(tiles * TILE - SCREEN)
    kind = draw.random()
    if kind < 0.7:
        return look(start, SCREEN), ""
    if kind < 0.85:
        one = look(start // TILE * TILE, TILE, "bigwig").replace(TRACKS, "0")
        return one, f"range: bytes={draw.randrange(500)}-{draw.randrange(500, 2_000)}\r\n"
    first = draw.randrange(200_000)
    return "/genome/sequence.fa.gz", f"range: bytes={first}-{first + 30_000}\r\n"


@contextmanager
def serving(threads: int, model: str) -> Iterator[tuple[str, int]]:
    """The address of a fresh server, and its process."""
    with tempfile.TemporaryDirectory() as cache:
        words = [sys.executable, "-c", "from distal.cli import main; raise SystemExit(main())", "browse", "--no-open"]
        words += ["--port", "0", "--cache", cache, "--model", model, "--json"]
        own = os.environ | {"OMP_NUM_THREADS": str(threads)}
        server = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=own)
        try:
            assert server.stdout is not None
            said = ""
            while not said.rstrip().endswith("}"):
                line = server.stdout.readline()
                if not line:
                    raise RuntimeError("`distal browse` ended before it said its address")
                said += line
            yield json.loads(said)["address"].rstrip("/"), server.pid
        finally:
            server.terminate()
            server.wait()


def memory(process: int) -> float:
    """MB of a process that are its own."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("RssAnon")).split()[1]) / 1024


async def timed(client: Client, target: str, into: Measured, more: str = "") -> None:
    """Ask once."""
    started = time.perf_counter()
    status = await client.get(target, more)
    into.seconds.append(time.perf_counter() - started)
    into.statuses[status] = into.statuses.get(status, 0) + 1


async def alone(address: str, rounds: int) -> list[Measured]:
    """One client: new windows, and what was looked at before."""
    client = Client(address, "alone")
    for target in ("/", "/api/about", "/api/tracks", look(NEW, TILE)):
        await client.get(target)
    window, screen = (
        Measured("a new window: one pass, 65,536 bp of output"),
        Measured("131,072 bp anywhere, all new: three passes"),
    )
    again, other = Measured("131,072 bp, seen before"), Measured("131,072 bp, cached, other bounds")
    for i in range(rounds):
        start = NEW + (8 * i + 1) * TILE
        await timed(client, look(start, TILE), window)
        await timed(client, look(start + 2 * TILE + 1_000, SCREEN), screen)
        await timed(client, look(start + 2 * TILE + 1_000, SCREEN), again)
        await timed(client, look(start + 2 * TILE + 2_000 + i, SCREEN), other)
    await client.close()
    return [window, screen, again, other]


async def filled(address: str, tiles: int) -> None:
    """Look at all that many clients will ask for."""
    client = Client(address, "first")
    for i in range(tiles):
        await client.get(look(FIRST + i * TILE, TILE))
    await client.close()


async def together(address: str, process: int, given: argparse.Namespace, computing: bool) -> Measured:
    """Many clients at once, for a while."""
    clients, seconds = given.clients, given.seconds
    measured = Measured(f"{clients} clients" + (", one more computes new windows" if computing else ""))
    new = Measured("new windows meanwhile")
    before, started = memory(process), time.perf_counter()

    async def pans(number: int) -> None:
        client, draw = Client(address, f"client{number}"), random.Random(number)
        while time.perf_counter() - started < seconds:
            target, more = anything(draw, given.tiles)
            await timed(client, target, measured, more)
        await client.close()

    async def computes() -> None:
        client, place = Client(address, "new"), NEW // 2
        while time.perf_counter() - started < seconds:
            place += TILE
            await timed(client, look(place, TILE), new)
        await client.close()

    await asyncio.gather(*map(pans, range(clients)), *([computes()] if computing else []))
    measured.wall = time.perf_counter() - started
    measured.memory = before, memory(process)
    if computing:
        measured.what += f" ({len(new.seconds)} of them, {statistics.median(new.seconds):.2f} s each)"
    return measured


def browsed(address: str, rounds: int) -> list[Measured]:
    """The page in a browser, each time with an empty profile; nothing where there is no browser."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return []
    if not Path(BROWSER).exists():
        return []
    load, usable, drawn = (
        Measured("page: load event"),
        Measured("page: can be used"),
        Measured("page: first tracks drawn"),
    )
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=BROWSER, args=FLAGS)
        for i in range(rounds + 1):
            page = browser.new_context().new_page()
            begun = time.perf_counter()
            page.goto(address)
            page.wait_for_selector(USABLE, state="attached")
            ready = time.perf_counter() - begun
            page.wait_for_selector(DRAWN, state="attached")
            if i:  # the first one starts chromium's processes, and computes the tracks
                drawn.seconds.append(time.perf_counter() - begun)
                usable.seconds.append(ready)
                load.seconds.append(page.evaluate(LOADED) / 1e3)
            page.context.close()
        browser.close()
    return [load, usable, drawn]


def show(found: list[Measured], as_json: bool) -> None:
    """A table, or JSON lines."""
    rows = [one.row() for one in found]
    if as_json:
        print("\n".join(map(json.dumps, rows)))
        return
    print("| | times | median, ms | p99, ms | most, ms | a second | statuses | memory, MB |")
    print("|---|---:|---:|---:|---:|---:|---|---|")
    for row in rows:
        rate = f"{row['per_second']:,.0f}" if row["per_second"] else ""
        kinds = ", ".join(f"{count:,} × {status}" for status, count in sorted(row["statuses"].items()))
        sizes = " → ".join(f"{size:,.0f}" for size in row["memory_mb"])
        figures = " | ".join(f"{row[name]:,.0f}" for name in ("times", "median_ms", "p99_ms", "most_ms"))
        print(f"| {row['what']} | {figures} | {rate} | {kinds} | {sizes} |")


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="of one client, and of the page")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=60.0, help="of many clients, each time")
    parser.add_argument("--tiles", type=int, default=16, help="of 65,536 bp that many clients look at, 4 to 17")
    parser.add_argument("--threads", type=int, default=2, help="of the model")
    parser.add_argument("--model", default="enformer-mini")
    parser.add_argument("--no-browser", action="store_true")
    parser.add_argument("--json", action="store_true", help="JSON lines instead of a table")
    given = parser.parse_args()
    with serving(given.threads, given.model) as (address, process):
        found = asyncio.run(alone(address, given.rounds))
        found += [] if given.no_browser else browsed(address, given.rounds)
        asyncio.run(filled(address, given.tiles))
        for computing in (False, False, True):
            found.append(asyncio.run(together(address, process, given, computing)))
    show(found, given.json)


if __name__ == "__main__":
    main()
