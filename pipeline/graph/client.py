"""The client: connections, time-outs, proxy and TLS. Opens no connection by itself."""

import base64
import re
import ssl
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from ipaddress import ip_address
from types import MappingProxyType

import aiohttp
import httpx
import yarl
from httpx_aiohttp import AiohttpTransport

from pipeline.errors import ConfigError

KEEPALIVE_S = 15.0  # reuse no connection that was idle longer: a gateway may be closing it as we write


Client = httpx.AsyncClient
"""The type, for modules that only hand the client on."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a connection and an answer may take, in seconds."""

    connect_s: float = 10.0
    read_s: float = 100.0  # without a byte from the service; what Microsoft's own SDKs wait


DEFAULT_TIMEOUTS = Timeouts()
NO_ENVIRONMENT: Mapping[str, str] = MappingProxyType({})


def open_client(
    service_root: str,
    *,
    connections: int,
    timeouts: Timeouts = DEFAULT_TIMEOUTS,
    environ: Mapping[str, str] = NO_ENVIRONMENT,
) -> httpx.AsyncClient:
    """Return a client for `service_root` (such as https://graph.microsoft.com/beta); close it with `aclose`.

    At most `connections` are open at a time. Redirects are not followed, cookies not kept, TLS is always verified:
    against certifi's roots, the operating system's (where a company's own root is installed) and those in
    SSL_CERT_FILE and SSL_CERT_DIR. The proxy comes from HTTPS_PROXY or HTTP_PROXY and NO_PROXY, in either case; no
    proxy is used for loopback. Both are read from `environ` only. Reads certificate files, opens no connection.
    Raises ConfigError when the environment names a proxy or a certificate file that cannot be used.
    """
    root = httpx.URL(service_root)
    proxy = _proxy(root, environ)
    needs_tls = root.scheme == "https" or proxy is not None
    # Without roots, which take a while to load, a context trusts nobody.
    context = _tls_context(environ) if needs_tls else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    def session() -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=connections, keepalive_timeout=KEEPALIVE_S, ssl=context)
        return aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False, middlewares=(_send_as_it_is,)
        )

    return httpx.AsyncClient(
        base_url=service_root,
        # httpx ignores its own proxy and limit settings once it is given a transport, so they are handed over here.
        transport=AiohttpTransport(client=session, verify=context, proxy=proxy),
        timeout=httpx.Timeout(
            connect=timeouts.connect_s,
            read=timeouts.read_s,
            write=timeouts.read_s,
            # aiohttp's limit for all that comes before the request: name resolution and a proxy's answer too.
            pool=timeouts.connect_s + timeouts.read_s,
        ),
        headers={"User-Agent": "certstate"},
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        follow_redirects=False,
        trust_env=False,
        event_hooks={"request": [_note_leaving]},
    )


@dataclass(slots=True)
class _Leaving:
    """The request that the current task is sending."""

    url: str
    broken: aiohttp.ClientError | None = None  # how its connection broke


_LEAVING: ContextVar[_Leaving] = ContextVar("_LEAVING")


async def _note_leaving(request: httpx.Request) -> None:
    _LEAVING.set(_Leaving(str(request.url)))


async def _send_as_it_is(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from two things that it does in secret.

    It rewrites the text of a URL: %24 becomes $, and /a/%2e%2e becomes /, another resource than httpx was given. And
    it sends a GET or DELETE a second time when the connection broke (IDEMPOTENT_METHODS in aiohttp/client.py), past
    the quota and past our own record of attempts.
    """
    leaving = _LEAVING.get()
    if leaving.broken is not None:
        raise leaving.broken
    request.url = yarl.URL(leaving.url, encoded=True)
    try:
        return await send(request)
    except aiohttp.ClientError as exc:
        leaving.broken = exc
        raise


def _tls_context(environ: Mapping[str, str]) -> ssl.SSLContext:
    context = httpx.create_ssl_context(trust_env=False)
    context.load_default_certs()
    cafile, capath = environ.get("SSL_CERT_FILE") or None, environ.get("SSL_CERT_DIR") or None
    if cafile or capath:
        try:
            context.load_verify_locations(cafile, capath)
        except OSError as exc:  # ssl.SSLError is one
            raise ConfigError(
                f"SSL_CERT_FILE or SSL_CERT_DIR ({cafile or capath}) holds no certificates that can be read ({exc}); "
                "correct the variable or unset it"
            ) from exc
    return context


def _proxy(root: httpx.URL, environ: Mapping[str, str]) -> httpx.Proxy | None:
    name = f"{root.scheme}_proxy"
    value = environ.get(name, environ.get(name.upper(), "")).strip()
    if not value or _is_loopback(root.host) or _is_exempt(root, environ.get("no_proxy", environ.get("NO_PROXY", ""))):
        return None
    try:
        url = httpx.URL(value if "://" in value else f"http://{value}")
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in {"http", "https"} or not url.host:
        # The value is not shown, because it may hold a password.
        raise ConfigError(
            f"{name.upper()} is not the address of an HTTP proxy; "
            "write it as http://proxy.contoso.com:8080, or unset it"
        )
    proxy = httpx.Proxy(url)
    if proxy.auth is None:
        return proxy
    # Not left to httpx-aiohttp, which takes aiohttp's BasicAuth: that is deprecated and fails beyond Latin-1.
    password = base64.b64encode(":".join(proxy.auth).encode()).decode("ascii")
    return httpx.Proxy(proxy.url, headers={"Proxy-Authorization": f"Basic {password}"})


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _is_exempt(root: httpx.URL, no_proxy: str) -> bool:
    host = root.host.lower()
    own_port = str(root.port or (443 if root.scheme == "https" else 80))
    for entry in re.split(r"[\s,]+", no_proxy.lower()):
        name, _, port = entry.partition(":")
        if name == "*":
            return True
        name = name.removeprefix("*").removeprefix(".")
        if name and (host == name or host.endswith(f".{name}")) and port in {"", own_port}:
            return True
    return False
