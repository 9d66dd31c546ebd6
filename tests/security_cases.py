"""What the tests of security share: secrets and their traces, a hostile service, and what each written file must be."""

import base64
import csv
import gzip
import hashlib
import itertools
import json
import re
import socket
import threading
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

from import_cases import HEADER, TENANT_ID, Site
from openpyxl import load_workbook

PIECE_CHARACTERS = 14
"""A part of a token that is so long comes from nowhere else."""


def jwt_of(tenant_id: str, **claims: str) -> str:
    """Return a token as Entra's look, for the tenant."""
    parts = ({"typ": "JWT", "alg": "RS256"}, {"tid": tenant_id, "sub": "sentinel-of-the-payload", **claims})
    texts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*texts, "Zq7sentinel-of-the-signature_9XwV2bK4mR8tY1nP6"])


TOKEN = jwt_of(TENANT_ID)
OPAQUE_TOKEN = "Kx4-sentinel-token-7Qv2-without-any-dots-9Zr"
"""Looks like a request id to who only looks at its characters."""

CLIENT_SECRET = "Vb8~sentinel.client_secret-5Tn3"
CERTIFICATE_PASSWORD = "Wd6!sentinel certificate password 2Jh9"


def traces_of(secret: str) -> set[bytes]:
    """Return what gives the secret away: its pieces in UTF-8 and UTF-16, and all of it in base64 and hexadecimal."""
    tail = secret.rpartition(".")[2] if secret.count(".") == 2 and secret.startswith("ey") else secret
    pieces = [tail[at : at + PIECE_CHARACTERS] for at in range(0, len(tail) - PIECE_CHARACTERS + 1, 5)]
    # Where the text before it has one or two bytes more, base64 looks otherwise; the ends depend on the neighbours.
    encoded = [base64.b64encode(bytes(shift) + secret.encode()).decode()[4:-4] for shift in range(3)]
    texts = {*pieces, *encoded, *(each.replace("+", "-").replace("/", "_") for each in encoded), secret.encode().hex()}
    return {text.encode(codec) for text in texts for codec in ("utf-8", "utf-16-le", "utf-16-be")}


def leaks(folder: Path, texts: Sequence[str], secret: str) -> list[str]:
    """Return the files below the folder and the texts in which a trace of the secret is found."""
    traces = traces_of(secret)
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    contents = [(str(path.relative_to(folder)), content) for path in files for content in contents_of(path)]
    contents += [(f"text: {text[:2000]}", text.encode("utf-8", "surrogatepass")) for text in texts]
    contents += [(f"name: {path}", str(path).encode()) for path in files]
    return [name for name, content in contents if any(trace in content for trace in traces)]


def contents_of(path: Path) -> Iterator[bytes]:
    """Yield the file's bytes, and what is packed in them: the parts of a workbook, the lines of a page."""
    yield path.read_bytes()
    if path.suffix == ".xlsx":
        with zipfile.ZipFile(path) as archive:
            yield from (archive.read(name) for name in archive.namelist())
    elif path.suffix == ".html":
        yield from (gzip.decompress(base64.b64decode(each)) for each in page_of(path).packed)


class Page(HTMLParser):
    """What a page consists of, as a browser's parser sees it."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []  # (tag, name, value)
        self.packed: list[str] = []
        self.scripts: list[str] = []
        self.styles: list[str] = []
        self.texts: list[str] = []  # what is shown
        self.policies: list[str] = []
        self._into: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of the element; what stands in scripts and styles is text."""
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if ("http-equiv", "Content-Security-Policy") in attrs:
            self.policies.append(dict(attrs).get("content") or "")
        is_packed = ("id", "packed-lines") in attrs
        self._into = self.packed if is_packed else {"script": self.scripts, "style": self.styles}.get(tag)
        if self._into is not None:
            self._into.append("")

    def handle_data(self, data: str) -> None:
        """Keep what scripts and styles hold, which comes in pieces."""
        if self._into is None:
            self.texts.append(data)
        else:
            self._into[-1] += data

    def handle_endtag(self, tag: str) -> None:
        """Take note that a script or style has ended."""
        if tag in {"script", "style"}:
            self._into = None


def page_of(path: Path) -> Page:
    """Return the page, parsed."""
    page = Page()
    page.feed(path.read_text("utf-8"))
    page.close()
    return page


class Asked(NamedTuple):
    """One request as the hostile service read it."""

    method: str
    path: str  # with the query
    bearer: str
    body: bytes
    host: str = ""


Reply = Callable[[Asked], bytes]


class Hostile:
    """A service that answers with the bytes that its reply makes of a request; keeps what it was asked."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.asked: list[Asked] = []
        self.port = 0

    @property
    def root(self) -> str:
        """The service root."""
        return f"http://127.0.0.1:{self.port}/beta"


@contextmanager
def hostile(reply: Reply) -> Iterator[Hostile]:
    """Yield a hostile service on a port of its own."""
    service = Hostile(reply)

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            bearer = self.headers.get("Authorization", "").removeprefix("Bearer ")
            asked = Asked(self.command, self.path, bearer, body, self.headers.get("Host", ""))
            service.asked.append(asked)
            self.wfile.write(service.reply(asked))
            self.close_connection = True

        do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = _answer  # noqa: N815 - the names are given

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is given
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def listening() -> Iterator[socket.socket]:
    """Yield a socket that listens, and takes no connection by itself: `has_caller` tells whether somebody came."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener


def has_caller(listener: socket.socket) -> bool:
    """Return True when somebody connected."""
    try:
        listener.accept()[0].close()
    except BlockingIOError:
        return False
    return True


def http(status: int, body: object, *headers: str, reason: str = "X") -> bytes:
    """Return an answer with the JSON body, after which the connection is closed."""
    content = json.dumps(body).encode()
    head = (f"HTTP/1.1 {status} {reason}", f"Content-Length: {len(content)}", "Connection: close", *headers)
    return "\r\n".join((*head, "", "")).encode("utf-8") + content


def echo(asked: Asked, status: int) -> bytes:
    """Return an answer that repeats the token wherever an answer can hold something."""
    bearer = asked.bearer
    error = {
        "code": bearer,
        "message": f"Bearer {bearer} was not accepted: Authorization: Bearer {bearer}",
        "innerError": {"request-id": bearer, "client-request-id": bearer, "date": bearer},
    }
    return http(status, {"error": error}, *echoing_headers(bearer), reason=bearer)


def echoing_headers(bearer: str) -> Sequence[str]:
    """Return the headers that are read anywhere, each with the token."""
    return (
        f"request-id: {bearer}",
        f"client-request-id: {bearer}",
        f"Retry-After: {bearer}",
        f"Location: http://127.0.0.1:1/{bearer}",
        f'WWW-Authenticate: Bearer realm="{bearer}"',
        f"Date: {bearer}",
        f"Set-Cookie: session={bearer}",
        "Content-Type: application/json",
    )


class EchoService:
    """A hostile service: each write is answered with one status, each list in one way. Both repeat the token."""

    def __init__(self, *, write: int | str, page: int | str, rows: int) -> None:
        self.write, self.page, self.rows = write, page, rows
        self.foreign_root = ""
        self._numbers = itertools.count(1)

    def __call__(self, asked: Asked) -> bytes:
        """Answer a request."""
        if asked.method == "GET":
            return echo(asked, self.page) if isinstance(self.page, int) else self._page(asked)
        if isinstance(self.write, int):
            return echo(asked, self.write)
        number = next(self._numbers)
        object_id = asked.bearer if self.write == "id" else f"object-{number}"
        body = {"id": object_id, "deviceDisplayName": asked.bearer}
        answer = http(201 if asked.method == "POST" else 200, body, *echoing_headers(asked.bearer), reason=asked.bearer)
        return answer[:-20] if self.write == "half" else answer

    def _page(self, asked: Asked) -> bytes:
        place = asked.path.partition("?")[0]
        if not place.endswith("managedDeviceCertificateStates"):
            entity = {"id": place.rpartition("/")[2], **dict.fromkeys(HEADER, asked.bearer)}
            return http(200, {"value": entity}, *echoing_headers(asked.bearer), reason=asked.bearer)
        page: dict[str, object] = {
            "@odata.context": asked.bearer,
            "value": [
                {"id": f"object-{number}", **dict.fromkeys(HEADER, f"is {asked.bearer}")}
                for number in range(1, self.rows)
            ],
        }
        if self.page == "id":
            page["value"] = [{"id": asked.bearer, **dict.fromkeys(HEADER, asked.bearer)}]
        if self.page == "link" and "skiptoken" not in asked.path:
            page["@odata.nextLink"] = f"http://{asked.host}{asked.path.partition('?')[0]}?$skiptoken={asked.bearer}"
        if self.page == "foreign":
            page["value"] = []
            page["@odata.nextLink"] = f"{self.foreign_root}{asked.path}?$skiptoken={asked.bearer}"
        return http(200, page, *echoing_headers(asked.bearer), reason=asked.bearer)


def latest_import(folder: Path) -> str:
    """Return the id of the latest run that imported, "" before the first one."""
    if not (folder / "state" / "ledger.db").exists():
        return ""
    runs = Site(folder).select("SELECT id FROM runs WHERE verb = 'import' ORDER BY rowid DESC LIMIT 1")
    return str(runs[0][0]) if runs else ""


# --- what a written file must be ---

FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20\t\r\n")
"""What a spreadsheet takes for the beginning of a formula, or skips before one (OWASP, CSV Injection)."""

BLANKS = " \u00a0\u3000\u200b\ufeff"


def is_run(cell: str) -> bool:
    """Return whether Excel or LibreOffice would run the cell, now or after it is trimmed."""
    return cell.startswith(FORMULA) or cell.lstrip(BLANKS).startswith(tuple("=+-@\uff1d\uff0b\uff0d\uff20"))


def controls_in(text: str, *, allowed: str = "\n") -> set[str]:
    """Return the characters with which a text could steer a terminal, or read in another order than it stands."""
    return {each for each in text if not each.isprintable() and each not in allowed}


def _problems_of_csv(path: Path) -> Iterator[str]:
    csv.field_size_limit(10_000_000)
    readings = []
    for delimiter in ",;\t":  # a spreadsheet splits at its country's, LibreOffice at all of them
        with path.open(encoding="utf-8-sig", newline="") as file:
            readings.append(list(csv.reader(file, delimiter=delimiter)))
    rows = max(readings, key=lambda each: len(each[0]))
    for number, row in enumerate(rows, start=1):
        if len(row) != len(rows[0]):
            yield f"{path.name} record {number}: {len(row)} cells under a header of {len(rows[0])}"
    for reading, split_at in zip(readings, ("comma", "semicolon", "tab"), strict=True):
        cells = ((number, cell) for number, row in enumerate(reading, start=1) for cell in row if is_run(cell))
        yield from (f"{path.name} record {number}, split at {split_at}: {cell[:60]!r} is run" for number, cell in cells)


def _problems_of_json(path: Path) -> Iterator[str]:
    json.loads(path.read_bytes().decode("utf-8"))
    yield from (f"{path.name}: {each!r} is raw" for each in controls_in(path.read_text("utf-8")) if each < " ")


def _problems_of_log(path: Path) -> Iterator[str]:
    *lines, last = path.read_bytes().decode("utf-8").split("\n")
    if last:
        yield f"{path.name}: the last line has no end"
    for number, line in enumerate(lines, start=1):
        if not isinstance(json.loads(line), dict):
            yield f"{path.name} line {number}: no object"
        yield from (f"{path.name} line {number}: {each!r} is raw" for each in controls_in(line) if each < " ")


def _problems_of_page(path: Path) -> Iterator[str]:
    page = page_of(path)
    policy = "".join(page.policies)
    for kind, texts in (("script", page.scripts), ("style", page.styles)):
        for text in texts:
            digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
            if f"'sha256-{digest}'" not in policy:
                yield f"{path.name}: a {kind} that the policy does not let in: {text[:60]!r}"
    if "default-src 'none'" not in policy:
        yield f"{path.name}: no policy that keeps everything else out"
    if len(page.scripts) > 1 or len(page.styles) > 1:
        yield f"{path.name}: {len(page.scripts)} scripts, {len(page.styles)} styles"
    for tag in page.tags.keys() & {"iframe", "object", "embed", "img", "base", "audio", "video"}:
        yield f"{path.name}: an element {tag}"
    for tag, name, value in page.attributes:
        is_inside = re.fullmatch(
            r"#.*|data:,|[^:/?#]+(/report\.html)?", value
        )  # an empty icon keeps browsers from asking
        is_foreign = name in {"href", "src", "action"} and not is_inside
        if name.startswith("on") or name == "style" or is_foreign:
            yield f"{path.name}: {tag} {name}={value[:60]!r}"
    shown = controls_in("".join(page.texts), allowed="\n\xa0")
    yield from (f"{path.name}: {each!r} is raw" for each in sorted(shown))
    for packed in page.packed:
        json.loads(gzip.decompress(base64.b64decode(packed)))


def _problems_of_workbook(path: Path) -> Iterator[str]:
    book = load_workbook(path)
    for sheet in book:
        for cell in (cell for row in sheet.iter_rows() for cell in row):
            where = f"{path.name}, {sheet.title}, {cell.coordinate}"
            if cell.value is not None and cell.data_type != "s":
                yield f"{where}: no text but {cell.data_type}"
            if isinstance(cell.value, str) and is_run(cell.value):
                yield f"{where}: {cell.value[:60]!r} would be run from a CSV file"
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if re.search("vba|external|embed|ctrl|connection", name)]
        yield from (f"{path.name}: a part {name}" for name in names)


EXAMINED: dict[str, Callable[[Path], Iterator[str]]] = {
    ".csv": _problems_of_csv,
    ".html": _problems_of_page,
    ".json": _problems_of_json,
    ".jsonl": _problems_of_log,
    ".log": _problems_of_log,
    ".xlsx": _problems_of_workbook,
}
"""How each kind of written file is examined, by its suffix. A new kind needs its line here."""


def problems_of(folder: Path) -> Iterator[str]:
    """Yield what is wrong with the files below a folder of runs; a kind that nobody examines is a problem too."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            examine = EXAMINED.get(path.suffix)
            if examine is None:
                yield f"{path.name}: no test examines files of this kind"
            else:
                yield from examine(path)
