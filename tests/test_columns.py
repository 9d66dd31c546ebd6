"""Header rows: which cell holds which property, and what is said of the other columns."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.columns import column_letter, fold_header, match_columns, pick_values
from pipeline.editions import EDITION_1706, EDITION_CURRENT, EDITIONS, Edition
from pipeline.findings import CATALOGUE, Code, Finding, Severity
from pipeline.model import CellType, ColumnMap, Row, Values

NAMES_1706 = (*(each.name for each in EDITION_1706.properties), "deviceConfigurationId", "profileType")
NOTHING = frozenset[str]()


def matched(header: tuple[str, ...], *, aliases: dict[str, tuple[str, ...]] | None = None) -> ColumnMap:
    """Return the map of an edition-1706 header in which no column is required."""
    columns = match_columns(header, EDITION_1706, aliases=aliases or {}, required=NOTHING)
    assert columns is not None
    return columns


def index_of(columns: ColumnMap, name: str) -> int | None:
    return columns.indexes[columns.names.index(name)]


@pytest.mark.parametrize("edition", EDITIONS.values(), ids=EDITIONS)
def test_the_editions_own_names_are_all_found(edition: Edition) -> None:
    """A header of the edition's names, in any order, gives each property its cell and nothing to complain about."""
    names = (*(each.name for each in edition.properties), "deviceConfigurationId", "profileType")
    header = tuple(reversed(names))

    columns = match_columns(header, edition, aliases={}, required=edition.required)

    assert columns == ColumnMap(names, names, tuple(range(len(names) - 1, -1, -1)), ())


@pytest.mark.parametrize(
    "spelling",
    [
        "serverurl",
        "SERVERURL",
        "Server Url",
        "  server\tURL ",
        "server\nUrl",
        "server\u00a0Url",
        "s e r v e r u r l",
    ],
)
def test_letter_case_and_white_space_make_no_difference(spelling: str) -> None:
    """A header is compared without letter case and white space, and kept as the file spells it."""
    columns = matched((spelling,))

    assert index_of(columns, "serverUrl") == 0
    assert columns.headers[columns.names.index("serverUrl")] == spelling
    assert columns.findings == ()


@pytest.mark.parametrize("spelling", ["server_url", "server-url", "serverUrls", "url", "\u200bserverUrl"])
def test_a_name_that_is_only_alike_is_not_guessed(spelling: str) -> None:
    """A header that is merely near a property holds nothing that is sent."""
    columns = matched((spelling, "deviceDisplayName"))

    assert index_of(columns, "serverUrl") is None
    assert [each.code for each in columns.findings] == [Code.UNKNOWN_COLUMN]


def test_an_alias_stands_for_its_property() -> None:
    """A header declared under `columns:` is found as a property's own name is."""
    columns = matched(("Platform", "SERIAL  no."), aliases={"certificateSerialNumber": ("Serial No.", "SN")})

    assert index_of(columns, "certificateSerialNumber") == 1
    assert [each.column for each in columns.findings] == ["Platform"]


def test_the_profile_id_may_have_an_alias() -> None:
    """The columns that choose the route are matched like properties."""
    columns = matched(("Profile GUID",), aliases={"deviceConfigurationId": ("Profile GUID",)})

    assert index_of(columns, "deviceConfigurationId") == 0


def test_a_header_without_any_known_column_is_no_header() -> None:
    """None is returned when no cell is a known column: the row is no header of ours."""
    for header in ((), ("",), ("id",), ("_import_row",), ("Contoso Ltd.", "Export of 2026-11-23")):
        assert match_columns(header, EDITION_1706, aliases={}, required=NOTHING) is None


def test_the_columns_of_our_own_reports_are_passed_over() -> None:
    """The `_import_` columns of a corrected errors file are neither sent nor complained about."""
    columns = matched(("deviceDisplayName", "_import_row", "_Import_Status", " _import_message"))

    assert columns.findings == ()


UNKNOWN_MESSAGE = "no property has this name; its cells are not sent"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (
            "deviceName2",
            Finding(
                Code.UNKNOWN_COLUMN,
                Severity.WARNING,
                "deviceName2",
                "",
                UNKNOWN_MESSAGE,
                'To send it, name it in config.yaml, such as `columns: {<property>: ["deviceName2"]}`',
            ),
        ),
        (
            " device Platforms ",
            Finding(
                Code.UNKNOWN_COLUMN,
                Severity.WARNING,
                " device Platforms ",
                "",
                UNKNOWN_MESSAGE,
                "did you mean devicePlatform? "
                'To send it, name it in config.yaml, such as `columns: {devicePlatform: ["device Platforms"]}`',
            ),
        ),
        (
            'Serial: "no", {0} %s [x]',
            Finding(
                Code.UNKNOWN_COLUMN,
                Severity.WARNING,
                'Serial: "no", {0} %s [x]',
                "",
                UNKNOWN_MESSAGE,
                'To send it, name it in config.yaml, such as `columns: {<property>: ["Serial: \\"no\\", {0} %s [x]"]}`',
            ),
        ),
        (
            "  ",
            Finding(
                Code.UNKNOWN_COLUMN,
                Severity.WARNING,
                "",
                "",
                "column B has no header; its cells are not sent",
                "give the column a header if it should be sent",
            ),
        ),
        (
            " ID",
            Finding(
                Code.IGNORED_COLUMN,
                Severity.WARNING,
                " ID",
                "",
                "the column id is not sent: the service assigns it",
                "nothing to do",
            ),
        ),
    ],
    ids=["unknown", "near", "hostile", "no-header", "id"],
)
def test_an_unused_column_is_told_once(header: str, expected: Finding) -> None:
    """A column that is not sent is one warning for the file, with the line of config.yaml that would send it."""
    columns = matched(("deviceDisplayName", header))

    assert columns.findings == (expected,)


def test_a_megabyte_of_header_stays_readable() -> None:
    """A header of a megabyte is cut in the finding, and says that it was."""
    columns = matched(("deviceDisplayName", "x" * 1_000_000))
    shown = "x" * 200 + "... (1,000,000 characters)"

    assert columns.findings == (
        Finding(
            Code.UNKNOWN_COLUMN,
            Severity.WARNING,
            shown,
            "",
            UNKNOWN_MESSAGE,
            f'To send it, name it in config.yaml, such as `columns: {{<property>: ["{shown}"]}}`',
        ),
    )


def test_two_columns_for_one_property_are_one_error() -> None:
    """A property with several columns is one error for the file that names each of them by its letter."""
    columns = matched(
        ("Device", "userDisplayName", "deviceDisplayName ", "DEVICEDISPLAYNAME"),
        aliases={"deviceDisplayName": ("Device",)},
    )

    assert columns.findings == (
        Finding(
            Code.DUPLICATE_COLUMN,
            Severity.ERROR,
            "Device",
            "",
            "columns A (Device) and C (deviceDisplayName) and D (DEVICEDISPLAYNAME) all stand for deviceDisplayName",
            "remove or rename one of the two columns",
        ),
    )


def test_each_missing_required_column_is_one_error() -> None:
    """A required property without a column is one error for the file, whatever its rows hold."""
    columns = match_columns(
        ("devicePlatform",), EDITION_CURRENT, aliases={}, required=frozenset({"deviceDisplayName", "devicePlatform"})
    )

    assert columns is not None
    assert columns.findings == (
        Finding(
            Code.MISSING_COLUMN,
            Severity.ERROR,
            "deviceDisplayName",
            "",
            "no column holds the required property deviceDisplayName",
            CATALOGUE[Code.MISSING_COLUMN].hint,
        ),
    )


def test_the_other_editions_property_is_an_unknown_column() -> None:
    """`serverUrl` left the entity in 2018: edition current has no such column."""
    columns = match_columns(("deviceDisplayName", "serverUrl"), EDITION_CURRENT, aliases={}, required=NOTHING)

    assert columns is not None
    assert [(each.code, each.column) for each in columns.findings] == [(Code.UNKNOWN_COLUMN, "serverUrl")]


def test_cells_are_picked_unchanged_and_in_the_maps_order() -> None:
    """The values are the cells as they stand, "" where the file has no column."""
    columns = matched(("userDisplayName", "Notes", "devicePlatform"))
    row = Row(7, ("  Grace H.\u00a0", "ignored", "IOS"))

    values = pick_values(row, columns)

    texts = {"devicePlatform": "IOS", "userDisplayName": "  Grace H.\u00a0"}
    assert values == Values(columns, tuple(texts.get(name, "") for name in NAMES_1706), ())


def test_cell_types_move_with_their_cells() -> None:
    """What a workbook holds as a number or date is told by the place in the values; unknown columns drop out."""
    columns = matched(("Notes", "certificateKeyLength", "certificateThumbprint"))
    row = Row(7, ("1", "2048", "12"), ((0, CellType.BOOLEAN), (1, CellType.NUMBER), (2, CellType.DATE)))

    values = pick_values(row, columns)

    assert values.not_text == (
        (NAMES_1706.index("certificateThumbprint"), CellType.DATE),
        (NAMES_1706.index("certificateKeyLength"), CellType.NUMBER),
    )


@pytest.mark.parametrize(
    ("index", "letter"),
    [(0, "A"), (25, "Z"), (26, "AA"), (51, "AZ"), (52, "BA"), (701, "ZZ"), (702, "AAA"), (16383, "XFD")],
)
def test_column_letters_are_the_spreadsheets(index: int, letter: str) -> None:
    """The letter is the one that the spreadsheet shows, up to its last column."""
    assert column_letter(index) == letter


@given(st.lists(st.text(st.characters()), max_size=20))
def test_any_header_gives_a_map_that_fits_its_rows(header: list[str]) -> None:
    """Whatever the header holds, each known column has one cell and every other one is told once or ours."""
    columns = matched((*header, "serverUrl"))
    used = {index for index in columns.indexes if index is not None}
    unused = [
        cell
        for index, cell in enumerate(header)
        if index not in used and fold_header(cell) not in {fold_header(name) for name in NAMES_1706}
    ]
    told = [each for each in columns.findings if each.code in {Code.UNKNOWN_COLUMN, Code.IGNORED_COLUMN}]

    assert len(told) == len([cell for cell in unused if not cell.strip().casefold().startswith("_import_")])
    assert len(pick_values(Row(2, (*header, "x")), columns).texts) == len(NAMES_1706)
