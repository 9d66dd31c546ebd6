"""Before an object is deleted: is it still as it was sent? Reads the object, writes nothing."""

from dataclasses import replace
from typing import NamedTuple

from pipeline.graph import Access, Client, ReadFailedError, object_path, read_object
from pipeline.identity import differences_of
from pipeline.model import Answer, PlannedRow, State, Verdict


class Look(NamedTuple):
    """What an object was like right before it is to be deleted."""

    is_there: bool
    drift: "Drift | None" = None  # why it is not deleted


class Drift(NamedTuple):
    """Why an object is not deleted, and what its row ends as."""

    state: State
    answer: Answer
    verdict: Verdict = Verdict.SEND_AGAIN  # of a read that failed: it may concern more than this row


async def look_at(client: Client, row: PlannedRow, reads: Access) -> Look:
    """Return whether the object is there and as the row sent it, changed by somebody, or unreadable.

    That it is not there is no reason to leave the request out: what is read may lag behind what was written. Graph's
    documented DELETE has no condition, so the moment between this read and the request remains.
    """
    try:
        found = await read_object(client, object_path(row.collection, row.object_id), access=reads)
    except ReadFailedError as problem:
        return Look(is_there=False, drift=Drift(State.UNSENT, problem.answer, problem.verdict))
    if found is None:
        return Look(is_there=False)
    if changed := differences_of(row.body, found):
        names = ", ".join(each.name for each in changed)
        answer = Answer(message=f"somebody has changed the object since: {names}")
        return Look(is_there=True, drift=Drift(State.KEPT, answer))
    return Look(is_there=True)


def believed(look: Look | None, verdict: Verdict, answer: Answer) -> tuple[Verdict, Answer]:
    """Return the verdict and the answer, unless the service contradicts itself: then nothing is known.

    Not there, as the answer to a DELETE of an object that was read a moment ago, may mean a service that does not know
    DELETE.
    """
    if look is None or not look.is_there or verdict is not Verdict.REVERSED or answer.http_status not in {404, 410}:
        return verdict, answer
    return Verdict.UNKNOWN, replace(answer, message="the service has the object, and does not find it to delete it")
