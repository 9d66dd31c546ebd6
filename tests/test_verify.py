"""Reading a run's objects back: each result, how long it is waited for, what is written down and what is printed."""

import json
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cli_cases import call, move_to
from import_cases import (
    IOS,
    MACOS,
    TENANT_ID,
    FastTime,
    Site,
    cells_of,
    devices,
    read_csv,
    report_of,
    totals_of,
    write_csv,
)

from pipeline.errors import ExitCode, LockHeldError, UsageError
from pipeline.ledger import hold_lock
from pipeline.model import RunInfo, Scope, SourceInfo
from pipeline.report import NextStep, Result, Verification, VerifiedRow, verification_document
from pipeline.report.verification import HINTS
from pipeline.run import Finished, report_run, retry_run
from pipeline.simulator import Fault, ReadFault, RunningSimulator, SimulatorSettings, StoredObject, running
from pipeline.undo import undo_run
from pipeline.verify import Verified, verify_run

SETTLE_S = 120.0  # the configuration's


def verified(site: Site, service_root: str, finished: Finished, *, wait_s: float = 300.0) -> Verified:
    """Verify the run."""
    return verify_run(finished.summary.run.id, site.job(service_root), wait_s=wait_s)


@contextmanager
def imported(
    site: Site, count: int = 4, settings: SimulatorSettings | None = None, **cells: str
) -> Iterator[tuple[RunningSimulator, Finished]]:
    """Yield a simulator on the site's clock, and the run that has created so many objects there."""
    with running(settings or SimulatorSettings(), clock=site.time.clock) as simulator:
        rows = [cells_of(number, **cells) for number in range(1, count + 1)]
        yield simulator, site.imported(simulator.service_root, site.write("inventory.csv", rows))


def of_device(simulator: RunningSimulator, name: str) -> StoredObject:
    """Return the object of the device."""
    (found,) = (each for each in simulator.objects() if each.entity["deviceDisplayName"] == name)
    return found


def change(simulator: RunningSimulator, name: str, **changed: object) -> None:
    """Change the device's object behind our back."""
    stored = of_device(simulator, name)
    simulator.put(stored.collection, dict(stored.entity) | changed)


def remove(simulator: RunningSimulator, name: str) -> None:
    """Delete the device's object behind our back."""
    stored = of_device(simulator, name)
    simulator.remove(stored.collection, str(stored.entity["id"]))


def results_of(ended: Verified) -> dict[str, str]:
    """Return the result of each device in verify.csv."""
    return {row["device"]: row["result"] for row in read_csv(ended.folder / "verify.csv")}


def document_of(ended: Verified) -> dict[str, Any]:
    """Return verify.json."""
    document: dict[str, Any] = json.loads((ended.folder / "verify.json").read_text("utf-8"))
    return document


def counts_of(ended: Verified) -> Mapping[Result, int]:
    """Return the rows by result, without zeros."""
    return {result: rows for result, rows in ended.verification.counts.items() if rows}


# --- what is there


def test_objects_as_they_were_sent_are_verified_in_one_sweep(site: Site) -> None:
    """250 objects are verified by three reads, one for each page, without any waiting."""
    with imported(site, 250) as (simulator, finished):
        before, began = simulator.state().reads, site.time.now_s

        ended = verified(site, simulator.service_root, finished)

        assert simulator.state().reads - before == 3
    assert ended.exit_code is ExitCode.OK
    assert counts_of(ended) == {Result.VERIFIED: 250}
    assert ended.verification.conservation_line == "250 rows created = 250 verified"
    assert ended.verification.next_steps == ()
    assert site.time.now_s == began


def test_every_row_is_written_down_with_its_place_and_id(site: Site) -> None:
    """verify.csv has a line for each row, in the order of reading, that leads back to the spreadsheet and to Intune."""
    with imported(site, 2) as (simulator, finished):
        ended = verified(site, simulator.service_root, finished)
        ids = [str(each.entity["id"]) for each in simulator.objects()]

    common = {
        "file": str(site.folder / "inventory.csv"),
        "sheet": "",
        "result": "verified",
        "fields": "",
        "sent": "",
        "found": "",
        "same_instant": "",
        "message": "",
    }
    assert ended.folder == finished.folder
    assert read_csv(ended.folder / "verify.csv") == [
        common | {"row": str(row), "device": f"PHONE-{row - 1:04}", "thumbprint": f"{row - 1:040X}", "id": object_id}
        for row, object_id in zip((2, 3), ids, strict=True)
    ]


def test_a_changed_object_differs_and_the_field_is_named(site: Site) -> None:
    """A value that somebody changed is told with what was sent and what is there, in every report."""
    with imported(site) as (simulator, finished):
        change(simulator, "PHONE-0002", certificateKeyLength=4096, userDisplayName=None)
        change(simulator, "PHONE-0003", certificateKeyLength=1024)

        ended = verified(site, simulator.service_root, finished)
        object_id = of_device(simulator, "PHONE-0002").entity["id"]

    rows = {row["device"]: row for row in read_csv(ended.folder / "verify.csv")}
    changed = rows["PHONE-0002"]
    assert (changed["fields"], changed["sent"], changed["found"]) == (
        "userDisplayName; certificateKeyLength",
        "Erika Example; 2048",
        "; 4096",
    )
    assert ended.exit_code is ExitCode.UNSETTLED
    assert ended.verification.conservation_line == "4 rows created = 2 verified + 2 differ"
    assert [(each.column, each.places, each.examples[0].message) for each in ended.verification.causes] == [
        ("certificateKeyLength", "rows 3-4", "sent 2048, found 4096"),
        ("userDisplayName", "row 3", "sent Erika Example, found nothing"),
    ]
    document = document_of(ended)
    assert document["totals"] == {"verified": 2, "differs": 2, "missing": 0, "not_yet_visible": 0, "not_read": 0}
    assert document["rows"][0] == {
        "file": str(site.folder / "inventory.csv"),
        "sheet": None,
        "row": 3,
        "collection": IOS,
        "device": "PHONE-0002",
        "thumbprint": f"{2:040X}",
        "id": object_id,
        "result": "differs",
        "message": None,
        "differences": [
            {"property": "userDisplayName", "sent": "Erika Example", "found": None},
            {"property": "certificateKeyLength", "sent": "2048", "found": "4096"},
        ],
        "same_instant": [],
    }
    assert (document["schema_version"], document["rows_total"], document["balanced"]) == (2, 2, True)
    assert document["run"]["folder"] == str(finished.folder)
    assert document["causes"][0] == {
        "code": "differs",
        "severity": "error",
        "column": "certificateKeyLength",
        "rows": 2,
        "places": "rows 3-4",
        "examples": [{"place": None, "value": None, "message": "sent 2048, found 4096"}],
        "hint": HINTS[Result.DIFFERS],
        "config_line": None,
    }


def test_another_text_for_the_same_instant_is_no_difference(site: Site) -> None:
    """A service may write a date in its own way: the row is verified, and the field is told beside it."""
    with imported(site, 2) as (simulator, finished):
        change(simulator, "PHONE-0001", lastCertificateStateChangeDateTime="2026-11-23T07:49:13Z")

        ended = verified(site, simulator.service_root, finished)

    first, second = read_csv(ended.folder / "verify.csv")
    assert (first["result"], first["fields"], first["same_instant"]) == (
        "verified",
        "",
        "lastCertificateStateChangeDateTime",
    )
    assert second["same_instant"] == ""
    assert (ended.exit_code, ended.verification.same_instant) == (ExitCode.OK, 1)
    assert document_of(ended)["same_instant"] == 1


def test_one_tick_is_a_difference(site: Site) -> None:
    """Dates are compared to 100 ns."""
    with imported(site, 1) as (simulator, finished):
        change(simulator, "PHONE-0001", certificateExpirationDateTime="2027-11-23T08:49:13.1234568Z")

        ended = verified(site, simulator.service_root, finished)

    assert results_of(ended) == {"PHONE-0001": "differs"}


def test_what_no_file_can_hold_is_written_harmless(site: Site) -> None:
    """Half a surrogate pair in an answer and a formula in a name end no verification and run in no spreadsheet."""
    with imported(site, 1, deviceDisplayName="=1+1") as (simulator, finished):
        change(simulator, "=1+1", userDisplayName="=HYPERLINK(\ud83d)")

        ended = verified(site, simulator.service_root, finished)

    (row,) = read_csv(ended.folder / "verify.csv")
    assert (row["device"], row["found"]) == ("'=1+1", "'=HYPERLINK(?)")


def test_only_the_run_that_wrote_last_answers_for_an_object(site: Site) -> None:
    """After an update the values are the later run's: it is verified against the new ones, the first run has no row."""
    site.config += "send: {on_changed: update}\n"
    site.config = site.config.replace("send: {max_errors: 100%}\n", "")
    with imported(site, 2) as (simulator, first):
        later = site.imported(simulator.service_root, site.write("b.csv", [cells_of(1, certificateKeyLength="4096")]))

        ended = [verified(site, simulator.service_root, each) for each in (first, later)]

    assert totals_of(later) == {"updated": 1}
    assert [results_of(each) for each in ended] == [{"PHONE-0002": "verified"}, {"PHONE-0001": "verified"}]
    verify_later = NextStep(
        "verify the run that has updated other objects of this one since:",
        f"certstate verify {later.summary.run.id}",
    )
    assert [each.verification.next_steps for each in ended] == [(verify_later,), ()]


def test_a_run_that_created_nothing_has_nothing_to_verify(site: Site) -> None:
    """A run whose rows were there already is verified without a question to the tenant."""
    with imported(site, 1) as (simulator, _):
        again = site.imported(simulator.service_root, site.folder / "inventory.csv")

        ended = verified(site, simulator.service_root, again)

    assert (ended.exit_code, ended.verification.conservation_line) == (ExitCode.OK, "0 rows created = 0")


# --- what is absent


def test_an_object_is_missing_after_two_sweeps_beyond_the_settle_time(site: Site) -> None:
    """What was deleted behind our back is proven missing, which is durable and has its next command."""
    with imported(site) as (simulator, finished):
        remove(simulator, "PHONE-0003")
        began = site.time.now_s

        ended = verified(site, simulator.service_root, finished)
        took_s = site.time.now_s - began

    run_id = finished.summary.run.id
    assert results_of(ended) == {
        "PHONE-0001": "verified",
        "PHONE-0002": "verified",
        "PHONE-0003": "missing",
        "PHONE-0004": "verified",
    }
    assert SETTLE_S * 1.1 <= took_s < SETTLE_S * 1.5
    assert ended.exit_code is ExitCode.UNSETTLED
    assert ended.verification.conservation_line == "4 rows created = 3 verified + 1 missing"
    assert ended.verification.next_steps == (
        NextStep("create what is missing again:", f"certstate retry {run_id} --missing"),
    )
    assert site.row_states() == site.object_states() == {"created": 3, "missing": 1}
    assert report_of(finished)["totals"]["missing"] == 1


def test_what_was_proven_missing_is_not_waited_for_again(site: Site) -> None:
    """A second verification finds the object missing at once."""
    with imported(site, 2) as (simulator, finished):
        remove(simulator, "PHONE-0001")
        verified(site, simulator.service_root, finished)
        began = site.time.now_s

        ended = verified(site, simulator.service_root, finished)

    assert results_of(ended) == {"PHONE-0001": "missing", "PHONE-0002": "verified"}
    assert site.time.now_s == began


def test_a_missing_object_that_is_there_again_is_created_again(site: Site) -> None:
    """An object that comes back under its id is not missing any more."""
    with imported(site, 2) as (simulator, finished):
        stored = of_device(simulator, "PHONE-0001")
        remove(simulator, "PHONE-0001")
        verified(site, simulator.service_root, finished)
        simulator.put(stored.collection, dict(stored.entity))

        ended = verified(site, simulator.service_root, finished)

    assert ended.exit_code is ExitCode.OK
    assert site.row_states() == site.object_states() == {"created": 2}
    assert report_of(finished)["totals"]["created"] == 2


def test_another_object_of_the_same_key_is_named(site: Site) -> None:
    """Somebody who deleted the object and made it anew is told by the new object's id."""
    with imported(site, 2) as (simulator, finished):
        stored = of_device(simulator, "PHONE-0001")
        remove(simulator, "PHONE-0001")
        other = simulator.put(stored.collection, {k: v for k, v in stored.entity.items() if k != "id"})

        ended = verified(site, simulator.service_root, finished)

    row = read_csv(ended.folder / "verify.csv")[0]
    assert (row["result"], row["message"]) == (
        "missing",
        "the object is not in the tenant any more; another one for this device and certificate is there: " + other,
    )


def test_what_becomes_visible_in_time_is_verified(site: Site) -> None:
    """A service that shows new objects late is asked again until they are there, and no longer."""
    with imported(site, settings=SimulatorSettings(read_delay_s=45.0)) as (simulator, finished):
        began = site.time.now_s

        ended = verified(site, simulator.service_root, finished)

    assert (ended.exit_code, counts_of(ended)) == (ExitCode.OK, {Result.VERIFIED: 4})
    assert 45.0 <= site.time.now_s - began < 60.0


@pytest.mark.parametrize("wait_s", [0.0, 5.0, 130.0])
def test_what_is_not_visible_in_time_is_not_called_missing(site: Site, wait_s: float) -> None:
    """When the time is up before absence is proven, the rows stay created, and the next command looks again."""
    with imported(site, settings=SimulatorSettings(read_delay_s=1_000.0)) as (simulator, finished):
        began = site.time.now_s

        ended = verified(site, simulator.service_root, finished, wait_s=wait_s)

    run_id = finished.summary.run.id
    assert (ended.exit_code, counts_of(ended)) == (ExitCode.UNKNOWN_ROWS, {Result.NOT_YET_VISIBLE: 4})
    assert site.time.now_s - began == pytest.approx(wait_s)
    assert site.row_states() == {"created": 4}
    assert ended.verification.next_steps == (
        NextStep("look again for what was not seen:", f"certstate verify {run_id}"),
    )


# --- what cannot be read


def test_a_collection_that_cannot_be_read_proves_nothing(site: Site) -> None:
    """Rows of an incomplete sweep are not read, with the reason; the other collection is verified all the same."""
    rows = [cells_of(1), cells_of(2, devicePlatform="macOS")]
    script = (ReadFault.NONE, ReadFault.NONE, *[ReadFault.UNREADABLE] * 6)
    with running(SimulatorSettings(read_script=script), clock=site.time.clock) as simulator:
        finished = site.imported(simulator.service_root, site.write("inventory.csv", rows))  # reads both once

        ended = verified(site, simulator.service_root, finished)

    unread = read_csv(ended.folder / "verify.csv")[0]
    assert results_of(ended) == {"PHONE-0001": "not read", "PHONE-0002": "verified"}
    assert unread["message"].startswith(f"the list of {IOS} could not be read to its end: ")
    assert MACOS not in unread["message"]
    assert ended.exit_code is ExitCode.UNKNOWN_ROWS
    assert site.row_states() == {"created": 2}


def test_what_was_seen_before_a_page_failed_is_verified(site: Site) -> None:
    """The objects of the pages that came are there; only those behind them are not read."""
    settings = SimulatorSettings(page_size=2, read_script=(*[ReadFault.NONE] * 2, *[ReadFault.READ_503] * 6))
    with imported(site, settings=settings) as (simulator, finished):
        ended = verified(site, simulator.service_root, finished)

    assert counts_of(ended) == {Result.VERIFIED: 2, Result.NOT_READ: 2}


@pytest.mark.parametrize("fault", [ReadFault.FORBIDDEN_403, ReadFault.UNAUTHORIZED_401, ReadFault.NOT_FOUND_404])
def test_a_tenant_that_refuses_to_be_read_ends_with_its_own_code(site: Site, fault: ReadFault) -> None:
    """A permission that was taken away is no missing object: exit code 6, and every row is not read."""
    settings = SimulatorSettings(read_script=(ReadFault.NONE, *[fault] * 2))
    with imported(site, settings=settings) as (simulator, finished):
        ended = verified(site, simulator.service_root, finished)

    assert (ended.exit_code, counts_of(ended)) == (ExitCode.PREFLIGHT, {Result.NOT_READ: 4})


def test_reads_that_are_throttled_are_waited_for(site: Site) -> None:
    """A 429 of a read costs time and no row."""
    settings = SimulatorSettings(read_script=(ReadFault.NONE, ReadFault.THROTTLE_429, ReadFault.THROTTLE_429))
    with imported(site, settings=settings) as (simulator, finished):
        ended = verified(site, simulator.service_root, finished)

    assert (ended.exit_code, counts_of(ended)) == (ExitCode.OK, {Result.VERIFIED: 4})


class InterruptingTime(FastTime):
    """A clock that gets Ctrl-C when it is told to sleep."""

    is_armed = False

    async def sleep(self, seconds: float) -> None:
        """Let the time pass."""
        if self.is_armed:
            self.is_armed = False
            signal.raise_signal(signal.SIGINT)
        await super().sleep(seconds)


def test_ctrl_c_keeps_what_was_seen(site: Site) -> None:
    """What is not decided when the verification is interrupted is not read; nothing becomes missing."""
    site.time = InterruptingTime()
    with imported(site, 3) as (simulator, finished):
        remove(simulator, "PHONE-0002")
        site.time.is_armed = True

        ended = verified(site, simulator.service_root, finished)

    rows = {row["device"]: (row["result"], row["message"]) for row in read_csv(ended.folder / "verify.csv")}
    assert rows == {
        "PHONE-0001": ("verified", ""),
        "PHONE-0002": ("not read", "the verification was interrupted"),
        "PHONE-0003": ("verified", ""),
    }
    assert ended.exit_code is ExitCode.INTERRUPTED
    assert site.row_states() == {"created": 3}


def test_rows_whose_answer_was_lost_have_their_next_command(site: Site) -> None:
    """An unknown row is nothing that was created; the way to settle it is told."""
    with imported(site, 2) as (simulator, finished):
        site.execute("UPDATE rows SET state = 'unknown' WHERE row_number = 3")

        ended = verified(site, simulator.service_root, finished)

    run_id = finished.summary.run.id
    assert counts_of(ended) == {Result.VERIFIED: 1}
    assert ended.verification.next_steps == (
        NextStep("settle the rows whose answer was lost:", f"certstate resume {run_id}"),
    )


def test_the_document_lists_the_first_ten_thousand_rows_that_are_not_verified() -> None:
    """verify.json stays small enough to be read; it tells how many rows there are in all."""
    run = RunInfo("run", Scope("https://graph.microsoft.com/beta", TENANT_ID), "import", *["x"] * 8)
    source = SourceInfo(1, "a.csv", None, "", "", "", (), 10_002, 0)
    verification = Verification(run, "2026-11-23T08:49:13+00:00", 10_002, {}, 0, (), ())
    good = VerifiedRow(1, 2, IOS, "PHONE", "00", "id", Result.VERIFIED, (), "")
    rows = [good] + [good._replace(row_number=number, result=Result.MISSING) for number in range(3, 10_004)]

    document = verification_document(verification, rows, {1: source})

    assert (document.rows_total, len(document.rows), document.rows[0].row) == (10_001, 10_000, 3)
    assert document.balanced is False


# --- what is refused


def test_another_sender_is_not_disturbed(site: Site) -> None:
    """Only the holder of the lock verifies, because it writes down what is missing."""
    with imported(site, 1) as (simulator, finished):
        scope = Scope(simulator.service_root, TENANT_ID)
        with hold_lock(site.job().settings.ledger_path, scope, "a test"), pytest.raises(LockHeldError):
            verified(site, simulator.service_root, finished)


def test_an_undo_cannot_be_verified(site: Site) -> None:
    """An undo creates nothing; the message names the run that can be verified."""
    with imported(site, 1) as (simulator, finished):
        undone = undo_run(finished.summary.run.id, site.job(simulator.service_root), include_adopted=False)

        with pytest.raises(UsageError, match=f"verify the run that it undid: {finished.summary.run.id}$"):
            verified(site, simulator.service_root, undone)


def test_a_run_of_another_tenant_is_refused(site: Site) -> None:
    """A run is verified with the configuration that it was started with."""
    with (
        imported(site, 1) as (_, finished),
        running(SimulatorSettings()) as other,
        pytest.raises(UsageError, match="verify it with the configuration that it was started with"),
    ):
        verified(site, other.service_root, finished)


def test_a_report_that_cannot_be_written_says_how_to_go_on(site: Site) -> None:
    """A verify.csv that is open elsewhere ends the call with a sentence."""
    with imported(site, 1) as (simulator, finished):
        (finished.folder / "verify.csv").mkdir()

        with pytest.raises(UsageError, match=r"verify\.csv: the report cannot be written .* certstate verify "):
            verified(site, simulator.service_root, finished)


def test_the_missing_row_stays_told_by_the_runs_own_report(site: Site) -> None:
    """`report` after a verification tells the same: the row is missing, and how to create it again."""
    with imported(site, 2) as (simulator, finished):
        remove(simulator, "PHONE-0002")
        verified(site, simulator.service_root, finished)

        reported = report_run(finished.summary.run.id, site.job(simulator.service_root))

    assert totals_of(reported) == {"created": 1, "missing": 1}


# --- what other runs have to do with it


def updating(site: Site) -> None:
    """Let later imports update what was changed."""
    site.config = site.config.replace("send: {", "send: {on_changed: update, ")


def test_what_another_run_found_missing_is_told_with_the_command_that_creates_it(site: Site) -> None:
    """A run whose object is gone, as a later run has seen, is not well: exit code 4, and that run is to be retried."""
    with imported(site, 2) as (simulator, first):
        remove(simulator, "PHONE-0001")
        updating(site)
        later = site.imported(
            simulator.service_root, site.write("b.csv", [cells_of(1, userDisplayName="Max")]), check_remote=False
        )
        ended = verified(site, simulator.service_root, first)
        retried = retry_run(later.summary.run.id, site.job(simulator.service_root), missing=True)

        assert (simulator.state().objects, simulator.state().duplicates) == (2, 0)
    later_id = later.summary.run.id
    assert totals_of(later) == {"missing": 1}
    assert (ended.exit_code, results_of(ended)) == (ExitCode.UNSETTLED, {"PHONE-0002": "verified"})
    assert ended.verification.missing_by_run == {later_id: 1}
    assert document_of(ended)["missing_by_run"] == {later_id: 1}
    assert ended.verification.next_steps == (
        NextStep("create what is missing again:", f"certstate retry {later_id} --missing"),
    )
    assert (retried.exit_code, totals_of(retried)) == (ExitCode.OK, {"created": 1})


def test_a_missing_object_that_another_run_has_a_request_for_is_that_runs(site: Site) -> None:
    """Where an update of the object is in doubt `retry` sends nothing: the step is to resume that run, which tells on.

    The object is created again in the end, once, with the newest values.
    """
    settings = SimulatorSettings(update_script=(Fault.ERROR_504,), read_script=(ReadFault.FORBIDDEN_403,))
    with running(settings, clock=site.time.clock) as simulator:
        path = site.write("a.csv", devices(1))
        first = site.imported(simulator.service_root, path, check_remote=False)
        updating(site)
        path = site.write("b.csv", devices(1, userDisplayName="Max"))
        later = site.imported(simulator.service_root, path, check_remote=False)
        remove(simulator, "PHONE-0001")
        ended = verified(site, simulator.service_root, first)
        reported = report_run(first.summary.run.id, site.job(simulator.service_root))
        resumed = site.resumed(simulator.service_root, later.summary.run.id)
        retried = retry_run(later.summary.run.id, site.job(simulator.service_root), missing=True)

        (stored,) = simulator.objects()
    later_id = later.summary.run.id
    steps = (NextStep(f"finish what run {later_id} began with missing objects:", f"certstate resume {later_id}"),)
    assert totals_of(later) == {"unknown": 1}
    assert (ended.exit_code, results_of(ended)) == (ExitCode.UNSETTLED, {"PHONE-0001": "missing"})
    assert (ended.verification.next_steps, reported.summary.next_steps) == (steps, steps)
    assert resumed.summary.next_steps == (
        NextStep("send the missing rows again:", f"certstate retry {later_id} --missing"),
    )
    assert (retried.exit_code, totals_of(retried)) == (ExitCode.OK, {"created": 1})
    assert stored.entity["userDisplayName"] == "Max"


def test_an_unsent_update_whose_object_went_missing_is_to_be_imported_again(site: Site) -> None:
    """Nothing sends such a row any more: its run ends with 4 and says so, until an import stands in for it."""
    settings = SimulatorSettings(update_script=(Fault.FORBIDDEN_403,))
    with imported(site, 1, settings) as (simulator, first):
        updating(site)
        later = site.imported(simulator.service_root, site.write("b.csv", devices(1, userDisplayName="Max")))
        remove(simulator, "PHONE-0001")
        verified(site, simulator.service_root, first)
        resumed = site.resumed(simulator.service_root, later.summary.run.id)
        again = site.imported(simulator.service_root, later.folder / "errors.csv")
        last = site.resumed(simulator.service_root, later.summary.run.id)

        (stored,) = simulator.objects()
    assert (resumed.exit_code, totals_of(resumed)) == (ExitCode.UNSETTLED, {"unsent": 1})
    assert resumed.summary.next_steps == (
        NextStep(
            "import the unsent rows again, whose object was taken away:",
            f"certstate import {later.folder / 'errors.xlsx'}",
        ),
    )
    assert (totals_of(again), stored.entity["userDisplayName"]) == ({"created": 1}, "Max")
    assert (last.exit_code, last.summary.next_steps) == (ExitCode.OK, ())


def test_an_unsent_update_that_a_later_import_made_needless_is_settled(site: Site) -> None:
    """When the old values are imported again there is nothing left to do for the row: importing it would undo that."""
    settings = SimulatorSettings(update_script=(Fault.FORBIDDEN_403,))
    with imported(site, 1, settings) as (simulator, _):
        updating(site)
        later = site.imported(simulator.service_root, site.write("b.csv", devices(1, userDisplayName="Max")))
        again = site.imported(simulator.service_root, site.folder / "inventory.csv")
        resumed = site.resumed(simulator.service_root, later.summary.run.id)

    assert (totals_of(later), totals_of(again)) == ({"unsent": 1}, {"already there": 1})
    assert (resumed.exit_code, totals_of(resumed), resumed.summary.next_steps) == (ExitCode.OK, {"unsent": 1}, ())


# --- the command line


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningSimulator]:
    """A simulator, and a current folder with a config.yaml whose runs settle at once."""
    move_to(tmp_path, monkeypatch)
    config = tmp_path / "config.yaml"
    config.write_text(config.read_text("utf-8").replace("send: {", "send: {settle_s: 0, "), "utf-8")
    with running(SimulatorSettings()) as simulator:
        write_csv(tmp_path / "a.csv", devices(3))
        assert call("import", "a.csv", "--graph-url", simulator.service_root).code == ExitCode.OK
        yield simulator


def run_of_folder() -> str:
    """Return the id of the only run."""
    (folder,) = (each for each in Path("runs").iterdir() if each.is_dir())
    return folder.name


def test_the_summary_fits_80_columns_and_ends_with_the_next_command(shell: RunningSimulator) -> None:
    """`verify` prints the counts, each cause with its rows, the conservation line, the report and what to do."""
    change(shell, "PHONE-0002", certificateIssuer="CN=Somebody else's Issuing CA with a rather long name, O=Example")
    remove(shell, "PHONE-0003")
    run = run_of_folder()

    called = call("verify", run[-6:], "--graph-url", shell.service_root)

    assert called.code == ExitCode.UNSETTLED
    assert called.stdout == (
        f"Run      {run}\n"
        f"Service  {shell.service_root}\n"
        f"Tenant   {TENANT_ID}\n\n"
        "        1  verified\n"
        "        1  differs\n"
        "        1  missing\n\n"
        "Causes\n"
        "error    differs, certificateIssuer, 1 row\n"
        "         row 3\n"
        "         sent CN=Contoso Issuing CA, found CN=Somebody else's Issuing CA with a\n"
        "         rather long name, O=Example\n"
        "         -> look at the object in Intune: somebody has changed it since, or the\n"
        "         service keeps the value in another form\n"
        "error    missing, 1 row\n"
        "         row 4\n"
        "         the object is not in the tenant any more\n"
        "         -> the next commands create it again\n\n"
        "3 rows created = 1 verified + 1 differs + 1 missing\n\n"
        f"Report: runs/{run}/verify.csv\n"
        "Next: create what is missing again:\n"
        f"      certstate retry {run} --missing --graph-url {shell.service_root}\n"
    )


def test_what_another_run_found_missing_is_printed(shell: RunningSimulator) -> None:
    """A run of which nothing is left to look for says what became of its objects, and what to do."""
    run, here = run_of_folder(), ("--graph-url", shell.service_root)
    config = Path("config.yaml")
    config.write_text(config.read_text("utf-8").replace("send: {", "send: {on_changed: update, "), "utf-8")
    for each in shell.objects():
        shell.remove(each.collection, str(each.entity["id"]))
    write_csv(Path("b.csv"), devices(3, userDisplayName="Max"))
    later = json.loads(call("--output", "json", "import", "b.csv", "--no-check-remote", *here).stdout)["run"]["id"]

    called = call("verify", run, "--wait-s", "0", *here)

    assert called.code == ExitCode.UNSETTLED
    assert f"3 more objects of this run missing, according to run {later}" in " ".join(called.stdout.split())
    assert f"\n      certstate retry {later} --missing --graph-url {shell.service_root}\n" in called.stdout


def test_json_is_the_document_that_was_written(shell: RunningSimulator) -> None:
    """With --output json stdout is verify.json."""
    called = call("--output", "json", "verify", run_of_folder(), "--graph-url", shell.service_root)

    written = json.loads((Path("runs") / run_of_folder() / "verify.json").read_text("utf-8"))
    assert (called.code, json.loads(called.stdout)) == (ExitCode.OK, written)


def test_a_run_has_to_be_named(shell: RunningSimulator) -> None:
    """Without a run there is a sentence, and nothing is read."""
    before = shell.state().reads

    called = call("verify", "--graph-url", shell.service_root)

    assert (called.code, called.stderr) == (
        ExitCode.USAGE,
        "certstate: Missing argument 'RUN'; see `certstate verify --help`\n",
    )
    assert shell.state().reads == before
