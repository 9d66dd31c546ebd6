"""`write_batch` over real sockets: what a batch looks like, and what each answer means for each of its rows."""

import asyncio
import base64
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from socket_cases import (
    COLLECTION,
    QUICK,
    TOKEN,
    TOKEN_2,
    Caller,
    ScriptedServer,
    Seen,
    Step,
    answer,
    close_after,
    message,
    serve,
    unused_port,
)

from pipeline.errors import ConfigError
from pipeline.graph import RowAnswered, object_path, open_client, write_batch
from pipeline.graph.batches import BatchEnd
from pipeline.model import Answer, Operation, PlannedRow, Verdict

CREATED, REJECTED, UNKNOWN = Verdict.CREATED, Verdict.REJECTED, Verdict.UNKNOWN
AGAIN, REFRESH = Verdict.SEND_AGAIN, Verdict.REFRESH_TOKEN


def rows_of(count: int, *, body: str = "row {}") -> list[PlannedRow]:
    return [
        PlannedRow(100 + pk, pk, COLLECTION, json.dumps({"deviceDisplayName": body.format(pk)}).encode(), 0)
        for pk in range(1, count + 1)
    ]


class Batching(Caller):
    """The callables of a batch: grants as many slots as it is told, and keeps what became of each row."""

    def __init__(self, *, grants: Sequence[int] = (), stop_after: int | None = None) -> None:
        super().__init__(stop_after=stop_after)
        self.grants = list(grants)
        self.sent: list[list[int]] = []  # the rows of each batch
        self.outcomes: list[list[tuple[int, Verdict]]] = []  # of each batch
        self.answers: dict[int, Answer] = {}  # the last one of each row

    async def leave(self, rows: Sequence[PlannedRow], client_request_ids: Sequence[str]) -> int:
        """Grant slots."""
        count = self.grants.pop(0) if self.grants else len(rows)
        self.sent.append([row.row_pk for row in rows[:count]])
        self.ids += client_request_ids[:count]
        return count

    async def settle(self, answered: Sequence[RowAnswered]) -> None:
        """Keep what became of the rows."""
        self.outcomes.append([(row.row_pk, each.verdict) for row, each in answered])
        self.answers |= {row.row_pk: each.answer for row, each in answered}


def sent_in_batches(
    caller: Batching, rows: Sequence[PlannedRow], *steps: Step, root: str = ""
) -> tuple[BatchEnd, ScriptedServer]:
    """Send the rows to a server with this script."""

    async def story() -> tuple[BatchEnd, ScriptedServer]:
        async with (
            serve(*steps) as server,
            open_client(root or server.root, connections=1, timeouts=QUICK) as client,
        ):
            ended = await write_batch(
                client,
                rows,
                token=caller.token,
                refresh=caller.refresh,
                before_attempt=caller.leave,
                after_attempt=caller.settle,
                pause=caller.pause,
                stop_waiting=caller.stop_waiting,
            )
            return ended, server

    return asyncio.run(story())


def item(item_id: object, status: int = 201, body: object = None, **headers: str) -> dict[str, Any]:
    """Return the answer to one item; a created one has an id by default."""
    body = {"id": f"object-{item_id}"} if status == 201 and body is None else body
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return {"id": item_id, "status": status, "headers": named} | ({} if body is None else {"body": body})


def batch_of(*items: object, status: int = 200, lines: Sequence[bytes] = ()) -> Step:
    return answer(status, json.dumps({"responses": items}).encode(), *lines)


def requests_in(seen: Seen) -> list[dict[str, Any]]:
    requests: list[dict[str, Any]] = json.loads(seen.body)["requests"]
    return requests


# --- what a batch looks like


def test_a_batch_is_one_post_whose_items_are_requests_of_their_own() -> None:
    """Id, method, url from the version root on, Content-Type, an id of its own, and the body as it stands."""
    update = PlannedRow(9, 9, COLLECTION, b'{"serverUrl":"x"}', 0, Operation.UPDATE, "an id/1")
    caller = Batching()

    ended, server = sent_in_batches(
        caller, [*rows_of(1), update], batch_of(item("2", 200, {"id": "an id/1"}), item("1"))
    )

    assert (ended.left, caller.outcomes) == ((), [[(1, CREATED), (9, Verdict.UPDATED)]])
    [seen] = server.seen
    assert seen.line == "POST /beta/$batch HTTP/1.1"
    assert {name: seen.headers[name] for name in ("authorization", "accept", "content-type")} == {
        "authorization": f"Bearer {TOKEN}",
        "accept": "application/json",
        "content-type": "application/json",
    }
    its_ids = [{"Content-Type": "application/json", "client-request-id": each} for each in caller.ids]
    assert requests_in(seen) == [
        {
            "id": "1",
            "method": "POST",
            "url": f"/{COLLECTION}",
            "headers": its_ids[0],
            "body": {"deviceDisplayName": "row 1"},
        },
        {
            "id": "2",
            "method": "PATCH",
            "url": f"/{object_path(COLLECTION, 'an id/1')}",
            "headers": its_ids[1],
            "body": {"serverUrl": "x"},
        },
    ]
    assert len({seen.headers["client-request-id"], *caller.ids}) == 3
    assert TOKEN not in seen.body.decode()


def test_a_body_goes_into_the_batch_byte_for_byte() -> None:
    """It is JSON already; nothing is read and written anew on the way."""
    body = b'{ "deviceDisplayName" : "M\xc3\xbcnchen \\u00fc %d %b" }'

    _, server = sent_in_batches(Batching(), [PlannedRow(1, 1, COLLECTION, body, 0)] * 2, batch_of(item("1"), item("2")))

    assert server.seen[0].body.count(body) == 2


@pytest.mark.parametrize("path", ["users", f"{COLLECTION}/../../..", "deviceManagement/a?b", "deviceManagement//../x"])
def test_an_item_cannot_leave_the_service_root(path: str) -> None:
    """Its path is checked as that of a request of its own, before anything leaves."""
    caller = Batching()

    with pytest.raises(ConfigError, match="no collection below"):
        sent_in_batches(caller, [*rows_of(1), PlannedRow(2, 2, path, b"{}", 0)], batch_of(item("1"), item("2")))

    assert caller.sent == []


def test_what_does_not_fit_into_one_request_goes_in_the_next() -> None:
    """At most 20 items, Graph's limit, and 1 MB in all."""
    rows = rows_of(25)
    rows[3] = rows[3]._replace(body=json.dumps({"x": "a" * 999_000}).encode())
    caller = Batching()

    sent_in_batches(
        caller,
        rows,
        batch_of(*map(item, "123")),
        batch_of(item("1")),
        *[batch_of(*[item(str(number)) for number in range(1, 21)])] * 2,
    )

    assert caller.sent == [[1, 2, 3], [4], list(range(5, 25)), [25]]


def test_as_many_rows_leave_as_there_are_slots_and_the_others_follow() -> None:
    """No row waits in a batch for a slot, and none is left behind."""
    caller = Batching(grants=[3, 1])

    ended, server = sent_in_batches(caller, rows_of(5), batch_of(*[item(str(number)) for number in range(1, 6)]))

    assert (ended.left, caller.sent, caller.pauses) == ((), [[1, 2, 3], [4], [5]], [])
    assert [len(requests_in(seen)) for seen in server.seen] == [3, 1, 1]


# --- what an answer means


def test_answers_belong_to_rows_by_their_ids_in_any_order() -> None:
    """Each row gets its own object's id and its own request-id; where it has none, the batch's."""
    caller = Batching()
    answers = [item("3"), item("1", request_id="own-1"), item("2", 400, {"error": {"code": "BadRequest"}})]

    sent_in_batches(caller, rows_of(3), batch_of(*answers, lines=[b"request-id: batch-1"]))

    assert caller.outcomes == [[(1, CREATED), (2, REJECTED), (3, CREATED)]]
    assert [caller.answers[pk] for pk in (1, 2, 3)] == [
        Answer(201, "object-1", "", "", "own-1", caller.ids[0]),
        Answer(400, "", "BadRequest", "HTTP 400 Bad Request without a message", "batch-1", caller.ids[1]),
        Answer(201, "object-3", "", "", "batch-1", caller.ids[2]),
    ]


UNREADABLE = "the service answered the batch with"
NOTHING = "the answer to the batch tells nothing of this row"


@pytest.mark.parametrize(
    ("items", "words"),
    [
        ([item("1")], NOTHING),
        ([item("1"), item("7")], NOTHING),
        ([item("1"), item(2)], NOTHING),
        ([item("1"), None, 5, "2", {}], NOTHING),
        ([item("1"), item("2"), item("2")], "the answer to the batch tells two things of this row"),
        ([item("1"), {"id": "2"}], f"{NOTHING} that can be read"),
        ([item("1"), {"id": "2", "status": "201", "body": {"id": "x"}}], f"{NOTHING} that can be read"),
        ([item("1"), {"id": "2", "status": True}], f"{NOTHING} that can be read"),
        ([item("1"), item("2", 201, {"name": "x"})], "the service answered 201 without the id of the new object"),
        ([item("1"), item("2", 201, "bm90aGluZw==")], "the service answered 201 without the id of the new object"),
        ([item("1"), item("2", 504)], "HTTP 504 Gateway Timeout without a message"),
        ([item("1"), item("2", 409)], "HTTP 409 Conflict without a message"),
        ([item("1"), {**item("2", 504), "headers": [1]}], "HTTP 504 Gateway Timeout without a message"),
    ],
    ids=[
        "missing", "foreign", "id is a number", "no objects", "doubled", "no status", "text status", "true status",
        "no id", "no JSON", "504", "409", "odd headers",
    ],
)  # fmt: skip
def test_an_item_of_which_nothing_is_known_is_unknown(items: list[object], words: str) -> None:
    """The other rows of its batch are judged by what is said of them, and it is not sent again."""
    caller = Batching()

    ended, server = sent_in_batches(caller, rows_of(2), batch_of(*items))

    assert (ended.left, caller.outcomes) == ((), [[(1, CREATED), (2, UNKNOWN)]])
    assert caller.answers[2].message == words
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("step", "status", "words"),
    [
        (answer(500, b""), 500, "HTTP 500 Internal Server Error without a message"),
        (answer(503, b"", b"Retry-After: 3"), 503, "HTTP 503 Service Unavailable without a message"),
        (answer(409, b""), 409, "HTTP 409 Conflict without a message"),
        (answer(424, b""), 424, "HTTP 424 Failed Dependency without a message"),
        (answer(200, b"{"), 200, f"{UNREADABLE} 200 and something that cannot be read"),
        (answer(200, b'{"responses":{}}'), 200, f"{UNREADABLE} 200 and something that cannot be read"),
        (answer(201, b'{"id":"x"}'), 201, f"{UNREADABLE} 201 and something that cannot be read"),
        (answer(307, b"", b"Location: /x"), 307, "the service answered 307, a redirect, which is not followed"),
        (close_after(b""), None, "the connection was closed before an answer came"),
        (close_after(message(200, b'{"responses":[]}')[:-5]), 200, "the answer broke off after its status, 200"),
    ],
)  # fmt: skip
def test_a_lost_answer_to_a_batch_leaves_all_its_rows_unknown(step: Step, status: int | None, words: str) -> None:
    """Any of them may have been created; none is sent again."""
    caller = Batching()

    ended, server = sent_in_batches(caller, rows_of(3), step)

    assert (ended.left, caller.outcomes) == ((), [[(1, UNKNOWN), (2, UNKNOWN), (3, UNKNOWN)]])
    assert {(each.http_status, each.message) for each in caller.answers.values()} == {(status, words)}
    assert [caller.answers[pk].client_request_id for pk in (1, 2, 3)] == caller.ids
    assert (len(server.seen), caller.pauses) == (1, [])


def test_answers_that_come_with_a_424_count() -> None:
    """Microsoft's throttling.md says that a batch with throttled items fails with 424."""
    caller = Batching()

    sent_in_batches(
        caller,
        rows_of(2),
        batch_of(item("1"), item("2", 429, Retry_After="7"), status=424),
        batch_of(item("1")),
    )

    assert caller.outcomes == [[(1, CREATED), (2, AGAIN)], [(2, CREATED)]]
    assert caller.pauses == [7.0]


def test_refused_items_are_sent_again_after_the_longest_wait() -> None:
    """429 and 424 are not applied; the others of their batch have their outcomes at once and do not go again."""
    caller = Batching()
    first = batch_of(
        item("1", 429, Retry_After="30,120"),
        item("2"),
        item("3", 429, Retry_After="2.128"),
        item("4", 424),
        item("5", 400),
    )

    ended, _ = sent_in_batches(caller, rows_of(5), first, batch_of(item("1"), item("2"), item("3")))

    assert (ended.left, caller.pauses) == ((), [120.0])
    assert caller.outcomes == [
        [(1, AGAIN), (2, CREATED), (3, AGAIN), (4, AGAIN), (5, REJECTED)],
        [(1, CREATED), (3, CREATED), (4, CREATED)],
    ]


def test_the_wait_of_an_item_may_be_a_date_that_counts_from_the_answer_to_the_batch() -> None:
    """An item has no Date of its own."""
    caller = Batching()
    lines = [b"Date: Mon, 23 Nov 2026 10:00:00 GMT"]
    until = "Mon, 23 Nov 2026 10:00:40 GMT"

    sent_in_batches(
        caller, rows_of(2), batch_of(item("1"), item("2", 429, Retry_After=until), lines=lines), batch_of(item("1"))
    )

    assert caller.pauses == [40.0]


def test_items_with_a_401_are_sent_again_with_a_new_token() -> None:
    """The token is renewed once, and only for the rows that were refused."""
    caller = Batching()

    ended, server = sent_in_batches(
        caller, rows_of(3), batch_of(item("1"), item("2", 401), item("3", 401)), batch_of(item("1"), item("2"))
    )

    assert (ended.left, caller.calls) == ((), ["refresh"])
    assert caller.outcomes == [[(1, CREATED), (2, REFRESH), (3, REFRESH)], [(2, CREATED), (3, CREATED)]]
    assert [seen.headers["authorization"] for seen in server.seen] == [f"Bearer {TOKEN}", f"Bearer {TOKEN_2}"]


@pytest.mark.parametrize(
    ("step", "pauses"),
    [(answer(429, b"", b"Retry-After: 9"), [9.0]), (answer(401), [])],
    ids=["429", "401"],
)
def test_a_batch_that_is_refused_as_a_whole_goes_again_as_a_whole(step: Step, pauses: list[float]) -> None:
    """Nothing of it was applied."""
    caller = Batching()

    ended, _ = sent_in_batches(caller, rows_of(2), step, batch_of(item("1"), item("2")))

    assert (ended.left, caller.sent, caller.pauses) == ((), [[1, 2], [1, 2]], pauses)
    assert [verdict for _, verdict in caller.outcomes[1]] == [CREATED, CREATED]


def test_a_token_that_is_refused_twice_gives_the_rows_back() -> None:
    """They are planned again, and the caller ends the run."""
    caller = Batching()
    rows = rows_of(2)

    ended, _ = sent_in_batches(caller, rows, answer(401))

    assert (ended.verdict, ended.left) == (REFRESH, tuple(rows))
    assert caller.outcomes == [[(1, REFRESH), (2, REFRESH)]] * 2


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (400, REJECTED), (422, REJECTED), (403, Verdict.STOP_TENANT), (404, Verdict.STOP_COLLECTION),
        (405, Verdict.STOP_ROUTE), (406, Verdict.STOP_ROUTE), (415, Verdict.STOP_ROUTE), (501, Verdict.STOP_ROUTE),
    ],
)  # fmt: skip
def test_a_batch_that_the_service_does_not_take_judges_no_row(status: int, verdict: Verdict) -> None:
    """Its rows are planned again and given back, to go one by one."""
    caller = Batching()
    rows = rows_of(2)

    ended, server = sent_in_batches(caller, rows, answer(status, b'{"error":{"code":"c","message":"m"}}'))

    assert (ended.verdict, ended.left, ended.answer.message) == (verdict, tuple(rows), "m")
    assert (caller.outcomes, len(server.seen)) == ([[(1, AGAIN), (2, AGAIN)]], 1)


def test_a_batch_that_is_too_large_goes_in_halves() -> None:
    """Down to one row, which then has to go by itself."""
    caller = Batching()
    rows = rows_of(5)

    ended, _ = sent_in_batches(caller, rows, answer(413), batch_of(item("1"), item("2")), answer(413))

    assert caller.sent == [[1, 2, 3, 4, 5], [1, 2], [3, 4], [3]]
    assert (ended.verdict, ended.left) == (REJECTED, tuple(rows[2:]))


def test_a_connection_that_never_came_to_be_is_tried_again() -> None:
    """Nobody listens: the rows are planned again after each attempt, and given back when it is time to stop."""
    caller = Batching(stop_after=6)
    rows = rows_of(2)

    ended, _ = sent_in_batches(caller, rows, answer(200), root=f"http://127.0.0.1:{unused_port()}/beta")

    assert (ended.verdict, ended.left) == (AGAIN, tuple(rows))
    assert caller.outcomes == [[(1, AGAIN), (2, AGAIN)]] * 3
    assert [1 <= wait <= 2 for wait in caller.pauses[:1]] == [True]


def test_an_end_gives_back_what_has_not_left() -> None:
    """No further batch leaves once it is time to stop."""
    caller = Batching(grants=[2], stop_after=2)
    rows = rows_of(5)

    ended, server = sent_in_batches(caller, rows, batch_of(item("1"), item("2")))

    assert (ended.verdict, ended.left, len(server.seen)) == (AGAIN, tuple(rows[2:]), 1)


def in_base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "echo",
    [
        lambda: {"error": {"code": "c", "message": f"bad: Bearer {TOKEN}"}},
        lambda: in_base64(f"<html><title>bad: Bearer {TOKEN}</title></html>"),
    ],
    ids=["JSON", "base64"],
)
def test_a_token_that_an_item_repeats_is_taken_out(echo: Callable[[], object]) -> None:
    """It reaches neither ledger nor report nor log."""
    caller = Batching()

    sent_in_batches(caller, rows_of(2), batch_of(item("1"), item("2", 400, echo())))

    assert caller.answers[2].message == "bad: Bearer [token]"
