"""TLS verification cannot be turned off: a server with a certificate of its own gets nothing, whatever is set."""

import datetime
import ipaddress
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cli_cases import call, move_to
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from import_cases import Site, devices, totals_of
from security_cases import TOKEN, leaks

from pipeline.cli.app import VERBS
from pipeline.config import load_settings
from pipeline.errors import ConfigError, ExitCode
from pipeline.run import import_files

SWITCHES = {
    "PYTHONHTTPSVERIFY": "0",
    "CURL_CA_BUNDLE": "",
    "REQUESTS_CA_BUNDLE": "",
    "AZURE_CLI_DISABLE_CONNECTION_VERIFICATION": "1",
    "NODE_TLS_REJECT_UNAUTHORIZED": "0",
    "HTTPX_VERIFY": "0",
    "HTTPX_LOG_LEVEL": "trace",
    "SSL_VERIFY": "false",
    "GIT_SSL_NO_VERIFY": "1",
    "PIP_TRUSTED_HOST": "127.0.0.1",
}
"""What turns the verification off elsewhere."""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that signed itself, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "graph.contoso.com")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


@contextmanager
def posing_as_graph(certificate: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield the service root of a TLS server, and the requests that it could read."""
    requests: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            requests.append(f"{self.requestline} {self.headers}")

        do_GET = do_POST  # noqa: N815 - the name is given

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """Say nothing of a handshake that the client ends: that is what is tested."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = Server(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_address[1]}/beta", requests
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize("name", [*SWITCHES, "SSL_CERT_DIR", "all of them"])
def test_no_variable_turns_the_verification_off(
    site: Site, certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Set for us and for the process, each leaves it as it is: exit code 6, the reason in words, and nothing sent."""
    environ = SWITCHES if name == "all of them" else {name: SWITCHES.get(name, str(tmp_path))}
    for variable, text in environ.items():
        monkeypatch.setenv(variable, text)
    with posing_as_graph(certificate) as (root, requests):
        file = site.write("inventory.csv", devices(2))
        job = site.job(root, environ={"GRAPH_TOKEN": TOKEN, **environ})
        finished = import_files([file], replace(job, check_remote=name == "all of them"))

    assert (finished.exit_code, totals_of(finished), requests) == (ExitCode.PREFLIGHT, {"unsent": 2}, [])
    assert "CERTIFICATE_VERIFY_FAILED" in f"{finished}{site.notes}"
    assert leaks(site.folder, [repr(finished)], TOKEN) == []


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_a_place_for_roots_without_any_trusts_nobody_more(
    site: Site, certificate: Path, tmp_path: Path, name: str
) -> None:
    """An empty folder adds no root; as a file it is told before anything is sent."""
    empty = tmp_path / "empty"
    empty.mkdir()
    with posing_as_graph(certificate) as (root, requests):
        job = replace(site.job(root, environ={"GRAPH_TOKEN": TOKEN, name: str(empty)}), check_remote=False)
        file = site.write("inventory.csv", devices(1))
        if name == "SSL_CERT_FILE":
            with pytest.raises(ConfigError, match="holds no certificates that can be read"):
                import_files([file], job)
        else:
            assert import_files([file], job).exit_code is ExitCode.PREFLIGHT

    assert requests == []


@pytest.mark.parametrize(
    "lines",
    [
        "verify: false",
        "tls: {verify: false}",
        "insecure: true",
        "send: {verify: false}",
        "send: {verify_tls: false}",
        "tenant: {verify_ssl: false}",
        "auth: {connection_verify: false}",
        "auth: {disable_instance_discovery: true}",
    ],
)
def test_no_key_turns_the_verification_off(tmp_path: Path, lines: str) -> None:
    """A key that another tool has is an error here, not something that is passed over."""
    config = tmp_path / "config.yaml"
    config.write_text(lines, "utf-8")

    with pytest.raises(ConfigError, match=r"config\.yaml line 1, .*: no such key"):
        load_settings(config, environ={})


@pytest.mark.parametrize("name", ["VERIFY", "SEND__VERIFY", "INSECURE", "SSL_VERIFY", "TENANT__VERIFY_SSL"])
def test_no_variable_of_ours_turns_the_verification_off(tmp_path: Path, name: str) -> None:
    """The same holds for variables."""
    config = tmp_path / "config.yaml"
    config.write_text("edition: '1706'", "utf-8")

    with pytest.raises(ConfigError, match=f"environment variable CERTSTATE_{name}: no such key"):
        load_settings(config, environ={f"CERTSTATE_{name}": "0"})


@pytest.mark.parametrize("option", ["--insecure", "-k", "--no-verify"])
@pytest.mark.parametrize("verb", [name for name, _ in VERBS])
def test_no_option_turns_the_verification_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str, option: str
) -> None:
    """The usual ones are misuse, behind a verb and before it."""
    move_to(tmp_path, monkeypatch)
    behind, before = call(verb, option), call(option, verb)

    assert (behind.code, before.code) == (ExitCode.USAGE, ExitCode.USAGE)
    assert f"No such option: {option}" in behind.stderr
    assert f"No such option: {option}" in before.stderr
