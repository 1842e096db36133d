"""A certificate authority for one run: its key never leaves memory, and it can vouch for the run's hosts alone.

Name constraints (RFC 5280, 4.2.1.10) bind clients to the hosts it was made for, so that the certificate, were it to be trusted by
mistake for longer than the run, is of no use for any other site.
"""

from __future__ import annotations

import ipaddress
import os
import ssl
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from collections.abc import Collection

LIFETIME: Final = timedelta(hours=1)
"""Of the authority's certificate and of those that it issues; a longer run renews them (`Authority.renew`)."""

SKEW: Final = timedelta(minutes=5)
"""Certificates are valid this long before they are made: a client in a container may have a clock of its own."""


class Authority:
    """Issues certificates for ``hosts``, and for no others."""

    def __init__(self, hosts: Collection[str], *, lifetime: timedelta = LIFETIME) -> None:
        """``hosts`` are DNS names or IP addresses, at least one."""
        self._hosts = frozenset(hosts)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"wheelfs run {os.getpid()}")])
        self._lifetime = lifetime
        self._contexts: dict[str, ssl.SSLContext] = {}
        self.pem = self.renew()
        """The authority's own certificate, for a bundle."""

    def renew(self) -> bytes:
        """Extend the authority's certificate, and those that it issues, by its lifetime from now, and return it as PEM."""
        self._until = datetime.now(UTC) + self._lifetime
        self._contexts.clear()
        certificate = (
            self._builder(self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.NameConstraints([_constraint(host) for host in sorted(self._hosts)], None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.pem = certificate.public_bytes(serialization.Encoding.PEM)
        return self.pem

    @property
    def is_due(self) -> bool:
        """Whether it is time to `renew`: a third of the lifetime is over, or the clock was set back before its beginning.

        By the clock that clients go by, which also runs while this machine is asleep: timers do not.
        """
        return not self._lifetime * 2 / 3 < self._until - datetime.now(UTC) < self._lifetime + SKEW

    def context_for(self, host: str) -> ssl.SSLContext:
        """Return the server's side of TLS for ``host``, valid now; may `renew` for that.  Raises KeyError for any other host."""
        if host not in self._hosts:
            raise KeyError(host)
        if self.is_due:
            self.renew()
        context = self._contexts.get(host)
        if context is None:
            context = self._contexts[host] = self._made(host)
        return context

    def _made(self, host: str) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            # OpenSSL holds a common name such as 127.0.0.1 to be a DNS name, which no constraint of an address permits.
            self._builder(x509.Name([]), key.public_key())
            .add_extension(x509.SubjectAlternativeName([_general_name(host)]), critical=True)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols(["http/1.1"])
        chain = certificate.public_bytes(serialization.Encoding.PEM)
        secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        _load(context, secret + chain)
        return context

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime.now(UTC) - SKEW)
            .not_valid_after(self._until)
        )


def _load(context: ssl.SSLContext, pem: bytes) -> None:
    """Give ``context`` key and certificate; the ssl module reads them from a path only, so that of a file in memory."""
    descriptor = os.memfd_create("wheelfs-run", os.MFD_CLOEXEC)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
        file.flush()
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _constraint(host: str) -> x509.GeneralName:
    """Return the subtree of one host: a DNS name (and, as the RFC has it, names below it), or the network of one address."""
    try:
        return x509.IPAddress(ipaddress.ip_network(host))
    except ValueError:
        return x509.DNSName(host)
