"""A sentinel for every secret, searched for in every file, in all that is said, and in what objects show."""

import asyncio
import os
import socket
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from types import CellType, FunctionType, MethodType

import pytest
import typer
from import_cases import Site, devices
from security_cases import (
    CERTIFICATE_PASSWORD,
    CLIENT_SECRET,
    OPAQUE_TOKEN,
    TOKEN,
    Asked,
    EchoService,
    has_caller,
    hostile,
    http,
    jwt_of,
    leaks,
    listening,
)

from pipeline.auth import open_token_source
from pipeline.cli.ending import ending
from pipeline.cli.jobs import finish
from pipeline.cli.options import Asked as Options
from pipeline.cli.options import Globals, Output
from pipeline.errors import CertstateError, ConfigError, ExitCode, PreflightError
from pipeline.run import import_files, report_run, resume_run, retry_run
from pipeline.sending_run import Finished
from pipeline.session import Job, new_run, open_session, working
from pipeline.undo import undo_run
from pipeline.verify import verify_run

ROWS = 3
OTHER_TENANTS_TOKEN = jwt_of("99999999-2222-4333-8444-555555555555")


def root_of(listener: socket.socket) -> str:
    """Return the address of the socket as a URL."""
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def said_by(verb: Callable[[], object]) -> str:
    """Return all that a verb brings forth: what it returns, or its exception with the traceback."""
    try:
        return repr(verb())
    except CertstateError as problem:
        return "".join(traceback.format_exception(problem))


def whole_story(site: Site, root: str, token: str) -> list[str]:
    """Call every verb that sends or reads back, and return what each said."""
    environ = {"GRAPH_TOKEN": token}

    def job() -> Job:
        return site.job(root, environ=environ)

    file = site.write("inventory.csv", devices(ROWS))
    said = [said_by(lambda: import_files([file], job()))]
    runs = site.select("SELECT id FROM runs") if (site.folder / "state" / "ledger.db").exists() else []
    for (run_id,) in runs:
        said += [
            said_by(lambda run_id=run_id: resume_run(run_id, job())),
            said_by(lambda run_id=run_id: verify_run(run_id, job(), wait_s=10)),
            said_by(lambda run_id=run_id: retry_run(run_id, job(), missing=False)),
            said_by(lambda run_id=run_id: undo_run(run_id, job(), include_adopted=True)),
            said_by(lambda run_id=run_id: report_run(run_id, job())),
        ]
    return [*said, *site.notes, repr(site.questions), repr(site.progress)]


@pytest.mark.parametrize(
    ("write", "page", "token"),
    [
        *((status, "values", OPAQUE_TOKEN) for status in (400, 401, 429, 500)),
        *(("created", page, OPAQUE_TOKEN) for page in (403, 500, "id", "link")),
        ("half", "id", OPAQUE_TOKEN),
        ("id", "values", OPAQUE_TOKEN),
        *(("id", "id", token) for token in (TOKEN, OPAQUE_TOKEN)),
        (400, "values", TOKEN),
    ],
    ids=lambda value: "jwt" if value == TOKEN else "opaque" if value == OPAQUE_TOKEN else None,
)
def test_a_service_that_repeats_the_token_everywhere_does_not_get_it_kept(
    site: Site, write: int | str, page: int | str, token: str
) -> None:
    """Whatever it answers, in bodies, ids, headers, links and values: no file and no word has a piece of it."""
    service = EchoService(write=write, page=page, rows=ROWS)
    with listening() as other, hostile(service) as server:
        service.foreign_root = root_of(other)
        said = whole_story(site, server.root, token)
        was_called = has_caller(other)

    assert {each.bearer for each in server.asked} == {token}
    assert leaks(site.folder, said, token) == []
    assert not was_called


@pytest.mark.parametrize("verb", ["verify", "resume", "remote check"])
def test_a_list_that_goes_on_at_another_host_is_not_followed(site: Site, verb: str) -> None:
    """The next page's link is refused in words, in whatever verb reads the list, and the other host hears nothing."""
    service = EchoService(write="created", page="values", rows=ROWS)
    environ = {"GRAPH_TOKEN": TOKEN}
    first, second = (site.write(f"{name}.csv", devices(ROWS, first=at)) for name, at in (("first", 1), ("second", 9)))
    with listening() as other, hostile(service) as server:
        service.foreign_root = root_of(other)
        if verb != "remote check":
            service.write = 500 if verb == "resume" else "created"
            run_id = site.imported(server.root, first, environ=environ, most_rows=1).summary.run.id
        service.page = "foreign"
        job = site.job(server.root, environ=environ)
        match verb:
            case "verify":
                finished: object = verify_run(run_id, job, wait_s=1)
            case "resume":
                finished = resume_run(run_id, job)
            case _:
                finished = import_files([second], replace(job, check_remote=True))
        was_called = has_caller(other)
    said = f"{finished} {site.notes}"

    assert "which is not this list at 127.0.0.1; that address was not asked and got no token" in said
    assert not was_called
    assert leaks(site.folder, [said], TOKEN) == []


@pytest.mark.parametrize("status", [302, 307])
def test_a_redirect_to_another_host_is_followed_by_no_verb(site: Site, status: int) -> None:
    """Neither a write nor a read goes where an answer sends it."""
    with listening() as other:
        location = f"Location: {root_of(other)}/beta"

        def reply(asked: Asked) -> bytes:
            is_first_list = asked.method == "GET" and not site.progress
            return http(200, {"value": []}) if is_first_list else http(status, {}, location)

        with hostile(reply) as server:
            whole_story(site, server.root, TOKEN)
        was_called = has_caller(other)

    assert {"GET", "POST"} <= {each.method for each in server.asked}
    assert not was_called


VERBS_THAT_SEND = (
    lambda site, job: import_files([site.write("inventory.csv", devices(1))], job),
    lambda _, job: resume_run(None, job),
    lambda _, job: retry_run(None, job, missing=False),
    lambda _, job: verify_run(None, job, wait_s=1),
    lambda site, job: undo_run(site.select("SELECT id FROM runs")[0][0], job, include_adopted=False),
)


@pytest.mark.parametrize("verb", VERBS_THAT_SEND, ids=["import", "resume", "retry", "verify", "undo"])
def test_a_token_for_another_tenant_is_refused_before_anything_is_sent(
    site: Site, verb: Callable[[Site, Job], object]
) -> None:
    """The objects of one customer never go to another, and the service hears nothing of it."""
    service = EchoService(write="created", page="values", rows=ROWS)
    with hostile(service) as server:
        site.imported(server.root, site.write("inventory.csv", devices(1)), environ={"GRAPH_TOKEN": TOKEN})
        server.asked.clear()
        with pytest.raises(PreflightError, match=r"the token is for tenant 99999999-.*, and tenant\.id is 11111111-"):
            verb(site, site.job(server.root, environ={"GRAPH_TOKEN": OTHER_TENANTS_TOKEN}))

    assert server.asked == []


@pytest.mark.parametrize(
    "graph_url",
    [
        "http://graph.microsoft.com/beta",
        "https://graph.microsoft.com.contoso.com/beta",
        "https://graph.microsoft.com:8443/beta",
        "https://graph.microsoft.us/beta",
        "https://contoso.com/beta#graph.microsoft.com",
        "https://127.0.0.1@contoso.com/beta",
        "https://127.0.0.1.contoso.com/beta",
        "http://localhost.contoso.com/beta",
        "http://0.0.0.0:{port}/beta",
        "http://[::ffff:127.0.0.1]:{port}/beta",
    ],
)
def test_rows_and_token_stay_here_unless_the_host_is_graphs(site: Site, graph_url: str) -> None:
    """A service root that is neither Graph of the configured cloud over TLS nor this machine is refused at once."""
    with listening() as other:
        url = graph_url.format(port=other.getsockname()[1])
        with pytest.raises(ConfigError) as refused:
            site.imported(url, site.write("inventory.csv", devices(1)), environ={"GRAPH_TOKEN": TOKEN})
        was_called = has_caller(other)

    assert not was_called
    assert not (site.folder / "state").exists()
    assert leaks(site.folder, [str(refused.value)], TOKEN) == []


# --- what objects and ends show ---


def shown_by(thing: object, seen: set[int]) -> Iterator[str]:
    """Yield what the thing and all that it holds show of themselves; what our own code did not make ends the walk."""
    if id(thing) in seen or thing is os.environ:
        return
    seen.add(id(thing))
    yield repr(thing)
    yield str(thing)
    if isinstance(thing, Mapping):
        inner: Iterable[object] = [*thing.keys(), *thing.values()]
    elif isinstance(thing, list | tuple | set | frozenset):
        inner = thing
    elif isinstance(thing, MethodType):
        inner = [thing.__self__]
    elif isinstance(thing, FunctionType):
        inner = [cell.cell_contents for cell in thing.__closure__ or () if _is_filled(cell)]
    elif type(thing).__module__.startswith("pipeline."):
        names = [*getattr(thing, "__dict__", ()), *getattr(type(thing), "__slots__", ())]
        inner = [getattr(thing, name) for name in names if hasattr(thing, name)]
    else:
        inner = ()
    for each in inner:
        yield from shown_by(each, seen)


def _is_filled(cell: CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018 - it raises where there is nothing
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("method", ["token", "client-secret"])
def test_no_object_shows_a_secret(site: Site, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    """Settings, job, session, token source, access and service can be printed in any log, whatever is in them."""
    client_id = "99999999-8888-4777-8666-555555555555"
    site.config += (
        f"auth: {{method: {method}, client_id: {client_id}, client_secret_env: APP_SECRET, "
        "certificate_password_env: KEY_PASSWORD}\n"
    )
    secrets = {"GRAPH_TOKEN": TOKEN, "APP_SECRET": CLIENT_SECRET, "KEY_PASSWORD": CERTIFICATE_PASSWORD}
    for name, secret in secrets.items():
        monkeypatch.setenv(name, secret)
    job = replace(site.job("http://127.0.0.1:1/beta"), environ=os.environ)
    tokens = open_token_source(job.settings.auth, job.settings.tenant, "http://127.0.0.1:1/beta", os.environ)
    with ExitStack() as stack:
        things: list[object] = [job, job.settings, tokens]
        if method == "token":
            session = stack.enter_context(open_session(job, "test"))
            folder = site.folder / "runs" / "run"
            stack.enter_context(new_run(session.ledger, "run", folder, "import", job.settings))
            things += [session, stack.enter_context(working(session, "run", folder, job))]
            assert asyncio.run(session.tokens.token()) == TOKEN
        shown = [text for thing in things for text in shown_by(thing, set())]

    assert len(shown) > 50
    assert [leaks(site.folder, shown, secret) for secret in secrets.values()] == [[], [], []]


@pytest.mark.parametrize("output", [Output.TEXT, Output.JSON])
def test_an_internal_error_with_traceback_shows_no_secret(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], output: Output
) -> None:
    """--verbose prints where a defect is, and nothing of what the variables held."""
    monkeypatch.setenv("GRAPH_TOKEN", TOKEN)
    site.job()  # writes config.yaml
    chosen = Globals(site.folder / "config.yaml", output, has_color=False, is_verbose=True)

    def defect(job: Job) -> Finished:
        with open_session(job, "test") as session:
            bearer = asyncio.run(session.tokens.token())
            headers = {"Authorization": f"Bearer {bearer}"}
            raise RuntimeError(f"a defect of {len(headers)} header")

    asked = Options(graph_url="http://127.0.0.1:1/beta", is_confirmed=True)
    with pytest.raises(typer.Exit) as ended, ending(chosen):
        finish(chosen, asked, defect, sends=True)
    said = capsys.readouterr()

    assert ended.value.exit_code == ExitCode.INTERNAL
    assert "a defect of 1 header" in said.err
    assert "Traceback" in said.err
    assert leaks(site.folder, [said.out, said.err], TOKEN) == []
