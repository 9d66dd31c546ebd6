"""Which service root, and whether a token may go there. No I/O.

Hosts and authorities: https://learn.microsoft.com/graph/deployments and `azure.identity.AzureAuthorityHosts`.
"""

import ipaddress
import re
from typing import NamedTuple, Protocol
from urllib.parse import SplitResult, urlsplit

from pipeline.errors import ConfigError
from pipeline.model import Scope

PORTS = {"https": 443, "http": 80}


class CloudHosts(NamedTuple):
    """One national cloud: where Graph answers and where tokens are issued."""

    graph: str
    authority: str


CLOUDS: dict[str, CloudHosts] = {
    "global": CloudHosts("graph.microsoft.com", "login.microsoftonline.com"),
    "usgov": CloudHosts("graph.microsoft.us", "login.microsoftonline.us"),
    "usgov-dod": CloudHosts("dod-graph.microsoft.us", "login.microsoftonline.us"),
    "china": CloudHosts("microsoftgraph.chinacloudapi.cn", "login.chinacloudapi.cn"),
}


class TenantSettings(Protocol):
    """The keys under `tenant:`."""

    @property
    def id(self) -> str | None:
        """GUID, or None."""

    @property
    def cloud(self) -> str:
        """A key of `CLOUDS`."""

    @property
    def graph_url(self) -> str | None:
        """Service root instead of the cloud's, or None."""


def service_root_of(tenant: TenantSettings) -> str:
    """Return the service root: the cloud's, or `graph_url` with its host in lower case and no slash at the end.

    Raises ConfigError when graph_url is not such a URL. The URL is not repeated: it may hold a password.
    """
    if tenant.graph_url is None:
        return f"https://{CLOUDS[tenant.cloud].graph}/beta"
    cure = "write the whole service root, such as http://127.0.0.1:8080/beta"
    try:
        url = urlsplit(tenant.graph_url.strip())
        port = url.port
    except ValueError:
        raise ConfigError(f"tenant.graph_url: not a URL; {cure}") from None
    version = url.path.strip("/").lower()
    if url.scheme not in PORTS or not url.hostname or re.search(r"[^!-~]", tenant.graph_url.strip()):
        raise ConfigError(f"tenant.graph_url: not an http or https URL; {cure}")
    if "@" in url.netloc or url.query or url.fragment:
        raise ConfigError(f"tenant.graph_url: has a user name, a query or a fragment; {cure}")
    if version not in {"beta", "v1.0"}:
        raise ConfigError(f"tenant.graph_url: does not end with the version, /beta or /v1.0; {cure}")
    host = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
    return f"{url.scheme}://{host}{'' if port in {None, PORTS[url.scheme]} else f':{port}'}/{version}"


def is_loopback(service_root: str) -> bool:
    """Return True when the service root is on this machine: localhost, 127.0.0.0/8 or ::1."""
    host = urlsplit(service_root).hostname or ""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address in ipaddress.ip_network("127.0.0.0/8") or address == ipaddress.IPv6Address("::1")


def check_host(service_root: str, cloud: str) -> None:
    """Return when a bearer token may be sent to the service root.

    That is HTTPS, port 443, to the Graph host of the cloud; or loopback. Raises ConfigError otherwise.
    """
    url = urlsplit(service_root)
    expected = CLOUDS[cloud].graph
    if is_loopback(service_root) or _is_graph(url, expected):
        return
    raise ConfigError(
        f"tenant.graph_url: a token for cloud {cloud} goes only to https://{expected} or to this machine, not to "
        f"{url.scheme}://{url.netloc}; remove tenant.graph_url or set tenant.cloud"
    )


def _is_graph(url: SplitResult, host: str) -> bool:
    return url.scheme == "https" and url.hostname == host and url.port in {None, 443} and "@" not in url.netloc


def scope_of(tenant: TenantSettings) -> Scope:
    """Return service root and tenant id: what runs, keys and the lock belong to.

    The id may be missing (then "") on loopback only. Raises ConfigError for a host that is not allowed, and for a
    missing id.
    """
    service_root = service_root_of(tenant)
    check_host(service_root, tenant.cloud)
    check_tenant_id(tenant, service_root)
    return Scope(service_root, tenant.id or "")


def check_tenant_id(tenant: TenantSettings, service_root: str) -> None:
    """Return when there is a tenant id, or none is needed. Raises ConfigError."""
    if tenant.id is None and not is_loopback(service_root):
        raise ConfigError(
            f"tenant.id: the key is missing, and nothing is sent to {service_root} without it; copy the tenant id "
            "from Entra (Overview) into config.yaml"
        )
