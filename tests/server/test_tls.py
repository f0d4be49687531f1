"""Certificates: those that are given, and one of our own, with a whole server behind it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from realtime.client import AccessError, connect
from realtime.errors import ConfigError
from realtime.server import handshakes, tls
from tests.fakes.pictures import a_jpeg
from tests.fakes.servers import ServerProcess, serving
from tests.fakes.waiting import PATIENCE_S
from tests.server.peer import http_client

HERE = [ipaddress.ip_address("192.168.7.5")]


@pytest.fixture
def own(tmp_path: Path) -> tls.Certificate:
    return tls.own(tmp_path / "tls", ["localhost"], HERE)


def read(certificate: tls.Certificate) -> x509.Certificate:
    return x509.load_pem_x509_certificate(certificate.certificate.read_bytes())


def test_own_certificate_is_for_this_machines_names_and_addresses(own: tls.Certificate) -> None:
    made = read(own)

    there = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert there.get_values_for_type(x509.DNSName) == ["localhost"]
    assert {str(each) for each in there.get_values_for_type(x509.IPAddress)} == {"192.168.7.5", "127.0.0.1", "::1"}
    assert (made.not_valid_after_utc - made.not_valid_before_utc).days <= 398
    assert tls.given(own.certificate, own.key).key == own.key


def test_only_its_owner_reads_it(own: tls.Certificate) -> None:
    assert [path.stat().st_mode & 0o777 for path in (own.certificate, own.key)] == [0o600] * 2
    assert own.key.parent.stat().st_mode & 0o777 == 0o700


def test_it_is_kept_while_it_is_good(own: tls.Certificate) -> None:
    folder = own.key.parent

    assert tls.own(folder, ["localhost"], HERE).fingerprint == own.fingerprint
    assert tls.own(folder, ["localhost"], []).fingerprint == own.fingerprint, "one that was here may come back"
    elsewhere = tls.own(folder, ["localhost"], [ipaddress.ip_address("10.0.0.9")])
    assert elsewhere.fingerprint != own.fingerprint
    elsewhere.key.write_text("no key")
    assert tls.own(folder, ["localhost"], []).fingerprint != elsewhere.fingerprint


def test_it_is_made_anew_before_it_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(tls, "VALID_DAYS", tls.RENEW_DAYS - 1)
        old = tls.own(tmp_path, ["localhost"], HERE)

    assert tls.own(tmp_path, ["localhost"], HERE).fingerprint != old.fingerprint


def test_folder_that_can_not_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigError, match="file can't be written to: "):
        tls.own(tmp_path / "file", ["localhost"], HERE)


def test_given_files_that_are_none_are_one_sentence(own: tls.Certificate, tmp_path: Path) -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    secret = serialization.BestAvailableEncryption(b"secret")
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
    for name, content in {
        "other": other.private_bytes(*form, serialization.NoEncryption()),
        "locked": other.private_bytes(*form, secret),
        "text": b"hello",
    }.items():
        (tmp_path / name).write_bytes(content)

    for key, said in {
        "other": "is the key of another certificate",
        "locked": "the key has a password",
        "text": "are no certificate and its key",
        "missing": "can't be read: No such file or directory",
    }.items():
        with pytest.raises(ConfigError, match=said):
            tls.given(own.certificate, tmp_path / key)


def test_names_that_no_certificate_takes_are_left_out() -> None:
    names = tls.own_names(["studio.example", "192.168.1.2", "bücher.example", "x" * 70])

    assert names[0] == "localhost"
    assert names[-1] == "studio.example"


# -- a server ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        patch.setenv("REALTIME_NO_STATE", "true")
        with serving("--tls", "self", "--token", "t") as one:
            yield one


def certificate_of(server: ServerProcess) -> Path:
    (found,) = Path(server.environment["XDG_STATE_HOME"]).glob("realtime/tls/certificate.pem")
    return found


async def test_page_and_sockets_are_served_by_tls_alone(server: ServerProcess) -> None:
    trusted = ssl.create_default_context(cafile=certificate_of(server))
    async with http_client(verify=trusted) as http:
        page = await http.get(server.url)
        assert page.status_code == 303
        assert "secure" in page.headers["set-cookie"].lower()
    async with connect(server.url, trust=certificate_of(server)) as stream:
        assert (await stream.restyle(a_jpeg())).data[:2] == b"\xff\xd8"
    with pytest.raises(Exception, match=r"disconnected|reset|closed|empty"):
        async with http_client() as http:
            await http.get(server.url.replace("https", "http"))


async def test_certificate_that_is_not_trusted_says_what_to_do(server: ServerProcess) -> None:
    with pytest.raises(AccessError, match="pass connect") as caught:
        async with connect(server.url):
            raise AssertionError

    assert "trust=FILE" in str(caught.value)


# -- handshakes ----------------------------------------------------------------------------------------------------


@asynccontextmanager
async def door(own: tls.Certificate) -> AsyncIterator[int]:
    """A port behind which a connection that has shaken hands is greeted."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own.certificate, own.key)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        listening.setblocking(False)
        accepting = asyncio.create_task(handshakes.Handshakes(listening, context, Greeting).accept())
        try:
            yield listening.getsockname()[1]
        finally:
            accepting.cancel()
            await asyncio.gather(accepting, return_exceptions=True)


class Greeting(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"hello")
        transport.close()


async def greeted(port: int, own: tls.Certificate) -> bytes:
    trusted = ssl.create_default_context(cafile=own.certificate)
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusted, server_hostname="localhost")
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await reader.read()
    finally:
        writer.close()


async def is_closed(reader: asyncio.StreamReader) -> bool:
    async with asyncio.timeout(PATIENCE_S):
        with contextlib.suppress(ConnectionError):
            return await reader.read() == b""
    return True


async def test_handshake_that_stalls_is_ended_and_others_are_not_held_up(
    own: tls.Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handshakes, "HANDSHAKE_S", 0.5)
    async with door(own) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"\x16\x03\x01")  # a record's first bytes

        assert await is_closed(reader)
        assert await greeted(port, own) == b"hello"
        writer.close()


async def test_one_more_that_has_not_shaken_hands_closes_the_oldest(
    own: tls.Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handshakes, "UNFINISHED_MAX", 3)
    monkeypatch.setattr(handshakes, "HANDSHAKE_S", PATIENCE_S)
    async with door(own) as port:
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(4)]

        assert await is_closed(silent[0][0])
        assert await greeted(port, own) == b"hello"
        assert await is_closed(silent[1][0])
        assert not silent[3][0].at_eof()
        for _, writer in silent:
            writer.close()


async def test_noise_in_place_of_a_handshake_ends_its_connection_alone(own: tls.Certificate) -> None:
    async with door(own) as port:
        for noise in (b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 1000, b"\x16\x03\x01\x00\x05hello"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(noise)
            async with asyncio.timeout(PATIENCE_S):
                with contextlib.suppress(ConnectionError):
                    await reader.read()  # at most an alert
            writer.close()

        assert await greeted(port, own) == b"hello"


async def test_where_there_are_no_descriptors_it_is_said_and_accepted_again(
    own: tls.Certificate, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(handshakes, "AGAIN_S", 0.01)
    loop = asyncio.get_running_loop()
    accept, failures = loop.sock_accept, [OSError(errno.EMFILE, "Too many open files")] * 2

    async def accept_later(listening: socket.socket) -> object:
        if failures:
            raise failures.pop()
        return await accept(listening)

    monkeypatch.setattr(loop, "sock_accept", accept_later)
    async with door(own) as port:
        assert await greeted(port, own) == b"hello"

    assert caplog.text.count("Too many open files") == 2


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--tls-cert", "a.pem"), "give --tls-cert and --tls-key together"),
        (("--tls", "self", "--tls-cert", "a.pem", "--tls-key", "b.pem"), "not both"),
        (("--tls-cert", "a.pem", "--tls-key", "b.pem"), "a.pem can't be read: No such file or directory"),
    ],
)
def test_options_that_can_not_work_are_one_line(flags: tuple[str, ...], said: str, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from realtime.cli import app

    done = CliRunner().invoke(app, ["serve", "--model", "echo", "--port", "0", *flags])

    assert (done.exit_code, said in done.stderr, len(done.stderr.splitlines())) == (2, True, 1)
