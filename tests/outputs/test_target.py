"""What OUTPUT and `--output` may name, and what is shown of it."""

from __future__ import annotations

import pytest

from realtime.errors import ConfigError
from realtime.outputs.target import OutputKind, is_live_output, target_of

SECRETS = ("key", "secret", "hush", "user")


@pytest.mark.parametrize(
    ("text", "muxer", "shown"),
    [
        ("rtmp://a.example/app/key", "flv", "rtmp://a.example/…"),
        ("RTMPS://user:secret@a.example:443/app/key", "flv", "rtmps://a.example:443/…"),
        ("srt://a.example:9000?passphrase=secret&streamid=key", "mpegts", "srt://a.example:9000/…"),
        ("udp://[::1]:5000", "mpegts", "udp://[::1]:5000"),
        ("tcp://10.0.0.1:5000", "mpegts", "tcp://10.0.0.1:5000"),
    ],
)
def test_url_is_shown_without_anything_that_may_be_a_key(text: str, muxer: str, shown: str) -> None:
    target = target_of(text, "--output")

    assert (target.kind, target.muxer, target.shown) == (OutputKind.URL, muxer, shown)
    assert not any(secret in repr(target) for secret in SECRETS)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("udp://a.example:5000", "udp://a.example:5000?pkt_size=1316"),
        ("srt://a.example:5000?streamid=key", "srt://a.example:5000?streamid=key&pkt_size=1316"),
        ("udp://a.example:5000?pkt_size=188", "udp://a.example:5000?pkt_size=188"),
        ("tcp://a.example:5000", "tcp://a.example:5000"),
    ],
)
def test_datagrams_are_of_a_size_that_passes_everywhere(text: str, address: str) -> None:
    assert target_of(text, "--output").address == address


@pytest.mark.parametrize(
    ("text", "platform", "device"),
    [
        ("camera", "linux", ""),
        ("camera:2", "linux", "/dev/video2"),
        ("camera:/dev/video9", "linux", "/dev/video9"),
        ("camera:OBS Virtual Camera", "win32", "OBS Virtual Camera"),
    ],
)
def test_camera_may_name_its_device(text: str, platform: str, device: str) -> None:
    target = target_of(text, "OUTPUT", platform)

    assert (target.kind, target.address) == (OutputKind.CAMERA, device)
    assert is_live_output(text)


@pytest.mark.parametrize("scheme", ["file", "concat", "tee", "http", "pipe", "gopher"])
def test_no_other_protocol_is_opened(scheme: str) -> None:
    with pytest.raises(ConfigError, match="rtmp, rtmps, srt, udp and tcp") as error:
        target_of(f"{scheme}://user:secret@a.example/key", "--output")

    assert not any(secret in str(error.value) for secret in SECRETS)


@pytest.mark.parametrize("text", ["srt://host?key", "udp://:5000/key", "rtmp:///app/key", "rtmp://host:port/key"])
def test_url_without_host_or_port_is_said_without_its_secrets(text: str) -> None:
    with pytest.raises(ConfigError) as error:
        target_of(text, "--output")

    assert "key" not in str(error.value).replace("APP/KEY", "")


def test_file_is_a_container_that_is_known() -> None:
    assert target_of("out.MKV", "OUTPUT").muxer == "matroska"
    assert not is_live_output("out.mkv")
    with pytest.raises(ConfigError, match=r"\.mp4 or \.mkv"):
        target_of("out.avi", "OUTPUT")
