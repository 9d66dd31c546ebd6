"""Sending against the simulator's socket: who goes when, what stops it, and what each end leaves in the ledger."""

import asyncio
import gc
import math
import signal
import sys
import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import pytest
from import_cases import IOS, MACOS, PLATFORMS, FastTime, Site, cells_of, devices
from sending_cases import HeldBack, Traffic, planned, said, sent
from sqlalchemy import event

from pipeline.deliver import SendResult
from pipeline.errors import LedgerError, PreflightError
from pipeline.graph.client import Request
from pipeline.interrupt import Interrupt
from pipeline.log import Line
from pipeline.model import SendMode, State, Stop, StopReason
from pipeline.send import Progress, SendLimits
from pipeline.simulator import Fault, RunningSimulator, Simulator, SimulatorSettings, SimulatorState, running

# --- canaries


def test_rows_go_alone_until_one_of_their_collection_was_created(site: Site) -> None:
    """While the first rows of a collection are refused the next goes alone; after the first created one many go."""
    traffic = Traffic()
    settings = SimulatorSettings(script=(Fault.BAD_REQUEST_400, Fault.BAD_REQUEST_400), latency_s=0.01)

    sent(site, settings, devices(12), hooks=traffic.hooks)

    under_way = [count for _, count in traffic.seen]
    assert under_way[:3] == [0, 0, 0]
    assert max(under_way[3:]) == 3
    assert len(under_way) == 12


def test_each_collection_has_its_own_canary(site: Site) -> None:
    """The first rows of two collections go together, and neither collection waits for the other's."""
    rows = [*devices(3), *devices(3, first=4, devicePlatform="macOS")]
    traffic = Traffic()

    sent(site, SimulatorSettings(latency_s=0.01), rows, hooks=traffic.hooks)

    paths = [(path.removeprefix("/beta/"), count) for path, count in traffic.seen]
    assert paths[:2] == [(IOS, 0), (MACOS, 0)]
    assert Counter(path for path, _ in paths) == {IOS: 3, MACOS: 3}


@pytest.mark.parametrize("mode", SendMode)
def test_three_failed_canaries_stop_their_collection_only(site: Site, mode: SendMode) -> None:
    """After three rows without a created one a collection is left unsent, with the reason; the others go on."""
    rows = [*devices(5), *devices(2, first=6, devicePlatform="macOS")]
    script = (Fault.BAD_REQUEST_400, Fault.UNPROCESSABLE_422, Fault.TOO_LARGE_413)

    result, state = sent(site, SimulatorSettings(script=script), rows, workers=1, mode=mode)

    why = (
        "the first 3 rows of this collection were refused or got no usable answer, the last with: "
        "HTTP 413 RequestEntityTooLarge The request is too large."
    )
    assert (result.stop, result.stopped_collections, state.writes) == (None, 1, 5)
    assert [row_state for row_state, _ in said(site)] == (
        ["rejected", "rejected", "rejected", "unsent", "unsent", "created", "created"]
    )
    assert said(site)[3:5] == [("unsent", why)] * 2


@pytest.mark.parametrize(
    ("fault", "created"),
    [(Fault.NOT_FOUND_404, 4), (Fault.METHOD_NOT_ALLOWED_405, 2)],
    ids=["404 stops the collection", "405 stops its route"],
)
def test_how_far_a_stop_reaches(site: Site, fault: Fault, created: int) -> None:
    """A missing profile stops its own collection; a route that is not served stops it for every profile."""
    rows = [
        *devices(2),
        *devices(2, first=3, deviceConfigurationId="0000000A-0000-4000-8000-000000000000"),
        *devices(2, first=5, devicePlatform="macOS"),
    ]

    result, state = sent(site, SimulatorSettings(script=(fault,)), rows, workers=1)

    assert (result.stop, state.created, state.writes) == (None, created, created + 1)
    assert site.object_states() == {"created": created, "unsent": 6 - created}
    assert {message for row_state, message in said(site) if row_state == "unsent"} <= {
        "HTTP 404 ResourceNotFound The configuration profile does not exist.",
        "The configuration profile does not exist.",
        "HTTP 405 MethodNotAllowed The method is not allowed here.",
        "The method is not allowed here.",
    }


@pytest.mark.parametrize("mode", SendMode)
def test_a_tenant_that_forbids_it_gets_one_request(site: Site, mode: SendMode) -> None:
    """A 403 ends everything: no further row leaves, all are unsent, none is unknown."""
    result, state = sent(site, SimulatorSettings(script=(Fault.FORBIDDEN_403,)), devices(20), mode=mode)

    assert (result.stop and result.stop.reason, state.writes) == (StopReason.PREFLIGHT, 1)
    assert site.object_states() == {"unsent": 20}


# --- limits and thresholds


@pytest.mark.parametrize("mode", SendMode)
def test_a_limit_holds_for_all_workers_together(site: Site, mode: SendMode) -> None:
    """`--limit 7` sends seven rows however many workers and collections there are; the others stay planned."""
    rows = [cells_of(number, devicePlatform=("iOS", "macOS", "android")[number % 3]) for number in range(1, 31)]

    result, state = sent(site, SimulatorSettings(), rows, workers=16, limits=SendLimits(most_rows=7), mode=mode)

    assert (result.stop, state.writes) == (None, 7)
    assert site.object_states() == {"created": 7, "planned": 23}


@pytest.mark.parametrize("mode", SendMode)
def test_refused_rows_count_against_the_limit(site: Site, mode: SendMode) -> None:
    """A row that is refused has been sent, so `--limit` counts it."""
    settings = SimulatorSettings(script=(Fault.BAD_REQUEST_400, Fault.BAD_REQUEST_400))

    _, state = sent(site, settings, devices(10), workers=4, limits=SendLimits(most_rows=3), mode=mode)

    assert state.writes == 3
    assert site.object_states() == {"created": 1, "rejected": 2, "planned": 7}


def test_more_errors_than_allowed_end_the_run(site: Site) -> None:
    """The row that exceeds --max-errors is the last; errors of reading count too; what is not there is unsent."""
    script = (Fault.NONE, Fault.BAD_REQUEST_400, Fault.NONE, Fault.ERROR_500, Fault.BAD_REQUEST_400)
    limits = SendLimits(max_errors=4, errors_before=2)

    result, state = sent(site, SimulatorSettings(script=script), devices(10), workers=1, limits=limits)

    message = "rows with errors: more than --max-errors 4"
    assert (result.stop, state.writes) == (Stop(StopReason.THRESHOLD, message), 5)
    assert site.object_states() == {"created": 2, "rejected": 2, "unsent": 6}
    assert said(site)[3:4] + said(site)[5:] == [("unsent", message)] * 6  # the fourth was looked for in the tenant


def test_a_share_of_errors_says_nothing_before_the_fiftieth_answer(site: Site) -> None:
    """A percentage is taken of the answers, from 50 on; at 49 nearly half may have failed."""
    script = (Fault.NONE, Fault.BAD_REQUEST_400) * 25
    limits = SendLimits(max_errors_percent=20.0, errors_before=100)

    result, state = sent(site, SimulatorSettings(script=script), devices(60), workers=1, limits=limits)

    message = "25 of 50 answers are errors, more than 20 %"
    assert (result.stop, state.writes) == (Stop(StopReason.THRESHOLD, message), 50)
    assert site.object_states() == {"created": 25, "rejected": 25, "unsent": 10}


@pytest.mark.parametrize("mode", SendMode)
def test_an_allowed_share_of_errors_ends_nothing(site: Site, mode: SendMode) -> None:
    """As many errors as the percentage allows are let through."""
    script = (Fault.NONE, Fault.NONE, Fault.NONE, Fault.NONE, Fault.BAD_REQUEST_400) * 12

    result, _ = sent(
        site,
        SimulatorSettings(script=script),
        devices(60),
        workers=1,
        limits=SendLimits(max_errors_percent=20.0),
        mode=mode,
    )

    assert result.stop is None
    assert site.object_states() == {"created": 48, "rejected": 12}


# --- outages


DOWN = "the service had no usable answer for 30 minutes"


def test_ten_unusable_answers_in_a_row_make_the_run_wait(site: Site) -> None:
    """A service that answers with nothing usable is left alone; then one row alone tries it again and again."""
    script = (*[Fault.NONE] * 5, *[Fault.ERROR_503] * 9, Fault.NONE, *[Fault.ERROR_503] * 30)

    result, state = sent(site, SimulatorSettings(script=script), devices(40), workers=1, on_note=site.notes.append)

    # Ten in a row, then one row after 5, 10, 20, 40, 80, 160 s and then each 300 s.
    assert (result.stop, state.writes) == (Stop(StopReason.OUTAGE, DOWN), 25 + 10)
    assert site.object_states() == {"created": 6, "unknown": 29, "unsent": 5}
    (note,) = site.notes
    assert note == (
        "the service answers with nothing usable; waiting until it is back, at most 30 min (Ctrl-C ends the run; "
        "`certstate resume` goes on)"
    )


@pytest.mark.parametrize("workers", [1, 8])
def test_an_outage_that_ends_fails_no_row(site: Site, workers: int) -> None:
    """Once the service works again the rows go on, and those that were lost meanwhile are settled by reading back."""
    script = (*[Fault.NONE] * 5, *[Fault.ERROR_503] * 7, *[Fault.ERROR_504_AFTER] * 7)

    result, state = sent(site, SimulatorSettings(script=script), devices(40), workers=workers)

    assert (result.stop, site.object_states()) == (None, {"created": 40})
    assert (state.created, state.duplicates, state.writes) == (40, 0, 40 + 7)


def test_a_service_that_never_gave_a_usable_answer_is_down_and_no_collection_is_blamed(site: Site) -> None:
    """Three canaries without an answer stop no collection while nothing gets through anywhere."""
    result, state = sent(site, SimulatorSettings(script=(Fault.ERROR_502,) * 3), devices(10), workers=1)

    assert (result.stop, result.stopped_collections) == (None, 0)
    assert (state.created, state.duplicates, site.object_states()) == (10, 0, {"created": 10})


def test_unknown_rows_are_settled_in_mid_run_once_they_are_many(site: Site) -> None:
    """When fifty are old enough the tenant is read back, and what is not there goes out again before the end."""
    script = tuple(Fault.ERROR_504 if number % 2 else Fault.NONE for number in range(120))
    swept_at: list[int] = []

    class Sweeps:
        async def left(self, request: Request) -> None:
            if request.method == "GET":
                swept_at.append(simulator.state().writes)

    with (
        running(SimulatorSettings(script=script, page_size=1_000, quota=9_999, tenant_quota=9_999)) as simulator,
        planned(
            site,
            simulator.service_root,
            devices(200),
            workers=1,
            quota=(1, 5.0),
            hooks={"request": Sweeps().left},
        ) as sending,
    ):
        result = asyncio.run(sending())
        state = simulator.state()

    assert (result.stop, state.created, state.duplicates, state.writes) == (None, 200, 0, 260)
    assert site.object_states() == {"created": 200}
    # 120 s after the 50th unknown row, which is the 100th write; and once more at the end of the first 200 rows.
    assert swept_at == [124, 124, 250, 250]


@pytest.mark.parametrize("mode", SendMode)
def test_a_service_that_was_never_reached_is_given_up_after_five_attempts(site: Site, mode: SendMode) -> None:
    """Nobody listens: five attempts, some seconds apart, then exit 6's reason; every row is unsent, none in doubt."""
    with running(SimulatorSettings()) as simulator:
        closed = simulator.service_root
    with planned(site, closed, devices(3), mode=mode) as sending:
        result = asyncio.run(sending())

    assert result.stop is not None
    assert result.stop.reason is StopReason.PREFLIGHT
    assert result.stop.message.endswith("came to be: connection refused; nothing was sent")
    assert result.stats.requests == 0
    assert 15.0 <= result.stats.elapsed_s <= 20.0  # 1 + 2 + 4 + 8 s and jitter
    assert site.object_states() == {"unsent": 3}
    assert site.select("SELECT attempts FROM rows") == [(5,), (0,), (0,)]


@pytest.mark.parametrize("mode", SendMode)
def test_many_collections_are_as_patient_as_one(site: Site, mode: SendMode) -> None:
    """What all workers meet at the same time is one failure: seven collections give up no sooner than one."""
    with running(SimulatorSettings()) as simulator:
        closed = simulator.service_root
    rows = [cells_of(number, devicePlatform=platform) for number, platform in enumerate(PLATFORMS, start=1)]
    with planned(site, closed, rows, mode=mode) as sending:
        result = asyncio.run(sending())

    assert result.stop is not None
    assert result.stop.reason is StopReason.PREFLIGHT
    assert result.stats.elapsed_s >= 15.0
    assert site.object_states() == {"unsent": 7}


@dataclass
class Mortal:
    """A simulator in the sender's own loop that goes away before a request, and may come back on its port."""

    simulator: Simulator
    site: Site
    dies_at: int  # objects created
    back_after_s: float = math.inf
    died_at_s: float | None = None
    is_back: bool = False
    port: int = 0

    async def token(self) -> str:
        """Called before each request: the moment to go away or to come back."""
        now_s = self.site.time.clock()
        if self.died_at_s is None and self.simulator.state().created >= self.dies_at:
            self.died_at_s = now_s
            await self.simulator.stop()
        elif self.died_at_s is not None and not self.is_back and now_s - self.died_at_s >= self.back_after_s:
            self.is_back = True
            await self.simulator.start(port=self.port)
        return "t1"


def sent_through_an_outage(site: Site, *, back_after_s: float, workers: int = 1) -> tuple[SendResult, SimulatorState]:
    """Send ten rows to a simulator that goes away after the fourth."""

    async def story() -> tuple[SendResult, SimulatorState]:
        simulator = Simulator(SimulatorSettings())
        root = await simulator.start()
        mortal = Mortal(simulator, site, 4, back_after_s, port=int(root.split(":")[2].partition("/")[0]))
        with planned(site, root, devices(10), token=mortal.token, workers=workers) as sending:
            result = await sending()
        await simulator.stop()
        return result, simulator.state()

    return asyncio.run(story())


def test_an_outage_is_waited_out_without_failing_a_row(site: Site) -> None:
    """When the service goes away in mid-run its rows wait, and are created once when it is back 25 minutes later."""
    result, state = sent_through_an_outage(site, back_after_s=1_500.0)

    assert (result.stop, state.created, state.duplicates) == (None, 10, 0)
    assert site.object_states() == {"created": 10}


def test_an_outage_of_half_an_hour_ends_the_run(site: Site) -> None:
    """A service that does not come back for 30 minutes ends the run; the rows that are left are unsent, not unknown."""
    result, state = sent_through_an_outage(site, back_after_s=math.inf)

    assert result.stop is not None
    assert result.stop.reason is StopReason.OUTAGE
    assert result.stop.message.startswith("nothing could be sent for 30 minutes: no connection to 127.0.0.1:")
    assert 1_800.0 < result.stats.elapsed_s < 1_900.0
    assert (state.created, site.object_states()) == (4, {"created": 4, "unsent": 6})


@pytest.mark.parametrize("mode", SendMode)
def test_refusing_everything_for_half_an_hour_is_an_outage_too(site: Site, mode: SendMode) -> None:
    """A tenant whose quota others use up all the time is left after 30 minutes of 429, nothing lost."""
    result, state = sent(site, SimulatorSettings(quota=0), devices(2), mode=mode)

    assert result.stop == Stop(
        StopReason.OUTAGE,
        "nothing could be sent for 30 minutes: HTTP 429 TooManyRequests Please retry again later.",
    )
    assert result.stats.throttled == state.refused == result.stats.requests
    assert site.object_states() == {"unsent": 2}


def test_a_slow_quota_is_no_outage(site: Site) -> None:
    """Half an hour between two requests is our own pace: refusals with an answer in between do not end the run."""
    settings = SimulatorSettings(script=(Fault.NONE, Fault.THROTTLE_429, Fault.NONE, Fault.THROTTLE_429))

    result, _ = sent(site, settings, devices(3), workers=1, quota=(1, 2_000.0))

    assert (result.stop, result.stats.throttled) == (None, 2)
    assert site.object_states() == {"created": 3}


# --- tokens


@pytest.mark.parametrize("mode", SendMode)
def test_a_refused_token_is_renewed_once_for_all_workers(site: Site, mode: SendMode) -> None:
    """When the token expires in mid-run the rows that met the 401 are sent again with the new one, each once."""
    renewed: list[str] = []

    async def token() -> str:
        return f"t{len(renewed)}"

    async def refresh(refused: str) -> str:
        if refused == await token():
            renewed.append(refused)
        return await token()

    settings = SimulatorSettings(token_lifetime_s=15.0)  # it ends between two bursts, and only once
    with (
        running(settings, clock=site.time.clock) as simulator,
        planned(
            site, simulator.service_root, devices(30), token=token, refresh=refresh, quota=(5, 4.0), mode=mode
        ) as sending,
    ):
        result = asyncio.run(sending())
        state = simulator.state()

    assert (result.stop, state.created, state.duplicates) == (None, 30, 0)
    assert site.object_states() == {"created": 30}
    assert renewed == ["t0"]


@pytest.mark.parametrize("mode", SendMode)
def test_a_token_that_is_refused_after_its_renewal_ends_the_run(site: Site, mode: SendMode) -> None:
    """A second 401 in a row means another fault than age: the run stops, its rows are unsent."""
    asked: list[str] = []

    async def refresh(refused: str) -> str:
        asked.append(refused)
        return "t2"

    script = (Fault.NONE, *[Fault.UNAUTHORIZED_401] * 20)

    result, state = sent(site, SimulatorSettings(script=script), devices(5), workers=1, refresh=refresh, mode=mode)

    assert result.stop is not None
    assert result.stop.reason is StopReason.PREFLIGHT
    assert result.stop.message.startswith("the token was refused again after its renewal: HTTP 401 ")
    assert (asked, state.requests) == (["t1"], 3)
    assert site.object_states() == {"created": 1, "unsent": 4}


def test_a_token_that_cannot_be_renewed_in_mid_run_leaves_the_rest_unsent(site: Site) -> None:
    """When no token can be had any more the run stops with that reason; nothing is unknown, all can be resumed."""
    given = 0

    async def token() -> str:
        nonlocal given
        given += 1
        if given > 6:
            raise PreflightError("the client secret has expired")
        return "t1"

    result, state = sent(site, SimulatorSettings(), devices(20), workers=1, token=token)

    assert result.stop == Stop(StopReason.PREFLIGHT, "the client secret has expired")
    assert state.created == 6
    assert site.object_states() == {"created": 6, "unsent": 14}


# --- interrupts


def test_progress_tells_outcomes_by_collection_and_the_last_problems(site: Site) -> None:
    """What became of the rows is counted by collection, and what kept some from getting through is told once."""
    seen: list[Progress] = []
    script = (Fault.NONE, Fault.BAD_REQUEST_400, Fault.NONE, Fault.BAD_REQUEST_400, Fault.UNPROCESSABLE_422)

    sent(
        site,
        SimulatorSettings(script=script),
        [*devices(4), *devices(3, first=5, devicePlatform="macOS")],
        workers=1,
        on_progress=seen.append,
    )

    assert dict(seen[-1].outcomes) == {
        (IOS, State.CREATED): 2,
        (IOS, State.REJECTED): 2,
        (MACOS, State.CREATED): 2,
        (MACOS, State.REJECTED): 1,
    }
    assert [(each.http_status, each.state, times) for each, times in seen[-1].problems] == [
        (400, State.REJECTED, 2),
        (422, State.REJECTED, 1),
    ]


def test_progress_tells_the_quota_and_what_was_refused(site: Site) -> None:
    """The slots used, the answers 429 and the time for which sending was closed come with the progress."""
    seen: list[Progress] = []

    sent(site, SimulatorSettings(script=(Fault.NONE, Fault.THROTTLE_429)), devices(5), on_progress=seen.append)

    closed = [each for each in seen if each.slots.closed_s]
    assert {(each.pause, each.throttled) for each in closed} == {("paused by the service", 1)}
    assert all(0 < each.slots.closed_s <= each.paused_s for each in closed)
    last = seen[-1]
    assert (last.throttled, last.pause, last.settled) == (1, "", 5)
    assert 0 < last.slots.used <= last.slots.limit


def test_progress_says_that_an_outage_is_waited_out(site: Site) -> None:
    """While the service is left alone, the progress says so, and for how long; what is settled then is counted anew."""
    seen: list[Progress] = []
    script = (Fault.NONE, *[Fault.ERROR_503] * 10)

    sent(site, SimulatorSettings(script=script), devices(12), workers=1, on_progress=seen.append)

    paused = [each for each in seen if each.pause.startswith("no usable answer")]
    assert [(each.settled, each.planned, each.failed, each.slots.closed_s) for each in paused] == [(11, 12, 10, 5.0)]
    assert (seen[-1].settled, seen[-1].created, seen[-1].pause) == (12, 12, "")
    assert {each: rows for each, rows in seen[-1].outcomes if rows} == {(IOS, State.CREATED): 12}


@pytest.mark.parametrize("mode", SendMode)
def test_rows_of_a_collection_that_stops_are_not_waited_for(site: Site, mode: SendMode) -> None:
    """Rows that are given up with their collection are told as unsent, and the bar counts without them."""
    seen: list[Progress] = []

    sent(
        site,
        SimulatorSettings(script=(Fault.NOT_FOUND_404,)),
        devices(6),
        workers=1,
        on_progress=seen.append,
        mode=mode,
    )

    assert (seen[-1].settled, seen[-1].planned, seen[-1].eta_s) == (1, 1, 0.0)
    assert seen[-1].outcomes == (((IOS, State.UNSENT), 6),)


def test_an_interrupt_keeps_the_answers_that_are_under_way(site: Site) -> None:
    """After the first signal no row leaves, the answers under way are recorded, and the rest stays planned."""
    interrupt, held_back = Interrupt(), HeldBack()

    def on_progress(progress: Progress) -> None:
        if progress.created == 2:  # the canary and the first of four; three are under way
            interrupt.take(signal.SIGINT)
            asyncio.get_running_loop().call_later(0.05, held_back.let_go.set)

    result, state = sent(
        site,
        SimulatorSettings(),
        devices(40),
        interrupt=interrupt,
        on_progress=on_progress,
        on_note=site.notes.append,
        hooks=held_back.hooks,
    )

    assert result.stop == Stop(StopReason.INTERRUPTED, "the run was interrupted")
    assert site.notes == [
        (
            "ending: waiting up to 30 s for the answers under way, 3; a second signal does not wait, and their rows "
            "are unknown then"
        ),
    ]
    assert state.created == 5
    assert site.object_states() == {"created": 5, "planned": 35}


def test_the_second_signal_waits_for_nobody(site: Site) -> None:
    """Rows whose answers are not awaited any more become unknown; those that had not left are planned."""
    interrupt = Interrupt()

    class Impatient(Traffic):
        async def left(self, request: Request) -> None:
            await super().left(request)
            if len(self.seen) == 5:  # the canary, and four that get no answer
                asyncio.get_running_loop().call_soon(interrupt.take, signal.SIGINT)
                asyncio.get_running_loop().call_soon(interrupt.take, signal.SIGINT)

    settings = SimulatorSettings(script=(Fault.NONE, *[Fault.SILENT] * 30))
    result, _ = sent(site, settings, devices(20), interrupt=interrupt, hooks=Impatient().hooks)

    assert result.stop == Stop(StopReason.INTERRUPTED, "the run was interrupted")
    assert site.object_states() == {"created": 1, "unknown": 4, "planned": 15}
    assert said(site)[1:5] == [("unknown", "the run ended before the answer came")] * 4
    assert site.select("SELECT attempts FROM rows WHERE state = 'unknown'") == [(1,)] * 4


@pytest.mark.parametrize("mode", SendMode)
def test_an_interrupt_ends_a_long_pause_at_once(site: Site, mode: SendMode) -> None:
    """While everybody waits for an hour's Retry-After the first signal ends the run, and the row stays planned."""
    interrupt = Interrupt()

    class RealTime(FastTime):
        async def sleep(self, seconds: float) -> None:
            interrupt.take(signal.SIGTERM)
            await asyncio.sleep(seconds)

    settings = SimulatorSettings(quota=0, window_s=3_600.0)
    result, state = sent(site, settings, devices(3), interrupt=interrupt, time=RealTime(), mode=mode)

    assert result.stop == Stop(StopReason.INTERRUPTED, "the run was interrupted")
    assert (state.refused, site.object_states()) == (1, {"planned": 3})


def test_answers_are_not_awaited_for_ever(site: Site) -> None:
    """When answers do not come within the grace after the first signal their rows are unknown, without a second one."""
    interrupt = Interrupt()

    def on_progress(_progress: Progress) -> None:
        interrupt.take(signal.SIGTERM)

    settings = SimulatorSettings(script=(Fault.NONE, Fault.SILENT))
    rows = [*devices(5), *devices(5, first=6, devicePlatform="macOS")]
    limits = SendLimits(most_rows=2)  # the canaries of both collections
    result, state = sent(
        site, settings, rows, limits=limits, interrupt=interrupt, on_progress=on_progress, grace_s=0.05
    )

    assert result.stop == Stop(StopReason.INTERRUPTED, "the run was interrupted")
    assert (state.created, site.object_states()) == (2, {"created": 1, "unknown": 1, "planned": 8})


def ended_while_writing(site: Site, commit: int, signals: int) -> RunningSimulator:
    """Send one row to a simulator, on a disk whose nth commit takes until the run has been told to end."""
    interrupt = Interrupt()
    disk = threading.Event()
    commits = 0

    async def story(service_root: str) -> None:
        loop = asyncio.get_running_loop()
        noticed = interrupt.gently if signals == 1 else interrupt.at_once

        def slow_disk(_connection: object) -> None:
            nonlocal commits
            commits += threading.current_thread().name.startswith("ledger")  # reading ends with a commit too
            if commits == commit:
                for _ in range(signals):
                    loop.call_soon_threadsafe(interrupt.take, signal.SIGINT)
                disk.wait()

        with planned(site, service_root, devices(1), interrupt=interrupt) as sending:
            event.listen(sending.ledger.engine, "commit", slow_disk)
            run = asyncio.create_task(sending())
            await noticed.wait()
            for _ in range(100):  # turns of the loop in which the workers end
                await asyncio.sleep(0)
            disk.set()
            await run

    with running(SimulatorSettings()) as simulator:
        asyncio.run(story(simulator.service_root))
    return simulator


def test_an_answer_that_is_being_written_down_survives_the_second_signal(site: Site) -> None:
    """A created object whose answer waits for a slow disk stays created, with its id, when the run ends at once."""
    simulator = ended_while_writing(site, commit=2, signals=2)  # the first commit is the intent's

    (stored,) = simulator.objects()
    assert site.select("SELECT state, graph_id FROM objects") == [("created", stored.entity["id"])]


def test_a_row_whose_intent_is_being_written_down_does_not_leave(site: Site) -> None:
    """A run that ends while an intent waits for a slow disk plans the row again and sends nothing."""
    simulator = ended_while_writing(site, commit=1, signals=1)

    assert simulator.state().requests == 0
    assert site.select("SELECT state, attempts FROM rows") == [("planned", 0)]
    assert site.object_states() == {"planned": 1}


# --- what breaks


def test_a_defect_in_one_worker_ends_the_run_and_loses_no_row(site: Site) -> None:
    """An unexpected exception comes out after the answers under way are recorded; no further row leaves."""
    held_back = HeldBack()

    def on_progress(progress: Progress) -> None:
        if progress.created == 2:  # the canary and the first of four; three are under way
            asyncio.get_running_loop().call_later(0.05, held_back.let_go.set)
            raise ZeroDivisionError

    with (
        running(SimulatorSettings()) as simulator,
        planned(site, simulator.service_root, devices(60), on_progress=on_progress, hooks=held_back.hooks) as sending,
    ):
        with pytest.raises(ZeroDivisionError):
            asyncio.run(sending())
        created = simulator.state().created

    assert created == 5
    assert site.object_states() == {"created": 5, "planned": 55}


@pytest.mark.parametrize("fails", [False, True])
def test_the_interpreter_is_left_as_it_was(site: Site, *, fails: bool) -> None:
    """While rows leave, its threads take turns more often and its heap is frozen; afterwards neither is."""
    before = (sys.getswitchinterval(), gc.get_freeze_count())
    seen: list[tuple[bool, bool]] = []

    def on_progress(_: Progress) -> None:
        seen.append((sys.getswitchinterval() < before[0], gc.get_freeze_count() > before[1]))
        if fails:
            raise ZeroDivisionError

    with (
        running(SimulatorSettings()) as simulator,
        planned(site, simulator.service_root, devices(2), on_progress=on_progress) as sending,
        pytest.raises(ZeroDivisionError) if fails else nullcontext(),
    ):
        asyncio.run(sending())

    assert set(seen) == {(True, True)}
    assert (sys.getswitchinterval(), gc.get_freeze_count()) == before


def test_a_log_on_a_full_disk_does_not_lose_the_answer(site: Site) -> None:
    """When run.log cannot be written the run ends, and the answer that could not be logged is in the ledger."""

    class FullDisk:
        def info(self, event: str, **_values: object) -> None:
            """Take it."""

        def write_all(self, event: str, _names: Sequence[str], _lines: Iterable[Line]) -> None:
            if event == "answer":
                raise OSError(28, "No space left on device")

        error = warning = info

    log: Any = FullDisk()
    with (
        running(SimulatorSettings()) as simulator,
        planned(site, simulator.service_root, devices(5), log=log) as sending,
    ):
        with pytest.raises(OSError, match="No space left"):
            asyncio.run(sending())
        assert simulator.state().created == 1

    assert site.object_states() == {"created": 1, "planned": 4}


@pytest.mark.parametrize(
    ("state", "left"),
    [("sending", {"created": 6, "planned": 14}), ("created", {"created": 5, "sending": 1, "planned": 14})],
    ids=["before a request", "after its answer"],
)
def test_nothing_leaves_once_the_ledger_fails(site: Site, state: str, left: dict[str, int]) -> None:
    """When a row's intent or answer cannot be made durable the run ends with that, and no further row leaves."""
    with running(SimulatorSettings()) as simulator, planned(site, simulator.service_root, devices(20)) as sending:
        number = 7 if state == "sending" else 6
        site.execute(
            f"CREATE TRIGGER full BEFORE UPDATE ON rows WHEN NEW.state = '{state}' AND NEW.pk >= {number} "
            "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
        )
        sending.workers = 1
        with pytest.raises(LedgerError, match=r"the ledger cannot be used \(database or disk is full\)"):
            asyncio.run(sending())
        assert simulator.state().writes == 6

    assert site.object_states() == left


@pytest.mark.parametrize("mode", SendMode)
def test_a_ledger_that_fails_among_many_workers_leaves_no_object_unaccounted(site: Site, mode: SendMode) -> None:
    """With many workers every object that the service holds is created, unknown or still `sending` in the ledger."""
    with (
        running(SimulatorSettings()) as simulator,
        planned(site, simulator.service_root, devices(240), mode=mode) as sending,
    ):
        site.execute(
            "CREATE TRIGGER full BEFORE UPDATE ON rows WHEN NEW.state = 'created' AND NEW.pk >= 12 "
            "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
        )
        sending.workers = 8
        with pytest.raises(LedgerError):
            asyncio.run(sending())
        objects = simulator.objects()

    accounted = site.select(
        "SELECT rows.pk FROM objects JOIN rows ON rows.pk = objects.row_pk "
        "WHERE objects.state IN ('created', 'unknown', 'sending')"
    )
    assert {int(str(each.entity["deviceDisplayName"])[-4:]) for each in objects} <= {pk for (pk,) in accounted}
    assert len(objects) < 12 + 8 * (20 if mode is SendMode.BATCH else 1)


@pytest.mark.parametrize("mode", SendMode)
def test_no_planned_row_is_no_request(site: Site, mode: SendMode) -> None:
    """A run without planned rows ends at once."""
    rows = devices(2, certificateKeyLength="many")

    result, state = sent(site, SimulatorSettings(), rows, mode=mode)

    assert (result.stop, result.stats.requests, state.requests) == (None, 0, 0)


@pytest.mark.parametrize("mode", SendMode)
def test_progress_ends_with_everything_settled(site: Site, mode: SendMode) -> None:
    """The last progress tells all rows settled, the created and the failed ones apart."""
    seen: list[Progress] = []
    settings = SimulatorSettings(script=(Fault.NONE, Fault.BAD_REQUEST_400, Fault.UNPROCESSABLE_422))

    sent(site, settings, devices(6), on_progress=seen.append, mode=mode)

    assert (seen[-1].settled, seen[-1].planned, seen[-1].created, seen[-1].failed) == (6, 6, 4, 2)
    assert [each.settled for each in seen] == sorted(each.settled for each in seen)
