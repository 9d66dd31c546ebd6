"""From options to a job, and from a finished job to what is printed."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from glob import has_magic
from pathlib import Path

import typer
from rich.console import Console

from pipeline.auth import is_loopback, scope_of, service_root_of
from pipeline.cli.inspection import inspect_files
from pipeline.cli.options import Asked, Globals, Output
from pipeline.cli.progress import has_terminal, reporter
from pipeline.cli.streams import answer, answering, tell
from pipeline.cli.terminal import open_console, show_finished
from pipeline.config import Overrides, Settings, load_settings
from pipeline.errors import UsageError
from pipeline.load import LoadOptions
from pipeline.next_steps import Call, near_path
from pipeline.permissions import loose_permissions
from pipeline.presets import PRESETS, Preset
from pipeline.report import write_junit
from pipeline.sending_run import Finished
from pipeline.session import Job, Watcher


def finish(chosen: Globals, asked: Asked, verb: Callable[[Job], Finished], *, sends: bool) -> None:
    """Carry the verb out, print how it ended, and end with its exit code."""
    settings = settings_of(chosen, asked)
    if sends:
        _check_before_reading(settings, asked)
    finished = run_job(chosen, asked, settings, verb, sends=sends)
    raise typer.Exit(finished.exit_code)


def named_files(paths: Sequence[Path]) -> tuple[Path, ...]:
    """Return the paths, patterns such as `certs/*.pem` replaced by the files they match: Windows' shells do not.

    Raises UsageError when a pattern matches no file.
    """
    files: list[Path] = []
    for path in paths:
        if path.exists() or not has_magic(str(path)):
            files.append(path)
            continue
        matches = sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
        if not matches:
            raise UsageError(f"{path}: no file has a name like this; check the pattern and the folder")
        files += matches
    return tuple(files)


def look(chosen: Globals, asked: Asked) -> None:
    """Print how the files are read and how their columns could be mapped. Sends and writes nothing."""
    settings = settings_of(chosen, asked)
    inspect_files(chosen, named_files(asked.files), settings, _load_options(asked), _preset(asked.preset))


def run_job(
    chosen: Globals, asked: Asked, settings: Settings, verb: Callable[[Job], Finished], *, sends: bool
) -> Finished:
    """Carry the verb out with progress on stderr, and print its summary, or report.json, on stdout."""
    if asked.junit is not None:
        _make_room_for(asked.junit)
    with open_job(chosen, asked, settings, is_told=sends) as job:
        finished = verb(job)
    if asked.junit is not None:
        _write_junit(asked.junit, finished)
    if chosen.output is Output.JSON:
        # In ASCII, because a pipe on Windows is rarely UTF-8.
        document = json.loads((finished.folder / "report.json").read_text("utf-8"))
        answer(f"{json.dumps(document, indent=2)}\n")
        if finished.stop_message:
            tell(f"certstate: {finished.stop_message}")
    else:
        show(chosen, lambda console: show_finished(console, finished))
    return finished


def _make_room_for(junit: Path) -> None:
    """Delete the JUnit report of an earlier run: should this one not get that far, it would be taken for this one's.

    Raises UsageError where none can be written.
    """
    if junit.suffix.lower() != ".xml":
        raise UsageError(f"{junit}: the name of a JUnit report ends in .xml; name it such as junit.xml")
    if not junit.parent.is_dir():
        raise UsageError(f"{junit.parent}: no such folder for the JUnit report; make it, or name another place")
    try:
        junit.unlink(missing_ok=True)
    except OSError as problem:
        raise UsageError(
            f"{junit}: the JUnit report of an earlier run cannot be replaced ({problem.strerror}); close the program "
            "that has the file open, or name another one"
        ) from problem


def _write_junit(path: Path, finished: Finished) -> None:
    try:
        write_junit(path, finished.summary)
    except OSError as problem:
        raise UsageError(
            f"{path}: the JUnit report cannot be written ({problem.strerror}); what became of the rows stands in "
            f"{near_path(finished.folder)}"
        ) from problem


@contextmanager
def open_job(chosen: Globals, asked: Asked, settings: Settings, *, is_told: bool) -> Iterator[Job]:
    """Yield the job, with its progress on stderr; `is_told` says there first which tenant and ledger it is about."""
    if is_told:
        tell(f"Service  {service_root_of(settings.tenant)}")
        tell(f"Tenant   {settings.tenant.id or 'none'}")
        tell(f"Ledger   {near_path(settings.ledger_path)}")
    with reporter(open_console(is_error=True, has_color=chosen.has_color)) as shown:
        ask = (lambda _: True) if asked.is_confirmed else shown.ask
        yield Job(
            settings=settings,
            call=_call(chosen, asked),
            watch=Watcher(shown.reading, shown.sending, shown.note, ask, shown.deleting, shown.looking, shown.writing),
            environ=os.environ,
            load=_load_options(asked),
            preset=_preset(asked.preset),
            repairs=asked.repairs,
            is_strict=asked.is_strict,
            aborts_on_invalid=asked.aborts_on_invalid,
            most_rows=asked.most_rows,
            jobs=asked.jobs,
            check_remote=asked.check_remote,
        )


def show(chosen: Globals, print_on: Callable[[Console], None]) -> None:
    """Print on stdout what is printed on the console."""
    console = open_console(is_error=False, has_color=chosen.has_color)
    with answering():
        with console.capture() as text:  # Rich itself would end the process when a reader goes away
            print_on(console)
        answer(text.get())


def settings_of(chosen: Globals, asked: Asked) -> Settings:
    """Return the settings, and warn of files that others on this machine can use.

    Raises ConfigError, and UsageError for a name that this system cannot spell.
    """
    _check_names(asked)
    settings = load_settings(chosen.config, _overrides(asked))
    path = chosen.config or Path("config.yaml")
    loose = loose_permissions(
        config=path if path.exists() else None,
        ledger=near_path(settings.ledger_path),
        runs=near_path(settings.runs_dir),
        private_key=settings.auth.certificate_path,
    )
    for sentence in loose:
        tell(f"certstate: warning: {sentence}")
    return settings


def _overrides(asked: Asked) -> Overrides:
    return Overrides(
        edition=asked.edition,
        graph_url=asked.graph_url,
        concurrency=asked.concurrency,
        mode=asked.mode,
        quota=asked.quota,
        max_errors=asked.max_errors,
        state=asked.state,
        out=asked.out,
    )


def _preset(name: str | None) -> Preset | None:
    if name is not None and name not in PRESETS:
        raise UsageError(f"--preset {name}: there is no such preset; choose among {', '.join(PRESETS)}")
    return PRESETS[name] if name is not None else None


def _check_names(asked: Asked) -> None:
    for path in (*asked.files, asked.state, asked.out, asked.plan, asked.junit):
        try:
            str(path).encode()
        except UnicodeEncodeError as problem:  # such as the bytes of an old Latin-1 share on Linux
            raise UsageError(f"{path}: the name is not in the encoding of this system; rename it") from problem


def _check_before_reading(settings: Settings, asked: Asked) -> None:
    """Raise UsageError for what would keep the rows from leaving once the files are read."""
    service_root = scope_of(settings.tenant).service_root
    if asked.is_confirmed or has_terminal():
        return
    if asked.deletes:
        raise UsageError(f"there is no terminal to ask on before objects of {service_root} are deleted; add --yes")
    if not is_loopback(service_root):
        raise UsageError(f"there is no terminal to ask on before rows are sent to {service_root}; add --yes")


def _call(chosen: Globals, asked: Asked) -> Call:
    program = ("certstate", *(("--config", str(chosen.config)) if chosen.config else ()))
    files = (*(str(path) for path in asked.files), *asked.words_of_reading())
    return Call(program, files, asked.kept())


def _load_options(asked: Asked) -> LoadOptions:
    return LoadOptions(asked.sheets, asked.encoding, _delimiter(asked.delimiter), asked.header_row)


def _delimiter(text: str | None) -> str | None:
    return "\t" if text is not None and text.casefold() in {"tab", "\\t"} else text
