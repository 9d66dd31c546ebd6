"""What the ledger counts for a report's pictures, and how sending went against the quota."""

from collections import Counter
from contextlib import closing

import pytest
from import_cases import TENANT_ID, Site, cells_of, devices

from pipeline.conclude import pace_of
from pipeline.config import Quota
from pipeline.ledger import open_ledger, step_counts
from pipeline.model import REFUSED, DayCount, Scope, State, StepCount
from pipeline.report import Eta, Pace
from pipeline.run import report_run
from pipeline.simulator import Fault, SimulatorSettings, running

AT = "2026-11-23T08:{}"
QUOTA = Quota(100, 20.0)


def test_the_steps_of_a_run_are_counted_by_outcome(site: Site) -> None:
    """Each request, each refusal and each outcome once; not those of another run."""
    script = (Fault.NONE, Fault.THROTTLE_429, Fault.ERROR_504_AFTER)
    with running(SimulatorSettings(script=script)) as simulator:
        other = site.imported(simulator.service_root, site.write("a.csv", devices(1)))
        finished = site.imported(simulator.service_root, site.write("b.csv", devices(3, first=2)), concurrency="1")

    with closing(open_ledger(site.folder / "state" / "ledger.db", Scope(simulator.service_root, TENANT_ID))) as ledger:
        steps = step_counts(ledger, finished.summary.run.id)
        of_other = step_counts(ledger, other.summary.run.id)

    def counted(found: list[StepCount]) -> Counter[str]:
        counts = Counter[str]()
        for each in found:
            counts[each.outcome] += each.steps
        return counts

    assert counted(steps) == {State.SENDING: 4, REFUSED: 1, State.UNKNOWN: 1, State.CREATED: 3}
    assert counted(of_other) == {State.SENDING: 1, State.CREATED: 1}
    assert steps == sorted(steps)
    assert {len(each.at) for each in steps} == {len("2026-11-23T08:49:13")}


def test_certificates_are_counted_by_the_day_they_expire(site: Site) -> None:
    """As the row's own offset has the day; rows whose object is there already count, invalid ones do not."""
    rows = [
        cells_of(1, certificateExpirationDateTime="2027-11-23T23:59:59.1234567-11:00"),
        cells_of(2, certificateExpirationDateTime="2027-11-23T00:00:00Z"),
        cells_of(3, certificateExpirationDateTime="9999-12-31T23:59:59Z"),
        cells_of(4, certificateExpirationDateTime="soon"),
    ]
    expected = (DayCount("2027-11-23", 2), DayCount("9999-12-31", 1))
    with running(SimulatorSettings()) as simulator:
        file = site.write("a.csv", rows)
        first = site.imported(simulator.service_root, file)
        again = site.imported(simulator.service_root, file)

    assert (first.summary.expiry, again.summary.expiry) == (expected, expected)
    assert site.validated(file).summary.expiry == expected


def test_a_dry_run_says_how_long_the_import_takes(site: Site) -> None:
    """At the configured quota, and at half of it; of the valid rows only."""
    finished = site.validated(site.write("a.csv", [*devices(150), cells_of(200, devicePlatform="toaster")]))

    assert finished.summary.eta == Eta(rows=150, least_s=20.2, shared_s=40.4)
    assert (finished.summary.pace, finished.summary.steps) == (None, ())


def test_the_report_of_a_run_tells_its_pace_again(site: Site) -> None:
    """The figures come from the ledger, so they are there whenever the report is written."""
    with running(SimulatorSettings()) as simulator:
        finished = site.imported(simulator.service_root, site.write("a.csv", devices(3)))
        again = report_run(finished.summary.run.id, site.job(simulator.service_root))

    assert finished.summary.pace == again.summary.pace
    assert again.summary.pace is not None
    assert (again.summary.pace.requests, again.summary.pace.refused) == (3, 0)


@pytest.mark.parametrize(
    ("steps", "pace"),
    [
        ([], None),
        ([StepCount(AT.format("00:00"), "created", 1)], None),
        (
            [
                StepCount(AT.format("00:00"), "sending", 100),
                StepCount(AT.format("00:01"), "created", 90),
                StepCount(AT.format("00:20"), REFUSED, 2),
                StepCount(AT.format("00:20"), "sending", 50),
                # the night between two calls
                StepCount(AT.format("40:00"), "sending", 10),
                StepCount(AT.format("40:20"), "created", 68),
            ],
            Pace(quota=100, window_s=20.0, requests=160, refused=2, sending_s=40.0),
        ),
    ],
)
def test_the_time_of_sending_leaves_long_pauses_out(steps: list[StepCount], pace: Pace | None) -> None:
    """Requests and refusals are summed up; what lies between two calls is no sending."""
    assert pace_of(steps, QUOTA, None) == pace


@pytest.mark.parametrize(("requests", "sending_s", "share"), [(300, 40.0, 1.0), (150, 40.0, 0.5), (400, 40.0, 1.0)])
def test_the_quota_used_is_a_share_of_what_the_window_grants(requests: int, sending_s: float, share: float) -> None:
    """A full window at once and then its rate; never more than all of it."""
    assert Pace(100, 20.0, requests, 0, sending_s).quota_used == share
