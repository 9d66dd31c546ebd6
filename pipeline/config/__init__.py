"""config.yaml, CERTSTATE_ variables and command line options -> one frozen `Settings`.

The only module that reads YAML and the environment.
"""

from pipeline.config.fields import AuthMethod, Cloud, OnChanged, Quota, Threshold, parse_quota
from pipeline.config.loading import load_settings
from pipeline.config.settings import (
    Auth,
    ConfigKey,
    ProfileEntry,
    RouteEntry,
    Send,
    Settings,
    Tenant,
    config_hash,
    config_keys,
)
from pipeline.config.sources import ENVIRON, Overrides

__all__ = [
    "ENVIRON",
    "Auth",
    "AuthMethod",
    "Cloud",
    "ConfigKey",
    "OnChanged",
    "Overrides",
    "ProfileEntry",
    "Quota",
    "RouteEntry",
    "Send",
    "Settings",
    "Tenant",
    "Threshold",
    "config_hash",
    "config_keys",
    "load_settings",
    "parse_quota",
]
