"""The lines of config.yaml that would cure a cause: to be pasted, every text of a file quoted.

What only the reader knows stands there as `...`, which config.yaml refuses: pasted unread, the lines change nothing.
`##` begins what is for reading, and `# ` a line to take over instead, as in the block that `certstate inspect` prints.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from pipeline.editions import EDITION_CURRENT, ProfileType
from pipeline.findings import Code
from pipeline.findings.finding import VALUE_SHOWN_CHARACTERS
from pipeline.identity import PROPERTIES, fold_word
from pipeline.model import PROFILE_ID_COLUMN, PROFILE_TYPE_COLUMN
from pipeline.quoting import quoted

SCEP = ProfileType.SCEP.value
"""The type of a row and of an entry that name none."""

MOST_KEY_CHARACTERS = 1_000
"""A key of a YAML mapping has at most 1,024 characters, its quotes and escapes included (YAML 1.2, 7.4.2)."""

SAME_FOR_ALL = {
    "devicePlatform": "iOS or windows10AndLater",
    "serverUrl": "https://ndes.contoso.com/certsrv/mscep/mscep.dll",
    "certificateProfileDisplayName": "Corp SCEP",
    "certificateIssuer": '"CN=Contoso Issuing CA"',
    "certificateKeyLength": '"2048"',
    "certificateKeyUsage": '"digitalSignature,keyEncipherment"',
    "enhancedKeyUsage": "Client Authentication",
}
"""Properties that are often the same for a whole inventory, with an example."""

MAY_BE_ABSENT = frozenset(
    {
        "certificateKeyUsage",
        "certificateProfileDisplayName",
        "userDisplayName",
        "serverUrl",
        "lastCertificateStateChangeDateTime",
        "certificateKeyLength",
        "enhancedKeyUsage",
    }
)
"""Properties that are required in some edition and say neither which object it is nor what for."""

LONGEST_SURE_NUMBER = re.compile(r"-?[0-9]{1,15}")
"""A spreadsheet keeps so many digits of a number; `serial: decimal` lets serial numbers pass up to them."""


def config_line(code: str, name: str, values: Sequence[str], messages: Sequence[str] = ()) -> str:
    """Return the lines for config.yaml that would cure the cause, "" where none would.

    `code` is a finding's, or such as `rejected 400`, which no configuration cures; `name` the property of its column,
    or the header of a column that is no property; `values` some of the different values that were found, and
    `messages` what was said of them: without them it is taken that they say what the code usually says.
    """
    cure = CURES.get(code)
    return cure(name, values, messages) if cure else ""


def together(config_lines: Iterable[str]) -> str:
    """Return the lines of several causes as one block for config.yaml, each key once; "" where there are none.

    Whole lines of comment, also what could stand there instead, stay with the cause.
    """
    blocks: dict[tuple[str, ...], list[str]] = {}  # a key, of `values:` also the property -> the lines below it
    scalars: dict[str, None] = {}
    for lines in config_lines:
        kept = [line for line in lines.splitlines() if not line.startswith("#")]
        if not kept:
            continue
        path, below = _unfolded(kept)
        if not below:
            key = path[0].partition(":")[0]
            if key in scalars:
                continue
            scalars[key] = None
        known = blocks.setdefault(path, [])
        known += [line for line in below if line not in known]
    whole: dict[str, list[str]] = {}
    for (key, *names), below in blocks.items():
        whole.setdefault(key, []).extend([*names, *below])
    return "\n".join(line for key, below in whole.items() for line in (key, *below))


def _unfolded(lines: Sequence[str]) -> tuple[tuple[str, ...], list[str]]:
    """Return a cure's key, with the property of `values:`, and the lines below it; `[x]` and `{x: y}` become such."""
    head, below = lines[0], list(lines[1:])
    if head == "values:":
        return (head, below[0]), below[1:]
    inline = re.fullmatch(r"([a-z_]+:) ([\[{])(.*)[\]}](  ##.*)?", head)
    if inline is None:
        return (head,), below
    key, bracket, inner, note = inline.groups("")
    return (key,), [f"  {'- ' if bracket == '[' else ''}{inner}{note}", *below]


Cure = Callable[[str, Sequence[str], Sequence[str]], str]
"""(property or header, values, messages) -> the lines, "" where this is nothing that configuration cures."""


def _unknown_column(name: str, _values: Sequence[str], _messages: Sequence[str]) -> str:
    if not name.strip() or _is_cut(name):
        return ""
    header = quoted(name.strip())
    return f"ignored: [{header}]\n## or, where it holds a property:\n# columns: {{...: [{header}]}}"


def _missing(name: str, _values: Sequence[str], messages: Sequence[str]) -> str:
    if any("`templates:`" in each for each in messages):  # its header is wrong, and a column too would be an error
        return ""
    lines = []
    if name in SAME_FOR_ALL:
        lines.append(f"defaults: {{{name}: ...}}  ## such as {SAME_FOR_ALL[name]}")
        if name in MAY_BE_ABSENT:
            lines += ["## or, where it may be absent:", f"# optional: [{name}]"]
    elif name in MAY_BE_ABSENT:
        lines.append(f"optional: [{name}]  ## it is then left out where it is empty")
    return "\n".join(lines)


def _missing_column(name: str, values: Sequence[str], messages: Sequence[str]) -> str:
    lines = _missing(name, values, messages)
    ask = "## if a column holds it, name that one under `columns:`; `certstate inspect` proposes it; else:\n"
    return lines and ask + lines


def _words(name: str, values: Sequence[str], _messages: Sequence[str]) -> str:
    if name not in PROPERTIES and name not in {PROFILE_ID_COLUMN, PROFILE_TYPE_COLUMN}:
        return ""
    # config.yaml refuses two words that differ in letter case only.
    words = {fold_word(each): quoted(each.strip()) for each in reversed(values) if not _is_cut(each)}
    pairs = [f"    {each}: ..." for fold, each in reversed(words.items()) if fold and len(each) <= MOST_KEY_CHARACTERS]
    return "\n".join(["values:", f"  {name}:", *pairs]) if pairs else ""


def _profile_type(name: str, values: Sequence[str], messages: Sequence[str]) -> str:
    # The other edition has one profile type, and config.yaml knows no words for it.
    is_known = any(f"edition {EDITION_CURRENT.name}" in each for each in messages)
    return _words(name, values, messages) if is_known else ""


def _zone(_name: str, _values: Sequence[str], _messages: Sequence[str]) -> str:
    return "timezone: ...  ## the zone of the file's times, such as UTC or Europe/Berlin"


def _date(_name: str, _values: Sequence[str], messages: Sequence[str]) -> str:
    is_one = any("no time of day" in each for each in messages)
    return "timezone: ...  ## for dates without a time of day: the file's zone, such as UTC" if is_one else ""


def _date_order(_name: str, _values: Sequence[str], messages: Sequence[str]) -> str:
    is_open = not messages or any("`date_order:" not in each for each in messages)
    return "date_order: ...  ## dmy: the day comes first; mdy: the month comes first" if is_open else ""


def _date_number(_name: str, _values: Sequence[str], messages: Sequence[str]) -> str:
    is_open = not messages or any("nothing declares" in each for each in messages)
    return "date_number: ...  ## excel-1900, excel-1904, epoch-seconds or epoch-milliseconds" if is_open else ""


def _serial(_name: str, _values: Sequence[str], _messages: Sequence[str]) -> str:
    return "serial: ...  ## what digits alone are written in: hex or decimal"


def _number_in_workbook(name: str, values: Sequence[str], _messages: Sequence[str]) -> str:
    is_sure = name == "certificateSerialNumber" and any(map(LONGEST_SURE_NUMBER.fullmatch, values))
    return (
        "serial: ...  ## decimal, if they are decimal numbers; of at most 15 digits they pass then" if is_sure else ""
    )


def _route(_name: str, values: Sequence[str], messages: Sequence[str]) -> str:
    found = [re.match(r"([A-Za-z0-9]+) has no ([A-Za-z-]+) route", each) for each in messages]
    kinds = dict.fromkeys((each[1], each[2]) for each in found if each)
    typed = {platform for platform, _ in kinds}
    kinds |= dict.fromkeys((each, SCEP) for each in values if re.fullmatch(r"[A-Za-z0-9]+", each) and each not in typed)
    entries = [f"  - {{platform: {platform}, {_type_key(kind)}path: ...}}" for platform, kind in kinds]
    about = "## the name of the profile's type in Graph, such as microsoft.graph.iosScepCertificateProfile"
    return "\n".join([f"routes:  {about}", *entries]) if entries else ""


def _profile(_name: str, _values: Sequence[str], messages: Sequence[str]) -> str:
    found = [re.search(r"`profiles:` for ([A-Za-z0-9]+)(?: and ([A-Za-z-]+))?$", each) for each in messages]
    kinds = dict.fromkeys((each[1], each[2] or SCEP) for each in found if each)
    entries = [f"  - {{platform: {platform}, {_type_key(kind)}id: ...}}" for platform, kind in kinds]
    return "\n".join(["profiles:  ## the id that the profile has in Intune, a GUID", *entries]) if entries else ""


def _type_key(kind: str) -> str:
    return "" if kind == SCEP else f"profile_type: {kind}, "


def _changed(_name: str, _values: Sequence[str], messages: Sequence[str]) -> str:
    is_ours = any(each == "created before with other values" for each in messages)
    return "send: {on_changed: update}  ## updates what certstate created" if is_ours else ""


def _is_cut(text: str) -> bool:
    return len(text) > VALUE_SHOWN_CHARACTERS


CURES: Mapping[str, Cure] = {
    Code.UNKNOWN_COLUMN: _unknown_column,
    Code.MISSING_COLUMN: _missing_column,
    Code.MISSING_VALUE: _missing,
    Code.UNKNOWN_MEMBER: _words,
    Code.AMBIGUOUS_PLATFORM: _words,
    Code.NOT_A_URL: _words,
    Code.NOT_AN_INTEGER: _words,
    Code.NOT_A_GUID: _words,
    Code.UNKNOWN_PROFILE_TYPE: _profile_type,
    Code.DATE_TIME_WITHOUT_OFFSET: _zone,
    Code.NOT_A_DATE_TIME: _date,
    Code.AMBIGUOUS_DATE: _date_order,
    Code.DATE_NUMBER: _date_number,
    Code.AMBIGUOUS_SERIAL_NUMBER: _serial,
    Code.NUMERIC_IDENTIFIER: _number_in_workbook,
    Code.NO_ROUTE: _route,
    Code.NO_PROFILE: _profile,
    Code.CHANGED: _changed,
}
"""What configuration cures; any other code is cured in the file, in the tenant, or not at all."""
