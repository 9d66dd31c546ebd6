"""A Graph stand-in that costs as little as possible: `python benchmarks/stand_in.py` prints its root and serves.

It has no quota, no faults and no memory, so that what is measured against it is the client. It reads each request
whole, parses its JSON, and answers a POST to a collection with 201 and the entity under an id of its own, and a POST
to `$batch` with 200 and such a 201 for each item. Anything else gets a 404. It ends with its standard input.
"""

import asyncio
import sys
from itertools import count
from typing import cast

from pydantic_core import from_json, to_json

NUMBERS = count(1)
NOT_FOUND = 404, b'{"error":{"code":"ResourceNotFound","message":"This stand-in takes POST only."}}'


def main() -> None:
    """Serve until standard input ends."""
    asyncio.run(serve())


async def serve() -> None:
    """Listen on a free port of 127.0.0.1, print the service root, and end with standard input."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/beta", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


class Connection(asyncio.Protocol):
    """One connection: requests with a Content-Length, one after the other, answered in their order."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin with nothing read."""
        self._transport = cast("asyncio.Transport", transport)
        self._read = bytearray()

    def data_received(self, data: bytes) -> None:
        """Answer each request that is there as a whole."""
        self._read += data
        while (end := self._read.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._read[:end])
            lower = head.lower()
            at = lower.find(b"\r\ncontent-length:")
            length = int(lower[at + 17 :].partition(b"\r\n")[0]) if at >= 0 else 0
            if len(self._read) < end + 4 + length:
                return
            body = bytes(self._read[end + 4 : end + 4 + length])
            del self._read[: end + 4 + length]
            method, path, _ = head.split(b" ", 2)
            status, content = answer(method, path, body)
            self._transport.write(
                b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\nrequest-id: %b\r\n\r\n%b"
                % (status, len(content), new_id().encode(), content)
            )


def answer(method: bytes, path: bytes, body: bytes) -> tuple[int, bytes]:
    """Return status and body."""
    if method != b"POST":
        return NOT_FOUND
    sent = from_json(body)
    if not path.endswith(b"/$batch"):
        return 201, to_json({"id": new_id(), **sent})
    items = [
        {
            "id": each["id"],
            "status": 201,
            "headers": {"Content-Type": "application/json"},
            "body": {"id": new_id(), **each["body"]},
        }
        for each in sent["requests"]
    ]
    return 200, to_json({"responses": items})


def new_id() -> str:
    """Return an id in the form of a GUID that no other object has."""
    digits = f"{next(NUMBERS):032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


if __name__ == "__main__":
    main()
