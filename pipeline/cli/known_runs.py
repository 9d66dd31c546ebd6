"""Every run that is known here: those of the ledger, and from the history the dry ones, which no ledger holds."""

from collections.abc import Sequence
from contextlib import closing
from typing import NamedTuple

from pipeline.config import Settings
from pipeline.errors import UsageError
from pipeline.ledger import Ledger, open_ledger, run_ids, run_info, source_infos, state_counts
from pipeline.model import RunInfo
from pipeline.next_steps import near_path
from pipeline.report import Terms, totals_of
from pipeline.report.history import HISTORY_FILE, PastRun, read_history
from pipeline.sending_run import scope_shown


class KnownRun(NamedTuple):
    """A run in short."""

    run: PastRun
    has_causes: bool  # False: the history does not know how the run ended, so nobody knows its causes
    is_read: bool = True  # False: it was ended before its files were read to the end


def known_runs(settings: Settings) -> list[KnownRun]:
    """Return the runs in the order in which they began. Reads the history, and the ledger where there is one.

    Raises UsageError when the history cannot be read, and LedgerError when the ledger cannot.
    """
    known = {each.id: KnownRun(each, has_causes=True) for each in _history(settings)}
    if settings.ledger_path.exists():
        with closing(open_ledger(settings.ledger_path, scope_shown(settings))) as ledger:
            for run_id in run_ids(ledger):
                info = run_info(ledger, run_id)
                told = known.get(run_id)
                # A run that was killed went on without a word in the history.
                is_current = told and (told.run.ended_at, told.run.stop) == (info.ended_at or "", info.stop)
                if not is_current:
                    known[run_id] = KnownRun(_past_run(ledger, info), has_causes=False, is_read=bool(info.planned_at))
    return sorted(known.values(), key=lambda each: (each.run.started_at, each.run.id))


def dry_run_named(settings: Settings, wanted: str) -> PastRun | None:
    """Return the dry run with the id, or with the only id that ends so; None where there is none. Reads the history.

    Raises UsageError when several dry runs end so, or when the history cannot be read.
    """
    dry = [KnownRun(each, has_causes=True) for each in _history(settings) if each.is_dry_run]
    return find_known(dry, wanted, settings).run if any(_is_named(each.run, wanted) for each in dry) else None


def find_known(known: Sequence[KnownRun], wanted: str, settings: Settings) -> KnownRun:
    """Return the run with the id, or with the only id that ends so. Raises UsageError when there is none, or several.

    `known` are in the order in which they began.
    """
    found = [each for each in known if _is_named(each.run, wanted)]
    if len(found) == 1:
        return found[0]
    if not known:
        raise UsageError(nothing_known(settings))
    latest = ", ".join(each.run.id for each in known[:-4:-1])
    problem = f"{'several runs end' if found else 'no run ends'} with {wanted}"
    raise UsageError(f"{near_path(settings.runs_dir)}: {problem}; name one of them, the latest are {latest}")


def nothing_known(settings: Settings) -> str:
    """Return the sentence that there is no run yet."""
    places = f"{near_path(settings.ledger_path)} and {near_path(settings.runs_dir / HISTORY_FILE)}"
    return f"{places}: there is no run yet; start one with `certstate validate FILE` or `certstate import FILE`"


def _is_named(run: PastRun, wanted: str) -> bool:
    return run.id == wanted or run.id.endswith(f"-{wanted}")


def _history(settings: Settings) -> list[PastRun]:
    path = settings.runs_dir / HISTORY_FILE
    try:
        return read_history(path)
    except OSError as problem:
        raise UsageError(
            f"{near_path(path)}: the history of runs cannot be read ({problem.strerror}); make it readable, or move it "
            "away to begin a new one"
        ) from problem


def _past_run(ledger: Ledger, run: RunInfo) -> PastRun:
    """Return what the ledger knows of the run, which are no causes."""
    sources = source_infos(ledger, run.id)
    terms = Terms.UNDO if run.verb == "undo" else Terms.IMPORT
    return PastRun(
        id=run.id,
        verb=run.verb,
        is_dry_run=False,
        service_root=run.scope.service_root,
        tenant_id=run.scope.tenant_id,
        parent_id=run.parent_id,
        files=tuple(dict.fromkeys(each.file for each in sources)),
        started_at=run.started_at,
        ended_at=run.ended_at or "",
        stop=run.stop,
        rows_read=sum(each.rows_read for each in sources),
        totals=totals_of({**state_counts(ledger, run.id)}, sources, terms),
        causes=(),
        edition=run.edition,
    )
