"""Certificate files become tables: a row for each certificate, and nothing of a private key."""

from base64 import b64decode, b64encode
from pathlib import Path

import pytest
from certificate_cases import authority, built, der_of, device, key, pem_of
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs7

from pipeline.certificates import read_certificate_text
from pipeline.editions import EDITIONS
from pipeline.errors import SourceError
from pipeline.findings import Code, Severity
from pipeline.identity import fold_header
from pipeline.load.certificate_files import CERTIFICATE_FILE_HEADER, MOST_BYTES, open_certificates
from pipeline.load.table import LoadOptions, Table, chunk_of
from pipeline.model import Row

DEFAULTS = LoadOptions()
DEVICE, OTHER = device(), built(subject="CN=PC-0043")
KEY_PEM = key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

DEVICE_CELLS = (
    b64encode(der_of(DEVICE)).decode(),
    "PC-0042",
    "CN=PC-0042,O=Contoso",
    "PC-0042",
    "CN=Contoso Issuing CA 01,DC=contoso,DC=com",
    "2026-11-23T08:49:13Z",
    "2027-11-23T08:49:13Z",
    "pc-0042.contoso.com",
    "ada@contoso.com",
)


def table_of(path: Path, content: str | bytes, options: LoadOptions = DEFAULTS) -> Table:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return open_certificates(path, options)


def subjects_of(table: Table) -> list[tuple[int, str]]:
    return [(row.row_number, row.cells[3]) for chunk in table.chunks for row in chunk.rows]


def told_by(table: Table) -> list[tuple[Code, Severity, str, str]]:
    return [(each.code, each.severity, each.message, each.value) for each in table.findings]


def test_a_certificate_becomes_a_row(tmp_path: Path) -> None:
    """The first cell holds the certificate itself, the others what templates may want of it."""
    path = tmp_path / "PC-0042.cer"
    table = table_of(path, der_of(DEVICE))

    assert list(table.chunks) == [chunk_of([Row(1, DEVICE_CELLS)])]
    assert table == Table(path, None, CERTIFICATE_FILE_HEADER, 0, "", "", 1, table.chunks)
    assert read_certificate_text(DEVICE_CELLS[0]).der == der_of(DEVICE)


def test_no_column_is_taken_for_a_property() -> None:
    """The values come from the certificate; no other column may fill a property by its name."""
    properties = {fold_header(each.name) for edition in EDITIONS.values() for each in edition.properties}

    assert properties & {fold_header(cell) for cell in CERTIFICATE_FILE_HEADER} == set()


def test_rows_are_numbered_by_their_place_and_come_in_chunks(tmp_path: Path) -> None:
    """The third certificate of the file is row 3; a certificate that stands twice is two rows."""
    table = table_of(tmp_path / "a.pem", pem_of(DEVICE) + pem_of(OTHER) + pem_of(DEVICE), LoadOptions(chunk_rows=2))
    chunks = list(table.chunks)

    assert [[row.row_number for row in chunk.rows] for chunk in chunks] == [[1, 2], [3]]
    assert table.rows_estimate == 3


def test_authorities_beside_devices_are_left_out_and_told(tmp_path: Path) -> None:
    """The chain that an export brings along is no device; row numbers still count it."""
    table = table_of(tmp_path / "a.pem", pem_of(authority("B")) + pem_of(DEVICE) + pem_of(authority("C")))

    assert subjects_of(table) == [(2, "PC-0042")]
    assert told_by(table) == [
        (
            Code.CA_CERTIFICATE,
            Severity.WARNING,
            "certificates 1, 3 are a certificate authority's own, not read as a device's",
            "CN=B,DC=contoso,DC=com; CN=C,DC=contoso,DC=com",
        )
    ]


def test_a_file_of_authorities_only_is_read_and_told(tmp_path: Path) -> None:
    """Who names a file with nothing else means it."""
    table = table_of(tmp_path / "ca.p7b", pkcs7.serialize_certificates([authority("B")], Encoding.DER))

    assert subjects_of(table) == [(1, "B")]
    assert told_by(table) == [
        (
            Code.CA_CERTIFICATE,
            Severity.WARNING,
            "certificate 1 is a certificate authority's own, read as a device's all the same, as the file has no other",
            "CN=B,DC=contoso,DC=com",
        )
    ]


def test_a_damaged_certificate_is_a_row_of_its_own(tmp_path: Path) -> None:
    """What cannot be read stays visible as the file has it, and the others are read."""
    damaged = "-----BEGIN CERTIFICATE-----\nMIIB\nBAD!\n-----END CERTIFICATE-----\n"
    (chunk,) = table_of(tmp_path / "PC-0042.pem", damaged + pem_of(DEVICE)).chunks

    assert chunk.rows == [Row(1, ("MIIBBAD!", "PC-0042", *[""] * 7)), Row(2, DEVICE_CELLS)]


def test_pkcs7_without_a_certificate_leaves_the_others_of_its_file(tmp_path: Path) -> None:
    """Its row says nothing of a device, and the block behind it is read."""
    empty = "-----BEGIN PKCS7-----\nMIIAJQYJKoZIhvcNAQcCoBgwFgIBATEAMAsGCSqGSIb3DQEHAaAAMQA=\n-----END PKCS7-----\n"

    assert subjects_of(table_of(tmp_path / "a.pem", empty + pem_of(DEVICE))) == [(1, ""), (2, "PC-0042")]


def test_nothing_of_a_private_key_is_in_the_table(tmp_path: Path) -> None:
    """A key in the same file is passed over."""
    (chunk,) = table_of(tmp_path / "PC-0042.pem", KEY_PEM + pem_of(DEVICE) + KEY_PEM).chunks

    assert chunk.rows == [Row(1, DEVICE_CELLS)]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (KEY_PEM.encode(), "it holds a private key and no certificate"),
        (b"Serial,Issuer\r\n", "it is neither PEM nor base64 nor hexadecimal digits of a certificate"),
        (b64decode("MIIAJQYJKoZIhvcNAQcCoBgwFgIBATEAMAsGCSqGSIb3DQEHAaAAMQA="), "it holds no certificate"),
        (b"\x30\x81\x00" * 1_000_000, "it holds a sequence of 3 bytes, which is too small for a certificate"),
        (b"Serial,Issuer\r\n" * 10_000, "it is neither PEM nor base64 nor hexadecimal digits of a certificate"),
        (b"PK\x03\x04", "it is a zip archive or a newer workbook such as .xlsx"),
        (der_of(DEVICE)[:400], f"it is cut off: 400 of {len(der_of(DEVICE))} bytes are there"),
    ],
    ids=["empty", "private key", "CSV", "PKCS #7 of nothing", "small sequences", "long CSV", "zip", "cut off"],
)
def test_a_file_without_a_certificate_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    """One sentence says which file, what is wrong and what to do."""
    path = tmp_path / "a.pem"
    path.write_bytes(content)

    with pytest.raises(SourceError) as caught:
        open_certificates(path, DEFAULTS)
    assert str(caught.value) == (
        f"{path} holds no certificate that can be read, {reason}: "
        "export the certificate again as Base-64 encoded X.509 (.cer), DER (.cer) or PKCS #7 (.p7b)."
    )


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    """Ten million bytes are read, one more is refused before it is read."""
    path = tmp_path / "a.pem"
    path.write_bytes(pem_of(DEVICE).encode().ljust(MOST_BYTES))
    assert open_certificates(path, DEFAULTS).rows_estimate == 1
    path.write_bytes(pem_of(DEVICE).encode().ljust(MOST_BYTES + 1))

    with pytest.raises(SourceError) as caught:
        open_certificates(path, DEFAULTS)
    assert str(caught.value) == (
        f"{path} has 10,000,001 bytes, and 10,000,000 is the most that is read as certificates: "
        "split it into files of a few thousand certificates each."
    )


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """The operating system's refusal becomes the usual sentence."""
    path = tmp_path / "none.cer"

    with pytest.raises(SourceError) as caught:
        open_certificates(path, DEFAULTS)
    assert str(caught.value) == f"{path} does not exist: check the name and the directory."
