"""How the process ends: each problem as one sentence on stderr, as JSON on stdout if so ordered, and its exit code."""

import json
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import ClassVar, Literal, NoReturn

import typer

from pipeline.cli.options import GLOBAL_OPTIONS, Globals, Output
from pipeline.cli.streams import answer, tell
from pipeline.errors import CertstateError, ExitCode
from pipeline.interrupt import TerminatedError

GO_ON = "the same command again goes on, and sends no row twice"


NOTHING_DONE = "nothing was sent"


# Both are read by pydantic for their schema, and are no models of its own: importing it would make `--help` wait.
@dataclass(frozen=True, slots=True)
class Problem:
    """Why the call ended, and with which exit code."""

    message: str
    exit_code: ExitCode

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}


@dataclass(frozen=True, slots=True)
class ErrorDocument:
    """What `--output json` answers, whatever the verb, when the call ends before there is anything else to answer."""

    schema_version: Literal[1]
    error: Problem

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}


@contextmanager
def ending(chosen: Globals, *, sends: bool = True) -> Iterator[None]:
    """Turn what the block raises into words and an exit code. The outermost frame of every verb.

    A signal may carry words of its own on how to go on.
    """
    go_on = GO_ON if sends else NOTHING_DONE
    try:
        yield
    except typer.Exit:
        raise
    except CertstateError as problem:
        _end(chosen, str(problem), problem.exit_code)
    except TerminatedError as signalled:
        _end(chosen, f"terminated; {str(signalled) or go_on}", ExitCode.TERMINATED)
    except KeyboardInterrupt as signalled:
        _end(chosen, f"interrupted; {str(signalled) or go_on}", ExitCode.INTERRUPTED)
    except Exception as problem:  # noqa: BLE001 - the one place where a defect becomes a sentence
        if chosen.is_verbose:
            traceback.print_exception(problem)
        advice = "" if chosen.is_verbose else "; call it again with --verbose before the verb to see where"
        kind = type(problem).__name__
        _end(chosen, f"internal error, please report it: {kind}: {problem}{advice}", ExitCode.INTERNAL)


def misused(problem: typer.TyperException, words: Sequence[str] = ()) -> ExitCode:
    """Tell what is wrong with the command line itself, and return the exit code. `words` is the command line."""
    context = getattr(problem, "ctx", None)
    path = context.command_path if context else "certstate"
    option = getattr(problem, "option_name", "")
    if option in GLOBAL_OPTIONS and path != "certstate":
        sentence = f"{option} stands before the verb: certstate {option} ... {path.removeprefix('certstate ')} ..."
    else:
        what = problem.format_message().replace("Value error, ", "").rstrip(".")
        sentence = f"{what}; see `{path} --help`"
    _tell(_ordered_output(context, words), sentence, ExitCode.USAGE)
    return ExitCode.USAGE


def without_verb(output: Output, help_text: str) -> NoReturn:
    """Show the help on stderr, because nothing was done, and end."""
    if output is Output.JSON:
        _answer_error("Missing command; see `certstate --help`", ExitCode.USAGE)
    tell(help_text)
    raise typer.Exit(ExitCode.USAGE)


def _ordered_output(context: typer.Context | None, words: Sequence[str]) -> Output:
    """Return how to answer, from the words where the options before the verb could not be taken."""
    chosen = context.find_root().obj if context else None
    is_json = "--output=json" in words or ("--output", "json") in pairwise(words)
    return Output.JSON if is_json or (isinstance(chosen, Globals) and chosen.output is Output.JSON) else Output.TEXT


def _end(chosen: Globals, sentence: str, code: ExitCode) -> NoReturn:
    _tell(chosen.output, sentence, code)
    raise typer.Exit(code)


def _tell(output: Output, sentence: str, code: ExitCode) -> None:
    if output is Output.JSON:
        _answer_error(sentence, code)
    tell("\n".join(f"certstate: {line}" for line in sentence.splitlines()))


def _answer_error(sentence: str, code: ExitCode) -> None:
    message = sentence.encode("utf-8", "replace").decode()  # a name of a file may have what no JSON can hold
    answer(f"{json.dumps(asdict(ErrorDocument(1, Problem(message, code))), indent=2)}\n")
