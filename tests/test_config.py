"""config.yaml, CERTSTATE_ variables and options -> Settings, or one sentence per problem."""

import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from pipeline.config import (
    AuthMethod,
    Cloud,
    Overrides,
    ProfileEntry,
    Quota,
    RouteEntry,
    Send,
    Settings,
    Threshold,
    config_hash,
    config_keys,
    load_settings,
)
from pipeline.declared import DateNumber, DateOrder, SerialForm
from pipeline.editions import ProfileType
from pipeline.errors import ConfigError

GUID = "6a1f0e5c-2f0b-4c8e-9a55-0d3f1b7c2e11"
SENTINEL = "S3NTINEL"
TEMPLATE = Path(__file__).parent.parent / "config.yaml"

Load = Callable[..., Settings]
Problems = Callable[..., list[str]]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def load(
        text: str | bytes, environ: Mapping[str, str] | None = None, overrides: Overrides | None = None
    ) -> Settings:
        path = tmp_path / "config.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_settings(path, overrides, environ or {})

    return load


@pytest.fixture
def problems(load: Load, tmp_path: Path) -> Problems:
    def problems(
        text: str | bytes, environ: Mapping[str, str] | None = None, overrides: Overrides | None = None
    ) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            load(text, environ, overrides)
        return str(caught.value).replace(f"{tmp_path / 'config.yaml'}", "FILE").splitlines()

    return problems


def test_every_key_is_read(load: Load, tmp_path: Path) -> None:
    """Every key of the file reaches the settings as its own type."""
    settings = load(
        f"""
edition: current
tenant: {{id: {GUID.upper()}, cloud: usgov-dod, graph_url: "http://127.0.0.1:8080/beta"}}
auth:
  method: certificate
  token_env: T
  client_id: {GUID}
  client_secret_env: S
  certificate_path: app.pem
  certificate_password_env: P
profiles:
  - {{platform: iOS, profile_type: pkcs, id: {GUID}}}
  - {{name: "Corp, macOS", id: {GUID}}}
routes:
  - {{platform: iOS, path: a.b/c_d}}
columns: {{devicePlatform: [Platform, OS], profileType: Kind}}
values: {{devicePlatform: {{iPhone: iOS}}}}
defaults: {{certificateIssuer: CN=Example CA}}
optional: [deviceDisplayName]
timezone: Europe/Berlin
send: {{concurrency: 256, quota: 5/1s, max_errors: "0"}}
ledger: sqlite:///other/l.db
"""
    )

    assert (settings.edition, settings.timezone, settings.zone) == (
        "current",
        "Europe/Berlin",
        ZoneInfo("Europe/Berlin"),
    )
    assert settings.tenant.model_dump() == {
        "id": GUID,
        "cloud": Cloud.USGOV_DOD,
        "graph_url": "http://127.0.0.1:8080/beta",
    }
    assert settings.auth.model_dump() == {
        "method": AuthMethod.CERTIFICATE,
        "token_env": "T",
        "client_id": GUID,
        "client_secret_env": "S",
        "certificate_path": tmp_path / "app.pem",
        "certificate_password_env": "P",
    }
    assert settings.profiles == (
        ProfileEntry(platform="iOS", profile_type=ProfileType.PKCS, id=GUID),
        ProfileEntry(name="Corp, macOS", id=GUID),
    )
    assert settings.routes == (RouteEntry(platform="iOS", profile_type=ProfileType.SCEP, path="a.b/c_d"),)
    assert settings.columns == {"devicePlatform": ("Platform", "OS"), "profileType": ("Kind",)}
    assert settings.values == {"devicePlatform": {"iPhone": "iOS"}}
    assert settings.defaults == {"certificateIssuer": "CN=Example CA"}
    assert settings.optional == ("deviceDisplayName",)
    assert settings.send == Send(concurrency=256, quota=Quota(5, 1), max_errors=Threshold(0, None))
    assert (settings.ledger_path, settings.runs_dir) == (tmp_path / "other/l.db", tmp_path / "runs")


def test_text_stays_as_written(load: Load) -> None:
    """What YAML would read as false, an octal number, a float or a date stays the text in the file."""
    settings = load(
        "columns: {userDisplayName: NO}\n"
        "values: {userDisplayName: {yes: 1e5, 12: null text}}\n"
        "defaults: {certificateSerialNumber: 00123, certificateExpirationDateTime: 2026-01-01}\n"
    )

    assert settings.columns == {"userDisplayName": ("NO",)}
    assert settings.values == {"userDisplayName": {"yes": "1e5", "12": "null text"}}
    assert settings.defaults == {"certificateSerialNumber": "00123", "certificateExpirationDateTime": "2026-01-01"}


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "tenant:\nprofiles:\nauth: {client_id: }\ntimezone: ~\nsend:\n  quota: null\n"]
)
def test_nothing_given_means_the_defaults(load: Load, text: str) -> None:
    """An empty file and keys without a value give the defaults."""
    assert load(text).model_dump() == Settings().model_dump()


def test_utf16_and_byte_order_marks_are_read(load: Load) -> None:
    """A file that PowerShell or Notepad wrote with a byte order mark is read like any other."""
    texts = ["edition: current".encode("utf-16"), "edition: current".encode("utf-8-sig")]

    assert [load(each).edition for each in texts] == ["current", "current"]


@pytest.mark.parametrize("quota", ["100/20s", "100/20", " 100 / 20 s "])
def test_quota_forms(load: Load, quota: str) -> None:
    """A quota is writes, a slash, seconds."""
    assert load(f"send: {{quota: {quota}}}").send.quota == Quota(100, 20)


@pytest.mark.parametrize(
    ("text", "threshold"),
    [
        ("20%", Threshold(None, 20.0)),
        ("2.5 %", Threshold(None, 2.5)),
        ("50", Threshold(50, None)),
        ("100%", Threshold(None, 100.0)),
    ],
)
def test_threshold_forms(load: Load, text: str, threshold: Threshold) -> None:
    """A threshold is a number of rows or a share."""
    assert load(f"send: {{max_errors: {text}}}").send.max_errors == threshold


def test_environment_beats_file_and_options_beat_both(load: Load) -> None:
    """An option comes before a variable, a variable before the file, key by key."""
    text = "send: {quota: 1/1s, concurrency: 1, max_errors: 1}\nedition: current"
    variables = {"CERTSTATE_SEND__QUOTA": "2/2s", "CERTSTATE_SEND__CONCURRENCY": "2", "certstate_edition": "1706"}

    settings = load(text, variables, Overrides(quota="3/3s"))

    assert settings.send == Send(quota=Quota(3, 3), concurrency=2, max_errors=Threshold(1, None))
    assert settings.edition == "1706"


def test_lists_and_mappings_in_variables(load: Load) -> None:
    """Lists and mappings in variables are JSON, a text that looks like one stays a text, names carry no letter case."""
    settings = load(
        "columns: {devicePlatform: [OS], userDisplayName: [User]}",
        {
            "CERTSTATE_PROFILES": f'[{{"platform": "iOS", "id": "{GUID}"}}]',
            "CERTSTATE_COLUMNS__DEVICEPLATFORM": '["Platform", "NO"]',
            "CERTSTATE_COLUMNS__deviceDisplayName": "012",
            "CERTSTATE_VALUES__DEVICEPLATFORM": '{"iPhone": "iOS"}',
            "CERTSTATE_DEFAULTS__CERTIFICATEISSUER": "{{Issuer}}",
            "CERTSTATE_OPTIONAL": "[userDisplayName]",
        },
    )

    assert settings.profiles == (ProfileEntry(platform="iOS", id=GUID),)
    assert settings.columns == {
        "devicePlatform": ("Platform", "NO"),
        "userDisplayName": ("User",),
        "deviceDisplayName": ("012",),
    }
    assert settings.values == {"devicePlatform": {"iPhone": "iOS"}}
    assert settings.defaults == {"certificateIssuer": "{{Issuer}}"}
    assert settings.optional == ("userDisplayName",)


def test_empty_variables_are_passed_over(load: Load) -> None:
    """A variable that is set to nothing changes nothing."""
    assert load("edition: current", {"CERTSTATE_EDITION": "", "CERTSTATE_NOTHING": ""}).edition == "current"


def test_a_variable_that_holds_a_secret_may_begin_with_certstate(load: Load) -> None:
    """The name in token_env is not mistaken for a key, whether the file or a variable gives it."""
    by_file = load("auth: {token_env: CERTSTATE_TOKEN}", {"CERTSTATE_TOKEN": SENTINEL})
    by_variable = load("", {"CERTSTATE_AUTH__TOKEN_ENV": "CERTSTATE_TOKEN", "CERTSTATE_TOKEN": SENTINEL})

    assert [by_file.auth.token_env, by_variable.auth.token_env] == ["CERTSTATE_TOKEN"] * 2


def test_unknown_variables_are_errors(problems: Problems) -> None:
    """Each unknown CERTSTATE_ variable is named with the nearest one there is, and never its value."""
    unset = "no such key; unset it, or rename it if another program needs it"
    variables = (
        "CERTSTATE_SEND__QUOTTA",
        "CERTSTATE_SEND__QUOTA__X",
        "CERTSTATE_SEND.QUOTA",
        "CERTSTATE_ZZZ",
        "CERTSTATE_COLUMNS__NOPE",
        "CERTSTATE_AUTH__CLIENT_SECRET",
    )

    found = problems("", dict.fromkeys(variables, SENTINEL))

    assert found == [
        (
            "environment variable CERTSTATE_AUTH__CLIENT_SECRET: no such key; a secret goes into an "
            "environment variable "
            "of your choice, whose name goes into auth.client_secret_env"
        ),
        f"environment variable CERTSTATE_COLUMNS__NOPE: {unset}",
        'environment variable CERTSTATE_SEND.QUOTA: no such key; did you mean "CERTSTATE_SEND__QUOTA"?',
        'environment variable CERTSTATE_SEND__QUOTA__X: no such key; did you mean "CERTSTATE_SEND__QUOTA"?',
        'environment variable CERTSTATE_SEND__QUOTTA: no such key; did you mean "CERTSTATE_SEND__QUOTA"?',
        f"environment variable CERTSTATE_ZZZ: {unset}",
    ]


def test_problems_name_place_and_cure(problems: Problems) -> None:
    """All problems come at once, each with its line, its key and what to do."""
    found = problems(
        "edition: 17\n"
        "tennant: {}\n"
        "quota: 1\n"
        "tenant:\n"
        "  id: <your tenant id>\n"
        "  cloud: usgv\n"
        "send:\n"
        "  quota: fast\n"
        "  max_errors: 101%\n"
        "  concurrency: 0\n"
        "profiles:\n"
        "  - platfrm: iOS\n"
        "    id: 00000000-0000-0000-0000-000000000000\n"
        "  - {platform: iOS}\n"
        "optional: {a: b}\n"
        "columns: [a]\n"
        "values: {devicePlatform: iOS}\n"
        "defaults: {serverUrl: }\n"
        "timezone: utc\n"
    )

    assert found == [
        'FILE line 1, edition: "17" is not allowed; write 1706 or current',
        'FILE line 2, tennant: no such key; did you mean "tenant"?',
        'FILE line 3, quota: no such key; did you mean "send.quota"?',
        "FILE line 5, tenant.id: is not a GUID; copy the id from Intune or Entra",
        (
            'FILE line 6, tenant.cloud: "usgv" is not allowed; write global, usgov, usgov-dod or china; did you mean '
            '"usgov"?'
        ),
        'FILE line 8, send.quota: "fast" is not a quota; write the writes and the seconds, such as 100/20s',
        'FILE line 9, send.max_errors: "101%" is no error threshold; write rows such as 50, or a share such as 20%',
        'FILE line 10, send.concurrency: "0" is no number of requests; write auto, or a number from 1 to 256',
        'FILE line 12, profiles entry 1, platfrm: no such key; did you mean "platform"?',
        "FILE line 13, profiles entry 1, id: is an empty GUID; copy the id from Intune or Entra",
        "FILE line 14, profiles entry 2, id: the key is missing; add it",
        "FILE line 15, optional: must be a list, such as [a, b]",
        "FILE line 16, columns: must be a mapping, such as {key: value}",
        "FILE line 17, values.devicePlatform: must be a mapping, such as {key: value}",
        "FILE line 18, defaults.serverUrl: the value is missing; write it, or remove the key",
        'FILE line 19, timezone: "utc" is no IANA time zone; did you mean "UTC"?',
    ]


def test_problems_with_the_edition(problems: Problems) -> None:
    """Names that the edition does not have, and entries that contradict each other, are found."""
    found = problems(
        "columns:\n"
        "  devicePlatfrom: [a]\n"
        "  userDisplayName: [Some One, '']\n"
        "  deviceDisplayName: [someone]\n"
        "  profileType: [x]\n"
        "values:\n"
        "  devicePlatform: {a: ios, A: windows10}\n"
        "defaults: {deviceConfigurationId: x, serverUrl: ' '}\n"
        "optional: [devicePlatform, certificateErrorCode]\n"
        "profiles:\n"
        f"  - {{platform: iOS, id: {GUID}}}\n"
        f"  - {{platform: iOS, profile_type: scep, id: {GUID}}}\n"
        f"  - {{name: ' ', id: {GUID}}}\n"
        f"  - {{platform: ios, profile_type: pkcs, id: {GUID}}}\n"
        "routes:\n"
        "  - {platform: macOS, path: a}\n"
        "  - {platform: macOS, profile_type: scep, path: b}\n"
    )

    assert found == [
        (
            'FILE line 2, columns.devicePlatfrom: "devicePlatfrom" is no property of edition 1706; did you '
            'mean "devicePlatform"?'
        ),
        "FILE line 3, columns.userDisplayName: a header is empty; write the header's text or remove it",
        (
            'FILE line 4, columns.deviceDisplayName: the header "someone" stands for userDisplayName '
            "already; keep it at one of them"
        ),
        'FILE line 5, columns.profileType: "profileType" is no property of edition 1706',
        'FILE line 7, values.devicePlatform: "a" is given twice, in another letter case; keep one of them',
        'FILE line 7, values.devicePlatform: "A" is given twice, in another letter case; keep one of them',
        (
            'FILE line 7, values.devicePlatform: "windows10" is no devicePlatform; it has android, '
            "androidForWork, iOS, macOS, windowsPhone81, windows81AndLater, windows10AndLater"
        ),
        (
            "FILE line 8, defaults.deviceConfigurationId: the id of rows without one is not a default; give "
            "it under profiles"
        ),
        "FILE line 8, defaults.serverUrl: a value is empty; write the value or remove the key",
        "FILE line 9, optional entry 1: devicePlatform cannot be optional, because it decides the route; remove it",
        'FILE line 9, optional entry 2: "certificateErrorCode" is no property of edition 1706',
        (
            "FILE line 12, profiles entry 2: is for the same rows as entry 1; keep one, or give each its "
            "own platform or profile_type"
        ),
        "FILE line 13, profiles entry 3: the entry does not say for which rows it is; add a platform or a name",
        (
            'FILE line 14, profiles entry 4, platform: "ios" is no devicePlatform; it has android, '
            "androidForWork, iOS, macOS, windowsPhone81, windows81AndLater, windows10AndLater; did you mean "
            '"iOS"?'
        ),
        "FILE line 14, profiles entry 4, profile_type: edition 1706 has no pkcs; it has scep",
        "FILE line 17, routes entry 2: replaces the same path as entry 1; keep one of them",
    ]


def test_profiles_of_one_name_on_two_platforms_are_two(load: Load) -> None:
    """The same display name is allowed once for each platform, and the same platform once for each profile type."""
    settings = load(
        "edition: current\nprofiles:\n"
        f"  - {{name: Corp, platform: iOS, id: {GUID}}}\n"
        f"  - {{name: Corp, platform: macOS, id: {GUID}}}\n"
        f"  - {{platform: iOS, profile_type: scep, id: {GUID}}}\n"
        f"  - {{platform: iOS, profile_type: pkcs, id: {GUID}}}\n"
    )

    assert len(settings.profiles) == 4


@pytest.mark.parametrize("path", ["../users", "a//b", "/a", "a/", "a/./b", "a?b", "a b", "", "a/%2e%2e"])
def test_a_route_keeps_the_shape_of_the_url(problems: Problems, path: str) -> None:
    """A path that is not names with single slashes between them is refused."""
    assert problems(f"routes: [{{platform: iOS, path: '{path}'}}]") == [
        (
            f'FILE line 1, routes entry 1, path: "{path}" is not a path; write names of letters, digits, '
            "dots and _ with "
            "single slashes between them, such as microsoft.graph.iosScepCertificateProfile"
        )
    ]


def test_a_route_ends_before_the_collection(problems: Problems) -> None:
    """A path that holds the collection's name already is refused."""
    assert problems("routes: [{platform: iOS, path: a/managedDeviceCertificateStates}]") == [
        (
            'FILE line 1, routes entry 1, path: "a/managedDeviceCertificateStates" is too long; leave out '
            "managedDeviceCertificateStates, which every path ends with"
        )
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "edition: current\nsend: {quota: 1/1s}\nedition: 1706\n",
            "line 3, edition: the key stands on line 1 already; keep one",
        ),
        ("send: {quota: 1/1s, quota: 2/2s}", "line 1, send.quota: the key stands on line 1 already; keep one"),
        ("- a", 'line 1: not a mapping of keys; write lines such as edition: "1706"'),
        ("just text", 'line 1: not a mapping of keys; write lines such as edition: "1706"'),
        (
            "send:\n  quota: [1",
            (
                "line 2: not valid YAML (expected ',' or ']', but got '<stream end>'); check the indent, the "
                "blank after "
                "each colon and the quotes"
            ),
        ),
        (
            'auth: {certificate_path: "C:\\certs"}',
            "line 1: a \\ in double quotes begins an escape; use single quotes, as in 'C:\\certs\\app.pem'",
        ),
        ("a: 1\n---\nb: 2", "line 2: a line --- begins a second document; remove it"),
        ("auth:\n  token: *x", "line 2: a value begins with *, & or !, which YAML reserves; put the value in quotes"),
        ("send: &x {quota: 1/1s}\ntenant: *x", "line 1, tenant: aliases (*) are not supported; write the value out"),
        ("tenant: !!python/none x", "line 1, tenant: tags (!) are not supported; put such text in quotes"),
        ("? [a]\n: b", "line 1, a key is a list or a mapping; write a name, and {{...}} in quotes"),
    ],
    ids=["twice", "twice-inside", "list", "text", "syntax", "escape", "documents", "alias", "anchor", "tag", "key"],
)
def test_a_file_that_is_no_configuration(problems: Problems, text: str, message: str) -> None:
    """What YAML or certstate cannot take is told with its line, in words of the file."""
    assert problems(text) == [f"FILE {message}"]


def test_a_binary_file_is_refused(problems: Problems) -> None:
    """A file that is not text is told as such."""
    assert problems(b"%PDF-1.4\n\xff\xfe") == [
        "FILE: not UTF-8 text (at byte 9); save the file as UTF-8 with a text editor"
    ]


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    """A file that was asked for and is not there, and a folder, are errors."""
    with pytest.raises(ConfigError, match=r"none\.yaml: the configuration cannot be read \(No such file"):
        load_settings(tmp_path / "none.yaml", None, {})
    with pytest.raises(ConfigError, match="the configuration cannot be read"):
        load_settings(tmp_path, None, {})


def test_the_source_of_a_wrong_value_is_named(problems: Problems) -> None:
    """A wrong value is blamed on the option, the variable or the line that gave it."""
    profiles = f"profiles: [{{platform: iOS, id: {GUID}}}]\nsend: {{max_errors: x}}"
    variables = {"CERTSTATE_PROFILES": "[{platform: iOS}]", "CERTSTATE_SEND": '{"concurrency": "x"}'}

    assert problems(profiles, variables, Overrides(quota="x")) == [
        "environment variable CERTSTATE_PROFILES, profiles entry 1, id: the key is missing; add it",
        (
            'environment variable CERTSTATE_SEND, send.concurrency: "x" is no number of requests; write '
            "auto, or a number "
            "from 1 to 256"
        ),
        'option --quota, send.quota: "x" is not a quota; write the writes and the seconds, such as 100/20s',
        'FILE line 2, send.max_errors: "x" is no error threshold; write rows such as 50, or a share such as 20%',
    ]
    assert problems("", {"CERTSTATE_OPTIONAL": "[a"}) == [
        "environment variable CERTSTATE_OPTIONAL, optional: must be a list, such as [a, b]"
    ]


@pytest.mark.parametrize(
    ("method", "missing"),
    [
        ("client-secret", ["client_id", "client_secret_env"]),
        ("certificate", ["client_id", "certificate_path"]),
        ("device-code", ["client_id"]),
    ],
)
def test_each_method_tells_what_it_needs(problems: Problems, method: str, missing: list[str]) -> None:
    """A method without its keys names each of them."""
    assert problems(f"auth: {{method: {method}}}") == [
        f"FILE line 1, auth.{key}: the key is missing, and auth.method {method} needs it; add it" for key in missing
    ]


@pytest.mark.parametrize("method", ["token", "managed-identity", "workload-identity", "azure-cli"])
def test_methods_that_need_no_key(load: Load, method: str) -> None:
    """These methods work without further keys."""
    assert load(f"auth: {{method: {method}}}").auth.method == method


@pytest.mark.parametrize(
    "text",
    [
        f"auth: {{client_secret: {SENTINEL}}}",
        f"auth: {{token: {SENTINEL}, password: {SENTINEL}}}",
        f"client_secret: {SENTINEL}",
        f"auth: {SENTINEL}",
        f"auth: {{method: {SENTINEL}, client_id: {SENTINEL}}}",
        f"auth: {{token_env: {SENTINEL}~.x, client_secret_env: [{SENTINEL}]}}",
        f"auth: {{client_secret: *{SENTINEL}}}",
        f"auth: {{client_secret: !{SENTINEL}!x y}}",
        f"auth: {{client_secret: &{SENTINEL} a, token: &{SENTINEL} b",
        f"auth: {{client_secret: '{SENTINEL}",
        f"ledger: postgresql://u:{SENTINEL}@host/db",
        f"tenant: {{graph_url: [{SENTINEL}]}}",
    ],
)
def test_a_secret_in_the_file_is_not_repeated(load: Load, text: str) -> None:
    """Neither the message nor a traceback of the error shows what was written at a key for secrets."""
    with pytest.raises(ConfigError) as caught:
        load(text)

    assert SENTINEL not in "".join(traceback.format_exception(caught.value)).replace(text, "")


def test_a_secret_in_the_file_is_told_where_to_go(problems: Problems) -> None:
    """The message names the key that takes the variable's name instead."""
    assert problems(f"auth: {{method: token, token: {SENTINEL}}}") == [
        (
            "FILE line 1, auth.token: no such key; a secret goes into an environment variable of your "
            "choice, whose name "
            "goes into auth.token_env"
        )
    ]


@pytest.mark.parametrize("url", ["postgresql://host/db", "sqlite://", "sqlite:///:memory:", "state/ledger.db"])
def test_the_ledger_is_an_sqlite_file(problems: Problems, url: str) -> None:
    """Any other URL is refused."""
    assert problems(f"ledger: '{url}'") == [
        "FILE line 1, ledger: is not the URL of an SQLite file; write one such as sqlite:///state/ledger.db"
    ]


def test_places_follow_the_file_and_the_options(load: Load, tmp_path: Path) -> None:
    """Ledger and runs are below the file's folder, unless an absolute URL or an option says otherwise."""
    absolute = load(f"ledger: sqlite:///{tmp_path}/elsewhere/l.db")
    by_option = load("", {}, Overrides(state=Path("/s"), out=Path("/o")))

    assert (absolute.folder, absolute.ledger_path) == (tmp_path, tmp_path / "elsewhere/l.db")
    assert (by_option.ledger_path, by_option.runs_dir) == (Path("/s/ledger.db"), Path("/o"))


def test_without_a_path_the_current_folder_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """config.yaml of the current folder is read if it is there, else the defaults hold."""
    monkeypatch.chdir(tmp_path)
    without = load_settings(None, None, {})
    (tmp_path / "config.yaml").write_text("edition: current")
    with_file = load_settings(None, None, {})

    assert [(each.edition, each.folder) for each in (without, with_file)] == [
        ("1706", tmp_path),
        ("current", tmp_path),
    ]


def test_the_process_environment_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `environ` the process's variables are read; constructing Settings reads none."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CERTSTATE_EDITION", "current")

    assert (load_settings().edition, Settings().edition) == ("current", "1706")


def test_settings_cannot_be_changed(load: Load) -> None:
    """Settings and their sections are frozen."""
    settings = load("")

    with pytest.raises(ValueError, match="frozen"):
        settings.edition = "current"
    with pytest.raises(ValueError, match="frozen"):
        settings.send.concurrency = 3


def test_config_hash_follows_what_is_sent_and_where(load: Load) -> None:
    """The hash changes with bodies, routes and scope, and with nothing else."""
    base = config_hash(load(""))
    same = [
        "send: {quota: 1/1s}",
        "auth: {token_env: X}",
        "ledger: sqlite:///x.db",
        "columns: {}",
    ]
    other = [
        "edition: current",
        f"tenant: {{id: {GUID}}}",
        "tenant: {cloud: china}",
        "tenant: {graph_url: x}",
        f"profiles: [{{platform: iOS, id: {GUID}}}]",
        "routes: [{platform: iOS, path: x}]",
        "columns: {devicePlatform: OS}",
        "values: {devicePlatform: {a: iOS}}",
        "defaults: {serverUrl: x}",
        "optional: [serverUrl]",
        "timezone: UTC",
        "templates: {serverUrl: x}",
        "date_order: dmy",
        "date_number: excel-1904",
        "serial: decimal",
    ]

    assert {config_hash(load(text)) for text in same} == {base}
    assert len({config_hash(load(text)) for text in other} - {base}) == len(other)


def test_what_values_mean_can_be_declared(load: Load) -> None:
    """Templates, the order and the number of dates, and the form of serial numbers reach the settings."""
    settings = load(
        'templates: {certificateIssuer: "{Issuer} ({CA})", devicePlatform: ios}\n'
        "date_order: mdy\ndate_number: epoch-seconds\nserial: decimal\ncolumns: {certificate: PEM}\n"
    )

    assert settings.templates == {"certificateIssuer": "{Issuer} ({CA})", "devicePlatform": "ios"}
    assert (settings.date_order, settings.date_number, settings.serial) == (
        DateOrder.MDY,
        DateNumber.EPOCH_SECONDS,
        SerialForm.DECIMAL,
    )
    assert settings.columns == {"certificate": ("PEM",)}


def test_what_values_mean_is_checked(problems: Problems) -> None:
    """A template that cannot be read, a word that is no choice and a property that is none are told with their line."""
    text = (
        'templates:\n  certificateIssuer: "{Issuer"\n  serverUrl: "{}"\n  devicePlatform: Toaster\n'
        "  issuer: x\n  userDisplayName: ' '\n"
    )

    assert problems(text) == [
        (
            'FILE line 2, templates.certificateIssuer: "{Issuer" has a brace without its partner; write {Header}, '
            "and a brace itself as {{ or }}"
        ),
        'FILE line 3, templates.serverUrl: "{}" has empty braces; write a header between them, such as {Issuer}',
        (
            'FILE line 4, templates.devicePlatform: "Toaster" is no devicePlatform; it has android, androidForWork, '
            "iOS, macOS, windowsPhone81, windows81AndLater, windows10AndLater"
        ),
        'FILE line 5, templates.issuer: "issuer" is no property of edition 1706',
        "FILE line 6, templates.userDisplayName: a value is empty; write the value or remove the key",
    ]
    assert problems("date_order: dym\nserial: octal\ndate_number: unix\n") == [
        'FILE line 1, date_order: "dym" is not allowed; write dmy, mdy or ymd',
        'FILE line 2, serial: "octal" is not allowed; write hex or decimal',
        (
            'FILE line 3, date_number: "unix" is not allowed; write excel-1900, excel-1904, epoch-seconds or '
            "epoch-milliseconds"
        ),
    ]


def test_config_keys_have_meanings() -> None:
    """Every key is listed once, in the template's order, with its meaning in one line."""
    keys = config_keys()

    assert [each.name for each in keys][:5] == [
        "edition",
        "tenant.id",
        "tenant.cloud",
        "tenant.graph_url",
        "auth.method",
    ]
    assert len({each.name for each in keys}) == len(keys) == 37
    assert [each for each in keys if not each.meaning or "\n" in each.meaning] == []


def test_the_template_loads_and_shows_every_key() -> None:
    """The shipped config.yaml is valid, gives the defaults, and mentions every key."""
    settings = load_settings(TEMPLATE, None, {})
    text = TEMPLATE.read_text(encoding="utf-8")

    assert settings.model_dump() == Settings().model_dump()
    assert [each.name for each in config_keys() if each.name.rpartition(".")[2] not in text] == []


def test_the_templates_placeholders_fail_clearly(problems: Problems) -> None:
    """A placeholder that was uncommented but not replaced is named with its line."""
    text = TEMPLATE.read_text(encoding="utf-8").replace("# id: <", "id: <").replace("# client_id: <", "client_id: <")

    assert [line.split(", ", 1)[1] for line in problems(text)] == [
        "tenant.id: is not a GUID; copy the id from Intune or Entra",
        "auth.client_id: is not a GUID; copy the id from Intune or Entra",
    ]
