"""The Teams face's part of the settings."""

import re

from .settings import Settings
from .teams.settings import TeamsSettings


def teams_settings(settings: Settings) -> TeamsSettings:
    """What the face must know of the app registration, the cloud, and where its peers are."""
    return TeamsSettings(
        app_id=settings.microsoft_app_id,
        app_password=settings.microsoft_app_password.get_secret_value(),
        app_type=settings.microsoft_app_type,
        tenant_id=settings.microsoft_app_tenant_id,
        allowed_tenants=frozenset(t for t in re.split(r"[\s,]+", settings.microsoft_allowed_tenants) if t),
        cloud=settings.microsoft_cloud,
        sso_resource=settings.microsoft_sso_resource,
        metadata_url=settings.microsoft_openid_url,
        login_url=settings.microsoft_login_url,
        graph_url=settings.microsoft_graph_url,
        loopback=settings.only_loopback,
    )
