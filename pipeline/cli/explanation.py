"""What `explain` prints: one row's way through every step. Prose fits 80 columns; cells, URL and body stay whole."""

import json
from collections.abc import Sequence

from rich.console import Console

from pipeline.cli.explanation_document import document_of, summary_of
from pipeline.cli.jobs import named_files, open_job, settings_of, show
from pipeline.cli.options import Asked, Globals, Output
from pipeline.cli.streams import answer
from pipeline.cli.terminal import COLOURS_OF_SEVERITIES, print_whole, print_wrapped
from pipeline.errors import UsageError
from pipeline.explain import ExplainedRequest, Explanation, Outlook, explain_row
from pipeline.findings import ARROW, CATALOGUE, Finding, Severity
from pipeline.model import CellType, Operation, State
from pipeline.next_steps import near_path
from pipeline.routes import IdFrom, RouteRule, TypeFrom
from pipeline.trace import ExplainedCell, Identity, Use

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}

DIGEST_SHOWN = 12
"""So many digits of a key are enough to compare two of them by eye."""

USES = {
    Use.REPEATED: "is not sent: another column stands for {property} too",
    Use.OWN: "is not sent: it is a column of certstate's own reports",
    Use.OF_CERTIFICATE: "is not sent: it tells of the certificate, for readers and `templates:`",
    Use.IGNORED: "is not sent, as `ignored:` declares",
    Use.OF_PRESET: "is not sent: the preset {preset} leaves it out",
    Use.NO_HEADER: "is not sent: the column has no header",
    Use.ID: "is not sent: the service assigns the id",
    Use.UNKNOWN: "is not sent: no property has this name",
    Use.NAME: "is {property}, by its name",
    Use.ALIAS: "is {property}, by `columns:`",
    Use.PRESET: "is {property}, by the preset {preset}",
    Use.TEMPLATE: "goes into {made}, by `templates:`",
    Use.BEYOND: "beyond the header, so it belongs to no column",
    Use.LINE: "the whole line, because its cells cannot be told apart",
}


def explain_file(chosen: Globals, asked: Asked, row_number: int) -> None:
    """Print one row's way through every step. Sends and changes nothing.

    Raises UsageError when several files are named, or the file has no such row.
    """
    files = named_files(asked.files)
    if len(files) > 1:
        named = ", ".join(str(each) for each in files[:3])
        raise UsageError(f"explain takes one FILE, and these are {len(files)} ({named}); name the one that has the row")
    with open_job(chosen, asked, settings_of(chosen, asked), is_told=False) as job:
        explained = explain_row(files[0], row_number, job)
    if chosen.output is Output.JSON:
        # In ASCII, because a pipe on Windows is rarely UTF-8.
        answer(f"{document_of(explained).model_dump_json(indent=2, ensure_ascii=True)}\n")
    else:
        show(chosen, lambda console: show_explanations(console, explained))


def show_explanations(console: Console, explained: Sequence[Explanation]) -> None:
    """Print each row's way, with the answer in its first line."""
    for number, each in enumerate(explained):
        if number:
            print_whole(console, "")
            print_whole(console, "")
        _show(console, each)


def _show(console: Console, explained: Explanation) -> None:
    place = explained.file if explained.sheet is None else f"{explained.file}, sheet {explained.sheet}"
    is_refused = explained.outlook.state in {State.INVALID, State.CONFLICTING}
    print_wrapped(
        console, f"Row {explained.row_number} {summary_of(explained)}.", style="bold red" if is_refused else "bold"
    )
    print_whole(console, place)
    print_wrapped(console, _how_read(explained))
    _head(console, "The row as it was read")
    for cell in explained.cells:
        _show_cell(console, cell, explained.preset)
    _head(console, "What the rules made of it")
    _show_steps(console, explained)
    _head(console, "Findings")
    _show_findings(console, explained)
    _head(console, "Where it goes")
    _show_route(console, explained)
    is_kept_back = explained.request is not None and explained.outlook.state is not State.PLANNED
    _head(console, "The request, which would not be sent now" if is_kept_back else "The request")
    _show_request(console, explained)
    _head(console, "What an import would do now")
    _show_outlook(console, explained.outlook)


def _head(console: Console, title: str) -> None:
    print_whole(console, "")
    print_whole(console, title, style="bold")


def _how_read(explained: Explanation) -> str:
    parts = [explained.encoding] if explained.encoding else []
    if explained.delimiter:
        sign = DELIMITERS.get(explained.delimiter, f'the sign "{explained.delimiter}"')
        parts.append(f"cells separated by {sign}")
    parts.append(
        f"header in row {explained.header_row_number}"
        if explained.header_row_number
        else "a certificate file, of which each certificate is a row"
    )
    return f"read as {', '.join(parts)}" if explained.encoding else ", ".join(parts)


def _show_cell(console: Console, cell: ExplainedCell, preset: str) -> None:
    meaning = USES[cell.use].format(property=cell.property, preset=preset, made=" and ".join(cell.made))
    if cell.made and cell.use is not Use.TEMPLATE:
        meaning += f"; it goes into {' and '.join(cell.made)} too, by `templates:`"
    if cell.header == cell.property:
        meaning = meaning.removeprefix("is ")
    elif cell.header.strip():
        meaning = f'"{cell.header}" {meaning}'
    print_wrapped(console, meaning, first=f"{cell.letter:<3} ", indent=4)
    if cell.text is None:
        print_whole(console, "    (no cell)")
        return
    held = "" if cell.held_as is CellType.TEXT else f"  (the workbook holds it as: {cell.held_as})"
    print_whole(console, f'    "{cell.text}"{held}')


def _show_steps(console: Console, explained: Explanation) -> None:
    if not explained.steps:
        print_whole(console, "No value was changed.")
    for step in explained.steps:
        name = "" if step.column == step.property else f" ({step.property})"
        meaning = CATALOGUE[step.rule].meaning
        style = "" if step.severity is Severity.INFO else COLOURS_OF_SEVERITIES[step.severity]
        print_wrapped(console, f"{step.column}{name}, {step.rule}: {meaning}", indent=4, style=style)
        print_whole(console, f'    "{step.was}"' if step.was else "    (empty)")
        print_whole(console, f' -> "{step.text}"' if step.text else " -> (empty)")


def _show_findings(console: Console, explained: Explanation) -> None:
    """Print the findings; a change that is no doubt stands among the rules already."""
    shown = {(step.rule, step.column) for step in explained.steps}
    own = [
        each
        for each in explained.findings
        if each.severity is not Severity.INFO or (each.code, each.column) not in shown
    ]
    if not own and not explained.file_findings:
        print_whole(console, "None.")
    for each in own:
        _show_finding(console, each)
    if explained.file_findings:
        print_wrapped(console, "of the whole sheet:" if explained.sheet else "of the whole file:")
    for each in explained.file_findings:
        _show_finding(console, each)


def _show_finding(console: Console, found: Finding) -> None:
    about = f"{found.code}, {found.column}" if found.column else found.code
    print_wrapped(console, about, first=f"{found.severity:<9}", indent=9, style=COLOURS_OF_SEVERITIES[found.severity])
    is_change = found.message.startswith(f"{found.value}{ARROW}")
    value = f' ("{found.value}")' if found.value and not is_change else ""
    print_wrapped(console, f"{found.message}{value}", first=" " * 9, indent=9)
    if found.severity is not Severity.INFO:
        print_wrapped(console, f"-> {found.hint}", first=" " * 9, indent=9)


def _show_route(console: Console, explained: Explanation) -> None:
    rule = explained.route
    if rule is None:
        print_wrapped(console, "Nowhere: there is no route for it. The findings say why.")
        return
    for sentence in _route_sentences(rule, explained.edition):
        print_wrapped(console, sentence)
    if explained.identity:
        _show_identity(console, explained.identity)


def _route_sentences(rule: RouteRule, edition: str) -> tuple[str, ...]:
    table = "`routes:` of config.yaml" if rule.is_override else f"Edition {edition}"
    entry = rule.entry
    whose = {
        IdFrom.ROW: "is the row's own deviceConfigurationId",
        IdFrom.NAME: f'is the entry of `profiles:` with the name "{entry.name if entry else ""}"',
        IdFrom.PLATFORM: f"is the entry of `profiles:` for {rule.platform}",
    }[rule.id_from]
    said = {
        TypeFrom.ROW: "as the row says",
        TypeFrom.ENTRY: "as the entry of `profiles:` says",
        TypeFrom.DEFAULT: "because neither the row nor an entry of `profiles:` names another",
    }[rule.type_from]
    return (
        f"The profile {rule.profile_id} {whose}.",
        f"The profile type is {rule.profile_type}, {said}.",
        f"{table} leads {rule.platform} with this profile type to {rule.cast}.",
    )


def _show_identity(console: Console, identity: Identity) -> None:
    names = " and ".join(name for name, _ in identity.parts)
    print_wrapped(console, f"Rows with the same {names} are one object there:")
    for name, value in identity.parts:
        print_whole(console, f'    {name} "{value}"')
    digests = f"key {identity.key[:DIGEST_SHOWN]}.., fingerprint of the values {identity.fingerprint[:DIGEST_SHOWN]}.."
    print_whole(console, f"    {digests}")


def _show_request(console: Console, explained: Explanation) -> None:
    request = explained.request
    if request is None:
        print_wrapped(console, "None, because the row is invalid.")
        return
    print_whole(console, f"{request.method} {request.url}")
    for name, value in request.headers:
        print_whole(console, f"{name}: {value}")
    print_whole(console, "")
    for line in pretty_body(request).splitlines():
        print_whole(console, line)
    print_whole(console, "")
    print_wrapped(
        console,
        f"Indented for reading; sent without these blanks and line breaks, {len(request.body):,} bytes in UTF-8.",
    )


def pretty_body(request: ExplainedRequest) -> str:
    """Return the body indented, what is invisible as JSON's own escapes: the same JSON."""
    text = json.dumps(json.loads(request.body), ensure_ascii=False, indent=2)
    return "".join(each if each == "\n" or each.isprintable() else json.dumps(each)[1:-1] for each in text)


def _show_outlook(console: Console, outlook: Outlook) -> None:
    for sentence in _outlook_sentences(outlook):
        print_wrapped(console, sentence)
    step = outlook.last_step
    if step is not None:
        print_whole(console, f"    {step.at}  {step.operation}: {step.state}")
        print_whole(console, f"    in run {step.run_id}")
        if outlook.object_id:
            print_whole(console, f"    id {outlook.object_id}")


def _outlook_sentences(outlook: Outlook) -> tuple[str, ...]:
    """Return what would be done, why, and what stands in the way."""
    sentences = [DOES[outlook.state]]
    if outlook.state is State.PLANNED and outlook.operation is Operation.UPDATE:
        sentences = ["Update the object, because its values differ and `on_changed: update` is declared."]
        sentences.append("The object is read first; if somebody changed it since, nothing is sent.")
    if outlook.looks_first:
        sentences.append("Before that it looks into the tenant for what is there already.")
    if outlook.obstacle:
        sentences.append(f"But no import starts as it is configured now: {outlook.obstacle}.")
    if outlook.state in {State.INVALID, State.DUPLICATE, State.CONFLICTING}:
        return tuple(sentences)
    if outlook.ledger is None:
        sentences.append("There is no ledger here yet, so nothing counts as created before.")
    elif outlook.last_step is None:
        sentences.append(f"{near_path(outlook.ledger)} knows of no request for this object in this tenant.")
    else:
        sentences.append(f"The latest that {near_path(outlook.ledger)} knows of this object:")
    return tuple(sentences)


DOES = {
    State.PLANNED: "Create the object.",
    State.INVALID: "Leave the row out, and list it in errors.csv and errors.xlsx.",
    State.DUPLICATE: "Leave the row out: the first of the equal rows counts.",
    State.CONFLICTING: "Leave the row out, and list it in errors.csv and errors.xlsx.",
    State.ALREADY_THERE: "Nothing: the object was created before with the same values.",
    State.REJECTED_BEFORE: "Nothing: the service refused these values before. `certstate retry` sends them again.",
    State.CHANGED: "Nothing: the object was created before with other values, and `on_changed: report` is declared.",
    State.UNKNOWN: "Read the tenant back first, because the answer to an earlier request was lost; then decide.",
}
