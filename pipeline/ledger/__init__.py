"""The durable memory: runs, rows, objects and their states. The only module that imports SQLAlchemy."""

from pipeline.ledger.actions import ActionCount, PlannedAction, action_counts, planned_actions
from pipeline.ledger.check import check_ledger
from pipeline.ledger.copying import copy_ledger
from pipeline.ledger.counted import Counted, count_rows
from pipeline.ledger.figures import expiry_counts, step_counts
from pipeline.ledger.holdings import Holding, holdings, orphaned_rows
from pipeline.ledger.pacing import load_pacing, save_pacing
from pipeline.ledger.planning import plan_run, replan_settled
from pipeline.ledger.sending import (
    PlannedLane,
    leave_unsent,
    next_planned,
    plan_again,
    plan_retry,
    planned_collections,
    planned_lanes,
)
from pipeline.ledger.settling import (
    owned_ids,
    planned_by_key,
    set_remote_check,
    settle_leftovers,
    unknown_count,
    unknown_rows,
)
from pipeline.ledger.size import LedgerSize, ledger_size
from pipeline.ledger.staging import (
    NewRun,
    NewSource,
    add_source,
    add_source_finding,
    begin_run,
    discard_run,
    end_run,
    refuse_rows,
    stage_rows,
)
from pipeline.ledger.store import Ledger, hold_lock, open_ledger
from pipeline.ledger.stories import Event, RowStory, row_stories
from pipeline.ledger.transitions import apply_transitions
from pipeline.ledger.undoing import CreatedRow, UndoPlan, begin_undo, created_rows, find_open_undo
from pipeline.ledger.views import (
    RouteCount,
    file_findings,
    find_run,
    placed_findings,
    report_rows,
    route_counts,
    rows_with,
    run_ids,
    run_info,
    source_infos,
    state_counts,
    waiting_rows,
)

__all__ = [
    "ActionCount",
    "Counted",
    "CreatedRow",
    "Event",
    "Holding",
    "Ledger",
    "LedgerSize",
    "NewRun",
    "NewSource",
    "PlannedAction",
    "PlannedLane",
    "RouteCount",
    "RowStory",
    "UndoPlan",
    "action_counts",
    "add_source",
    "add_source_finding",
    "apply_transitions",
    "begin_run",
    "begin_undo",
    "check_ledger",
    "copy_ledger",
    "count_rows",
    "created_rows",
    "discard_run",
    "end_run",
    "expiry_counts",
    "file_findings",
    "find_open_undo",
    "find_run",
    "hold_lock",
    "holdings",
    "leave_unsent",
    "ledger_size",
    "load_pacing",
    "next_planned",
    "open_ledger",
    "orphaned_rows",
    "owned_ids",
    "placed_findings",
    "plan_again",
    "plan_retry",
    "plan_run",
    "planned_actions",
    "planned_by_key",
    "planned_collections",
    "planned_lanes",
    "refuse_rows",
    "replan_settled",
    "report_rows",
    "route_counts",
    "row_stories",
    "rows_with",
    "run_ids",
    "run_info",
    "save_pacing",
    "set_remote_check",
    "settle_leftovers",
    "source_infos",
    "stage_rows",
    "state_counts",
    "step_counts",
    "unknown_count",
    "unknown_rows",
    "waiting_rows",
]
