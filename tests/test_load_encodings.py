"""Encodings: marks and UTF-8 are certain, everything else is found by comparing and told."""

import codecs
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import SourceError
from pipeline.findings import Code, Finding, finding
from pipeline.load import LoadOptions, Table, open_tables
from pipeline.load.text_files.encodings import BLOCK_BYTES, SAMPLE_BYTES

Write = Callable[[bytes], Path]

GERMAN = ["Jürgen Müller", "Björn Weiß", "Käthe Öttinger", "Süd-Büro Köln", "Gerät für Größe Ü", "Übung „neu“"]
FRENCH = ["Hélène Lefèvre", "François Noël", "Déjà vu", "Benoît Gérard", "cœur d\u2019équipe", "Zoë Çelik"]
POLISH = ["Łukasz Święty", "Małgorzata Wiśniewska", "Gdańsk", "Zażółć gęślą jaźń", "Grażyna Kępińska"]
CZECH = ["Jiří Dvořák", "Kateřina Křížová", "Zdeněk Kučera", "Lukáš Pokorný", "Růžena Němcová"]
RUSSIAN = ["Иван Петров", "Мария Смирнова", "Москва", "сертификат устройства", "ноутбук Юлии Шевцовой"]
GREEK = ["Γιώργος Παπαδόπουλος", "Μαρία Νικολάου", "Αθήνα", "πιστοποιητικό συσκευής"]
TURKISH = ["Ayşe Y\u0131lmaz", "Şükrü Çağlar", "Gökhan Iş\u0131k", "Fatma Doğan", "İstanbul"]
JAPANESE = ["東京本社の端末証明書", "山田太郎", "鈴木一郎のノートパソコン"]
CHINESE = ["北京总部的设备证书", "张伟", "李娜的笔记本电脑"]
TAIWANESE = ["台北總部的設備憑證", "陳大文", "林小姐的筆記型電腦"]
KOREAN = ["서울 본사의 장치 인증서", "김철수", "이영희의 노트북"]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that writes bytes to a CSV file and returns its path."""

    def write_file(content: bytes) -> Path:
        path = tmp_path / "a.csv"
        path.write_bytes(content)
        return path

    return write_file


def table_of(path: Path, options: LoadOptions | None = None) -> Table:
    (table,) = open_tables(path, options or LoadOptions())
    return table


def cells_of(table: Table) -> list[tuple[str, ...]]:
    return [row.cells for chunk in table.chunks for row in chunk.rows]


def inventory(names: list[str], codec: str) -> bytes:
    rows = "".join(f"PC-{index},{name},0123ABCDEF\r\n" for index, name in enumerate(names))
    return f"device,user,thumbprint\r\n{rows}".encode(codec)


@pytest.mark.parametrize(
    ("names", "codec", "encoding"),
    [
        (GERMAN, "cp1252", "cp1252"),
        (GERMAN[:1], "cp1252", "cp1252"),
        (FRENCH, "cp1252", "cp1252"),
        (GERMAN[:5], "cp850", "cp850"),
        (GERMAN[:5], "mac-roman", "mac-roman"),
        (["cœur", "Œuvre", "sœur", "Hélène", "Noël"], "iso8859-15", "iso8859-15"),
        (POLISH, "cp1250", "cp1250"),
        (POLISH, "iso8859-2", "iso8859-2"),
        (CZECH, "cp1250", "cp1250"),
        (TURKISH, "cp1254", "cp1254"),
        (RUSSIAN, "cp1251", "cp1251"),
        (RUSSIAN, "koi8-r", "koi8-r"),
        (RUSSIAN, "cp866", "cp866"),
        (RUSSIAN, "iso8859-5", "iso8859-5"),
        (GREEK, "cp1253", "cp1253"),
        (JAPANESE, "shift_jis", "cp932"),
        (JAPANESE, "euc_jp", "euc_jp"),
        (CHINESE, "gb18030", "gb18030"),
        (TAIWANESE, "big5", "big5"),
        (KOREAN, "euc-kr", "cp949"),
    ],
)
def test_other_encodings_are_found_and_told(write: Write, names: list[str], codec: str, encoding: str) -> None:
    """A file in another encoding is read with the right letters, and a finding says that it was a guess."""
    table = table_of(write(inventory(names, codec)))

    assert (table.encoding, [each.code for each in table.findings]) == (encoding, [Code.DETECTED_ENCODING])
    assert [cells[1] for cells in cells_of(table)] == names


@pytest.mark.parametrize("name", ["Müller", "5 Geräte", "Señor", "Zoë", "Ångström", "Straße", "Ærø", "é"])
def test_one_western_word_is_read_as_cp1252(write: Write, name: str) -> None:
    """A single accented letter is thin evidence: cp1252 is by far the most frequent, and half sure at most."""
    table = table_of(write(inventory([name], "cp1252")))

    assert (table.encoding, cells_of(table)) == ("cp1252", [("PC-0", name, "0123ABCDEF")])
    assert int(table.findings[0].message.split("which is ")[1].split(" %")[0]) <= 50


def told(message: str, value: str) -> tuple[Finding, ...]:
    return (finding(Code.DETECTED_ENCODING, message, value=value),)


def test_the_finding_shows_an_example_and_the_rivals(write: Write) -> None:
    """The finding names the encoding, how sure it is, a cell to look at with its row, and who reads it otherwise."""
    path = write("device,user\r\nPC-1,Miller\r\nPC-2,Иван Петров\r\n".encode("cp1251"))

    assert table_of(path).findings == told(
        'read as cp1251, which is 33 % sure; row 3 reads "Иван Петров"; cp1253 or iso8859-7 would read other letters',
        "Иван Петров",
    )


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("names", [["Miller"], GERMAN, CHINESE, ["😀"]], ids=["ASCII", "German", "Chinese", "emoji"])
def test_utf_16_without_its_mark_is_found(write: Write, names: list[str], codec: str) -> None:
    """NULs in every other place are UTF-16 and no damage; the finding says that there was no mark."""
    table = table_of(write(inventory(names, codec)))

    assert [cells[1] for cells in cells_of(table)] == names
    assert table.encoding == codec
    assert [each.message.split(";")[0] for each in table.findings] == [f"read as {codec}, which is 99 % sure"]


@pytest.mark.parametrize(
    ("mark", "codec", "encoding"),
    [
        (b"", "ascii", "utf-8"),
        (b"", "utf-8", "utf-8"),
        (codecs.BOM_UTF8, "utf-8", "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le", "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be", "utf-16-be"),
    ],
)
def test_marks_and_utf_8_are_no_guess(write: Write, mark: bytes, codec: str, encoding: str) -> None:
    """What is certain is read without a word."""
    names = ["Miller"] if codec == "ascii" else [*GERMAN, *CHINESE]

    table = table_of(write(mark + inventory(names, codec)))

    assert (table.encoding, table.findings) == (encoding, ())
    assert [cells[1] for cells in cells_of(table)] == names


def test_a_given_encoding_is_no_guess(write: Write) -> None:
    """`--encoding` overrides detection, also where detection would say otherwise."""
    table = table_of(write(inventory(["Müller"], "cp1252")), LoadOptions(encoding="cp1251"))

    assert (table.encoding, table.findings, cells_of(table)[0][1]) == ("cp1251", (), "Mьller")


def test_damaged_utf_8_is_not_read_as_something_else(write: Write) -> None:
    """One foreign byte among letters in UTF-8 is refused with its place; as cp1252 all the others would change."""
    content = inventory(GERMAN, "utf-8") + b"PC-9,Andr\xe9,00\r\n"
    path = write(content)

    with pytest.raises(SourceError) as caught:
        table_of(path)

    assert str(caught.value) == (
        f"{path} row 8 is not in the encoding utf-8, at byte offset {content.index(0xE9):,} (0xE9): "
        "save the file as CSV UTF-8, or name its encoding, such as --encoding cp1252."
    )


def test_bytes_that_fit_no_encoding_are_refused(write: Write) -> None:
    """Noise is not made into letters: the sentence says where it begins and that an encoding can be named."""
    path = write(b"a,b\n1,x\x81\x8d\x8f\x90\x9d\xff\xfe\x80z\n")

    with pytest.raises(SourceError) as caught:
        table_of(path)

    assert str(caught.value) == (
        f"{path} row 2 is not in the encoding utf-8, at byte offset 7 (0x81): "
        "save the file as CSV UTF-8, or name its encoding, such as --encoding cp1252."
    )


def test_a_byte_that_cp1252_leaves_undefined_excludes_it(write: Write) -> None:
    """0x81 is no character of cp1252 but the ü of DOS."""
    table = table_of(write(b"a,b\n1,M\x81ller\n2,Gr\x81n\n"))

    assert (table.encoding, cells_of(table)) == ("cp850", [("1", "Müller"), ("2", "Grün")])


@pytest.mark.parametrize("filler", [b"1,2\n", b"1," + b"A" * 300_000 + b"\n"], ids=["short lines", "long cells"])
def test_a_foreign_letter_late_in_a_large_file_is_found(write: Write, filler: bytes) -> None:
    """The first byte outside ASCII may come megabytes after the beginning, also across two blocks."""
    plain = filler * (3 * SAMPLE_BYTES // len(filler))
    padding = b"#" * ((-len(plain) - 4 - 4) % BLOCK_BYTES)  # the ü is the first byte of a block

    table = table_of(write(b"a,b\n" + plain + padding + b",,M\xfcller\n"))

    assert table.encoding == "cp1252"
    assert table.findings[0].value == "Müller"


def test_the_row_of_a_late_foreign_byte_counts_as_the_file_is_read(write: Write) -> None:
    """The row number in a refusal is the spreadsheet's, below a `sep=` line, line breaks in cells and broken rows."""
    path = write(b'sep=;\na;b\n"x\ny";2\n3;"4\n5;\xc3\xbc\n6;\xff\n')

    with pytest.raises(SourceError, match="row 5 is not in the encoding utf-8, at byte offset 30"):
        table_of(path)


words = st.sampled_from([*GERMAN, *FRENCH, *POLISH, *CZECH, *RUSSIAN, *GREEK, *TURKISH, *JAPANESE, *CHINESE, *KOREAN])
letters = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x4FF, exclude_categories=["Cc", "Cs"]), max_size=12)
codecs_in_use = st.sampled_from(
    [
        "utf-8",
        "utf-8-sig",
        "utf-16",
        "utf-16-le",
        "utf-16-be",
        "cp1250",
        "cp1251",
        "cp1252",
        "cp1253",
        "cp1254",
        "cp437",
        "cp850",
        "cp866",
        "koi8-r",
        "iso8859-2",
        "iso8859-15",
        "mac-roman",
        "shift_jis",
        "gb18030",
        "big5",
        "euc-kr",
    ],
)


@given(names=st.lists(words | letters, min_size=1, max_size=12), codec=codecs_in_use)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_is_changed_in_silence(tmp_path: Path, names: list[str], codec: str) -> None:
    """A text in any encoding comes back as it was, or it is refused, or a finding says that the encoding is a guess."""
    kept = [name.replace('"', "").replace(",", "").strip() for name in names]
    kept = [name for name in kept if name and name.encode(codec, "replace").decode(codec) == name]
    path = tmp_path / "any.csv"
    path.write_bytes(inventory(kept, codec))
    try:
        table = table_of(path)
    except SourceError as exc:
        assert "is not in the encoding" in str(exc)  # noqa: PT017  a refusal is one of the three good ends
        return

    if not any(each.code is Code.DETECTED_ENCODING for each in table.findings):
        assert [cells[1] for cells in cells_of(table)] == kept
