"""The rows between intent and outcome: none leaves before its intent is durable, and none is lost from sight."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from pipeline.graph import RowAnswered
from pipeline.journal import Journal
from pipeline.model import Answer, PlannedRow, State, Transition
from pipeline.pace import Pacer


@dataclass(slots=True)
class UnderWay:
    """A row whose intent is on its way into the ledger, whose request has left, or that is planned again."""

    row: PlannedRow
    worker: asyncio.Task[None] | None
    attempts: int  # requests of this row that have left
    client_request_id: str
    left_at: float | None = None  # on the pacer's clock
    is_settled: bool = False  # what became of it is in the journal

    @property
    def is_awaited(self) -> bool:
        """Whether its request has left, and nothing is known of it yet."""
        return self.left_at is not None and not self.is_settled


class Became(NamedTuple):
    """What became of a row."""

    row: PlannedRow
    state: State
    answer: Answer


class RowsUnderWay:
    """The rows of a round whose requests are out, or about to be."""

    def __init__(self, journal: Journal, pacer: Pacer, is_halted: Callable[[], bool]) -> None:
        self._journal = journal
        self._pacer = pacer
        self._is_halted = is_halted
        self._rows: dict[int, UnderWay] = {}  # by row number in the ledger

    async def leave(self, rows: Sequence[PlannedRow], client_request_ids: Sequence[str]) -> int:
        """Return how many of the rows may leave now, as one request: the first ones, their intents durable.

        Waits for a slot. Takes all that are free then, and does not wait for more: a slot that rests is lost, and what
        left together comes free together (400 rows at 100 per 4 s took 27 batches, not many of one row). Raises
        CancelledError when the round has ended meanwhile; `give_up` plans the rows again then.
        """
        granted = await self._pacer.slots_for(len(rows))
        worker = asyncio.current_task()
        leaving = []
        for row, its_id in zip(rows[:granted], client_request_ids, strict=False):
            before = self._rows.get(row.row_pk)
            each = UnderWay(row, worker, before.attempts if before else row.attempts, its_id)
            self._rows[row.row_pk] = each
            leaving.append(each)
        try:
            await self._journal.write_all(
                [
                    Transition(
                        each.row, State.SENDING, each.attempts + 1, Answer(client_request_id=each.client_request_id)
                    )
                    for each in leaving
                ]
            )
            if self._is_halted():
                raise asyncio.CancelledError
        except BaseException:
            self._pacer.give_back(granted)
            raise
        left_at = self._pacer.sent(granted)
        for each in leaving:
            each.attempts += 1
            each.left_at = left_at
        return granted

    def are_answered(self, answered: Sequence[RowAnswered]) -> None:
        """Tell the pacer of each row that its request was answered, refused for the quota's sake, or neither."""

        def kind_of(each: RowAnswered) -> tuple[float | None, bool | None]:
            row, (_, answer, _) = each
            status = answer.http_status
            return self._rows[row.row_pk].left_at, None if status is None else status != 429

        for (left_at, is_granted), some in groupby(answered, kind_of):
            count = len(list(some))
            if is_granted and left_at is not None:
                self._pacer.answered(left_at, count)
            elif is_granted is False:
                for _ in range(count):
                    self._pacer.refused(left_at)

    async def settle(self, became: Sequence[Became]) -> None:
        """Return when it is durable what became of the rows."""
        steps = []
        for row, state, answer in became:
            each = self._rows.get(row.row_pk)
            if each is None:
                each = self._rows[row.row_pk] = UnderWay(row, asyncio.current_task(), row.attempts, "")
            # Before the wait: from here on the journal has the step, and a cancelled worker must not lose it.
            each.is_settled = True
            steps.append(Transition(row, state, each.attempts, answer))
        await self._journal.write_all(steps)
        for row, state, _ in became:
            if state is not State.PLANNED:
                del self._rows[row.row_pk]

    def awaited(self) -> list[UnderWay]:
        """Return the rows whose answers are not there yet."""
        return [each for each in self._rows.values() if each.is_awaited]

    async def give_up(self) -> list[Became]:
        """End what is not settled, once nobody waits for it any more, and return the rows that are unknown now.

        A row whose request has left without an answer becomes unknown, the others are planned again.
        """
        became = []
        for each in self._rows.values():
            if each.is_awaited:
                lost = Answer(message="the run ended before the answer came", client_request_id=each.client_request_id)
                became.append(Became(each.row, State.UNKNOWN, lost))
            elif not each.is_settled:
                became.append(Became(each.row, State.PLANNED, Answer()))
        if became:
            await self.settle(became)
        return [each for each in became if each.state is State.UNKNOWN]
