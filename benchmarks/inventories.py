"""Inventories of any size to measure with: `python benchmarks/inventories.py 1000000 inventory.csv --faults 1%`.

The columns of edition 1706 and the profile's id, as an export holds them: words that repeat, serial numbers and
thumbprints that do not, some names beyond ASCII. The same arguments give the same file, byte for byte. All values are
invented.
"""

import argparse
import csv
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import partial
from itertools import product
from pathlib import Path
from typing import NamedTuple

from workbook_file import write_workbook

COLUMNS = (
    "devicePlatform",
    "certificateKeyUsage",
    "certificateProfileDisplayName",
    "deviceDisplayName",
    "userDisplayName",
    "serverUrl",
    "certificateExpirationDateTime",
    "lastCertificateStateChangeDateTime",
    "certificateIssuer",
    "certificateThumbprint",
    "certificateSerialNumber",
    "certificateKeyLength",
    "enhancedKeyUsage",
    "deviceConfigurationId",
)

PROFILES = {
    "iOS": "32833106-536e-45df-80b2-d002cc92d33d",
    "macOS": "ca477c71-ec12-49bd-9289-046d34012259",
    "android": "201af639-f64b-4b83-8594-4e9cdac12538",
    "androidForWork": "662e6120-f781-46fa-a5ec-e01b2ff83173",
    "windows81AndLater": "f89d27c3-1309-4fef-abb6-351797b9be1b",
    "windows10AndLater": "8e634341-c033-4687-b10a-c0e44bebdd44",
}
"""Platform -> the invented id of its certificate profile."""

CONFIG = (
    "tenant: {id: 7a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d, graph_url: http://127.0.0.1:8080/beta}\nprofiles:\n"
    + "".join(f"  - {{platform: {platform}, id: {guid}}}\n" for platform, guid in PROFILES.items())
    + "send: {max_errors: 100%}\n"
)
"""A config.yaml that reads every style of inventory."""

MOST_ROWS_OF_A_SHEET = 1_048_575

BLOCK = 10_000
"""Rows that are made at a time; part of what a seed means."""


class Style(StrEnum):
    """How an inventory is written."""

    CLEAN = "clean"  # no value needs a repair
    LEGACY = "legacy"  # several values of every row need one


class Fault(StrEnum):
    """What can be wrong with a row. A conflict refuses the other row too."""

    BAD_DATE = "bad date"
    UNKNOWN_PLATFORM = "unknown platform"
    SHORT_THUMBPRINT = "short thumbprint"
    BLANKS = "blanks around a name"
    AMBIGUOUS_DATE = "ambiguous date"
    DUPLICATE = "duplicate row"
    CONFLICT = "conflicting row"
    RAGGED = "ragged row"


class Spelling(NamedTuple):
    """The words of one style."""

    platforms: dict[str, tuple[str, ...]]
    key_usages: tuple[str, ...]
    times: tuple[str, ...]  # what stands behind the day
    issuers: tuple[str, ...]
    enhanced_key_usages: tuple[str, ...]
    hexadecimal: Callable[[str], str]


FIRST_NAMES = ("Anna", "Ben", "Carla", "Deniz", "Eva", "Felix", "Grace", "Hugo", "Ines", "Jonas", "Łukasz", "Zoë")
FIRST_NAMES += ("Kofi", "Lena", "Mei", "Nils", "Olga", "Pedro", "Ruth", "Sara", "Tom", "Uma", "Yusuf", "José", "陽子")
LAST_NAMES = ("Adeyemi", "Berger", "Costa", "Dubois", "Example", "Fischer", "Garcia", "Haddad", "Ito", "Jensen", "Kjær")
LAST_NAMES += ("Lindqvist", "Moreau", "Novák", "Okafor", "Petrova", "Rossi", "Silva", "Tanaka", "Weiß", "Иванова")
USERS = tuple(f"{first} {last}" for first, last in product(FIRST_NAMES, LAST_NAMES))
SERVERS = tuple(f"https://ndes{number}.contoso.com/certsrv/mscep/mscep.dll" for number in (1, 2, 3))
KEY_LENGTHS = ("2048", "2048", "2048", "2048", "3072", "4096", "1024")
EXPIRIES = tuple(f"{date(2027, 1, 1) + timedelta(days=day):%Y-%m-%d}" for day in range(900))
CHANGES = tuple(f"{date(2026, 11, 23) - timedelta(days=day):%Y-%m-%d}" for day in range(700))
SECONDS = tuple(f"{datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=second):%H:%M:%S}" for second in range(86_400))
PREFIXES = ("4A", "5B", "6C", "2F", "1D")
"""How serial numbers begin: with a letter among the digits, so that none can be taken for a number."""


def _colons(digits: str) -> str:
    return ":".join(digits[at : at + 2] for at in range(0, len(digits), 2)).lower()


CLEAN = Spelling(
    {platform: (platform,) for platform in PROFILES},
    ("digitalSignature", "keyEncipherment", "digitalSignature,keyEncipherment"),
    tuple(f"T{{}}{zone}" for zone in ("Z", "Z", ".8162254Z", ".0370000Z", "+01:00", ".4378047-08:00")),
    tuple(f"CN=Contoso Issuing CA {number:02}, O=Contoso, C=US" for number in (1, 2, 3, 4)),
    ("Client Authentication", "Client Authentication (1.3.6.1.5.5.7.3.2)"),
    str,
)
LEGACY = Spelling(
    {
        "iOS": ("iPhone", "iPad", "iPod touch"),
        "macOS": ("Mac", "MAC OS X", "macos"),
        "android": ("Android (device administrator)",),
        "androidForWork": ("AndroidForWork", "android for work"),
        "windows81AndLater": ("Windows 8.1", "Win8.1"),
        "windows10AndLater": ("Windows 10", "Windows 11", "Windows 10 Enterprise"),
    },
    ("Digital Signature", "Key Encipherment (20)", "Digital Signature, Key Encipherment (a0)"),
    (" {}Z", " {}.123Z", " {} +01:00"),
    CLEAN.issuers,
    CLEAN.enhanced_key_usages,
    _colons,
)
SPELLINGS = {Style.CLEAN: CLEAN, Style.LEGACY: LEGACY}


class Written(NamedTuple):
    """What a file holds."""

    rows: int
    faults: Counter[Fault]


def header_of(width: int = len(COLUMNS)) -> tuple[str, ...]:
    """Return so many headers: edition 1706, the profile's id, and behind them notes that no rule knows.

    Fewer than 13 lack columns that are required.
    """
    return (*COLUMNS, *(f"Asset note {number + 1}" for number in range(width - len(COLUMNS))))[:width]


def blocks_of(
    rows: int,
    *,
    faults: float = 0.0,
    style: Style = Style.CLEAN,
    seed: int = 1,
    width: int = len(COLUMNS),
    kinds: Sequence[Fault] = tuple(Fault),
) -> Iterator[tuple[list[list[str]], Counter[Fault]]]:
    """Yield the rows in blocks, each with what was put wrong in it.

    `faults` is the share of rows, 0 to 1, that one of `kinds` is done to, each kind as often as the others.
    """
    dice = random.Random(seed)  # noqa: S311 - has to be repeatable, and guards no secret
    spelling = SPELLINGS[style]
    done = 0
    for first in range(0, rows, BLOCK):
        count = min(BLOCK, rows - first)
        block = [list(row[:width]) for row in zip(*_columns(dice, spelling, first, count, width), strict=True)]
        wanted = round((first + count) * faults) - done
        yield block, _spoil(block, dice.sample(range(count), wanted), dice, kinds, done)
        done += wanted


def _columns(dice: random.Random, spelling: Spelling, first: int, count: int, width: int) -> list[Iterable[str]]:
    """Return the cells of so many rows, column by column."""
    pick = partial(dice.choices, k=count)
    platforms = pick(tuple(PROFILES))
    digits = dice.randbytes(count * 37).hex().upper()
    hexadecimal = spelling.hexadecimal
    times = [pick(SECONDS), pick(SECONDS)]
    moments = [
        [day + form.format(second) for day, form, second in zip(pick(days), pick(spelling.times), seconds, strict=True)]
        for days, seconds in zip((EXPIRIES, CHANGES), times, strict=True)
    ]
    words_of = spelling.platforms
    words = [words_of[platform][number % len(words_of[platform])] for number, platform in enumerate(platforms)]
    # A letter in front, for the same reason as in serial numbers.
    thumbprints = [
        hexadecimal(letter + digits[at : at + 39])
        for letter, at in zip(pick("ABCDF"), range(0, count * 74, 74), strict=True)
    ]
    serials = [
        hexadecimal(prefix + digits[at : at + 34])
        for prefix, at in zip(pick(PREFIXES), range(40, count * 74, 74), strict=True)
    ]
    return [
        words,
        pick(spelling.key_usages),
        [f"Corp SCEP {platform}" for platform in platforms],
        [f"{platform[:3].upper()}-{number:07}" for number, platform in enumerate(platforms, first + 1)],
        pick(USERS),
        pick(SERVERS),
        *moments,
        pick(spelling.issuers),
        thumbprints,
        serials,
        pick(KEY_LENGTHS),
        pick(spelling.enhanced_key_usages),
        [PROFILES[platform] for platform in platforms],
        *(pick(("", "leased", "spare", "returned")) for _ in range(width - len(COLUMNS))),
    ]


def _spoil(
    block: list[list[str]], places: Sequence[int], dice: random.Random, kinds: Sequence[Fault], done: int
) -> Counter[Fault]:
    """Put the rows at the places wrong, and return how often what was done."""
    spoiled = set(places)
    sound = [at for at in range(len(block)) if at not in spoiled]
    dice.shuffle(sound)
    counts: Counter[Fault] = Counter()
    for number, at in enumerate(places, done):
        kind = kinds[number % len(kinds)]
        if kind in {Fault.DUPLICATE, Fault.CONFLICT}:
            if not sound:  # every row is to be wrong: there is none to repeat
                kind = Fault.BAD_DATE
            else:
                block[at] = list(block[sound.pop()])
        _spoil_row(block[at], kind, dice)
        counts[kind] += 1
    return counts


def _spoil_row(row: list[str], kind: Fault, dice: random.Random) -> None:
    match kind:
        case Fault.BAD_DATE:
            row[6] = "not a date"
        case Fault.UNKNOWN_PLATFORM:
            row[0] = "BeOS"
        case Fault.SHORT_THUMBPRINT:
            row[9] = row[9][:12]
        case Fault.BLANKS:
            row[3] = f" {row[3]} "
        case Fault.AMBIGUOUS_DATE:
            first, second = dice.sample(range(1, 13), 2)  # alike they would be one date
            row[6] = f"{first:02}/{second:02}/2027 10:00"
        case Fault.CONFLICT:
            row[4] += " (changed)"
        case Fault.RAGGED:
            del row[-1]
        case Fault.DUPLICATE:
            pass


def write(
    path: Path,
    rows: int,
    *,
    faults: float = 0.0,
    style: Style = Style.CLEAN,
    seed: int = 1,
    width: int = len(COLUMNS),
    has_numbers: bool = False,
) -> Written:
    """Write an inventory, a workbook for the suffix .xlsx and else a CSV file, and return what it holds.

    `has_numbers` makes the key lengths of a workbook number cells, as a spreadsheet holds them. A workbook has no
    ragged rows, and no more than 1,048,575 rows below its header: more raise ValueError.
    """
    is_workbook = path.suffix.lower() == ".xlsx"
    if is_workbook and rows > MOST_ROWS_OF_A_SHEET:
        raise ValueError(f"a sheet holds {MOST_ROWS_OF_A_SHEET:,} rows and a header")
    kinds = [kind for kind in Fault if not (is_workbook and kind is Fault.RAGGED)]
    counts: Counter[Fault] = Counter()

    def cells_of_rows() -> Iterator[list[str]]:
        for block, counted in blocks_of(rows, faults=faults, style=style, seed=seed, width=width, kinds=kinds):
            yield from block
            counts.update(counted)

    header = header_of(width)
    if is_workbook:
        numbers = {header.index("certificateKeyLength")} if has_numbers else set()
        write_workbook(path, header, cells_of_rows(), numbers=numbers)
    else:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(header)
            writer.writerows(cells_of_rows())
    return Written(rows, counts)


def share(text: str) -> float:
    """Return a share such as 1% or 0.01 as a number from 0 to 1. Raises ValueError for another text."""
    value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    if not 0 <= value <= 1:
        raise ValueError(f"{text} is no share")
    return value


def main() -> None:
    """Write the file that was asked for, and say what it holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", type=int, metavar="ROWS")
    parser.add_argument("file", type=Path, metavar="FILE", help="written as a workbook if it ends with .xlsx")
    parser.add_argument("--faults", type=share, default=0.0, help="share of rows with a fault, such as 1%%")
    parser.add_argument("--style", type=Style, choices=list(Style), default=Style.CLEAN)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--width", type=int, default=len(COLUMNS), help="columns in all")
    parser.add_argument("--numbers", action="store_true", help="key lengths as number cells (.xlsx)")
    asked = parser.parse_args()
    written = write(
        asked.file,
        asked.rows,
        faults=asked.faults,
        style=asked.style,
        seed=asked.seed,
        width=asked.width,
        has_numbers=asked.numbers,
    )
    faults = ", ".join(f"{count:,} x {kind}" for kind, count in written.faults.items())
    print(f"{asked.file}: {written.rows:,} rows, {asked.file.stat().st_size / 2**20:,.1f} MiB; {faults or 'no faults'}")


if __name__ == "__main__":
    main()
