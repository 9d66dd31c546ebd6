"""The pacer against a sliding-window server, in virtual time."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual_time import run_virtually

from pipeline.pace import MARGIN_S, Pacer, Slots


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
