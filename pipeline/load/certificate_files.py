"""Certificate files (.pem, .cer, .crt, .der, .p7b, .p7c, .p7) become a table: a row for each certificate.

Read whole, as the largest chain is small. The values of a row come from its certificate; the other columns are there
for `templates:`, and for whoever reads errors.csv.
"""

from collections.abc import Iterator
from pathlib import Path

from pipeline.certificates import CertificateFacts, NotACertificateError, certificate_texts, read_certificate_text
from pipeline.errors import SourceError
from pipeline.findings import Code, Finding, finding
from pipeline.load.table import MAGIC_BYTES, Chunk, LoadOptions, Table, chunk_of, content_of, reading
from pipeline.model import Row

CERTIFICATE_FILE_HEADER = (
    "certificate",  # base64 of the DER bytes
    "file name",  # without its ending, which often is the device's name
    "subject",
    "subject common name",
    "issuer",
    "not before",
    "not after",
    "dns names",
    "email addresses",
)
"""The columns of a certificate file's table. None but the first is a property or stands for one."""

MOST_BYTES = 10_000_000
"""A certificate has 1 to 3 kB, so this is a collection of thousands; a larger file is something else."""


def open_certificates(path: Path, options: LoadOptions) -> Table:
    """Return the table of a certificate file; a row's number is the certificate's place in the file, from 1 on.

    A certificate authority's own certificate is left out when the file holds others too, as in a chain; a finding
    names it. Where one of several certificates cannot be read, its row holds what the file has, and nothing else.
    Raises SourceError when the file holds no certificate that can be read, or is larger than MOST_BYTES.
    """
    with reading(path):
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise SourceError(
                f"{path} has {size:,} bytes, and {MOST_BYTES:,} is the most that is read as certificates: "
                "split it into files of a few thousand certificates each."
            )
        data = path.read_bytes()
    content = content_of(data[:MAGIC_BYTES])
    try:
        if content:
            raise NotACertificateError(f"it is {content}")
        found = [(number, text, _facts_or_reason(text)) for number, text in enumerate(certificate_texts(data), start=1)]
        reasons = [facts for *_, facts in found if isinstance(facts, str)]
        if len(reasons) == len(found):
            raise NotACertificateError(reasons[0])
    except NotACertificateError as problem:
        raise SourceError(
            f"{path} holds no certificate that can be read, {problem}: "
            "export the certificate again as Base-64 encoded X.509 (.cer), DER (.cer) or PKCS #7 (.p7b)."
        ) from problem
    authorities = {number: facts for number, _, facts in found if isinstance(facts, CertificateFacts) and facts.is_ca}
    left_out = authorities if len(authorities) < len(found) else {}
    name = path.stem.encode("utf-8", "replace").decode()  # a file name on Linux can be any bytes
    rows = [Row(number, _cells(name, text, facts)) for number, text, facts in found if number not in left_out]
    return Table(
        source=path,
        sheet=None,
        header=CERTIFICATE_FILE_HEADER,
        header_row_number=0,
        encoding="",
        delimiter="",
        rows_estimate=len(rows),
        chunks=_chunks(rows, options.chunk_rows),
        findings=_about_authorities(authorities, are_left_out=bool(left_out)),
    )


def _facts_or_reason(text: str) -> CertificateFacts | str:
    try:
        return read_certificate_text(text)
    except NotACertificateError as problem:
        return str(problem)  # the exception would keep the bytes of the certificate alive in its traceback


def _cells(name: str, text: str, facts: CertificateFacts | str) -> tuple[str, ...]:
    if isinstance(facts, str):
        return (text, name, *[""] * (len(CERTIFICATE_FILE_HEADER) - 2))
    return (
        text,
        name,
        facts.subject,
        facts.subject_common_name,
        facts.issuer,
        facts.not_before,
        facts.not_after,
        ", ".join(facts.dns_names),
        ", ".join(facts.email_addresses),
    )


def _chunks(rows: list[Row], chunk_rows: int) -> Iterator[Chunk]:
    for start in range(0, len(rows), chunk_rows):
        yield chunk_of(rows[start : start + chunk_rows])


def _about_authorities(authorities: dict[int, CertificateFacts], *, are_left_out: bool) -> tuple[Finding, ...]:
    if not authorities:
        return ()
    numbers = ", ".join(str(number) for number in authorities)
    whose = f"certificate {numbers} is" if len(authorities) == 1 else f"certificates {numbers} are"
    message = "not read as a device's" if are_left_out else "read as a device's all the same, as the file has no other"
    subjects = "; ".join(facts.subject for facts in authorities.values())
    return (finding(Code.CA_CERTIFICATE, f"{whose} a certificate authority's own, {message}", value=subjects),)
