"""The simulator's socket: aiohttp.web around `service`. The only module of the folder that does I/O."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import asdict

from aiohttp import web

from pipeline.errors import UsageError
from pipeline.simulator.answers import Answer, Delivery, Problem, json_text
from pipeline.simulator.call import Call
from pipeline.simulator.paths import VERSION_ROOT
from pipeline.simulator.service import Service
from pipeline.simulator.settings import SimulatorSettings
from pipeline.simulator.store import SimulatorState, StoredObject

STATE_PATH = "/_simulator/state"
"""Answers `state()` as JSON, outside quota and authentication, so that another process can count duplicates."""

OBJECTS_PATH = "/_simulator/objects"
"""Answers `objects` as a JSON array, likewise, so that another process can compare them with what it sent."""

LARGEST_BODY_BYTES = 4 * 1024 * 1024  # Graph's own limit for a request body
SHUTDOWN_S = 1.0


class Simulator:
    """A Graph stand-in on a socket of its own. `clock` is monotonic seconds, `wall_clock` seconds since 1970."""

    def __init__(
        self,
        settings: SimulatorSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._service = Service(settings, clock, wall_clock)
        self._lock = threading.Lock()  # state() and objects are read from other threads
        self._concurrent = 0
        self._max_concurrent = 0
        self._runner: web.AppRunner | None = None
        self._stopping = asyncio.Event()

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen, and return the service root, such as http://127.0.0.1:40123/beta. Port 0 takes a free one.

        Raises UsageError when the address cannot be listened on.
        """
        self._stopping = asyncio.Event()
        application = web.Application(client_max_size=LARGEST_BODY_BYTES)
        application.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=SHUTDOWN_S)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, host, port).start()
        except OSError as exc:
            await self.stop()
            raise UsageError(
                f"The simulator cannot listen on {host} port {port}: {exc.strerror or exc}; choose another port."
            ) from exc
        bound_port = self._runner.addresses[0][1]
        return f"http://{f'[{host}]' if ':' in host else host}:{bound_port}{VERSION_ROOT}"

    async def stop(self) -> None:
        """Close every connection, silent ones and those in their latency included, and the socket."""
        self._stopping.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def state(self) -> SimulatorState:
        """Return what was counted so far. May be called from any thread, also after the stop."""
        with self._lock:
            return self._service.state(self._max_concurrent)

    @property
    def objects(self) -> tuple[StoredObject, ...]:
        """Everything that is stored now, by collection, in order of creation. May be read from any thread."""
        with self._lock:
            return self._service.objects()

    def put(self, collection: str, entity: Mapping[str, object]) -> str:
        """Create an object, or replace the one with the same id, behind the client's back. Returns its id.

        `collection` is spelled as `model.Request.collection` is. The entity is stored as it is, unchecked; without an
        id it gets one. GET sees it after the settings' read delay, and only the count of objects tells of it. May be
        called from any thread. Raises UsageError when the edition has no such collection.
        """
        with self._lock:
            return self._service.put(collection, entity)

    def remove(self, collection: str, object_id: str) -> None:
        """Delete an object behind the client's back. May be called from any thread.

        Raises UsageError when it is not there, or when the edition has no such collection.
        """
        with self._lock:
            self._service.remove(collection, object_id)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if request.method == "GET" and request.raw_path == STATE_PATH:
            return web.json_response(asdict(self.state()), dumps=json_text)
        if request.method == "GET" and request.raw_path == OBJECTS_PATH:
            # As plain ASCII, which holds every text that an object can have.
            return web.json_response([_as_json(each) for each in self.objects], dumps=json.dumps)
        self._concurrent += 1
        self._max_concurrent = max(self._max_concurrent, self._concurrent)
        try:
            answer = await self._answer(request)
            if self._settings.latency_s:
                await self._pause(self._settings.latency_s)
        finally:
            self._concurrent -= 1
        return await self._deliver(request, answer)

    async def _answer(self, request: web.Request) -> Answer:
        headers = {name.lower(): value for name, value in request.headers.items()}
        try:
            body = await request.read()
        except ConnectionError:  # the client went away in the middle of its body
            return Answer(0, delivery=Delivery.DROPPED)
        except web.HTTPRequestEntityTooLarge:
            with self._lock:
                return self._service.refuse(
                    Problem(413, "RequestEntityTooLarge", "The request is larger than 4 MB."), headers
                )
        root = f"{request.scheme}://{request.host}{VERSION_ROOT}"
        with self._lock:
            return self._service.answer(Call(request.method, request.raw_path, headers, body, root))

    async def _pause(self, seconds: float | None) -> None:
        """Wait, for ever where `seconds` is None, but not beyond the stop."""
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            pass

    async def _deliver(self, request: web.Request, answer: Answer) -> web.StreamResponse:
        if answer.delivery is Delivery.WHOLE:
            return web.Response(status=answer.status, headers=answer.headers, body=answer.body or None)
        response = web.StreamResponse(status=answer.status or 200, headers=answer.headers)
        if answer.delivery is Delivery.SILENT:
            await self._pause(None)
        elif answer.delivery is Delivery.HALF:
            response.content_length = len(answer.body)
            with suppress(ConnectionResetError):  # the client went away
                await response.prepare(request)
                await response.write(answer.body[: len(answer.body) // 2])
        if request.transport is not None:
            # close() sends what was written and then ends the connection; aiohttp takes the failure of its own
            # further writing for a client that went away.
            request.transport.close()
        return response


def _as_json(stored: StoredObject) -> dict[str, object]:
    return {
        "collection": stored.collection,
        "entity": dict(stored.entity),
        "client_request_id": stored.client_request_id,
    }


class RunningSimulator:
    """A simulator that runs in a thread of its own. Its counts can still be read after its end."""

    def __init__(self, simulator: Simulator, service_root: str) -> None:
        self.service_root = service_root
        self._simulator = simulator

    def state(self) -> SimulatorState:
        """Return what was counted so far."""
        return self._simulator.state()

    def objects(self) -> tuple[StoredObject, ...]:
        """Return everything that is stored now, by collection, in order of creation."""
        return self._simulator.objects

    def put(self, collection: str, entity: Mapping[str, object]) -> str:
        """Create or replace an object behind the client's back and return its id, as `Simulator.put` does."""
        return self._simulator.put(collection, entity)

    def remove(self, collection: str, object_id: str) -> None:
        """Delete an object behind the client's back, as `Simulator.remove` does."""
        self._simulator.remove(collection, object_id)


@contextmanager
def running(
    settings: SimulatorSettings,
    port: int = 0,
    *,
    clock: Callable[[], float] = time.monotonic,
    wall_clock: Callable[[], float] = time.time,
) -> Iterator[RunningSimulator]:
    """Run a simulator on 127.0.0.1, in a thread with an event loop of its own, until the block ends.

    The clocks are `Simulator`'s. Raises UsageError when the port cannot be listened on.
    """
    simulator = Simulator(settings, clock=clock, wall_clock=wall_clock)
    started: Future[tuple[str, Callable[[], object]]] = Future()

    async def live() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        try:
            service_root = await simulator.start(port=port)
        except UsageError as exc:
            started.set_exception(exc)
            return
        started.set_result((service_root, lambda: loop.call_soon_threadsafe(stop.set)))
        await stop.wait()
        await simulator.stop()

    def live_in_thread() -> None:
        try:
            asyncio.run(live())
        finally:
            started.cancel()  # without effect once started; else nobody would wake the caller

    thread = threading.Thread(target=live_in_thread, name="simulator", daemon=True)
    thread.start()
    try:
        service_root, end = started.result()
    except UsageError:
        thread.join()
        raise
    try:
        yield RunningSimulator(simulator, service_root)
    finally:
        end()
        thread.join()


async def serve(
    settings: SimulatorSettings, host: str, port: int, on_ready: Callable[[str], None], stop: asyncio.Event
) -> None:
    """Run a simulator until `stop` is set. `on_ready` gets the service root once it listens.

    Raises UsageError when the address cannot be listened on.
    """
    simulator = Simulator(settings)
    on_ready(await simulator.start(host, port))
    try:
        await stop.wait()
    finally:
        await simulator.stop()
