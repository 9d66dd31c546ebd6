"""Before an object is deleted: is it still as it was sent? Reads the object, writes nothing."""

from typing import NamedTuple

from pipeline.graph import Access, Client, ReadFailedError, object_path, read_object
from pipeline.identity import differences_of
from pipeline.model import Answer, PlannedRow, State, Verdict


class Drift(NamedTuple):
    """Why an object is not deleted, and what its row ends as."""

    state: State
    answer: Answer
    verdict: Verdict = Verdict.SEND_AGAIN  # of a read that failed: it may concern more than this row


async def find_drift(client: Client, row: PlannedRow, reads: Access) -> Drift | None:
    """Return None when the object is as the row sent it; else it is gone, or changed by somebody, or unreadable.

    There is no condition in Graph's documented DELETE, so the moment between this read and the request remains.
    """
    try:
        found = await read_object(client, object_path(row.collection, row.object_id), access=reads)
    except ReadFailedError as problem:
        return Drift(State.UNSENT, problem.answer, problem.verdict)
    if found is None:
        return Drift(State.REVERSED, Answer(http_status=404, message="the object was gone already"))
    if changed := differences_of(row.body, found):
        names = ", ".join(each.name for each in changed)
        return Drift(State.KEPT, Answer(message=f"somebody has changed the object since: {names}"))
    return None
