"""Microsoft's SDK for Python as its documentation sets it up: a certificate, and the default retry handler."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from azure.identity.aio import CertificateCredential
from kiota_abstractions.api_error import APIError
from kiota_abstractions.base_request_configuration import RequestConfiguration
from kiota_authentication_azure.azure_identity_authentication_provider import AzureIdentityAuthenticationProvider
from msgraph import GraphRequestAdapter, GraphServiceClient
from msgraph.generated.users.users_request_builder import UsersRequestBuilder

from benchmarks.contenders.entry import LARGEST_PAGE, Entry, Target


@asynccontextmanager
async def client(target: Target) -> AsyncIterator[GraphServiceClient]:
    """A signed-in client of the target."""
    async with CertificateCredential(
        target.tenant,
        target.client,
        target.certificate,
        authority=target.login,
        disable_instance_discovery=True,
        connection_verify=target.authorities,
    ) as credential:
        host = urlsplit(target.url).hostname or ""
        provider = AzureIdentityAuthenticationProvider(credential, scopes=[target.scope], allowed_hosts=[host])
        adapter = GraphRequestAdapter(provider)
        adapter.base_url = f"{target.url}/v1.0"
        yield GraphServiceClient(request_adapter=adapter)


async def everybody(graph: GraphServiceClient, keeper: str) -> list[str]:
    """List the ids of all users but the keeper."""
    query = UsersRequestBuilder.UsersRequestBuilderGetQueryParameters(
        select=["id", "userPrincipalName"], top=LARGEST_PAGE
    )
    page = await graph.users.get(request_configuration=RequestConfiguration(query_parameters=query))
    found: list[str] = []
    while page is not None:
        found += [user.id for user in page.value or () if user.id and user.user_principal_name != keeper]
        page = await graph.users.with_url(page.odata_next_link).get() if page.odata_next_link else None
    return found


async def delete(graph: GraphServiceClient, entry: Entry, user: str) -> None:
    """Delete one user; what the SDK raises after its own retries is a failure."""
    entry.sending()
    try:
        await graph.users.by_user_id(user).delete()
    except APIError as error:
        entry.answered(user, error.response_status_code or 0)
    except Exception:  # whatever its transport raises: a script that goes on writes the user down and goes on
        entry.report(user, "failed")
    else:
        entry.report(user, "deleted")
