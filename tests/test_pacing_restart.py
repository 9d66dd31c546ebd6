"""The pace survives the process: whoever goes on keeps to the window that another one has used."""

import time
from pathlib import Path

import pytest
from import_cases import Site, devices

from pipeline.model import PacingState
from pipeline.pace import Pacer
from pipeline.session import Job, Session, eta_of, open_session, run_phase, workers_of
from pipeline.simulator import RunningSimulator, SimulatorSettings, running

TOKEN = {"GRAPH_TOKEN": "e30.e30.c2ln"}


def job_of(site: Site, simulator: RunningSimulator, quota: str = "5/20s") -> Job:
    """Return a job at that quota."""
    return site.job(simulator.service_root, quota=quota, environ=TOKEN)


def refuse(session: Session, seconds: float) -> None:
    """Let a request of the session be refused, and the service ask to wait."""

    async def story(pacer: Pacer) -> None:
        await pacer.slot()
        pacer.refused(pacer.sent())
        await pacer.pause(seconds)

    run_phase(session, story(session.pacer))


def end_badly(site: Site, simulator: RunningSimulator, statement: str, problem: Exception) -> None:
    """Be refused, run the statement on the ledger behind the session's back, and end with the problem."""
    with open_session(job_of(site, simulator), "test") as session:
        refuse(session, 30.0)
        site.execute(statement)
        raise problem


def state_of(site: Site, simulator: RunningSimulator) -> PacingState:
    """Return what the next session's pacer knows at its start, in whole seconds from now on."""
    with open_session(job_of(site, simulator), "test") as session:
        now = time.time()
        state = session.pacer.state(now)
        return PacingState((), round(state.closed_until - now) if state.closed_until else 0, state.limit)


def test_a_second_process_does_not_burst_into_the_window_that_the_first_one_used(tmp_path: Path) -> None:
    """Five rows of one import and five of the next, at five per 20 s: none is refused, since the next one waits.

    The tenant's clock is the one that only sleeping moves, and its window a little shorter, because the time that an
    import itself takes is real.
    """
    site = Site(tmp_path)
    first, second = (site.write(f"{name}.csv", devices(5, first=number)) for name, number in (("a", 1), ("b", 6)))

    with running(SimulatorSettings(quota=5, window_s=12.0), clock=site.time.clock) as simulator:
        for path in (first, second):
            site.imported(simulator.service_root, path, quota="5/20s", environ=TOKEN)
        state = simulator.state()

    assert (state.created, state.refused) == (10, 0)
    assert site.time.now_s >= 1_012.0


def test_what_a_refusal_told_is_known_to_the_next_process(tmp_path: Path) -> None:
    """Until when the service is closed, and how many requests it grants, within the same scope and app."""
    site = Site(tmp_path)
    with running(SimulatorSettings()) as simulator:
        before = state_of(site, simulator)
        with open_session(job_of(site, simulator), "test") as session:
            refuse(session, 30.0)
            at_once = site.select("SELECT found_limit FROM pacing")
        after = state_of(site, simulator)

    assert before == PacingState((), 0, None)
    assert at_once == [(1.0,)]  # while the session goes on: it may be killed
    assert after == PacingState((), 30, 1)


def test_a_session_that_learned_nothing_writes_nothing(tmp_path: Path) -> None:
    """Reading back and looking do not touch the pace."""
    site = Site(tmp_path)
    with running(SimulatorSettings()) as simulator:
        state_of(site, simulator)

    assert site.select("SELECT * FROM pacing") == []


def test_the_pace_is_kept_when_the_session_ends_with_an_error(tmp_path: Path) -> None:
    """The error comes through as it was, and what was learned last is there."""
    site = Site(tmp_path)
    problem = KeyError("a defect")
    with running(SimulatorSettings()) as simulator:
        with pytest.raises(KeyError) as raised:
            end_badly(site, simulator, "DELETE FROM pacing", problem)
        after = state_of(site, simulator)

    assert raised.value is problem
    assert after == PacingState((), 30, 1)


def test_a_pace_that_cannot_be_kept_hides_no_error(tmp_path: Path) -> None:
    """It is a hint; the reason why the session ended is what counts."""
    site = Site(tmp_path)
    problem = KeyError("a defect")
    with running(SimulatorSettings()) as simulator, pytest.raises(KeyError) as raised:
        end_badly(site, simulator, "DROP TABLE pacing", problem)

    assert raised.value is problem


@pytest.mark.parametrize(
    ("quota", "workers"), [("1/20s", 4), ("100/20s", 25), ("10/1s", 40), ("5000/1s", 64), ("100000/1s", 64)]
)
def test_concurrency_follows_the_quota(tmp_path: Path, quota: str, workers: int) -> None:
    """Its rate, while answers take up to 4 s, and a quarter of a window at once; never more than 64."""
    assert workers_of(Site(tmp_path).job(quota=quota).settings) == workers


def test_the_estimate_before_a_run_counts_from_a_rested_quota(tmp_path: Path) -> None:
    """Whole windows of the quota, and of the half that other apps may leave."""
    eta = eta_of(Site(tmp_path).job(quota="100/20s"), 1_000)

    assert eta is not None
    assert (eta.rows, eta.least_s, eta.shared_s) == pytest.approx((1_000, 9 * 20.2, 19 * 20.2))
