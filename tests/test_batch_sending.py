"""Sending in batches against the simulator: the rules of a round, faults inside batches, ends in mid-batch."""

import asyncio
import signal
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from import_cases import IOS, MACOS, Site, cells_of, devices, devices_of, totals_of
from sending_cases import HeldBack, Traffic, planned, said, sent
from socket_cases import Step, answer, close_after, serve

from pipeline.errors import ExitCode, LedgerError
from pipeline.graph.client import Request
from pipeline.interrupt import Interrupt
from pipeline.model import SendMode, Stop, StopReason
from pipeline.send import Progress, SendLimits
from pipeline.simulator import Fault, FaultRates, SimulatorSettings, running

BATCH = SendMode.BATCH


def test_rows_go_in_batches_once_their_collection_is_open(site: Site) -> None:
    """The canary goes alone as a request of its own; then up to 20 rows share one, whatever their collection."""
    rows = [*devices(30), *devices(15, first=31, devicePlatform="macOS")]
    traffic = Traffic()

    result, state = sent(site, SimulatorSettings(), rows, mode=BATCH, workers=1, hooks=traffic.hooks)

    paths = [path.removeprefix("/beta/") for path, _ in traffic.seen]
    assert paths == [IOS, "$batch", "$batch", MACOS, "$batch"]
    assert (result.stop, result.stats.requests, state.writes, state.created) == (None, 45, 45, 45)
    assert site.object_states() == {"created": 45}


def test_each_row_of_a_batch_has_its_object_its_ids_and_its_line_in_the_log(site: Site) -> None:
    """What is kept of a row is what is kept of one that went alone."""
    with running(SimulatorSettings()) as simulator:
        with planned(site, simulator.service_root, devices(21), mode=BATCH) as sending:
            asyncio.run(sending())
        stored = {each.client_request_id: each.entity["id"] for each in simulator.objects()}

    query = "SELECT client_request_id, graph_id, request_id FROM rows JOIN objects ON row_pk = rows.pk ORDER BY rows.pk"
    kept = site.select(query)
    assert {ours: object_id for ours, object_id, _ in kept} == stored
    assert len({request_id for _, _, request_id in kept} - {None, ""}) == 21
    log = (site.folder / "run.log").read_text("utf-8")
    assert all(log.count(f'"client_request_id": "{ours}"') == 1 for ours in stored)
    assert site.select("SELECT state, count(*) FROM events GROUP BY state ORDER BY state") == [
        ("created", 21),
        ("sending", 21),
    ]


@pytest.mark.parametrize("quota", [(1, 5.0), (7, 20.0), (30, 20.0)])
def test_a_batch_never_spends_more_than_the_quota(site: Site, quota: tuple[int, float]) -> None:
    """Each item counts: a simulator with the same quota refuses none of them."""
    limits = SimulatorSettings(quota=quota[0], window_s=quota[1], tenant_quota=10_000)
    with (
        running(limits, clock=site.time.clock) as simulator,
        planned(site, simulator.service_root, devices(100), mode=BATCH, workers=1, quota=quota) as sending,
    ):
        result = asyncio.run(sending())
        state = simulator.state()

    assert (state.refused, state.created, result.stop) == (0, 100, None)


FAULTS_OF_ROWS = [
    Fault.BAD_REQUEST_400, Fault.THROTTLE_429, Fault.ERROR_504_AFTER, Fault.ERROR_503, Fault.DROP_AFTER,
    Fault.CREATED_WITHOUT_ID, Fault.UNAUTHORIZED_401,
]  # fmt: skip


def test_every_item_of_a_batch_ends_as_its_own_answer_says(site: Site) -> None:
    """One batch holds them all; what is in doubt is settled by reading back, and what was refused goes again."""

    async def refresh(_refused: str) -> str:
        return "t2"

    result, state = sent(
        site,
        SimulatorSettings(script=(Fault.NONE, *FAULTS_OF_ROWS)),
        devices(21),
        mode=BATCH,
        refresh=refresh,
        settle_s=1.0,
    )

    assert (result.stop, site.object_states()) == (None, {"created": 20, "rejected": 1})
    assert (state.created, state.objects, state.duplicates) == (20, 20, 0)
    assert said(site)[1][0] == "rejected"
    assert result.stats.throttled == 1


@pytest.mark.parametrize("fault", [Fault.NOT_FOUND_404, Fault.METHOD_NOT_ALLOWED_405])
def test_an_item_that_stops_its_collection_leaves_the_others_alone(site: Site, fault: Fault) -> None:
    """The rows of that collection that are planned yet are unsent; those of the same batch have their own outcomes."""
    rows = [*devices(25), *devices(3, first=26, devicePlatform="macOS")]
    script = (Fault.NONE, fault)

    result, state = sent(site, SimulatorSettings(script=script), rows, mode=BATCH, workers=1)

    assert (result.stop, result.stopped_collections) == (None, 1)
    assert site.object_states() == {"created": 1 + 19 + 3, "unsent": 1 + 4}
    assert state.created == 23


def test_an_item_that_is_forbidden_stops_the_run_after_its_batch(site: Site) -> None:
    """No further batch leaves."""
    script = (Fault.NONE, Fault.FORBIDDEN_403)

    result, state = sent(site, SimulatorSettings(script=script), devices(60), mode=BATCH, workers=1)

    assert (result.stop and result.stop.reason, state.writes) == (StopReason.PREFLIGHT, 21)
    assert site.object_states() == {"created": 20, "unsent": 40}


def served(site: Site, rows: int, *steps: Step, **options: object) -> tuple[Stop | None, list[str], list[str]]:
    """Send to a server with this script; return how it ended, the paths asked for and the notes."""
    created = (answer(201, b'{"id":"first"}'),)

    async def story() -> tuple[Stop | None, list[str], list[str]]:
        async with serve(*created, *steps) as server:
            with planned(
                site, server.root, devices(rows), mode=BATCH, workers=1, on_note=site.notes.append, **options
            ) as sending:
                result = await sending()
            return result.stop, [seen.line.split()[1].removeprefix("/beta/") for seen in server.seen], site.notes

    return asyncio.run(story())


def test_a_service_without_batches_gets_the_rows_one_by_one(site: Site) -> None:
    """A 404 to the batch judges no row: all are planned again and go alone, also those that come after."""
    ids = [answer(201, b'{"id":"%d"}' % number) for number in range(30)]

    stop, paths, notes = served(site, 30, answer(404), *ids)

    assert (stop, site.object_states()) == (None, {"created": 30})
    assert paths == [IOS, "$batch", *[IOS] * 29]
    words = "the service takes no batches (HTTP 404 HTTP 404 Not Found without a message); the rows go one by one"
    assert notes == [words]


def test_a_batch_that_is_refused_as_malformed_goes_row_by_row_and_the_next_one_is_a_batch_again(site: Site) -> None:
    """One odd row must not spoil the others."""
    ids = [answer(201, b'{"id":"%d"}' % number) for number in range(20)]
    more = b'{"responses":[%b]}' % b",".join(
        b'{"id":"%d","status":201,"body":{"id":"more%d"}}' % (number, number) for number in range(1, 10)
    )

    stop, paths, notes = served(site, 30, answer(400), *ids, answer(200, more))

    assert (stop, notes, site.object_states()) == (None, [], {"created": 30})
    assert paths == [IOS, "$batch", *[IOS] * 20, "$batch"]


def test_three_lost_batches_in_a_row_make_the_run_wait(site: Site) -> None:
    """Each leaves 20 rows in doubt; then nothing leaves until the service answers again."""
    stop, paths, notes = served(site, 100, close_after(b""))

    assert stop is not None
    assert stop.reason is StopReason.OUTAGE
    assert paths[:4] == [IOS, "$batch", "$batch", "$batch"]
    assert all(path != "$batch" for path in paths[4:])
    assert site.object_states() == {"created": 1, "unknown": 60, "unsent": 39}
    assert notes[0].startswith("the service answers with nothing usable; waiting until it is back")


def test_a_limit_holds_for_all_batches_together(site: Site) -> None:
    """`--limit 45` sends 45 rows, however many workers there are."""
    result, state = sent(
        site, SimulatorSettings(), devices(100), mode=BATCH, workers=8, limits=SendLimits(most_rows=45)
    )

    assert (result.stop, state.writes) == (None, 45)
    assert site.object_states() == {"created": 45, "planned": 55}


def test_an_interrupt_keeps_the_answers_of_the_batches_under_way(site: Site) -> None:
    """After the first signal no batch leaves, and what is under way is recorded row by row."""
    interrupt, held_back = Interrupt(), HeldBack()

    def on_progress(progress: Progress) -> None:
        if progress.created == 21:  # the canary and the first batch
            interrupt.take(signal.SIGINT)
            asyncio.get_running_loop().call_later(0.05, held_back.let_go.set)

    result, state = sent(
        site,
        SimulatorSettings(),
        devices(200),
        mode=BATCH,
        interrupt=interrupt,
        on_progress=on_progress,
        on_note=site.notes.append,
        hooks=held_back.hooks,
    )

    assert result.stop == Stop(StopReason.INTERRUPTED, "the run was interrupted")
    assert site.notes[0].startswith("ending: waiting up to 30 s for the answers under way, 60;")
    assert (state.created, site.object_states()) == (81, {"created": 81, "planned": 119})


def test_the_second_signal_leaves_whole_batches_unknown_and_a_resume_settles_them(site: Site) -> None:
    """Each of their rows is looked for; all are there, and none is created twice."""
    interrupt = Interrupt()

    class Impatient(Traffic):
        async def came(self, request: Request) -> None:
            await super().came(request)
            if request.url.path.endswith("$batch"):
                interrupt.take(signal.SIGINT)
                interrupt.take(signal.SIGINT)
                await asyncio.Event().wait()

    with running(SimulatorSettings()) as simulator:
        with planned(
            site,
            simulator.service_root,
            devices(50),
            mode=BATCH,
            workers=1,
            interrupt=interrupt,
            hooks=Impatient().hooks,
        ) as sending:
            asyncio.run(sending())
        at_end = site.object_states()
        finished = site.resumed(simulator.service_root, "run", environ={"GRAPH_TOKEN": "t"}, mode="batch")
        state = simulator.state()

    assert at_end == {"created": 1, "unknown": 20, "planned": 29}
    assert (finished.exit_code, totals_of(finished)) == (ExitCode.OK, {"created": 50})
    assert (state.writes, state.created, state.duplicates) == (50, 50, 0)


def test_nothing_leaves_once_the_ledger_fails(site: Site) -> None:
    """When the intent of one row of a batch cannot be made durable, the whole batch stays."""
    with (
        running(SimulatorSettings()) as simulator,
        planned(site, simulator.service_root, devices(60), mode=BATCH, workers=1) as sending,
    ):
        site.execute(
            "CREATE TRIGGER full BEFORE UPDATE ON rows WHEN NEW.state = 'sending' AND NEW.pk = 30 "
            "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
        )
        with pytest.raises(LedgerError):
            asyncio.run(sending())
        writes = simulator.state().writes

    assert (writes, site.object_states()) == (21, {"created": 21, "planned": 39})


RATES = st.fixed_dictionaries(
    {
        name: st.sampled_from([0.0, 0.1, 0.25])
        for name in ("throttle_429", "error_503", "error_504_after", "drop_before", "read_503")
    }
)


@given(rates=RATES, seed=st.integers(0, 1_000), rows=st.integers(1, 50), workers=st.sampled_from([1, 3, 8]))
@settings(deadline=None, max_examples=12)
def test_no_row_is_lost_or_doubled_in_batches(rates: dict[str, float], seed: int, rows: int, workers: int) -> None:
    """Whatever the service does, each row ends as what the tenant holds: created once, or not there."""
    cells = [cells_of(number, devicePlatform=("iOS", "macOS")[number % 2]) for number in range(1, rows + 1)]
    with TemporaryDirectory() as folder, running(SimulatorSettings(faults=FaultRates(**rates), seed=seed)) as simulator:
        site = Site(Path(folder))
        with planned(site, simulator.service_root, cells, mode=BATCH, workers=workers, settle_s=1.0) as sending:
            asyncio.run(sending())
        there = Counter(devices_of(each.entity for each in simulator.objects()))
        query = "SELECT objects.state, row_number, graph_id FROM objects JOIN rows ON rows.pk = row_pk"
        kept = [(state, cells[number - 2]["deviceDisplayName"], named) for state, number, named in site.select(query)]

    created = {name for state, name, _ in kept if state == "created"}
    in_doubt = {name for state, name, _ in kept if state == "unknown"}
    assert len(kept) == rows
    assert set(there.values()) <= {1}
    assert created <= set(there) <= created | in_doubt
    assert len({named for state, _, named in kept if state == "created"}) == len(created)


def test_what_a_killed_run_leaves_of_a_batch_is_looked_for(site: Site) -> None:
    """Its rows are left as `sending`; the next run finds those that were created, and creates none twice."""
    with running(SimulatorSettings(script=(*[Fault.NONE] * 10, *[Fault.ERROR_503] * 5))) as simulator:
        with planned(site, simulator.service_root, devices(50), mode=BATCH, workers=1) as sending:
            site.execute(
                "CREATE TRIGGER killed BEFORE UPDATE ON rows WHEN OLD.state = 'sending' AND NEW.pk > 1 "
                "BEGIN SELECT RAISE(ABORT, 'as if it had been killed'); END"
            )
            with pytest.raises(LedgerError):
                asyncio.run(sending())
        at_death = site.object_states()
        site.execute("DROP TRIGGER killed")
        finished = site.resumed(simulator.service_root, "run", environ={"GRAPH_TOKEN": "t"}, mode="batch")
        state = simulator.state()

    assert at_death == {"created": 1, "sending": 20, "planned": 29}
    assert site.notes[0].startswith("rows that were under way when an earlier run ended: 20;")
    assert (finished.exit_code, totals_of(finished)) == (ExitCode.OK, {"created": 50})
    assert (state.writes, state.created, state.duplicates) == (55, 50, 0)


@pytest.mark.parametrize("mode", SendMode)
def test_one_connection_serves_one_worker(site: Site, mode: SendMode) -> None:
    """It is kept open from request to request."""
    created = b'{"responses":[%b]}' % b",".join(
        b'{"id":"%d","status":201,"body":{"id":"id%d"}}' % (number, number) for number in range(1, 21)
    )
    steps = [answer(200, created)] if mode is BATCH else [answer(201, b'{"id":"%d"}' % n) for n in range(20)]

    async def story() -> tuple[int, int]:
        async with serve(answer(201, b'{"id":"first"}'), *steps) as server:
            with planned(site, server.root, devices(21), mode=mode, workers=1) as sending:
                await sending()
            return len(server.seen), server.connections

    assert asyncio.run(story()) == (1 + len(steps), 1)
