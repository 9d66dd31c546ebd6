"""Which rules concern which property, in which order, and that reading twice equals once."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rules_cases import COLUMNS, DAY_FIRST, After, after, rules_with, short, values_of
from validate_cases import CLEAN_CURRENT
from values_cases import ADVERSARIAL

from pipeline.declared import SerialForm
from pipeline.findings import CATALOGUE, REPAIRS, Code, Finding, Severity
from pipeline.model import CellType, Values
from pipeline.values import DateRules, Prepared, apply_rules

MARK, SPACE, CASE = Code.INVISIBLE_MARK, Code.SURROUNDING_SPACE, Code.LETTER_CASE


# --- which rule for which property


@pytest.mark.parametrize(
    ("name", "texts", "codes"),
    [
        ("devicePlatform", ["\u200eiPhone", "iPhone", "iOS"], [MARK, Code.PLATFORM_SYNONYM]),
        ("devicePlatform", [" IOS", "IOS", "iOS"], [SPACE, CASE]),
        ("certificateRevokeStatus", ["\u00a0None\u00a0", "None", "none"], [MARK, CASE]),
        ("certificateRevokeStatus", ["iPhone"], []),
        (
            "certificateKeyUsage",
            ["Key\u00a0Encipherment", "Key Encipherment", "keyEncipherment"],
            [MARK, Code.KEY_USAGE_FORM],
        ),
        ("certificateKeyUsage", ["20", "keyEncipherment"], [Code.KEY_USAGE_FORM]),
        ("certificateSubjectAlternativeNameFormat", ["None,none", "none,none", "none"], [CASE, Code.REPEATED_MEMBER]),
        ("certificateSubjectAlternativeNameFormat", ["20"], []),
        ("certificateThumbprint", ["\u200e da 39", "da 39", "DA39"], [MARK, Code.HEX_FORM]),
        ("certificateSerialNumber", ["\u00a00xa7", "0xa7", "A7"], [MARK, Code.HEX_FORM]),
        ("certificateSerialNumber", [" -59 ", "A7"], [Code.SERIAL_NUMBER_FORM]),
        ("certificateKeyLength", ["2048\u00a0bit", "2048 bit", "2048"], [MARK, Code.KEY_LENGTH_FORM]),
        ("certificateKeyLength", [" 2048 ", "2048"], [SPACE]),
        ("certificateValidityPeriod", [" 5 ", "5"], [SPACE]),
        ("certificateValidityPeriod", ["0x800"], []),
        ("certificateEnhancedKeyUsage", ["clientAuth", "Client Authentication"], [Code.ENHANCED_KEY_USAGE_FORM]),
        ("certificateExpirationDateTime", [" 2026-11-23T08:49:13Z", "2026-11-23T08:49:13Z"], [SPACE]),
        ("deviceDisplayName", ["PC\u00a01", "PC 1"], [MARK]),
        ("deviceDisplayName", [" iPhone "], []),
        ("certificateIssuer", ["1.3.6.1.5.5.7.3.2"], []),
        ("userDisplayName", ["\u06a9\u062a\u0627\u0628\u200c\u0647\u0627"], []),
        ("deviceConfigurationId", [" 6A1F ", "6A1F"], [SPACE]),
        ("deviceConfigurationId", ["\ufeff6A1F", "6A1F"], [MARK]),
    ],
)
def test_each_property_has_its_rules(name: str, texts: list[str], codes: list[Code]) -> None:
    """A text goes through the rules of its property in their order, and each change is told as `was -> is`."""
    changes = [(name, code, f"{was} -> {text}") for code, was, text in zip(codes, texts, texts[1:], strict=False)]

    assert after(values_of({name: texts[0]}), rules_with()) == After({name: texts[-1]}, changes, [])
    assert len(codes) == len(texts) - 1


def test_a_clean_row_is_not_touched() -> None:
    """A row in the API's own spelling comes out as it went in, with nothing to tell."""
    row = values_of(CLEAN_CURRENT | {"certificateEnhancedKeyUsage": "Client Authentication"})

    for repairs in (True, False):
        assert apply_rules([row], rules_with(repairs=repairs)) == [Prepared(row, ())]


def test_a_change_is_a_finding_with_the_files_text() -> None:
    """The finding names the column as the file does, the value before the rule, and what it became."""
    (prepared,) = apply_rules([values_of({"certificateSerialNumber": "00:a7"})], rules_with())

    assert prepared.findings == (
        Finding(
            Code.HEX_FORM,
            Severity.INFO,
            "certificateSerialNumber",
            "00:a7",
            "00:a7 -> 00A7",
            "nothing to do; `--no-repair` leaves values as the file has them",
        ),
    )
    assert prepared.refused_columns == frozenset()


def test_a_problem_is_a_finding_with_the_files_text() -> None:
    """What a rule refuses is shown as it stood before any rule, and its column counts as refused."""
    (prepared,) = apply_rules([values_of({"devicePlatform": "\u200eWindows"})], rules_with())

    assert prepared.findings == (
        Finding(
            Code.INVISIBLE_MARK,
            Severity.WARNING,
            "devicePlatform",
            "\u200eWindows",
            "\u200eWindows -> Windows",
            CATALOGUE[Code.INVISIBLE_MARK].hint,
        ),
        Finding(
            Code.AMBIGUOUS_PLATFORM,
            Severity.ERROR,
            "devicePlatform",
            "\u200eWindows",
            "could be windows10AndLater, windows81AndLater or windowsPhone81",
            'say which one, such as `values: {devicePlatform: {"Windows": windows10AndLater}}`',
        ),
    )
    assert prepared.refused_columns == {"devicePlatform"}


def test_damage_ends_the_reading() -> None:
    """A damaged text is refused for its damage alone, whatever else could be said of it."""
    assert after(
        values_of({"certificateKeyLength": " #REF! ", "certificateThumbprint": "af\ufffd:c6"}), rules_with()
    ) == After(
        {"certificateKeyLength": " #REF! ", "certificateThumbprint": "af\ufffd:c6"},
        [],
        [("certificateThumbprint", Code.LOST_CHARACTER), ("certificateKeyLength", Code.ERROR_CELL)],
    )


def test_rows_keep_their_order_and_do_not_mix() -> None:
    """Each text is read once for a chunk, and each row gets what belongs to it."""
    texts = ["iPhone", "", "iOS", "Windows", "iPhone", "macmdm"]

    prepared = apply_rules([values_of({"devicePlatform": text}) for text in texts], rules_with())

    synonym, column = Code.PLATFORM_SYNONYM, "devicePlatform"
    assert [short(each) for each in prepared] == [
        After({column: "iOS"}, [(column, synonym, "iPhone -> iOS")], []),
        After({}, [], []),
        After({column: "iOS"}, [], []),
        After({column: "Windows"}, [], [(column, Code.AMBIGUOUS_PLATFORM)]),
        After({column: "iOS"}, [(column, synonym, "iPhone -> iOS")], []),
        After({column: "macOS"}, [(column, synonym, "macmdm -> macOS")], []),
    ]


def test_no_rows_are_no_rows() -> None:
    """An empty chunk gives nothing."""
    assert apply_rules([], rules_with()) == []


# --- cells of a workbook


@pytest.mark.parametrize(
    ("text", "cell_type", "serial", "expected"),
    [
        ("167", CellType.NUMBER, SerialForm.DECIMAL, Code.NUMERIC_SERIAL_NUMBER),
        ("9" * 15, CellType.NUMBER, SerialForm.DECIMAL, Code.NUMERIC_SERIAL_NUMBER),
        ("9" * 16, CellType.NUMBER, SerialForm.DECIMAL, Code.NUMERIC_IDENTIFIER),
        ("167", CellType.NUMBER, None, Code.NUMERIC_IDENTIFIER),
        ("1200000", CellType.NUMBER, SerialForm.HEX, Code.NUMERIC_IDENTIFIER),
    ],
)
def test_a_serial_number_in_a_numeric_cell(
    text: str, cell_type: CellType, serial: SerialForm | None, expected: Code
) -> None:
    """It passes only where it is declared decimal and has at most 15 digits; else nothing but that is said."""
    found = after(
        values_of({"certificateSerialNumber": text}, {"certificateSerialNumber": cell_type}),
        rules_with(serial=serial),
    )

    assert found.problems == [("certificateSerialNumber", expected)]
    assert bool(found.changes) is (expected is Code.NUMERIC_SERIAL_NUMBER)


def test_a_formula_without_a_result_is_refused_though_a_default_would_fill_it() -> None:
    """What the formula would have said is not known, so the default is not its value."""
    row = values_of({"deviceDisplayName": ""}, {"deviceDisplayName": CellType.FORMULA})

    found = after(row, rules_with(defaults={"deviceDisplayName": "unnamed"}))

    assert (found.changes, found.problems) == ([], [("deviceDisplayName", Code.UNCALCULATED_FORMULA)])


def test_an_error_cell_is_told_once() -> None:
    """The workbook says that it is an error, and so does its text."""
    row = values_of({"deviceDisplayName": "#N/A"}, {"deviceDisplayName": CellType.ERROR})

    assert after(row, rules_with()).problems == [("deviceDisplayName", Code.ERROR_CELL)]


def test_a_cell_of_two_kinds_is_told_of_both() -> None:
    """A value that a template made of a number and a formula has no result either."""
    place = COLUMNS.names.index("deviceDisplayName")
    row = Values(COLUMNS, values_of({}).texts, ((place, CellType.NUMBER), (place, CellType.FORMULA)))

    assert after(row, rules_with()).problems == [
        ("deviceDisplayName", Code.NUMBER_AS_TEXT),
        ("deviceDisplayName", Code.UNCALCULATED_FORMULA),
    ]


# --- reading twice equals once

NEARLY = [
    *CLEAN_CURRENT.values(),
    *("iPhone", "Windows", "IOS", " android", "a0", "Digital Signature (80)", "digitalSignature, keyEncipherment"),
    *("00:a7", "-59", "167 (0xa7)", "0xA7", "af:c6:01", "1.23E+18", "100000000000000000", "?a7", "12:34", "20-11-23"),
    *("2048 bit", "0x800 (2048)", "P-256", "23.11.2026 08:49", "2026-11-23", "46349.5", "Nov 23 08:49:13 2026 GMT"),
    *("clientAuth", "1.3.6.1.5.5.7.3.2", "#N/A", "\ufffd", "\u200e", "\u00a0", "\ud800", "EMPTY", "{0}", "0" * 5_000),
]
ANY_TEXT = st.one_of(
    st.text(),
    st.sampled_from(NEARLY),
    st.tuples(
        st.sampled_from(["", " ", "\u200e", "\u00a0", "\ufeff "]),
        st.sampled_from(NEARLY),
        st.sampled_from(["", "\n", "\u200b"]),
    ).map("".join),
)
DATES = st.sampled_from([DateRules(), DateRules(zone=ZoneInfo("Europe/Berlin")), DAY_FIRST])


@settings(max_examples=200)
@given(
    rows=st.lists(st.dictionaries(st.sampled_from(COLUMNS.names[:-1]), ANY_TEXT), max_size=3),
    dates=DATES,
    serial=st.sampled_from([None, SerialForm.HEX]),
    repairs=st.booleans(),
)
def test_reading_twice_equals_once(
    rows: list[dict[str, str]], dates: DateRules, serial: SerialForm | None, *, repairs: bool
) -> None:
    """What the rules made is changed no further, each change is told in a chain, and nothing else differs."""
    rules = rules_with(dates=dates, serial=serial, repairs=repairs)

    first = apply_rules([values_of(row) for row in rows], rules)
    second = apply_rules([each.values for each in first], rules)

    assert [each.values for each in second] == [each.values for each in first]
    assert [
        found for each in second for found in each.findings if found.code in REPAIRS and " -> " in found.message
    ] == []
    for row, prepared in zip(rows, first, strict=True):
        for name, text in zip(COLUMNS.names, prepared.values.texts, strict=True):
            told = [each for each in prepared.findings if each.column == name and each.code in REPAIRS]
            assert bool(told) is (text != row.get(name, ""))


@given(serial=ANY_TEXT)
def test_a_declared_decimal_serial_number_is_read_once_only(serial: str) -> None:
    """With `serial: decimal` the result is hexadecimal; read as such it does not change again."""
    row = values_of({"certificateSerialNumber": serial})

    (decimal,) = apply_rules([row], rules_with(serial=SerialForm.DECIMAL))
    (again,) = apply_rules([decimal.values], rules_with(serial=SerialForm.HEX))

    is_octets = any(each.code is Code.SERIAL_NUMBER_FORM for each in decimal.findings)
    assert again.values == decimal.values or not is_octets


@pytest.mark.parametrize("text", ADVERSARIAL[::11], ids=lambda text: ascii(text[:3]))
def test_the_longest_cells_come_back(text: str) -> None:
    """A row that holds the same long text everywhere is read, with repairs and without."""
    row = values_of(dict.fromkeys(COLUMNS.names[:-1], text))

    for repairs in (True, False):
        (prepared,) = apply_rules([row], rules_with({"deviceDisplayName": {"x": "y"}}, repairs=repairs))
        assert len(prepared.values.texts) == len(COLUMNS.names)
