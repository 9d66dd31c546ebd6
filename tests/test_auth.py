"""Hosts, tenants and bearer tokens: no token leaves for the wrong place, and none is ever shown."""

import asyncio
import base64
import json
import logging
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError
from azure.identity import (
    AzureCliCredential,
    CertificateCredential,
    ClientSecretCredential,
    CredentialUnavailableError,
    DeviceCodeCredential,
    ManagedIdentityCredential,
    WorkloadIdentityCredential,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from pydantic import SecretStr

from pipeline.auth import (
    CLOUDS,
    TokenSource,
    app_id_of,
    check_host,
    credential_of,
    is_loopback,
    open_token_source,
    scope_of,
    service_root_of,
)
from pipeline.config import Auth, AuthMethod, Cloud, Tenant
from pipeline.errors import ConfigError, PreflightError
from pipeline.model import Scope

TENANT_ID = "6a1f0e5c-2f0b-4c8e-9a55-0d3f1b7c2e11"
OTHER_ID = "11111111-2f0b-4c8e-9a55-0d3f1b7c2e11"
CLIENT_ID = "22222222-2f0b-4c8e-9a55-0d3f1b7c2e11"
GRAPH = "https://graph.microsoft.com/beta"
LOCAL = "http://127.0.0.1:8080/beta"
SENTINEL = "S3NTINEL"
NOW = 1_800_000_000.0


def jwt(**claims: object) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJub25lIn0.{payload}.c2ln"


class Answer(NamedTuple):
    """What azure-identity answers."""

    token: str
    expires_on: int


@dataclass
class Clock:
    """A clock that stands until it is set."""

    now: float = NOW

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@dataclass
class Issuer:
    """Makes credentials that give out the answers in turn (an exception is raised), and counts what was asked."""

    answers: list[Answer | Exception]
    made: int = 0
    closed: int = 0
    scopes: list[tuple[str, ...]] = field(default_factory=list)
    threads: set[int] = field(default_factory=set)

    def __call__(self, *_: object) -> "Issuer":
        """Make a credential."""
        self.made += 1
        return self

    def get_token(self, *scopes: str) -> Answer:
        """Give the next answer."""
        self.scopes.append(scopes)
        self.threads.add(threading.get_ident())
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        """Count the call."""
        self.closed += 1


def good_for(seconds: float, token: str) -> Answer:
    return Answer(token, int(NOW + seconds))


def managed(issuer: Issuer, clock: Clock | None = None, tenant: Tenant | None = None) -> TokenSource:
    return open_token_source(
        Auth(method=AuthMethod.MANAGED_IDENTITY),
        tenant or Tenant(id=TENANT_ID),
        GRAPH,
        {},
        make_credential=issuer,
        clock=clock or Clock(),
    )


def bare(token: str, tenant: Tenant | None = None, service_root: str = GRAPH) -> TokenSource:
    return open_token_source(
        Auth(), tenant or Tenant(id=TENANT_ID), service_root, {"GRAPH_TOKEN": token}, clock=Clock()
    )


# hosts and scope


@pytest.mark.parametrize(
    ("cloud", "service_root", "authority"),
    [
        ("global", "https://graph.microsoft.com/beta", "login.microsoftonline.com"),
        ("usgov", "https://graph.microsoft.us/beta", "login.microsoftonline.us"),
        ("usgov-dod", "https://dod-graph.microsoft.us/beta", "login.microsoftonline.us"),
        ("china", "https://microsoftgraph.chinacloudapi.cn/beta", "login.chinacloudapi.cn"),
    ],
)
def test_each_cloud_has_its_hosts(cloud: str, service_root: str, authority: str) -> None:
    """A cloud decides the service root and the authority."""
    tenant = Tenant(id=TENANT_ID, cloud=Cloud(cloud))

    assert (scope_of(tenant), CLOUDS[cloud].authority) == (Scope(service_root, TENANT_ID), authority)


def test_every_cloud_of_the_configuration_is_known() -> None:
    """The table of hosts has exactly the clouds that can be configured."""
    assert set(CLOUDS) == {each.value for each in Cloud}


@pytest.mark.parametrize(
    ("url", "service_root"),
    [
        ("HTTPS://Graph.Microsoft.COM/Beta/", GRAPH),
        ("https://graph.microsoft.com:443/beta", GRAPH),
        (" http://LOCALHOST:80/v1.0// ", "http://localhost/v1.0"),
        ("http://[::1]:8080/beta", "http://[::1]:8080/beta"),
    ],
)
def test_graph_url_is_normalised(url: str, service_root: str) -> None:
    """Spellings of one service root are one scope."""
    assert service_root_of(Tenant(graph_url=url)) == service_root


@pytest.mark.parametrize(
    "url",
    [
        "",
        "graph.microsoft.com/beta",
        "ftp://127.0.0.1/beta",
        "http://127.0.0.1:8080",
        "http://127.0.0.1/v2",
        "http://127.0.0.1/beta/deviceManagement",
        "http://127.0.0.1/beta?x=1",
        "http://127.0.0.1/beta#x",
        "http://u:S3NTINEL@127.0.0.1/beta",
        "http://127.0.0.1:99999/beta",
        "http://[::1/beta",
        "http:///beta",
        "http://127.0.0.1/be\nta",
        "http://127.0.0.1 /beta",
        "http://gräph/beta",
    ],
)
def test_graph_url_must_be_a_service_root(url: str) -> None:
    """Anything but scheme, host, port and version is refused, without repeating what may hold a password."""
    with pytest.raises(ConfigError, match=r"^tenant\.graph_url: .*such as http://127\.0\.0\.1:8080/beta$") as caught:
        service_root_of(Tenant(graph_url=url))

    assert SENTINEL not in str(caught.value)


@pytest.mark.parametrize(
    ("service_root", "expected"),
    [
        ("http://127.0.0.1:8080/beta", True),
        ("http://127.8.9.1/beta", True),
        ("http://localhost/beta", True),
        ("https://[::1]:1/beta", True),
        ("http://127.0.0.1.example.com/beta", False),
        ("http://localhost.example.com/beta", False),
        ("http://128.0.0.1/beta", False),
        ("http://[::2]/beta", False),
        (GRAPH, False),
    ],
)
def test_loopback(service_root: str, expected: bool) -> None:
    """Only this machine's own addresses and the name localhost are loopback."""
    assert is_loopback(service_root) is expected


@pytest.mark.parametrize(
    "service_root",
    [
        "http://graph.microsoft.com/beta",
        "https://graph.microsoft.com:8443/beta",
        "https://graph.microsoft.us/beta",
        "https://graph.microsoft.com.example.com/beta",
        "https://example.com/beta",
        "http://10.0.0.1/beta",
    ],
)
def test_a_token_goes_only_to_the_clouds_graph_host(service_root: str) -> None:
    """Another host, port or scheme gets no token, whichever way it is asked for."""
    tenant = Tenant(id=TENANT_ID, graph_url=service_root)

    with pytest.raises(ConfigError, match=r"a token for cloud global goes only to https://graph\.microsoft\.com or to"):
        check_host(service_root, "global")
    with pytest.raises(ConfigError, match="goes only to"):
        scope_of(tenant)
    with pytest.raises(ConfigError, match="goes only to"):
        open_token_source(Auth(), tenant, service_root, {"GRAPH_TOKEN": "t"})


def test_the_tenant_id_is_required_off_loopback() -> None:
    """Without tenant.id only this machine is a scope."""
    message = (
        "tenant.id: the key is missing, and nothing is sent to https://graph.microsoft.com/beta without it; copy the "
        "tenant id from Entra (Overview) into config.yaml"
    )

    with pytest.raises(ConfigError) as by_scope:
        scope_of(Tenant())
    with pytest.raises(ConfigError) as by_token:
        bare("t", Tenant())

    assert [str(by_scope.value), str(by_token.value)] == [message, message]
    assert scope_of(Tenant(graph_url=LOCAL)) == Scope(LOCAL, "")


# the bare token


@pytest.mark.parametrize(
    "text", ["abc.def-_~+/==", "  abc.def-_~+/==\r\n", "Bearer abc.def-_~+/==", "bearer  abc.def-_~+/=="]
)
def test_a_bare_token_is_cleaned(text: str) -> None:
    """Blanks, line ends and the word Bearer around the token are left out."""
    assert asyncio.run(bare(text).token()) == "abc.def-_~+/=="


@pytest.mark.parametrize("text", ["   ", "Bearer ", f'"{SENTINEL}"', f"{SENTINEL} x", f"{SENTINEL}\nx", f"{SENTINEL}é"])
def test_a_bare_token_that_no_header_can_carry_is_refused(text: str) -> None:
    """Quotes, blanks inside and other characters are told, the token is not."""
    with pytest.raises(PreflightError) as caught:
        bare(text)

    assert str(caught.value) == (
        "the environment variable GRAPH_TOKEN holds no bearer token: it is empty, or has quotes, blanks or other "
        "characters that no token has; put the bare access token there"
    )


@pytest.mark.parametrize("environ", [{}, {"GRAPH_TOKEN": ""}], ids=["unset", "empty"])
def test_a_missing_bare_token(environ: dict[str, str]) -> None:
    """Off loopback a variable that is not set is an error, on loopback a placeholder stands in."""
    with pytest.raises(PreflightError) as caught:
        open_token_source(Auth(), Tenant(id=TENANT_ID), GRAPH, environ)
    local = open_token_source(Auth(), Tenant(), LOCAL, environ)

    assert str(caught.value) == (
        "the environment variable GRAPH_TOKEN is not set; set it in the shell or service that runs certstate"
    )
    assert asyncio.run(local.token()) == "loopback"


def test_a_name_that_may_be_a_secret_is_not_repeated() -> None:
    """A token_env that does not look like a variable's name is told by its key."""
    with pytest.raises(PreflightError, match=r"^the environment variable that auth\.token_env names is not set"):
        open_token_source(Auth(token_env="abcS3NTINEL"), Tenant(id=TENANT_ID), GRAPH, {})


def test_an_expired_bare_token_is_refused_before_the_run() -> None:
    """A JWT whose exp lies more than five minutes back is told with its time; a doubtful one is let through."""
    with pytest.raises(PreflightError) as caught:
        bare(jwt(exp=NOW - 301))

    assert str(caught.value) == (
        "the token expired on 2027-01-15 at 07:54 UTC; put a new one into the environment variable GRAPH_TOKEN"
    )
    for claims in ({"exp": NOW - 299}, {"exp": "x"}, {"exp": -1}, {"exp": 1e300}, {}):
        assert asyncio.run(bare(jwt(**claims)).token()) == jwt(**claims)


def test_a_refused_bare_token_ends_the_run() -> None:
    """After a 401 there is no other bare token to be had."""
    source = bare(SENTINEL)

    with pytest.raises(
        PreflightError, match=r"^Graph refused the token \(401\).*put a new one into the variable"
    ) as caught:
        asyncio.run(source.refresh(SENTINEL))

    assert SENTINEL not in str(caught.value)


# the tenant


def test_a_token_of_another_tenant_is_refused() -> None:
    """The tid of a JWT must be tenant.id, for a bare token and for a requested one."""
    token = jwt(tid=OTHER_ID)
    message = (
        f"the token is for tenant {OTHER_ID}, and tenant.id is {TENANT_ID}; sign in to the right tenant, or correct "
        "tenant.id in config.yaml"
    )

    with pytest.raises(PreflightError) as by_variable:
        bare(token)
    with pytest.raises(PreflightError) as by_identity:
        asyncio.run(managed(Issuer([good_for(3600, token)])).token())

    assert [str(by_variable.value), str(by_identity.value)] == [message, message]


@pytest.mark.parametrize(
    "token",
    [jwt(tid=TENANT_ID.upper()), jwt(), jwt(tid=5), "opaque", "a.b.c", "a.bm90anNvbg.c", "a.WzFd.c", "a.gICA.c"],
    ids=["other-case", "no-tid", "odd-tid", "opaque", "no-base64", "no-json", "no-object", "no-utf8"],
)
def test_tokens_that_do_not_contradict_the_tenant_pass(token: str) -> None:
    """The same id in other letter case, and tokens that cannot be read, are let through."""
    assert asyncio.run(bare(token).token()) == token


def test_app_id_of_a_token() -> None:
    """The app's client id is appid (v1) or azp (v2), else nothing."""
    tokens = [jwt(appid=CLIENT_ID), jwt(azp=CLIENT_ID), jwt(appid=5), "opaque"]

    assert [app_id_of(each) for each in tokens] == [CLIENT_ID, CLIENT_ID, "", ""]


# requested tokens


def test_a_token_is_kept_until_five_minutes_before_its_end() -> None:
    """One request serves until fewer than 300 s remain, off the event loop's thread, for the cloud's scope."""
    issuer, clock = Issuer([good_for(3600, "one"), good_for(7200, "two")]), Clock()
    source = managed(issuer, clock)

    async def use() -> list[str]:
        tokens = [await source.token()]
        for clock.now in (NOW + 3300, NOW + 3301, NOW + 3302):
            tokens.append(await source.token())
        return tokens

    assert asyncio.run(use()) == ["one", "one", "two", "two"]
    assert issuer.scopes == [("https://graph.microsoft.com/.default",)] * 2
    assert threading.get_ident() not in issuer.threads


def test_the_scope_follows_the_cloud_also_on_loopback() -> None:
    """A rehearsal asks for the same token as the real run."""
    issuer = Issuer([good_for(3600, "one")])
    tenant = Tenant(id=TENANT_ID, cloud=Cloud.CHINA, graph_url=LOCAL)
    auth = Auth(method=AuthMethod.AZURE_CLI)

    asyncio.run(open_token_source(auth, tenant, LOCAL, {}, make_credential=issuer).token())

    assert issuer.scopes == [("https://microsoftgraph.chinacloudapi.cn/.default",)]


def test_workers_share_one_request() -> None:
    """Fifty workers that need the first token at once cause one request."""
    issuer = Issuer([good_for(3600, "one")])
    source = managed(issuer)

    async def use() -> list[str]:
        return await asyncio.gather(*(source.token() for _ in range(50)))

    assert asyncio.run(use()) == ["one"] * 50


def test_a_failed_renewal_is_no_error_while_the_token_lasts(caplog: pytest.LogCaptureFixture) -> None:
    """The old token is used on, with one attempt each 30 s, until it has ended."""
    down = ServiceRequestError("connection refused")
    issuer, clock = Issuer([good_for(3600, "one"), down, down, down]), Clock()
    source = managed(issuer, clock)
    used: list[str] = []

    async def use() -> None:
        for clock.now in (NOW, NOW + 3301, NOW + 3330, NOW + 3331, NOW + 3600):
            used.append(await source.token())

    with caplog.at_level(logging.WARNING), pytest.raises(PreflightError, match=r"\(connection refused\)"):
        asyncio.run(use())

    assert (used, len(issuer.scopes), len(caplog.records)) == (["one"] * 4, 4, 2)


def test_a_refused_token_is_replaced_once_for_all_workers() -> None:
    """Fifty workers refused with the same token get the same new one, from one new credential."""
    issuer = Issuer([good_for(3600, "one"), good_for(3600, "two")])
    source = managed(issuer)

    async def use() -> list[str]:
        refused = await source.token()
        return await asyncio.gather(*(source.refresh(refused) for _ in range(50)), source.token())

    assert asyncio.run(use()) == ["two"] * 51
    assert (issuer.made, issuer.closed) == (2, 1)


def test_a_refused_token_that_comes_again_ends_the_run_once() -> None:
    """When the identity gives out the refused token again, all workers are told, and one request was made."""
    issuer = Issuer([good_for(3600, SENTINEL), good_for(3600, SENTINEL)])
    source = managed(issuer)

    async def use() -> list[BaseException | str]:
        refused = await source.token()
        return await asyncio.gather(*(source.refresh(refused) for _ in range(5)), return_exceptions=True)

    message = (
        "Graph refused the token (401), and auth.method managed-identity gives out the same one again; sign in anew or "
        "check the identity, then call it again"
    )
    assert [(type(each), str(each)) for each in asyncio.run(use())] == [(PreflightError, message)] * 5
    assert (issuer.made, len(issuer.scopes)) == (2, 2)


@pytest.mark.parametrize(
    ("problem", "reason"),
    [
        (
            ClientAuthenticationError(
                f"AADSTS7000215: Invalid\n client secret {SENTINEL}. Trace ID: 1 Correlation ID: 2"
            ),
            "AADSTS7000215: Invalid client secret ***",
        ),
        (CredentialUnavailableError("Please run 'az login'."), "Please run 'az login'"),
        (ValueError(f"bad {jwt(tid=TENANT_ID)}"), "bad ***"),
        (
            FileNotFoundError(2, "No such file or directory", "app.pem"),
            "[Errno 2] No such file or directory: 'app.pem'",
        ),
    ],
    ids=["refused", "unavailable", "value", "file"],
)
def test_failures_of_azure_identity_are_one_sentence(problem: Exception, reason: str) -> None:
    """What azure-identity raises becomes a PreflightError in one line, without secret, token, trace id or cause."""
    auth = Auth(method=AuthMethod.CLIENT_SECRET, client_id=CLIENT_ID, client_secret_env="SECRET")
    source = open_token_source(
        auth, Tenant(id=TENANT_ID), GRAPH, {"SECRET": SENTINEL}, make_credential=Issuer([problem])
    )

    with pytest.raises(PreflightError) as caught:
        asyncio.run(source.token())

    assert str(caught.value) == (
        f"auth.method client-secret: no token could be had ({reason}); check the keys under auth, the secret or "
        "certificate, and the connection"
    )
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


def test_an_interrupted_sign_in_keeps_nobody_waiting() -> None:
    """Ctrl-C during a sign-in that would take minutes ends the program: its thread is not waited for."""
    program = """
import asyncio, threading
from pipeline.auth.tokens import _in_thread
async def main():
    asyncio.get_running_loop().call_soon(asyncio.current_task().cancel)
    await _in_thread(threading.Event().wait)
try:
    asyncio.run(main())
except asyncio.CancelledError:
    print("ended")
"""

    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)

    assert (ended.stdout, ended.stderr) == ("ended\n", "")


def test_a_closed_source_gives_no_token_and_closes_once() -> None:
    """Closing closes the credential once, and may be called again, also for a bare token."""
    issuer = Issuer([])
    source = managed(issuer)

    async def close() -> None:
        await source.aclose()
        await source.aclose()
        await bare("t").aclose()

    asyncio.run(close())

    with pytest.raises(PreflightError, match="the sign-in has been closed already"):
        asyncio.run(source.token())
    assert issuer.closed == 1


# credentials


@pytest.fixture(scope="module")
def key_and_certificate() -> tuple[rsa.RSAPrivateKey, x509.Certificate]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "certstate test")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(1)
    )
    return key, builder.sign(key, hashes.SHA256())


@pytest.fixture
def pem(
    tmp_path: Path, key_and_certificate: tuple[rsa.RSAPrivateKey, x509.Certificate]
) -> Callable[[bytes | None], Path]:
    def pem(password: bytes | None) -> Path:
        key, certificate = key_and_certificate
        encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
        path = tmp_path / "app.pem"
        path.write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        return path

    return pem


AUTHS = {
    AuthMethod.CLIENT_SECRET: Auth(method=AuthMethod.CLIENT_SECRET, client_id=CLIENT_ID, client_secret_env="SECRET"),
    AuthMethod.MANAGED_IDENTITY: Auth(method=AuthMethod.MANAGED_IDENTITY),
    AuthMethod.WORKLOAD_IDENTITY: Auth(method=AuthMethod.WORKLOAD_IDENTITY),
    AuthMethod.AZURE_CLI: Auth(method=AuthMethod.AZURE_CLI),
    AuthMethod.DEVICE_CODE: Auth(method=AuthMethod.DEVICE_CODE, client_id=CLIENT_ID),
}

VARIABLES = {
    "SECRET": SecretStr(SENTINEL),
    "AZURE_CLIENT_ID": SecretStr(CLIENT_ID),
    "AZURE_FEDERATED_TOKEN_FILE": SecretStr("token-file"),
}


@pytest.mark.parametrize("cloud", list(Cloud))
def test_each_method_makes_its_credential(cloud: Cloud, pem: Callable[[bytes | None], Path]) -> None:
    """Every method but the bare token has its azure-identity class, with the cloud's authority where it has one."""
    tenant = Tenant(id=TENANT_ID, cloud=cloud)
    by_certificate = Auth(method=AuthMethod.CERTIFICATE, client_id=CLIENT_ID, certificate_path=pem(None))

    made = {
        method: credential_of(auth, tenant, VARIABLES, print)
        for method, auth in {**AUTHS, AuthMethod.CERTIFICATE: by_certificate}.items()
    }

    assert {method: type(each) for method, each in made.items()} == {
        AuthMethod.CLIENT_SECRET: ClientSecretCredential,
        AuthMethod.CERTIFICATE: CertificateCredential,
        AuthMethod.MANAGED_IDENTITY: ManagedIdentityCredential,
        AuthMethod.WORKLOAD_IDENTITY: WorkloadIdentityCredential,
        AuthMethod.AZURE_CLI: AzureCliCredential,
        AuthMethod.DEVICE_CODE: DeviceCodeCredential,
    }
    assert set(made) == set(AuthMethod) - {AuthMethod.TOKEN}
    authority = f"https://{CLOUDS[cloud].authority}"
    for method in (AuthMethod.CLIENT_SECRET, AuthMethod.CERTIFICATE, AuthMethod.DEVICE_CODE):
        given = vars(made[method])
        assert (given["_authority"], given["_tenant_id"], given["_client_id"]) == (authority, TENANT_ID, CLIENT_ID)
    workload = vars(vars(made[AuthMethod.WORKLOAD_IDENTITY])["_client"])
    assert (workload["_authority"], workload["_tenant_id"], workload["_client_id"]) == (authority, TENANT_ID, CLIENT_ID)
    assert vars(made[AuthMethod.AZURE_CLI])["tenant_id"] == TENANT_ID
    for each in made.values():
        each.close()


def test_an_encrypted_certificate_takes_its_password(pem: Callable[[bytes | None], Path]) -> None:
    """The password comes from the named variable; a wrong or missing one is a PreflightError that does not show it."""
    path = pem(b"right")
    with_name = Auth(
        method=AuthMethod.CERTIFICATE, client_id=CLIENT_ID, certificate_path=path, certificate_password_env="PASSWORD"
    )
    without = Auth(method=AuthMethod.CERTIFICATE, client_id=CLIENT_ID, certificate_path=path)
    tenant = Tenant(id=TENANT_ID)

    open_token_source(with_name, tenant, GRAPH, {"PASSWORD": "right"})
    for auth, environ in ((with_name, {"PASSWORD": SENTINEL}), (with_name, {}), (without, {})):
        with pytest.raises(PreflightError) as caught:
            open_token_source(auth, tenant, GRAPH, environ)
        assert SENTINEL not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("content", [None, b"", b"no certificate"], ids=["missing", "empty", "garbage"])
def test_an_unusable_certificate_file_is_told(tmp_path: Path, content: bytes | None) -> None:
    """A certificate file that is missing or damaged is a PreflightError before anything is sent."""
    path = tmp_path / "app.pem"
    if content is not None:
        path.write_bytes(content)
    auth = Auth(method=AuthMethod.CERTIFICATE, client_id=CLIENT_ID, certificate_path=path)

    with pytest.raises(PreflightError, match=r"^auth\.method certificate: no token could be had \(.+\); check"):
        open_token_source(auth, Tenant(id=TENANT_ID), GRAPH, {})


def test_a_missing_secret_is_told_by_its_variable() -> None:
    """A client secret that is not set is named by its variable."""
    auth = Auth(method=AuthMethod.CLIENT_SECRET, client_id=CLIENT_ID, client_secret_env="SECRET")

    with pytest.raises(PreflightError, match=r"^the environment variable SECRET is not set; set it in the shell"):
        open_token_source(auth, Tenant(id=TENANT_ID), GRAPH, {})


def test_device_code_instructions_go_to_the_caller() -> None:
    """The sign-in instructions are handed to `show`, nothing is printed."""
    shown: list[str] = []

    credential = credential_of(AUTHS[AuthMethod.DEVICE_CODE], Tenant(id=TENANT_ID), {}, shown.append)
    vars(credential)["_prompt_callback"]("https://microsoft.com/devicelogin", "ABCD", datetime.now(UTC))

    assert shown == ["To sign in, open https://microsoft.com/devicelogin and enter the code ABCD"]


# secrecy


def seen_in(problem: BaseException) -> str:
    """Return the traceback below this file, with the values of all variables."""
    frames = traceback.TracebackException.from_exception(problem, capture_locals=True)
    frames.stack = traceback.StackSummary.from_list([each for each in frames.stack if each.filename != __file__])
    return "".join(frames.format())


def test_no_token_is_ever_shown() -> None:
    """Neither repr nor exception nor a traceback with the values of variables shows a token or a secret."""
    token = jwt(tid=OTHER_ID, secret=SENTINEL)
    secret = {"GRAPH_TOKEN": token, "SECRET": token}
    by_secret = Auth(method=AuthMethod.CLIENT_SECRET, client_id=CLIENT_ID, client_secret_env="SECRET")
    source = open_token_source(Auth(), Tenant(), LOCAL, secret)
    requested = open_token_source(
        by_secret, Tenant(id=TENANT_ID), GRAPH, secret, make_credential=Issuer([good_for(1, token)])
    )
    refused = open_token_source(
        by_secret,
        Tenant(id=TENANT_ID),
        GRAPH,
        secret,
        make_credential=Issuer([ClientAuthenticationError(f"no: {token}")]),
    )

    problems = []
    for call in (
        lambda: open_token_source(Auth(), Tenant(id=TENANT_ID), GRAPH, secret),
        lambda: open_token_source(Auth(), Tenant(id=TENANT_ID), GRAPH, {"GRAPH_TOKEN": f"{token} {token}"}),
        lambda: asyncio.run(source.refresh(token)),
        lambda: asyncio.run(requested.token()),
        lambda: asyncio.run(refused.token()),
    ):
        with pytest.raises(PreflightError) as caught:
            call()
        problems.append(seen_in(caught.value))

    shown = [repr(source), str(source), repr(vars(source)), repr(vars(requested)), *problems]
    assert [each for each in shown if SENTINEL in each or token in each] == []
    assert repr(source) == "TokenSource(token)"
