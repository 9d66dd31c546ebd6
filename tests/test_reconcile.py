"""Settling what is unknown by reading the tenant back: a real simulator, and a clock that only sleeping moves."""

import json
from dataclasses import replace
from typing import Any

import pytest
from import_cases import IOS, Site, cells_of, devices, report_of, totals_of

from pipeline.errors import ExitCode
from pipeline.graph import Timeouts
from pipeline.run import import_files
from pipeline.sending_run import Finished
from pipeline.simulator import Fault, ReadFault, RunningSimulator, SimulatorSettings, running
from pipeline.undo import undo_run

LOST = (Fault.ERROR_504,)
LOST_AFTER = (Fault.ERROR_504_AFTER,)


def gets(simulator: RunningSimulator) -> int:
    """Return how many reads the simulator has answered."""
    return simulator.state().reads


def object_of(simulator: RunningSimulator, number: int = 1) -> dict[str, Any]:
    """Return the device's object as the tenant holds it."""
    name = f"PHONE-{number:04}"
    (found,) = [dict(each.entity) for each in simulator.objects() if each.entity["deviceDisplayName"] == name]
    return found


def changed_copy(entity: dict[str, Any], **changed: object) -> dict[str, Any]:
    """Return the object with other values and without an id, as somebody else would create it."""
    return {name: value for name, value in (entity | changed).items() if name != "id"}


# --- creates


def test_a_lost_create_that_is_found_is_created_and_its_id_adopted(site: Site) -> None:
    """One sweep finds the object; nothing is sent twice, and the ledger says how it knows the id."""
    with running(SimulatorSettings(script=LOST_AFTER)) as simulator:
        finished = site.imported(simulator.service_root, site.write("i.csv", devices(3)))
        stored, reads = object_of(simulator), gets(simulator)

    assert (finished.exit_code, totals_of(finished)) == (ExitCode.OK, {"created": 3})
    assert site.select("SELECT graph_id, is_adopted FROM objects WHERE row_pk = 1") == [(stored["id"], 1)]
    assert site.select("SELECT sum(is_adopted) FROM objects") == [(1,)]
    assert reads == 2  # the look before the first row, and one sweep


def test_an_object_that_is_seen_late_is_not_sent_again(site: Site) -> None:
    """Read-after-write delay: within the settle time the sweeps go on until the object appears."""
    settings = SimulatorSettings(script=LOST_AFTER, read_delay_s=110.0)
    with running(settings, clock=site.time.clock) as simulator:
        finished = site.imported(simulator.service_root, site.write("i.csv", devices(1)))
        state = simulator.state()

    assert (finished.exit_code, totals_of(finished)) == (ExitCode.OK, {"created": 1})
    assert (state.writes, state.objects) == (1, 1)


def test_absence_counts_only_in_two_sweeps_after_the_settle_time(site: Site) -> None:
    """What is not there goes out again after the settle time, a gap and two more sweeps, and not before."""
    with running(SimulatorSettings(script=LOST), clock=site.time.clock) as simulator:
        began_s = site.time.clock()
        finished = site.imported(simulator.service_root, site.write("i.csv", devices(1)))
        elapsed_s = site.time.clock() - began_s
        state = simulator.state()

    assert (finished.exit_code, totals_of(finished)) == (ExitCode.OK, {"created": 1})
    assert (state.writes, state.objects) == (2, 1)
    assert state.reads == 1 + 3  # the look before the first row; at once, after the settle time, after the gap
    assert 132.0 <= elapsed_s < 134.0


def test_an_incomplete_sweep_sends_nothing(site: Site) -> None:
    """When the list breaks off, the row stays unknown however often its object was not on the pages that came."""
    broken = (ReadFault.NOT_FOUND_404,)
    with running(SimulatorSettings(script=LOST, read_script=broken), clock=site.time.clock) as simulator:
        finished = site.imported(simulator.service_root, site.write("i.csv", devices(1)), check_remote=False)
        state = simulator.state()

    assert (finished.exit_code, totals_of(finished)) == (ExitCode.UNKNOWN_ROWS, {"unknown": 1})
    assert (state.writes, state.reads) == (1, 1)
    assert site.notes[-1].startswith(f"not settled: the list of {IOS} could not be read to its end: ")


def test_an_equal_object_that_a_row_owns_is_not_adopted(site: Site) -> None:
    """Each object belongs to one row: a lost create is not taken for the object of another run."""
    with running(SimulatorSettings(script=(Fault.NONE, *LOST)), clock=site.time.clock) as simulator:
        site.imported(simulator.service_root, site.write("i.csv", devices(1)))
        site.execute("UPDATE objects SET key = 'another key'")  # so that the ledger takes the same row for a new one
        finished = site.imported(simulator.service_root, site.write("i.csv", devices(1)))
        state = simulator.state()

    assert (finished.exit_code, totals_of(finished)) == (ExitCode.OK, {"created": 1})
    assert (state.writes, state.objects) == (3, 2)


def test_an_object_with_the_key_and_other_values_is_changed_and_neither_adopted_nor_doubled(site: Site) -> None:
    """Somebody else's object for the same device and certificate is told with what differs; nothing is sent."""
    with running(SimulatorSettings(script=(*LOST_AFTER,)), clock=site.time.clock) as simulator:
        site.imported(simulator.service_root, site.write("other.csv", devices(1, userDisplayName="Max")))
        site.execute("UPDATE objects SET key = 'another key', graph_id = 'another id'")
        finished = site.imported(simulator.service_root, site.write("i.csv", devices(1)), check_remote=True)
        state = simulator.state()

    assert (finished.exit_code, totals_of(finished)) == (ExitCode.OK, {"changed": 1})
    assert (state.writes, state.objects) == (1, 1)
    (found,) = [each for each in report_of(finished)["findings"] if each["code"] == "changed"]
    assert "it differs in userDisplayName" in found["message"]


def test_a_changed_row_is_created_once_the_other_object_is_gone(site: Site) -> None:
    """The next import looks again: the object that stood in the way was deleted, so the row goes out."""
    with running(SimulatorSettings(script=LOST), clock=site.time.clock) as simulator:
        file = site.write("i.csv", devices(1))
        job = site.job(simulator.service_root)
        other = changed_copy(_body_of(site), userDisplayName="Max")
        object_id = simulator.put(IOS, other)
        first = import_files([file], job)
        simulator.remove(IOS, object_id)
        again = site.imported(simulator.service_root, file)
        state = simulator.state()

    assert (totals_of(first), totals_of(again)) == ({"changed": 1}, {"created": 1})
    assert (again.exit_code, state.objects) == (ExitCode.OK, 1)


def _body_of(site: Site) -> dict[str, Any]:
    """Return the first row's body, from a rehearsal in another folder."""
    folder = site.folder / "rehearsal"
    folder.mkdir()
    rehearsal = Site(folder)
    with running(SimulatorSettings()) as other:
        rehearsal.imported(other.service_root, rehearsal.write("i.csv", devices(1)))
    ((body,),) = rehearsal.select("SELECT body FROM row_bodies")
    entity: dict[str, Any] = json.loads(body)
    return entity


def test_null_values_of_the_tenant_are_no_identity(site: Site) -> None:
    """Objects whose thumbprint, issuer or serial number are null match no row."""
    nothing = {"certificateThumbprint": None, "certificateIssuer": None, "certificateSerialNumber": None}
    with running(SimulatorSettings(script=LOST_AFTER), clock=site.time.clock) as simulator:
        simulator.put(IOS, changed_copy(_body_of(site), **nothing))
        finished = site.imported(simulator.service_root, site.write("i.csv", devices(1)))

    assert totals_of(finished) == {"created": 1}


def test_a_row_that_is_lost_again_and_again_is_given_up_and_can_be_resumed(site: Site) -> None:
    """Proven absent three times in one call the row is unsent, with the reason; `resume` tries once more."""
    with running(SimulatorSettings(script=LOST * 3), clock=site.time.clock) as simulator:
        finished = site.imported(simulator.service_root, site.write("i.csv", devices(1)))
        writes, causes = simulator.state().writes, report_of(finished)["causes"]
        again = site.resumed(simulator.service_root)

    assert (finished.exit_code, totals_of(finished), writes) == (ExitCode.UNSETTLED, {"unsent": 1}, 3)
    (cause,) = causes
    assert cause["examples"][0]["message"].startswith(
        "its answer was lost again and again, and it is not in the tenant"
    )
    assert (again.exit_code, totals_of(again)) == (ExitCode.OK, {"created": 1})


def test_unknown_rows_of_another_run_are_settled_before_they_are_planned(site: Site) -> None:
    """Importing a file again settles what the first run left unknown, and takes over what is not there."""
    refused = (ReadFault.FORBIDDEN_403,)
    script = (Fault.NONE, *LOST_AFTER, *LOST)
    with running(SimulatorSettings(script=script, read_script=refused), clock=site.time.clock) as simulator:
        file = site.write("i.csv", devices(3))
        first = site.imported(simulator.service_root, file, check_remote=False, concurrency="1")
        again = site.imported(simulator.service_root, file)
        state = simulator.state()

    assert (first.exit_code, totals_of(first)) == (ExitCode.UNKNOWN_ROWS, {"created": 1, "unknown": 2})
    assert (again.exit_code, totals_of(again)) == (ExitCode.OK, {"already there": 2, "created": 1})
    assert (state.objects, state.duplicates) == (3, 0)


def test_reading_back_spends_no_write_quota(site: Site) -> None:
    """With a quota of one write a minute the sweeps do not wait for it."""
    settings = SimulatorSettings(script=LOST_AFTER, page_size=1)
    with running(settings, clock=site.time.clock) as simulator:
        for number in range(20):
            simulator.put(IOS, changed_copy(_cells(number)))
        began_s = site.time.clock()
        finished = site.imported(simulator.service_root, site.write("i.csv", devices(1)), quota="1/60s")

    assert totals_of(finished) == {"created": 1}
    assert site.time.clock() - began_s < 5.0


def _cells(number: int) -> dict[str, Any]:
    return {**cells_of(number, deviceDisplayName=f"OTHER-{number}"), "id": ""}


# --- updates


def updated(site: Site, simulator: RunningSimulator) -> tuple[Finished, dict[str, Any]]:
    """Import a device, then import it again with another user, updating; return how it ended, and the object."""
    site.imported(simulator.service_root, site.write("i.csv", devices(1)))
    site.config = site.config.replace("send: {", "send: {on_changed: update, ")
    changed = site.write("changed.csv", devices(1, userDisplayName="Max Example"))
    finished = site.imported(simulator.service_root, changed)
    return finished, object_of(simulator)


def test_a_changed_row_updates_its_object(site: Site) -> None:
    """With `on_changed: update` the new values go out as a PATCH of the object; a third import finds them there."""
    with running(SimulatorSettings()) as simulator:
        finished, entity = updated(site, simulator)
        state = simulator.state()
        again = site.imported(simulator.service_root, site.folder / "changed.csv")

    assert (finished.exit_code, totals_of(finished)) == (ExitCode.OK, {"updated": 1})
    assert (entity["userDisplayName"], state.patched, state.objects) == ("Max Example", 1, 1)
    assert totals_of(again) == {"already there": 1}


def test_without_it_a_changed_row_is_reported_and_nothing_is_sent(site: Site) -> None:
    """The default tells, and leaves the object alone."""
    with running(SimulatorSettings()) as simulator:
        site.imported(simulator.service_root, site.write("i.csv", devices(1)))
        changed = site.write("changed.csv", devices(1, userDisplayName="Max Example"))
        finished = site.imported(simulator.service_root, changed)
        state = simulator.state()

    assert (finished.exit_code, totals_of(finished), state.writes) == (ExitCode.OK, {"changed": 1}, 1)


@pytest.mark.parametrize(
    ("fault", "patches"),
    [(Fault.ERROR_504_AFTER, 1), (Fault.DROP_AFTER, 1), (Fault.ERROR_504, 2), (Fault.DROP_BEFORE, 2)],
    ids=str,
)
def test_a_lost_update_is_settled_by_looking_at_the_object(site: Site, fault: Fault, patches: int) -> None:
    """New values = updated, old values = sent again; one GET by id, no sweep and no wait."""
    with running(SimulatorSettings(update_script=(fault,)), clock=site.time.clock) as simulator:
        finished, entity = updated(site, simulator)
        state = simulator.state()

    assert (finished.exit_code, totals_of(finished)) == (ExitCode.OK, {"updated": 1})
    assert (entity["userDisplayName"], state.writes, state.objects) == ("Max Example", 1 + patches, 1)


def test_an_object_that_is_gone_is_missing_and_never_created_by_an_update(site: Site) -> None:
    """A 404 to a PATCH is told as missing, exit 4; `retry --missing` would create it."""
    with running(SimulatorSettings(), clock=site.time.clock) as simulator:
        site.imported(simulator.service_root, site.write("i.csv", devices(1)))
        simulator.remove(IOS, object_of(simulator)["id"])
        site.config = site.config.replace("send: {", "send: {on_changed: update, ")
        changed = site.write("changed.csv", devices(1, userDisplayName="Max Example"))
        finished = site.imported(simulator.service_root, changed)
        state = simulator.state()

    assert (finished.exit_code, totals_of(finished)) == (ExitCode.UNSETTLED, {"missing": 1})
    assert (state.objects, state.created) == (0, 1)


def test_a_lost_update_of_an_object_that_somebody_else_changed_is_told(site: Site) -> None:
    """Neither the old nor the new values: nobody knows whose values count, so nothing more is sent."""
    with running(SimulatorSettings(update_script=(Fault.SILENT,)), clock=site.time.clock) as simulator:
        site.imported(simulator.service_root, site.write("i.csv", devices(1)))
        entity = object_of(simulator)

        def meddle(_note: str) -> None:  # told right before the tenant is read back
            simulator.put(IOS, object_of(simulator) | {"userDisplayName": "Somebody Else"})

        site.config = site.config.replace("send: {", "send: {on_changed: update, ")
        changed = site.write("changed.csv", devices(1, userDisplayName="Max Example"))
        job = site.job(simulator.service_root, timeouts=Timeouts(read_s=0.3))
        finished = import_files([changed], replace(job, watch=job.watch._replace(note=meddle)))
        after = object_of(simulator)

    assert totals_of(finished) == {"changed": 1}
    assert (after["userDisplayName"], after["id"]) == ("Somebody Else", entity["id"])


def test_an_old_copy_of_the_ledger_is_resumed_after_a_look(site: Site) -> None:
    """What was sent after the copy was made is found in the tenant when `resume` is told to look there first."""
    with running(SimulatorSettings(), clock=site.time.clock) as simulator:
        site.imported(simulator.service_root, site.write("i.csv", devices(4)), most_rows=1)
        copy = (site.folder / "state" / "ledger.db").read_bytes()
        site.resumed(simulator.service_root)
        (site.folder / "state" / "ledger.db").write_bytes(copy)
        finished = site.resumed(simulator.service_root, check_remote=True)
        state = simulator.state()

    assert (finished.exit_code, totals_of(finished)) == (ExitCode.OK, {"already there": 3, "created": 1})
    assert (state.objects, state.duplicates) == (4, 0)


def test_a_lost_ledger_doubles_nothing_file_by_file(site: Site) -> None:
    """A new ledger looks again for each file as long as the tenant has objects that it knows nothing of."""
    with running(SimulatorSettings(), clock=site.time.clock) as simulator:
        files = [site.write(f"{number}.csv", devices(3, first=1 + 3 * number)) for number in range(3)]
        for file in files:
            site.imported(simulator.service_root, file)
        for each in (site.folder / "state").iterdir():
            each.unlink()
        again = [totals_of(site.imported(simulator.service_root, file)) for file in files]
        reads = gets(simulator)
        more = site.imported(simulator.service_root, site.write("more.csv", devices(1, first=90)))
        state = simulator.state()

    assert again == [{"already there": 3}] * 3
    assert (totals_of(more), state.objects, state.duplicates) == ({"created": 1}, 10, 0)
    assert state.reads == reads  # by then the ledger knows every object


def test_a_value_that_an_update_cannot_take_away_is_told(site: Site) -> None:
    """A property that is there and that the row leaves empty keeps the row from being `updated`: it stays `changed`."""
    site.config += "optional: [userDisplayName]\n"
    with running(SimulatorSettings(), clock=site.time.clock) as simulator:
        site.imported(simulator.service_root, site.write("i.csv", devices(2)))
        site.config = site.config.replace("send: {", "send: {on_changed: update, ")
        rows = [cells_of(1, userDisplayName=""), cells_of(2, userDisplayName="Max Example")]
        finished = site.imported(simulator.service_root, site.write("changed.csv", rows))
        state = simulator.state()

    assert totals_of(finished) == {"changed": 1, "updated": 1}
    assert (state.patched, object_of(simulator)["userDisplayName"]) == (1, "Erika Example")
    assert "an update cannot take a value away" in report_of(finished)["causes"][0]["examples"][0]["message"]


@pytest.mark.parametrize("operation", ["update", "delete"])
def test_a_write_that_never_works_ends(site: Site, operation: str) -> None:
    """An update or delete whose answer is lost three times without effect is left unsent; nothing goes on for ever."""
    faults = {f"{operation}_script": (Fault.ERROR_500,) * 50}
    with running(SimulatorSettings(**faults), clock=site.time.clock) as simulator:
        first = site.imported(simulator.service_root, site.write("i.csv", devices(1)))
        if operation == "update":
            site.config = site.config.replace("send: {", "send: {on_changed: update, ")
            changed = site.write("changed.csv", devices(1, userDisplayName="Max Example"))
            finished = site.imported(simulator.service_root, changed)
        else:
            finished = undo_run(first.summary.run.id, site.job(simulator.service_root), include_adopted=False)
        state = simulator.state()

    assert (finished.exit_code, totals_of(finished)) == (ExitCode.UNSETTLED, {"unsent": 1})
    assert (state.writes, state.objects) == (1 + 3, 1)


def test_a_service_that_does_not_find_to_delete_what_it_shows_is_not_believed(site: Site) -> None:
    """404 to the DELETE of an object that is there means another fault than its absence: nothing is called reversed."""
    with running(SimulatorSettings(delete_script=(Fault.NOT_FOUND_404,) * 9), clock=site.time.clock) as simulator:
        first = site.imported(simulator.service_root, site.write("i.csv", devices(1)))
        finished = undo_run(first.summary.run.id, site.job(simulator.service_root), include_adopted=False)
        state = simulator.state()

    assert (finished.exit_code, totals_of(finished)) == (ExitCode.UNSETTLED, {"unsent": 1})
    assert state.objects == 1


def test_an_object_that_is_not_visible_yet_is_deleted_all_the_same(site: Site) -> None:
    """What is read may lag behind: an undo right after the import deletes what no list shows yet."""
    with running(SimulatorSettings(read_delay_s=600.0), clock=site.time.clock) as simulator:
        first = site.imported(simulator.service_root, site.write("i.csv", devices(3)))
        finished = undo_run(first.summary.run.id, site.job(simulator.service_root), include_adopted=False)
        state = simulator.state()

    assert (finished.exit_code, totals_of(finished)) == (ExitCode.OK, {"reversed": 3})
    assert (state.objects, state.deleted) == (0, 3)


def test_an_older_run_does_not_undo_a_newer_one(site: Site) -> None:
    """A row that waited, while a later run sent newer values, is unsent: `resume` never goes back in time."""
    settings = SimulatorSettings(update_script=(Fault.ERROR_500,), read_script=(ReadFault.FORBIDDEN_403,) * 2)
    with running(settings, clock=site.time.clock) as simulator:
        root = simulator.service_root
        site.imported(root, site.write("1.csv", devices(1)), check_remote=False)
        site.config = site.config.replace("send: {", "send: {on_changed: update, ")
        site.imported(root, site.write("2.csv", devices(1, userDisplayName="Two")))
        waiting = site.imported(root, site.write("3.csv", devices(1, userDisplayName="Three")))
        newest = site.imported(root, site.write("4.csv", devices(1, userDisplayName="Four")))
        again = site.resumed(root, waiting.summary.run.id)

    assert (totals_of(waiting), totals_of(newest)) == ({"unknown": 1}, {"updated": 1})
    assert totals_of(again) == {"unsent": 1}
    assert object_of(simulator)["userDisplayName"] == "Four"
