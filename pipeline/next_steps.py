"""What to do next after a run, as a sentence and the exact command for it."""

import os
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.ledger import Holding
from pipeline.model import RunInfo, State, StopReason
from pipeline.report import Forecast, NextStep, TenantLook

UNDERSTOOD = {
    "validate": {"--edition", "--out", "--preset", "--strict", "--no-repair"},
    "resume": {"--graph-url", "--state"},
    "retry": {"--graph-url", "--state"},
    "report": {"--graph-url", "--state"},
}
"""What a verb takes over of the options of the call before it; `import` takes them all."""

IN_DOUBT = (State.UNKNOWN, State.SENDING)
"""Rows that may have arrived: a row under way is one, as long as nobody has settled it."""

UNFINISHED = (State.PLANNED, State.SENDING, State.UNSENT, State.UNKNOWN)
"""States of an object whose owner still has something to send to it, or to settle."""


@dataclass(frozen=True, slots=True)
class Call:
    """How the command was called, so that the next command can be printed exactly."""

    program: tuple[str, ...]  # `certstate`, with the options before the verb
    files: tuple[str, ...]  # with the options that reading them needs
    options: tuple[tuple[str, ...], ...]  # options with their values, as far as the next command needs them too

    def command(self, verb: str, *arguments: str) -> str:
        """Return the command to type, quoted as this system's shell wants it: PowerShell on Windows."""
        options = [word for option in self.options if option[0] in UNDERSTOOD.get(verb, option) for word in option]
        words = [*self.program, verb, *arguments, *options]
        return " ".join(_for_powershell(word) for word in words) if os.name == "nt" else shlex.join(words)


def _for_powershell(word: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9_.:/\\=-]+", word):
        return word
    return "'" + word.replace("'", "''") + "'"


def near_path(path: Path) -> Path:
    """Return the path as seen from the current folder, if it lies below it."""
    absolute = path.absolute()
    return absolute.relative_to(Path.cwd()) if absolute.is_relative_to(Path.cwd()) else absolute


def steps_after_dry_run(
    counts: dict[State, int],
    waiting: int,
    folder: Path,
    call: Call,
    forecast: Forecast | None,
    *,
    has_cures: bool,
    has_too_many_errors: bool,
) -> Iterator[NextStep]:
    """Yield what follows a dry run or a plan: mend what is wrong, then carry it out.

    `has_cures` says that the report has lines for config.yaml which cure errors.
    """
    to_mend = str(near_path(folder / "errors.xlsx"))
    is_wrong = counts.get(State.INVALID) or counts.get(State.CONFLICTING)
    if is_wrong and has_cures:
        sentence = "put the report's lines for config.yaml into it, fill in each `...`, and check the file again:"
        yield NextStep(sentence, call.command("validate", *call.files))
    if is_wrong:
        yield NextStep(f"correct the file, or {to_mend} and check that:", call.command("validate", to_mend))
    what = "carry the plan out" if forecast else "import the valid rows"
    words = list(call.files)
    if forecast and forecast.saved:
        words += ["--plan", forecast.saved]
    elif forecast and forecast.tenant is TenantLook.CHECKED:
        words.append("--check-remote")
    if waiting and has_too_many_errors:
        command = call.command("import", *words, "--max-errors", "100%")
        yield NextStep(f"{what} all the same, though more rows have errors than --max-errors lets pass:", command)
    elif waiting:
        yield NextStep(f"{what}:", call.command("import", *words))


def steps_for_missing(run_id: str, standing: Iterable[Holding], sentence: str, call: Call) -> Iterator[NextStep]:
    """Yield what brings the run's missing objects back: the run whose request to them was the last one is to do it."""
    gone = [each for each in standing if State.MISSING in {each.row_state, each.object_state}]
    begun = (each.owner_id for each in gone if each.object_state in UNFINISHED and each.owner_id != run_id)
    for owner_id in dict.fromkeys(begun):
        yield NextStep(f"finish what run {owner_id} began with missing objects:", call.command("resume", owner_id))
    for owner_id in dict.fromkeys(each.owner_id for each in gone if each.object_state is State.MISSING):
        yield NextStep(sentence, call.command("retry", owner_id, "--missing"))


def steps_after_import(
    run: RunInfo,
    counts: dict[State, int],
    folder: Path,
    call: Call,
    *,
    waiting: int,
    orphaned: int,
    standing: Sequence[Holding],
) -> Iterator[NextStep]:
    """Yield what follows a run that sends: settle what is unknown, mend what is wrong, go on with the rest.

    `waiting` rows are those that `resume` would send, `orphaned` ones those that nothing sends any more, `standing` the
    objects of rows that are missing.
    """
    refused = counts.get(State.REJECTED, 0) + counts.get(State.REJECTED_BEFORE, 0)
    bad = counts.get(State.INVALID, 0) + counts.get(State.CONFLICTING, 0) + refused
    to_mend = str(near_path(folder / "errors.xlsx"))
    is_in_doubt = any(counts.get(state) for state in IN_DOUBT)
    if is_in_doubt:
        rest = ", and go on with the unsent ones" if waiting and not run.stop else ""
        sentence = f"read the tenant back, to settle the unknown rows{rest}:"
        yield NextStep(sentence, call.command("resume", run.id))
    if bad:
        yield NextStep(f"correct {to_mend} and import it:", call.command("import", to_mend))
    elif orphaned:
        yield NextStep("import the unsent rows again, whose object was taken away:", call.command("import", to_mend))
    if refused:
        yield NextStep("or, if the tenant was mended, send the rejected rows again:", call.command("retry", run.id))
    missing = (each for each in standing if each.row_state is State.MISSING)
    yield from steps_for_missing(run.id, missing, "send the missing rows again:", call)
    if waiting and run.stop == StopReason.INVALID:
        yield NextStep("or send the other rows all the same:", call.command("import", *call.files))
    elif waiting and run.stop == StopReason.PLAN:
        if call.files:
            yield NextStep("see what would be done now:", call.command("plan", *call.files))
    elif waiting and run.stop == StopReason.THRESHOLD:
        resume = call.command("resume", run.id, "--max-errors", "100%")
        yield NextStep("or send the other rows all the same:", resume)
    elif waiting and not (is_in_doubt and not run.stop):
        yield NextStep("go on with the unsent rows:", call.command("resume", run.id))


def steps_after_undo(run: RunInfo, counts: dict[State, int], waiting: int, call: Call) -> Iterator[NextStep]:
    """Yield what follows an undo that is not finished."""
    if waiting or any(counts.get(state) for state in IN_DOUBT):
        yield NextStep("go on with the undo:", call.command("resume", run.id))
    if counts.get(State.REJECTED):
        yield NextStep("try again to delete what is left:", call.command("undo", run.parent_id))
