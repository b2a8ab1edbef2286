"""Checks client assertions: signed by the registered certificate, or issued by our managed identity endpoint."""

from __future__ import annotations

import base64
from typing import Any

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa

from simulator.tokens import KEY_ID
from simulator.world import World

FEDERATED_AUDIENCE = "api://AzureADTokenExchange"
SKEW_SECONDS = 300
"""How far clocks may differ: what Microsoft's own libraries allow by default. MSAL for Node rounds its time up."""


class BadAssertion(Exception):
    """An assertion is no good; ``code`` is the AADSTS number."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


def check_assertion(world: World, client_id: str, assertion: str) -> None:
    """Raise when an assertion does not prove the app (tenant-facts F)."""
    try:
        header = jwt.get_unverified_header(assertion)
    except jwt.PyJWTError as error:
        raise BadAssertion(50027, f"JWT token is invalid or malformed: {error}.") from error
    if header.get("kid") == KEY_ID:
        _check_federated(world, assertion)
    else:
        _check_certificate(world, client_id, assertion, header)


def _check_certificate(world: World, client_id: str, assertion: str, header: dict[str, Any]) -> None:
    certificate = world.identity.certificate
    assert certificate is not None
    key = certificate.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    prints = {
        "x5t": certificate.fingerprint(hashes.SHA1()),  # noqa: S303 - x5t is SHA-1 by definition
        "x5t#S256": certificate.fingerprint(hashes.SHA256()),
    }
    named = next((n for n in prints if n in header), None)
    known = prints[named] if named is not None and world.identity.registered else b""
    if named is None or base64.urlsafe_b64encode(known).rstrip(b"=").decode() != header[named].rstrip("="):
        text = f"Client assertion contains an invalid signature. The key was not found. Client '{client_id}'."
        raise BadAssertion(700027, text)
    claims = _claims(assertion, key, "RS256", "PS256")
    if not claims.get("iss") == claims.get("sub") == client_id:
        raise BadAssertion(700021, "Client assertion application identifier doesn't match 'client_id'.")


def _claims(assertion: str, key: rsa.RSAPublicKey, *algorithms: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = jwt.decode(
            assertion, key, algorithms=algorithms, leeway=SKEW_SECONDS, options={"verify_aud": False}
        )
    except (jwt.ExpiredSignatureError, jwt.ImmatureSignatureError) as error:
        raise BadAssertion(700024, "Client assertion is not within its valid time range.") from error
    except jwt.PyJWTError as error:
        raise BadAssertion(700027, f"Client assertion failed signature validation: {error}.") from error
    return found


def _check_federated(world: World, assertion: str) -> None:
    """Compare it with the app registration's federated credential: case counts, and the first that differs is named.

    An app without any answers like one whose issuer differs (Azure/azure-workload-identity, issue 1200); the texts are
    from there, from issue 340 and from Azure/login, issue 517. Which is looked at first is assumed.
    """
    claims = _claims(assertion, world.tokens.public_key, "RS256")
    own = {"issuer": world.issuer(world.home), "subject": world.identity.subject, "audience": FEDERATED_AUDIENCE}
    record = world.identity.federated
    wanted = {} if record is None else own | record
    for code, word, claim in ((700211, "issuer", "iss"), (700213, "subject", "sub"), (700212, "audience", "aud")):
        if claims.get(claim) != wanted.get(word):
            text = (
                f"No matching federated identity record found for presented assertion {word} '{claims.get(claim)}'. "
                "Check your federated identity credential Subject, Audience and Issuer against the presented assertion."
            )
            raise BadAssertion(code, text)
