"""`$batch`: its body in, the body of its answer out (json-batching.md of 2025-02-21). No I/O."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.simulator.answers import JSON_TYPE, Answer, Delivery, Problem, RefusedError

MOST_ITEMS = 20


@dataclass(frozen=True, slots=True)
class BatchItem:
    """One request inside a batch."""

    id: str
    method: str
    url: str  # below the version root, with a leading slash
    headers: Mapping[str, str]  # names in lower case
    body: bytes
    depends_on: tuple[str, ...]


def read_batch(sent: Mapping[str, object]) -> list[BatchItem]:
    """Return the items, each after those that it depends on.

    Raises RefusedError (400) for the whole batch when it is malformed: nothing of it is applied then.
    """
    requests = sent.get("requests")
    if not isinstance(requests, list) or not requests:
        raise _refused("Invalid batch payload format.")
    if len(requests) > MOST_ITEMS:
        raise _refused(f"Number of batch request steps exceeds the maximum value of {MOST_ITEMS}.")
    items = [_read_item(each) for each in requests]
    ids = [each.id.lower() for each in items]  # ids are compared without case
    if len(set(ids)) != len(ids):
        raise _refused("Request Id values have to be unique in a batch.")
    return _in_order_of_dependence(items)


def _read_item(sent: object) -> BatchItem:
    if not isinstance(sent, dict):
        raise _refused("Invalid batch payload format.")
    item_id, method, url = sent.get("id"), sent.get("method"), sent.get("url")
    if not isinstance(item_id, str) or not item_id:
        raise _refused("Request Id is required and has to be a string.")
    if not isinstance(method, str) or method.upper() not in {"GET", "POST", "PUT", "PATCH", "DELETE"}:
        raise _refused(f"Request id {item_id} has no valid method.")
    if not isinstance(url, str) or not url.startswith("/"):
        raise _refused(f"Request id {item_id} has to have a relative URL with a leading slash.")
    headers = sent.get("headers", {})
    if not isinstance(headers, dict) or not all(isinstance(each, str) for each in headers.values()):
        raise _refused(f"Request id {item_id} has headers that are no JSON object of strings.")
    headers = {name.lower(): value for name, value in headers.items()}
    # Graph refuses the whole batch for this (msgraph-sdk-dotnet#2628).
    if method.upper() not in {"GET", "DELETE"} and not ("content-type" in headers and "body" in sent):
        raise _refused(f"Write request id : {item_id} does not contain Content-Type header or body.")
    depends_on = sent.get("dependsOn", [])
    if not isinstance(depends_on, list) or not all(isinstance(each, str) for each in depends_on):
        raise _refused(f"Request id {item_id} has a dependsOn that is no array of strings.")
    body = json.dumps(sent["body"]).encode() if "body" in sent else b""
    return BatchItem(item_id, method.upper(), url, headers, body, tuple(depends_on))


def _in_order_of_dependence(items: Sequence[BatchItem]) -> list[BatchItem]:
    ordered: list[BatchItem] = []
    done: set[str] = set()
    waiting = list(items)
    while waiting:
        ready = [each for each in waiting if done.issuperset(id_.lower() for id_ in each.depends_on)]
        if not ready:
            raise _refused(f"Request id {waiting[0].id} depends on a request that is not there, or on itself.")
        ordered += ready
        done.update(each.id.lower() for each in ready)
        waiting = [each for each in waiting if each not in ready]
    return ordered


def missed_dependency() -> Problem:
    """Return the error of an item whose dependency did not succeed."""
    return Problem(424, "FailedDependency", "A request that this one depends on did not succeed.")


def batch_answer(answers: Sequence[tuple[BatchItem, Answer]]) -> dict[str, object]:
    """Return the body of the outer 200, the items in the order given.

    An item whose answer is lost on the way (dropped, half, silent) is missing: inside a batch that is how an outcome
    stays unknown.
    """
    return {"responses": [_item(item, answer) for item, answer in answers if answer.delivery is Delivery.WHOLE]}


def _item(item: BatchItem, answer: Answer) -> dict[str, object]:
    headers = dict(answer.headers)
    responded: dict[str, object] = {"id": item.id, "status": answer.status, "headers": headers}
    if not answer.body:
        return responded
    if headers["Content-Type"] == JSON_TYPE:
        try:
            return responded | {"body": json.loads(answer.body)}
        except ValueError:
            pass
    # Graph puts what is no JSON into a string of base64.
    return responded | {"body": base64.b64encode(answer.body).decode("ascii")}


def _refused(message: str) -> RefusedError:
    return RefusedError(Problem(400, "BadRequest", message))
