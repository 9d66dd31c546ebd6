"""Deleting what a run created: what goes, what is kept, what is asked, and how an undo goes on that was ended early."""

import io
import json
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cli_cases import call, move_to
from import_cases import IOS, FastTime, Site, cells_of, devices, devices_of, read_csv, report_of, totals_of, write_csv

from pipeline.cli.progress import Reporter
from pipeline.errors import ExitCode, UsageError
from pipeline.model import Scope
from pipeline.report import NextStep
from pipeline.run import Finished, report_run
from pipeline.send import Progress
from pipeline.session import Question
from pipeline.simulator import Fault, ReadFault, RunningSimulator, SimulatorSettings, running
from pipeline.undo import undo_run
from pipeline.verify import verify_run


def undone(
    site: Site,
    service_root: str,
    finished: Finished,
    *,
    include_adopted: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
    **options: Any,  # noqa: ANN401 - those of `Site.job`
) -> Finished:
    """Undo the run."""
    job = site.job(service_root, **options)
    job = replace(job, watch=job.watch._replace(deleting=on_progress))
    return undo_run(finished.summary.run.id, job, include_adopted=include_adopted)


@contextmanager
def imported(
    site: Site, count: int = 4, settings: SimulatorSettings | None = None
) -> Iterator[tuple[RunningSimulator, Finished]]:
    """Yield a simulator on the site's clock, and the run that has created so many objects there."""
    with running(settings or SimulatorSettings(), clock=site.time.clock) as simulator:
        yield simulator, site.imported(simulator.service_root, site.write("inventory.csv", devices(count)))


def id_of(simulator: RunningSimulator, name: str) -> str:
    """Return the id of the device's object."""
    (found,) = (each for each in simulator.objects() if each.entity["deviceDisplayName"] == name)
    return str(found.entity["id"])


def names_in(simulator: RunningSimulator) -> list[str]:
    """Return the devices that have an object."""
    return devices_of(each.entity for each in simulator.objects())


def runs_in(site: Site) -> Counter[str]:
    """Return how many runs of which verb the ledger holds."""
    return Counter(verb for (verb,) in site.select("SELECT verb FROM runs"))


# --- what goes


def test_everything_that_the_run_created_is_deleted(site: Site) -> None:
    """Each object goes once, and the undo, its table and the run's own report tell it."""
    with imported(site) as (simulator, finished):
        ended = undone(site, simulator.service_root, finished)

        assert (simulator.objects(), simulator.state().deleted) == ((), 4)
        parent = report_run(finished.summary.run.id, site.job(simulator.service_root))
    assert (ended.exit_code, totals_of(ended)) == (ExitCode.OK, {"reversed": 4})
    assert ended.summary.conservation_line == "4 rows to undo = 4 reversed"
    assert ended.summary.next_steps == ()
    assert ended.folder != finished.folder
    assert [(row["deviceDisplayName"], row["_import_status"]) for row in read_csv(ended.folder / "undo.csv")] == [
        (f"PHONE-{number:04}", "reversed") for number in range(1, 5)
    ]
    assert (report_of(ended)["run"]["verb"], report_of(ended)["totals"]["reversed"]) == ("undo", 4)
    assert totals_of(parent) == {"reversed": 4}


def test_what_was_undone_is_created_anew_by_the_next_import(site: Site) -> None:
    """An undo is no rejection: the same file creates the objects again, each once."""
    with imported(site) as (simulator, finished):
        undone(site, simulator.service_root, finished)

        again = site.imported(simulator.service_root, site.folder / "inventory.csv")

        assert (simulator.state().objects, simulator.state().duplicates) == (4, 0)
    assert (again.exit_code, totals_of(again)) == (ExitCode.OK, {"created": 4})


def test_only_that_runs_objects_are_deleted(site: Site) -> None:
    """What other runs created, and what nobody here created, stays."""
    with imported(site, 2) as (simulator, finished):
        site.imported(simulator.service_root, site.write("b.csv", devices(2, first=3)))
        simulator.put(IOS, {"deviceDisplayName": "SOMEBODY-ELSES"})

        undone(site, simulator.service_root, finished)

        assert names_in(simulator) == ["PHONE-0003", "PHONE-0004", "SOMEBODY-ELSES"]


def test_an_object_that_was_changed_since_is_kept(site: Site) -> None:
    """What somebody has worked on is not thrown away: kept, with what differs, and exit code 4."""
    with imported(site) as (simulator, finished):
        (stored,) = (each for each in simulator.objects() if each.entity["deviceDisplayName"] == "PHONE-0002")
        simulator.put(IOS, dict(stored.entity) | {"certificateKeyLength": 4096})

        ended = undone(site, simulator.service_root, finished)

        assert names_in(simulator) == ["PHONE-0002"]
    rows = {row["deviceDisplayName"]: row for row in read_csv(ended.folder / "undo.csv")}
    assert (ended.exit_code, totals_of(ended)) == (ExitCode.UNSETTLED, {"reversed": 3, "kept": 1})
    assert rows["PHONE-0002"]["_import_status"] == "kept"
    assert "certificateKeyLength" in rows["PHONE-0002"]["_import_message"]


def test_an_object_that_is_gone_already_counts_as_reversed(site: Site) -> None:
    """What somebody has deleted before is not there any more, which is what the undo wants."""
    with imported(site) as (simulator, finished):
        simulator.remove(IOS, id_of(simulator, "PHONE-0003"))

        ended = undone(site, simulator.service_root, finished)

        assert (simulator.objects(), simulator.state().deleted) == ((), 3)
    assert (ended.exit_code, totals_of(ended)) == (ExitCode.OK, {"reversed": 4})


@pytest.mark.parametrize("includes", [False, True])
def test_adopted_objects_go_only_when_they_are_included(site: Site, includes: bool) -> None:
    """An object that was only found again may be somebody else's: it stays, is told, and goes when it is asked for."""
    with imported(site, 3, SimulatorSettings(script=(Fault.NONE, Fault.DROP_AFTER))) as (simulator, finished):
        ended = undone(site, simulator.service_root, finished, include_adopted=includes)

        assert len(names_in(simulator)) == (0 if includes else 1)
    told = (
        "adopted objects that are left alone: 1; the run did not see itself create them, and --include-adopted deletes "
        "them too"
    )
    code = ExitCode.OK if includes else ExitCode.UNSETTLED
    assert totals_of(finished) == {"created": 3}
    assert (ended.exit_code, totals_of(ended)) == (code, {"reversed": 3 if includes else 2})
    assert (told in site.notes) is not includes


def test_where_all_objects_are_adopted_nothing_is_deleted_and_it_is_said_how(site: Site) -> None:
    """That nothing is left to undo would be false: the objects are there, and --include-adopted deletes them."""
    with imported(site, 2, SimulatorSettings(script=(Fault.DROP_AFTER,) * 2)) as (simulator, finished):
        ended = undone(site, simulator.service_root, finished)

        assert len(simulator.objects()) == 2
    assert (ended.exit_code, site.questions, runs_in(site)) == (ExitCode.UNSETTLED, [], {"import": 1})
    assert site.notes[-1] == (
        "adopted objects that are left alone: all 2; the run did not see itself create them, and --include-adopted "
        "deletes them too"
    )


def test_what_the_tenant_had_before_the_run_is_never_deleted(site: Site) -> None:
    """An object that the look before the import found is not the run's, with --include-adopted neither."""
    with imported(site, 1) as (simulator, _):
        shutil.rmtree(site.folder / "state")
        again = site.imported(simulator.service_root, site.folder / "inventory.csv")
        ended = undone(site, simulator.service_root, again, include_adopted=True)

        assert len(simulator.objects()) == 1
    assert totals_of(again) == {"already there": 1}
    assert (ended.exit_code, site.questions) == (ExitCode.OK, [])
    assert site.notes[-1] == (
        f"run {again.summary.run.id} has created nothing that is still there: there is nothing to undo"
    )


def lose_the_answer_of_row_3(site: Site) -> None:
    """Let the ledger know no more of the row than that it was sent."""
    site.execute("UPDATE rows SET state = 'unknown' WHERE row_number = 3")
    site.execute(
        "UPDATE objects SET state = 'unknown', graph_id = NULL, there_row_pk = NULL "
        "WHERE row_pk = (SELECT pk FROM rows WHERE row_number = 3)"
    )


def test_rows_whose_answer_was_lost_are_settled_first(site: Site) -> None:
    """An object whose create nobody saw answered is found before the undo counts."""
    with imported(site, 3) as (simulator, finished):
        lose_the_answer_of_row_3(site)

        ended = undone(site, simulator.service_root, finished, include_adopted=True)

        assert simulator.objects() == ()
    assert [each.rows for each in site.questions] == [3]
    assert totals_of(ended) == {"reversed": 3}


class InterruptingTime(FastTime):
    """A clock that gets Ctrl-C when it is told to sleep."""

    is_armed = False

    async def sleep(self, seconds: float) -> None:
        """Let the time pass."""
        if self.is_armed:
            self.is_armed = False
            signal.raise_signal(signal.SIGINT)
        await super().sleep(seconds)


def test_ctrl_c_before_the_question_deletes_nothing(site: Site) -> None:
    """Whoever interrupts the settling is not asked, and no undo is left in the ledger."""
    site.time = InterruptingTime()
    with imported(site, 3) as (simulator, finished):
        lose_the_answer_of_row_3(site)
        (gone,) = (each for each in simulator.objects() if each.entity["deviceDisplayName"] == "PHONE-0002")
        simulator.remove(gone.collection, str(gone.entity["id"]))  # so that it is waited for
        site.time.is_armed = True

        ended = undone(site, simulator.service_root, finished)

        assert len(simulator.objects()) == 2
    assert (ended.exit_code, ended.stop_message) == (ExitCode.INTERRUPTED, "interrupted, so nothing was deleted")
    assert (site.questions, runs_in(site)) == ([], {"import": 1})


# --- what other runs have to do with it


def updated(site: Site, service_root: str, number: int) -> Finished:
    """Import new values for the device of that number, which update its object."""
    site.config = site.config.replace("send: {max", "send: {on_changed: update, max")
    path = site.write("update.csv", [cells_of(number, userDisplayName="Max")])
    return site.imported(service_root, path, check_remote=False)


def test_what_a_later_run_has_updated_is_kept_and_that_run_named(site: Site) -> None:
    """The other objects go; exit code 4 says that not all of them did, each time. The later run created none."""
    with imported(site, 2) as (simulator, finished):
        later = updated(site, simulator.service_root, 1)
        ended, again = (undone(site, simulator.service_root, finished) for _ in range(2))
        of_update = undone(site, simulator.service_root, later)

        assert names_in(simulator) == ["PHONE-0001"]
    kept = f"objects that run {later.summary.run.id} has updated since, and that are kept: 1"
    assert (ended.exit_code, totals_of(ended)) == (ExitCode.UNSETTLED, {"reversed": 1})
    assert (again.exit_code, of_update.exit_code) == (ExitCode.UNSETTLED, ExitCode.UNSETTLED)
    assert site.notes[-3:] == [kept, kept, "objects that are left because the run has updated, not created them: 1"]
    assert ([each.rows for each in site.questions], runs_in(site)) == ([1], {"import": 2, "undo": 1})


@contextmanager
def doubting(
    site: Site, fault: Fault, *read_faults: ReadFault, count: int = 2
) -> Iterator[tuple[RunningSimulator, Finished, Finished]]:
    """Yield a simulator, the run that has created the objects there, and one whose update of the first is unknown."""
    settings = SimulatorSettings(update_script=(fault,), read_script=(ReadFault.FORBIDDEN_403, *read_faults))
    with running(settings, clock=site.time.clock) as simulator:
        path = site.write("inventory.csv", devices(count))
        finished = site.imported(simulator.service_root, path, check_remote=False)
        later = updated(site, simulator.service_root, 1)
        assert totals_of(later) == {"unknown": 1}
        yield simulator, finished, later


def test_an_update_in_doubt_that_came_to_nothing_does_not_save_its_object(site: Site) -> None:
    """It is read back first, and the undo takes the object; the update's run then says what to do with its row."""
    with doubting(site, Fault.ERROR_504) as (simulator, finished, later):
        ended = undone(site, simulator.service_root, finished)
        resumed = site.resumed(simulator.service_root, later.summary.run.id)

        assert simulator.objects() == ()
    assert (ended.exit_code, totals_of(ended)) == (ExitCode.OK, {"reversed": 2})
    assert [each.rows for each in site.questions] == [2]
    assert (resumed.exit_code, totals_of(resumed)) == (ExitCode.UNSETTLED, {"unsent": 1})
    assert resumed.summary.next_steps == (
        NextStep(
            "import the unsent rows again, whose object was taken away:",
            f"certstate import {later.folder / 'errors.xlsx'}",
        ),
    )


def test_an_update_in_doubt_that_took_effect_saves_its_object(site: Site) -> None:
    """Once it is read back the object is the later run's: it is not asked about, and kept."""
    with doubting(site, Fault.ERROR_504_AFTER) as (simulator, finished, later):
        ended = undone(site, simulator.service_root, finished)

        assert names_in(simulator) == ["PHONE-0001"]
    assert (ended.exit_code, totals_of(ended)) == (ExitCode.UNSETTLED, {"reversed": 1})
    assert [each.rows for each in site.questions] == [1]
    assert f"objects that run {later.summary.run.id} has updated since, and that are kept: 1" in site.notes


def test_what_stays_in_doubt_is_not_deleted_and_the_run_to_resume_is_named(site: Site) -> None:
    """The question counts what will be deleted, and 7 says that something is in doubt."""
    with doubting(site, Fault.ERROR_504, ReadFault.FORBIDDEN_403) as (simulator, finished, later):
        ended = undone(site, simulator.service_root, finished)

        assert names_in(simulator) == ["PHONE-0001"]
    assert (ended.exit_code, totals_of(ended)) == (ExitCode.UNKNOWN_ROWS, {"reversed": 1})
    assert [each.rows for each in site.questions] == [1]
    assert (
        f"objects that are left because the answer to a request of run {later.summary.run.id} was lost: 1; settle that "
        f"first, then undo again: certstate resume {later.summary.run.id}"
    ) in site.notes


def test_with_nothing_but_doubt_there_is_no_question_and_no_undo(site: Site) -> None:
    """An undo that can delete nothing asks nothing and leaves no run behind, and does not say that all is well."""
    with doubting(site, Fault.ERROR_504, ReadFault.FORBIDDEN_403, count=1) as (simulator, finished, _):
        ended = undone(site, simulator.service_root, finished)

        assert names_in(simulator) == ["PHONE-0001"]
    assert (ended.exit_code, site.questions, runs_in(site)) == (ExitCode.UNKNOWN_ROWS, [], {"import": 2})


def test_an_undo_that_goes_on_tells_what_it_leaves_as_well(site: Site) -> None:
    """The part of it that was left for later does not make the object forgotten that a later run has updated."""
    with imported(site, 3) as (simulator, finished):
        later = updated(site, simulator.service_root, 1)
        undone(site, simulator.service_root, finished, most_rows=1)
        ended = undone(site, simulator.service_root, finished)

        assert names_in(simulator) == ["PHONE-0001"]
    assert (ended.exit_code, totals_of(ended)) == (ExitCode.UNSETTLED, {"reversed": 2})
    assert site.notes[-1] == f"objects that run {later.summary.run.id} has updated since, and that are kept: 1"


# --- what goes wrong on the way


@pytest.mark.parametrize(
    "fault", [Fault.DROP_BEFORE, Fault.DROP_AFTER, Fault.ERROR_504, Fault.ERROR_504_AFTER, Fault.HALF_BODY]
)
def test_a_delete_whose_answer_is_lost_is_settled_by_reading_back(site: Site, fault: Fault) -> None:
    """Whether or not the delete was done, in the end the object is gone and the row reversed."""
    settings = SimulatorSettings(delete_script=(Fault.NONE, fault))
    with imported(site, settings=settings) as (simulator, finished):
        ended = undone(site, simulator.service_root, finished)

        assert (simulator.objects(), simulator.state().deleted) == ((), 4)
    assert (ended.exit_code, totals_of(ended)) == (ExitCode.OK, {"reversed": 4})


def test_too_many_requests_are_waited_out(site: Site) -> None:
    """A 429 of a delete costs time, nothing else."""
    with imported(site, settings=SimulatorSettings(delete_script=(Fault.NONE, Fault.THROTTLE_429))) as (
        simulator,
        finished,
    ):
        ended = undone(site, simulator.service_root, finished)

        assert simulator.objects() == ()
    assert (ended.exit_code, totals_of(ended)) == (ExitCode.OK, {"reversed": 4})


def test_deletes_use_the_quota_without_being_refused(site: Site) -> None:
    """150 objects at 100 per 20 s take two windows."""
    with imported(site, 150, SimulatorSettings(refusals_count=True)) as (simulator, finished):
        site.time.now_s += 20.0  # the quota that the import has used is free again
        before = simulator.state().refused
        ended = undone(site, simulator.service_root, finished, concurrency="1")

        assert (simulator.state().refused - before, simulator.state().deleted) == (0, 150)
    assert ended.summary.stats is not None
    assert ended.summary.stats.elapsed_s >= 20.0


def test_a_missing_permission_leaves_the_rest_unsent_and_the_same_undo_goes_on(site: Site) -> None:
    """A 403 ends the undo with exit code 6; once the permission is there, the same command goes on."""
    with imported(site, settings=SimulatorSettings(delete_script=(Fault.NONE, Fault.FORBIDDEN_403))) as (
        simulator,
        finished,
    ):
        first = undone(site, simulator.service_root, finished, concurrency="1")
        left = len(simulator.objects())
        second = undone(site, simulator.service_root, finished)

        assert (left, simulator.objects(), simulator.state().deleted) == (3, (), 4)
    run_id = first.summary.run.id
    assert (first.exit_code, totals_of(first)) == (ExitCode.PREFLIGHT, {"reversed": 1, "unsent": 3})
    assert first.summary.next_steps == (NextStep("go on with the undo:", f"certstate resume {run_id}"),)
    assert (second.summary.run.id, totals_of(second)) == (run_id, {"reversed": 4})
    assert f"going on with {run_id}, an undo of this run that is not finished" in site.notes
    assert runs_in(site) == {"import": 1, "undo": 1}


def test_a_refused_delete_is_failed_and_can_be_undone_again(site: Site) -> None:
    """A row that the service does not let go is told as failed, with the command that tries it again."""
    with imported(site, settings=SimulatorSettings(delete_script=(Fault.NONE, Fault.BAD_REQUEST_400))) as (
        simulator,
        finished,
    ):
        first = undone(site, simulator.service_root, finished)
        second = undone(site, simulator.service_root, finished)

        assert simulator.objects() == ()
    parent = finished.summary.run.id
    assert (first.exit_code, totals_of(first)) == (ExitCode.UNSETTLED, {"reversed": 3, "failed": 1})
    assert first.summary.next_steps == (NextStep("try again to delete what is left:", f"certstate undo {parent}"),)
    assert totals_of(second) == {"reversed": 1}


def interrupt(_progress: Progress) -> None:
    """Press Ctrl-C."""
    signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("goes_on_by", ["undo", "resume"])
def test_an_interrupted_undo_goes_on(site: Site, goes_on_by: str) -> None:
    """After Ctrl-C the undo goes on with what is left; each object is deleted once and the counts add up."""
    with imported(site, 20) as (simulator, finished):
        first = undone(site, simulator.service_root, finished, on_progress=interrupt, concurrency="1")
        left = len(simulator.objects())
        if goes_on_by == "undo":
            second = undone(site, simulator.service_root, finished)
        else:
            second = site.resumed(simulator.service_root)

        assert (simulator.objects(), simulator.state().deleted) == ((), 20)
    assert 0 < left < 20
    assert first.exit_code is ExitCode.INTERRUPTED
    assert totals_of(first) == {"reversed": 20 - left, "unsent": left}
    assert (second.exit_code, totals_of(second)) == (ExitCode.OK, {"reversed": 20})
    assert [each.deletes for each in site.questions] == [True, True]


class KilledError(BaseException):
    """The end of a process, as far as the ledger can tell."""


def kill(_progress: Progress) -> None:
    """End everything at once."""
    raise KilledError


def test_a_killed_undo_goes_on(site: Site) -> None:
    """What was under way when the process ended is read back; no object is deleted twice and none is left."""
    with imported(site, 20) as (simulator, finished):
        with pytest.raises(KilledError):
            undone(site, simulator.service_root, finished, on_progress=kill)
        left = len(simulator.objects())
        ended = undone(site, simulator.service_root, finished)

        assert (simulator.objects(), simulator.state().deleted) == ((), 20)
    assert left > 0
    assert (ended.exit_code, totals_of(ended)) == (ExitCode.OK, {"reversed": 20})
    assert runs_in(site) == {"import": 1, "undo": 1}


def test_a_limit_leaves_the_rest_for_later(site: Site) -> None:
    """--limit deletes so many; the same undo goes on with the others."""
    with imported(site) as (simulator, finished):
        first = undone(site, simulator.service_root, finished, most_rows=1)
        second = undone(site, simulator.service_root, finished)

        assert simulator.objects() == ()
    assert totals_of(first) == {"reversed": 1, "unsent": 3}
    assert [each.rows for each in site.questions] == [1, 3]
    assert totals_of(second) == {"reversed": 4}


# --- what is asked


def test_the_question_names_what_is_deleted_even_on_this_machine(site: Site) -> None:
    """An undo asks once, also in a rehearsal, with tenant and count."""
    with imported(site) as (simulator, finished):
        undone(site, simulator.service_root, finished)

    tenant_id = finished.summary.run.scope.tenant_id
    assert site.questions == [Question(Scope(simulator.service_root, tenant_id), "", 4, 0.0, deletes=True)]


def test_a_no_deletes_nothing_and_leaves_nothing_behind(site: Site) -> None:
    """After a no there is no undo that a later `resume` could go on with."""
    with imported(site) as (simulator, finished):
        site.answer = False
        ended = undone(site, simulator.service_root, finished)
        site.answer = True
        resumed = site.resumed(simulator.service_root)

        assert len(simulator.objects()) == 4
    assert (ended.exit_code, ended.stop_message) == (ExitCode.UNSETTLED, "not confirmed, so nothing was deleted")
    assert runs_in(site) == {"import": 1}
    assert (resumed.summary.run.id, resumed.exit_code) == (finished.summary.run.id, ExitCode.OK)


def test_with_nothing_to_undo_there_is_a_sentence(site: Site) -> None:
    """The second undo of a run asks nothing, deletes nothing and ends well."""
    with imported(site) as (simulator, finished):
        undone(site, simulator.service_root, finished)
        ended = undone(site, simulator.service_root, finished)

    run_id = finished.summary.run.id
    assert ended.exit_code is ExitCode.OK
    assert site.notes[-1] == f"run {run_id} has created nothing that is still there: there is nothing to undo"
    assert (len(site.questions), runs_in(site)) == (1, {"import": 1, "undo": 1})


def test_what_is_missing_is_nothing_to_undo(site: Site) -> None:
    """An object that `verify` proved missing is not looked for by the undo."""
    with imported(site, 2) as (simulator, finished):
        simulator.remove(IOS, id_of(simulator, "PHONE-0001"))
        verify_run(finished.summary.run.id, site.job(simulator.service_root), wait_s=300.0)

        ended = undone(site, simulator.service_root, finished)

    assert totals_of(ended) == {"reversed": 1}
    assert site.row_states() == {"missing": 1, "reversed": 2}  # the run's own row, and the undo's


def test_an_undo_cannot_be_undone(site: Site) -> None:
    """What an undo deleted comes back by importing again, and the message says so."""
    with imported(site, 1) as (simulator, finished):
        ended = undone(site, simulator.service_root, finished)

        with pytest.raises(
            UsageError, match="is an undo itself; what it deleted comes back when the files are imported"
        ):
            undone(site, simulator.service_root, ended)


def test_a_run_of_another_tenant_is_not_undone(site: Site) -> None:
    """An undo goes to the tenant that the run went to, and to no other."""
    with (
        imported(site, 1) as (_, finished),
        running(SimulatorSettings()) as other,
        pytest.raises(UsageError, match="undo it with the configuration that it was started with"),
    ):
        undone(site, other.service_root, finished)


def test_without_a_ledger_none_is_made(site: Site) -> None:
    """A mistyped --state is told, and leaves no ledger behind."""
    with running(SimulatorSettings()) as simulator, pytest.raises(UsageError, match="there is no ledger here yet"):
        undo_run("3f9a1c", site.job(simulator.service_root), include_adopted=False)

    assert not (site.folder / "state").exists()


def test_a_no_to_going_on_leaves_the_undo_as_it_is(site: Site) -> None:
    """`resume` of an undo asks as well, and says what a no has prevented."""
    with imported(site) as (simulator, finished):
        undone(site, simulator.service_root, finished, most_rows=1)
        site.answer = False
        ended = site.resumed(simulator.service_root)

        assert len(simulator.objects()) == 3
    assert (ended.exit_code, ended.stop_message) == (ExitCode.UNSETTLED, "not confirmed, so nothing was deleted")
    assert totals_of(ended) == {"reversed": 1, "unsent": 3}


# --- the command line


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[RunningSimulator, str]]:
    """A simulator and a run with three rows, in a current folder with a config.yaml."""
    move_to(tmp_path, monkeypatch)
    with running(SimulatorSettings()) as simulator:
        write_csv(tmp_path / "a.csv", [*devices(2), cells_of(3, devicePlatform="macOS")])
        assert call("import", "a.csv", "--graph-url", simulator.service_root).code == ExitCode.OK
        (folder,) = (each for each in Path("runs").iterdir() if each.is_dir())
        yield simulator, folder.name


def test_without_a_terminal_nothing_is_deleted_unless_it_is_confirmed(shell: tuple[RunningSimulator, str]) -> None:
    """An undo in a script needs --yes, on loopback too, and says so before it opens anything."""
    simulator, run = shell
    before = simulator.state().requests

    called = call("undo", run, "--graph-url", simulator.service_root)

    assert called.code == ExitCode.USAGE
    assert called.stderr == (
        f"certstate: there is no terminal to ask on before objects of {simulator.service_root} are deleted; add --yes\n"
    )
    assert simulator.state().requests == before


def test_the_summary_of_an_undo_fits_80_columns(shell: tuple[RunningSimulator, str]) -> None:
    """`undo --yes` prints what was reversed, by route, and where the report is."""
    simulator, run = shell

    called = call("undo", run[-6:], "--yes", "--graph-url", simulator.service_root)

    (folder,) = (each for each in Path("runs").iterdir() if each.is_dir() and each.name != run)
    assert (called.code, simulator.objects()) == (ExitCode.OK, ())
    assert called.stdout.splitlines()[0] == f"Run      {folder.name}"
    assert "        3  reversed\n" in called.stdout
    assert "\n3 rows to undo = 3 reversed\n" in called.stdout
    assert f"\nReport: runs/{folder.name}/report.html\n" in called.stdout
    assert [line for line in called.stdout.splitlines() if len(line) > 80] == []


def test_progress_says_that_rows_are_deleted() -> None:
    """An undo must not look like an import."""
    shown = Reporter(lambda: 0.0)
    shown.deleting(Progress(1, 4, 1, 0, "", 0.0))
    stderr = io.StringIO()

    with redirect_stderr(stderr):
        shown.print_line()

    assert stderr.getvalue() == "deleting: 1 of 4 rows\n"


def test_json_of_an_undo_is_its_report(shell: tuple[RunningSimulator, str]) -> None:
    """With --output json stdout is the report of the undo."""
    simulator, run = shell

    called = call("--output", "json", "undo", run, "--yes", "--graph-url", simulator.service_root)

    document = json.loads(called.stdout)
    assert (called.code, document["run"]["verb"], document["totals"]["reversed"]) == (ExitCode.OK, "undo", 3)
