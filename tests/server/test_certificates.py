"""The server's CA makes certificates that say no more than they should."""

from __future__ import annotations

import ssl
import stat
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from steno.errors import ConfigError, UsageError
from steno.server.certificates import Authority, CertificateFiles, init_certificates


def request_of(key: object, *, greedy: bool = False) -> bytes:
    """Return a request signed by `key`; a greedy one asks for names and for being a CA."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "admin")])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    if greedy:
        names = x509.SubjectAlternativeName([x509.DNSName("steno.example")])
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        builder = builder.add_extension(names, False)
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    signed = builder.sign(key, algorithm)  # type: ignore[type-var]  # any private key
    return signed.public_bytes(serialization.Encoding.PEM)


def test_a_host_gets_its_name_and_nothing_that_it_asked_for() -> None:
    """Only the key is taken from a request: no names, no rights."""
    authority = Authority.create("CA")
    request = request_of(ec.generate_private_key(ec.SECP256R1()), greedy=True)
    pem, issued = authority.issue_host(request, "web1")
    certificate = x509.load_pem_x509_certificate(pem)
    assert certificate.subject.rfc4514_string() == "CN=web1"
    assert certificate.serial_number == int(issued.serial, 16)
    extensions = certificate.extensions
    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    usage = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    with pytest.raises(x509.ExtensionNotFound):
        extensions.get_extension_for_class(x509.SubjectAlternativeName)


def test_strong_keys_of_the_usual_kinds_are_taken() -> None:
    """P-384 and 3072-bit RSA keys serve as well as what steno makes itself."""
    authority = Authority.create("CA")
    for key in (ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 3072)):
        authority.issue_host(request_of(key), "web1")


@pytest.mark.parametrize("kind", ["weak", "unusual", "altered", "nonsense", "empty"])
def test_bad_requests_are_refused(kind: str) -> None:
    """A weak or unusual key, a broken signature and nonsense get no certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    if kind == "weak":
        request = request_of(rsa.generate_private_key(65537, 2048))
    elif kind == "unusual":
        request = request_of(ed25519.Ed25519PrivateKey.generate())
    elif kind == "altered":
        der = x509.load_pem_x509_csr(request_of(key)).public_bytes(serialization.Encoding.DER)
        altered = x509.load_der_x509_csr(der.replace(b"admin", b"adman"))
        request = altered.public_bytes(serialization.Encoding.PEM)
    else:
        request = b"-----BEGIN nonsense" if kind == "nonsense" else b""
    with pytest.raises(UsageError):
        Authority.create("CA").issue_host(request, "web1")


@pytest.mark.parametrize("names", [[], [""], ["a b"], ["https://a"], ["a" * 300], ["a..b"]])
def test_bad_servers_names_are_refused(tmp_path: Path, names: list[str]) -> None:
    """What cannot be a server's name makes no certificate, and leaves no files behind."""
    with pytest.raises(UsageError):
        init_certificates(CertificateFiles(tmp_path / "ca"), names)
    assert not (tmp_path / "ca").exists()


def test_init_keeps_the_authority_and_renews_the_servers_certificate(tmp_path: Path) -> None:
    """Running it again changes the server's certificate only: hosts need not enrol again."""
    files = CertificateFiles(tmp_path / "ca")
    init_certificates(files, ["steno.example", "192.0.2.1"])
    ca, server = files.ca.read_bytes(), files.server.read_bytes()
    init_certificates(files, ["steno.example"])
    assert files.ca.read_bytes() == ca
    assert files.server.read_bytes() != server
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in files.directory.iterdir()}
    assert (modes["ca.key"], modes["server.key"]) == (0o600, 0o600)
    assert stat.S_IMODE(files.directory.stat().st_mode) == 0o700


def test_certificates_expire() -> None:
    """The CA lasts ten years, a server's certificate little over one, a host's two."""
    now = datetime.now(UTC)
    authority = Authority.create("CA", now)
    _, server = authority.issue_server(["a"], now)
    request = request_of(ec.generate_private_key(ec.SECP256R1()))
    host, _ = authority.issue_host(request, "web1", now)
    for pem, days in ((authority.pem, 3650), (server, 397), (host, 730)):
        certificate = x509.load_pem_x509_certificate(pem)
        assert abs(certificate.not_valid_after_utc - now - timedelta(days=days)).days < 1
        assert certificate.not_valid_before_utc < now


def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext) -> bytes | None:
    """Connect the two in memory as steno.example; return the certificate that the client showed."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname="steno.example")
    far = server.wrap_bio(to_server, to_client, server_side=True)
    waiting = [near, far, near, far]
    for side in waiting:
        with suppress(ssl.SSLWantReadError):
            side.do_handshake()
    return far.getpeercert(binary_form=True)


def test_the_strictest_peers_accept_the_certificates(tmp_path: Path) -> None:
    """Both sides may insist on every rule of RFC 5280, as Python does from 3.13 on."""
    files = CertificateFiles(tmp_path / "ca")
    authority = init_certificates(files, ["steno.example"])
    key = ec.generate_private_key(ec.SECP256R1())
    pem, issued = authority.issue_host(request_of(key), "web1")
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (tmp_path / "host.pem").write_bytes(private + pem)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=files.ca)
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_cert_chain(files.server, files.server_key)
    client = ssl.create_default_context(cafile=files.ca)
    client.load_cert_chain(tmp_path / "host.pem")
    for context in (server, client):
        context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    assert shake_hands(server, client) == issued.der


def test_a_damaged_authority_is_named(tmp_path: Path) -> None:
    """A missing authority is none; a damaged one is an error, never replaced."""
    files = CertificateFiles(tmp_path / "ca")
    assert Authority.load(files) is None
    init_certificates(files, ["a"])
    files.ca_key.write_bytes(b"-----BEGIN PRIVATE KEY-----\n")
    with pytest.raises(ConfigError, match="damaged"):
        init_certificates(files, ["a"])
