"""Makes the target an External ID (CIAM) or B2C tenant: its Azure resource, and what it has to be rid of."""

from __future__ import annotations

from simulator.clock import iso
from simulator.directory import guid
from simulator.entities import Application
from simulator.world import DirectoryResource, World

PROFILES = {"external": ("ciam", "CIAM"), "external-b2c": ("b2c", "AAD B2C")}
"""Profile -> kind of Azure resource, and tenantType as Graph shows it."""
FAMILIES = {
    "user-flows": "Delete all user flows",
    "custom-policies": "Delete all custom policies",
    "policy-keys": "Delete all policy keys",
    "identity-providers": "Remove all added identity providers",
}
"""What the delete page of an external tenant asks for besides (tenant-facts A15)."""
EXTENSIONS_APP = "b2c-extensions-app. Do not modify. Used by AADB2C for storing user data."
_FLOWS = {"ciam": ("SignUpSignIn",), "b2c": ("B2C_1_signup", "B2C_1_reset")}
_POLICIES = {"ciam": (), "b2c": ("B2C_1A_TrustFrameworkBase", "B2C_1A_SignUpOrSignIn")}
_KEYS = {"ciam": (), "b2c": ("B2C_1A_TokenSigningKeyContainer",)}


def make_external(world: World) -> None:
    """Turn the target into the external tenant of the world's profile, if that is one."""
    if world.options.profile not in PROFILES:
        return
    kind, tenant_type = PROFILES[world.options.profile]
    target, home = world.target, world.home
    target.tenant_type = tenant_type
    world.directory_resource = DirectoryResource(guid(home.rng), "identity", kind, target.domain)
    target.leftovers = {
        "user-flows": [
            {"id": name, "userFlowType": "signUpOrSignIn", "userFlowTypeVersion": 3} for name in _FLOWS[kind]
        ],
        "custom-policies": [{"id": name} for name in _POLICIES[kind]],
        "policy-keys": [{"id": name, "keys": []} for name in _KEYS[kind]],
        "identity-providers": [
            {
                "@odata.type": "#microsoft.graph.socialIdentityProvider",
                "id": "Google-OAUTH",
                "displayName": "Google",
                "identityProviderType": "Google",
            }
        ],
    }
    rng, created = target.rng, iso(target.directory.created)
    app = Application(guid(rng), guid(rng), EXTENSIONS_APP, "AzureADMyOrg", target.domain, created)
    target.directory.applications.load(app)
