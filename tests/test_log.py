"""run.log: one JSON line per event, whether it comes alone or among many."""

import json
from pathlib import Path

from pipeline.log import Line, open_run_log
from pipeline.model import Verdict

NAMES = ("ledger_row", "verdict", "http_status", "message")
VALUES = (7, Verdict.REJECTED, None, 'Größe "5 µm"\\\tzu klein')


def without_time(line: str) -> list[tuple[str, object]]:
    """Return the line's members in their order, but for the time."""
    return [(name, value) for name, value in json.loads(line).items() if name != "timestamp"]


def test_an_event_among_many_is_written_as_one_that_comes_alone(tmp_path: Path) -> None:
    """The members, their order and their values are the same, quotes, control characters and null included."""
    path = tmp_path / "run.log"
    with open_run_log(path) as log:
        log.warning("answer", **dict(zip(NAMES, VALUES, strict=True)))
        log.write_all("answer", NAMES, [Line("warning", VALUES), Line("info", (8, Verdict.CREATED, 201, ""))])

    alone, first, second = path.read_text("utf-8").splitlines()
    assert without_time(first) == without_time(alone)
    assert alone.partition('"timestamp"')[0] == first.partition('"timestamp"')[0]
    assert without_time(second) == [
        *(("ledger_row", 8), ("verdict", "created"), ("http_status", 201), ("message", "")),
        *(("event", "answer"), ("level", "info")),
    ]


def test_events_that_are_written_together_have_one_time_in_the_form_of_all_others(tmp_path: Path) -> None:
    """ISO 8601 in UTC; the time of a group is not before that of the event ahead of it."""
    path = tmp_path / "run.log"
    with open_run_log(path) as log:
        log.info("sending")
        log.write_all("answer", NAMES, [Line("info", VALUES)] * 2)

    before, *both = [json.loads(line)["timestamp"] for line in path.read_text("utf-8").splitlines()]
    assert both[0] == both[1] >= before
    assert {each[10] + each[-1] for each in (before, *both)} == {"TZ"}


def test_many_events_that_the_disk_does_not_take_end_nothing() -> None:
    """They are lost, as one alone would be."""
    with open_run_log(Path("/dev/full")) as log:
        log.write_all("answer", NAMES, [Line("info", VALUES)])
