"""What people would use instead of `certstate validate`: `python benchmarks/dry_run_peers.py loop inventory.csv`.

Each of them only reads and checks: none looks for duplicates, repairs a value or writes a report. Prints how many rows
it found valid and invalid.
"""

import argparse
import csv
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from pipeline.editions import EDITIONS

CHUNK = 5_000
"""Rows at a time; loops of 1,000 and 50,000 are no faster."""

EDITION = EDITIONS["1706"]


def loop(file: Path) -> tuple[int, int]:
    """Check with certstate's own pydantic model, row by row: the loop that people write."""
    from pipeline.validate import open_validator  # noqa: PLC0415 - each peer loads only what it needs

    model = open_validator(EDITION, required=EDITION.required).model
    # Where the model's checks leave their warnings; `validate_values` hands one over for each row.
    context = SimpleNamespace(warned=[])
    return _checked(_records(file), lambda record: model.model_validate(record, context=context))


Text = Annotated[str, StringConstraints(min_length=1, max_length=32_767)]
DateTime = Annotated[
    str,
    StringConstraints(
        # [0-9], because \d is all of Unicode's digits to pydantic-core, and slower.
        pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]"
        r"(:[0-5][0-9](\.[0-9]{1,7})?)?(Z|[+-][0-9]{2}:[0-9]{2})$"
    ),
]


class BareState(BaseModel):
    """The same fields, and no check that is not pydantic-core's own."""

    model_config = ConfigDict(extra="forbid")

    devicePlatform: Literal[
        "android", "androidForWork", "iOS", "macOS", "windowsPhone81", "windows81AndLater", "windows10AndLater"
    ]
    certificateKeyUsage: Annotated[
        str, StringConstraints(pattern=r"^(keyEncipherment|digitalSignature)(,(keyEncipherment|digitalSignature))?$")
    ]
    certificateProfileDisplayName: Text
    deviceDisplayName: Text
    userDisplayName: Text
    serverUrl: Annotated[str, StringConstraints(pattern=r"^https?://[!#-;=?-~]+$")]
    certificateExpirationDateTime: DateTime
    lastCertificateStateChangeDateTime: DateTime
    certificateIssuer: Text
    certificateThumbprint: Annotated[str, StringConstraints(pattern=r"^[0-9A-Fa-f]{40}$")]
    certificateSerialNumber: Annotated[str, StringConstraints(pattern=r"^[0-9A-Fa-f]{1,42}$")]
    certificateKeyLength: int
    enhancedKeyUsage: Text


def bare(file: Path) -> tuple[int, int]:
    """Check with patterns and literals only."""
    return _checked(_records(file), BareState.model_validate)


def tight(file: Path) -> tuple[int, int]:
    """Check so too, and do without pandas: the tightest loop of this kind that we know."""
    with file.open(encoding="utf-8", newline="") as opened:
        return _checked(csv.DictReader(opened), BareState.model_validate)


def _records(file: Path) -> Iterator[dict[str, str]]:
    for chunk in pd.read_csv(file, chunksize=CHUNK, dtype=str, keep_default_na=False):
        yield from chunk.to_dict("records")


def _checked(records: Iterable[dict[str, str]], check: Callable[[dict[str, str]], object]) -> tuple[int, int]:
    valid = 0
    problems = []
    for number, record in enumerate(records, 2):
        del record["deviceConfigurationId"]  # chooses the route, and is no property
        try:
            check(record)
        except ValidationError as found:
            problems.append((number, found.errors(include_url=False)))
        else:
            valid += 1
    return valid, len(problems)


def frictionless(file: Path) -> tuple[int, int]:
    """Check the types with frictionless' `validate`, with no limit of errors."""
    from frictionless import Schema, fields, system, validate  # noqa: PLC0415 - each peer loads only what it needs

    types = {"certificateKeyLength": fields.IntegerField}
    types |= {each.name: fields.DatetimeField for each in EDITION.properties if each.name.endswith("DateTime")}
    names = [*(each.name for each in EDITION.properties), "deviceConfigurationId"]
    schema = Schema(fields=[types.get(name, fields.StringField)(name=name) for name in names])
    with system.use_context(trusted=True):  # takes an absolute path
        (task,) = validate(str(file), schema=schema, limit_errors=0).tasks
    bad = len({row for (row,) in task.flatten(["rowNumber"])})
    return task.stats["rows"] - bad, bad


PEERS: dict[str, Callable[[Path], tuple[int, int]]] = {
    "loop": loop,
    "bare": bare,
    "tight": tight,
    "frictionless": frictionless,
}


def main() -> int:
    """Run the peer that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("peer", choices=list(PEERS))
    parser.add_argument("file", type=Path)
    asked = parser.parse_args()
    valid, invalid = PEERS[asked.peer](asked.file)
    print(f"{asked.peer}: {valid:,} valid, {invalid:,} invalid")
    return 0


if __name__ == "__main__":
    sys.exit(main())
