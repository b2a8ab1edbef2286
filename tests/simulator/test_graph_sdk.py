"""The real msgraph-sdk reads and deletes over a socket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from kiota_abstractions.authentication import (
    AccessTokenProvider,
    AllowedHostsValidator,
    BaseBearerTokenAuthenticationProvider,
)
from kiota_abstractions.base_request_configuration import RequestConfiguration
from msgraph import GraphRequestAdapter, GraphServiceClient
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.models.user import User

from tests.simulator.rig import Simulator

pytestmark = [
    pytest.mark.simulator,
    # The generated SDK warns about its own classes when they are imported.
    pytest.mark.filterwarnings("ignore:This class is deprecated:DeprecationWarning"),
]


class StaticToken(AccessTokenProvider):
    def __init__(self, token: str) -> None:
        self.token = token

    async def get_authorization_token(self, uri: str, additional_authentication_context: dict = {}) -> str:  # noqa: B006
        return self.token

    def get_allowed_hosts_validator(self) -> AllowedHostsValidator:
        return AllowedHostsValidator([])


def graph_client(sim: Simulator, http: httpx.AsyncClient) -> GraphServiceClient:
    provider = BaseBearerTokenAuthenticationProvider(StaticToken(sim.info["token"]))
    adapter = GraphRequestAdapter(provider, client=http)
    adapter.base_url = f"{sim.url}/v1.0"
    return GraphServiceClient(request_adapter=adapter)


@pytest.fixture
async def sdk(sim: Simulator) -> AsyncIterator[GraphServiceClient]:
    async with httpx.AsyncClient() as http:
        yield graph_client(sim, http)


def page_of(top: int) -> RequestConfiguration:
    from msgraph.generated.users.users_request_builder import UsersRequestBuilder

    query = UsersRequestBuilder.UsersRequestBuilderGetQueryParameters(
        select=["id", "userPrincipalName", "accountEnabled"], top=top
    )
    return RequestConfiguration(query_parameters=query)


async def test_sdk_pages_through_all_users(sdk: GraphServiceClient, sim: Simulator) -> None:
    """The SDK follows the next links and sees every user once."""
    page = await sdk.users.get(request_configuration=page_of(7))
    seen = list(page.value)
    while page.odata_next_link:
        page = await sdk.users.with_url(page.odata_next_link).get()
        seen += page.value

    assert 50 == len({u.id for u in seen}) == len(seen)
    assert all(u.user_principal_name for u in seen)


async def test_sdk_reads_deletes_and_restores_a_user(sdk: GraphServiceClient, sim: Simulator) -> None:
    """A user goes to the bin, is gone for a point read, and comes back."""
    user_id = sim.ordinary()[0]
    before = await sdk.users.by_user_id(user_id).get()
    await sdk.users.by_user_id(user_id).delete()

    with pytest.raises(ODataError) as caught:
        await sdk.users.by_user_id(user_id).get()
    binned = await sdk.directory.deleted_items.graph_user.get()
    await sdk.directory.deleted_items.by_directory_object_id(user_id).restore.post()
    again = await sdk.users.by_user_id(before.user_principal_name).get()

    assert (404, "Request_ResourceNotFound") == (caught.value.response_status_code, caught.value.error.code)
    assert [user_id] == [u.id for u in binned.value]
    assert user_id == again.id


async def test_sdk_blocks_sign_in(sdk: GraphServiceClient, sim: Simulator) -> None:
    """PATCH accountEnabled and revokeSignInSessions work through the SDK."""
    user_id = sim.ordinary()[0]

    await sdk.users.by_user_id(user_id).patch(User(account_enabled=False))
    revoked = await sdk.users.by_user_id(user_id).revoke_sign_in_sessions.post()

    assert sim.world.target.directory.users.live[user_id].accountEnabled is False
    assert revoked.value is True


async def test_sdk_reads_the_tenant(sdk: GraphServiceClient, sim: Simulator) -> None:
    """Organization, roles, applications, service principals, domains and policies parse."""
    organization = (await sdk.organization.get()).value[0]
    apps = await sdk.applications.get()
    principals = await sdk.service_principals.get()
    domains = await sdk.domains.get()
    policy = await sdk.policies.authorization_policy.get()
    defaults = await sdk.policies.identity_security_defaults_enforcement_policy.get()
    assignments = await sdk.role_management.directory.role_assignments.get()
    role = await sdk.directory_roles_with_role_template_id("62e90394-69f5-4237-9190-012177145e10").get()
    members = await sdk.directory_roles.by_directory_role_id(role.id).members.get()

    assert (sim.info["tenantId"], "AAD") == (organization.id, organization.tenant_type)
    assert (12, 32, 2) == (len(apps.value), len(principals.value), len(domains.value))
    assert "everyone" == policy.allow_invites_from.value
    assert defaults.is_enabled is True
    assert sim.info["keeper"] in [m.user_principal_name for m in members.value]
    assert 5 == len(assignments.value)


async def test_sdk_counts_users(sdk: GraphServiceClient, start: Callable[..., Simulator], sim: Simulator) -> None:
    """$count needs ConsistencyLevel and answers plain text."""
    path = "/v1.0/users/$count"

    assert 400 == sim.graph.get(path).status_code
    assert "50" == sim.graph.get(path, headers={"ConsistencyLevel": "eventual"}).text
