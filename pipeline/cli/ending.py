"""How the process ends: each problem as one sentence on stderr, as JSON on stdout if so ordered, and its exit code."""

import json
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

from pipeline.cli.options import GLOBAL_OPTIONS, Globals, Output
from pipeline.cli.streams import answer, tell
from pipeline.errors import CertstateError, ExitCode
from pipeline.interrupt import TerminatedError

GO_ON = "the same command again goes on, and sends no row twice"


NOTHING_DONE = "nothing was sent"


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


def misused(problem: typer.TyperException) -> ExitCode:
    """Tell what is wrong with the command line itself, and return the exit code."""
    context = getattr(problem, "ctx", None)
    path = context.command_path if context else "certstate"
    chosen = context.find_root().obj if context else None
    option = getattr(problem, "option_name", "")
    if option in GLOBAL_OPTIONS and path != "certstate":
        sentence = f"{option} stands before the verb: certstate {option} ... {path.removeprefix('certstate ')} ..."
    else:
        what = problem.format_message().replace("Value error, ", "").rstrip(".")
        sentence = f"{what}; see `{path} --help`"
    _tell(chosen.output if isinstance(chosen, Globals) else Output.TEXT, sentence, ExitCode.USAGE)
    return ExitCode.USAGE


def _end(chosen: Globals, sentence: str, code: ExitCode) -> NoReturn:
    _tell(chosen.output, sentence, code)
    raise typer.Exit(code)


def _tell(output: Output, sentence: str, code: ExitCode) -> None:
    if output is Output.JSON:
        answer(f"{json.dumps({'error': {'message': sentence, 'exit_code': int(code)}}, indent=2)}\n")
    tell("\n".join(f"certstate: {line}" for line in sentence.splitlines()))
