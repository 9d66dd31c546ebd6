"""The short form of benchmarks/chaos.py: real processes, killed at random moments, against a tenant that misbehaves."""

import sys
from pathlib import Path

import pytest

from pipeline.simulator import SimulatorSettings

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import chaos


@pytest.mark.parametrize("seed", [11])
def test_import_verify_undo_and_import_again_hold_under_faults_and_kills(tmp_path: Path, seed: int) -> None:
    """Each row is one object, ledger and tenant agree, an undo leaves nothing, and the next import creates all anew."""
    counts = chaos.run_once(seed, rows=24, kills=3, folder=tmp_path)

    assert counts.kills >= 1
    assert counts.created >= 2 * 24
    assert counts.deleted >= 24


COLLECTION = (
    f"deviceManagement/deviceConfigurations/{chaos.PROFILES['iOS']}/microsoft.graph.iosScepCertificateProfile/"
    "managedDeviceCertificateStates"
)


@pytest.mark.parametrize(
    ("objects", "what"),
    [
        ([], "rows are lost or invented"),
        ([{}, {}], "rows are doubled"),
        ([{"userDisplayName": "Max"}], "a value was changed"),
        ([{}], "ledger and tenant disagree"),
    ],
    ids=["lost", "doubled", "changed", "not in the ledger"],
)
def test_a_broken_promise_is_found(tmp_path: Path, objects: list[dict[str, str]], what: str) -> None:
    """The check that all of this rests on can fail."""
    (row,) = chaos.rows_of(1)
    with chaos.prepared(tmp_path, SimulatorSettings(), rows=1, send="settle_s: 0") as tenant:
        for changed in objects:
            tenant.put(COLLECTION, row | changed)
        with pytest.raises(chaos.NotTrueError, match=what):
            chaos.check_created(tmp_path, tenant, 1)
