"""What a host shows to the server and what it knows the server by, kept in a directory.

The directory has mode 0700, each file in it 0600: `host.json` (the host's name and the servers'
addresses), `token`, `key.pem`, `certificate.pem`, `ca.pem`.
"""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from steno.errors import DISK_FULL, ConfigError, NoSpaceError, StenoError, StoreError
from steno.files import make_private_directory, replace_file
from steno.structs import decode_json

_FILE, _TOKEN, _KEY, _CERTIFICATE, _CA = (
    "host.json",
    "token",
    "key.pem",
    "certificate.pem",
    "ca.pem",
)
_RENEWED = "renewed.pem"
"""Key and certificate in one, while a renewal is being put in place: no crash parts them."""
_BEGIN_CERTIFICATE = b"-----BEGIN CERTIFICATE-----"
_ROOM_BYTES = 32768
"""More than all files of one enrolment take."""


class Credentials(msgspec.Struct, frozen=True):
    """An enrolled host's credentials.

    Attributes:
        host: The name under which the server knows this host.
        servers: Addresses of the servers, to be tried in turn.
        token: Proves who the host is, in a header.
        key: The private key, PEM; None without a certificate.
        certificate: The client certificate, PEM; proves who the host is while connecting.
        ca: The certificate that the servers' certificates come from, PEM; None: the system's list.
    """

    host: str
    servers: tuple[str, ...]
    token: str
    key: bytes | None = None
    certificate: bytes | None = None
    ca: bytes | None = None


class _HostFile(msgspec.Struct, forbid_unknown_fields=True):
    host: str
    servers: tuple[str, ...]


def make_request(host: str) -> tuple[bytes, bytes]:
    """Make a new private key and the request for its certificate; return both as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    key_pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return key_pem, request.public_bytes(serialization.Encoding.PEM)


def save(directory: Path, credentials: Credentials) -> None:
    """Keep `credentials` in `directory`, in place of what was there.

    Raises:
        NoSpaceError: The disk is full; older credentials may be partly replaced.
        StoreError: The directory cannot be written; the same.
    """
    described = _HostFile(credentials.host, credentials.servers)
    files = {
        _TOKEN: credentials.token.encode() + b"\n",
        _KEY: credentials.key,
        _CERTIFICATE: credentials.certificate,
        _CA: credentials.ca,
        _FILE: msgspec.json.format(msgspec.json.encode(described)) + b"\n",
    }
    try:
        make_private_directory(directory, _is_ours)
        (directory / _RENEWED).unlink(missing_ok=True)
        for name, content in files.items():
            if content is None:
                (directory / name).unlink(missing_ok=True)
            else:
                replace_file(directory / name, content)
    except OSError as error:
        raise _explained(directory, error) from error


def save_renewed(directory: Path, key: bytes, certificate: bytes) -> None:
    """Keep a new key and certificate in place of the old ones.

    Raises:
        NoSpaceError: The disk is full; either the old ones or the new ones are in force.
        StoreError: The directory cannot be written; the same.
    """
    try:
        replace_file(directory / _RENEWED, key + certificate)
        replace_file(directory / _KEY, key)
        replace_file(directory / _CERTIFICATE, certificate)
        (directory / _RENEWED).unlink()
    except OSError as error:
        raise _explained(directory, error) from error


def expiry(credentials: Credentials) -> datetime | None:
    """Return when the client certificate expires; None when there is none.

    Raises:
        ConfigError: The certificate's file is damaged.
    """
    if credentials.certificate is None:
        return None
    return _parse(credentials.certificate).not_valid_after_utc


def is_renewal_due(credentials: Credentials, now: datetime) -> bool:
    """Tell whether it is time to ask for a new certificate: a third of its life is left, or less.

    Raises:
        ConfigError: The certificate's file is damaged.
    """
    if credentials.certificate is None:
        return False
    certificate = _parse(credentials.certificate)
    life = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    return now >= certificate.not_valid_after_utc - life / 3


def _parse(pem: bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError as error:
        raise ConfigError(f"the host's certificate is damaged: {error}") from error


def prepare(directory: Path) -> None:
    """Make `directory`, and make sure that `save` will find room in it: a code is good only once.

    Raises:
        NoSpaceError: Its disk is full.
        StoreError: It cannot be written.
    """
    try:
        make_private_directory(directory, _is_ours)
        replace_file(directory / ".room", bytes(_ROOM_BYTES))
        (directory / ".room").unlink()
    except OSError as error:
        raise _explained(directory, error) from error


def _is_ours(name: str) -> bool:
    return name.startswith(".") or name in (_TOKEN, _KEY, _CERTIFICATE, _CA, _FILE, _RENEWED)


def _explained(directory: Path, error: OSError) -> StenoError:
    kind = NoSpaceError if error.errno in DISK_FULL else StoreError
    return kind(f"{directory}: {error.strerror}")


def is_enrolled(directory: Path) -> bool:
    """Return whether this host has credentials for a server, good or bad."""
    return (directory / _FILE).exists()


def load(directory: Path) -> Credentials:
    """Read what `save` kept.

    Raises:
        ConfigError: The host is not enrolled, or a file is damaged or unreadable.
    """
    path = directory / _FILE
    try:
        described = decode_json(path.read_bytes(), _HostFile)
        token = (directory / _TOKEN).read_text("ascii").strip()
        key, certificate, ca = (_optional(directory / name) for name in (_KEY, _CERTIFICATE, _CA))
        if renewed := _optional(directory / _RENEWED):
            key, mark, rest = renewed.partition(_BEGIN_CERTIFICATE)
            certificate = mark + rest
    except FileNotFoundError as error:
        raise ConfigError(
            "this host is not enrolled; run: steno host enrol URL CODE", file=str(directory)
        ) from error
    except OSError as error:
        raise ConfigError(str(error.strerror), file=str(error.filename)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"damaged: {error}", file=str(path)) from error
    return Credentials(described.host, described.servers, token, key, certificate, ca)


def _optional(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def is_certificate_valid(credentials: Credentials, now: datetime) -> bool:
    """Tell whether the client certificate is there and may be shown at the instant `now`.

    One that has expired would make the server refuse the connection before it sees the token.

    Raises:
        ConfigError: The certificate's file is damaged.
    """
    if credentials.certificate is None or credentials.key is None:
        return False
    certificate = _parse(credentials.certificate)
    return certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc


def client_context(credentials: Credentials, directory: Path | None) -> ssl.SSLContext:
    """Return how to meet a server: trust only the enrolled CA, show the host's certificate.

    `directory` is where the credentials were loaded from: OpenSSL reads key and certificate from
    files only. None: the certificate is not shown.

    Raises:
        ConfigError: A certificate or the key is damaged.
    """
    try:
        ca = credentials.ca.decode("ascii") if credentials.ca else None
        context = ssl.create_default_context(cadata=ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if directory is not None and is_certificate_valid(credentials, datetime.now(UTC)):
            show_certificate(context, directory)
    except (ssl.SSLError, UnicodeDecodeError) as error:
        place = str(directory) if directory else None
        raise ConfigError(f"a certificate or key is damaged: {error}", file=place) from error
    return context


def show_certificate(context: ssl.SSLContext, directory: Path) -> None:
    """Show the host's certificate in the connections that `context` makes from now on.

    Raises:
        ssl.SSLError: Key or certificate is damaged, or they do not belong together.
        OSError: They cannot be read.
    """
    try:
        context.load_cert_chain(directory / _RENEWED)
    except FileNotFoundError:
        context.load_cert_chain(directory / _CERTIFICATE, directory / _KEY)
