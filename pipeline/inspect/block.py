"""The lines for config.yaml: one block for all tables that were looked at. No I/O.

Nothing doubtful is more than a comment: pasted as they are, the lines change nothing that is not certain. A comment
that begins with `# ` is a line to take over, by removing these two signs; one that begins with `##` is for reading.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pipeline.identity import fold_header
from pipeline.inspect.tables import InspectedColumn, InspectedTable, cut
from pipeline.proposals import Match
from pipeline.quoting import one_line, quoted

# What is often the same for a whole file; nothing of it can be known from the file, so it stands in comments only.
EXAMPLES = {
    "devicePlatform": "iOS or windows10AndLater",
    "serverUrl": "https://ndes.contoso.com/certsrv/mscep/mscep.dll",
    "certificateProfileDisplayName": "Corp SCEP",
    "certificateIssuer": '"CN=Contoso Issuing CA"',
    "certificateKeyLength": '"2048"',
    "certificateKeyUsage": "digitalSignature,keyEncipherment",
    "enhancedKeyUsage": "Client Authentication",
    "deviceDisplayName": '"{header of a column}"',
    "certificateThumbprint": '"{header of a column}"',
    "certificateSerialNumber": '"{header of a column}"',
}
CERTIFICATE_EXAMPLES = {"deviceDisplayName": '"{subject common name}"'}

DIFFERENT_IN_EACH_ROW = frozenset({"certificateThumbprint", "certificateSerialNumber"})

NEVER_OPTIONAL = frozenset(
    {
        "devicePlatform",
        "deviceDisplayName",
        "certificateThumbprint",
        "certificateSerialNumber",
        "certificateIssuer",
        "certificateExpirationDateTime",
    }
)
"""Properties that say which object it is and what for: they may be declared optional, but are not proposed as such."""


class _Doubt(NamedTuple):
    column: InspectedColumn
    reason: str


def mapping_yaml(tables: Sequence[InspectedTable]) -> str:
    """Return the lines for config.yaml, "" when none is needed. They are YAML whatever the files' texts hold.

    So they are when all lines that begin with `# ` are taken over; `...` stands where a value has to be filled in.
    """
    # Sheets of which no column is known are left out by an import: what they lack is missing nowhere.
    read = [each for each in tables if each.has_known_columns] or list(tables)
    lines = [
        *_preset_lines(tables),
        *_column_lines(tables),
        *_value_lines(tables),
        *_key_lines(tables),
        *_missing_lines(read),
    ]
    return "".join(f"{line}\n" for line in lines)


def _preset_lines(tables: Sequence[InspectedTable]) -> Iterable[str]:
    told: set[str] = set()
    for preset, is_chosen, _, _ in (each.preset for each in tables):
        if preset is None or preset.name in told:
            continue
        told.add(preset.name)
        if not is_chosen:
            words = dict.fromkeys(word for each in tables for word in each.preset.empty_words)
            yield f"## The headers of {preset.name} ({preset.title}), with or without --preset {preset.name}"
            if words:
                yield f"##   only the preset takes {', '.join(map(quoted, words))} for an empty cell"
            continue
        yield f"## For use with --preset {preset.name} ({preset.title})"
        said = (("timezone", preset.timezone), ("date_number", preset.date_number), ("serial", preset.serial))
        for key, value in said:
            if value:
                yield f"##   the preset sets {key}: {value}"


def _column_lines(tables: Sequence[InspectedTable]) -> Iterable[str]:
    certain: dict[str, list[InspectedColumn]] = {}
    doubts: dict[tuple[str, str], _Doubt] = {}
    for own, column in ((each, column) for each in tables for column in each.columns):
        proposal, folded = column.proposal, fold_header(column.header)
        reason = ""
        if proposal.match is Match.DOUBTFUL:
            reason = f"{f'{proposal.score} of 100 alike; ' if proposal.score else ''}{proposal.reason}"
        elif proposal.is_applied and not column.is_declared:
            reason = _meant_otherwise(own, column, tables)
            same = certain.setdefault(proposal.name, []) if not reason else []
            if not reason and folded not in {fold_header(each.header) for each in same}:
                same.append(column)
        if reason:
            doubts.setdefault((proposal.name, folded), _Doubt(column, reason))
    taken = {each.proposal.name for table in tables for each in table.columns if each.is_declared}
    taken |= certain.keys()
    if certain or any(name not in taken for name, _ in doubts):
        yield "columns:" if certain else "# columns:"
    for certain_name, columns in certain.items():
        headers = ", ".join(quoted(each.header) for each in columns)
        yield f"  {certain_name}: [{headers}]{_such_as(columns[0], '  ## such as ')}"
    for (name, _), (column, reason) in doubts.items():
        # Two lines for one property would be an error once both are taken over.
        yield f"  {'## or ' if name in taken else '# '}{name}: [{quoted(column.header)}]"
        yield f"  ##   doubtful: {one_line(reason)}{_such_as(column, '; such as ')}"
        taken.add(name)


def _meant_otherwise(table: InspectedTable, column: InspectedColumn, tables: Sequence[InspectedTable]) -> str:
    """Return what the header is in another table, or "": a line of config.yaml holds for all tables."""
    for other in tables:
        # What a certificate file has in such a column is what its certificates say anyway.
        if other is table or other.is_certificates:
            continue
        for each in other.columns:
            if fold_header(each.header) != fold_header(column.header):
                continue
            proposal = each.proposal
            if not proposal.is_applied:
                return f"in {_label(other)} it is not: {proposal.reason or 'the column is not sent'}"
            if proposal.name != column.proposal.name:
                return f"in {_label(other)} it is {proposal.name}"
    return ""


def _value_lines(tables: Sequence[InspectedTable]) -> Iterable[str]:
    found: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {}
    for each in (each for table in tables for each in table.words):
        _, words = found.setdefault(each.name, (each.members, {}))
        for word in each.words:
            words.setdefault(word.strip().casefold(), word)
    if found:
        yield "# values:  ## words of the file, and the members to choose from"
    for name, (members, words) in found.items():
        yield f"#   {name}:  ## {', '.join(members)}"
        for word in words.values():
            yield f"#     {quoted(word)}: ..."


def _key_lines(tables: Sequence[InspectedTable]) -> Iterable[str]:
    declared: dict[str, dict[str, str]] = {}
    asked: dict[str, dict[str, str]] = {}
    for table in tables:
        for key, value in table.declared:
            preset = table.preset.used
            declared.setdefault(key, {}).setdefault(value, f"as {preset.name if preset else 'the preset'} writes them")
        for each in table.undeclared:
            where = f" in {quoted(each.header)}, once it is mapped" if each.header else ""
            asked.setdefault(each.key, {}).setdefault(
                each.choices, f"for cells such as {quoted(cut(each.cell))}{where}"
            )
    for key in dict.fromkeys((*declared, *asked)):
        choices = declared.get(key, {}) | asked.get(key, {})
        if key not in asked and len(choices) == 1:
            ((value, about),) = choices.items()
            yield f"{key}: {value}  ## {about}"
        else:
            yield f"# {key}: ...  ## {'; '.join(f'{value}; {about}' for value, about in choices.items())}"


def _missing_lines(tables: Sequence[InspectedTable]) -> Iterable[str]:
    doubted = {
        each.proposal.name for table in tables for each in table.columns if each.proposal.match is Match.DOUBTFUL
    }
    missing = list(dict.fromkeys(name for table in tables for name in table.missing))
    everywhere = [name for name in missing if all(name in table.missing for table in tables)]
    examples = EXAMPLES | (CERTIFICATE_EXAMPLES if any(each.is_certificates for each in tables) else {})
    if everywhere:
        yield "## Required, and no column holds it: one value for all rows, or a text made of columns in braces."
        if not doubted.issuperset(everywhere):
            yield "# templates:"
    for name in everywhere:
        # A column and a template for one property are an error, once both are taken over.
        start, end = ("## ", "  ## unless a doubtful column above is it") if name in doubted else ("# ", "")
        yield f"{start}  {name}: ...{f'  ## such as {examples[name]}' if name in examples else ''}{end}"
    somewhere = [name for name in missing if name not in everywhere]
    if somewhere:
        yield "## Required, and some of the tables have no column for it: the value for their rows."
        if not (doubted | DIFFERENT_IN_EACH_ROW).issuperset(somewhere):
            yield "# defaults:"
    for name in somewhere:
        lacking = [_label(table) for table in tables if name in table.missing]
        places = f"missing in {lacking[0] if len(lacking) == 1 else f'{len(lacking)} of {len(tables)} tables'}"
        if name in DIFFERENT_IN_EACH_ROW:
            yield f"##   {name}: {places}, and each row needs its own: map a column of it"
        else:
            yield f"{'## ' if name in doubted else '# '}  {name}: ...  ## {places}"
    if left_out := [name for name in missing if name not in NEVER_OPTIONAL]:
        yield "## Or, what may be absent:"
        yield f"# optional: [{', '.join(left_out)}]"


def _label(table: InspectedTable) -> str:
    name = table.file.name if table.sheet is None else f"{table.file.name}, sheet {table.sheet}"
    return one_line(name.encode("utf-8", "replace").decode())


def _such_as(column: InspectedColumn, before: str) -> str:
    return before + quoted(column.samples[0]) if column.samples else ""
