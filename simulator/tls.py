"""Makes the throw-away certificates: a CA with a server certificate for the login port, and an app certificate."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

type Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True)
class Certificates:
    """Where the files are, and the app certificate the sign-in accepts."""

    ca_file: Path
    client_file: Path
    client: x509.Certificate
    server_context: ssl.SSLContext


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _build(subject: str, key: Key, issuer: x509.Name, *, authority: bool) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _pem(key: Key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    path.chmod(0o600)
    return path


@cache
def rsa_key(use: str) -> rsa.RSAPrivateKey:
    """This process's RSA key for one use; making one takes longer than all the rest of a start."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def make(folder: Path) -> Certificates:
    """Write ``ca.pem``, ``server.pem`` and ``client.pem`` into a folder."""
    ca_key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    issuer = _name("Tenant Closure simulator CA (throw-away)")
    ca = _build("Tenant Closure simulator CA (throw-away)", ca_key, issuer, authority=True)
    ca_cert = ca.add_extension(usage, critical=True).sign(ca_key, hashes.SHA256())
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")])
    # Python 3.13 verifies strictly: a leaf without an authority key identifier is refused.
    authority_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    server_cert = (
        _build("127.0.0.1", server_key, issuer, authority=False)
        .add_extension(names, critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(authority_key, critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    # azure-identity signs assertions with RSA only.
    client_key = rsa_key("client")
    client_name = _name("Tenant Closure")
    client = _build("Tenant Closure", client_key, client_name, authority=False).sign(client_key, hashes.SHA256())

    pem = serialization.Encoding.PEM
    ca_file = _write(folder / "ca.pem", ca_cert.public_bytes(pem))
    server_file = _write(folder / "server.pem", server_cert.public_bytes(pem) + _pem(server_key))
    client_file = _write(folder / "client.pem", client.public_bytes(pem) + _pem(client_key))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(server_file)
    return Certificates(ca_file, client_file, client, context)
