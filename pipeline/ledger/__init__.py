"""The durable memory: runs, rows, objects and their states. The only module that imports SQLAlchemy."""

from pipeline.ledger.sending import (
    apply_transitions,
    leave_unsent,
    next_planned,
    plan_again,
    planned_collections,
    settle_leftovers,
)
from pipeline.ledger.staging import (
    NewRun,
    NewSource,
    add_source,
    add_source_finding,
    begin_run,
    discard_run,
    end_run,
    plan_run,
    stage_rows,
)
from pipeline.ledger.store import Ledger, hold_lock, open_ledger
from pipeline.ledger.views import (
    RouteCount,
    find_run,
    placed_findings,
    report_rows,
    route_counts,
    run_info,
    source_infos,
    state_counts,
    waiting_rows,
)

__all__ = [
    "Ledger",
    "NewRun",
    "NewSource",
    "RouteCount",
    "add_source",
    "add_source_finding",
    "apply_transitions",
    "begin_run",
    "discard_run",
    "end_run",
    "find_run",
    "hold_lock",
    "leave_unsent",
    "next_planned",
    "open_ledger",
    "placed_findings",
    "plan_again",
    "plan_run",
    "planned_collections",
    "report_rows",
    "route_counts",
    "run_info",
    "settle_leftovers",
    "source_infos",
    "stage_rows",
    "state_counts",
    "waiting_rows",
]
