"""Where settings come from: config.yaml, CERTSTATE_ variables, command line options. Each becomes a tree of texts.

A scalar is text exactly as it is written: YAML by itself reads NO as false and 00123 as 83. Only an empty value,
`null` and `~` mean "not given".
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

import yaml
from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource

from pipeline.config.fields import did_you_mean
from pipeline.config.settings import PREFIX, Settings, config_keys
from pipeline.editions import EDITIONS
from pipeline.errors import ConfigError
from pipeline.model import EXTRA_COLUMNS

ENVIRON: Mapping[str, str] = os.environ
"""The process's environment. What needs a variable is given this mapping, or another one, as an argument."""

Place = tuple[str | int, ...]  # keys and indexes that lead to a value
Tree = dict[str, object]

PROPERTY_MAPS = ("columns", "values", "defaults")
YAML_TYPES = ("map", "seq", "str", "null", "bool", "int", "float", "timestamp", "merge", "value")
YAML_TAGS = {f"tag:yaml.org,2002:{each}" for each in YAML_TYPES}
NULL = "tag:yaml.org,2002:null"


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the command line says; None where it says nothing. `state` and `out` are folders, not keys."""

    edition: str | None = None
    graph_url: str | None = None
    concurrency: str | None = None
    mode: str | None = None
    quota: str | None = None
    max_errors: str | None = None
    state: Path | None = None
    out: Path | None = None


OPTIONS: dict[str, Place] = {
    "edition": ("edition",),
    "graph_url": ("tenant", "graph_url"),
    "concurrency": ("send", "concurrency"),
    "mode": ("send", "mode"),
    "quota": ("send", "quota"),
    "max_errors": ("send", "max_errors"),
}


@dataclass(frozen=True, slots=True)
class FileTree:
    """config.yaml as texts, with the line on which each key or entry begins (the first line is 1)."""

    tree: Tree = field(default_factory=dict)
    lines: dict[Place, int] = field(default_factory=dict)


def read_file(path: Path) -> FileTree:
    """Return the file's tree. Raises ConfigError, with one line per problem. Reads the file."""
    try:
        content = path.read_bytes()
    except OSError as problem:
        raise ConfigError(
            f"{path}: the configuration cannot be read ({problem.strerror}); check the name and the permission"
        ) from None
    try:
        root = yaml.compose(content, Loader=yaml.SafeLoader)
    except yaml.reader.ReaderError as problem:
        raise ConfigError(
            f"{path}: not UTF-8 text (at byte {problem.position:,}); save the file as UTF-8 with a text editor"
        ) from None
    except yaml.MarkedYAMLError as problem:
        raise ConfigError(_syntax_problem(path, problem)) from None
    if root is None or root.tag == NULL:
        return FileTree()
    if not isinstance(root, yaml.MappingNode):
        raise ConfigError(
            f'{path} line {root.start_mark.line + 1}: not a mapping of keys; write lines such as edition: "1706"'
        )
    reading = _Reading()
    tree = reading.mapping(root, ())
    if reading.problems:
        raise ConfigError("\n".join(f"{path} line {line}, {text}" for line, text in reading.problems))
    return FileTree(tree, reading.lines)


def read_variables(environ: Mapping[str, str], spared: frozenset[str]) -> tuple[Tree, dict[str, str]]:
    """Return the tree of the CERTSTATE_ variables, and the variables' names as set by their upper-case names.

    Empty variables and those of `spared` (names that the configuration uses for secrets) are passed over. Raises
    ConfigError for a variable that is no key.
    """
    ours = {name.upper(): name for name, text in environ.items() if name.upper().startswith(PREFIX) and text}
    spared |= {environ[name] for upper, name in ours.items() if upper.endswith("_ENV")}
    names = {upper: name for upper, name in ours.items() if name not in spared}
    problems = [_unknown_variable(names[upper]) for upper in sorted(names) if not _is_known(upper)]
    if problems:
        raise ConfigError("\n".join(problems))
    source = _Variables(Settings)
    source.env_vars = {upper.lower(): environ[name] for upper, name in names.items()}
    tree = source()
    spelled = {each.lower(): each for each in _property_names()}
    for key in PROPERTY_MAPS:
        properties = tree.get(key)
        if isinstance(properties, dict):
            # The names of variables carry no letter case (Windows has upper case only).
            tree[key] = {spelled.get(name.lower(), name): value for name, value in properties.items()}
    return tree, names


def read_options(overrides: Overrides) -> tuple[Tree, dict[Place, str]]:
    """Return the tree of the options that set a key, and the options' names by the key they set."""
    tree: Tree = {}
    options: dict[Place, str] = {}
    for each in fields(overrides):
        place, value = OPTIONS.get(each.name), getattr(overrides, each.name)
        if place is not None and value is not None:
            tree = merge(tree, _branch(place, str(value)))
            options[place] = "--" + each.name.replace("_", "-")
    return tree, options


def merge(below: Mapping[str, object], above: Mapping[str, object]) -> Tree:
    """Return a tree with the keys of both; where both have a value, the one of `above`."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def without_nulls(tree: Mapping[str, object]) -> Tree:
    """Return the tree without known keys that have no value: an empty `profiles:` means the default."""
    known = {each.name for each in config_keys()}
    sections = {name.partition(".")[0] for name in known}
    kept: Tree = {}
    for key, value in tree.items():
        if isinstance(value, dict) and key not in PROPERTY_MAPS:
            kept[key] = {
                name: inner for name, inner in value.items() if inner is not None or f"{key}.{name}" not in known
            }
        elif value is not None or key not in sections:
            kept[key] = value
    return kept


def _branch(place: Place, value: object) -> Tree:
    first, *rest = place
    return {str(first): _branch(tuple(rest), value) if rest else value}


class _Reading:
    """YAML nodes -> texts, with their lines and every problem on the way."""

    def __init__(self) -> None:
        self.lines: dict[Place, int] = {}
        self.problems: list[tuple[int, str]] = []
        self._seen: set[int] = set()

    def value(self, node: yaml.Node, place: Place) -> object:
        line = node.start_mark.line + 1
        self.lines.setdefault(place, line)
        if node.tag not in YAML_TAGS:
            self.problems.append((line, f"{key_text(place)}: tags (!) are not supported; put such text in quotes"))
        if isinstance(node, yaml.ScalarNode):
            return None if node.tag == NULL else node.value
        if id(node) in self._seen:
            self.problems.append((line, f"{key_text(place)}: aliases (*) are not supported; write the value out"))
            return None
        self._seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            return [self.value(each, (*place, index)) for index, each in enumerate(node.value)]
        return self.mapping(node, place)

    def mapping(self, node: yaml.Node, place: Place) -> Tree:
        tree: Tree = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self.problems.append((line, "a key is a list or a mapping; write a name, and {{...}} in quotes"))
                continue
            inner = (*place, key_node.value)
            if key_node.value in tree:
                first = self.lines[inner]
                self.problems.append((line, f"{key_text(inner)}: the key stands on line {first} already; keep one"))
                continue
            self.lines[inner] = line
            tree[key_node.value] = self.value(value_node, inner)
        return tree


def key_text(place: Place) -> str:
    """Return such as `send.quota` or `profiles entry 2, id`."""
    text, separator = "", ""
    for each in place:
        text += f" entry {each + 1}" if isinstance(each, int) else separator + each
        separator = ", " if isinstance(each, int) else "."
    return text


def _syntax_problem(path: Path, problem: yaml.MarkedYAMLError) -> str:
    mark = problem.problem_mark or problem.context_mark
    line = f" line {mark.line + 1}" if mark else ""
    said = problem.problem or "it cannot be read"
    if "alias" in said or "anchor" in said or "tag" in said:
        # What PyYAML says would repeat a part of the value, which may be a secret.
        return f"{path}{line}: a value begins with *, & or !, which YAML reserves; put the value in quotes"
    if "escape" in said:
        return rf"{path}{line}: a \ in double quotes begins an escape; use single quotes, as in 'C:\certs\app.pem'"
    if "another document" in said:
        return f"{path}{line}: a line --- begins a second document; remove it"
    return f"{path}{line}: not valid YAML ({said}); check the indent, the blank after each colon and the quotes"


class _Variables(EnvSettingsSource):
    """pydantic-settings' own reading of variables, but lists and mappings are read as in config.yaml (or as JSON)."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: object) -> object:  # noqa: ARG002 - the interface is given
        """Return the list or mapping that the text holds, else the text: what it should be is told by `Settings`."""
        if not isinstance(value, str) or not value.lstrip().startswith(("[", "{")):
            return value
        try:
            root = yaml.compose(value, Loader=yaml.SafeLoader)
        except yaml.YAMLError:
            return value
        reading = _Reading()
        found = reading.value(root, ()) if root else value
        return value if reading.problems else found


def _is_known(upper: str) -> bool:
    section, *inner = upper.removeprefix(PREFIX).lower().split("__")
    keys = {each.name for each in config_keys() if "[]" not in each.name}
    if section in PROPERTY_MAPS and len(inner) == 1:
        return inner[0] in {each.lower() for each in _property_names()}
    if not inner:
        return section in {each.partition(".")[0] for each in keys}
    return (section, *inner) in {tuple(each.split(".")) for each in keys}


def _unknown_variable(name: str) -> str:
    key = name.upper().removeprefix(PREFIX)
    known = [each.name.upper().replace(".", "__") for each in config_keys() if "[]" not in each.name]
    near = did_you_mean(key, known).replace('"', f'"{PREFIX}', 1)
    cure = secret_hint(key.rpartition("__")[2]) or near or "; unset it, or rename it if another program needs it"
    return f"environment variable {name}: no such key{cure}"


SECRET_KEYS = {
    "token": "token_env",
    "access_token": "token_env",
    "secret": "client_secret_env",
    "client_secret": "client_secret_env",
    "password": "certificate_password_env",
    "certificate_password": "certificate_password_env",
}
"""Keys that would hold a secret -> the key that names an environment variable instead."""


def secret_hint(key: str) -> str:
    """Return what to do instead of writing the secret, or "" when `key` is not the name of a secret."""
    named = SECRET_KEYS.get(key.lower().replace("-", "_"))
    if named is None:
        return ""
    return f"; a secret goes into an environment variable of your choice, whose name goes into auth.{named}"


def _property_names() -> Iterator[str]:
    for edition in EDITIONS.values():
        yield from (each.name for each in edition.properties)
    yield from EXTRA_COLUMNS
