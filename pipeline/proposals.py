"""What the columns of a foreign file probably are: a proposal for a person to confirm, never applied by itself. No I/O.

The only module that imports rapidfuzz. Its matches are told with their score and stay doubtful: a measure of likeness
takes `Email consent` for `Email`.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from rapidfuzz import fuzz, process

from pipeline.editions import EDITIONS, Edition, EnumType, PrimitiveType, Property, Shape
from pipeline.identity import GUID, fold_header, hex_digits, without_marks
from pipeline.model import CERTIFICATE_COLUMN, EXTRA_COLUMNS, PROFILE_ID_COLUMN, PROFILE_TYPE_COLUMN

LEAST_SCORE = 80.0
"""rapidfuzz's ratio, of 100, from which a header is told as alike. `Valid from` and `valid to` have 75."""

SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "devicePlatform": (
        *("platform", "os", "operating system", "os type", "os name", "device os", "platform type", "os platform"),
        "device type",
    ),
    "certificateKeyUsage": ("key usage", "key usages", "x509v3 key usage"),
    "certificateProfileDisplayName": (
        *("certificate profile", "certificate profile name", "profile", "profile name", "configuration profile"),
        *("scep profile", "certificate template", "template", "template name", "certificate template name"),
    ),
    "deviceDisplayName": (
        *("device name", "device", "host name", "host", "computer name", "computer", "machine name", "machine"),
        *("managed device name", "asset name", "endpoint name", "endpoint"),
    ),
    "userDisplayName": (
        *("user name", "user", "user full name", "owner", "owner name", "primary user", "primary user display name"),
        *("user principal name", "upn", "primary user upn", "requester name", "requester", "login", "login name"),
    ),
    "serverUrl": (
        *(
            "scep url",
            "scep server url",
            "ndes url",
            "ndes server url",
            "enrollment url",
            "server address",
            "scep server",
        ),
        *("ndes server", "server", "url"),
    ),
    "certificateExpirationDateTime": (
        *("certificate expiration date", "certificate expiry date", "certificate expiration", "certificate expiry"),
        *(
            "expiration date",
            "expiry date",
            "expiration",
            "expiry",
            "expires",
            "expires on",
            "expire date",
            "expires at",
        ),
        *("valid to", "valid until", "valid thru", "not after", "not valid after", "end date"),
    ),
    "certificateIssuanceDateTime": (
        *("issuance date", "issue date", "issued date", "issued on", "issued at", "issued", "valid from", "not before"),
        *("not valid before", "certificate effective date", "effective date", "start date"),
    ),
    "lastCertificateStateChangeDateTime": (
        *("last state change", "last certificate state change", "state change date", "last status change"),
        *("status change date", "status changed", "state changed", "status date"),
    ),
    "certificateLastIssuanceStateChangedDateTime": ("last issuance state change", "issuance state changed"),
    "certificateIssuer": (
        *("issuer", "issuer name", "issuer dn", "issuer distinguished name", "issued by", "issuing ca"),
        *("certificate authority", "certification authority", "ca", "ca name"),
    ),
    "certificateThumbprint": (
        *("thumbprint", "sha1 thumbprint", "thumbprint sha1", "certificate sha1", "sha1", "sha1 fingerprint"),
        *("sha1 hash", "fingerprint", "certificate fingerprint", "fingerprint sha1", "certificate hash", "cert hash"),
        *("cert thumbprint", "hash"),
    ),
    "certificateSerialNumber": (
        *("certificate serial", "cert serial", "cert serial number", "certificate sn", "serial number", "serial"),
        *("serial no", "serial nr", "s/n"),
    ),
    "certificateKeyLength": (
        *("key length", "key size", "key bits", "bits", "public key length", "public key size", "rsa key size"),
        *("key strength", "key length bits", "key size bits"),
    ),
    "enhancedKeyUsage": (
        *("eku", "ekus", "enhanced key usage", "enhanced key usages", "extended key usage", "extended key usages"),
        *("certificate enhanced key usage", "intended purposes", "application policies", "x509v3 extended key usage"),
    ),
    "certificateIssuanceState": ("issuance state", "certificate state", "certificate status", "cert status"),
    "certificateRevokeStatus": ("revocation status", "revoke status", "revocation state"),
    "certificateKeyStorageProvider": ("key storage provider", "ksp"),
    "certificateSubjectNameFormat": ("subject name format",),
    "certificateSubjectNameFormatString": ("subject name format string", "custom subject name format"),
    "certificateSubjectAlternativeNameFormat": ("subject alternative name format", "san format"),
    "certificateSubjectAlternativeNameFormatString": ("subject alternative name format string",),
    "certificateValidityPeriod": ("validity period", "validity"),
    "certificateValidityPeriodUnits": ("validity period units", "validity period unit", "validity unit"),
    "certificateErrorCode": ("error code", "certificate error"),
    PROFILE_ID_COLUMN: ("configuration profile id", "device configuration profile id", "profile id"),
    PROFILE_TYPE_COLUMN: ("certificate profile type",),
    CERTIFICATE_COLUMN: (
        *("certificate pem", "pem certificate", "pem", "x509 certificate", "certificate data", "raw certificate"),
        *("certificate base64", "base64 certificate", "binary certificate", "der"),
    ),
}
"""Words that inventories use for a property, the likeliest first. The edition's own names come before them."""

OTHER_NAMES = {"certificateEnhancedKeyUsage": "enhancedKeyUsage"}
"""The newer edition's name of a property -> the name under which its words stand above."""


class Match(StrEnum):
    """How sure a column is."""

    EXACT = "exact"  # the property's name, or a header that config.yaml or a preset declares
    SYNONYM = "synonym"  # a word that means the property, and nothing in the cells says otherwise
    DOUBTFUL = "doubtful"  # only for a person to decide
    NONE = "none"


@dataclass(frozen=True, slots=True)
class ColumnProposal:
    """What a column of the file probably is."""

    index: int  # of the cell in the header
    header: str  # as the file spells it
    name: str  # the property, or a column that chooses the route; "" where there is none
    match: Match
    score: int = 0  # rapidfuzz's, of 100, where the header is only alike
    reason: str = ""  # what is doubtful

    @property
    def is_applied(self) -> bool:
        """True when the column is taken as the property, once the proposal stands in config.yaml."""
        return self.match in {Match.EXACT, Match.SYNONYM}


def fold_words(text: str) -> str:
    """Return the letters and digits of a header, without case: `S/N`, `Key_Size` and `key size` lose what differs."""
    return "".join(each for each in without_marks(text).casefold() if each.isalnum())


def is_common_word(header: str) -> bool:
    """Return whether the header is a property's name, of any edition, or a word that inventories use for one."""
    return fold_words(header) in _ALL_WORDS


def looks_like_dates(samples: Sequence[str]) -> bool:
    """Return whether all of the cells, and at least one, are dates that no one takes for anything else."""
    return bool(samples) and all(PLAIN_DATE.match(without_marks(each).strip()) for each in samples)


def count_known(cells: Sequence[str], edition: Edition, headers: Iterable[str]) -> int:
    """Return how many of the cells mean a property or are one of `headers`: that finds a header below a title block."""
    further, words = {fold_header(each) for each in headers}, _ranked_words(edition)
    return sum(fold_words(cell) in words or fold_header(cell) in further for cell in cells if cell.strip())


def propose_columns(
    header: Sequence[str],
    samples: Sequence[Sequence[str]],
    edition: Edition,
    aliases: Mapping[str, Sequence[str]],
    *,
    ignored: Collection[str] = frozenset(),
    made: Collection[str] = frozenset(),
    this_year: int | None = None,
) -> tuple[ColumnProposal, ...]:
    """Return a proposal for each column, in the header's order.

    `samples` are some cells of each column, empty ones left out; `aliases` headers by property that are declared
    already; `ignored` folded headers that are known to stand for no property; `made` properties that a template makes,
    so that no column can be one. `this_year` tells dates that lie in the future; None takes none for one. No property
    has two columns that are applied.
    """
    exact, words = _exact(edition, aliases), _ranked_words(edition)
    found: list[tuple[tuple[int, int, int], ColumnProposal]] = []
    for index, (cell, texts) in enumerate(zip(header, samples, strict=True)):
        if fold_header(cell) in exact:
            name = exact[fold_header(cell)]
            proposal = ColumnProposal(index, cell, name, Match.EXACT, reason=contradiction(name, texts, edition))
            rank = 0
        elif fold_header(cell) in ignored or not fold_words(cell):
            proposal, rank = ColumnProposal(index, cell, "", Match.NONE), 0
        elif fold_words(cell) in words:
            rank, name = words[fold_words(cell)]
            reason = contradiction(name, texts, edition)
            match = Match.DOUBTFUL if reason else Match.SYNONYM
            proposal = ColumnProposal(index, cell, name, match, reason=reason)
        else:
            proposal, rank = _alike(index, cell, texts, edition), 0
        if proposal.name in made and proposal.match is not Match.EXACT:
            proposal = ColumnProposal(index, cell, "", Match.NONE, reason=f"templates: makes {proposal.name}")
        found.append(((list(Match).index(proposal.match), 0 if texts else 1, rank), proposal))
    winners: dict[str, ColumnProposal] = {}
    for _, proposal in sorted(found, key=lambda each: each[0]):
        if proposal.is_applied:
            winners.setdefault(proposal.name, proposal)
    taken = {*made, *(proposal.name for _, proposal in found)}
    return tuple(
        _by_content(proposal, texts, edition, taken, this_year)
        if proposal.match is Match.NONE and not proposal.reason and fold_header(proposal.header) not in ignored
        else _settled(proposal, winners)
        for (_, proposal), texts in zip(found, samples, strict=True)
    )


def propose_values(words: Iterable[str], enum_type: EnumType) -> tuple[str, ...]:
    """Return the distinct words, in their order, that are no member and no list of members in any letter case."""
    members = {each.casefold() for each in enum_type.members}
    distinct = {word.strip().casefold(): word.strip() for word in words if word.strip()}
    return tuple(
        word
        for folded, word in distinct.items()
        if not {part.strip() for part in folded.split(",")} <= members or ("," in folded and not enum_type.is_flags)
    )


def contradiction(name: str, samples: Sequence[str], edition: Edition) -> str:
    """Return what in the cells speaks against the property, or "": a column is doubted when none of them fits."""
    texts = [text for each in samples if (text := without_marks(each).strip())]
    if not texts:
        return ""
    prop = next((each for each in edition.properties if each.name == name), None)
    expected, pattern = _expectation(name, prop)
    if name == "certificateThumbprint":
        texts = [hex_digits(text) for text in texts]
        if all(re.fullmatch(r"[0-9A-Fa-f]{64}", text) for text in texts):
            return "its cells are SHA-256 hashes; Windows and Intune call the SHA-1 hash thumbprint"
    elif name == "certificateSerialNumber":
        texts = [hex_digits(text) for text in texts]
    return "" if any(pattern.search(text) for text in texts) else f"no cell that was looked at {expected}"


def _expectation(name: str, prop: Property | None) -> tuple[str, re.Pattern[str]]:
    """Return what a cell of the property does, in words and as a pattern that is lenient on purpose."""
    if name in PATTERNS:
        return PATTERNS[name]
    if prop is None:
        return ANYTHING
    if isinstance(prop.type, EnumType):
        members = "|".join(re.escape(each) for each in prop.type.members)
        return f"is a member of {prop.type.name}", re.compile(rf"\A(?:{members})\b", re.IGNORECASE)
    if prop.type is PrimitiveType.DATETIMEOFFSET:
        return "looks like a date", DATE
    if prop.type is PrimitiveType.INT32:
        return "is a number", re.compile(r"\A[+-]?(?:0x[0-9a-f]+|\d+)\b", re.IGNORECASE)
    return ("is an address such as https://...", URL) if prop.shape is Shape.URL else ANYTHING


ANYTHING = ("", re.compile(r""))
URL = re.compile(r"\Ahttps?://", re.IGNORECASE)
DATE = re.compile(
    r"\d{1,4}([-/.])\s?\d{1,2}\1\s?\d{1,4}|\d{4}\d{2}\d{2}T?"
    r"|\b(?:jan|feb|m[aä]r|apr|ma[iy]|jun|jul|aug|sep|o[ck]t|nov|de[cz])\w*\b.*\d"
    r"|\A\d{5}(?:\.\d+)?\Z|\A\d{10}(?:\d{3})?\Z|/Date\(",
    re.IGNORECASE,
)
"""Dates with three numbers, months' names, a spreadsheet's serial date, seconds and milliseconds since 1970, .NET's."""

PATTERNS: Mapping[str, tuple[str, re.Pattern[str]]] = {
    PROFILE_ID_COLUMN: ("is a GUID", GUID),
    # base64 of DER begins with MII: a SEQUENCE whose length takes two octets, as every certificate's does.
    CERTIFICATE_COLUMN: ("holds a certificate", re.compile(r"-----BEGIN|\AMII")),
    "devicePlatform": (
        "names a platform",
        re.compile(r"\A(?:microsoft )?(?:win|android|aosp|i ?os|ip(?:hone|ad|od)|mac|os ?x|unknown\Z)", re.IGNORECASE),
    ),
    "certificateKeyUsage": (
        "names a key usage",
        re.compile(r"digital|encipher|non.?repudiation|key.?agreement|sign\b|\A(?:0x)?[0-9a-f]{2}\b", re.IGNORECASE),
    ),
    "certificateThumbprint": ("has 40 hexadecimal digits", re.compile(r"\A[0-9A-Fa-f]{40}\Z")),
    "certificateSerialNumber": (
        "is a serial number in digits",
        re.compile(r"\A-?(?:[0-9A-Fa-f]+|\d+ \(-?0x[0-9A-Fa-f]+\))\Z"),
    ),
    "certificateKeyLength": ("is a key length in bits", re.compile(r"(?<![0-9A-Za-z])(?:P-?)?\d{3,5}(?!\d)")),
}


PLAIN_DATE = re.compile(
    r"(?:[^\W\d]{2,10}\.?,? )?"  # the day of the week
    r"(?:\d{4}([-/.])\d{1,2}\1\d{1,2}|\d{1,2}([-/.]) ?\d{1,2}\2 ?\d{4}|\d{1,2}/\d{1,2}/\d{2}"
    r"|\d{1,2}[-. ]+[^\W\d]{3,10}\.?[-, ]+\d{4}|[^\W\d]{3,10}\.? +\d{1,2},? +(?:\d{1,2}:[\d:]+ +)?\d{4})"
    r"(?:[T ,].*)?\Z",
    re.IGNORECASE,
)
"""Dates that are no version, address or number: with a year of four digits, slashes, or a month's name."""

YEAR = re.compile(r"(?<!\d)(?:19|20)\d{2}(?!\d)")

SHAPES: tuple[tuple[str, str, re.Pattern[str]], ...] = (
    ("certificateThumbprint", "each cell has 40 hexadecimal digits", re.compile(r"[0-9A-Fa-f]{40}")),
    (
        "certificateKeyLength",
        "each cell is a usual key length",
        re.compile(r"(?:0x[0-9a-f]+ \()?(?:1024|2048|3072|4096|8192)\)?", re.IGNORECASE),
    ),
    (
        "devicePlatform",
        "each cell names a platform",
        re.compile(
            r"(?:(?:microsoft )?windows|android|aosp|i ?os|i(?:phone|pad|pod)(?:[ -]?os)?|mac ?os(?: ?x)?|os ?x)"
            r"(?:[ 0-9.].*)?",
            re.IGNORECASE,
        ),
    ),
)
"""Cells that are unmistakable whatever the header is called: property, what they are, and their whole text."""


def _by_content(
    proposal: ColumnProposal, texts: Sequence[str], edition: Edition, taken: Collection[str], this_year: int | None
) -> ColumnProposal:
    """Return a doubtful proposal where the cells of a foreign header say what they are, and no other column is it."""
    cells = [text for each in texts if (text := without_marks(each).strip())]
    names = {each.name for each in edition.properties} - set(taken)
    for name, reason, shape in SHAPES:
        spelled = [hex_digits(each) for each in cells] if name == "certificateThumbprint" else cells
        if cells and name in names and all(shape.fullmatch(each) for each in spelled):
            return replace(proposal, name=name, match=Match.DOUBTFUL, reason=f"only by its cells: {reason}")
    name = "certificateExpirationDateTime"
    if this_year is not None and name in names and looks_like_dates(cells):
        years = [int(year[0]) for each in cells if (year := YEAR.search(each))]
        if len(years) == len(cells) and min(years) >= this_year and max(years) > this_year:
            reason = "only by its cells: they are dates in the future"
            return replace(proposal, name=name, match=Match.DOUBTFUL, reason=reason)
    return proposal


def _settled(proposal: ColumnProposal, winners: Mapping[str, ColumnProposal]) -> ColumnProposal:
    winner = winners.get(proposal.name)
    if winner is None or winner is proposal:
        return proposal
    reason = f"the column {winner.header} stands for it already"
    if proposal.match is Match.EXACT:
        reason = f"the column {winner.header} stands for it too, and two columns for one property are an error"
    return replace(proposal, match=Match.DOUBTFUL, reason=proposal.reason or reason)


def _alike(index: int, cell: str, texts: Sequence[str], edition: Edition) -> ColumnProposal:
    folded = fold_words(cell)
    foreign = _ALL_WORDS.get(folded)
    if foreign is not None:  # understood, and no property of this edition: nothing that is alike can be meant
        return ColumnProposal(index, cell, "", Match.NONE, reason=f"edition {edition.name} has no {foreign}")
    words = _ranked_words(edition)
    near = process.extractOne(folded, words.keys(), scorer=fuzz.ratio, score_cutoff=LEAST_SCORE)
    if near is None:
        return ColumnProposal(index, cell, "", Match.NONE)
    word, score, _ = near
    name = words[word][1]
    reason = contradiction(name, texts, edition) or "the header is only alike"
    return ColumnProposal(index, cell, name, Match.DOUBTFUL, score=round(score), reason=reason)


def _exact(edition: Edition, aliases: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return the headers that are understood without a proposal, folded, and their properties."""
    names = (*(each.name for each in edition.properties), *EXTRA_COLUMNS)
    meant = {fold_header(name): name for name in names}
    return meant | {fold_header(each): name for name, headers in aliases.items() if name in names for each in headers}


def _ranked_words(edition: Edition) -> dict[str, tuple[int, str]]:
    """Return the folded words of the edition's properties, with their place in the list and the property."""
    return _WORDS[edition.name]


def _words_of(names: Iterable[str]) -> dict[str, tuple[int, str]]:
    return {
        fold_words(word): (rank, name)
        for name in names
        for rank, word in enumerate((name, *SYNONYMS.get(OTHER_NAMES.get(name, name), ())))
    }


_WORDS = {
    each.name: _words_of((*(prop.name for prop in each.properties), *EXTRA_COLUMNS)) for each in EDITIONS.values()
}
_ALL_WORDS = {word: name for words in _WORDS.values() for word, (_, name) in words.items()}
