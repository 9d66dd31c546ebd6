"""A server that says what its script says, byte for byte, and the callables that `write` and `sweep` are given."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

from pipeline.graph import Client, Sent, Timeouts, open_client, write
from pipeline.model import Answer, Operation

COLLECTION = "deviceManagement/deviceConfigurations/6a1f/microsoft.graph.iosScepCertificateProfile/states"
BODY = b'{"deviceDisplayName":"M\xc3\xbcnchen"}'
TOKEN = "eyJ0eXAiOiJKV1Qi.first-token-of-the-test.c2ln"
TOKEN_2 = "eyJ0eXAiOiJKV1Qi.second-token-of-the-test.c2ln"
QUICK = Timeouts(connect_s=5.0, read_s=5.0)


class Seen(NamedTuple):
    """One request as the server read it."""

    line: str
    headers: dict[str, str]
    body: bytes


Step = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class ScriptedServer:
    """Gives each request the next step of its script, and the last step for ever after; keeps what it saw."""

    def __init__(self, steps: tuple[Step, ...], scheme: str) -> None:
        self.steps = list(steps)
        self.scheme = scheme
        self.port = 0
        self.seen: list[Seen] = []
        self.connections = 0
        self.handlers: set[asyncio.Task[None]] = set()

    @property
    def root(self) -> str:
        """The service root."""
        return f"{self.scheme}://127.0.0.1:{self.port}/beta"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        task = asyncio.current_task()
        assert task is not None
        self.handlers.add(task)
        self.connections += 1
        try:
            while not writer.is_closing():
                head, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").strip().split("\r\n")
                headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                self.seen.append(Seen(head, headers, body))
                await (self.steps.pop(0) if len(self.steps) > 1 else self.steps[0])(reader, writer)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serve(*steps: Step, port: int = 0, context: ssl.SSLContext | None = None) -> AsyncIterator[ScriptedServer]:
    scripted = ScriptedServer(steps, "https" if context else "http")
    server = await asyncio.start_server(scripted.handle, "127.0.0.1", port, ssl=context)
    scripted.port = server.sockets[0].getsockname()[1]
    try:
        yield scripted
    finally:
        server.close()
        await asyncio.gather(*scripted.handlers)
        await server.wait_closed()


def message(status: int, content: bytes = b"", *lines: bytes) -> bytes:
    head = [b"HTTP/1.1 %d X" % status, b"Content-Length: %d" % len(content), *lines]
    return b"\r\n".join([*head, b"", content])


def answer(status: int, content: bytes = b"", *lines: bytes) -> Step:
    """Answer and keep the connection open."""
    return say(message(status, content, *lines))


def say(text: bytes) -> Step:
    async def step(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(text)
        await writer.drain()

    return step


def close_after(text: bytes) -> Step:
    async def step(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(text)
        writer.close()

    return step


def reset_after(text: bytes) -> Step:
    async def step(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(text)
        await writer.drain()
        reset(writer)

    return step


def reset(writer: asyncio.StreamWriter) -> None:
    linger_0 = struct.pack("ii", 1, 0)  # makes close() send RST
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_0)
    writer.transport.abort()


def silent_after(text: bytes) -> Step:
    async def step(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(text)
        await reader.read()
        writer.close()

    return step


CREATED = answer(201, b'{"id":"d99bc884"}')
CREATED_TEXT = message(201, b'{"id":"d99bc884"}')


class Caller:
    """The callables that `write` is given. `calls` is the order in which they came, `posts` their ids."""

    def __init__(self, *, stop_after: int | None = None) -> None:
        self.bearer = TOKEN
        self.calls: list[str] = []
        self.ids: list[str] = []
        self.pauses: list[float] = []
        self.lost: list[Answer] = []
        self.stop_after = stop_after  # attempts, after which it is time to stop

    async def token(self) -> str:
        """Give the token of the moment."""
        return self.bearer

    async def refresh(self, refused: str) -> str:
        """Replace the refused token."""
        assert refused == self.bearer
        self.calls.append("refresh")
        self.bearer = TOKEN_2
        return self.bearer

    async def before_attempt(self, client_request_id: str) -> None:
        """Note the attempt's id."""
        self.calls.append("before_attempt")
        self.ids.append(client_request_id)

    async def not_applied(self, lost: Answer) -> None:
        """Note the answer that says so."""
        assert lost.client_request_id == self.ids[-1]
        self.calls.append("not_applied")
        self.lost.append(lost)

    async def pause(self, wait_s: float) -> None:
        """Note the wait instead of waiting."""
        self.calls.append("pause")
        self.pauses.append(wait_s)

    def stop_waiting(self) -> bool:
        """Tell whether enough was tried."""
        return self.stop_after is not None and len(self.ids) >= self.stop_after


async def post(client: Client, caller: Caller, path: str = COLLECTION, operation: Operation = Operation.CREATE) -> Sent:
    return await write(
        client,
        operation,
        path,
        BODY,
        token=caller.token,
        refresh=caller.refresh,
        before_attempt=caller.before_attempt,
        not_applied=caller.not_applied,
        pause=caller.pause,
        stop_waiting=caller.stop_waiting,
    )


def run_script(
    *steps: Step,
    caller: Caller,
    timeouts: Timeouts = QUICK,
    path: str = COLLECTION,
    operation: Operation = Operation.CREATE,
) -> tuple[Sent, ScriptedServer]:
    """Create one object, or do what `operation` says, at a server with this script."""

    async def story() -> tuple[Sent, ScriptedServer]:
        async with serve(*steps) as server, open_client(server.root, connections=1, timeouts=timeouts) as client:
            return await post(client, caller, path, operation), server

    return asyncio.run(story())


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
