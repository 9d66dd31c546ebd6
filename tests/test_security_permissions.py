"""Who else can use the configuration, the ledger and the key: real files and real modes, judged the same for root."""

import os
import stat
from pathlib import Path

import pytest
from cli_cases import call, move_to
from import_cases import Site, devices, write_csv

from pipeline.errors import ExitCode
from pipeline.permissions import Kind, Seen, User, judge, loose_permissions
from pipeline.simulator import SimulatorSettings, running

NAMES = "it holds users' names and what was sent"
EVERYONE = "everyone on this machine"
ELSEWHERE = "who can send the rows and the token elsewhere"
FILE, FOLDER = stat.S_IFREG, stat.S_IFDIR
ME, OTHER, MY_GROUP, STAFF = 1000, 1001, 1000, 50
ME_ALONE = User(ME, MY_GROUP)


def told(kind: Kind, mode: int, *, owner_id: int = ME, group_id: int = STAFF, user: User = ME_ALONE) -> list[str]:
    """Return what is said of one path."""
    return list(judge([Seen(kind, Path("some/path"), mode, owner_id, group_id)], user))


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        (Kind.CONFIG, FILE | 0o644),
        (Kind.CONFIG, FILE | 0o600),
        (Kind.CONFIG_FOLDER, FOLDER | 0o755),
        (Kind.CONFIG_FOLDER, FOLDER | 0o1777),  # a sticky folder, where only its owner replaces a file
        (Kind.LEDGER, FILE | 0o600),
        (Kind.LEDGER, FILE | 0o711),
        (Kind.STATE_FOLDER, FOLDER | 0o755),
        (Kind.RUNS_FOLDER, FOLDER | 0o777),
        (Kind.PRIVATE_KEY, FILE | 0o400),
    ],
)
def test_usual_modes_are_fine(kind: Kind, mode: int) -> None:
    """What a usual umask makes is not worth a word."""
    assert told(kind, mode) == []


@pytest.mark.parametrize(
    ("kind", "mode", "sentence"),
    [
        (Kind.CONFIG, FILE | 0o664, f"can be written by its group, {ELSEWHERE}; call `chmod go-w some/path`"),
        (
            Kind.CONFIG,
            FILE | 0o646,
            f"can be written by everyone on this machine, {ELSEWHERE}; call `chmod go-w some/path`",
        ),
        (
            Kind.CONFIG_FOLDER,
            FOLDER | 0o775,
            "can be written by its group, who can replace config.yaml; call `chmod go-w some/path`",
        ),
        (
            Kind.LEDGER,
            FILE | 0o640,
            "can be read by its group: it holds users' names and what was sent; call `chmod 600 some/path`",
        ),
        (
            Kind.LEDGER,
            FILE | 0o620,
            "can be written by its group: it holds users' names and what was sent; call `chmod 600 some/path`",
        ),
        (
            Kind.LEDGER,
            FILE | 0o666,
            f"can be read and written by {EVERYONE}: {NAMES}; call `chmod 600 some/path`",
        ),
        (
            Kind.STATE_FOLDER,
            FOLDER | 0o757,
            "can be written by everyone on this machine, who can put another ledger there; call `chmod go-w some/path`",
        ),
        (
            Kind.STATE_FOLDER,
            FOLDER | 0o1777,
            f"can be written by {EVERYONE}, who can put another ledger there; name a folder of your own with --state",
        ),
        (
            Kind.PRIVATE_KEY,
            FILE | 0o440,
            "can be used by its group: it holds the app's private key; call `chmod 600 some/path`",
        ),
        (
            Kind.PRIVATE_KEY,
            FILE | 0o604,
            "can be used by everyone on this machine: it holds the app's private key; call `chmod 600 some/path`",
        ),
    ],
)
def test_a_loose_mode_is_one_sentence_with_its_cure(kind: Kind, mode: int, sentence: str) -> None:
    """What, why, and the command to type."""
    assert told(kind, mode) == [f"some/path {sentence}"]


@pytest.mark.parametrize(("kind", "mode"), [(Kind.CONFIG, 0o660), (Kind.LEDGER, 0o640), (Kind.STATE_FOLDER, 0o775)])
def test_a_group_of_the_user_alone_is_the_user(kind: Kind, mode: int) -> None:
    """The umask 002 of many Linux systems is no finding, unless the group has others or the file another owner."""
    alone = told(kind, FILE | mode, group_id=MY_GROUP)
    not_alone = told(kind, FILE | mode, group_id=MY_GROUP, user=User(ME, None))
    of_another = told(kind, FILE | mode, group_id=MY_GROUP, owner_id=0)

    assert (alone, len(not_alone), len(of_another)) == ([], 1, 1)


def test_the_configuration_belongs_to_the_user_or_to_root() -> None:
    """Whoever owns it can write it at any time; that its folder has the same owner is not said again."""
    sentence = f"some/path belongs to another user, {ELSEWHERE}; call `chown 1000 some/path`"
    both = [Seen(kind, Path("some/path"), 0o755, OTHER, STAFF) for kind in (Kind.CONFIG, Kind.CONFIG_FOLDER)]

    assert told(Kind.CONFIG, FILE | 0o600, owner_id=0) == []
    assert told(Kind.CONFIG_FOLDER, FOLDER | 0o700, owner_id=OTHER) == [sentence]
    assert list(judge(both, User(ME))) == [sentence]


def test_runs_in_the_folder_of_somebody_else_are_told() -> None:
    """A run's own folder is closed; that of another user shows its name, which is that of the file."""
    sentence = (
        "some/path belongs to another user and can be read by everyone, and the runs in it are named after their "
        "files; name a folder of your own with --out"
    )

    assert told(Kind.RUNS_FOLDER, FOLDER | 0o755, owner_id=OTHER) == [sentence]
    assert told(Kind.RUNS_FOLDER, FOLDER | 0o750, owner_id=OTHER) == []


def test_the_cure_can_be_pasted() -> None:
    """A blank in the path does not break the command."""
    seen = Seen(Kind.PRIVATE_KEY, Path("my keys/app.pem"), FILE | 0o604, ME, STAFF)

    assert [each.rpartition("; ")[2] for each in judge([seen], User(ME))] == ["call `chmod 600 'my keys/app.pem'`"]


def test_every_place_is_looked_at(tmp_path: Path) -> None:
    """config.yaml and its folder, the ledger with its log and folder, the key; what is absent is passed over."""
    folder, state = tmp_path / "site", tmp_path / "state"
    config, ledger, wal, key = (
        folder / "config.yaml",
        state / "ledger.db",
        state / "ledger.db-wal",
        tmp_path / "app.pem",
    )
    places = {"config": config, "ledger": ledger, "runs": folder / "runs", "private_key": key}
    absent = loose_permissions(**places)
    for each in (folder, state):
        each.mkdir()
        each.chmod(0o777)
    for each in (config, ledger, wal, key):
        each.touch()
        each.chmod(0o666)
    loose = loose_permissions(**places)
    for sentence in loose:
        command = sentence.rpartition("`")[0].rpartition("`")[2].split()
        assert (command[0], len(command)) == ("chmod", 3)
        path = Path(command[2])
        path.chmod(0o600 if command[1] == "600" else path.stat().st_mode & ~0o022)
    mended = loose_permissions(**places)

    assert absent == ()
    assert [Path(each.split(" can be ")[0]) for each in loose] == [config, folder, ledger, wal, state, key]
    assert mended == ()


def test_what_certstate_makes_is_closed_to_others(site: Site) -> None:
    """Under a umask that closes nothing, ledger, write-ahead log and the runs' folders are the user's alone."""
    before = os.umask(0)
    try:
        with running(SimulatorSettings()) as simulator:
            finished = site.imported(simulator.service_root, site.write("inventory.csv", devices(2)))
    finally:
        os.umask(before)

    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in (site.folder / "runs").iterdir()}
    assert modes == {finished.folder.name: 0o700, "history.jsonl": 0o600, "index.html": 0o600}
    assert {path.name for path in site.folder.glob("state/ledger.db*") if path.stat().st_mode & 0o066} == {
        path.name
        for path in site.folder.glob("state/ledger.db.*")  # the lock, which holds nothing
    }


@pytest.mark.parametrize("verb", ["inspect", "validate", "import"])
def test_each_verb_warns_once_on_stderr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    """The warning changes neither the answer nor the exit code."""
    move_to(tmp_path, monkeypatch)
    Path("config.yaml").chmod(0o666)
    file = write_csv(tmp_path / "inventory.csv", devices(2))
    warning = (
        f"certstate: warning: config.yaml can be written by everyone on this machine, {ELSEWHERE}; "
        "call `chmod go-w config.yaml`\n"
    )
    with running(SimulatorSettings()) as simulator:
        called = call(verb, file, *(("--graph-url", simulator.service_root) if verb == "import" else ()))
    Path("config.yaml").chmod(0o600)
    quiet = call(verb, file)

    assert (called.code, called.stderr.count("warning:"), called.stderr.count(warning)) == (ExitCode.OK, 1, 1)
    assert "warning:" not in called.stdout + quiet.stderr


def test_no_warning_without_a_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no config.yaml is read, the folder is nobody's concern."""
    move_to(tmp_path, monkeypatch)
    Path("config.yaml").unlink()
    tmp_path.chmod(0o777)
    file = write_csv(tmp_path / "inventory.csv", devices(1))

    assert "warning:" not in call("inspect", file).stderr
