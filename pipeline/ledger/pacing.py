"""How fast requests left, for the process that goes on: what was learned is kept, when they left say the events."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import literal_column, select
from sqlalchemy.dialects.sqlite import insert

from pipeline.ledger.schema import events, pacing, runs
from pipeline.ledger.store import Ledger, now, to_text
from pipeline.model import PacingState, State

LEEWAY_S = 5.0
"""So much longer than a window are requests looked for: an intent is durable before its request leaves."""

FETCHED_AT_ONCE = 1_000


def save_pacing(ledger: Ledger, app_id: str, state: PacingState) -> None:
    """Make durable until when the service wants no requests of the app, and how many it was found to grant.

    `state.sent` is not written: each request has its event.
    """
    values = {"closed_until": state.closed_until, "found_limit": state.limit, "changed_at": now()}
    new = insert(pacing).values(scope_pk=ledger.scope_pk, app_id=app_id, **values)
    with ledger.transaction() as connection:
        connection.execute(new.on_conflict_do_update(index_elements=["scope_pk", "app_id"], set_=values))


def load_pacing(ledger: Ledger, app_id: str, window_s: float) -> PacingState:
    """Return what is known of the app's requests of late, whichever process sent them.

    `sent` holds the requests of the ledger's scope within the last `window_s` seconds and some more, by the wall
    clock; those that a clock which was set back since says are still to come are among them.
    """
    since = to_text(datetime.now(UTC) - timedelta(seconds=window_s + LEEWAY_S))
    own = select(runs.c.id).where(runs.c.scope_pk == ledger.scope_pk)
    # From the last event backwards: there is no index by time, which each step would have to pay for.
    latest = (
        select(events.c.at)
        .where(events.c.state == literal_column(f"'{State.SENDING}'"), events.c.run_id.in_(own))
        .order_by(events.c.pk.desc())
    )
    known = select(pacing.c.closed_until, pacing.c.found_limit).where(
        pacing.c.scope_pk == ledger.scope_pk, pacing.c.app_id == app_id
    )
    sent: list[float] = []
    with ledger.reading() as connection:
        for (at,) in connection.execute(latest).yield_per(FETCHED_AT_ONCE):
            if at < since:
                break
            sent.append(datetime.fromisoformat(at).timestamp())
        closed_until, limit = connection.execute(known).one_or_none() or (0.0, None)
    return PacingState(tuple(sorted(sent)), closed_until, limit)
