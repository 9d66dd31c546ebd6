"""The pacer against sliding and fixed windows, in virtual time."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual_time import VirtualService, run_virtually

from pipeline.model import PacingState
from pipeline.pace import Pacer, Slots
from pipeline.pace.used import GUARD_S, MARGIN_S
from pipeline.simulator import RetryAfterForm, SimulatorSettings, Window


def open_pacer(count: int, window_s: float) -> Pacer:
    return Pacer(count, window_s, clock=now, sleep=asyncio.sleep)


def now() -> float:
    return asyncio.get_running_loop().time()


async def send(pacer: Pacer, sent_at: list[float], *, before_s: float = 0.0) -> None:
    """Take a slot, spend `before_s` on making the intent durable, send."""
    await pacer.slot()
    await asyncio.sleep(before_s)
    pacer.sent()
    sent_at.append(now())


def most_in_a_window(sent_at: list[float], window_s: float) -> int:
    """Return what a server counts that looks back one window, both ends included, at each request."""
    return max((sum(1 for each in sent_at if last - window_s <= each <= last) for last in sent_at), default=0)


# --- never more than the quota

WORKER = st.tuples(
    st.floats(0, 30),  # asks after so many seconds
    st.floats(0, 8),  # from the grant until the request leaves
    st.sampled_from(["send", "send", "send", "give back", "pause"]),
    st.floats(0, 15),  # the pause
    st.floats(0, 1),  # how late within the margin the request arrives
)


@given(count=st.integers(1, 4), window_s=st.floats(1, 20), workers=st.lists(WORKER, max_size=25))
@settings(deadline=None)
def test_a_sliding_window_server_never_sees_more_than_the_quota(
    count: int, window_s: float, workers: list[tuple[float, float, str, float, float]]
) -> None:
    """Whatever workers do between grant and sending, and whoever gives back or pauses; nobody waits for ever."""
    arrived_at: list[float] = []
    sent_at: list[float] = []

    async def work(pacer: Pacer, worker: tuple[float, float, str, float, float]) -> None:
        asks_after_s, before_s, does, pause_s, lateness = worker
        await asyncio.sleep(asks_after_s)
        await pacer.slot()
        await asyncio.sleep(before_s)
        if does == "give back":
            pacer.give_back()
            return
        pacer.sent()
        sent_at.append(now())
        arrived_at.append(now() + lateness * MARGIN_S * 0.999)
        if does == "pause":
            await pacer.pause(pause_s)

    async def main() -> None:
        pacer = open_pacer(count, window_s)
        await asyncio.gather(*(work(pacer, each) for each in workers))

    run_virtually(main)

    assert len(sent_at) == sum(does != "give back" for _, _, does, _, _ in workers)
    assert most_in_a_window(sent_at, window_s) <= count
    assert most_in_a_window(arrived_at, window_s) <= count


def test_a_slot_that_was_granted_counts_until_its_request_has_left() -> None:
    """No further slot is granted while as many requests as the quota allows are about to leave."""

    async def main() -> list[float]:
        pacer = open_pacer(2, 10.0)
        sent_at: list[float] = []
        await asyncio.gather(*(send(pacer, sent_at, before_s=before_s) for before_s in (7.0, 9.0, 0.0, 0.0)))
        return sent_at

    assert run_virtually(main) == pytest.approx([7.0, 9.0, 17.2, 19.2])


# --- every slot is used


def test_a_slot_is_used_as_soon_as_it_is_free() -> None:
    """Workers that never lack a row send a full window at once, then the next one window and a margin later."""

    async def main() -> list[float]:
        pacer = open_pacer(3, 20.0)
        sent_at: list[float] = []
        await asyncio.gather(*(send(pacer, sent_at) for _ in range(8)))
        return sent_at

    assert run_virtually(main) == pytest.approx([0, 0, 0, 20.2, 20.2, 20.2, 40.4, 40.4])


def test_slots_that_were_used_one_by_one_come_back_one_by_one() -> None:
    """Each slot is free one window after its own request, not after the last one."""

    async def main() -> list[float]:
        pacer = open_pacer(3, 20.0)
        sent_at: list[float] = []
        for _ in range(3):
            await send(pacer, sent_at)
            await asyncio.sleep(5.0)
        await asyncio.gather(*(send(pacer, sent_at) for _ in range(4)))
        return sent_at

    assert run_virtually(main) == pytest.approx([0, 5, 10, 20.2, 25.2, 30.2, 40.4])


def test_slots_are_granted_in_the_order_of_asking() -> None:
    """A worker that comes later never passes one that waits."""

    async def main() -> list[int]:
        pacer = open_pacer(2, 10.0)
        granted: list[int] = []

        async def work(number: int) -> None:
            await asyncio.sleep(number * 3.0)
            await pacer.slot()
            granted.append(number)
            pacer.sent()

        await asyncio.gather(*(work(number) for number in range(12)))
        return granted

    assert run_virtually(main) == list(range(12))


def test_a_slot_that_is_given_back_goes_to_the_next_worker_at_once() -> None:
    """It counts as never used."""

    async def main() -> tuple[float, list[float]]:
        pacer = open_pacer(1, 10.0)
        sent_at: list[float] = []
        await pacer.slot()
        waiting = asyncio.create_task(send(pacer, sent_at))
        await asyncio.sleep(2.0)
        pacer.give_back()
        await waiting
        return now(), sent_at

    assert run_virtually(main) == (2.0, [2.0])


# --- pauses


def test_a_pause_closes_for_everybody_and_returns_at_once() -> None:
    """Workers that wait already and those that come later all go on when it is over."""

    async def main() -> tuple[float, list[float]]:
        pacer = open_pacer(5, 10.0)
        sent_at: list[float] = []
        await pacer.pause(30.0)
        returned_at = now()
        first = asyncio.create_task(send(pacer, sent_at))
        await asyncio.sleep(12.0)
        await asyncio.gather(first, send(pacer, sent_at))
        return returned_at, sent_at

    assert run_virtually(main) == (0.0, [30.0, 30.0])


def test_a_pause_that_comes_while_a_worker_waits_for_a_slot_is_kept() -> None:
    """Waking up for a free slot does not pass the pause."""

    async def main() -> list[float]:
        pacer = open_pacer(1, 10.0)
        sent_at: list[float] = []
        await send(pacer, sent_at)
        second = asyncio.create_task(send(pacer, sent_at))
        await asyncio.sleep(8.0)
        await pacer.pause(30.0)
        await second
        return sent_at

    assert run_virtually(main) == pytest.approx([0.0, 38.0])


@pytest.mark.parametrize(
    ("pauses", "open_at", "paused_s"),
    [
        ([(0, 10), (4, 10)], 14.0, 14.0),
        ([(0, 10), (4, 3)], 10.0, 10.0),
        ([(0, 10), (0, 10), (0, 10)], 10.0, 10.0),
        ([(0, 2), (5, 4)], 9.0, 6.0),
        ([(0, 0), (1, -5)], 1.0, 0.0),
    ],
)
def test_overlapping_pauses_are_one(pauses: list[tuple[float, float]], open_at: float, paused_s: float) -> None:
    """The latest end holds, a shorter pause never opens earlier, and time is counted once."""

    async def main() -> tuple[float, float]:
        pacer = open_pacer(1, 10.0)
        for at, seconds in pauses:
            await asyncio.sleep(at - now())
            await pacer.pause(seconds)
        await pacer.slot()
        return now(), pacer.paused_s

    assert run_virtually(main) == (open_at, paused_s)


# --- cancellation


async def wait_for_sent(pacer: Pacer) -> None:
    """Use the only slot."""
    await pacer.slot()
    pacer.sent()


async def wait_for_grant(pacer: Pacer) -> None:
    """Hold the only slot for two seconds."""
    await pacer.slot()
    asyncio.get_running_loop().call_later(2.0, pacer.give_back)


async def wait_for_pause(pacer: Pacer) -> None:
    """Close the pacer."""
    await pacer.pause(5.0)


@pytest.mark.parametrize(("occupy", "open_at"), [(wait_for_sent, 10.2), (wait_for_grant, 2.0), (wait_for_pause, 5.0)])
@pytest.mark.parametrize("cancelled", [[0], [1], [0, 1], [1, 2], [0, 1, 2]])
def test_a_worker_that_is_cancelled_while_it_waits_takes_no_slot(
    occupy: Callable[[Pacer], Awaitable[None]], open_at: float, cancelled: list[int]
) -> None:
    """Be it the one whose turn it is or one behind it: the others go on, in time, and no slot is lost."""

    async def main() -> list[float]:
        pacer = open_pacer(1, 10.0)
        await occupy(pacer)
        sent_at: list[float] = []
        tasks = [asyncio.create_task(send(pacer, sent_at)) for _ in range(5)]
        await asyncio.sleep(1.0)
        for number in cancelled:
            tasks[number].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return sent_at

    sent_at = run_virtually(main)

    assert len(sent_at) == 5 - len(cancelled)
    assert sent_at[0] == pytest.approx(open_at)
    assert [later - earlier for earlier, later in pairwise(sent_at)] == pytest.approx([10.2] * (len(sent_at) - 1))


# --- the estimate


@given(
    count=st.integers(1, 4),
    window_s=st.floats(1, 20),
    gaps_s=st.lists(st.floats(0, 8), max_size=8),
    in_flight=st.integers(0, 3),
    pause_s=st.floats(0, 30),
    requests=st.integers(0, 12),
)
@settings(deadline=None)
def test_the_estimate_is_when_the_last_request_leaves(
    *, count: int, window_s: float, gaps_s: list[float], in_flight: int, pause_s: float, requests: int
) -> None:
    """Workers that never lack a row need just so long for so many requests, whatever was sent and paused before."""

    async def main() -> tuple[float, float]:
        pacer = open_pacer(count, window_s)
        for gap_s in gaps_s:
            await asyncio.sleep(gap_s)
            await send(pacer, [])
        granted = [asyncio.create_task(pacer.slot()) for _ in range(min(in_flight, count))]
        await asyncio.gather(*granted)
        await pacer.pause(pause_s)
        begun, eta_s = now(), pacer.eta_s(requests)
        for _ in granted:
            pacer.sent()
        for _ in range(requests):
            await send(pacer, [])
        return eta_s, now() - begun

    eta_s, took_s = run_virtually(main)

    assert eta_s == pytest.approx(took_s, abs=1e-6)


def test_the_slots_used_are_told() -> None:
    """Requests of the window and those about to leave count, until a window after they left; so does a pause."""

    async def story() -> list[Slots]:
        pacer = open_pacer(3, 10.0)
        told = [pacer.slots()]
        await send(pacer, [])
        await pacer.slot()
        told.append(pacer.slots())
        pacer.give_back()
        await pacer.pause(4.0)
        told.append(pacer.slots())
        await asyncio.sleep(10.0 + MARGIN_S)
        return [*told, pacer.slots()]

    assert run_virtually(story) == [
        Slots(0, 3, 10.0, 0.0),
        Slots(2, 3, 10.0, 0.0),
        Slots(1, 3, 10.0, 4.0),
        Slots(0, 3, 10.0, 0.0),
    ]


def test_the_estimate_for_a_whole_inventory() -> None:
    """100,000 rows at 100 per 20 s take 999 windows of 20.2 s."""

    async def main() -> float:
        return open_pacer(100, 20.0).eta_s(100_000)

    assert run_virtually(main) == pytest.approx(999 * 20.2)


# --- what answers tell


@pytest.mark.parametrize("window", list(Window))
@pytest.mark.parametrize("seed", range(3))
def test_requests_whose_ways_differ_are_hardly_ever_refused(window: Window, seed: int) -> None:
    """At most 0.5 %, where ways take 0.1 s and now and then several times as long."""
    dice = random.Random(seed)  # noqa: S311 - has to be repeatable, and guards no secret

    async def main() -> VirtualService:
        service = VirtualService(SimulatorSettings(window=window), way_s=lambda: 0.1 + dice.expovariate(50))
        await service.take_rows(open_pacer(100, 20.0), 1_000)
        return service

    service = run_virtually(main)

    assert len(service.granted) == 1_000
    assert len(service.refused) <= 5


def test_a_margin_that_was_too_small_is_widened() -> None:
    """After a request that came too early, a tenth of a second more is waited, and all of the answer's delay."""

    async def main() -> list[float]:
        ways_s = iter([0.5, 0.1, 0.5])
        service = VirtualService(SimulatorSettings(quota=1), way_s=lambda: next(ways_s))
        pacer = open_pacer(1, 20.0)
        await service.take_rows(pacer, 2, workers=1)
        await pacer.slot()
        return [*service.refused, *service.granted, now()]

    assert run_virtually(main) == pytest.approx([20.12, 0.5, 21.67, 21.17 + (0.55 - 0.15) + 20.1])


def test_a_slot_comes_free_one_window_after_its_request_arrived() -> None:
    """That is taken to be half of the time later that its answer took longer than the quickest one."""

    async def main() -> list[float]:
        pacer = open_pacer(2, 20.0)
        for latency_s in (0.1, 0.4):
            await pacer.slot()
            left_at = pacer.sent()
            await asyncio.sleep(latency_s)
            pacer.answered(left_at)
        sent_at: list[float] = []
        await asyncio.gather(*(send(pacer, sent_at) for _ in range(2)))
        return sent_at

    assert run_virtually(main) == pytest.approx([20.0 + GUARD_S, 0.1 + 0.3 / 2 + 20.0 + GUARD_S])


@pytest.mark.parametrize(("latency_s", "most"), [(0.05, 8), (0.2, 15), (2.0, 25)])
def test_a_full_window_is_spread_over_a_small_part_of_it(latency_s: float, most: int) -> None:
    """As many requests are in flight as that takes, at least 8 and at most a quarter of the quota."""

    async def main() -> int:
        service = VirtualService(SimulatorSettings(), latency_s=latency_s)
        await service.take_rows(open_pacer(100, 20.0), 100, workers=64)
        return service.most_in_flight

    assert run_virtually(main) == most


def test_requests_without_an_answer_hold_the_others_up_for_a_moment_only() -> None:
    """Lost answers do not end the run: after a second they are not waited for."""

    async def main() -> list[float]:
        pacer = open_pacer(100, 20.0)
        await pacer.slot()
        left_at = pacer.sent()
        await asyncio.sleep(0.01)
        pacer.answered(left_at)
        sent_at: list[float] = []
        for _ in range(17):
            await send(pacer, sent_at)
        return sent_at

    assert run_virtually(main) == pytest.approx([*[0.01] * 8, *[1.01] * 8, 2.01])


# --- several slots at once


def test_several_slots_are_granted_at_once_up_to_those_that_are_free() -> None:
    """A batch takes what is free and does not wait for more; what it does not send goes back."""

    async def main() -> list[tuple[float, int]]:
        pacer = open_pacer(5, 10.0)
        told = []
        for most in (3, 3, 20):
            granted = await pacer.slots_for(most)
            told.append((now(), granted))
            await asyncio.sleep(1.0)
            pacer.sent(granted - 1)
            pacer.give_back()
        return told

    assert run_virtually(main) == [(0.0, 3), (1.0, 3), (2.0, 1)]


@given(
    answers=st.lists(st.tuples(st.integers(1, 20), st.floats(0.01, 3.0)), min_size=1, max_size=12),
    refused=st.booleans(),
)
@settings(deadline=None)
def test_answers_that_come_together_are_as_many_that_come_one_by_one(
    answers: list[tuple[int, float]], *, refused: bool
) -> None:
    """What the pacer knows, and when its slots come free, is the same for a batch and for its items."""

    async def take_in(*, together: bool) -> tuple[list[float], Slots, float]:
        pacer = open_pacer(40, 10.0)
        if refused:  # then it learns from what is granted
            await pacer.slot()
            pacer.sent()
            pacer.refused()
            await pacer.pause(9.0)
        for rows, latency_s in answers:
            left = rows
            while left:
                granted = await pacer.slots_for(left)
                left_at = pacer.sent(granted)
                await asyncio.sleep(latency_s)
                for count in [granted] if together else [1] * granted:
                    pacer.answered(left_at, count)
                left -= granted
        return list(pacer.state(now()).sent), pacer.slots(), pacer.eta_s(100)

    at_once, one_by_one = (run_virtually(lambda way=way: take_in(together=way)) for way in (True, False))
    assert at_once == (pytest.approx(one_by_one[0]), one_by_one[1], pytest.approx(one_by_one[2]))


# --- refusals


def unevenly_shared(**changed: object) -> SimulatorSettings:
    """Return a tenant in which other apps leave half of the app's quota."""
    return SimulatorSettings(others=150, **changed)  # type: ignore[arg-type] - the settings check them


def sent_against(settings: SimulatorSettings, rows: int, *, latency_s: float = 0.05) -> tuple[VirtualService, int]:
    """Return a service that took so many rows, and the limit that the pacer has found."""

    async def main() -> tuple[VirtualService, int]:
        service, pacer = VirtualService(settings, latency_s=latency_s), open_pacer(100, 20.0)
        await service.take_rows(pacer, rows)
        return service, pacer.slots().limit

    return run_virtually(main)


def test_what_others_leave_is_learned_from_one_refusal_and_used() -> None:
    """A few requests were in flight when the first one was refused; the next window is used to its end."""
    service, limit = sent_against(unevenly_shared(), 100)

    assert limit == 50
    assert [at < 1.0 for at in service.refused] == [True] * 7
    assert [sum(20 * n <= at < 20 * n + 19 for at in service.granted) for n in range(2)] == [50, 50]


@pytest.mark.parametrize("form", [RetryAfterForm.SECONDS, RetryAfterForm.ABSENT])
@pytest.mark.parametrize("refusals_count", [False, True])
def test_a_share_is_probed_now_and_then_only(form: RetryAfterForm, refusals_count: bool) -> None:
    """Refusals stay few, whether they count against the quota or not, and whether Retry-After comes or not."""
    service, _ = sent_against(unevenly_shared(retry_after=form, refusals_count=refusals_count), 1_000)

    assert len(service.granted) == 1_000
    assert len(service.refused) <= 20
    assert service.granted[-1] <= 415.0


def test_the_full_quota_comes_back_when_the_others_are_gone() -> None:
    """A probe is granted then, and more and more until the window is full, within a few windows."""
    service, limit = sent_against(unevenly_shared(others_s=130.0), 900)

    assert limit == 100
    assert len(service.refused) <= 10
    # Seven windows of 50; then, after at most four windows, 100 in each.
    assert service.granted[-1] <= 130.0 + 4 * 20.0 + (900 - 350 - 200) / 100 * 20.0


@pytest.mark.parametrize(("seconds", "rows", "limit"), [(1.0, 60, 100), (20.0, 60, 60), (20.0, 1, 25)])
def test_a_refusal_lowers_the_limit_when_the_service_asks_for_a_long_wait(
    seconds: float, rows: int, limit: int
) -> None:
    """Not for a passing one; and never by more than three quarters at once."""

    async def main() -> int:
        pacer = open_pacer(100, 20.0)
        for _ in range(rows):
            await pacer.slot()
            left_at = pacer.sent()
            await asyncio.sleep(0.01)
            pacer.answered(left_at)
        await pacer.slot()
        pacer.refused(pacer.sent())
        await pacer.pause(seconds)
        return pacer.slots().limit

    assert run_virtually(main) == limit


def test_a_second_refusal_without_a_grant_in_between_lowers_the_limit_too() -> None:
    """A service that does not say how long to wait is tried with one request, and believed when that is refused."""

    async def main() -> list[int]:
        pacer = open_pacer(100, 20.0)
        for _ in range(40):
            await pacer.slot()
            pacer.answered(pacer.sent())
        limits = []
        for _ in range(2):
            await pacer.slot()
            pacer.refused(pacer.sent())
            await pacer.pause(1.5)
            limits.append(pacer.slots().limit)
        return limits

    assert run_virtually(main) == [100, 40]


def test_refusals_of_requests_that_left_before_the_first_one_came_are_one_refusal() -> None:
    """The state is worth keeping once then, not once for each worker."""
    kept: list[int] = []

    async def main() -> int:
        pacer = Pacer(10, 20.0, clock=now, sleep=asyncio.sleep, on_refused=lambda: kept.append(1))
        granted = [await pacer.slots_for(5) for _ in range(2)]
        left_at = [pacer.sent(count) for count in granted]
        await asyncio.sleep(0.1)
        for _ in range(5):
            pacer.answered(left_at[0])
        for _ in range(5):
            pacer.refused()
            await pacer.pause(20.0)
        return pacer.slots().limit

    assert (run_virtually(main), kept) == (5, [1])


def test_after_a_refusal_requests_go_one_by_one_first() -> None:
    """Each one that is granted lets one more be in flight."""

    async def main() -> list[float]:
        pacer = open_pacer(100, 20.0)
        await pacer.slot()
        pacer.refused(pacer.sent())
        await pacer.pause(1.0)
        sent_at: list[float] = []

        async def work() -> None:
            await pacer.slot()
            left_at = pacer.sent()
            sent_at.append(left_at)
            await asyncio.sleep(1.0)
            pacer.answered(left_at)

        await asyncio.gather(*(work() for _ in range(7)))
        return sent_at

    assert run_virtually(main) == [1.0, 2.0, 2.0, 3.0, 3.0, 3.0, 3.0]


# --- across processes

WALL_S = 1_795_500_000.0


def restored(state: PacingState, requests: int, *, at_s: float = WALL_S) -> list[float]:
    """Return when a pacer of 3 per 20 s that goes on at the wall clock's `at_s` sends so many requests."""

    async def main() -> list[float]:
        pacer = open_pacer(3, 20.0)
        pacer.restore(state, at_s)
        sent_at: list[float] = []
        for _ in range(requests):
            await send(pacer, sent_at)
        return sent_at

    return run_virtually(main)


def test_a_pacer_goes_on_where_the_one_before_it_ended() -> None:
    """Slots that an earlier process used come free when they would have then, and half a second."""
    state = PacingState(sent=(WALL_S - 19.0, WALL_S - 5.0))

    assert restored(state, 3) == pytest.approx([0.0, 1.52, 15.52])


def test_times_in_the_future_or_older_than_a_window_are_dropped() -> None:
    """A clock that was set back must not stop the run, and an old run must not slow it down."""
    state = PacingState(sent=(WALL_S - 20.1, WALL_S + 1.0), closed_until=WALL_S + 4_000.0)

    assert restored(state, 3) == [0.0, 0.0, 0.0]


def test_a_wait_that_the_service_asked_for_is_kept() -> None:
    """It ends when it would have ended for the process that was told."""
    assert restored(PacingState(closed_until=WALL_S + 7.0), 2) == [7.0, 7.0]


def test_a_limit_that_was_found_before_is_tried_for_more_at_once() -> None:
    """So it costs next to nothing when the others are gone by now."""

    async def main() -> tuple[VirtualService, int]:
        service, pacer = VirtualService(SimulatorSettings()), open_pacer(100, 20.0)
        pacer.restore(PacingState(limit=50.0), WALL_S)
        await service.take_rows(pacer, 100)
        return service, pacer.slots().limit

    service, limit = run_virtually(main)

    assert (limit, service.refused) == (100, [])
    assert service.granted[-1] < 3.0


def test_what_became_of_an_earlier_processs_requests_says_nothing_of_the_limit() -> None:
    """They may have been refused, so they do not raise the limit that was found."""

    async def main() -> int:
        pacer = open_pacer(10, 20.0)
        pacer.restore(PacingState(sent=(WALL_S - 1.0,) * 5, limit=5.0), WALL_S)
        await pacer.slot()
        pacer.answered(pacer.sent())
        return pacer.slots().limit

    assert run_virtually(main) == 5


def test_the_state_tells_what_the_next_process_has_to_know() -> None:
    """When requests left, until when the service is closed, and how many it grants."""

    async def main() -> list[PacingState]:
        pacer = open_pacer(3, 20.0)
        states = [pacer.state(WALL_S)]
        for _ in range(2):
            await send(pacer, [])
            await asyncio.sleep(1.0)
        await pacer.pause(3.0)
        states.append(pacer.state(WALL_S + 2.0))
        await asyncio.sleep(3.0)
        await pacer.slot()
        pacer.refused(pacer.sent())
        await pacer.pause(20.0)
        return [*states, pacer.state(WALL_S + 5.0)]

    fresh, unreached, refused = run_virtually(main)

    assert fresh == PacingState()
    assert unreached == PacingState(sent=(WALL_S, WALL_S + 1.0))  # no connection is no word of the service
    assert refused == PacingState(sent=(WALL_S, WALL_S + 1.0), closed_until=WALL_S + 25.0, limit=1)
