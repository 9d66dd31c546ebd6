"""Whose tenant, which host, and the bearer token.

A token leaves only over HTTPS to the Graph host of the configured cloud, or to this machine.
"""

from pipeline.auth.credentials import AuthSettings, Credential, credential_of
from pipeline.auth.hosts import CLOUDS, TenantSettings, check_host, is_loopback, scope_of, service_root_of
from pipeline.auth.tokens import TokenSource, app_id_of, open_token_source

__all__ = [
    "CLOUDS",
    "AuthSettings",
    "Credential",
    "TenantSettings",
    "TokenSource",
    "app_id_of",
    "check_host",
    "credential_of",
    "is_loopback",
    "open_token_source",
    "scope_of",
    "service_root_of",
]
