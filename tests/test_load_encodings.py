"""Encodings: marks and UTF-8 are certain, everything else is found by comparing and told."""

import codecs
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import SourceError
from pipeline.findings import Code, Finding, finding, shorten
from pipeline.load import LoadOptions, Table, open_tables
from pipeline.load.text_files.detection import BLOCK_BYTES, SAMPLE_BYTES

Write = Callable[[bytes], Path]

GERMAN = ["Jürgen Müller", "Björn Weiß", "Käthe Öttinger", "Süd-Büro Köln", "Gerät für Größe Ü", "Übung „neu“"]
TWENTY = [
    *("Jürgen Müller", "Björn Weiß", "Käthe Öttinger", "Günter Schäfer", "Jörg Böhm", "Sören Groß", "Änne Vögel"),
    *("Lübke Süß", "Hölzl Bär", "Möller Grün", "Kühn Löw", "Röder Fuß", "Törö Nägel", "Dörte Jäger", "Rüdiger Höß"),
    *("Götz Mühl", "Ömer Kläs", "Ürsel Wölk", "Bärbel Dürr", "Knösel Hüt"),
]
SHORT_RUSSIAN = ["Её раз рог", "Яна Рёва", "сын реки", "ТА СА", "ЕЛЕНА"]  # noqa: RUF001  Cyrillic
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


@pytest.mark.parametrize("name", ["Müller", "5 Geräte", "Ångström", "Straße"])
def test_one_western_word_is_read_as_cp1252(write: Write, name: str) -> None:
    """A single accented letter is thin evidence: cp1252 is by far the most frequent, and half sure at most."""
    table = table_of(write(inventory([name], "cp1252")))

    assert (table.encoding, cells_of(table)) == ("cp1252", [("PC-0", name, "0123ABCDEF")])
    assert int(table.findings[0].message.split("which is ")[1].split(" %")[0]) <= 50


def told(message: str, hint: str = "") -> tuple[Finding, ...]:
    return (finding(Code.DETECTED_ENCODING, message, hint=hint),)


@pytest.mark.parametrize(
    ("names", "codec", "message"),
    [
        (
            ["Miller", "Müller"],
            "cp1252",
            'read as cp1252, which is 50 % sure, with only one word outside ASCII to judge by; row 3 reads "Müller"',
        ),
        (
            RUSSIAN[:2],
            "cp1251",
            ('read as cp1251, which is 80 % sure, with 4 words outside ASCII to judge by; row 2 reads "Иван Петров"'),
        ),
        (
            ["Müller", "Jürgen"],
            "utf-16-le",
            'read as utf-16-le, which is 99 % sure, because every other byte is a NUL; row 2 reads "Müller"',
        ),
    ],
)
def test_the_finding_says_how_sure_and_why_and_shows_an_example(
    write: Write, names: list[str], codec: str, message: str
) -> None:
    """The finding names the encoding, how sure it is with the reason, and once a cell to look at with its row."""
    assert table_of(write(inventory(names, codec))).findings == told(message)


@pytest.mark.parametrize(
    ("name", "codec", "reason"),
    [
        (
            "Иван Петров",
            "cp1251",
            "cp1251 is 33 % sure, with 2 words outside ASCII to judge by, and cp1253 or iso8859-7",
        ),
        ("Zoë", "cp1252", "cp1252 is 25 % sure, with only one word outside ASCII to judge by, and cp1257"),
    ],
)
def test_an_encoding_that_is_not_certain_enough_is_not_used(write: Write, name: str, codec: str, reason: str) -> None:
    """Where several encodings read different words, the runners-up are named, and `--encoding` settles it."""
    path = write(inventory([name], codec))

    with pytest.raises(SourceError) as caught:
        table_of(path)

    assert str(caught.value) == (
        f"{path} is not in UTF-8, and its encoding is not certain enough: {reason} would read other letters; "
        f'row 2 would read "{name}": name the encoding, such as --encoding {codec}, '
        "or export the file again as CSV UTF-8."
    )
    assert [cells[1] for cells in cells_of(table_of(path, LoadOptions(encoding=codec)))] == [name]


@pytest.mark.parametrize("given", [None, "cp1252", "latin-1"])
@pytest.mark.parametrize("count", [1, 2, 4, 6, 8])
def test_two_encodings_in_one_file_are_refused(write: Write, count: int, given: str | None) -> None:
    """Rows in UTF-8 below rows in another encoding are not sent as `JÃ¼rgen`; a row of each kind is named."""
    western, utf_8 = (inventory(TWENTY, codec).splitlines(keepends=True) for codec in ("cp1252", "utf-8"))
    path = write(b"".join([*western[: 21 - count], *utf_8[21 - count :]]))

    with pytest.raises(SourceError) as caught:
        table_of(path, LoadOptions(encoding=given))

    first, last = str(caught.value).split(" in another, such as ")
    row_number = int(first.partition("two encodings, row ")[2].partition(" ")[0])
    assert first.startswith(f"{path} is in two encodings, row {row_number} (")
    assert first.endswith(') in UTF-8 and row 2 ("Jürgen")')
    assert 22 - count <= row_number <= 21
    assert last.endswith(
        ", so one of them would be sent with wrong letters: export both parts again as CSV UTF-8 from where they came."
    )


@pytest.mark.parametrize(
    ("names", "codec"),
    [
        ([*SHORT_RUSSIAN, *RUSSIAN], "cp1251"),
        ([*SHORT_RUSSIAN, *RUSSIAN], "cp866"),
        ([*SHORT_RUSSIAN, *RUSSIAN], "iso8859-5"),
        ([*SHORT_RUSSIAN, *RUSSIAN], "koi8-r"),
        ([*CHINESE, "小 明", "马 小 云", "欧 阳"], "gb18030"),
        ([*TAIWANESE, "陳 大 文"], "big5"),
        ([*JAPANESE, "山 田", "林"], "shift_jis"),
        ([*JAPANESE, "山 田", "林"], "euc_jp"),
        ([*KOREAN, "김 철 수"], "euc-kr"),
    ],
)
def test_letters_that_are_utf_8_by_chance_are_one_encoding(write: Write, names: list[str], codec: str) -> None:
    """Short words of other scripts may be valid UTF-8; that is no second encoding."""
    assert [cells[1] for cells in cells_of(table_of(write(inventory(names, codec))))] == names


def test_nuls_on_both_sides_are_not_utf_16(write: Write) -> None:
    """One character in twenty with a NUL as its low byte may stand in UTF-16; half of them are binary data."""
    assert table_of(write(("a,b\r\n" + "0123ABCDEF,一\r\n" * 9).encode("utf-16-le"))).encoding == "utf-16-le"

    with pytest.raises(SourceError, match="row 1 holds a NUL"):
        table_of(write("a,一一一\n".encode("utf-16-le")))


@pytest.mark.parametrize(("given", "other"), [("cp1252", "cp850"), ("utf-8", "cp1252")])
def test_a_refused_encoding_is_answered_with_another_one(write: Write, given: str, other: str) -> None:
    """Nobody is told to name the encoding that has just been refused."""
    path = write(b"a,b\n1,x\x81\x8d\x8f\x90\x9d\xff\xfe\x80z\n")

    with pytest.raises(SourceError) as caught:
        table_of(path, LoadOptions(encoding=given))

    assert str(caught.value) == (
        f"{path} row 2 is not in the encoding {given}, at byte offset 7 (0x81): "
        f"save the file as CSV UTF-8, or name its encoding, such as --encoding {other}."
    )


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("names", [["Miller"], GERMAN, CHINESE, ["😀"]], ids=["ASCII", "German", "Chinese", "emoji"])
def test_utf_16_without_its_mark_is_found(write: Write, names: list[str], codec: str) -> None:
    """NULs in every other place are UTF-16 and no damage; the finding says that there was no mark."""
    table = table_of(write(inventory(names, codec)))

    assert [cells[1] for cells in cells_of(table)] == names
    assert table.encoding == codec
    assert [each.message.split(", with")[0].split(", because")[0] for each in table.findings] == [
        f"read as {codec}, which is 99 % sure"
    ]


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


@pytest.mark.parametrize(
    ("names", "codec", "given", "encoding"),
    [
        (GERMAN, "cp1252", "cp1252", "cp1252"),
        (GERMAN, "cp1252", "windows-1252", "cp1252"),
        (GERMAN[:5], "cp1252", "latin-1", "iso8859-1"),
        (GERMAN[:1], "cp1252", "cp1254", "cp1254"),
        (["Šárka"], "cp1252", "cp1252", "cp1252"),
        (["Dürñ", "½ µm"], "cp1252", "cp1252", "cp1252"),
        (GERMAN[:5], "cp850", "cp858", "cp858"),
        (POLISH, "cp1250", "cp1250", "cp1250"),
        (POLISH, "cp852", "cp852", "cp852"),
        (RUSSIAN[:1], "koi8-r", "koi8-r", "koi8-r"),
        (RUSSIAN[:1], "cp1251", "cp1251", "cp1251"),
        (["สมชาย ใจดี"], "cp874", "cp874", "cp874"),
        (JAPANESE, "shift_jis", "shift_jis", "shift_jis"),
        (["直"], "gb18030", "gb18030", "gb18030"),
        (GERMAN, "utf-8", "utf-8", "utf-8"),
        (GERMAN, "utf-16-le", "utf-16", "utf-16-le"),
        (["Miller"], "ascii", "cp1252", "cp1252"),
    ],
)
def test_a_given_encoding_settles_it(write: Write, names: list[str], codec: str, given: str, encoding: str) -> None:
    """What `--encoding` names is read without a word where nothing speaks plainly for another encoding."""
    table = table_of(write(inventory(names, codec)), LoadOptions(encoding=given))

    assert (table.encoding, table.findings) == (encoding, ())
    assert [cells[1] for cells in cells_of(table)] == names


@pytest.mark.parametrize(
    ("name", "codec", "given", "read", "better"),
    [
        ("Łukasz Żółć", "cp1250", "cp1252", "£ukasz ¯ó³æ", "cp1250"),
        ("Müller", "cp1252", "cp1251", "Mьller", "cp1252"),
        ("„Müller“", "cp1252", "latin-1", "\x84Müller\x93", "cp1252"),
        ("Иван Петров", "cp1251", "cp1252", "Èâàí Ïåòðîâ", "cp1251"),
    ],
)
def test_a_given_encoding_that_fits_badly_is_told(  # noqa: PLR0917  one argument per column of the table above
    write: Write, name: str, codec: str, given: str, read: str, better: str
) -> None:
    """The file is read as `--encoding` says, and a warning shows what the encoding that fits would read."""
    table = table_of(write(inventory([name], codec)), LoadOptions(encoding=given))

    assert cells_of(table)[0][1] == read
    assert table.findings == told(
        f"read as {table.encoding}, as --encoding says, but the letters fit {better} better; "
        f'row 2 reads "{shorten(read)}" and would read "{name}"',
        f"if the second is right, leave `--encoding` out or name `--encoding {better}`; if the first is, nothing to do",
    )


@pytest.mark.parametrize(
    ("given", "wrong"),
    [("cp1252", "JÃ¼rgen"), ("latin-1", "JÃ¼rgen"), ("cp850", "J├╝rgen"), ("gb18030", "J眉rgen")],
)
def test_text_in_utf_8_is_read_as_nothing_else(write: Write, given: str, wrong: str) -> None:
    """`--encoding` with another encoding would change every letter of a file in UTF-8, so it is refused."""
    path = write(inventory(GERMAN, "utf-8"))

    with pytest.raises(SourceError) as caught:
        table_of(path, LoadOptions(encoding=given))

    assert str(caught.value) == (
        f'{path} is in UTF-8, so the encoding "{given}" would change its letters, '
        f'such as "Jürgen" to "{wrong}": leave --encoding out.'
    )


def test_utf_16_is_not_read_as_cp1252(write: Write) -> None:
    """The NULs of UTF-16 are no text in a single-byte encoding."""
    path = write(inventory(GERMAN, "utf-16-le"))

    with pytest.raises(SourceError, match=r"row 1 holds a NUL at byte offset 1, .* or try --encoding utf-16"):
        table_of(path, LoadOptions(encoding="cp1252"))


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8], ids=["without a mark", "with its mark"])
@pytest.mark.parametrize(
    ("rows", "count", "cells"),
    [
        (b"PC-9,Andr\xe9,00\r\n", "the only such byte", "that cell"),
        (b"PC-9,Andr\xe9,00\r\nPC-10,Zo\xeb,01\r\n", "the first of 2 such bytes", "these cells"),
    ],
)
def test_damaged_utf_8_is_to_be_mended(write: Write, mark: bytes, rows: bytes, count: str, cells: str) -> None:
    """A foreign byte among letters in UTF-8 is refused with its place, and nobody is told to name an encoding."""
    content = mark + inventory(GERMAN, "utf-8") + rows
    path = write(content)

    with pytest.raises(SourceError) as caught:
        table_of(path)

    letters = sum(not character.isascii() for name in GERMAN for character in name)
    assert str(caught.value) == (
        f"{path} row 8 is not in the encoding utf-8, at byte offset {content.index(0xE9):,} (0xE9), {count}, "
        f"while all other letters outside ASCII ({letters}) are, and would change in another encoding: "
        f"write {cells} anew, or export the file again as CSV UTF-8."
    )


@pytest.mark.parametrize(("given", "end"), [("cp1252", ", and leave --encoding cp1252 out."), ("UTF8", ".")])
def test_damaged_utf_8_is_read_as_nothing_else(write: Write, given: str, end: str) -> None:
    """Naming another encoding does not get damaged UTF-8 in either, because it would change the good letters."""
    path = write(inventory(GERMAN, "utf-8") + b"PC-9,Andr\xe9,00\r\n")

    with pytest.raises(SourceError) as caught:
        table_of(path, LoadOptions(encoding=given))

    assert str(caught.value).endswith(f"export the file again as CSV UTF-8{end}")


def test_a_foreign_byte_behind_a_mark_needs_another_export(write: Write) -> None:
    """The mark says UTF-8 and the only letter is none: no encoding can be named against the mark."""
    path = write(codecs.BOM_UTF8 + b"a,b\n1,M\xfcller\n")

    with pytest.raises(SourceError) as caught:
        table_of(path)

    assert str(caught.value) == (
        f"{path} row 2 is not in the encoding utf-8, at byte offset 10 (0xFC), "
        "which the file's byte order mark says it is: export the file again as CSV UTF-8."
    )


def test_an_encoding_that_cannot_be_is_answered_with_the_one_that_fits(write: Write) -> None:
    """Who names UTF-8 for a file in cp1252 is told what to do instead."""
    path = write(b"a,b\n1,M\xfcller\n")

    with pytest.raises(SourceError) as caught:
        table_of(path, LoadOptions(encoding="utf-8"))

    assert str(caught.value) == (
        f"{path} row 2 is not in the encoding utf-8, at byte offset 7 (0xFC), and its letters fit cp1252: "
        "leave --encoding out, or name cp1252."
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
    assert table.findings[0].message.endswith(' reads "Müller"')


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
        said = ("is not in the encoding", "is in two encodings", "is not certain enough")
        assert any(each in str(exc) for each in said)  # noqa: PT017  a refusal is one of the three good ends
        return

    if not any(each.code is Code.DETECTED_ENCODING for each in table.findings):
        assert [cells[1] for cells in cells_of(table)] == kept
