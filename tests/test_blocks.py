"""Whole columns and single rows: two ways of judging, one outcome."""

import tempfile
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from import_cases import Site

from pipeline.editions import EDITIONS
from pipeline.ingest import Rules, columns_of, judge_rows, rules_of
from pipeline.ingest.blocks import Days, Tally, add_days, count_days
from pipeline.ingest.cells import cell_of, places_of
from pipeline.ingest.chunks import TableJudge, judge_of, sift_chunk, stage_chunk
from pipeline.ingest.plain import places_not_plain
from pipeline.ingest.repeats import places_of_repeats
from pipeline.load import Table, chunk_of
from pipeline.model import CellType, Row, StagedRow
from pipeline.presets import PRESETS

HEADER = (*(each.name for each in EDITIONS["1706"].properties), "deviceConfigurationId", "Notes")

GUID = "0a1b2c3d-0000-4000-8000-00000000000a"
ODD = (
    "",
    " ",
    "#N/A",
    "n/a",
    "N/A",
    "-",
    "'=1+1",
    "'plain",
    "=1",
    "a\u200bb",
    "M\u00fcller",
    "\u00a0x",
    "x ",
    "\ufffd",
    "\x07",
    "\u0645\u062d\u0645\u062f",
    "e\u0301",
    "x" * 32_768,
    "{message}",
    "PRIVATE",
    "a#b",
)
LIKELY = {
    "devicePlatform": ("iOS", "ios", "macOS", "iPhone", "Windows", "Windows 10", "BeOS", "windowsPhone81"),
    "certificateKeyUsage": (
        "digitalSignature",
        "a0",
        "Digital Signature",
        "keyEncipherment,digitalSignature",
        "crl sign",
    ),
    "certificateProfileDisplayName": ("Corp SCEP iOS", "Other"),
    "deviceDisplayName": ("PC-1", "PC-2", "pc-1", "Müllers iPhone", "Printer #4"),
    "userDisplayName": ("Anna Muster", "Jos\u00e9", "O'Neil"),
    "serverUrl": ("https://ndes.contoso.com/x", "ndes.contoso.com", "https://a b"),
    "certificateExpirationDateTime": (
        "2027-11-23T08:49:13Z",
        "2027-11-23T08:49:13.1234567Z",
        "2027-02-29T08:49:13Z",
        "2028-02-29T08:49:13Z",
        "2027-11-23 08:49:13Z",
        "2027-11-23T08:49:13+01:00",
        "2027-11-23T08:49:13",
        "03/04/2027 08:49",
        "1970-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "2027-11-31T00:00:00Z",
        "2027-11-23T24:00:00Z",
        "46349",
    ),
    "lastCertificateStateChangeDateTime": ("2025-11-20T08:59:32.4378047-08:00", "2025-11-20T08:59:32Z", "yesterday"),
    "certificateIssuer": ("CN=Contoso Issuing CA 1", "CN=Contoso, O=Contoso"),
    "certificateThumbprint": (
        "0123456789ABCDEF0123456789ABCDEF01234567",
        "0123456789abcdef0123456789abcdef01234567",
        "01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:EF:01:23:45:67",
        "0123456789ABCDEF0123456789ABCDEF01234500",
        "1234567890123450000000000000000000000000",
        "ABCDEF",
        "F" * 64,
    ),
    "certificateSerialNumber": ("0A1B", "00ff", "12345678", "1.23E+18", "1E5", "A" * 43, "0x1F", "1234567890123450000"),
    "certificateKeyLength": ("2048", "4096", "RSA 2048", "17", "+2048", "99999999999", "2048.0", "x"),
    "enhancedKeyUsage": ("Client Authentication (1.3.6.1.5.5.7.3.2)", "1.3.6.1.5.5.7.3.2", "clientAuth"),
    "deviceConfigurationId": (GUID, GUID.upper(), "not a guid"),
}

CONFIGURATIONS = {
    "as it comes": "",
    "profiles": f"profiles:\n  - {{platform: iOS, id: {GUID}}}\n",
    "declared": f"profiles:\n  - {{platform: iOS, id: {GUID}}}\ntimezone: Europe/Berlin\ndate_order: dmy\nserial: hex\n"
    "values: {deviceDisplayName: {PC-1: PC-9}, devicePlatform: {BeOS: iOS}}\n"
    "defaults: {serverUrl: 'https://ndes.contoso.com/scep', userDisplayName: nobody}\noptional: [enhancedKeyUsage]\n",
    "odd default": "defaults: {certificateIssuer: ' CN=x'}\noptional: [certificateThumbprint, deviceDisplayName]\n",
    "current": 'edition: "current"\n',
}


def rows_of_texts() -> st.SearchStrategy[list[tuple[str, ...]]]:
    """Return tables: of each column likely texts, seldom odd ones, as many as the header has."""
    cells = [
        st.one_of(st.sampled_from(LIKELY.get(name, ("note",))), st.sampled_from(LIKELY.get(name, ("note",))[:1]))
        | st.sampled_from(ODD)
        for name in HEADER
    ]
    return st.lists(st.tuples(*cells), min_size=1, max_size=12)


@dataclass(frozen=True)
class Way:
    """How the rows of a table are judged."""

    configuration: str
    preset: str | None = None
    is_strict: bool = False
    repairs: bool = True


WAYS = (
    Way("as it comes"),
    Way("profiles"),
    Way("declared"),
    Way("declared", is_strict=True),
    Way("declared", repairs=False),
    Way("profiles", repairs=False),
    Way("odd default"),
    Way("current"),
    Way("profiles", preset=next(iter(PRESETS))),
)


@cache
def rules_for(way: Way) -> Rules:
    """Return the rules of a configuration, as the command line adds to them."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Site(Path(folder), CONFIGURATIONS[way.configuration]).job().settings
        return rules_of(settings, is_strict=way.is_strict, preset=PRESETS.get(way.preset or ""), repairs=way.repairs)


def judge_for(way: Way, header: tuple[str, ...] = HEADER) -> TableJudge:
    """Return the judge of a table with the header."""
    rules = rules_for(way)
    table = Table(Path("a.csv"), None, header, 1, "utf-8", ",", 1, iter(()))
    columns = columns_of(table, rules)
    assert columns is not None
    return judge_of(header, columns, rules)


def singly(rows: Sequence[Row], judge: TableJudge) -> list[StagedRow]:
    """Return the rows as they are judged one by one."""
    return list(judge_rows(rows, judge.columns, judge.rules, judge.own))


@settings(max_examples=60, deadline=None)
@given(rows_of_texts(), st.sampled_from(WAYS))
def test_a_block_becomes_what_its_rows_become(cells: list[tuple[str, ...]], way: Way) -> None:
    """Judged column by column, each row has the findings, the body, the key and the fingerprint that it has alone."""
    judge = judge_for(way)
    rows = [Row(number, each) for number, each in enumerate(cells, 2)]

    assert stage_chunk(chunk_of(rows), judge).staged == singly(rows, judge)


def tally_of(days: Days) -> Tally:
    tally: Tally = {}
    count_days(tally, days)
    return tally


@settings(max_examples=60, deadline=None)
@given(rows_of_texts(), st.sampled_from(WAYS))
def test_a_dry_run_counts_what_it_does_not_keep(cells: list[tuple[str, ...]], way: Way) -> None:
    """Rows with something to tell are kept, valid ones without are counted by collection, platform and day."""
    judge = judge_for(way)
    rows = [Row(number, each) for number, each in enumerate(cells, 2)]

    kept = sift_chunk(chunk_of(rows), judge)

    expected = singly(rows, judge)
    told = [(at, row) for at, row in enumerate(expected) if row.findings or row.request is None]
    plain = [row for row in expected if row.request and not row.findings]
    keys = [int(row.request.key[:16], 16) if row.request else 0 for row in expected]
    days: Days = {}
    add_days(days, plain)
    assert (list(zip(kept.places, kept.staged, strict=True)), tally_of(kept.counted)) == (told, tally_of(days))
    assert (list(kept.keys), kept.rows) == (keys, len(rows))


INSTANT = r"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9](\.[0-9]{1,8})?(Z|[+-][01][0-9]:[0-6][0-9])"
TYPES = st.sampled_from([CellType.NUMBER, CellType.BOOLEAN, CellType.DATE, CellType.ERROR, CellType.FORMULA])


@settings(max_examples=60, deadline=None)
@given(rows_of_texts(), st.data(), st.sampled_from(WAYS))
def test_rows_that_a_block_cannot_hold_keep_their_places(
    cells: list[tuple[str, ...]], data: st.DataObject, way: Way
) -> None:
    """Ragged and broken rows, and cells that a workbook holds otherwise, come out among the others in their order."""
    judge = judge_for(way)
    rows = []
    for number, each in enumerate(cells, 2):
        kind = data.draw(st.sampled_from(["whole", "whole", "typed", "long", "short", "broken"]))
        types = (
            data.draw(st.dictionaries(st.integers(0, len(HEADER) - 1), TYPES, max_size=3)) if kind == "typed" else {}
        )
        row = Row(number, each, tuple(sorted(types.items())))
        if kind == "long":
            row = row._replace(extra_cells=("more",))
        elif kind == "short":
            row = row._replace(missing_cells=1)
        elif kind == "broken":
            row = row._replace(broken="text follows a closing quote")
        rows.append(row)
    expected = singly(rows, judge)

    kept = sift_chunk(chunk_of(rows), judge)

    assert stage_chunk(chunk_of(rows), judge).staged == expected
    assert kept.staged == [row for row in expected if row.findings or row.request is None]
    assert kept.places == [row.row_number - 2 for row in kept.staged]
    assert list(kept.keys) == [int(row.request.key[:16], 16) if row.request else 0 for row in expected]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_plain_text_is_plain_by_the_rules(data: st.DataObject) -> None:
    """Of a text that the pattern of its column takes in, no rule has anything to say, and it is sent as it stands."""
    judge = judge_for(WAYS[0])
    places = places_of(judge.columns, judge.rules)
    place = data.draw(st.sampled_from([each for each in places if each.plain is not None]))
    texts = data.draw(
        st.lists(
            st.one_of(
                st.text(max_size=12),
                st.text("0123456789ABCDEFabcdef :-#'", min_size=1, max_size=44),
                st.from_regex(
                    r"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9](\.[0-9]{1,8})?(Z|[+-][01][0-9]:[0-6][0-9])",
                    fullmatch=True,
                ),
                st.sampled_from(LIKELY.get(place.name, ("note",))),
                st.sampled_from(ODD),
            ),
            min_size=1,
        )
    )
    assert place.plain is not None
    doubted = places_not_plain(texts, place.plain)

    for at in set(range(len(texts))) - set(doubted):
        cell = cell_of(texts[at], place, judge.rules)
        assert (cell.text, cell.value or "", cell.is_told) == (texts[at], texts[at], False)


def test_more_routes_than_are_remembered_are_found() -> None:
    """Each row has the route that its own texts choose, however many there are."""
    judge = judge_for(Way("profiles"))
    cells = [LIKELY[name][0] if name in LIKELY else "x" for name in HEADER]
    at = HEADER.index("certificateProfileDisplayName")
    rows = [Row(number, (*cells[:at], f"Profile {number}", *cells[at + 1 :])) for number in range(2, 25_000)]

    kept = [sift_chunk(chunk_of(rows[start : start + 6_000]), judge) for start in range(0, len(rows), 6_000)]

    assert [each.staged for each in kept] == [[]] * len(kept)
    assert sum(len(days) for each in kept for days in each.counted.values()) == len(rows)


def test_enough_of_the_tables_hold_valid_rows() -> None:
    """The likely texts make a row of which nothing is told, so that the tests above see such rows."""
    judge = judge_for(Way("profiles"))
    row = Row(2, tuple(LIKELY.get(name, ("note",))[0] for name in HEADER))

    (staged,) = singly([row], judge)

    assert (staged.request is not None, staged.findings) == (True, ())


def test_columns_may_be_missing_and_templates_are_left_to_the_rows() -> None:
    """A table without some columns is judged as its rows are; nothing is put together from cells in a block."""
    header = ("devicePlatform", "deviceDisplayName", "certificateThumbprint", "deviceConfigurationId")
    judge = judge_for(Way("odd default"), header)
    rows = [Row(2, ("iOS", "PC-1", "A" * 40, GUID)), Row(3, ("iOS", "", "", GUID))]

    assert stage_chunk(chunk_of(rows), judge).staged == singly(rows, judge)


@given(st.lists(st.sampled_from([0, 1, 2, 3, 2**40 + 3, 2**62, 2**63, 2**64 - 1]), max_size=12))
def test_repeated_keys_are_found_wherever_they_are(keys: list[int]) -> None:
    """Each place comes out whose number stands in another place too; 0 is no key."""
    counts = Counter(keys)
    expected = [place for place, key in enumerate(keys) if key and counts[key] > 1]

    assert places_of_repeats(array("Q", keys)).tolist() == expected


def test_repeated_keys_are_found_far_from_each_other() -> None:
    """A number that comes again hundred thousands of rows later is found in both places, and no other one."""
    keys = array("Q", (number * 0x9E3779B97F4A7C15 % 2**64 for number in range(1, 250_001)))
    keys[249_999], keys[120_000] = keys[7], keys[99_999]

    assert places_of_repeats(keys).tolist() == [7, 99_999, 120_000, 249_999]
