"""Whole verbs against the simulator's socket: what is stored there, what the ledger keeps, what the run says."""

import itertools
import json
import re
from pathlib import Path
from typing import NamedTuple

import pytest
from import_cases import (
    HEADER,
    PLATFORMS,
    PROFILE_OF,
    TENANT_ID,
    Site,
    cells_of,
    collection,
    devices,
    devices_of,
    read_csv,
    report_of,
    totals_of,
)
from page_example import SEED_PROPERTIES

from pipeline.editions import EDITIONS, EnumType, PrimitiveType, Property
from pipeline.errors import ExitCode, LockHeldError, PreflightError, SourceError, UsageError
from pipeline.graph import Timeouts
from pipeline.ledger import hold_lock
from pipeline.model import Scope
from pipeline.report import NextStep
from pipeline.run import report_run
from pipeline.simulator import Fault, ReadFault, RetryAfterForm, SimulatorSettings, running

SAMPLES = Path(__file__).parents[1] / "sample_data"

"""The request of Microsoft's page of 2017."""


# --- what arrives


@pytest.mark.parametrize("file", ["seed-example.csv", "seed-example.xlsx"])
@pytest.mark.parametrize(
    ("routes", "cast"),
    [
        ("", "identityCertificate/microsoft.graph.androidForWorkScepCertificateProfile"),
        (
            "routes: [{platform: androidForWork, path: microsoft.graph.iosScepCertificateProfile}]\n",
            "microsoft.graph.iosScepCertificateProfile",
        ),
    ],
    ids=["by default", "as the page's URL says"],
)
def test_the_pages_example_arrives_as_it_is_printed(site: Site, file: str, routes: str, cast: str) -> None:
    """The example row of Microsoft's page is stored property for property, in the page's order, dates to the digit."""
    site.config += routes
    with running(SimulatorSettings()) as simulator:
        finished = site.imported(simulator.service_root, SAMPLES / file)

        (stored,) = simulator.objects()
    entity = dict(stored.entity)
    (created,) = read_csv(finished.folder / "created.csv")
    assert finished.exit_code is ExitCode.OK
    assert created["_import_id"] == entity.pop("id")
    assert list(entity.items()) == list(SEED_PROPERTIES.items())
    profile_id = "662e6120-f781-46fa-a5ec-e01b2ff83173"  # the row's own
    assert (
        stored.collection == f"deviceManagement/deviceConfigurations/{profile_id}/{cast}/managedDeviceCertificateStates"
    )


def test_the_platforms_of_1706_go_to_their_routes(site: Site) -> None:
    """The seven platforms arrive at the six routes of the page, both later Windows at one."""
    casts = {
        "iOS": "microsoft.graph.iosScepCertificateProfile",
        "macOS": "microsoft.graph.macOSScepCertificateProfile",
        "android": "microsoft.graph.androidScepCertificateProfile",
        "androidForWork": "identityCertificate/microsoft.graph.androidForWorkScepCertificateProfile",
        "windowsPhone81": (
            "microsoft.graph.windowsPhone81VpnConfiguration/identityCertificate"
            "/microsoft.graph.windowsPhone81SCEPCertificateProfile"
        ),
        "windows81AndLater": "microsoft.graph.windows81SCEPCertificateProfile",
        "windows10AndLater": "microsoft.graph.windows81SCEPCertificateProfile",
    }
    rows = [cells_of(number, devicePlatform=platform) for number, platform in enumerate(PLATFORMS, start=1)]
    with running(SimulatorSettings()) as simulator:
        finished = site.imported(simulator.service_root, site.write("inventory.csv", rows))

        arrived = {str(each.entity["devicePlatform"]): each.collection for each in simulator.objects()}
    assert arrived == {platform: collection(platform, cast) for platform, cast in casts.items()}
    assert (finished.exit_code, totals_of(finished)) == (ExitCode.OK, {"created": 7})


def example_of(each: Property) -> str:
    """Return a value of the property in edition current."""
    if isinstance(each.type, EnumType):
        return each.type.members[-1]
    return {
        PrimitiveType.STRING: f"some {each.name}",
        PrimitiveType.INT32: "2048",
        PrimitiveType.DATETIMEOFFSET: "2027-11-23T08:49:13.1234567+05:30",
    }[each.type]


def test_each_route_of_the_current_edition_takes_a_row_with_every_property(site: Site) -> None:
    """Every route of edition current stores a row that fills every property of that edition."""
    edition = EDITIONS["current"]
    rows = [
        {each.name: example_of(each) for each in edition.properties}
        | {
            "devicePlatform": route.platform,
            "profileType": route.profile_type.value,
            "deviceConfigurationId": f"{number:08}-0000-4000-8000-00000000000A",
            "deviceDisplayName": f"DEVICE-{number}",
            "certificateThumbprint": f"{number:040X}",
        }
        for number, route in enumerate(edition.routes)
    ]
    expected = {
        (
            f"deviceManagement/deviceConfigurations/{number:08}-0000-4000-8000-00000000000a/{route.cast}"
            "/managedDeviceCertificateStates"
        ): route.platform
        for number, route in enumerate(edition.routes)
    }
    with running(SimulatorSettings(edition="current")) as simulator:
        finished = site.imported(simulator.service_root, site.write("inventory.csv", rows), edition="current")

        objects = simulator.objects()
    assert {each.collection: each.entity["devicePlatform"] for each in objects} == expected
    assert {frozenset(each.entity) for each in objects} == {
        frozenset({"@odata.type", "id", *(each.name for each in edition.properties)})
    }
    assert totals_of(finished) == {"created": len(edition.routes)}


def test_a_run_uses_the_quota_without_being_refused(site: Site) -> None:
    """250 rows at 100 per 20 s take two windows and are never refused by a service that counts the same."""
    settings = SimulatorSettings(refusals_count=True)
    with running(settings, clock=site.time.clock) as simulator:
        # One worker: the clock must not move while a request is on its way.
        finished = site.imported(simulator.service_root, site.write("inventory.csv", devices(250)), concurrency="1")

        state = simulator.state()
    assert (state.created, state.duplicates, state.refused) == (250, 0, 0)
    assert finished.summary.stats is not None
    assert 40.0 <= finished.summary.stats.elapsed_s < 41.0


# --- what each answer means


class Lesson(NamedTuple):
    """What becomes of one row after a fault, and when its file is imported again."""

    states: tuple[str, str]  # of the row in the first and in the second run
    exit_codes: tuple[ExitCode, ExitCode]
    posts: tuple[int, int]  # that arrived by the end of the first and of the second run
    objects: tuple[int, int]  # that the service holds then


CREATED = Lesson(("created", "already there"), (ExitCode.OK, ExitCode.OK), (1, 1), (1, 1))
SENT_AGAIN = CREATED._replace(posts=(2, 2))
UNSENT = Lesson(("unsent", "created"), (ExitCode.PREFLIGHT, ExitCode.OK), (1, 2), (0, 1))
REJECTED = Lesson(("rejected", "rejected before"), (ExitCode.UNSETTLED, ExitCode.OK), (1, 1), (0, 0))
NOT_THERE = SENT_AGAIN  # read back, absent from two sweeps, and sent once more
THERE = CREATED  # read back, found, and its id adopted

LESSONS = {
    Fault.NONE: CREATED,
    Fault.THROTTLE_429: SENT_AGAIN,
    Fault.UNAUTHORIZED_401: UNSENT._replace(posts=(1, 2)),  # a bare token cannot be renewed
    Fault.FORBIDDEN_403: UNSENT,
    Fault.NOT_FOUND_404: UNSENT,
    Fault.METHOD_NOT_ALLOWED_405: UNSENT,
    Fault.NOT_ACCEPTABLE_406: UNSENT,
    Fault.UNSUPPORTED_MEDIA_TYPE_415: UNSENT,
    Fault.NOT_IMPLEMENTED_501: UNSENT,
    Fault.NO_ROUTE_400: UNSENT,
    Fault.BAD_REQUEST_400: REJECTED,
    Fault.TOO_LARGE_413: REJECTED,
    Fault.UNPROCESSABLE_422: REJECTED,
    Fault.CONFLICT_409: NOT_THERE,
    Fault.ERROR_500: NOT_THERE,
    Fault.ERROR_502: NOT_THERE,
    Fault.ERROR_503: NOT_THERE,
    Fault.ERROR_504: NOT_THERE,
    Fault.HTML_500: NOT_THERE,
    Fault.REDIRECT_307: NOT_THERE,
    Fault.DROP_BEFORE: NOT_THERE,
    Fault.ERROR_504_AFTER: THERE,
    Fault.DROP_AFTER: THERE,
    Fault.SILENT: THERE,
    Fault.HALF_BODY: THERE,
    Fault.CREATED_WITHOUT_ID: THERE,
    Fault.CREATED_UNREADABLE: THERE,
}


def test_every_fault_of_the_simulator_has_its_lesson() -> None:
    """No way in which a create can go wrong is left out below."""
    assert set(LESSONS) == set(Fault)


@pytest.mark.parametrize("fault", LESSONS, ids=str)
def test_what_a_fault_does_to_a_row_and_to_the_next_import(site: Site, fault: Fault) -> None:
    """Each fault has its row state, exit code and number of POSTs; importing again never makes a second object."""
    file = site.write("inventory.csv", devices(1))
    timeouts = Timeouts(read_s=0.2 if fault is Fault.SILENT else 10.0)
    with running(SimulatorSettings(script=(fault,))) as simulator:
        first = site.imported(simulator.service_root, file, timeouts=timeouts)
        after_first = simulator.state()
        again = site.imported(simulator.service_root, file, timeouts=timeouts)
        after_again = simulator.state()

    (first_state,) = totals_of(first)
    (again_state,) = totals_of(again)
    lesson = Lesson(
        (first_state, again_state),
        (first.exit_code, again.exit_code),
        (after_first.writes, after_again.writes),
        (after_first.objects, after_again.objects),
    )
    assert lesson == LESSONS[fault]
    assert after_again.duplicates == 0
    assert site.row_states().keys().isdisjoint({"sending", "planned", "staged"})


@pytest.mark.parametrize("form", RetryAfterForm, ids=str)
def test_a_refusal_is_waited_out_in_every_form(site: Site, form: RetryAfterForm) -> None:
    """After a 429 everybody waits as long as Retry-After says, or a moment where it says nothing; then all arrive."""
    settings = SimulatorSettings(retry_after=form, script=(Fault.NONE, Fault.THROTTLE_429, Fault.THROTTLE_429))
    with running(settings) as simulator:
        finished = site.imported(simulator.service_root, site.write("inventory.csv", devices(12)), concurrency="4")

        state = simulator.state()
    stats = finished.summary.stats
    assert stats is not None
    assert (finished.exit_code, totals_of(finished)) == (ExitCode.OK, {"created": 12})
    assert (state.created, state.duplicates, state.refused) == (12, 0, 2)
    assert (stats.requests, stats.throttled) == (14, 2)
    assert 1.0 <= stats.paused_s <= 4.0  # once or twice, depending on whether both came together; a date rounds up


def test_a_clock_of_the_service_that_jumps_changes_no_wait(site: Site) -> None:
    """A Retry-After date is counted from its own answer: hours forward and back between answers stall nothing."""
    jumps_s = itertools.cycle((0.0, 10_800.0, -10_800.0))
    settings = SimulatorSettings(
        retry_after=RetryAfterForm.DATE, script=(Fault.NONE, Fault.THROTTLE_429, Fault.THROTTLE_429, Fault.ERROR_504)
    )
    with running(settings, wall_clock=lambda: 1_795_000_000.0 + next(jumps_s)) as simulator:
        finished = site.imported(simulator.service_root, site.write("inventory.csv", devices(12)), concurrency="1")

        state = simulator.state()
    assert (finished.exit_code, totals_of(finished)) == (ExitCode.OK, {"created": 12})
    assert (state.created, state.duplicates, state.refused) == (12, 0, 2)
    assert finished.summary.stats is not None
    assert 1.0 <= finished.summary.stats.paused_s <= 4.0


def test_a_refused_row_tells_why_in_every_report(site: Site) -> None:
    """errors.csv has the rejected row's own cells with the service's status, code, message and request-id."""
    rows = devices(1)
    with running(SimulatorSettings(script=(Fault.UNPROCESSABLE_422,))) as simulator:
        finished = site.imported(simulator.service_root, site.write("inventory.csv", rows))

    (row,) = read_csv(finished.folder / "errors.csv")
    assert {name: row[name] for name in HEADER} == rows[0]
    assert row["_import_status"] == "rejected"
    assert (row["_import_http_status"], row["_import_graph_code"]) == ("422", "UnprocessableEntity")
    assert row["_import_message"] == "The object cannot be processed."
    assert re.fullmatch(r"[0-9a-f-]{36}", row["_import_request_id"])
    assert report_of(finished)["totals"]["rejected"] == 1


def test_an_unknown_row_is_listed_apart_and_not_to_be_mended(site: Site) -> None:
    """A row that may have been created stands in unknown.csv, not in errors.csv; `resume` reads the tenant back."""
    unreadable = (ReadFault.FORBIDDEN_403,)
    with running(SimulatorSettings(script=(Fault.ERROR_504_AFTER,), read_script=unreadable)) as simulator:
        file = site.write("inventory.csv", devices(2))
        finished = site.imported(simulator.service_root, file, check_remote=False)
        unknown, errors = (read_csv(finished.folder / name) for name in ("unknown.csv", "errors.csv"))
        again = site.resumed(simulator.service_root)

    assert ([row["deviceDisplayName"] for row in unknown], errors) == (["PHONE-0001"], [])
    assert finished.summary.next_steps == (
        NextStep("read the tenant back, to settle the unknown rows:", f"certstate resume {finished.summary.run.id}"),
    )
    assert (finished.exit_code, totals_of(finished)) == (ExitCode.UNKNOWN_ROWS, {"created": 1, "unknown": 1})
    assert (again.exit_code, totals_of(again)) == (ExitCode.OK, {"created": 2})


# --- import again


def test_importing_again_creates_nothing(site: Site) -> None:
    """The second import of a file reads all rows, sends none and says that they are there already."""
    file = site.write("inventory.csv", devices(20))
    with running(SimulatorSettings()) as simulator:
        site.imported(simulator.service_root, file)
        again = site.imported(simulator.service_root, file)

        state = simulator.state()
    assert (again.exit_code, totals_of(again)) == (ExitCode.OK, {"already there": 20})
    assert again.summary.conservation_line == "20 rows read = 20 already there"
    assert (state.writes, state.created) == (20, 20)


def test_other_spellings_of_the_same_values_create_nothing(site: Site) -> None:
    """A thumbprint with colons, an instant in another zone and a device in capitals are the object that is there."""
    other = cells_of(
        1,
        certificateThumbprint=":".join(["00"] * 19 + ["01"]),
        certificateExpirationDateTime="2027-11-23T09:49:13.1234567+01:00",
    )
    with running(SimulatorSettings()) as simulator:
        site.imported(simulator.service_root, site.write("inventory.csv", devices(1)))
        again = site.imported(simulator.service_root, site.write("again.csv", [other]))

    assert totals_of(again) == {"already there": 1}


def test_a_row_with_new_values_is_reported_and_not_sent(site: Site) -> None:
    """A row whose object is there with other values is `changed`: told, with exit code 0, and not a second object."""
    with running(SimulatorSettings()) as simulator:
        site.imported(simulator.service_root, site.write("inventory.csv", devices(2)))
        renewed = [cells_of(1), cells_of(2, userDisplayName="Max Example")]
        again = site.imported(simulator.service_root, site.write("inventory.csv", renewed))

        assert simulator.state().writes == 2
    assert (again.exit_code, totals_of(again)) == (ExitCode.OK, {"already there": 1, "changed": 1})
    assert [(cause.code, cause.rows) for cause in again.summary.causes] == [("changed", 1)]


def test_a_rejected_row_is_sent_again_only_with_other_values(site: Site) -> None:
    """What the service refused before is skipped as long as it is the same, and created once it is corrected."""
    with running(SimulatorSettings(script=(Fault.BAD_REQUEST_400,))) as simulator:
        first = site.imported(simulator.service_root, site.write("inventory.csv", devices(1)))
        same = site.imported(simulator.service_root, site.write("inventory.csv", devices(1)))
        corrected = devices(1, userDisplayName="Max Example")
        other = site.imported(simulator.service_root, site.write("inventory.csv", corrected))

        state = simulator.state()
    assert [totals_of(each) for each in (first, same, other)] == [
        {"rejected": 1},
        {"rejected before": 1},
        {"created": 1},
    ]
    assert [each.exit_code for each in (first, same, other)] == [ExitCode.UNSETTLED, ExitCode.OK, ExitCode.OK]
    assert (state.writes, state.created) == (2, 1)


def test_the_corrected_errors_file_goes_back_in(site: Site) -> None:
    """The errors.csv of a run, corrected, is an input: its rows are created and the others are not sent again."""
    rows = [*devices(3), cells_of(4, certificateKeyLength="many"), cells_of(5, deviceDisplayName="=cmd|' /C calc'!A0")]
    rows[4]["certificateExpirationDateTime"] = "soon"
    with running(SimulatorSettings()) as simulator:
        inventory = site.write("inventory.csv", rows)
        first = site.imported(simulator.service_root, inventory)
        wrong = read_csv(first.folder / "errors.csv")
        wrong[0]["certificateKeyLength"] = "2048"
        wrong[1]["certificateExpirationDateTime"] = "2027-11-23T08:49:13Z"
        corrections = site.write("corrections.csv", wrong)
        corrected = site.imported(simulator.service_root, corrections)
        again = site.imported(simulator.service_root, inventory, corrections)

        names = devices_of(each.entity for each in simulator.objects())
    assert totals_of(first) == {"invalid": 2, "created": 3}
    assert (corrected.exit_code, totals_of(corrected)) == (ExitCode.OK, {"created": 2})
    assert names == ["=cmd|' /C calc'!A0", "PHONE-0001", "PHONE-0002", "PHONE-0003", "PHONE-0004"]
    assert totals_of(again) == {"invalid": 2, "already there": 5}


def test_an_errors_file_of_files_with_other_headers_goes_back_in(site: Site) -> None:
    """Two files that name a property in their own ways share its column in errors.csv, so that it can be read again."""
    site.config += "columns: {devicePlatform: [OS]}\n"
    one = site.write("one.csv", [cells_of(1, certificateKeyLength="many")])
    row = cells_of(2, certificateKeyLength="many")
    other = site.write("other.csv", [{"OS": row.pop("devicePlatform"), **row}])
    with running(SimulatorSettings()) as simulator:
        first = site.imported(simulator.service_root, one, other)
        wrong = [each | {"certificateKeyLength": "2048"} for each in read_csv(first.folder / "errors.csv")]
        corrected = site.imported(simulator.service_root, site.write("corrections.csv", wrong))

    assert (totals_of(first), totals_of(corrected)) == ({"invalid": 2}, {"created": 2})


def test_a_file_whose_rows_are_all_rejected_is_no_refused_route(site: Site) -> None:
    """Three rejected canaries stop a collection; where no row is left to be kept back, the rows are the problem: 4."""
    with running(SimulatorSettings(script=(Fault.BAD_REQUEST_400,) * 3)) as simulator:
        finished = site.imported(simulator.service_root, site.write("inventory.csv", devices(3)))

    assert (finished.exit_code, totals_of(finished)) == (ExitCode.UNSETTLED, {"rejected": 3})


def test_the_created_file_creates_nothing_a_second_time(site: Site) -> None:
    """created.csv names the profile type too, so that its rows go where they are already."""
    site.config = (
        f"edition: current\ntenant: {{id: {TENANT_ID}}}\n"
        f"profiles: [{{platform: iOS, id: {PROFILE_OF['iOS']}, profile_type: pkcs}},"
        f" {{platform: iOS, id: {PROFILE_OF['macOS']}, profile_type: scep}}]\n"
    )
    names = {"deviceDisplayName", "certificateThumbprint", "certificateSerialNumber", "certificateIssuer"}
    names |= {"devicePlatform", "certificateExpirationDateTime"}
    cells = {name: text for name, text in cells_of(1).items() if name in names} | {"profileType": "pkcs"}
    with running(SimulatorSettings(edition="current")) as simulator:
        first = site.imported(simulator.service_root, site.write("inventory.csv", [cells]))
        again = site.imported(simulator.service_root, first.folder / "created.csv")

    assert (totals_of(first), totals_of(again)) == ({"created": 1}, {"already there": 1})


def test_another_service_is_another_world(site: Site) -> None:
    """What was created at one service root does not count at another one: a rehearsal never stands for the tenant."""
    file = site.write("inventory.csv", devices(2))
    with running(SimulatorSettings()) as rehearsal, running(SimulatorSettings()) as tenant:
        site.imported(rehearsal.service_root, file)
        finished = site.imported(tenant.service_root, file)

        assert tenant.state().created == 2
    assert totals_of(finished) == {"created": 2}


# --- resume


def test_resume_sends_what_a_limit_left(site: Site) -> None:
    """`--limit` leaves rows planned and ends with 4; `resume` sends exactly those."""
    file = site.write("inventory.csv", devices(30))
    with running(SimulatorSettings()) as simulator:
        limited = site.imported(simulator.service_root, file, most_rows=7)
        after_limited = simulator.state().writes
        resumed = site.resumed(simulator.service_root)

        state = simulator.state()
    assert (limited.exit_code, totals_of(limited)) == (ExitCode.UNSETTLED, {"created": 7, "unsent": 23})
    assert limited.summary.next_steps == (
        NextStep("go on with the unsent rows:", f"certstate resume {limited.summary.run.id}"),
    )
    assert (resumed.exit_code, totals_of(resumed)) == (ExitCode.OK, {"created": 30})
    assert (after_limited, state.writes, state.duplicates) == (7, 30, 0)
    assert resumed.folder == limited.folder


def test_resume_sends_what_a_refused_token_left(site: Site) -> None:
    """Rows that are unsent since the token was refused are sent by `resume`, and nothing of the stop remains."""
    with running(SimulatorSettings(script=(Fault.NONE, Fault.UNAUTHORIZED_401))) as simulator:
        stopped = site.imported(simulator.service_root, site.write("inventory.csv", devices(5)), concurrency="1")
        resumed = site.resumed(simulator.service_root)

        state = simulator.state()
    assert (stopped.exit_code, totals_of(stopped)) == (ExitCode.PREFLIGHT, {"created": 1, "unsent": 4})
    assert stopped.stop_message.endswith("then call it again")
    assert (resumed.exit_code, totals_of(resumed)) == (ExitCode.OK, {"created": 5})
    assert (resumed.summary.run.stop, resumed.summary.run.stop_message, resumed.stop_message) == ("", "", "")
    assert (state.created, state.duplicates) == (5, 0)


def test_resume_of_a_finished_run_sends_nothing(site: Site) -> None:
    """A run without planned rows is resumed to nothing, with the same totals."""
    with running(SimulatorSettings()) as simulator:
        site.imported(simulator.service_root, site.write("inventory.csv", devices(2)))
        resumed = site.resumed(simulator.service_root)

        assert simulator.state().writes == 2
    assert (resumed.exit_code, totals_of(resumed)) == (ExitCode.OK, {"created": 2})


def test_resume_with_a_configuration_for_another_scope_is_refused(site: Site) -> None:
    """A run is resumed only where it was begun."""
    with running(SimulatorSettings()) as simulator, running(SimulatorSettings()) as other:
        finished = site.imported(simulator.service_root, site.write("inventory.csv", devices(2)), most_rows=1)
        with pytest.raises(UsageError) as refused:
            site.resumed(other.service_root, finished.summary.run.id)

        assert other.state().requests == 0
    assert str(refused.value) == (
        f"run {finished.summary.run.id} belongs to {simulator.service_root}, tenant {TENANT_ID}, and the configuration "
        f"says {other.service_root}, tenant {TENANT_ID}; resume it with the configuration that it was started with, "
        f"or with --graph-url {simulator.service_root}"
    )


def test_resume_does_not_take_back_what_the_import_refused(site: Site) -> None:
    """After --on-invalid abort a resume sends nothing either, and the printed command is an import without it."""
    rows = [*devices(2), cells_of(3, certificateKeyLength="many")]
    with running(SimulatorSettings()) as simulator:
        refused = site.imported(simulator.service_root, site.write("inventory.csv", rows), aborts_on_invalid=True)
        resumed = site.resumed(simulator.service_root)

        assert simulator.state().writes == 0
    message = "rows with errors: 1; --on-invalid abort sends nothing then"
    assert (resumed.exit_code, resumed.stop_message) == (ExitCode.INVALID, message)
    assert refused.summary.next_steps[-1] == NextStep(
        "or send the other rows all the same:", "certstate import inventory.csv"
    )


def test_resume_keeps_to_the_threshold_unless_it_is_raised(site: Site) -> None:
    """Too many bad rows stop the resumed run as they stopped the import; a higher threshold lets the others go."""
    rows = [*devices(2), cells_of(3, certificateKeyLength="many")]
    with running(SimulatorSettings()) as simulator:
        site.imported(simulator.service_root, site.write("inventory.csv", rows), max_errors="0")
        kept_back = site.resumed(simulator.service_root, max_errors="0")
        sent = site.resumed(simulator.service_root, max_errors="100%")

        assert simulator.state().created == 2
    assert (kept_back.exit_code, totals_of(kept_back)) == (ExitCode.THRESHOLD, {"invalid": 1, "unsent": 2})
    assert totals_of(sent) == {"invalid": 1, "created": 2}


def test_rows_that_a_later_run_took_over_are_not_waiting(site: Site) -> None:
    """An interrupted run whose file was imported again has nothing left to do: exit 0, and no command to go on."""
    file = site.write("inventory.csv", devices(3))
    with running(SimulatorSettings()) as simulator:
        first = site.imported(simulator.service_root, file, most_rows=1)
        site.imported(simulator.service_root, file)
        resumed = site.resumed(simulator.service_root, first.summary.run.id)

    assert (resumed.exit_code, resumed.summary.next_steps) == (ExitCode.OK, ())
    assert totals_of(resumed) == {"created": 1, "unsent": 2}


def test_resume_without_a_name_takes_the_run_that_has_rows_to_send(site: Site) -> None:
    """A later import that is complete does not hide the one that was interrupted."""
    with running(SimulatorSettings()) as simulator:
        first = site.imported(simulator.service_root, site.write("a.csv", devices(3)), most_rows=1)
        site.imported(simulator.service_root, site.write("b.csv", devices(1, first=9)))
        resumed = site.resumed(simulator.service_root)

    assert resumed.summary.run.id == first.summary.run.id
    assert totals_of(resumed) == {"created": 3}


def test_a_run_that_was_killed_while_it_read_cannot_be_resumed(site: Site) -> None:
    """Of a run whose files were not read to the end nothing is planned, and `resume` says what to do instead."""
    with running(SimulatorSettings()) as simulator:
        site.imported(simulator.service_root, site.write("inventory.csv", devices(1)))
        site.execute(
            "INSERT INTO runs (id, scope_pk, verb, edition, folder, version, config_hash, started_at) "
            "VALUES ('dead', 1, 'import', '1706', 'runs/dead', '1', 'x', '2026-11-23T08:49:13.000Z')"
        )
        with pytest.raises(UsageError) as refused:
            site.resumed(simulator.service_root, "dead")

    assert str(refused.value) == (
        "run dead was ended before its files were read to the end, so nothing of it is planned; import the files again"
    )


# --- what keeps rows from being sent


def test_abort_on_invalid_sends_nothing(site: Site) -> None:
    """With --on-invalid abort one bad row keeps all others back: exit 3, and each row says why."""
    rows = [*devices(3), cells_of(4, certificateKeyLength="many")]
    with running(SimulatorSettings()) as simulator:
        finished = site.imported(simulator.service_root, site.write("i.csv", rows), aborts_on_invalid=True)

        assert simulator.state().requests == 0
    assert (finished.exit_code, totals_of(finished)) == (ExitCode.INVALID, {"invalid": 1, "unsent": 3})
    assert finished.stop_message == "rows with errors: 1; --on-invalid abort sends nothing then"
    assert [row["_import_status"] for row in read_csv(finished.folder / "errors.csv")] == ["unsent"] * 3 + ["invalid"]


@pytest.mark.parametrize(
    ("max_errors", "message"),
    [
        ("1", "rows with errors: 2, more than --max-errors 1; nothing was sent"),
        ("39%", "rows with errors: 2 of 5, more than --max-errors 39%; nothing was sent"),
    ],
)
def test_too_many_bad_rows_keep_the_others_back(site: Site, max_errors: str, message: str) -> None:
    """When more rows have errors than the threshold allows, nothing is sent: exit 5."""
    rows = [*devices(3), cells_of(4, certificateKeyLength="many"), cells_of(5, devicePlatform="Symbian")]
    with running(SimulatorSettings()) as simulator:
        finished = site.imported(simulator.service_root, site.write("i.csv", rows), max_errors=max_errors)

        assert simulator.state().requests == 0
    assert (finished.exit_code, finished.stop_message) == (ExitCode.THRESHOLD, message)
    assert totals_of(finished) == {"invalid": 2, "unsent": 3}


@pytest.mark.parametrize("max_errors", ["2", "40%"])
def test_as_many_bad_rows_as_allowed_do_not_matter(site: Site, max_errors: str) -> None:
    """The threshold itself is allowed; the valid rows are created and the bad ones are exit 4."""
    rows = [*devices(3), cells_of(4, certificateKeyLength="many"), cells_of(5, devicePlatform="Symbian")]
    with running(SimulatorSettings()) as simulator:
        finished = site.imported(simulator.service_root, site.write("i.csv", rows), max_errors=max_errors)

    assert (finished.exit_code, totals_of(finished)) == (ExitCode.UNSETTLED, {"invalid": 2, "created": 3})


def test_a_missing_token_stops_before_the_files_are_read(site: Site) -> None:
    """Off loopback without a token nothing happens: no run in the ledger, no folder, exit 6."""
    file = site.write("inventory.csv", devices(1))

    with pytest.raises(PreflightError):
        site.imported("https://graph.microsoft.com/beta", file)

    assert site.select("SELECT id FROM runs") == []
    assert not (site.folder / "runs").exists()


def test_nothing_leaves_for_a_tenant_without_a_yes(site: Site) -> None:
    """Off loopback the user is asked with scope, app, number of rows and duration; a no leaves all rows unsent."""
    site.answer = False

    finished = site.imported(
        "https://graph.microsoft.com/beta",
        site.write("i.csv", devices(250)),
        environ={"GRAPH_TOKEN": "opaque"},
        check_remote=False,
    )

    (question,) = site.questions
    assert question.scope == Scope("https://graph.microsoft.com/beta", TENANT_ID)
    assert (question.app_id, question.rows) == ("", 250)
    assert 40.0 <= question.eta_s < 41.0
    assert (finished.exit_code, totals_of(finished)) == (ExitCode.UNSETTLED, {"unsent": 250})
    assert finished.stop_message == "not confirmed, so nothing was sent"


def test_an_unreachable_service_is_told_at_once_when_nothing_was_ever_reached(site: Site) -> None:
    """When five connections in a row fail at the start the run is given up: exit 6, all rows unsent, none lost."""
    with running(SimulatorSettings()) as simulator:
        service_root = simulator.service_root  # closed again, so nobody listens there
    rows = [cells_of(number, devicePlatform=platform) for number, platform in enumerate(PLATFORMS, start=1)]

    finished = site.imported(service_root, site.write("inventory.csv", rows))

    assert (finished.exit_code, totals_of(finished)) == (ExitCode.PREFLIGHT, {"unsent": 7})
    assert finished.stop_message.startswith("the service cannot be reached: no connection to 127.0.0.1:")


def test_a_service_that_goes_away_before_the_first_row_is_told(site: Site) -> None:
    """Without the look into the tenant the first row finds out: exit 6, all rows unsent, none lost."""
    with running(SimulatorSettings()) as simulator:
        service_root = simulator.service_root  # closed again, so nobody listens there

    finished = site.imported(service_root, site.write("inventory.csv", devices(3)), check_remote=False)

    assert (finished.exit_code, totals_of(finished)) == (ExitCode.PREFLIGHT, {"unsent": 3})
    assert finished.stop_message.startswith("the service cannot be reached: no connection to 127.0.0.1:")


def test_a_second_import_names_the_one_that_holds_the_lock(site: Site) -> None:
    """While one run holds the lock of the ledger and scope another one is refused with exit 8 and the holder's name."""
    file = site.write("inventory.csv", devices(1))
    with running(SimulatorSettings()) as simulator:
        job = site.job(simulator.service_root)
        scope = Scope(simulator.service_root, TENANT_ID)
        with hold_lock(job.settings.ledger_path, scope, "run 1"), pytest.raises(LockHeldError) as held:
            site.imported(simulator.service_root, file)

        assert simulator.state().requests == 0
    assert held.value.exit_code is ExitCode.LOCKED
    assert re.search(r" is in use for http://127\.0\.0\.1:\d+/beta by run 1 \(process \d+ on ", str(held.value))


# --- reports


def test_validate_writes_a_report_and_touches_neither_ledger_nor_network(site: Site) -> None:
    """A dry run leaves a run folder without its spool, and no ledger."""
    rows = [*devices(2), cells_of(3, certificateKeyLength="many"), cells_of(1), cells_of(2, userDisplayName="Other")]

    finished = site.validated(site.write("inventory.csv", rows))

    assert (finished.exit_code, totals_of(finished)) == (
        ExitCode.INVALID,
        {"invalid": 1, "duplicate": 1, "conflicting": 2, "valid": 1},
    )
    assert sorted(path.name for path in finished.folder.iterdir()) == [
        "errors.csv",
        "errors.xlsx",
        "repairs.csv",
        "report.html",
        "report.json",
        "run.log",
    ]
    assert not (site.folder / "state").exists()


def test_the_report_of_a_run_can_be_written_again(site: Site) -> None:
    """`report` makes the same files anew from the ledger alone."""
    rows = [*devices(2), cells_of(3, certificateKeyLength="many")]
    with running(SimulatorSettings(script=(Fault.BAD_REQUEST_400,))) as simulator:
        finished = site.imported(simulator.service_root, site.write("inventory.csv", rows))
        names = ("errors.csv", "created.csv", "unknown.csv")
        before = {name: (finished.folder / name).read_bytes() for name in names}
        for name in names:
            (finished.folder / name).unlink()
        again = report_run(None, site.job(simulator.service_root))

    assert {name: (finished.folder / name).read_bytes() for name in names} == before
    assert totals_of(again) == totals_of(finished) == {"invalid": 1, "rejected": 1, "created": 1}


def test_a_report_that_cannot_be_written_loses_nothing(site: Site) -> None:
    """When a report's file is in use the run says which one and what to do, and the ledger has the rows."""
    file = site.write("inventory.csv", devices(2))
    with running(SimulatorSettings()) as simulator:
        limited = site.imported(simulator.service_root, file, most_rows=1)
        (limited.folder / "created.csv").unlink()
        (limited.folder / "created.csv").mkdir()
        with pytest.raises(UsageError) as refused:
            site.resumed(simulator.service_root)

    assert str(refused.value) == (
        f"{limited.folder.absolute() / 'created.csv'}: the report cannot be written (Is a directory); close the "
        "program that has the file open, or make room, then write the report again: "
        f"certstate report {limited.summary.run.id}"
    )
    assert site.object_states() == {"created": 2}


def test_a_place_for_reports_that_is_no_folder_is_told(site: Site) -> None:
    """When the runs folder cannot be made both verbs say so in one sentence and leave no run behind."""
    (site.folder / "runs").write_text("in the way")
    file = site.write("inventory.csv", devices(1))

    with running(SimulatorSettings()) as simulator:
        with pytest.raises(UsageError) as import_refused:
            site.imported(simulator.service_root, file)
        with pytest.raises(UsageError) as validate_refused:
            site.validated(file)

    for refused in (import_refused, validate_refused):
        assert re.search(r"/runs/\S+: the folder for the reports cannot be made .* with --out$", str(refused.value))
    assert site.select("SELECT id FROM runs") == []


def test_the_log_tells_each_answer_with_the_ids_that_support_asks_for(site: Site) -> None:
    """run.log has a JSON line per answer with row, status, client-request-id and request-id, and no cell of a row."""
    with running(SimulatorSettings(script=(Fault.NONE, Fault.BAD_REQUEST_400))) as simulator:
        finished = site.imported(simulator.service_root, site.write("inventory.csv", devices(2)), concurrency="1")

        (stored,) = simulator.objects()
    text = (finished.folder / "run.log").read_text("utf-8")
    lines = [json.loads(line) for line in text.splitlines()]
    answers = [line for line in lines if line["event"] == "answer"]
    assert [line["event"] for line in lines] == [
        *("reading", "planned", "swept", "sending", "answer", "answer", "ended")
    ]
    assert [(line["ledger_row"], line["verdict"], line["http_status"]) for line in answers] == [
        (1, "created", 201),
        (2, "rejected", 400),
    ]
    assert answers[0]["client_request_id"] == stored.client_request_id
    assert all(re.fullmatch(r"[0-9a-f-]{36}", line["request_id"]) for line in answers)
    assert "PHONE" not in text


def test_the_token_stands_in_no_file(site: Site) -> None:
    """The bearer token is in no file that a run leaves, whatever was answered."""
    token = "sentinel-token-5f1c9d"
    script = (Fault.NONE, Fault.BAD_REQUEST_400, Fault.ERROR_500, Fault.REDIRECT_307, Fault.DROP_AFTER)
    file = site.write("inventory.csv", [*devices(6), cells_of(7, certificateKeyLength="many")])
    with running(SimulatorSettings(script=script, token=token)) as simulator:
        finished = site.imported(simulator.service_root, file, environ={"GRAPH_TOKEN": token})
        refused = site.imported(
            simulator.service_root, site.write("more.csv", devices(2, first=8)), environ={"GRAPH_TOKEN": f"{token}-old"}
        )

    assert totals_of(finished) == {"invalid": 1, "created": 5, "rejected": 1}
    assert (refused.exit_code, totals_of(refused)) == (ExitCode.PREFLIGHT, {"unsent": 2})
    files = [path for path in site.folder.rglob("*") if path.is_file()]
    assert len(files) >= 12
    assert [path for path in files if token.encode() in path.read_bytes()] == []
    assert not [text for text in (*site.notes, finished.stop_message, refused.stop_message) if token in text]


def test_a_file_that_is_no_table_leaves_nothing_behind(site: Site) -> None:
    """When the second file cannot be read nothing of the first stays: no row, no run, no folder, nothing sent."""
    good = site.write("good.csv", devices(3))
    bad = site.folder / "bad.csv"
    bad.write_bytes(b"%PDF-1.7\n")
    with running(SimulatorSettings()) as simulator:
        with pytest.raises(SourceError):
            site.imported(simulator.service_root, good, bad)
        with pytest.raises(SourceError):
            site.validated(good, bad)

        assert simulator.state().requests == 0
    everything = (
        "SELECT id FROM runs UNION ALL SELECT pk FROM sources UNION ALL SELECT pk FROM rows "
        "UNION ALL SELECT pk FROM objects UNION ALL SELECT pk FROM findings"
    )
    assert site.select(everything) == []
    assert list((site.folder / "runs").iterdir()) == []
