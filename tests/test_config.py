"""Config: flags over environment over file over defaults, and mistakes told in one line."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from realtime.config import Accelerate, Config, Device, ModelConfig, load_config
from realtime.errors import ConfigError


def toml(folder: Path, text: str) -> Path:
    file = folder / "realtime.toml"
    file.write_text(text)
    return file


def test_defaults_serve_the_embedded_model_on_loopback() -> None:
    config = load_config({})

    assert (config.model, config.host, config.port, config.token) == ("tiny", "127.0.0.1", 8777, None)
    assert config.is_loopback


def test_flags_win_over_environment_over_file_over_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = toml(tmp_path, 'port = 1\nmax_rows = 2\nmax_sessions = 3\nmodel = "from-file"')
    monkeypatch.setenv("REALTIME_PORT", "11")
    monkeypatch.setenv("REALTIME_MAX_ROWS", "12")

    config = load_config({"port": 21}, file)

    assert (config.port, config.max_rows, config.max_sessions, config.max_waiting) == (21, 12, 3, 0)
    assert config.model == "from-file"


def test_flag_that_was_not_given_leaves_the_word_to_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALTIME_HOST", "::1")

    assert load_config({"host": None}).host == "::1"


def test_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALTIME_PORT", "")

    assert load_config({}).port == 8777


def test_one_file_does_not_reach_the_next_configuration(tmp_path: Path) -> None:
    load_config({}, toml(tmp_path, "port = 1"))

    assert load_config({}).port == 8777


def test_config_goes_to_other_processes(tmp_path: Path) -> None:
    config = load_config({"port": 1, "token": "hush-hush", "loras": ("a:0.5",)}, toml(tmp_path, "max_rows = 2"))

    other = pickle.loads(pickle.dumps(config))

    assert (type(config), other) == (Config, config)
    assert (other.port, other.max_rows, other.loras) == (1, 2, ("a:0.5",))
    assert other.token is not None and other.token.get_secret_value() == "hush-hush"


def test_config_is_frozen() -> None:
    with pytest.raises(ValidationError):
        load_config({}).port = 1  # type: ignore[misc]


def test_what_names_a_model_is_a_part_of_the_configuration() -> None:
    named = {"model", "base", "loras", "embeddings", "clip_skip", "reference", "vae", "sampler", "device", "dtype"}
    checks = {"frame_checker", "unsafe_labels", "hold_above", "release_below"}
    assert set(ModelConfig.model_fields) == named | {"control", "pose_detector"} | checks
    assert isinstance(load_config({}), ModelConfig)
    with pytest.raises(ValidationError):
        ModelConfig().model = "x"  # type: ignore[misc]


def test_environment_speaks_to_the_whole_configuration_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALTIME_MODEL", "from-environment")

    assert (load_config({}).model, ModelConfig().model) == ("from-environment", "tiny")


def test_token_is_not_printed_with_the_configuration() -> None:
    config = load_config({"token": "hush-hush"})

    assert "hush-hush" not in repr(config) + str(config) + config.model_dump_json()


def test_lists_come_as_json_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALTIME_ALLOWED_ORIGINS", '["https://a.example", "https://b.example"]')

    assert load_config({}).allowed_origins == ("https://a.example", "https://b.example")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("port", -1),
        ("port", 65536),
        ("port", "http"),
        ("device", "tpu"),
        ("accelerate", "magic"),
        ("avoid_rungs", ("magic",)),
        ("max_rows", 0),
        ("rows_per_session", 9),
        ("max_sessions", 0),
        ("max_message_bytes", 10),
        ("resume_s", -1),
        ("send_timeout_s", 0),
        ("colour", "red"),
    ],
)
def test_bad_value_is_one_line_that_names_the_field(field: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"^{field}: .+$") as caught:
        load_config({field: value})

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["port =", 'port = "x"', "colour = 1", "[port]\na = 1"])
def test_bad_file_is_one_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config({}, toml(tmp_path, text))

    assert "\n" not in str(caught.value)


def test_file_that_is_no_text_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "realtime.toml"
    file.write_bytes(b"\xff\xfe\x00")

    with pytest.raises(ConfigError) as caught:
        load_config({}, file)

    assert "\n" not in str(caught.value)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no configuration file .*none\.toml"):
        load_config({}, tmp_path / "none.toml")


def test_list_that_is_no_json_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALTIME_LORAS", "a,b")

    with pytest.raises(ConfigError, match="REALTIME_LORAS") as caught:
        load_config({})

    assert "\n" not in str(caught.value)


def test_choices_go_by_their_names() -> None:
    config = load_config({"device": "cuda", "accelerate": "off"})

    assert (config.device, config.accelerate) == (Device.CUDA, Accelerate.OFF)


@pytest.mark.parametrize(
    "devices", ["all", "cuda", "cuda:0,cuda:1", "cpu,cpu", "mps", "cuda:1,cpu", ",".join(["cpu"] * 64)]
)
def test_devices_are_named_one_by_one_or_all(devices: str) -> None:
    assert load_config({"devices": devices}).devices == devices


@pytest.mark.parametrize(
    "devices", ["gpu", "0,1", "cuda:", "cuda:-1", "cpu:2", "all,cpu", "cpu,", ",".join(["cpu"] * 65)]
)
def test_other_devices_are_a_mistake(devices: str) -> None:
    with pytest.raises(ConfigError, match=r"^devices: .* are no devices"):
        load_config({"devices": devices})


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.1.2.3"])
def test_loopback_is_known(host: str) -> None:
    assert load_config({"host": host}).is_loopback


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.168.1.5", "studio.local", "127.0.0.1.example"])
def test_what_others_can_reach_is_not_loopback(host: str) -> None:
    assert not load_config({"host": host}).is_loopback


@given(st.dictionaries(st.sampled_from(list(Config.model_fields)), st.integers() | st.text(max_size=10), max_size=3))
def test_any_flags_give_a_configuration_or_one_line(flags: dict[str, object]) -> None:
    try:
        load_config(flags)
    except ConfigError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize("name", list(Config.model_fields))
def test_every_field_says_what_it_is(name: str) -> None:
    assert Config.model_fields[name].description


def test_token_comes_from_a_file_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "token"
    file.write_text("hush-hush\n")
    monkeypatch.setenv("REALTIME_TOKEN_FILE", str(file))

    token = load_config({}).token

    assert token is not None and token.get_secret_value() == "hush-hush"


@pytest.mark.parametrize("text", [b"", b" \n", b"\xff\xfe"])
def test_token_file_without_a_token_is_one_line(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "token"
    file.write_bytes(text)

    with pytest.raises(ConfigError, match=r"the token file .+ (is empty|can't be read)") as caught:
        load_config({"token_file": file})

    assert "\n" not in str(caught.value)


def test_configuration_can_be_sent_to_another_process(tmp_path: Path) -> None:
    config = load_config({"max_rows": 3}, toml(tmp_path, "port = 1"))

    assert pickle.loads(pickle.dumps(config)) == config


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"avoid_rungs": ("off",)}, "--accelerate off avoids all"),
        (
            {"avoid_rungs": ("graphs",), "accelerate": "graphs"},
            "give --accelerate graphs or --avoid-rung graphs, not",
        ),
    ],
)
def test_rungs_to_avoid_are_rungs_and_not_the_one_that_is_wanted(flags: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load_config(flags)
