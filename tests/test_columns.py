"""Header rows: which cell holds which property, and what is said of the other columns."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.columns import count_known_columns, match_columns, pick_values
from pipeline.editions import EDITION_1706, EDITION_CURRENT, EDITIONS, Edition
from pipeline.findings import CATALOGUE, Code, Finding, Severity
from pipeline.identity import fold_header
from pipeline.model import CellType, ColumnMap, Composite, Row, Values, column_letter
from pipeline.templates import parse_template

NAMES_1706 = (*(each.name for each in EDITION_1706.properties), "deviceConfigurationId", "profileType", "certificate")
NOTHING = frozenset[str]()


def matched(
    header: tuple[str, ...],
    *,
    aliases: dict[str, tuple[str, ...]] | None = None,
    required: frozenset[str] = NOTHING,
    templates: dict[str, str] | None = None,
    certified: frozenset[str] = NOTHING,
    ignored: frozenset[str] = NOTHING,
) -> ColumnMap:
    """Return the map of an edition-1706 header, in which no column is required unless said."""
    columns = match_columns(
        header,
        EDITION_1706,
        aliases=aliases or {},
        required=required,
        templates={name: parse_template(text) for name, text in (templates or {}).items()},
        certified=certified,
        ignored=ignored,
    )
    assert columns is not None
    return columns


def index_of(columns: ColumnMap, name: str) -> int | None:
    return columns.indexes[columns.names.index(name)]


@pytest.mark.parametrize("edition", EDITIONS.values(), ids=EDITIONS)
def test_the_editions_own_names_are_all_found(edition: Edition) -> None:
    """A header of the edition's names, in any order, gives each property its cell and nothing to complain about."""
    names = (*(each.name for each in edition.properties), "deviceConfigurationId", "profileType", "certificate")
    header = tuple(reversed(names))

    columns = match_columns(header, edition, aliases={}, required=edition.required)

    assert columns == ColumnMap(names, names, tuple(range(len(names) - 1, -1, -1)), (), (None,) * len(names))


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
        "\u200bserverUrl",
        "\ufeffServer\u00a0URL\u200e",
    ],
)
def test_letter_case_white_space_and_marks_make_no_difference(spelling: str) -> None:
    """A header is compared without letter case, white space and invisible marks, and kept as the file spells it."""
    columns = matched((spelling,))

    assert index_of(columns, "serverUrl") == 0
    assert columns.headers[columns.names.index("serverUrl")] == spelling
    assert columns.findings == ()


@pytest.mark.parametrize("spelling", ["server_url", "server-url", "serverUrls", "url", "server\u0301Url"])
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
                'To send it, name it in config.yaml, such as `columns: {<property>: ["deviceName2"]}`; else '
                '`ignored: ["deviceName2"]`',
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
                'To send it, name it in config.yaml, such as `columns: {devicePlatform: ["device Platforms"]}`; else '
                '`ignored: ["device Platforms"]`',
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
                "To send it, name it in config.yaml, such as "
                '`columns: {<property>: ["Serial: \\"no\\", {0} %s [x]"]}`; else '
                '`ignored: ["Serial: \\"no\\", {0} %s [x]"]`',
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
            f'To send it, name it in config.yaml, such as `columns: {{<property>: ["{shown}"]}}`; '
            f'else `ignored: ["{shown}"]`',
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


# --- templates


def texts_of(cells: tuple[str, ...], columns: ColumnMap) -> dict[str, str]:
    """Return the values that are not empty, by name."""
    values = pick_values(Row(2, cells), columns)
    return {name: text for name, text in zip(columns.names, values.texts, strict=True) if text}


def declared(name: str, message: str) -> Finding:
    return Finding(Code.DECLARED_VALUE, Severity.INFO, name, "", message, "nothing to do")


def test_a_template_without_a_header_is_the_same_in_every_row() -> None:
    """A constant needs no column, fills the property in each row, and is told once."""
    columns = matched(("deviceDisplayName",), templates={"certificateIssuer": "CN=Contoso {{CA}}"})

    assert texts_of(("PC-1",), columns) == {"deviceDisplayName": "PC-1", "certificateIssuer": "CN=Contoso {CA}"}
    assert columns.findings == (
        declared("certificateIssuer", "certificateIssuer is CN=Contoso {CA} in every row, as `templates:` declares"),
    )


def test_a_template_puts_cells_together() -> None:
    """Cells go in as they stand, also of columns that are properties themselves; their headers are found folded."""
    columns = matched(
        ("Issuer", "CA: name!", "deviceDisplayName"),
        templates={"certificateIssuer": "{ISSUER} ({ca:name!}) {{{ deviceDisplayName }}}"},
    )

    assert columns.composites[columns.names.index("certificateIssuer")] == Composite(("", " (", ") {", "}"), (0, 1, 2))
    assert texts_of((" CN=x ", "C\u200eA", "{0}"), columns) == {
        "certificateIssuer": " CN=x  (C\u200eA) {{0}}",
        "deviceDisplayName": "{0}",
    }
    assert columns.findings == (
        declared(
            "certificateIssuer",
            "certificateIssuer is made of ISSUER and ca:name! and deviceDisplayName, as `templates:` declares",
        ),
    )


def test_a_file_can_be_known_by_its_templates_alone() -> None:
    """A header in which only a template's columns stand is a header; a constant alone makes none."""
    assert texts_of(("x",), matched(("Issuer",), templates={"certificateIssuer": "CN={Issuer}"})) == {
        "certificateIssuer": "CN=x"
    }
    constant = {"certificateIssuer": parse_template("CN=x")}
    assert match_columns(("Issuer",), EDITION_1706, aliases={}, required=NOTHING, templates=constant) is None


@pytest.mark.parametrize("cells", [("", "CA"), ("CN=x", ""), ("CN=x", " \u00a0"), ("", "")])
def test_an_empty_cell_makes_the_whole_value_empty(cells: tuple[str, ...]) -> None:
    """Nothing is made of half the cells."""
    columns = matched(("Issuer", "CA"), templates={"certificateIssuer": "{Issuer} ({CA})"})

    assert texts_of(cells, columns) == {}


def test_a_template_is_a_column_of_a_required_property() -> None:
    """A property that a template makes is not missing."""
    columns = matched(
        ("Issuer",), templates={"certificateIssuer": "{Issuer}"}, required=frozenset({"certificateIssuer"})
    )

    assert [each.code for each in columns.findings] == [Code.DECLARED_VALUE]


def test_a_templates_header_must_be_there() -> None:
    """A header that the file lacks is an error for the file, and nothing is made."""
    columns = matched(("Issuer", "deviceDisplayName"), templates={"certificateIssuer": "{Issuer} ({CA})"})

    assert texts_of(("CN=x", "PC-1"), columns) == {"deviceDisplayName": "PC-1"}
    assert columns.findings[-1] == Finding(
        Code.MISSING_COLUMN,
        Severity.ERROR,
        "certificateIssuer",
        "",
        "no column has the header CA, of which `templates:` makes certificateIssuer",
        "correct the header in `templates:` of config.yaml, or add the column",
    )


def test_a_templates_header_must_stand_once() -> None:
    """Which of two columns is meant is not guessed."""
    columns = matched(("Issuer", "issuer "), templates={"certificateIssuer": "CN={Issuer}"})

    assert [each for each in columns.findings if each.severity is Severity.ERROR] == [
        Finding(
            Code.DUPLICATE_COLUMN,
            Severity.ERROR,
            "Issuer",
            "",
            "several columns have the header Issuer, of which `templates:` makes certificateIssuer",
            "remove or rename one of the two columns",
        )
    ]


def test_a_template_and_a_column_contradict_each_other() -> None:
    """A property that has both is one error for the file."""
    columns = matched(("Issuer", "Certificate Issuer"), templates={"certificateIssuer": "CN={Issuer}"})

    assert columns.findings == (
        Finding(
            Code.DUPLICATE_COLUMN,
            Severity.ERROR,
            "Certificate Issuer",
            "",
            "both column B (Certificate Issuer) and `templates:` say what certificateIssuer is",
            "take certificateIssuer out of `templates:` in config.yaml, or rename the column",
        ),
    )


def test_every_cell_type_goes_through_a_template() -> None:
    """What a workbook says of any used cell is told of the value, each kind once; other cells' types are not."""
    columns = matched(("A", "B", "C", "D"), templates={"certificateSerialNumber": "{A}{B}{C}", "serverUrl": "x{D}"})
    place = columns.names.index("certificateSerialNumber")
    types = ((0, CellType.NUMBER), (1, CellType.NUMBER), (2, CellType.FORMULA))

    assert pick_values(Row(2, ("1", "2", "", "x"), types), columns).not_text == (
        (place, CellType.NUMBER),
        (place, CellType.FORMULA),
    )


# --- columns that are passed over, and a column with certificates


def test_an_ignored_header_is_not_told() -> None:
    """What a preset knows and does not send is no unknown column; all others are told."""
    columns = matched(("deviceDisplayName", "PS Path", "Owner"), ignored=frozenset({"pspath"}))

    assert [(each.code, each.column) for each in columns.findings] == [(Code.UNKNOWN_COLUMN, "Owner")]


def test_an_ignored_header_is_still_a_column_where_it_is_known() -> None:
    """Ignoring only keeps silent about columns without a meaning."""
    columns = matched(("deviceDisplayName",), ignored=frozenset({"devicedisplayname"}))

    assert index_of(columns, "deviceDisplayName") == 0


REQUIRED = frozenset({"deviceDisplayName", "certificateThumbprint"})
CERTIFIED = frozenset({"certificateThumbprint", "certificateIssuer"})


@pytest.mark.parametrize(
    ("header", "missing"),
    [
        (("serverUrl", "Certificate"), ["deviceDisplayName"]),
        (("serverUrl",), ["deviceDisplayName", "certificateThumbprint"]),
        (("deviceDisplayName", "PEM"), []),
    ],
)
def test_a_certificate_makes_up_for_what_it_says(header: tuple[str, ...], missing: list[str]) -> None:
    """With a column of certificates the properties that they hold need no column of their own."""
    columns = matched(header, aliases={"certificate": ("PEM",)}, required=REQUIRED, certified=CERTIFIED)

    assert [each.column for each in columns.findings if each.code is Code.MISSING_COLUMN] == missing


@pytest.mark.parametrize(
    ("cells", "count"),
    [
        (("devicePlatform", " DEVICE displayname\u200e", "Owner"), 2),
        (("devicePlatform", "devicePlatform", "Device Platform"), 1),
        (("Serial", "Issuer", "CA"), 3),
        (("certificate", "deviceConfigurationId", "profileType"), 3),
        (("Export of 2026-11-23", "", "id", "_import_row"), 0),
        ((), 0),
    ],
)
def test_known_columns_are_counted(cells: tuple[str, ...], count: int) -> None:
    """Each property, alias and template's header counts once, folded; titles count nothing."""
    templates = {"certificateIssuer": parse_template("{issuer} {CA}")}

    assert count_known_columns(cells, EDITION_1706, {"certificateSerialNumber": ("SERIAL",)}, templates) == count


def test_a_header_without_templates_is_counted_too() -> None:
    """The templates may be left out."""
    assert count_known_columns(("Issuer", "serverUrl"), EDITION_1706, {}) == 1


# --- letters, and any header


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
