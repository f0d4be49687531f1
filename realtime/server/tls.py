"""TLS: certificates that are given, or one of our own for this machine's addresses.

Must not know the server.
"""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import os
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import ifaddr
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ..config import Config
from ..errors import ConfigError

VALID_DAYS, RENEW_DAYS = 397, 30
"""Browsers take no certificate that is valid for longer; one that ends sooner than the second is made anew."""

EVERYWHERE = ("0.0.0.0", "::", "")
"""Hosts to listen on that stand for all addresses of the machine."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Certificate:
    """Files of a certificate, in PEM.

    Attributes:
        fingerprint: SHA-256, as browsers show it; None where it was given.
    """

    certificate: Path
    key: Path
    fingerprint: str | None = None


def given(certificate: Path, key: Path) -> Certificate:
    """The certificate of these files, if a server can use them.

    Raises:
        ConfigError: one can't be read, or they are none, or don't belong together.
    """
    for path in (certificate, key):
        try:
            path.read_bytes()
        except OSError as error:
            raise ConfigError(f"{path} can't be read: {error.strerror}: check --tls-cert and --tls-key") from None
    try:
        # With a password, that nothing asks for one.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=lambda: b"")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise ConfigError(f"{key} is the key of another certificate than {certificate}") from None
        raise ConfigError(
            f"{certificate} and {key} are no certificate and its key in PEM, or the key has a password: give others "
            "with --tls-cert and --tls-key"
        ) from None
    return Certificate(certificate, key)


def lan_addresses() -> list[Address]:
    """This machine's addresses but loopback and link-local ones, IPv4 first."""
    texts = [ip.ip if isinstance(ip.ip, str) else ip.ip[0] for adapter in ifaddr.get_adapters() for ip in adapter.ips]
    found = {ipaddress.ip_address(text) for text in texts}
    usable = [address for address in found if not (address.is_loopback or address.is_link_local)]
    return sorted(usable, key=lambda address: (address.version, int(address)))


def on_network(config: Config) -> list[Address]:
    """The addresses by which other machines reach a server of this configuration; none where none can."""
    if config.host in EVERYWHERE:
        return lan_addresses()
    with contextlib.suppress(ValueError):
        return [] if config.is_loopback else [ipaddress.ip_address(config.host)]
    return []


def own_names(hosts: Sequence[str]) -> list[str]:
    """Names that this machine goes by, and those that are allowed."""
    machine = socket.gethostname().lower()
    names = ["localhost", machine, f"{machine}.local", *(host.lower() for host in hosts)]
    return [name for name in dict.fromkeys(names) if len(name) < 64 and name.isascii() and not _is_address(name)]


def own(folder: Path, names: Sequence[str], addresses: Sequence[Address]) -> Certificate:
    """A self-signed certificate: the one in the folder, where it is still good for these names, else a new one there.

    Raises:
        ConfigError: it can't be written.
    """
    found = Certificate(folder / "certificate.pem", folder / "key.pem")
    everywhere = [*addresses, ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1")]
    kept = _kept(found)
    if kept is None or not _is_good(kept, names, everywhere):
        try:
            kept = _make(found, names, everywhere)
        except OSError as error:
            raise ConfigError(
                f"{folder} can't be written to: {error.strerror}: --tls self keeps its key there"
            ) from None
    return Certificate(found.certificate, found.key, kept.fingerprint(hashes.SHA256()).hex(":").upper())


def _kept(files: Certificate) -> x509.Certificate | None:
    try:
        given(files.certificate, files.key)
        return x509.load_pem_x509_certificate(files.certificate.read_bytes())
    except (ConfigError, OSError, ValueError):
        return None


def _is_good(kept: x509.Certificate, names: Sequence[str], addresses: Sequence[Address]) -> bool:
    left = kept.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
    there = kept.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    is_for_all = set(names) <= set(there.get_values_for_type(x509.DNSName)) and set(addresses) <= set(
        there.get_values_for_type(x509.IPAddress)
    )
    return left.days >= RENEW_DAYS and is_for_all


def _make(files: Certificate, names: Sequence[str], addresses: Sequence[Address]) -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "realtime")])
    now = datetime.datetime.now(datetime.UTC)
    there = [*map(x509.DNSName, names), *map(x509.IPAddress, dict.fromkeys(addresses))]
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))  # clocks of phones
        .not_valid_after(now + datetime.timedelta(days=VALID_DAYS - 1))
        .add_extension(x509.SubjectAlternativeName(there), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    files.key.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(files.key, private)
    _write(files.certificate, made.public_bytes(serialization.Encoding.PEM))
    return made


def _write(path: Path, content: bytes) -> None:
    """Write a file that its owner alone may read, whole."""
    new = path.with_name(f".{path.name}-{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        new.unlink()
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    os.replace(new, path)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
