"""The server's own certificate authority: certificates for servers and for hosts.

A directory `ca` holds `ca.pem` and `ca.key` (the authority), `server.pem` and `server.key` (what
the server shows). Keys have mode 0600. P-256 throughout: small, fast, and known to every peer.
"""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from steno.errors import DISK_FULL, ConfigError, NoSpaceError, StoreError, UsageError
from steno.files import replace_file
from steno.store.hosts import IssuedCertificate

CA_DAYS = 3650
SERVER_DAYS = 397
HOST_DAYS = 730
_CLOCK_SKEW = timedelta(minutes=5)
_COMMON_NAME_CHARACTERS = 64


class CertificateFiles:
    """Where a server's certificates are, given its `ca` directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.ca = directory / "ca.pem"
        self.ca_key = directory / "ca.key"
        self.server = directory / "server.pem"
        self.server_key = directory / "server.key"


class Authority:
    """A certificate authority that is ready to sign."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self._certificate = certificate
        self._key = key

    @classmethod
    def create(cls, name: str, now: datetime | None = None) -> Authority:
        """Make a new authority, self-signed, good for ten years from `now`."""
        now = now or datetime.now(UTC)
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _common_name(name)
        public = key.public_key()
        identifier = x509.SubjectKeyIdentifier.from_public_key(public)
        builder = _builder(subject, subject, public, now, CA_DAYS)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        builder = builder.add_extension(_usage(signs_certificates=True), True)
        builder = builder.add_extension(identifier, False)
        return cls(builder.sign(key, hashes.SHA256()), key)

    @classmethod
    def load(cls, files: CertificateFiles) -> Authority | None:
        """Return the authority in `files`, or None when there is none.

        Raises:
            ConfigError: A file is damaged or unreadable.
        """
        try:
            certificate = x509.load_pem_x509_certificate(files.ca.read_bytes())
            key = serialization.load_pem_private_key(files.ca_key.read_bytes(), password=None)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ConfigError(str(error.strerror), file=str(error.filename)) from error
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise ConfigError(f"damaged: {error}", file=str(files.directory)) from error
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ConfigError("not the key that steno server init makes", file=str(files.ca_key))
        return cls(certificate, key)

    @property
    def pem(self) -> bytes:
        """The authority's certificate."""
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The authority's private key."""
        return _key_pem(self._key)

    def issue_server(self, names: list[str], now: datetime | None = None) -> tuple[bytes, bytes]:
        """Return a new key and a certificate (PEM) for a server of these names and addresses.

        Raises:
            UsageError: There is no name, or one cannot be a host's name or address.
        """
        if not names:
            raise UsageError("a server's certificate needs at least one name")
        alternatives = x509.SubjectAlternativeName([_alternative(name) for name in names])
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _common_name(names[0])
        certificate = self._issue(
            subject,
            key.public_key(),
            ExtendedKeyUsageOID.SERVER_AUTH,
            SERVER_DAYS,
            now,
            alternatives,
        )
        return _key_pem(key), certificate.public_bytes(serialization.Encoding.PEM)

    def issue_host(
        self, request: bytes, host: str, now: datetime | None = None
    ) -> tuple[bytes, IssuedCertificate]:
        """Return a client certificate for `host` (PEM) with the key that `request` (PEM) proves.

        Nothing but the key is taken from the request.

        Raises:
            UsageError: The request is damaged, not signed by its key, or the key is of a kind that
                is too weak or unknown.
        """
        try:
            parsed = x509.load_pem_x509_csr(request)
            is_valid = parsed.is_signature_valid
            public = parsed.public_key()
        except (ValueError, TypeError, UnsupportedAlgorithm, InvalidSignature) as error:
            raise UsageError("the certificate request cannot be read") from error
        if not is_valid:
            raise UsageError("the certificate request is not signed by its own key")
        strong = isinstance(public, ec.EllipticCurvePublicKey) and public.key_size >= 256
        strong = strong or (
            isinstance(public, rsa.RSAPublicKey) and 3072 <= public.key_size <= 8192
        )
        if not strong:
            raise UsageError("the certificate request's key is too weak or of an unknown kind")
        certificate = self._issue(
            _common_name(host), public, ExtendedKeyUsageOID.CLIENT_AUTH, HOST_DAYS, now, None
        )
        der = certificate.public_bytes(serialization.Encoding.DER)
        issued = IssuedCertificate(der, f"{certificate.serial_number:x}")
        return certificate.public_bytes(serialization.Encoding.PEM), issued

    def _issue(
        self,
        subject: x509.Name,
        public: CertificatePublicKeyTypes,
        purpose: x509.ObjectIdentifier,
        days: int,
        now: datetime | None,
        alternatives: x509.SubjectAlternativeName | None,
    ) -> x509.Certificate:
        now = now or datetime.now(UTC)
        issuer = self._certificate.subject
        builder = _builder(subject, issuer, public, now, days)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        builder = builder.add_extension(_usage(signs_certificates=False), True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), False)
        # Subject and authority key identifiers: Python 3.13 and later insist on them.
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), False)
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), False
        )
        if alternatives is not None:
            builder = builder.add_extension(alternatives, False)
        return builder.sign(self._key, hashes.SHA256())


def init_certificates(files: CertificateFiles, names: list[str]) -> Authority:
    """Make the authority, unless it exists, and a new server's certificate for `names`.

    Raises:
        UsageError: A name cannot be a host's name or address; nothing changed.
        ConfigError: The existing authority is damaged; nothing changed.
        StoreError: The directory cannot be written.
    """
    authority = Authority.load(files)
    is_new = authority is None
    authority = authority or Authority.create(f"Steno CA of {names[0] if names else ''}")
    key, certificate = authority.issue_server(names)
    try:
        files.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        if is_new:
            replace_file(files.ca_key, authority.key_pem, 0o600)
            replace_file(files.ca, authority.pem, 0o644)
        replace_file(files.server_key, key, 0o600)
        replace_file(files.server, certificate, 0o644)
    except OSError as error:
        kind = NoSpaceError if error.errno in DISK_FULL else StoreError
        raise kind(f"{files.directory}: {error.strerror}") from error
    return authority


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _common_name(name: str) -> x509.Name:
    shown = name[:_COMMON_NAME_CHARACTERS]
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, shown)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    try:
        ascii_name = name.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise UsageError(f"{name!r} cannot be a server's name: {error}") from error
    if not ascii_name or any(character in ascii_name for character in " /:@\\"):
        raise UsageError(f"{name!r} cannot be a server's name")
    return x509.DNSName(ascii_name)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public: CertificatePublicKeyTypes,
    now: datetime,
    days: int,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + timedelta(days=days))
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
