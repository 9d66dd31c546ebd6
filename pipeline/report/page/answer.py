"""What a reader wants to know first: the answer in one sentence, how good it is, and the numbers. No I/O."""

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

from pipeline.findings import Severity, shorten
from pipeline.model import StopReason
from pipeline.report.summary import Summary
from pipeline.wording import counted, duration

MOST_REASON_CHARACTERS = 400


class Tone(StrEnum):
    """How good the answer is. The word is shown beside the colour that bears its name."""

    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    DOUBT = "doubt"
    PLAIN = "plain"


WORDS = {
    Tone.GOOD: "All good",
    Tone.WARN: "Worth a look",
    Tone.BAD: "Needs attention",
    Tone.DOUBT: "Not settled",
    Tone.PLAIN: "",
}
"""What each tone is called, for those who do not see its colour."""


class Tile(NamedTuple):
    """One number."""

    name: str  # stable, for tests and scripts
    label: str
    number: int
    note: str  # what it counts, where the label alone could be misread
    tone: Tone


LABELS_OF_ERRORS = ("invalid", "conflicting")
LABELS_OF_FAILURES = ("rejected", "missing", "failed")
LABELS_NOT_VALID = ("blank", "invalid", "duplicate", "conflicting")


def answer_of(summary: Summary) -> str:
    """Return how the run ended, in one sentence; a second one tells what would be overlooked else."""
    if summary.run.verb == "undo":
        told = _undo(summary)
    elif summary.is_dry_run:
        told = _dry_run(summary)
    else:
        told = _import(summary)
    return " ".join(each for each in (_warning(summary), told, _about_files(summary)) if each)


def tone_of(summary: Summary) -> Tone:
    """Return how good it is: what is wrong comes before what is unknown, that before what only needs a look."""
    rows = summary.rows_of
    about_files = any(each.severity is Severity.ERROR and not each.rows for each in summary.causes)
    bad = sum(rows(label) for label in (*LABELS_OF_ERRORS, *LABELS_OF_FAILURES, "not checked"))
    has_failed = summary.run.stop and summary.run.stop != StopReason.INTERRUPTED
    if not summary.is_balanced or about_files or bad or has_failed:
        return Tone.BAD
    if rows("unknown"):
        return Tone.DOUBT
    is_unfinished = summary.run.stop or any(
        rows(label) for label in ("unsent", "changed", "rejected before", "kept", "duplicate")
    )
    has_warnings = any(each.severity is Severity.WARNING for each in summary.causes)
    is_empty = summary.rows_read == rows("blank")
    return Tone.WARN if is_unfinished or has_warnings or is_empty else Tone.GOOD


def tiles_of(summary: Summary) -> list[Tile]:
    """Return the numbers in the order of reading; of those that a run cannot know there is none."""
    tiles = [*_tiles_of_undo(summary)] if summary.run.verb == "undo" else [*_tiles(summary)]
    return [each for each in tiles if each is not None]


def _tiles(summary: Summary) -> Iterator[Tile | None]:
    rows = summary.rows_of
    blank = rows("blank")
    yield Tile("rows", "rows read", summary.rows_read, f"{blank:,} of them blank" if blank else "", Tone.PLAIN)
    valid = summary.rows_read - sum(rows(label) for label in LABELS_NOT_VALID)
    yield Tile("valid", "valid", valid, "rows that can be sent", Tone.GOOD if valid else Tone.PLAIN)
    warnings = [each.rows for each in summary.causes if each.severity is Severity.WARNING]
    note = "; ".join(_about_warnings([rows for rows in warnings if rows], warnings.count(0)))
    yield Tile("warnings", "warnings", sum(warnings), note, Tone.WARN if warnings else Tone.PLAIN)
    errors = sum(rows(label) for label in LABELS_OF_ERRORS)
    yield Tile("errors", "errors", errors, "rows that are not sent", Tone.BAD if errors else Tone.PLAIN)
    if summary.forecast:
        yield Tile("to-create", "to create", rows("to create"), "", Tone.PLAIN)
        yield _unless_none("to-update", "to update", rows("to update"), "", Tone.PLAIN)
    elif not summary.is_dry_run:
        created = rows("created")
        yield Tile("created", "created", created, "", Tone.GOOD if created else Tone.PLAIN)
        yield _unless_none("updated", "updated", rows("updated"), "", Tone.GOOD)
    if summary.forecast or not summary.is_dry_run:
        yield Tile("already-there", "already there", rows("already there"), "not sent again", Tone.PLAIN)
    yield _unless_none("duplicate", "duplicate", rows("duplicate"), "the first of them counts", Tone.WARN)
    yield _unless_none("changed", "changed", rows("changed"), "the tenant has other values", Tone.WARN)
    yield _unless_none("rejected", "rejected", rows("rejected"), "refused by the service", Tone.BAD)
    yield _unless_none("rejected-before", "rejected before", rows("rejected before"), "not sent again", Tone.WARN)
    yield _unless_none("missing", "missing", rows("missing"), "were there, and are not any more", Tone.BAD)
    yield _unless_none("not-checked", "not checked", rows("not checked"), "could not be read", Tone.BAD)
    yield _unless_none("unsent", "unsent", rows("unsent"), "", Tone.WARN)
    if summary.forecast or not summary.is_dry_run:
        unknown = rows("unknown")
        yield Tile("unknown", "unknown", unknown, "may have arrived" if unknown else "", _doubt(unknown))


def _about_warnings(causes: Sequence[int], about_files: int) -> Iterator[str]:
    if causes:
        yield f"in {counted(len(causes), 'cause')}"
    if len(causes) > 1:
        yield "a row with two counts twice"
    if about_files:
        yield f"{about_files:,} more about {'a whole file' if about_files == 1 else 'whole files'}"


def _tiles_of_undo(summary: Summary) -> Iterator[Tile | None]:
    rows = summary.rows_of
    yield Tile("rows", "objects to undo", summary.rows_read, "", Tone.PLAIN)
    yield Tile("reversed", "deleted", rows("reversed"), "", Tone.GOOD if rows("reversed") else Tone.PLAIN)
    yield Tile("kept", "kept", rows("kept"), "changed since", Tone.WARN if rows("kept") else Tone.PLAIN)
    yield Tile("failed", "failed", rows("failed"), "still there", Tone.BAD if rows("failed") else Tone.PLAIN)
    yield _unless_none("unsent", "unsent", rows("unsent"), "still there", Tone.WARN)
    yield Tile("unknown", "unknown", rows("unknown"), "", _doubt(rows("unknown")))


def _unless_none(name: str, label: str, number: int, note: str, tone: Tone) -> Tile | None:
    return Tile(name, label, number, note, tone) if number else None


def _doubt(unknown: int) -> Tone:
    return Tone.DOUBT if unknown else Tone.PLAIN


def _warning(summary: Summary) -> str:
    if summary.is_balanced:
        return ""
    told = sum(each.rows for each in summary.totals)
    return (
        f"Do not rely on this report: {counted(summary.rows_read, 'row')} were read and {told:,} are accounted for, "
        "which is an error in certstate."
    )


def _about_files(summary: Summary) -> str:
    number = sum(each.severity is Severity.ERROR and not each.rows for each in summary.causes)
    if not number:
        return ""
    return f"{counted(number, 'error')} {'concerns a whole file or sheet' if number == 1 else 'concern whole files'}."


def _dry_run(summary: Summary) -> str:
    kind = "Plan" if summary.forecast else "Dry run"
    read, rows = summary.rows_read, summary.rows_of
    filled = read - rows("blank")
    if not filled:
        return f"{kind}: no rows were found, so nothing would be sent."
    errors = sum(rows(label) for label in LABELS_OF_ERRORS)
    has, some = ("has", "1") if errors == 1 else ("have", f"{errors:,}")
    wrong = f"{some} of {counted(read, 'row')} {has} errors and would not be sent" if errors else ""
    return f"{kind}: {'; '.join(each for each in (wrong, _what_would_be_done(summary, filled)) if each)}."


def _what_would_be_done(summary: Summary, filled: int) -> str:
    rows = summary.rows_of
    takes_time = summary.eta is not None and summary.eta.least_s >= 1
    eta = f", in about {duration(summary.eta.least_s)}" if summary.eta and takes_time else ""
    if not summary.forecast:
        valid, duplicates = rows("valid"), rows("duplicate")
        who = f"all {counted(valid, 'row')}" if valid == filled > 1 else counted(valid, "row")
        if not valid:
            return "no row would be sent"
        repeated = f"; {counted(duplicates, 'row')} would be left out as {_a(duplicates, 'duplicate')}"
        return f"{who} {_are(valid)} valid and would be sent{eta}{repeated if duplicates else ''}"
    if rows("already there") == filled:
        return f"nothing would be sent, {_all(filled)} there already"
    done = ((rows("to create"), "created"), (rows("to update"), "updated"))
    would = " and ".join(f"{number:,} would be {word}" for number, word in done if number) or "nothing would be sent"
    states = (
        (rows("already there"), "there already"),
        (rows("changed"), "different in the tenant"),
        (rows("duplicate"), _a(rows("duplicate"), "duplicate")),
        (rows("rejected before"), "left out because the service refused them before"),
        (rows("not checked"), "not checked, because the tenant could not be read"),
        (rows("unknown"), "unknown from an earlier run"),
    )
    return "; ".join([would + (eta if any(number for number, _ in done) else ""), *_told(states)])


def _import(summary: Summary) -> str:
    read, rows = summary.rows_read, summary.rows_of
    filled = read - rows("blank")
    stop = _stop(summary)
    if not filled:
        return stop or "No rows were found, so nothing was sent."
    if rows("already there") == filled:
        return f"{stop} Nothing was created: {_all(filled)} there already.".strip()
    if rows("created") == filled:
        return f"{stop} {'The row was' if filled == 1 else f'All {filled:,} rows were'} created.".strip()
    errors = sum(rows(label) for label in LABELS_OF_ERRORS)
    created, unsent, unknown = rows("created"), rows("unsent"), rows("unknown")
    parts = [f"{counted(created, 'row')} {_were(created)} created" if created else "No row was created"]
    parts += _told(
        (
            (rows("already there"), "there already"),
            (rows("changed"), "different in the tenant and left as there"),
            (rows("duplicate"), _a(rows("duplicate"), "duplicate")),
            (rows("rejected before"), "not sent again, as the service refused them before"),
        )
    )
    parts += [f"{rows('updated'):,} {_were(rows('updated'))} updated"] if rows("updated") else []
    parts += [f"{errors:,} {'has' if errors == 1 else 'have'} errors and {_were(errors)} not sent"] if errors else []
    parts += [f"{rows('rejected'):,} {_were(rows('rejected'))} rejected"] if rows("rejected") else []
    parts += _told(((rows("missing"), "missing in the tenant"), (unsent, "not sent yet")))
    if unknown:
        whether = "it has" if unknown == 1 else "they have"
        parts.append(f"{unknown:,} {_are(unknown)} unknown: nobody knows yet whether {whether} arrived")
    return f"{stop} {', '.join(parts)}.".strip()


def _undo(summary: Summary) -> str:
    rows, stop = summary.rows_of, _stop(summary)
    if not summary.rows_read:
        return stop or "Undo: there was nothing to delete."
    deleted, kept, failed = rows("reversed"), rows("kept"), rows("failed")
    if deleted == summary.rows_read:
        every = "the object was" if deleted == 1 else f"all {deleted:,} objects were"
        return f"{stop} Undo: {every} deleted.".strip()
    parts = [f"{counted(deleted, 'object')} {_were(deleted)} deleted" if deleted else "no object was deleted"]
    if kept:
        parts.append(f"{kept:,} {_were(kept)} kept, because somebody changed {_it(kept)} since")
    if failed:
        parts.append(f"{failed:,} could not be deleted")
    unsent, unknown = rows("unsent"), rows("unknown")
    parts += _told(((unsent, "not deleted yet"),))
    if unknown:
        whether = "it is" if unknown == 1 else "they are"
        parts.append(f"{unknown:,} {_are(unknown)} unknown: nobody knows yet whether {whether} still there")
    return f"{stop} Undo: {', '.join(parts)}.".strip()


def _stop(summary: Summary) -> str:
    run = summary.run
    if not run.stop:
        return ""
    reason = " ".join(shorten(run.stop_message or run.stop, MOST_REASON_CHARACTERS).split())
    return f"Stopped: {reason.rstrip('.')}."


def _told(states: Iterable[tuple[int, str]]) -> list[str]:
    return [f"{number:,} {_are(number)} {what}" for number, what in states if number]


def _all(filled: int) -> str:
    return "the row is" if filled == 1 else f"all {filled:,} rows are"


def _a(number: int, noun: str) -> str:
    return f"a {noun}" if number == 1 else f"{noun}s"


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def _were(number: int) -> str:
    return "was" if number == 1 else "were"


def _it(number: int) -> str:
    return "it" if number == 1 else "them"
