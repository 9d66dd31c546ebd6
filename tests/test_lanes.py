"""Which row goes next: canaries, order, stopping, and workers that wait for each other."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual_time import run_virtually

from pipeline.lanes import MOST_FAILED_CANARIES, FetchRows, Lanes, route_of
from pipeline.model import PlannedRow, Verdict

ROOT = "deviceManagement/deviceConfigurations"
IOS_A, IOS_B, MAC_A, MAC_B = (
    f"{ROOT}/{profile}/microsoft.graph.{cast}/managedDeviceCertificateStates"
    for cast in ("iosScepCertificateProfile", "macOSScepCertificateProfile")
    for profile in ("a", "b")
)
ALL_FAILED = "the first 3 rows of this collection were refused or got no usable answer"


def rows_of(collections: Sequence[str]) -> list[PlannedRow]:
    """Return one planned row for each collection named, numbered from 1 in the order of reading."""
    return [PlannedRow(100 + pk, pk, collection, b"{}", 0) for pk, collection in enumerate(collections, 1)]


def fetching(rows: Sequence[PlannedRow], most: int = 2) -> FetchRows:
    """Return what the ledger does: the next rows of a collection after a row, a few at a time."""

    def fetch(collection: str, after_pk: int) -> list[PlannedRow]:
        return [row for row in rows if row.collection == collection and row.row_pk > after_pk][:most]

    return fetch


def open_lanes(collections: Sequence[str]) -> Lanes:
    return Lanes(tuple(dict.fromkeys(collections)), fetching(rows_of(collections)))


async def next_pk(lanes: Lanes) -> int | None:
    row = await lanes.next_rows()
    return row[0].row_pk if row else None


async def is_waiting(task: "asyncio.Task[int | None]") -> bool:
    """Return whether the task still waits after everything that can happen has happened."""
    for _ in range(10):
        await asyncio.sleep(0)
    return not task.done()


def test_the_first_row_of_a_collection_goes_alone_until_it_is_created() -> None:
    """Then the others go in the order of reading, and None says that none is left."""

    async def main() -> None:
        lanes = open_lanes([IOS_A] * 4)
        assert await next_pk(lanes) == 1
        second = asyncio.create_task(next_pk(lanes))
        assert await is_waiting(second)

        assert lanes.settle(IOS_A, Verdict.CREATED) == ""
        assert [await second, await next_pk(lanes), await next_pk(lanes), await next_pk(lanes)] == [2, 3, 4, None]

    run_virtually(main)


def pks(rows: Sequence[PlannedRow]) -> list[int]:
    return [row.row_pk for row in rows]


def test_rows_that_may_go_together_come_together_and_a_canary_comes_alone() -> None:
    """Rows of open collections share a group, in the order of reading, and a canary ends one."""

    async def main() -> None:
        lanes = open_lanes([IOS_A] * 4 + [IOS_B] * 3 + [MAC_A] * 3)
        assert [pks(await lanes.next_rows(20)) for _ in range(3)] == [[1], [5], [8]]
        lanes.settle(IOS_A, Verdict.CREATED)
        lanes.settle(IOS_B, Verdict.CREATED)
        lanes.settle(MAC_A, Verdict.REJECTED)
        assert [pks(await lanes.next_rows(4)) for _ in range(3)] == [[2, 3, 4, 6], [7], [9]]

    run_virtually(main)


def test_rows_of_open_collections_go_in_the_order_of_reading() -> None:
    """Whatever collection each is of; the canary of another one comes where it stands, and not beside others."""
    collections = [IOS_A, MAC_A, IOS_A, MAC_A, IOS_B, IOS_A, IOS_A, MAC_A, IOS_B, IOS_A]

    async def main() -> None:
        lanes = Lanes((IOS_A, MAC_A, IOS_B), fetching(rows_of(collections)), frozenset({IOS_A, MAC_A}))
        assert [pks(await lanes.next_rows(most)) for most in (3, 20, 20, 2)] == [[1, 2, 3], [4], [5], [6, 7]]
        lanes.settle(IOS_B, Verdict.CREATED)
        assert [pks(await lanes.next_rows(20)) for _ in range(2)] == [[8, 9, 10], []]

    run_virtually(main)


def test_no_more_rows_are_given_out_than_the_run_may_send() -> None:
    """However many workers ask, and however many rows they ask for."""

    async def main() -> None:
        lanes = Lanes((IOS_A,), fetching(rows_of([IOS_A] * 9), 9), frozenset({IOS_A}), 5)
        assert [pks(await lanes.next_rows(3)) for _ in range(3)] == [[1, 2, 3], [4, 5], []]

    run_virtually(main)


def test_other_collections_go_on_while_a_canary_is_out() -> None:
    """Each has its own canary; an open one is sent before a closed one is waited for."""

    async def main() -> None:
        lanes = open_lanes([IOS_A, MAC_A, IOS_A, MAC_A, MAC_A])
        assert [await next_pk(lanes), await next_pk(lanes)] == [1, 2]
        lanes.settle(MAC_A, Verdict.CREATED)
        assert [await next_pk(lanes), await next_pk(lanes)] == [4, 5]
        third = asyncio.create_task(next_pk(lanes))
        assert await is_waiting(third)
        lanes.settle(IOS_A, Verdict.CREATED)
        assert await third == 3

    run_virtually(main)


def test_a_rejected_canary_passes_the_canary_on() -> None:
    """The next row goes alone too; once one is created, failures count no more."""

    async def main() -> None:
        lanes = open_lanes([IOS_A] * 9)
        for pk in (1, 2):
            assert await next_pk(lanes) == pk
            assert lanes.settle(IOS_A, Verdict.REJECTED) == ""
        assert await next_pk(lanes) == 3
        fourth = asyncio.create_task(next_pk(lanes))
        assert await is_waiting(fourth)
        assert lanes.settle(IOS_A, Verdict.CREATED) == ""
        assert await fourth == 4
        for pk in range(5, 10):
            assert await next_pk(lanes) == pk
            assert lanes.settle(IOS_A, Verdict.REJECTED) == ""

    run_virtually(main)


def test_three_failed_canaries_are_a_reason_to_stop_their_collection_and_no_other() -> None:
    """The reason is returned with the third; once stopped, the rest of the collection is not given out."""

    async def main() -> None:
        lanes = open_lanes([IOS_A] * 5 + [IOS_B] * 2)
        said = []
        for _ in range(MOST_FAILED_CANARIES):
            await lanes.next_rows()
            said.append(lanes.settle(IOS_A, Verdict.REJECTED))
        assert said == ["", "", ALL_FAILED]
        lanes.stop(IOS_A, with_route=False)
        assert await next_pk(lanes) == 6
        lanes.settle(IOS_B, Verdict.CREATED)
        assert [await next_pk(lanes), await next_pk(lanes)] == [7, None]

    run_virtually(main)


def test_a_collection_that_opened_is_never_stopped_by_failures() -> None:
    """Canaries guard the beginning only; the error threshold guards the rest."""

    async def main() -> None:
        lanes = open_lanes([IOS_A] * 6)
        await lanes.next_rows()
        lanes.settle(IOS_A, Verdict.CREATED)
        for pk in range(2, 7):
            assert await next_pk(lanes) == pk
        assert [lanes.settle(IOS_A, Verdict.REJECTED) for _ in range(5)] == [""] * 5

    run_virtually(main)


def test_a_collection_that_is_read_anew_begins_with_a_canary() -> None:
    """A resumed run trusts nothing that an earlier one learned."""

    async def main() -> None:
        rows = rows_of([IOS_A] * 3)
        lanes = Lanes([IOS_A], fetching(rows[1:]))
        assert await next_pk(lanes) == 2
        assert await is_waiting(asyncio.create_task(next_pk(lanes)))

    run_virtually(main)


@pytest.mark.parametrize(
    ("with_route", "stopped", "left"),
    [(False, [IOS_A], [2, 3, 4]), (True, [IOS_A, IOS_B], [3, 4])],
)
def test_a_stop_ends_a_collection_or_all_of_its_route(with_route: bool, stopped: list[str], left: list[int]) -> None:
    """Those that it stopped are named once; a second stop names none."""

    async def main() -> None:
        lanes = open_lanes([IOS_A, IOS_B, MAC_A, MAC_B, IOS_A])
        assert await next_pk(lanes) == 1
        assert lanes.stop(IOS_A, with_route=with_route) == stopped
        assert lanes.stop(IOS_A, with_route=with_route) == []
        assert [await next_pk(lanes) for _ in left] == left

    run_virtually(main)


def test_workers_that_wait_for_a_canary_wake_when_its_collection_stops() -> None:
    """None is left then, so all of them end."""

    async def main() -> list[int | None]:
        lanes = open_lanes([IOS_A] * 9)
        await lanes.next_rows()
        waiting = [asyncio.create_task(next_pk(lanes)) for _ in range(4)]
        assert all([await is_waiting(each) for each in waiting])
        lanes.stop(IOS_A, with_route=False)
        return await asyncio.gather(*waiting)

    assert run_virtually(main) == [None] * 4


def test_one_waiting_worker_takes_the_next_canary_and_the_others_wait_on() -> None:
    """A failed canary does not open the collection for all who wait."""

    async def main() -> None:
        lanes = open_lanes([IOS_A] * 9)
        await lanes.next_rows()
        waiting = [asyncio.create_task(next_pk(lanes)) for _ in range(3)]
        await is_waiting(waiting[0])
        lanes.settle(IOS_A, Verdict.REJECTED)
        assert [await is_waiting(each) for each in waiting] == [False, True, True]
        lanes.settle(IOS_A, Verdict.CREATED)
        assert await asyncio.gather(*waiting) == [2, 3, 4]

    run_virtually(main)


def test_the_last_row_needs_no_canary_to_end() -> None:
    """Workers end when all rows are given out, though the canary is still under way."""

    async def main() -> None:
        lanes = open_lanes([IOS_A])
        assert [await next_pk(lanes), await next_pk(lanes)] == [1, None]

    run_virtually(main)


def test_no_planned_rows_are_no_work() -> None:
    """A run whose rows are all settled ends at once."""

    async def main() -> None:
        assert await next_pk(Lanes((), fetching([]))) is None
        assert await next_pk(Lanes((IOS_A,), fetching([]))) is None

    run_virtually(main)


def test_a_collection_that_is_used_up_is_not_read_again() -> None:
    """The ledger is asked for each portion once, and once more to learn that it was the last."""

    async def main() -> list[tuple[str, int]]:
        asked: list[tuple[str, int]] = []
        fetch = fetching(rows_of([IOS_A] * 3))

        def fetch_and_tell(collection: str, after_pk: int) -> Sequence[PlannedRow]:
            asked.append((collection, after_pk))
            return fetch(collection, after_pk)

        lanes = Lanes([IOS_A], fetch_and_tell)
        await lanes.next_rows()
        lanes.settle(IOS_A, Verdict.CREATED)
        for _ in range(10):
            await lanes.next_rows()
        return asked

    assert run_virtually(main) == [(IOS_A, 0), (IOS_A, 2), (IOS_A, 3)]


def test_a_route_is_the_path_behind_the_configuration() -> None:
    """Collections of one route differ in the configuration's id only."""
    assert (
        route_of(IOS_A) == route_of(IOS_B) == "microsoft.graph.iosScepCertificateProfile/managedDeviceCertificateStates"
    )
    assert route_of(MAC_A) != route_of(IOS_A)


@given(
    collections=st.lists(st.sampled_from([IOS_A, IOS_B, MAC_A]), max_size=40),
    outcomes=st.lists(st.booleans(), min_size=40, max_size=40),
    latencies=st.lists(st.integers(0, 5), min_size=40, max_size=40),
    workers=st.integers(1, 6),
    most=st.integers(1, 5),
)
@settings(deadline=None)
def test_several_workers_get_each_row_once_and_in_order(
    *, collections: list[str], outcomes: list[bool], latencies: list[int], workers: int, most: int
) -> None:
    """Nothing is lost or given twice, whoever answers when; only three failed canaries withhold rows."""
    rows = rows_of(collections)
    given: dict[str, list[int]] = {collection: [] for collection in collections}
    failed_first = dict.fromkeys(collections, 0)
    under_way = dict.fromkeys(collections, 0)
    opened: set[str] = set()
    stopped: set[str] = set()

    async def work(lanes: Lanes) -> None:
        while taken := await lanes.next_rows():
            (row,) = taken
            collection = row.collection
            assert collection not in stopped
            assert collection in opened or not under_way[collection], "a second row beside the canary"
            given[collection].append(row.row_pk)
            under_way[collection] += 1
            await asyncio.sleep(latencies[row.row_pk - 1])
            under_way[collection] -= 1
            is_created = outcomes[row.row_pk - 1]
            if is_created:
                opened.add(collection)
            elif collection not in opened:
                failed_first[collection] += 1
            why = lanes.settle(collection, Verdict.CREATED if is_created else Verdict.REJECTED)
            assert why == (ALL_FAILED if failed_first[collection] == 3 and collection not in opened else "")
            if why:
                lanes.stop(collection, with_route=False)
                stopped.add(collection)

    async def main() -> None:
        lanes = Lanes(tuple(dict.fromkeys(collections)), fetching(rows, most))
        await asyncio.gather(*(work(lanes) for _ in range(workers)))

    run_virtually(main)

    for collection, pks in given.items():
        all_pks = [row.row_pk for row in rows if row.collection == collection]
        assert pks == (all_pks[:MOST_FAILED_CANARIES] if collection in stopped else all_pks)


@pytest.mark.parametrize("verdict", [Verdict.MISSING, Verdict.SEND_AGAIN, Verdict.STOP_TENANT])
def test_an_outcome_that_says_nothing_about_the_next_row_passes_the_canary_on(verdict: Verdict) -> None:
    """However often that happens, the next row goes alone and the collection is not given up."""

    async def main() -> None:
        lanes = open_lanes([IOS_A] * 9)
        for pk in range(1, 6):
            assert await next_pk(lanes) == pk
            assert lanes.settle(IOS_A, verdict) == ""
        assert lanes.open_collections == frozenset()
        assert await next_pk(lanes) == 6
        assert await is_waiting(asyncio.create_task(next_pk(lanes)))

    run_virtually(main)


def test_a_collection_that_was_open_needs_no_canary_in_the_next_round() -> None:
    """What one round learned is told to the next."""

    async def main() -> None:
        first = open_lanes([IOS_A, MAC_A])
        await first.next_rows()
        first.settle(IOS_A, Verdict.UPDATED)
        assert first.open_collections == frozenset({IOS_A})

        second = Lanes((IOS_A, MAC_A), fetching(rows_of([IOS_A, IOS_A, MAC_A, MAC_A])), first.open_collections)
        assert [await next_pk(second) for _ in range(3)] == [1, 2, 3]
        assert await is_waiting(asyncio.create_task(next_pk(second)))

    run_virtually(main)
