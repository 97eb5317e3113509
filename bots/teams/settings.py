"""What the Teams face must be told. The composition root fills it from the environment."""

from dataclasses import dataclass, field

from .clouds import CLOUDS, Cloud
from .times import TIMES, Times

MULTI_TENANT = "MultiTenant"
SINGLE_TENANT = "SingleTenant"


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamsSettings:
    """Settings of the face.

    An empty `app_id` switches the check of inbound tokens off: only the composition root, which knows the bind address
    and the Dataverse URL, may decide that, and says so with `loopback=True`.
    """

    app_id: str = ""
    app_password: str = field(default="", repr=False)
    app_type: str = MULTI_TENANT
    tenant_id: str = ""
    allowed_tenants: frozenset[str] = frozenset()
    """Entra tenants whose people may use the bot; empty: `tenant_id` alone."""
    cloud: str = "public"
    sso_resource: str = ""
    """Application ID URI for which Teams hands over people's tokens; empty: no single sign-on."""
    loopback: bool = False
    """Service URLs on this machine are honoured (demo, emulator, tests)."""
    metadata_url: str = ""
    """OpenID configuration of the token issuer; empty: the cloud's own."""
    login_url: str = ""
    """Authority that issues the bot's own tokens; empty: the cloud's own."""
    graph_url: str = ""
    """Microsoft Graph; empty: the cloud's own."""
    times: Times = TIMES

    @property
    def addresses(self) -> Cloud:
        """The cloud's addresses."""
        return CLOUDS[self.cloud]

    @property
    def token_tenant(self) -> str:
        """The tenant that the bot asks for its own tokens."""
        return self.tenant_id if self.app_type == SINGLE_TENANT else self.addresses.default_tenant

    @property
    def targeted(self) -> bool:
        """Private messages within shared conversations: the public cloud has them. A cloud that ignored the request
        would show the message to everyone, so elsewhere private answers go to the personal chat."""
        return self.cloud == "public"

    @property
    def tenants(self) -> frozenset[str]:
        """The tenants let in; empty only while tokens are not checked."""
        return self.allowed_tenants or (frozenset({self.tenant_id}) if self.tenant_id else frozenset())

    def problems(self) -> tuple[str, ...]:
        """Sentences for an administrator about settings that cannot work; empty when they can."""
        found = []
        if self.cloud not in CLOUDS:
            found.append(f"MICROSOFT_CLOUD is {self.cloud!r}; it must be one of: {', '.join(CLOUDS)}.")
        if self.app_type not in {MULTI_TENANT, SINGLE_TENANT}:
            found.append(f"MICROSOFT_APP_TYPE is {self.app_type!r}; it must be MultiTenant or SingleTenant.")
        if not self.app_id:
            if not self.loopback:
                found.append(
                    "MICROSOFT_APP_ID is empty, so anyone could speak to the bot. Set it to the Azure bot's app id, "
                    "or listen on 127.0.0.1 with DATAVERSE_URL on this machine."
                )
            return tuple(found)
        if self.sso_resource and not self.sso_resource.startswith("api://"):
            found.append(
                f"MICROSOFT_SSO_RESOURCE is {self.sso_resource!r}: set it to the app's Application ID URI, "
                f"like api://botid-{self.app_id}."
            )
        if not self.app_password:
            found.append("MICROSOFT_APP_PASSWORD is empty: set it to the client secret of the Azure bot's app.")
        if self.app_type == SINGLE_TENANT and not self.tenant_id:
            found.append("MICROSOFT_APP_TYPE is SingleTenant: set MICROSOFT_APP_TENANT_ID to the tenant's id.")
        if not self.tenants:
            found.append(
                "Any tenant could use the bot: set MICROSOFT_APP_TENANT_ID (one tenant) or "
                "MICROSOFT_ALLOWED_TENANTS (several)."
            )
        return tuple(found)
