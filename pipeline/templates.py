"""`templates:` of config.yaml: a value put together from several columns, or the same for every row. No I/O."""

import re
from typing import NamedTuple

PART = re.compile(r"\{\{|\}\}|\{(?P<header>[^{}]*)\}|[{}]")


class Template(NamedTuple):
    """A text with headers in it; without headers it is a constant."""

    literals: tuple[str, ...]  # one more than headers: what stands before, between and behind them
    headers: tuple[str, ...]  # as config.yaml spells them


def parse_template(text: str) -> Template:
    """Return the template of such as `{Issuer} ({CA})`. A brace itself is written twice.

    Raises ValueError with a phrase that says what is wrong.
    """
    literals: list[str] = [""]
    headers: list[str] = []
    end = 0
    for part in PART.finditer(text):
        literals[-1] += text[end : part.start()]
        end = part.end()
        if part.group() in {"{{", "}}"}:
            literals[-1] += part.group()[0]
        elif part["header"] is None:
            raise ValueError("has a brace without its partner; write {Header}, and a brace itself as {{ or }}")
        elif not part["header"].strip():
            raise ValueError("has empty braces; write a header between them, such as {Issuer}")
        else:
            headers.append(part["header"])
            literals.append("")
    literals[-1] += text[end:]
    return Template(tuple(literals), tuple(headers))
