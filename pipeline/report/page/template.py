"""What the pages share: Jinja's templates, the styles, the policy, and how a page takes the place of an earlier one."""

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pipeline.report.page import shown
from pipeline.report.replacing import replacing
from pipeline.wording import counted, duration

STYLES = ("page.css", "charts.css")


def fill_page(path: Path, template: str, context: Mapping[str, object], *, script: str = "") -> None:
    """Write the page of the template, in place of an earlier one only when it is complete.

    `script` is a file of this folder; "" lets none run. Raises OSError when the page cannot be written.
    """
    style = "\n".join(_text(name) for name in STYLES)
    code = _text(script) if script else ""
    text = (
        _environment()
        .get_template(template)
        .render(
            context,
            style=Markup(style),  # noqa: S704 - ours, and its hash stands in the policy
            script=Markup(code),  # noqa: S704 - ours, and its hash stands in the policy
            policy=_policy(style, code),
        )
    )
    with replacing(path) as unfinished:
        # Half of a surrogate pair is no UTF-8.
        unfinished.write_text(text, "utf-8", errors="replace", newline="\n")


@cache  # compiling a template takes longer than filling it
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("pipeline.report.page", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters |= {
        "visible": shown.visible,
        "code": shown.code,
        "prose": shown.prose,
        "duration": duration,
        "clock_time": shown.clock_time,
        "minute": shown.minute,
        "link": lambda name: quote(name, errors="replace"),
    }
    environment.globals["counted"] = counted
    return environment


def _policy(style: str, script: str) -> str:
    """Return the Content-Security-Policy: nothing runs and nothing is loaded but what stands in the page."""
    scripts = _source_hash(script) if script else "'none'"
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {scripts}",
            f"style-src {_source_hash(style)}",
            "img-src data:",
            "connect-src 'none'",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _source_hash(text: str) -> str:
    """Return the source expression that lets just this inline text through (W3C, CSP3, 2.3.1)."""
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}'"


def _text(name: str) -> str:
    return (files("pipeline.report.page") / name).read_text("utf-8")
