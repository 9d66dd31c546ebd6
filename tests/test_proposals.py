"""What the columns of foreign files are proposed to be, and what is never proposed as certain."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.editions import DEVICE_PLATFORM_1706, EDITION_1706, EDITION_CURRENT, EDITIONS, KEY_USAGES, Edition
from pipeline.proposals import (
    SYNONYMS,
    ColumnProposal,
    Match,
    count_known,
    fold_words,
    looks_like_dates,
    propose_columns,
    propose_values,
)

SHA1 = "AF C6 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F 10 11 12"


def proposed(header: str, *cells: str, edition: Edition = EDITION_1706) -> ColumnProposal:
    """Return the proposal for the only column of a file."""
    (proposal,) = propose_columns((header,), (cells,), edition, {})
    return proposal


@pytest.mark.parametrize(
    ("header", "cell", "name"),
    [
        ("OS", "iPhone", "devicePlatform"),
        ("Operating_System", "Windows 11", "devicePlatform"),
        ("HOST NAME", "PC-0001", "deviceDisplayName"),
        ("S/N", "4a:00:01", "certificateSerialNumber"),
        ("Serial no.", "167 (0xa7)", "certificateSerialNumber"),
        ("SHA-1", SHA1, "certificateThumbprint"),
        ("Finger\u200bprint", SHA1.replace(" ", ":"), "certificateThumbprint"),
        ("Valid To", "23.11.2026 08:49", "certificateExpirationDateTime"),
        ("Not After", "Nov 23 08:49:13 2026 GMT", "certificateExpirationDateTime"),
        ("expires", "/Date(1826786953000)/", "certificateExpirationDateTime"),
        ("Expiry", "46349", "certificateExpirationDateTime"),
        ("CA", "CN=Contoso Issuing CA", "certificateIssuer"),
        ("Key-Size", "0x800 (2048)", "certificateKeyLength"),
        ("EKU", "1.3.6.1.5.5.7.3.2", "enhancedKeyUsage"),
        ("UPN", "erika@contoso.com", "userDisplayName"),
        ("NDES URL", "https://ndes.contoso.com/", "serverUrl"),
        ("Certificate_Thumbprint", "", "certificateThumbprint"),
        ("PEM", "-----BEGIN CERTIFICATE-----", "certificate"),
    ],
)
def test_common_words_mean_a_property(header: str, cell: str, name: str) -> None:
    """Letter case, blanks, signs and invisible marks of a header make no difference to what it means."""
    assert proposed(header, *([cell] if cell else [])) == ColumnProposal(0, header, name, Match.SYNONYM)


@pytest.mark.parametrize("header", ["Email consent", "Notes", "SHA-256", "Subject", "Version", "\U0001f4bb", "", " "])
def test_what_means_nothing_is_not_proposed(header: str) -> None:
    """A foreign header is no property, though a part of it may be alike."""
    assert proposed(header) == ColumnProposal(0, header, "", Match.NONE)


def test_a_header_that_is_only_alike_stays_doubtful() -> None:
    """A match by likeness has its score and is never applied, however high it is and whatever the cells hold."""
    proposal = proposed("Thumprint", SHA1)

    assert proposal == ColumnProposal(
        0, "Thumprint", "certificateThumbprint", Match.DOUBTFUL, score=95, reason="the header is only alike"
    )
    assert not proposal.is_applied


@pytest.mark.parametrize(
    ("header", "cells", "reason"),
    [
        ("Serial Number", ("C02XK0AAJG5H",), "no cell that was looked at is a serial number in digits"),
        ("Thumbprint", ("AF C6",), "no cell that was looked at has 40 hexadecimal digits"),
        ("Fingerprint", ("a" * 64,), "its cells are SHA-256 hashes; Windows and Intune call the SHA-1 hash thumbprint"),
        ("Expires", ("in 3 weeks", "never"), "no cell that was looked at looks like a date"),
        ("OS", ("Latitude 7420",), "no cell that was looked at names a platform"),
        ("Server", ("srv01",), "no cell that was looked at is an address such as https://..."),
        ("Key Size", ("RSA",), "no cell that was looked at is a key length in bits"),
        ("Profile ID", ("Corp SCEP",), "no cell that was looked at is a GUID"),
        ("PEM", ("yes",), "no cell that was looked at holds a certificate"),
    ],
)
def test_cells_that_contradict_a_word_make_it_doubtful(header: str, cells: tuple[str, ...], reason: str) -> None:
    """A word is not believed when none of the cells can be what it says, such as a device's serial number."""
    proposal = proposed(header, *cells)

    assert (proposal.match, proposal.reason, proposal.is_applied) == (Match.DOUBTFUL, reason, False)


def test_one_fitting_cell_is_enough() -> None:
    """Single wrong cells are for validation to tell."""
    assert proposed("Thumbprint", "n/a", SHA1).match is Match.SYNONYM


def test_a_property_of_the_other_edition_is_not_taken_for_one_that_is_alike() -> None:
    """`Valid from` is no property of 1706, and certainly not its expiration."""
    assert proposed("Valid from", "2026-11-23") == ColumnProposal(
        0, "Valid from", "", Match.NONE, reason="edition 1706 has no certificateIssuanceDateTime"
    )
    assert proposed("Valid from", "2026-11-23", edition=EDITION_CURRENT).name == "certificateIssuanceDateTime"


def test_of_two_columns_for_one_property_the_likelier_is_applied() -> None:
    """The other one is kept as doubtful: two columns for one property would be an error."""
    header = ("Serial", "Certificate serial", "UPN", "User name")

    proposals = propose_columns(header, (("4A",), ("4B",), ("a@contoso.com",), ("Erika",)), EDITION_1706, {})

    assert proposals == (
        ColumnProposal(
            0,
            "Serial",
            "certificateSerialNumber",
            Match.DOUBTFUL,
            reason="the column Certificate serial stands for it already",
        ),
        ColumnProposal(1, "Certificate serial", "certificateSerialNumber", Match.SYNONYM),
        ColumnProposal(
            2, "UPN", "userDisplayName", Match.DOUBTFUL, reason="the column User name stands for it already"
        ),
        ColumnProposal(3, "User name", "userDisplayName", Match.SYNONYM),
    )


def test_a_column_with_cells_comes_before_an_empty_one() -> None:
    """A column that nobody has filled is not preferred for its header."""
    proposals = propose_columns(("Thumbprint", "SHA1"), ((), (SHA1,)), EDITION_1706, {})

    assert [each.match for each in proposals] == [Match.DOUBTFUL, Match.SYNONYM]


def test_what_is_declared_comes_first() -> None:
    """A property's own name and an alias are exact; a word for the same property is doubtful then."""
    proposals = propose_columns(
        ("SHA1", "Abdruck", "serverUrl"), ((SHA1,), (SHA1,), ()), EDITION_1706, {"certificateThumbprint": ["abdruck"]}
    )

    assert [(each.name, each.match) for each in proposals] == [
        ("certificateThumbprint", Match.DOUBTFUL),
        ("certificateThumbprint", Match.EXACT),
        ("serverUrl", Match.EXACT),
    ]


def test_two_exact_columns_are_told() -> None:
    """Validation will refuse such a file, so the second one is named here."""
    _, second = propose_columns(("serverUrl", "ServerURL"), ((), ()), EDITION_1706, {})

    assert second.reason == "the column serverUrl stands for it too, and two columns for one property are an error"


def test_what_a_template_makes_has_no_column() -> None:
    """A column for a property of `templates:` would be an error, so none is proposed."""
    (proposal,) = propose_columns(("Issuer",), (("CN=x",),), EDITION_1706, {}, made={"certificateIssuer"})

    assert proposal == ColumnProposal(0, "Issuer", "", Match.NONE, reason="templates: makes certificateIssuer")


def test_headers_that_a_preset_ignores_are_left_alone() -> None:
    """What is known to be something else is not looked at for a word."""
    (proposal,) = propose_columns(("User Principal Name",), ((),), EDITION_1706, {}, ignored={"userprincipalname"})

    assert proposal == ColumnProposal(0, "User Principal Name", "", Match.NONE)


@pytest.mark.parametrize("edition", EDITIONS.values(), ids=EDITIONS)
def test_the_editions_own_names_are_exact(edition: Edition) -> None:
    """A file in our own format needs no proposal."""
    header = tuple(each.name for each in edition.properties)

    proposals = propose_columns(header, [()] * len(header), edition, {})

    assert [(each.name, each.match) for each in proposals] == [(name, Match.EXACT) for name in header]


@pytest.mark.parametrize("edition", EDITIONS.values(), ids=EDITIONS)
def test_no_word_means_two_properties(edition: Edition) -> None:
    """The table of words is unambiguous, and no word of it is an edition's name for something else."""
    meanings: dict[str, set[str]] = {}
    for name, words in SYNONYMS.items():
        for word in words:
            meanings.setdefault(fold_words(word), set()).add(name)
    for each in edition.properties:
        meanings.setdefault(fold_words(each.name), set()).add(
            "enhancedKeyUsage" if each.name == "certificateEnhancedKeyUsage" else each.name
        )

    assert {word: names for word, names in meanings.items() if len(names) > 1} == {}


def test_a_header_is_told_from_a_title() -> None:
    """Words that mean something and declared headers count, other texts and empty cells do not."""
    cells = ("Device Name", "S/N", "", "Inventory of PCs", "Abdruck")

    assert count_known(cells, EDITION_1706, ["ABDRUCK"]) == 3


def test_words_that_are_no_member_are_proposed_for_values() -> None:
    """Members in any letter case and lists of them need no value map; each other word is named once."""
    assert propose_values(["iOS", "IOS", "Windows", " windows ", "Tablet"], DEVICE_PLATFORM_1706) == (
        "windows",
        "Tablet",
    )
    assert propose_values(["digitalSignature, KEYENCIPHERMENT", "signing"], KEY_USAGES) == ("signing",)
    assert propose_values(["iOS,macOS"], DEVICE_PLATFORM_1706) == ("iOS,macOS",)


@pytest.mark.parametrize(
    ("header", "cells", "name", "what"),
    [
        ("Abdruck", (SHA1, SHA1.replace(" ", "")), "certificateThumbprint", "each cell has 40 hexadecimal digits"),
        ("Schluessel", ("0x800 (2048)",), "certificateKeyLength", "each cell is a usual key length"),
        ("Taille", ("2048", "4096"), "certificateKeyLength", "each cell is a usual key length"),
        ("Ablauf", ("01.02.2027 10:00", "31.12.2026"), "certificateExpirationDateTime", "they are dates in the future"),
        ("Systeme", ("Windows 11", "iPadOS 17.1", "macOS"), "devicePlatform", "each cell names a platform"),
    ],
)
def test_cells_of_an_unmistakable_shape_are_told(header: str, cells: tuple[str, ...], name: str, what: str) -> None:
    """A header in another language is looked at by its cells, and what they say stays doubtful."""
    (proposal,) = propose_columns((header,), (cells,), EDITION_1706, {}, this_year=2026)

    assert proposal == ColumnProposal(0, header, name, Match.DOUBTFUL, reason=f"only by its cells: {what}")


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        ("Abdruck", (SHA1, "none")),
        ("Abdruck", ("a" * 64,)),
        ("Nummer", ("2048", "2049")),
        ("Gekauft", ("01.02.2025", "01.02.2027")),
        ("Gekauft", ("01.02.2026",)),
        ("Adresse", ("10.1.2.3", "10.1.2.4")),
        ("Raum", ("Window seat", "Macon")),
        ("Leer", ()),
    ],
)
def test_cells_that_may_be_anything_are_left_alone(header: str, cells: tuple[str, ...]) -> None:
    """One cell of another shape, or dates that lie in the past, are enough to say nothing."""
    (proposal,) = propose_columns((header,), (cells,), EDITION_1706, {}, this_year=2026)

    assert proposal == ColumnProposal(0, header, "", Match.NONE)


def test_cells_say_nothing_of_a_property_that_has_its_column() -> None:
    """A key identifier has 40 digits too, and a header that a preset ignores is known to be something else."""
    proposals = propose_columns(
        ("SHA1", "Kennung", "Typ"), ((SHA1,), (SHA1,), ("iOS",)), EDITION_1706, {}, ignored={"typ"}, this_year=2026
    )

    assert [each.match for each in proposals] == [Match.SYNONYM, Match.NONE, Match.NONE]


@pytest.mark.parametrize(
    "text",
    [
        "23.11.2026",
        "2026-11-23T08:49",
        "5/3/2026 5:29 PM",
        "1/2/26",
        "Nov 23 08:49:13 2026 GMT",
        "23-Nov-2026",
        "Mo 23.11.2026",
    ],
)
def test_dates_are_known_without_a_header(text: str) -> None:
    """The usual spellings are dates whatever the column is called."""
    assert looks_like_dates([text])


@pytest.mark.parametrize("text", ["10.1.2.3", "17.1.2", "10.0.19041", "20261123", "46349", "May", SHA1, "PC 2026"])
def test_numbers_and_versions_are_no_dates(text: str) -> None:
    """What can be an address, a version, a number or a name is not taken for a date."""
    assert not looks_like_dates(["23.11.2026", text])


@given(st.lists(st.tuples(st.text(), st.lists(st.text(), max_size=3)), max_size=8))
def test_no_property_gets_two_columns(columns: list[tuple[str, list[str]]]) -> None:
    """Whatever the headers and cells hold, each column has one proposal and no property two that are applied."""
    header = [text for text, _ in columns]

    proposals = propose_columns(header, [cells for _, cells in columns], EDITION_1706, {})

    applied = [each.name for each in proposals if each.is_applied]
    assert [each.header for each in proposals] == header
    assert len(applied) == len(set(applied))
