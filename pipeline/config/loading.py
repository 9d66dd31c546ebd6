"""`load_settings`: the sources in their order, and every problem as one sentence."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from pipeline.config.fields import did_you_mean, shown
from pipeline.config.settings import PREFIX, Settings, config_keys
from pipeline.config.sources import (
    ENVIRON,
    FileTree,
    Overrides,
    Place,
    Tree,
    key_text,
    merge,
    read_file,
    read_options,
    read_variables,
    secret_hint,
    without_nulls,
)
from pipeline.errors import ConfigError

SHAPES = {
    "string_type": "must be a text",
    "path_type": "must be a text",
    "int_type": "must be a number",
    "int_parsing": "must be a number",
    "list_type": "must be a list, such as [a, b]",
    "tuple_type": "must be a list, such as [a, b]",
    "dict_type": "must be a mapping, such as {key: value}",
    "model_type": "must be a mapping, such as {key: value}",
    "dataclass_type": "must be a text",
    "missing": "the key is missing; add it",
}
"""What pydantic found -> what the user does about it."""

SECRET_PLACES = ("auth", "ledger")
"""Keys whose values are never repeated in a message."""


@dataclass(frozen=True, slots=True)
class _Origins:
    """Which source gave a value."""

    path: Path | None
    lines: Mapping[Place, int]
    variables: Mapping[str, str]
    options: Mapping[Place, str]

    def of(self, place: Place) -> tuple[int, str]:
        """Return what gave the value, or the nearest key above it: the line in the file (else 0), and its name."""
        for end in range(len(place), 0, -1):
            above = place[:end]
            variable = self.variables.get(PREFIX + "__".join(str(each) for each in above).upper())
            if above in self.options:
                return 0, f"option {self.options[above]}"
            if variable:
                return 0, f"environment variable {variable}"
            if above in self.lines:
                return self.lines[above], f"{self.path} line {self.lines[above]}"
        return 0, str(self.path or "configuration")


def load_settings(
    path: Path | None = None, overrides: Overrides | None = None, environ: Mapping[str, str] = ENVIRON
) -> Settings:
    """Return the settings of the file, over them the CERTSTATE_ variables, over them the command line.

    `path` None means config.yaml of the current folder if there is one, else no file. Raises ConfigError with one
    line per problem. Reads the file and the current folder's name.
    """
    overrides = overrides or Overrides()
    if path is None and Path("config.yaml").exists():
        path = Path("config.yaml")
    folder = Path.cwd() if path is None else path.absolute().parent
    file = read_file(path) if path is not None else FileTree()
    variable_tree, variables = read_variables(environ, _names_of_secrets(file.tree))
    option_tree, options = read_options(overrides)
    tree = without_nulls(merge(merge(file.tree, variable_tree), option_tree))
    _resolve_certificate_path(tree, folder)
    try:
        return Settings(folder, overrides.state, overrides.out, **tree)
    except ValidationError as problems:
        replaced = set(_places_of_values(variable_tree, ()))
        lines = {each: line for each, line in file.lines.items() if not _is_below(each, replaced)}
        origins = _Origins(path, lines, variables, options)
        sentences = [_sentence(each, origins) for each in problems.errors(include_url=False)]
    sentences.sort(key=lambda each: each[0])
    raise ConfigError("\n".join(dict.fromkeys(text for _, text in sentences)))


def _names_of_secrets(tree: Tree) -> frozenset[str]:
    """Return the names of variables that the file uses for secrets: such a name may begin with CERTSTATE_."""
    auth = tree.get("auth")
    pairs = auth.items() if isinstance(auth, dict) else ()
    return frozenset(value for key, value in pairs if key.endswith("_env") and isinstance(value, str))


def _resolve_certificate_path(tree: Tree, folder: Path) -> None:
    auth = tree.get("auth")
    if isinstance(auth, dict) and isinstance(auth.get("certificate_path"), str):
        auth["certificate_path"] = str(folder / Path(auth["certificate_path"]).expanduser())


def _places_of_values(tree: Tree, above: Place) -> Iterator[Place]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _places_of_values(value, (*above, key))
        else:
            yield (*above, key)


def _is_below(place: Place, others: set[Place]) -> bool:
    return any(place[:end] in others for end in range(1, len(place) + 1))


def _sentence(problem: ErrorDetails, origins: _Origins) -> tuple[int, str]:
    """Return the line in the file (else 0) and the sentence."""
    # pydantic marks a mapping's key, as opposed to its value, by a last step "[key]".
    place = tuple(each for each in problem["loc"] if each != "[key]")
    line, origin = origins.of(place)
    return line, f"{origin}, {key_text(place)}: {_what(problem, place)}"


def _what(problem: ErrorDetails, place: Place) -> str:
    kind, context, value = problem["type"], problem.get("ctx", {}), problem["input"]
    if kind == "config":
        return problem["msg"]
    if kind == "value_error":
        return str(context["error"])
    if kind == "extra_forbidden":
        return f"no such key{_near_key(place)}"
    if kind in {"enum", "literal_error"}:
        members = str(context["expected"]).replace("'", "")
        near = did_you_mean(str(value), members.replace(" or ", ", ").split(", "))
        shown_value = "this" if place[0] in SECRET_PLACES or not isinstance(value, str) else shown(value)
        return f"{shown_value} is not allowed; write {members}{near}"
    if value is None:
        return "the value is missing; write it, or remove the key"
    return SHAPES.get(kind, "has a value of the wrong kind; see the README for what may stand here")


def _near_key(place: Place) -> str:
    """Return the hint for an unknown key: where secrets go, else the nearest key at this or another place."""
    above = "".join("[]." if isinstance(each, int) else f"{each}." for each in place[:-1]).replace(".[]", "[]")
    wrong = str(place[-1])
    if secret_hint(wrong):
        return secret_hint(wrong)
    keys = [each.name for each in config_keys()]
    siblings = {name.removeprefix(above).partition(".")[0].partition("[")[0] for name in keys if name.startswith(above)}
    elsewhere = [name for name in keys if name.rpartition(".")[2] == wrong.lower()]
    if near := did_you_mean(wrong, siblings):
        return near
    if elsewhere:
        return f'; did you mean "{elsewhere[0]}"?'
    return f"; the keys here are {', '.join(sorted(siblings))}"
