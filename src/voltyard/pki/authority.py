"""The built-in certificate authority: a root that signs one issuing key, per algorithm. Pure."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import NameOID

from voltyard.errors import Conflict, Invalid
from voltyard.pki.model import Algorithm, Revocation
from voltyard.pki.sealing import PrivateKey
from voltyard.pki.x509 import Certificate, Request

ROOT_DAYS = 20 * 365
ISSUING_DAYS = 10 * 365
SERVER_DAYS = 90
BACKDATED = timedelta(hours=1)
"""A charger's clock may be behind: it uses a certificate only once it is valid (A02.FR.08)."""
COMMON_NAME_MAX = 64
RSA_BITS = 3072
CRL_DAYS = 7
BELOW_ROOT = 2
"""Its issuing authority, and the root that comes after it with its own."""


@dataclass(frozen=True, slots=True)
class Keyed:
    """A certificate and its private key."""

    certificate: Certificate
    key: PrivateKey


@dataclass(frozen=True, slots=True)
class Authority:
    """What signs: the issuing key. The root's key is needed once, to make it.

    ``bridge`` is the root signed by the one before it: who trusts only that one follows it.
    """

    algorithm: Algorithm
    root: Certificate
    issuing: Keyed
    generation: int = 1
    bridge: Certificate | None = None

    @property
    def between(self) -> list[Certificate]:
        """What goes with a server's certificate: down to the root before the current one."""
        bridge = [] if self.bridge is None else [self.bridge]
        return [self.issuing.certificate, *bridge]


def new_key(algorithm: Algorithm) -> PrivateKey:
    if algorithm is Algorithm.EC:
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(public_exponent=65_537, key_size=RSA_BITS)


def algorithm_for(key: CertificatePublicKeyTypes) -> Algorithm:
    """A charger that has an RSA key may know nothing else: its authority is RSA too."""
    return Algorithm.RSA if isinstance(key, rsa.RSAPublicKey) else Algorithm.EC


def make(
    algorithm: Algorithm, organisation: str, now: datetime, generation: int = 1
) -> tuple[Keyed, Keyed]:
    """A new root and the issuing authority under it; each generation has names of its own."""
    word = "EC" if algorithm is Algorithm.EC else "RSA"
    word += f" {generation}" if generation > 1 else ""
    root_key, issuing_key = new_key(algorithm), new_key(algorithm)
    root_name = _name(f"voltyard root {word}", organisation)
    root = _sign(
        _authority(root_name, root_name, root_key, now, ROOT_DAYS, below=BELOW_ROOT).add_extension(
            _key_id(root_key), critical=False
        ),
        root_key,
    )
    issuing_name = _name(f"voltyard issuing {word}", organisation)
    issuing = _sign(
        _authority(issuing_name, root_name, issuing_key, now, ISSUING_DAYS, below=0)
        .add_extension(_key_id(issuing_key), critical=False)
        .add_extension(_signed_by(root), critical=False),
        root_key,
    )
    return Keyed(root, root_key), Keyed(issuing, issuing_key)


def bridge(old: Keyed, new: Certificate, now: datetime) -> Certificate:
    """The new root, signed by the old one: trusted by who knows only the old.

    Raises Conflict for an old one that lets no other root be below it.
    """
    room = old.certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    if room.path_length is not None and room.path_length < BELOW_ROOT:
        raise Conflict("this root cannot sign the next one", code="authority")
    key = new.public_key()
    end = min(old.certificate.not_valid_after_utc, new.not_valid_after_utc)
    builder = (
        _builder(new.subject, old.certificate.subject, key, now, end)
        .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
        .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(_signed_by(old.certificate), critical=False)
    )
    return _sign(builder, old.key)


def issue_station(
    authority: Authority,
    csr: Request,
    *,
    name: str,
    organisation: str,
    now: datetime,
    days: int,
) -> Certificate:
    """A00.FR.509, 511, 512, 514: O and CN, no dnsName, key usage, no extended key usage.

    The subject is ours, whatever else the request says. Raises Invalid for a name over 64
    characters, which X.509 cannot hold.
    """
    if len(name) > COMMON_NAME_MAX:
        raise Invalid(
            f"“{name}” is longer than the {COMMON_NAME_MAX} characters of a CN; give the station"
            " a certificate name",
            code="csr",
        )
    key = csr.public_key()
    end = min(now + timedelta(days=days), authority.issuing.certificate.not_valid_after_utc)
    builder = (
        _from(authority, _name(name, organisation), key, now, end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_leaf_usage(key), critical=True)
    )
    return _sign(builder, authority.issuing.key)


def issue_server(
    authority: Authority, names: Sequence[str], *, organisation: str, now: datetime
) -> Keyed:
    """For the OCPP port: the first name is the CN (A00.FR.510), all are subjectAltNames.

    The standard would leave the latter out, and few TLS clients would then take it.
    """
    key = new_key(authority.algorithm)
    public = key.public_key()
    end = now + timedelta(days=SERVER_DAYS)
    builder = (
        _from(authority, _name(names[0][:COMMON_NAME_MAX], organisation), public, now, end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_leaf_usage(public), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([_alternative(n) for n in names]), critical=False
        )
    )
    return Keyed(_sign(builder, authority.issuing.key), key)


def revocation_list(
    authority: Authority, revoked: Sequence[Revocation], *, number: int, now: datetime
) -> x509.CertificateRevocationList:
    """What of the issuing authority's is revoked, for whoever else checks our stations."""
    issuing = authority.issuing.certificate
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuing.subject)
        .last_update(now)
        .next_update(now + timedelta(days=CRL_DAYS))
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(_signed_by(issuing), critical=False)
    )
    for entry in revoked:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder()
            .serial_number(int(entry.serial, 16))
            .revocation_date(entry.revoked_at)
            .build()
        )
    key = authority.issuing.key
    return builder.sign(key, hashes.SHA256(), rsa_padding=_padding(key))


def _name(common_name: str, organisation: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation[:COMMON_NAME_MAX]),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _authority(
    subject: x509.Name, issuer: x509.Name, key: PrivateKey, now: datetime, days: int, *, below: int
) -> x509.CertificateBuilder:
    return (
        _builder(subject, issuer, key.public_key(), now, now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=below), critical=True)
        .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
    )


def _from(
    authority: Authority,
    subject: x509.Name,
    key: CertificatePublicKeyTypes,
    now: datetime,
    end: datetime,
) -> x509.CertificateBuilder:
    issuing = authority.issuing.certificate
    return (
        _builder(subject, issuing.subject, key, now, end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(_signed_by(issuing), critical=False)
    )


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: CertificatePublicKeyTypes,
    now: datetime,
    end: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(end)
    )


def _sign(builder: x509.CertificateBuilder, key: PrivateKey) -> Certificate:
    return builder.sign(key, hashes.SHA256(), rsa_padding=_padding(key))


def _padding(key: PrivateKey) -> padding.PSS | None:
    """A00.FR.505: RSA-PSS."""
    if isinstance(key, rsa.RSAPrivateKey):
        return padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
    return None


def _key_id(key: PrivateKey) -> x509.SubjectKeyIdentifier:
    return x509.SubjectKeyIdentifier.from_public_key(key.public_key())


def _signed_by(issuer: Certificate) -> x509.AuthorityKeyIdentifier:
    found = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(found.value)


def _leaf_usage(key: CertificatePublicKeyTypes) -> x509.KeyUsage:
    """RSA keys also carry the key exchange of TLS_RSA suites."""
    return _usage(digital_signature=True, key_encipherment=isinstance(key, rsa.RSAPublicKey))


def _usage(
    *,
    digital_signature: bool = False,
    key_encipherment: bool = False,
    key_cert_sign: bool = False,
    crl_sign: bool = False,
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=key_encipherment,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
