"""The client: connections, time-outs, proxy and TLS. Opens no connection by itself."""

import base64
import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from types import MappingProxyType
from typing import NamedTuple, Self

import aiohttp
import httpx
import yarl
from aiohttp.client import IDEMPOTENT_METHODS

from pipeline.errors import ConfigError

KEEPALIVE_S = 15.0  # reuse no connection that was idle longer: a gateway may be closing it as we write


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a connection and an answer may take, in seconds."""

    connect_s: float = 10.0
    read_s: float = 100.0  # without a byte from the service; what Microsoft's own SDKs wait


DEFAULT_TIMEOUTS = Timeouts()
NO_ENVIRONMENT: Mapping[str, str] = MappingProxyType({})


class Request(NamedTuple):
    """One request as it leaves."""

    method: str
    url: httpx.URL
    headers: Mapping[str, str]
    content: bytes | None = None


class Client:
    """The connections to one service; `open_client` makes it.

    aiohttp is used without httpx around it: a POST took 100 us of processor time that way, 230 us through
    httpx-aiohttp's transport and 360 us through httpx's client (medians against benchmarks/stand_in.py). httpx remains
    for what it is strict about: URLs, proxies and certificates.

    Answers may come compressed (aiohttp asks for gzip and deflate): that of a batch of 20 rows shrinks from 15 to 1 kB,
    and 10 us bring it back. Requests never are: that Graph takes them compressed is documented nowhere.
    """

    def __init__(
        self, base_url: httpx.URL, open_session: Callable[[], aiohttp.ClientSession], proxy: httpx.Proxy | None
    ) -> None:
        self.base_url = base_url
        self._open_session = open_session  # in the event loop that uses it
        self._session: aiohttp.ClientSession | None = None
        self._proxy = proxy

    async def send(self, request: Request) -> aiohttp.ClientResponse:
        """Send the request once, and return the answer before its body is read. Raises what aiohttp raises."""
        if self._session is None:
            self._session = self._open_session()
        method = request.method
        return await self._session.request(
            method,
            _as_written(str(request.url)),
            headers=request.headers,
            data=request.content or None,
            allow_redirects=False,
            middlewares=(_only_once(),) if method in IDEMPOTENT_METHODS else (),
            proxy=str(self._proxy.url) if self._proxy else None,
            proxy_headers=self._proxy.headers if self._proxy else None,
        )

    async def aclose(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    async def __aenter__(self) -> Self:
        """Return the client itself; it opens its connections as they are needed."""
        return self

    async def __aexit__(self, *_exc: object) -> None:
        """Close all connections."""
        await self.aclose()


def open_client(
    service_root: str,
    *,
    connections: int,
    timeouts: Timeouts = DEFAULT_TIMEOUTS,
    environ: Mapping[str, str] = NO_ENVIRONMENT,
) -> Client:
    """Return a client for `service_root` (such as https://graph.microsoft.com/beta); close it with `aclose`.

    At most `connections` are open at a time. Redirects are not followed, cookies not kept, TLS is always verified:
    against certifi's roots, the operating system's (where a company's own root is installed) and those in
    SSL_CERT_FILE and SSL_CERT_DIR. The proxy comes from HTTPS_PROXY or HTTP_PROXY and NO_PROXY, in either case; no
    proxy is used for loopback. Both are read from `environ` only. Reads certificate files, opens no connection.
    Raises ConfigError when the environment names a proxy or a certificate file that cannot be used.
    """
    root = httpx.URL(f"{service_root.rstrip('/')}/")
    proxy = _proxy(root, environ)
    needs_tls = root.scheme == "https" or proxy is not None
    # Without roots, which take a while to load, a context trusts nobody.
    context = _tls_context(environ) if needs_tls else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    def session() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=connections, keepalive_timeout=KEEPALIVE_S, ssl=context),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "certstate"},
            timeout=aiohttp.ClientTimeout(
                sock_connect=timeouts.connect_s,
                sock_read=timeouts.read_s,
                # All that comes before the request: name resolution and a proxy's answer too.
                connect=timeouts.connect_s + timeouts.read_s,
            ),
            trust_env=False,
        )

    return Client(root, session, proxy)


@lru_cache(maxsize=1_000)
def _as_written(url: str) -> yarl.URL:
    """Return the URL as it stands: yarl would turn %24 into $, and /a/%2e%2e into /, which is another resource."""
    return yarl.URL(url, encoded=True)


def _only_once() -> aiohttp.ClientMiddlewareType:
    """Return what keeps aiohttp from sending one request a second time in secret when its connection broke.

    It does so with a GET or DELETE (IDEMPOTENT_METHODS in aiohttp/client.py), past the quota and past our own record of
    attempts.
    """
    broken: aiohttp.ClientError | None = None

    async def send_once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        nonlocal broken
        if broken is not None:
            raise broken
        try:
            return await send(request)
        except aiohttp.ClientError as exc:
            broken = exc
            raise

    return send_once


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
