"""Plays the login endpoint: OpenID configuration, instance discovery, client-credential tokens (tenant-facts B, F)."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from simulator.assertions import BadAssertion, check_assertion
from simulator.world import Tenant, World

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class SignInError(Exception):
    """An error answer of the login endpoint."""

    def __init__(self, status: int, error: str, code: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.error = error
        self.code = code


def _error_body(error: SignInError) -> dict[str, Any]:
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    trace, correlation = str(uuid.uuid4()), str(uuid.uuid4())
    text = f"AADSTS{error.code}: {error} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {now}"
    return {
        "error": error.error,
        "error_description": text,
        "error_codes": [error.code],
        "timestamp": now,
        "trace_id": trace,
        "correlation_id": correlation,
        "error_uri": f"https://login.microsoftonline.com/error?code={error.code}",
    }


def _tenant(world: World, name: str) -> Tenant:
    """Return a living tenant by id or domain; 400 AADSTS90002 when it is unknown or gone."""
    found = world.tenant_by_name(name)
    if found is None:
        text = (
            f"Tenant '{name}' not found. Check to make sure you have the correct tenant ID and are signing into the "
            "correct cloud. Check with your subscription administrator, this may happen if there are no active "
            "subscriptions for the tenant."
        )
        raise SignInError(400, "invalid_tenant", 90002, text)
    return found


def _base(world: World, request: web.Request) -> str:
    """Return our own address as the caller knows it: the TLS port for TLS callers."""
    return world.urls.login if request.secure else world.urls.http


def _configuration(world: World, request: web.Request) -> dict[str, Any]:
    tenant = _tenant(world, request.match_info["tenant"])
    base = f"{_base(world, request)}/{tenant.id}"
    return {
        "token_endpoint": f"{base}/oauth2/v2.0/token",
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "jwks_uri": f"{base}/discovery/v2.0/keys",
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": world.issuer(tenant),
        "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
        "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
        "tenant_region_scope": "EU",
        "cloud_instance_name": world.settings.cloud if tenant is world.target else "microsoftonline.com",
        "cloud_graph_host_name": "graph.windows.net",
        "msgraph_host": world.urls.http.removeprefix("http://"),
    }


def _token(world: World, request: web.Request, form: dict[str, str]) -> dict[str, Any]:
    tenant = _tenant(world, request.match_info["tenant"])
    if form.get("grant_type") != "client_credentials":
        raise SignInError(400, "unsupported_grant_type", 70003, "The app requested an unsupported grant type.")
    client_id = form.get("client_id", "").lower()
    resource, _, scope = form.get("scope", "").rpartition("/")
    if scope != ".default" or not resource:
        text = f"The provided value for scope {form.get('scope', '')} is not valid. It must end in '/.default'."
        raise SignInError(400, "invalid_scope", 1002012, text)
    sp = tenant.directory.sp_by_app_id(client_id)
    if sp is None or client_id != world.client_id:
        text = f"Application with identifier '{client_id}' was not found in the directory '{tenant.display_name}'."
        raise SignInError(400, "unauthorized_client", 700016, text)
    if not sp.accountEnabled:
        text = f"Application '{client_id}'({sp.displayName}) is disabled."
        raise SignInError(400, "unauthorized_client", 7000112, text)
    _authenticate(world, client_id, form)
    seconds = world.settings.token_seconds
    token = world.tokens.app_token(world, tenant, sp, resource, seconds)
    return {"token_type": "Bearer", "expires_in": int(seconds), "ext_expires_in": int(seconds), "access_token": token}


def _authenticate(world: World, client_id: str, form: dict[str, str]) -> None:
    if "client_secret" in form:
        text = f"Invalid client secret provided for app '{client_id}'."
        raise SignInError(401, "invalid_client", 7000215, text)
    if form.get("client_assertion_type") != ASSERTION_TYPE or "client_assertion" not in form:
        text = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."
        raise SignInError(401, "invalid_client", 7000218, text)
    try:
        check_assertion(world, client_id, form["client_assertion"])
    except BadAssertion as error:
        raise SignInError(401, "invalid_client", error.code, str(error)) from error


def register(app: web.Application, world: World) -> None:
    """Add the login routes and the managed identity endpoint's issuer key."""

    async def configuration(request: web.Request) -> web.Response:
        try:
            body = _configuration(world, request)
        except SignInError as error:
            # The recorded real answer is cacheable for a day: a trap for careless probes, kept.
            headers = {"Cache-Control": "max-age=86400, private"}
            return web.json_response(_error_body(error), status=error.status, headers=headers)
        return web.json_response(body, headers={"Cache-Control": "max-age=86400, private"})

    async def instance(request: web.Request) -> web.Response:
        host = (world.urls.login if request.secure else world.urls.http).partition("://")[2]
        body = {
            "tenant_discovery_endpoint": f"{_base(world, request)}/common/v2.0/.well-known/openid-configuration",
            "api-version": "1.1",
            "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
        }
        authorize = request.query.get("authorization_endpoint", "").partition("/oauth2/")[0].rstrip("/")
        if authorize:
            tenant = authorize.rpartition("/")[2]
            base = _base(world, request)
            body["tenant_discovery_endpoint"] = f"{base}/{tenant}/v2.0/.well-known/openid-configuration"
        return web.json_response(body)

    async def keys(request: web.Request) -> web.Response:
        return web.json_response(world.tokens.keys())

    async def token(request: web.Request) -> web.Response:
        headers = {"Cache-Control": "no-store, no-cache"}
        try:
            form = {k: str(v) for k, v in (await request.post()).items()}
            return web.json_response(_token(world, request, form), headers=headers)
        except SignInError as error:
            return web.json_response(_error_body(error), status=error.status, headers=headers)

    app.router.add_get("/common/discovery/instance", instance)
    app.router.add_get("/{tenant}/v2.0/.well-known/openid-configuration", configuration)
    app.router.add_get("/{tenant}/discovery/v2.0/keys", keys)
    app.router.add_post("/{tenant}/oauth2/v2.0/token", token)
