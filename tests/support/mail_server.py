"""A real mail server for tests: aiosmtpd with TLS, sign-in and refusals."""

from __future__ import annotations

import datetime
import email
import ssl
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from ports import HeldPort


def make_certificate(directory: Path) -> tuple[Path, Path]:
    """Write a certificate for localhost that vouches for itself; return its file and the key's."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = directory / "mail.pem", directory / "mail.key"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files


class _Handler:
    """Keeps what is sent, and answers what a test wants."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.refused: dict[str, str] = {}
        """Addresses, and what is answered for them."""
        self.verdict = "250 OK"
        self.attempts = 0
        self.most_bytes = 1 << 30
        self.was_encrypted: list[bool] = []

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:
        self.attempts += 1
        content = envelope.content
        assert isinstance(content, bytes)
        if len(content) > self.most_bytes:
            return "552 too large for us"
        if self.verdict.startswith("250"):
            message = email.message_from_bytes(content, policy=default)
            self.messages.append(message)
            self.recipients.append(list(envelope.rcpt_tos))
            self.was_encrypted.append(session.ssl is not None)
        return self.verdict


class MailServer:
    """A mail server on loopback.

    Attributes:
        ca: The file with its certificate.
        port: Its port.
    """

    def __init__(self, directory: Path, by: str = "starttls", password: str | None = None) -> None:
        self.ca, key = make_certificate(directory)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.ca, key)
        self.handler = _Handler()
        self._password = password
        options: dict[str, Any] = {}
        if by == "smtps":
            options["ssl_context"] = context
        if by == "starttls":
            options |= {"tls_context": context, "require_starttls": True}
        if password is not None:
            options |= {"authenticator": self._authenticate, "auth_required": True}
            options["auth_require_tls"] = by == "starttls"
        self._held_port = HeldPort()
        self.port = self._held_port.number
        self._controller = Controller(
            self.handler, hostname="127.0.0.1", port=self.port, ready_timeout=60, **options
        )
        self._controller.start()

    def _authenticate(
        self,
        _server: SMTP,
        _session: Session,
        _envelope: Envelope,
        _mechanism: str,
        data: object,
    ) -> AuthResult:
        is_right = isinstance(data, LoginPassword) and data.password.decode() == self._password
        return AuthResult(success=is_right, handled=False)

    def stop(self) -> None:
        """Stop serving; nobody can connect any more. Harmless when repeated."""
        if self._controller.server is not None:
            self._controller.stop()

    def close(self) -> None:
        """Stop serving, and give the port back."""
        self.stop()
        self._held_port.close()
