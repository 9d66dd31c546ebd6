"""What people use otherwise, against the same tenant: `python benchmarks/quota_peers.py loop|sdk ROOT REQUESTS`.

A program of its own, so that a peer needs none of certstate's packages, and certstate none of the peer's. REQUESTS is a
JSON file of [path below ROOT, body] pairs. Prints one JSON line: rows created, rows that were given up.
"""

import argparse
import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx

WORKERS = 20
TIMEOUT_S = 100.0
MOST_WAITS = 50
"""The loop tries a row so often; with fewer it loses rows, as the SDK's three do."""

Post = Callable[[str, dict[str, Any]], Awaitable[int]]


def loop_client(root: str) -> tuple[httpx.AsyncClient, Post]:
    """Return a client and how a row is posted: httpx and tenacity, waiting for Retry-After, as people write it."""
    import tenacity  # noqa: PLC0415 - each peer needs its own packages only

    client = httpx.AsyncClient(base_url=root, timeout=TIMEOUT_S, headers={"Authorization": "Bearer loop"})
    back_off = tenacity.wait_exponential(min=1, max=60)

    def wait_s(state: tenacity.RetryCallState) -> float:
        told = state.outcome.result().headers.get("Retry-After") if state.outcome else None
        return float(told) if told else back_off(state)

    async def post(path: str, body: dict[str, Any]) -> int:
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_result(lambda answer: answer.status_code in {429, 503}),
            wait=wait_s,
            stop=tenacity.stop_after_attempt(MOST_WAITS),
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
        )
        answer: httpx.Response = await retrying(client.post, path, json=body)
        return answer.status_code

    return client, post


def sdk_client(root: str) -> tuple[httpx.AsyncClient, Post]:
    """Return a client with the retry middleware of Microsoft's SDK at its defaults: three retries."""
    from kiota_http.kiota_client_factory import KiotaClientFactory  # noqa: PLC0415 - each peer needs its own only
    from kiota_http.middleware import RetryHandler  # noqa: PLC0415 - each peer needs its own only

    bare = httpx.AsyncClient(
        base_url=root, timeout=TIMEOUT_S, headers={"Authorization": "Bearer sdk"}, transport=httpx.AsyncHTTPTransport()
    )
    client = KiotaClientFactory.create_with_custom_middleware([RetryHandler()], client=bare)

    async def post(path: str, body: dict[str, Any]) -> int:
        return (await client.post(path, json=body)).status_code

    return client, post


async def send(kind: str, root: str, requests: list[tuple[str, dict[str, Any]]]) -> dict[str, int]:
    """Post all rows with twenty workers; return how many were created, and how many given up."""
    client, post = (loop_client if kind == "loop" else sdk_client)(f"{root}/")
    waiting = iter(requests)
    created = failed = 0

    async def work() -> None:
        nonlocal created, failed
        for path, body in waiting:
            status = await post(path, body)
            created += status == 201
            failed += status != 201

    async with client:
        await asyncio.gather(*(work() for _ in range(WORKERS)))
    return {"created": created, "failed": failed}


def main() -> None:
    """Send, and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=["loop", "sdk"])
    parser.add_argument("root")
    parser.add_argument("requests", type=Path)
    asked = parser.parse_args()
    requests = [tuple(each) for each in json.loads(asked.requests.read_text("utf-8"))]
    print(json.dumps(asyncio.run(send(asked.kind, asked.root, requests))))


if __name__ == "__main__":
    main()
