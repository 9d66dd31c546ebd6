"""A report takes the place of an earlier one whole, or not at all."""

from pathlib import Path

import pytest

from pipeline.report.replacing import replacing


def names_in(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def test_a_whole_report_takes_the_place_of_the_earlier_one(tmp_path: Path) -> None:
    """The earlier one stays until the block has ended, and nothing else is left."""
    path = tmp_path / "errors.csv"
    path.write_text("old")
    with replacing(path) as unfinished:
        unfinished.write_text("new")
        before = path.read_text()

    assert (before, path.read_text(), names_in(tmp_path)) == ("old", "new", ["errors.csv"])
    assert unfinished.suffix == ".csv"


def test_half_a_report_is_thrown_away(tmp_path: Path) -> None:
    """Whatever ends the block before its end, Ctrl-C too, the earlier report is still there."""
    path = tmp_path / "errors.csv"
    path.write_text("old")

    def killed() -> None:
        with replacing(path) as unfinished:
            unfinished.write_text("ne")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        killed()

    assert (path.read_text(), names_in(tmp_path)) == ("old", ["errors.csv"])


def test_a_place_that_cannot_be_taken_is_named(tmp_path: Path) -> None:
    """The reader never learns the name of the file that was written instead."""
    (tmp_path / "errors.csv").mkdir()
    problems = []
    for path in (tmp_path / "errors.csv", tmp_path / "nowhere" / "errors.csv"):
        with pytest.raises(OSError, match="directory") as refused, replacing(path) as unfinished:
            unfinished.write_text("new")
        problems.append(refused.value.filename)

    assert problems == [str(tmp_path / "errors.csv"), str(tmp_path / "nowhere" / "errors.csv")]
    assert names_in(tmp_path) == ["errors.csv"]


def test_of_two_reports_the_one_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """Neither takes its place, and the reader learns which one to close."""
    (tmp_path / "errors.xlsx").mkdir()
    with (
        pytest.raises(OSError, match="directory") as refused,
        replacing(tmp_path / "errors.csv"),
        replacing(tmp_path / "errors.xlsx"),
    ):
        pass

    assert refused.value.filename == str(tmp_path / "errors.xlsx")
    assert names_in(tmp_path) == ["errors.xlsx"]
