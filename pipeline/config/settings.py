"""The keys of config.yaml with their defaults and rules. No I/O."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple, Self, get_args
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from pipeline.config.fields import (
    AuthMethod,
    CastPath,
    Cloud,
    Concurrency,
    Guid,
    Headers,
    LedgerUrl,
    OnChanged,
    Quota,
    QuotaText,
    Threshold,
    ThresholdText,
    TimeZoneName,
    VariableName,
    did_you_mean,
    shown,
)
from pipeline.declared import DateNumber, DateOrder, SerialForm
from pipeline.editions import COLLECTION, EDITIONS, Edition, EnumType, ProfileType
from pipeline.identity import fold_header, fold_word
from pipeline.model import CERTIFICATE_COLUMN, PROFILE_ID_COLUMN, PROFILE_TYPE_COLUMN, SendMode
from pipeline.templates import parse_template

PREFIX = "CERTSTATE_"
"""What the names of environment variables that hold a key begin with."""

Problem = tuple[tuple[str | int, ...], str]  # where in the tree of keys, and what is wrong there

NEEDED_KEYS: dict[AuthMethod, tuple[str, ...]] = {
    AuthMethod.CLIENT_SECRET: ("client_id", "client_secret_env"),
    AuthMethod.CERTIFICATE: ("client_id", "certificate_path"),
    AuthMethod.DEVICE_CODE: ("client_id",),
}


class Section(BaseModel):
    """What every mapping of config.yaml has in common: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Tenant(Section):
    """Where the objects go."""

    id: Guid | None = Field(None, description="the tenant's GUID; required for anything but a local simulator")
    cloud: Cloud = Field(Cloud.GLOBAL, description="global, usgov, usgov-dod or china")
    graph_url: str | None = Field(
        None, description="service root to use instead of the cloud's, such as http://127.0.0.1:8080/beta"
    )


class Auth(Section):
    """How the bearer token is obtained. Secrets are named, never written."""

    method: AuthMethod = Field(AuthMethod.TOKEN, description=", ".join(AuthMethod))
    token_env: VariableName = Field("GRAPH_TOKEN", description="environment variable that holds the bearer token")
    client_id: Guid | None = Field(None, description="client id of the app registration or user-assigned identity")
    client_secret_env: VariableName | None = Field(
        None, description="environment variable that holds the client secret"
    )
    certificate_path: Path | None = Field(
        None, description="PEM or PKCS#12 file with certificate and private key, relative to config.yaml's folder"
    )
    certificate_password_env: VariableName | None = Field(
        None, description="environment variable that holds the certificate file's password"
    )


class ProfileEntry(Section):
    """One configuration profile: which rows belong to it, and its id."""

    platform: str = Field("", description="devicePlatform of the rows that belong to the profile")
    name: str = Field("", description="certificateProfileDisplayName of the rows that belong to the profile")
    profile_type: ProfileType | None = Field(None, description="the profile's type, such as scep or pkcs")
    id: Guid = Field(description="the profile's GUID, the deviceConfigurationId")


class RouteEntry(Section):
    """One path that replaces the edition's."""

    platform: str = Field(description="devicePlatform whose path is replaced")
    profile_type: ProfileType = Field(ProfileType.SCEP, description="profile type whose path is replaced")
    path: CastPath = Field(description=f"the path between the profile's id and {COLLECTION}")


class Send(Section):
    """How fast rows are sent, when sending stops, and what is done when an answer is lost."""

    concurrency: Concurrency = Field("auto", description="requests in flight: auto (the default), or 1 to 256")
    mode: SendMode = Field(
        SendMode.SINGLE,
        description="how rows travel: single (the default), one in each request, or batch, up to 20 in a `$batch`",
    )
    quota: QuotaText = Field(
        Quota(100, 20), description="writes per seconds that the service allows this app; 100/20s unless given"
    )
    max_errors: ThresholdText = Field(
        Threshold(None, 20.0),
        description="stop at more than so many bad rows (50) or such a share of them; 20% unless given",
    )
    settle_s: float = Field(
        120.0,
        ge=0,
        le=3_600,
        allow_inf_nan=False,
        description="seconds in which an object may still appear after its answer was lost; 120 unless given",
    )
    timeout_s: float = Field(
        100.0,
        ge=1,
        le=600,
        allow_inf_nan=False,
        description="seconds without a byte after which an answer counts as lost; 100 unless given",
    )
    on_changed: OnChanged = Field(
        OnChanged.REPORT,
        description="rows whose object was created before with other values: report them (the default), or update it",
    )


class Settings(BaseSettings):
    """Everything that can be configured, checked. `load_settings` makes it."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, env_prefix=PREFIX, env_nested_delimiter="__"
    )

    edition: Literal["1706", "current"] = Field(
        "1706", description='edition of the API: "1706", or current, which a live tenant expects'
    )
    tenant: Tenant = Tenant()
    auth: Auth = Auth()
    profiles: tuple[ProfileEntry, ...] = Field(
        (), description="configuration profiles by platform or name, for rows without a deviceConfigurationId"
    )
    routes: tuple[RouteEntry, ...] = Field((), description="paths that replace the edition's")
    columns: dict[str, Headers] = Field({}, description="property: [further headers that stand for it]")
    ignored: tuple[str, ...] = Field((), description="headers of columns that are not sent and need no warning")
    values: dict[str, dict[str, str]] = Field({}, description="property: {text in the file: value to send}")
    defaults: dict[str, str] = Field({}, description="property: value for an absent column or an empty cell")
    templates: dict[str, str] = Field(
        {}, description='property: text for every row; {Header} stands for that column\'s cell, as in "{Issuer} ({CA})"'
    )
    optional: tuple[str, ...] = Field((), description="required properties that may be absent")
    timezone: TimeZoneName | None = Field(
        None, description="IANA time zone of date-times without an offset, such as UTC or Europe/Berlin"
    )
    date_order: DateOrder | None = Field(
        None, description="what comes first in dates such as 03/04/2025: dmy, mdy or ymd"
    )
    date_number: DateNumber | None = Field(
        None,
        description="what bare numbers count where a date is expected: excel-1900, excel-1904, epoch-seconds or "
        "epoch-milliseconds",
    )
    serial: SerialForm | None = Field(
        None, description="what serial numbers of decimal digits only are written in: hex or decimal"
    )
    send: Send = Send()
    ledger: LedgerUrl = Field(
        "sqlite:///state/ledger.db", description="SQLite URL of the ledger, relative to config.yaml's folder"
    )

    _folder: Path = PrivateAttr()
    _state: Path | None = PrivateAttr()
    _out: Path | None = PrivateAttr()

    def __init__(
        self, folder: Path | None = None, state: Path | None = None, out: Path | None = None, /, **keys: object
    ) -> None:
        # Not BaseSettings': it would read the process's environment, and take keys such as `_env_file` for itself.
        BaseModel.__init__(self, **keys)
        self._folder = folder or Path.cwd()
        self._state, self._out = state, out

    @property
    def folder(self) -> Path:
        """The folder of config.yaml, or the current one: what relative paths are relative to."""
        return self._folder

    @property
    def ledger_path(self) -> Path:
        """The ledger's file; `--state DIR` comes before the key `ledger`."""
        if self._state is not None:
            return self._state / "ledger.db"
        return self._folder / self.ledger.removeprefix("sqlite:///")

    @property
    def runs_dir(self) -> Path:
        """The folder that gets one folder per run; `--out DIR` replaces it."""
        return self._folder / "runs" if self._out is None else self._out

    @property
    def zone(self) -> ZoneInfo | None:
        """The time zone of date-times without an offset, or None when such values are errors."""
        return ZoneInfo(self.timezone) if self.timezone else None

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        problems = [
            InitErrorDetails(type=PydanticCustomError("config", text), loc=loc, input=None)
            for loc, text in (*_auth_problems(self.auth), *_entry_problems(self), *_property_problems(self))
        ]
        if problems:
            raise ValidationError.from_exception_data("Settings", problems)
        return self


def _auth_problems(auth: Auth) -> Iterator[Problem]:
    for key in NEEDED_KEYS.get(auth.method, ()):
        if getattr(auth, key) is None:
            yield ("auth", key), f"the key is missing, and auth.method {auth.method} needs it; add it"


def _entry_problems(settings: Settings) -> Iterator[Problem]:
    edition = EDITIONS[settings.edition]
    for index, profile in enumerate(settings.profiles):
        place = ("profiles", index)
        yield from _route_problems(place, profile.platform, profile.profile_type, edition)
        if not profile.platform and not profile.name.strip():
            yield place, "the entry does not say for which rows it is; add a platform or a name"
        for other, earlier in enumerate(settings.profiles[:index], start=1):
            if _same_rows(profile, earlier):
                cure = "keep one, or give each its own platform or profile_type"
                yield place, f"is for the same rows as entry {other}; {cure}"
    replaced = [(each.platform, each.profile_type) for each in settings.routes]
    for index, route in enumerate(settings.routes):
        yield from _route_problems(("routes", index), route.platform, route.profile_type, edition)
        first = replaced.index(replaced[index])
        if first < index:
            yield ("routes", index), f"replaces the same path as entry {first + 1}; keep one of them"


def _route_problems(
    place: tuple[str | int, ...], platform: str, profile_type: ProfileType | None, edition: Edition
) -> Iterator[Problem]:
    platforms = next(
        each.type.members
        for each in edition.properties
        if each.name == "devicePlatform" and isinstance(each.type, EnumType)
    )
    if platform and platform not in platforms:
        yield (*place, "platform"), _not_one_of(platform, "devicePlatform", platforms)
    if profile_type and profile_type not in edition.profile_types:
        types = ", ".join(edition.profile_types)
        yield (*place, "profile_type"), f"edition {edition.name} has no {profile_type}; it has {types}"


def _same_rows(one: ProfileEntry, other: ProfileEntry) -> bool:
    """Return True when some row would fit both entries equally well."""
    names = {each.name.strip().casefold() for each in (one, other)}
    platforms = {one.platform, other.platform}
    types = {one.profile_type, other.profile_type}
    return (
        len(names) == 1
        and (len(platforms) == 1 or (names != {""} and "" in platforms))
        and (len(types) == 1 or None in types)
    )


def _property_problems(settings: Settings) -> Iterator[Problem]:
    edition = EDITIONS[settings.edition]
    properties = [each.name for each in edition.properties]
    type_column = [PROFILE_TYPE_COLUMN] if edition.name == "current" else []
    for key, used, known in (
        ("columns", settings.columns, [*properties, PROFILE_ID_COLUMN, *type_column, CERTIFICATE_COLUMN]),
        ("values", settings.values, [*properties, PROFILE_ID_COLUMN, *type_column]),
        ("defaults", settings.defaults, [*properties, *type_column]),
        ("templates", settings.templates, [*properties, PROFILE_ID_COLUMN, *type_column]),
    ):
        for name in used:
            if name == PROFILE_ID_COLUMN and name not in known:
                yield (key, name), "the id of rows without one is not a default; give it under profiles"
            elif name not in known:
                yield (key, name), _not_a_property(name, known, edition)
    for index, name in enumerate(settings.optional):
        if name not in properties:
            yield ("optional", index), _not_a_property(name, properties, edition)
        elif name == "devicePlatform":
            yield ("optional", index), "devicePlatform cannot be optional, because it decides the route; remove it"
    yield from _header_problems(settings)
    yield from _template_problems(settings)
    yield from _value_problems(settings, edition)


def _header_problems(settings: Settings) -> Iterator[Problem]:
    property_of: dict[str, str] = {}
    for name, headers in settings.columns.items():
        for header in headers:
            folded = fold_header(header)
            if not folded:
                yield ("columns", name), "a header is empty; write the header's text or remove it"
            elif folded == "...":
                yield ("columns", name), "a header is still to be filled in; write it or remove the key"
            elif property_of.setdefault(folded, name) != name:
                yield (
                    ("columns", name),
                    f"the header {shown(header)} stands for {property_of[folded]} already; keep it at one of them",
                )


def _template_problems(settings: Settings) -> Iterator[Problem]:
    for name, text in settings.templates.items():
        try:
            parse_template(text)
        except ValueError as problem:
            yield ("templates", name), f"{shown(text)} {problem}"


def _value_problems(settings: Settings, edition: Edition) -> Iterator[Problem]:
    enums = {each.name: each.type for each in edition.properties if isinstance(each.type, EnumType)}
    given = [(("defaults", name), name, text) for name, text in settings.defaults.items()]
    given += [(("templates", name), name, text) for name, text in settings.templates.items() if "{" not in text]
    # inspect proposes keys with ... for what it cannot know.
    for name, replacements in settings.values.items():
        given += [(("values", name), name, text) for text in replacements.values()]
        folded = [fold_word(text) for text in replacements]
        for text, fold in zip(replacements, folded, strict=True):
            if folded.count(fold) > 1:
                yield ("values", name), f"{shown(text)} is given twice, in another letter case; keep one of them"
    for place, name, text in given:
        enum = enums.get(name)
        if not text.strip():
            yield place, "a value is empty; write the value or remove the key"
        elif text.strip() == "...":
            yield place, "the value is still to be filled in; write it or remove the key"
        elif enum and not enum.is_flags and text.casefold() not in (each.casefold() for each in enum.members):
            yield place, _not_one_of(text, name, enum.members)


def _not_one_of(text: str, name: str, members: Iterable[str]) -> str:
    return f"{shown(text)} is no {name}; it has {', '.join(members)}{did_you_mean(text, members)}"


def _not_a_property(name: str, known: Iterable[str], edition: Edition) -> str:
    return f"{shown(name)} is no property of edition {edition.name}{did_you_mean(name, known)}"


class ConfigKey(NamedTuple):
    """One key of config.yaml, dotted; `profiles[].id` is the key `id` of each entry of `profiles`."""

    name: str
    meaning: str


def config_keys() -> tuple[ConfigKey, ...]:
    """Return every key with its meaning in one line, in the order of the template."""
    return tuple(_keys_of(Settings, ""))


def _keys_of(model: type[BaseModel], prefix: str) -> Iterator[ConfigKey]:
    for name, field in model.model_fields.items():
        shape = field.annotation
        if field.description:
            yield ConfigKey(prefix + name, field.description)
        if isinstance(shape, type) and issubclass(shape, Section):
            yield from _keys_of(shape, f"{prefix}{name}.")
        for inner in get_args(shape):
            if isinstance(inner, type) and issubclass(inner, Section):
                yield from _keys_of(inner, f"{prefix}{name}[].")


def config_hash(settings: Settings) -> str:
    """Return the SHA-256, in hexadecimal, over the keys that change bodies, routes or scope."""
    keys = {"edition", "tenant", "profiles", "routes", "columns", "values", "defaults", "optional", "timezone"}
    keys |= {"templates", "date_order", "date_number", "serial"}
    text = json.dumps(settings.model_dump(mode="json", include=keys), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
