"""What the tests of sending share: planned rows, a client that tells what passes through it, one call of `deliver`."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from import_cases import FastTime, Site

from pipeline.deliver import Delivery, SendResult, deliver
from pipeline.errors import PreflightError
from pipeline.graph import Access, Client, Timeouts, open_client
from pipeline.graph.client import Request
from pipeline.interrupt import Interrupt
from pipeline.ledger import Ledger
from pipeline.log import RunLog, open_run_log
from pipeline.model import SendMode
from pipeline.pace import Pacer
from pipeline.reconcile import Reader
from pipeline.send import Progress, SendLimits, Service
from pipeline.simulator import SimulatorSettings, SimulatorState, running

Hook = Callable[[Request], Awaitable[None]]


class Watched:
    """The client, with what a test does before a request leaves and before its answer is read."""

    def __init__(self, client: Client, hooks: dict[str, Hook]) -> None:
        self.base_url = client.base_url
        self._client, self._hooks = client, hooks

    async def send(self, request: Request) -> Any:  # noqa: ANN401 - aiohttp's answer
        """Send it."""
        if "request" in self._hooks:
            await self._hooks["request"](request)
        response = await self._client.send(request)
        if "response" in self._hooks:
            await self._hooks["response"](request)
        return response


async def any_token() -> str:
    return "t1"


async def no_other_token(refused: str) -> str:
    raise PreflightError(f"{refused} was refused")


@dataclass
class Sending:
    """One call of `send_planned`, with what a test wants to be otherwise."""

    ledger: Ledger
    service_root: str
    folder: Path
    time: FastTime = field(default_factory=FastTime)
    workers: int = 4
    limits: SendLimits = field(default_factory=SendLimits)
    interrupt: Interrupt = field(default_factory=Interrupt)
    token: Callable[[], Awaitable[str]] = any_token
    refresh: Callable[[str], Awaitable[str]] = no_other_token
    on_progress: Callable[[Progress], None] = lambda _: None
    on_note: Callable[[str], None] = lambda _: None
    quota: tuple[int, float] = (1_000_000, 20.0)
    timeouts: Timeouts = field(default_factory=Timeouts)
    hooks: dict[str, Hook] = field(default_factory=dict)
    mode: SendMode = SendMode.SINGLE
    log: RunLog | None = None
    settle_s: float = 120.0
    grace_s: float = 30.0

    async def __call__(self) -> SendResult:
        """Send, and return how it ended."""
        opened = open_client(self.service_root, connections=self.workers, timeouts=self.timeouts)
        client: Any = Watched(opened, self.hooks)
        pacer = Pacer(*self.quota, clock=self.time.clock, sleep=self.time.sleep)
        reads = Pacer(1_000_000, 20.0, clock=self.time.clock, sleep=self.time.sleep)

        async def read_slot() -> None:
            await reads.slot()
            reads.sent()

        access = Access(self.token, self.refresh, read_slot, reads.pause, self.interrupt.gently.is_set)
        async with opened:
            with open_run_log(self.folder / "run.log") as log:
                return await deliver(
                    Delivery(
                        ledger=self.ledger,
                        run_id="run",
                        service=Service(client, self.token, self.refresh, pacer, access),
                        reader=Reader(client, access, self.time.clock, self.time.sleep, self.settle_s, log),
                        workers=self.workers,
                        limits=self.limits,
                        interrupt=self.interrupt,
                        clock=self.time.clock,
                        sleep=self.time.sleep,
                        started_at=self.time.clock(),
                        on_progress=self.on_progress,
                        on_note=self.on_note,
                        log=self.log or log,
                        grace_s=self.grace_s,
                        mode=self.mode,
                    )
                )


@contextmanager
def planned(
    site: Site,
    service_root: str,
    rows: list[dict[str, str]],
    **options: Any,  # noqa: ANN401 - fields of `Sending`
) -> Iterator[Sending]:
    """Yield the sending of the rows, planned in a ledger of their own."""
    with site.planned(service_root, rows) as (ledger, _):
        yield Sending(ledger, service_root, site.folder, **({"time": site.time} | options))


def sent(
    site: Site,
    settings: SimulatorSettings,
    rows: list[dict[str, str]],
    **options: Any,  # noqa: ANN401 - as above
) -> tuple[SendResult, SimulatorState]:
    """Send the rows to a simulator; return how it ended and what the simulator counted."""
    with running(settings) as simulator, planned(site, simulator.service_root, rows, **options) as sending:
        result = asyncio.run(sending())
        return result, simulator.state()


def said(site: Site) -> list[tuple[str, str | None]]:
    """Return (state, the service's or our message) of each row in the order of reading."""
    return [(state, message) for state, message in site.select("SELECT state, graph_message FROM rows ORDER BY pk")]


class Traffic:
    """Counts the requests that are on their way, as the client sees them."""

    def __init__(self) -> None:
        self.now: Counter[str] = Counter()
        self.seen: list[tuple[str, int]] = []  # (path, requests to it that were on their way when it left)

    async def left(self, request: Request) -> None:
        """Take note of a request."""
        path = request.url.path
        self.seen.append((path, self.now[path]))
        self.now[path] += 1

    async def came(self, request: Request) -> None:
        """Take note of an answer."""
        self.now[request.url.path] -= 1

    @property
    def hooks(self) -> dict[str, Hook]:
        """The hooks of a client that count."""
        return {"request": self.left, "response": self.came}


class HeldBack:
    """Holds back all answers after the second until it is told to let them go: so many rows are under way then."""

    def __init__(self) -> None:
        self.let_go = asyncio.Event()
        self._answers = 0

    async def came(self, _request: Request) -> None:
        """Keep the answer from the sender."""
        self._answers += 1
        if self._answers > 2:
            await self.let_go.wait()

    @property
    def hooks(self) -> dict[str, Hook]:
        """The hooks of a client that hold back."""
        return {"response": self.came}
