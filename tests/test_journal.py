"""Steps become durable in groups: who waits for what, and what a failing ledger does to whom."""

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from ledger_cases import import_rows, opened, planned, valid

from pipeline.errors import LedgerError
from pipeline.journal import Journal
from pipeline.ledger import apply_transitions, state_counts
from pipeline.model import Answer, PlannedRow, State, Transition


def step(number: int) -> Transition:
    return Transition(PlannedRow(number, number, "c", b"{}", 0), State.SENDING, 1, Answer())


class Disk:
    """Records each group that is written; the first one waits until the gate is opened."""

    def __init__(self, *, fails_with: int | None = None) -> None:
        self.groups: list[list[int]] = []
        self.threads: set[str] = set()
        self.gate = threading.Event()
        self.begun = threading.Event()
        self._fails_with = fails_with

    def write_all(self, steps: Sequence[Transition]) -> None:
        """Write one group."""
        self.begun.set()
        assert self.gate.wait(10)
        numbers = [each.row.row_pk for each in steps]
        self.threads.add(threading.current_thread().name)
        if self._fails_with in numbers:
            raise LedgerError("disk full")
        self.groups.append(numbers)


async def write_all_at_once(journal: Journal, disk: Disk, numbers: Sequence[int]) -> "list[asyncio.Task[None]]":
    """Return a task for each step, the first one in the writer's hands and the others waiting."""
    first = asyncio.create_task(journal.write(step(numbers[0])))
    await asyncio.to_thread(disk.begun.wait, 10)
    tasks = [first, *(asyncio.create_task(journal.write(step(number))) for number in numbers[1:])]
    await asyncio.sleep(0)  # each task hands its step in
    return tasks


def test_steps_that_come_during_a_commit_share_the_next_one() -> None:
    """A hundred writes need two commits, in the order of handing in, in one thread that is not the loop's."""

    async def main() -> Disk:
        disk = Disk()
        journal = Journal(disk.write_all)
        tasks = await write_all_at_once(journal, disk, range(100))
        assert not any(task.done() for task in tasks)
        disk.gate.set()
        await asyncio.gather(*tasks)
        await journal.close()
        return disk

    disk = asyncio.run(main())

    assert disk.groups == [[0], list(range(1, 100))]
    assert disk.threads == {"ledger_0"}


def test_a_write_returns_only_when_its_own_group_is_durable() -> None:
    """Steps of the group that is being written now go on; those of the next group still wait."""

    async def main() -> None:
        disk = Disk()
        journal = Journal(disk.write_all)
        first, second = await write_all_at_once(journal, disk, [1, 2])
        disk.gate.set()
        await first
        assert disk.groups[0] == [1]
        await second
        assert disk.groups == [[1], [2]]
        await journal.close()

    asyncio.run(main())


def test_steps_that_are_handed_in_together_are_in_one_commit() -> None:
    """Those of a batch: all are durable, or none."""

    async def main() -> list[list[int]]:
        disk = Disk()
        disk.gate.set()
        journal = Journal(disk.write_all)
        await asyncio.gather(journal.write_all([step(1), step(2)]), journal.write_all([step(3)]))
        await journal.close()
        return disk.groups

    assert asyncio.run(main()) == [[1, 2, 3]]


def test_a_write_after_a_rest_is_written_too() -> None:
    """The writer starts again when it had nothing to do."""

    async def main() -> list[list[int]]:
        disk = Disk()
        disk.gate.set()
        journal = Journal(disk.write_all)
        for number in range(3):
            await journal.write(step(number))
            await asyncio.sleep(0)
        await journal.close()
        return disk.groups

    assert asyncio.run(main()) == [[0], [1], [2]]


def test_a_failed_commit_fails_all_of_its_group_and_nobody_else() -> None:
    """Each waiter of the group gets the ledger's own error; the group before and the one after are written."""

    async def main() -> tuple[list[list[int]], list[str]]:
        disk = Disk(fails_with=3)
        journal = Journal(disk.write_all)
        tasks = await write_all_at_once(journal, disk, [1, 2, 3, 4])
        disk.gate.set()
        said = [repr(each) for each in await asyncio.gather(*tasks, return_exceptions=True)]
        await journal.write(step(5))
        await journal.close()
        return disk.groups, said

    groups, said = asyncio.run(main())

    assert said == ["None", *["LedgerError('disk full')"] * 3]
    assert groups == [[1], [5]]


@pytest.mark.parametrize("fails_with", [None, 3])
def test_a_waiter_that_is_cancelled_leaves_its_group_whole(fails_with: int | None) -> None:
    """Its step is written with the others, and they learn what became of the commit."""

    async def main() -> tuple[list[list[int]], list[str]]:
        disk = Disk(fails_with=fails_with)
        journal = Journal(disk.write_all)
        tasks = await write_all_at_once(journal, disk, [1, 2, 3, 4])
        tasks[0].cancel()
        tasks[2].cancel()
        await asyncio.sleep(0)
        disk.gate.set()
        said = [type(each).__name__ for each in await asyncio.gather(*tasks, return_exceptions=True)]
        await journal.close()
        return disk.groups, said

    groups, said = asyncio.run(main())

    error = "LedgerError" if fails_with else "NoneType"
    assert said == ["CancelledError", error, "CancelledError", error]
    assert groups == ([[1]] if fails_with else [[1], [2, 3, 4]])


def test_the_next_group_is_written_while_the_event_loop_is_busy() -> None:
    """The thread takes what has gathered as soon as a group is written, and needs nobody to hand it over."""

    async def main() -> list[list[int]]:
        disk = Disk()
        has_both = threading.Event()

        def write_all(steps: Sequence[Transition]) -> None:
            disk.write_all(steps)
            if len(disk.groups) == 2:
                has_both.set()

        journal = Journal(write_all)
        tasks = await write_all_at_once(journal, disk, [1, 2, 3])
        disk.gate.set()
        has_both.wait(10)  # nothing else runs in the event loop meanwhile
        written = list(disk.groups)
        assert not any(task.done() for task in tasks)
        await asyncio.gather(*tasks)
        await journal.close()
        return written

    assert asyncio.run(main()) == [[1], [2, 3]]


def test_closing_waits_for_all_that_was_handed_in() -> None:
    """Also for what nobody waits for any more."""

    async def main() -> list[list[int]]:
        disk = Disk()
        journal = Journal(disk.write_all)
        tasks = await write_all_at_once(journal, disk, [1, 2, 3])
        for task in tasks:
            task.cancel()
        closing = asyncio.create_task(journal.close())
        await asyncio.sleep(0)
        assert not closing.done()
        disk.gate.set()
        await closing
        return disk.groups

    assert asyncio.run(main()) == [[1], [2, 3]]


def test_closing_waits_for_steps_that_follow_each_other() -> None:
    """A worker whose intent became durable during the closing may still write its outcome."""

    async def main() -> list[list[int]]:
        disk = Disk()
        journal = Journal(disk.write_all)

        async def work() -> None:
            for number in range(1, 6):
                await journal.write(step(number))

        worker = asyncio.create_task(work())
        await asyncio.to_thread(disk.begun.wait, 10)
        closing = asyncio.create_task(journal.close())
        await asyncio.sleep(0)
        disk.gate.set()
        await asyncio.gather(worker, closing)
        return disk.groups

    assert asyncio.run(main()) == [[1], [2], [3], [4], [5]]


def test_closing_a_journal_that_wrote_nothing_ends_at_once() -> None:
    """A run without planned rows has a journal too."""
    asyncio.run(Journal(Disk().write_all).close())


def test_after_closing_nothing_is_taken_in() -> None:
    """A step that comes too late fails for whoever hands it in, rather than being lost."""

    async def main() -> None:
        journal = Journal(Disk().write_all)
        await journal.close()
        with pytest.raises(RuntimeError, match="after shutdown"):
            await journal.write(step(1))

    asyncio.run(main())


def test_many_workers_write_through_one_journal_into_the_ledger(tmp_path: Path) -> None:
    """Intent and outcome of each row are in the ledger in their order, with far fewer commits than steps."""
    commits = 0

    with opened(tmp_path / "ledger.db") as ledger:

        def write_all(steps: Sequence[Transition]) -> None:
            nonlocal commits
            commits += 1
            apply_transitions(ledger, steps)

        async def work(journal: Journal, row: PlannedRow) -> None:
            for state in (State.SENDING, State.PLANNED, State.SENDING, State.CREATED):
                await journal.write(Transition(row, state, 1, Answer()))

        async def main() -> None:
            journal = Journal(write_all)
            await asyncio.gather(*(work(journal, row) for row in planned(ledger, "r1")))
            await journal.close()

        import_rows(ledger, "r1", [valid(2 + i, f"k{i}") for i in range(50)])
        asyncio.run(main())

        assert state_counts(ledger, "r1") == {State.CREATED: 50}
        assert commits < 20
