"""Every verb of the command line with a sentinel for every secret, against a service that repeats what it is told."""

from pathlib import Path

import pytest
from cli_cases import Called, call, move_to
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from import_cases import PROFILE_OF, config_of, devices, write_csv
from security_cases import (
    CERTIFICATE_PASSWORD,
    CLIENT_SECRET,
    OPAQUE_TOKEN,
    TOKEN,
    EchoService,
    hostile,
    latest_import,
    leaks,
)

from pipeline.cli.app import VERBS
from pipeline.errors import ExitCode

ROWS = 3
CLIENT_ID = "99999999-8888-4777-8666-555555555555"
SECRETS = {"GRAPH_TOKEN": OPAQUE_TOKEN, "APP_SECRET": CLIENT_SECRET, "KEY_PASSWORD": CERTIFICATE_PASSWORD}
WITHOUT_SECRETS = {"simulate", "demo"}  # they sign in nowhere


def settle_in(folder: Path, monkeypatch: pytest.MonkeyPatch, auth: str) -> None:
    """Make the folder the current one, with a config.yaml that names all secrets and waits for nothing."""
    move_to(folder, monkeypatch)
    text = config_of(PROFILE_OF).replace("max_errors: 100%", "max_errors: 100%, settle_s: 0, quota: 10000/1s")
    names = "client_secret_env: APP_SECRET, certificate_password_env: KEY_PASSWORD"
    Path("config.yaml").write_text(f"{text}auth: {{{auth}, client_id: {CLIENT_ID}, {names}}}\n", "utf-8")
    for name, secret in SECRETS.items():
        monkeypatch.setenv(name, secret)


def found(folder: Path, calls: dict[str, Called], *more: str) -> dict[str, list[str]]:
    """Return for each secret where it was found."""
    said = [text for each in calls.values() for text in (each.stdout, each.stderr)]
    return {secret: places for secret in (*SECRETS.values(), *more) if (places := leaks(folder, said, secret))}


@pytest.mark.parametrize(("write", "page"), [("created", "values"), (403, "values"), ("created", 401), (400, 403)])
def test_no_verb_shows_or_keeps_a_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: int | str, page: int | str
) -> None:
    """Whether it succeeds or is refused: nothing is on stdout or stderr, in a report, a log, a plan or the ledger."""
    settle_in(tmp_path, monkeypatch, "method: token")
    file = write_csv(tmp_path / "inventory.csv", devices(ROWS))
    calls: dict[str, Called] = {}
    with hostile(EchoService(write=write, page=page, rows=ROWS)) as server:
        at = ("--graph-url", server.root)
        for name, arguments in (
            ("inspect", ("inspect", file)),
            ("validate", ("validate", file)),
            ("plan", ("plan", file, "--remote", "--save", "plan.json", *at)),
            ("explain", ("explain", file, "--row", "2", *at)),
            ("import", ("import", file, "--yes", *at)),
            ("resume", ("resume", *at)),
            ("retry", ("retry", "RUN", *at)),
            ("verify", ("verify", "RUN", "--wait-s", "0", *at)),
            ("undo", ("undo", "RUN", "--yes", *at)),
            ("runs", ("runs", "show", "RUN", "--row", "2", *at)),
            ("report", ("report", "RUN", *at)),
            ("ledger", ("ledger", "check")),
        ):
            run_id = latest_import(tmp_path)
            words = [run_id if each == "RUN" else each for each in arguments]
            calls[name] = call("--verbose", *(("--output", "json") if name == "runs" else ()), *words)

    assert {*calls} | WITHOUT_SECRETS == {name for name, _ in VERBS}
    assert {name: each.stderr for name, each in calls.items() if each.code in {ExitCode.INTERNAL, ExitCode.USAGE}} == {}
    assert {each.bearer for each in server.asked} == {OPAQUE_TOKEN}
    assert found(tmp_path, calls) == {}


@pytest.mark.parametrize("kind", ["another password", "no key", "no file"])
def test_a_sign_in_that_fails_shows_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """A certificate file that its password does not open is told in one sentence, also with --verbose."""
    settle_in(tmp_path, monkeypatch, "method: certificate, certificate_path: app.pem")
    if kind == "another password":
        encryption = serialization.BestAvailableEncryption(b"not the sentinel")
        key = ec.generate_private_key(ec.SECP256R1())
        formats = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        Path("app.pem").write_bytes(key.private_bytes(*formats, encryption))
    elif kind == "no key":
        Path("app.pem").write_text(CLIENT_SECRET[::-1], "utf-8")
    if kind != "no file":
        Path("app.pem").chmod(0o600)
    file = write_csv(tmp_path / "inventory.csv", devices(1))
    called = call("--verbose", "import", file, "--graph-url", "http://127.0.0.1:1/beta")

    assert called.code == ExitCode.PREFLIGHT
    assert called.stderr.count("certstate:") == 1
    assert found(tmp_path, {"import": called}) == {}


@pytest.mark.parametrize(
    "line",
    [
        f"auth: {{token: {TOKEN}}}",
        f"auth: {{token_env: {TOKEN}}}",
        f'auth: {{client_secret: "{CLIENT_SECRET}"}}',
        f'auth: {{method: "{CLIENT_SECRET}"}}',
        f'auth: {{client_id: "{CLIENT_SECRET}"}}',
        f'auth: {{certificate_password: "{CERTIFICATE_PASSWORD}"}}',
        f'auth: {{certificate_password_env: "{CERTIFICATE_PASSWORD}"}}',
        f'auth: "{TOKEN}"',
        f'tenant: {{graph_url: "https://user:{CLIENT_SECRET}@graph.microsoft.com/beta"}}',
        f'ledger: "postgresql://user:{CLIENT_SECRET}@contoso.com/db"',
    ],
)
@pytest.mark.parametrize("verb", ["validate", "import"])
def test_a_secret_that_was_written_into_config_yaml_is_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str, line: str
) -> None:
    """It is refused, and told where it belongs; the terminal may be a log that many read."""
    move_to(tmp_path, monkeypatch)
    Path("config.yaml").write_text(f"{line}\n", "utf-8")
    file = write_csv(tmp_path / "inventory.csv", devices(1))
    called = call("--verbose", verb, file)
    Path("config.yaml").unlink()

    assert called.code == ExitCode.USAGE
    said = [called.stdout, called.stderr]
    assert [leaks(tmp_path, said, secret) for secret in (TOKEN, CLIENT_SECRET, CERTIFICATE_PASSWORD)] == [[], [], []]
