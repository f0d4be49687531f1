"""The configuration, fixed while the process lives: flags over `REALTIME_*` environment over a TOML file over defaults.

Must not know params (which a user may change between two frames) or import anything heavy.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from .errors import ConfigError
from .refusals import in_words

_HOST = r"(?:[\w.-]+|\[[0-9a-fA-F:]+\])(?::\d{1,5})?"
ICE_SERVER = re.compile(
    rf"(?P<stun>stuns?:{_HOST})"
    rf'|(?P<scheme>turns?:)(?P<username>[^\s:@"]+):(?P<credential>[^\s:@"]+)@(?P<host>{_HOST}(?:\?transport=(?:udp|tcp))?)'
)


PATH_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~-]{1,64}){1,8}")
"""`/studio`: no slash at its end, and no other host's."""
_DEVICES = re.compile(r"all|(?:cuda(?::\d{1,3})?|mps|cpu)(?:,(?:cuda(?::\d{1,3})?|mps|cpu)){0,63}")
_PORTS = re.compile(r"\d{4,5}(?:-\d{4,5})?")
SESSION_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class InputSource:
    """Video that the server fetches (a camera, a file or a URL), and the name of its session."""

    name: str
    source: str

    @classmethod
    def parse_all(cls, texts: tuple[str, ...]) -> list[InputSource]:
        """Read `[NAME=]SOURCE` each; without a name they are `input`, `input-2` and so on.

        A file that is named like that is a SOURCE, unless what is behind its `=` is a file too.

        Raises:
            ValueError: two have the same name, or one is empty.
        """
        sources: list[InputSource] = []
        for number, text in enumerate(texts, 1):
            name, equals, source = text.partition("=")
            if not equals or not SESSION_NAME.fullmatch(name) or (_is_file(text) and not _is_file(source)):
                name, source = f"input-{number}" if number > 1 else "input", text
            if not source:
                raise ValueError(f"input {number} is empty: write [NAME=]SOURCE")
            sources.append(cls(name, source))
        names = [source.name for source in sources]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"two inputs have the name {twice}: give each its own, as NAME=SOURCE")
        return sources


@dataclass(frozen=True, slots=True)
class OutputSetting:
    """Where a session's pictures are sent, and its name. The address holds keys."""

    name: str
    address: SecretStr

    @classmethod
    def parse_all(cls, texts: tuple[SecretStr, ...]) -> list[OutputSetting]:
        """Read `[NAME=]ADDRESS` each; without a name it is that of the first `InputSource`.

        Raises:
            ValueError: one is empty. Without what it says.
        """
        settings: list[OutputSetting] = []
        for number, secret in enumerate(texts, 1):
            name, equals, address = secret.get_secret_value().partition("=")
            if not equals or not SESSION_NAME.fullmatch(name):
                name, address = "input", secret.get_secret_value()
            if not address:
                raise ValueError(f"output {number} is empty: write [NAME=]ADDRESS")
            settings.append(cls(name, SecretStr(address)))
        return settings


def _is_file(text: str) -> bool:
    return Path(text).expanduser().is_file()


@dataclass(frozen=True, slots=True)
class IceServer:
    """A STUN or TURN server, in the words of WebRTC's RTCIceServer."""

    urls: str
    username: str | None = None
    credential: str | None = None

    @classmethod
    def parse(cls, text: str) -> IceServer:
        """Read `stun:HOST[:PORT]` or `turn:USER:PASSWORD@HOST[:PORT][?transport=udp|tcp]`.

        Raises:
            ValueError: it is neither.
        """
        found = ICE_SERVER.fullmatch(text)
        if found is None:
            raise ValueError(
                "one is no ICE server: write stun:HOST[:PORT] or turn:USER:PASSWORD@HOST[:PORT][?transport=udp|tcp]"
            )
        if found["stun"] is not None:
            return cls(found["stun"])
        return cls(found["scheme"] + found["host"], found["username"], found["credential"])

    def wire(self) -> dict[str, str]:
        """The fields of a browser's RTCIceServer that are set."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def port_range(text: str) -> range:
    """The ports of `A-B`, both of them included, or of one alone; none where it is empty.

    Raises:
        ValueError: it is no range.
    """
    if not text:
        return range(0)
    first, dash, last = text.partition("-")
    ports = (int(first), int(last if dash else first)) if _PORTS.fullmatch(text) else (0, 0)
    if not 1024 <= ports[0] <= ports[1] <= 65535:
        raise ValueError(f"{text[:32]!r} are no ports: write one from 1024 to 65535 or two, as 40000-40100")
    return range(ports[0], ports[1] + 1)


def checked_devices(devices: str) -> str:
    """The same, where it names devices or nothing.

    Raises:
        ValueError: it is none.
    """
    if devices and not _DEVICES.fullmatch(devices):
        raise ValueError(f"{devices[:32]!r} are no devices: write cuda:0,cuda:1 or all (GPUs), or cpu,cpu")
    return devices


def osc_target(text: str) -> tuple[str, int]:
    """The address and port of `192.0.2.7:9001` or `[2001:db8::7]:9001`.

    Raises:
        ValueError: it is none.
    """
    host, _, port = text.rpartition(":")
    try:
        address = str(ipaddress.ip_address(host.removeprefix("[").removesuffix("]")))
    except ValueError:
        address = ""
    if not address or not port.isdecimal() or not 0 < int(port[:6]) < 65536:
        raise ValueError(f"{text[:64]!r} is no address and port: write them as 192.0.2.7:9001")
    return address, int(port)


class Device(StrEnum):
    """The device of the engine; `auto` takes CUDA, then Apple's MPS, then the CPU."""

    AUTO = "auto"
    CUDA = "cuda"
    MPS = "mps"
    CPU = "cpu"


class Dtype(StrEnum):
    """Number format of the weights; `auto` is float16 on CUDA and MPS, float32 on the CPU."""

    AUTO = "auto"
    FLOAT32 = "float32"
    FLOAT16 = "float16"
    BFLOAT16 = "bfloat16"


class Tls(StrEnum):
    """Where https comes from, if no certificate is given."""

    OFF = "off"
    SELF = "self"


class DecoderProcess(StrEnum):
    """What is decoded outside of the process that holds the sessions."""

    OFF = "off"
    MOST = "most"
    """Video, PNG and WebP."""
    ALL = "all"
    """JPEG too."""


class Accelerate(StrEnum):
    """The rung that runs the model; `auto` takes the fastest that this machine and this model have."""

    AUTO = "auto"
    OFF = "off"
    GRAPHS = "graphs"
    COMPILE = "compile"
    AOTI = "aoti"
    OPENVINO = "openvino"


AUTO_VARIANTS, KNOWN_VARIANTS, NO_VARIANTS = "auto", "known", "off"
VARIANT_NAMES = ("conv-relu", "qkv", "group-norm", "fp16-sums")
"""Other ways to calculate the same, each of which `variants` may name."""


def checked_variants(text: str) -> str:
    """The same, where it is `auto`, `known`, `off`, or names of variants.

    Raises:
        ValueError: it is none.
    """
    if text not in (AUTO_VARIANTS, KNOWN_VARIANTS, NO_VARIANTS):
        for name in text.split(","):
            if name not in VARIANT_NAMES:
                names = ", ".join(VARIANT_NAMES)
                raise ValueError(f"{name[:32]!r} is no variant: write auto, known, off or names of {names}")
    return text


NO_RUNGS = (Accelerate.AUTO, Accelerate.OFF)
"""What `accelerate` may be that names no rung."""


class ModelConfig(BaseModel):
    """The model to load, and how: all that another process needs to load the same one. Frozen."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: Annotated[str, Field(description="Preset name, hub id, folder, .safetensors file, or echo[:MS].")] = "tiny"
    base: Annotated[
        str | None, Field(description="For a single file: hub id or folder that has its configuration and tokenizer.")
    ] = None
    loras: Annotated[
        tuple[str, ...], Field(description="LoRAs fused at load: preset, hub id or file, with :SCALE behind.")
    ] = ()
    control: Annotated[
        tuple[str, ...],
        Field(description="Nets that params may name in `control`: NAME[=SOURCE[:WEIGHT]], as canny; repeat it."),
    ] = ()
    reference: Annotated[
        str | None,
        Field(description="IP-Adapter, for pictures that others are to be like: preset or .safetensors file."),
    ] = None
    pose_detector: Annotated[
        str | None,
        Field(description="Finds people for nets that are shown poses: rtdetr, hub id or folder. Default: one person."),
    ] = None
    frame_checker: Annotated[
        str | None,
        Field(
            description="Classifier that looks at each picture before anybody sees it: preset, hub id, folder, or "
            ".onnx file; default: none."
        ),
    ] = None
    unsafe_labels: Annotated[
        tuple[str, ...],
        Field(description="Its labels that are unsafe; default: those whose names say so, as nsfw and porn."),
    ] = ()
    hold_above: Annotated[
        float,
        Field(gt=0, le=1, description="Score of the frame checker from which on a session's pictures are held."),
    ] = 0.6
    release_below: Annotated[
        float, Field(gt=0, le=1, description="Score of the frame checker below which they are let go again.")
    ] = 0.4
    embeddings: Annotated[
        tuple[str, ...],
        Field(description="Textual inversions that prompts may name: FILE[=TOKEN], a .safetensors file."),
    ] = ()
    clip_skip: Annotated[
        int | None,
        Field(ge=1, le=24, description="Layer of the text encoder that is heard, from the last, which is 1."),
    ] = None
    vae: Annotated[
        str | None, Field(description="Autoencoder: hub id or folder; `full` keeps the model's own. Default: TAESD.")
    ] = None
    sampler: Annotated[
        str | None, Field(description="lcm, tcd, euler, euler_a or ddim; default: what the model's files name.")
    ] = None
    device: Annotated[Device, Field(description="Where the engine runs.")] = Device.AUTO
    dtype: Annotated[Dtype, Field(description="Number format of the weights.")] = Dtype.AUTO

    @model_validator(mode="after")
    def _check_scores(self) -> ModelConfig:
        if self.release_below > self.hold_above:
            raise ValueError(
                f"--release-below {self.release_below:g} is above --hold-above {self.hold_above:g}: "
                "pictures would be let go and held in turns"
            )
        if self.unsafe_labels and self.frame_checker is None:
            raise ValueError("--unsafe-label is of a --frame-checker: give that too")
        return self


class EngineConfig(ModelConfig):
    """The engine to load, and how: all that its process needs to know, and nothing that is secret. Frozen."""

    devices: Annotated[
        str,
        Field(description="An engine on each, in a process of its own: cuda:0,cuda:1 or all (GPUs) or cpu,cpu."),
    ] = ""
    accelerate: Annotated[Accelerate, Field(description="Rung of speed.")] = Accelerate.AUTO
    avoid_rungs: Annotated[
        tuple[Accelerate, ...], Field(description="Rungs that are not to run, as openvino: what crashes here.")
    ] = ()
    variants: Annotated[
        str,
        AfterValidator(checked_variants),
        Field(description="Other ways to calculate the same: auto (what a trial finds faster), known, off, or names."),
    ] = AUTO_VARIANTS
    max_rows: Annotated[int, Field(ge=1, le=64, description="Rows of one tick: frames in flight in one UNet call.")] = 8


class Config(EngineConfig, BaseSettings):
    """Fixed while the process lives. Frozen; every field is a flag of `realtime serve` and a `REALTIME_*` variable."""

    model_config = SettingsConfigDict(env_prefix="REALTIME_", frozen=True, extra="forbid", env_ignore_empty=True)

    engine_process: Annotated[
        bool | None,
        Field(description="Run the engine in a process of its own, started again when it dies; default: on a GPU."),
    ] = None
    decoder_process: Annotated[
        DecoderProcess,
        Field(description="Decode what clients send in processes of their own: most (all but JPEG), all, or off."),
    ] = DecoderProcess.MOST
    model_folders: Annotated[
        tuple[Path, ...],
        Field(description="Folder with models, diffusers folders or files, that the server may change to; many."),
    ] = ()
    ray: Annotated[
        str,
        Field(description="Engines on other machines: address of a Ray cluster, as HOST:6379; see `realtime worker`."),
    ] = ""
    ray_spares: Annotated[
        int, Field(ge=0, le=64, description="Workers of the cluster that are kept loaded for when another is lost.")
    ] = 0
    host: Annotated[str, Field(description="Address to listen on; other than loopback, a token is required.")] = (
        "127.0.0.1"
    )
    port: Annotated[int, Field(ge=0, le=65535, description="Port to listen on; 0 picks a free one.")] = 8777
    token: Annotated[
        SecretStr | None, Field(description="Access token; made and printed where one is needed and none is set.")
    ] = None
    token_file: Annotated[
        Path | None, Field(description="File with the access token: unlike --token, no process list shows it.")
    ] = None
    tls: Annotated[
        Tls, Field(description="self: https with a certificate that is made for this machine's addresses.")
    ] = Tls.OFF
    tls_cert: Annotated[Path | None, Field(description="Certificate chain for https, in PEM; with --tls-key.")] = None
    tls_key: Annotated[Path | None, Field(description="Its private key, in PEM.")] = None
    state: Annotated[
        Path | None,
        Field(description="File that keeps sessions' names and params over a restart; default: by the port."),
    ] = None
    no_state: Annotated[bool, Field(description="Keep nothing over a restart.")] = False
    root_path: Annotated[
        str,
        Field(description="Path that a reverse proxy serves this server under; default: what X-Forwarded-Prefix says."),
    ] = ""
    allowed_origins: Annotated[
        tuple[str, ...], Field(description="Further web origins that may connect, as https://host:port.")
    ] = ()
    allowed_hosts: Annotated[tuple[str, ...], Field(description="Further host names that this server answers to.")] = ()

    lora_folder: Annotated[
        Path | None,
        Field(description="Folder of LoRAs (.safetensors) that whoever operates the server may add while it runs."),
    ] = None
    inputs: Annotated[
        tuple[str, ...],
        Field(description="Video to fetch into a session: [NAME=]SOURCE, a file, camera:N or a URL (RTSP, RTMP)."),
    ] = ()
    outputs: Annotated[
        tuple[SecretStr, ...],
        Field(
            description="Send a session's pictures to [NAME=]ADDRESS: rtmp, rtmps, srt, udp, tcp, camera, ndi, spout "
            "or syphon."
        ),
    ] = ()
    output_fps: Annotated[int, Field(ge=1, le=120, description="Pictures a second that outputs send.")] = 30
    webrtc: Annotated[bool, Field(description="Serve /rtc, /whip and /whep, on UDP ports that the system picks.")] = (
        True
    )
    ice_servers: Annotated[
        tuple[str, ...],
        Field(description="STUN and TURN servers: stun:HOST[:PORT], turn:USER:PASSWORD@HOST[:PORT][?transport=tcp]."),
    ] = ()
    ice_addresses: Annotated[
        tuple[str, ...], Field(description="Addresses of this machine for WebRTC; default: all but loopback.")
    ] = ()

    udp_ports: Annotated[
        str,
        Field(
            description="UDP ports for WebRTC: one for all peers, as 40000, or one for each of them, as 40000-40100; "
            "default: any that the system gives."
        ),
    ] = ""

    osc: Annotated[int | None, Field(ge=0, le=65535, description="UDP port on which OSC is heard; default: none.")] = (
        None
    )
    osc_host: Annotated[
        str, Field(description="Address on which it is; OSC has no token: whoever reaches it may play.")
    ] = "127.0.0.1"
    osc_to: Annotated[
        str, Field(description="Who is told by OSC what changes, as 192.0.2.7:9001; default: whoever sent last.")
    ] = ""

    prompt_rules: Annotated[
        Path | None,
        Field(description="File of words and expressions that prompts may not have, or that others stand in place of."),
    ] = None
    max_sessions: Annotated[int, Field(ge=1, le=1000, description="Sessions at once.")] = 8
    min_session_fps: Annotated[
        float,
        Field(ge=0, le=120, description="A further session enters only where all would still get this rate; 0: any."),
    ] = 2.0
    max_waiting: Annotated[
        int, Field(ge=0, le=10_000, description="How many may wait in line when sessions run out; 0 refuses them.")
    ] = 0
    session_s: Annotated[float, Field(ge=0, description="A session ends after so long; 0: never.")] = 0.0
    idle_s: Annotated[
        float, Field(ge=0, description="A session without frames and changes ends after so long; 0: never.")
    ] = 0.0
    max_sessions_per_address: Annotated[
        int, Field(ge=0, le=1000, description="Sessions at once from one address of a client; 0: any number.")
    ] = 0
    max_viewers: Annotated[
        int, Field(ge=0, le=10_000, description="Who may watch sessions at once: WHEP, overlays, MJPEG.")
    ] = 64
    rows_per_session: Annotated[
        int, Field(ge=1, le=8, description="1: lowest latency. Up to the step count: the stream batch, more fps.")
    ] = 1
    max_message_bytes: Annotated[int, Field(ge=1024, description="Largest message a client may send.")] = 4 * 2**20
    max_pixels: Annotated[int, Field(ge=64, description="Largest picture a client may send, in pixels.")] = 2048 * 2048
    max_output_pixels: Annotated[
        int, Field(ge=64 * 64, description="Largest picture that params may ask for, in pixels.")
    ] = 1024 * 1024
    engine_restarts: Annotated[
        int | None,
        Field(
            ge=0,
            le=1000,
            description="How often an engine that broke is loaded again before the server ends; "
            "default: without end where it has a process, else 0.",
        ),
    ] = None
    resume_s: Annotated[float, Field(ge=0, description="How long a session waits for its client after a cut.")] = 30.0
    send_timeout_s: Annotated[float, Field(gt=0, description="A client that takes nothing for this long is cut.")] = 5.0

    @model_validator(mode="before")
    @classmethod
    def _read_token(cls, fields: dict[str, Any]) -> dict[str, Any]:
        named = fields.get("token_file")
        if not named or not isinstance(named, str | Path):
            return fields
        if fields.get("token"):
            raise ValueError("give --token or --token-file (REALTIME_TOKEN, REALTIME_TOKEN_FILE), not both")
        file = Path(named).expanduser()
        try:
            token = file.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no text"
            raise ValueError(f"the token file {file} can't be read: {why}: name another with --token-file") from None
        if not token:
            raise ValueError(f"the token file {file} is empty: write the token into it")
        return fields | {"token": token}

    @model_validator(mode="after")
    def _check_devices(self) -> Config:
        if self.devices and self.device is not Device.AUTO:
            raise ValueError("give --device or --devices, not both")
        if self.devices and self.engine_process is False:
            raise ValueError("--devices gives each engine a process: leave --no-engine-process out")
        return self

    @model_validator(mode="after")
    def _check_ray(self) -> Config:
        if self.ray and (self.devices or self.device is not Device.AUTO):
            raise ValueError("with --ray, give --devices to `realtime worker`: the server itself has no engine")
        if self.ray_spares and not self.ray:
            raise ValueError("--ray-spares are workers of a cluster: give --ray too")
        return self

    @model_validator(mode="after")
    def _check_rungs(self) -> Config:
        for rung in self.avoid_rungs:
            if rung in NO_RUNGS:
                raise ValueError(f"--avoid-rung {rung} names no rung: --accelerate off avoids all")
            if rung is self.accelerate:
                raise ValueError(f"give --accelerate {rung} or --avoid-rung {rung}, not both")
        return self

    @model_validator(mode="after")
    def _check_state(self) -> Config:
        if self.state is not None and self.no_state:
            raise ValueError("give --state or --no-state, not both")
        if self.state is not None and self.state.expanduser().is_dir():
            raise ValueError(f"--state {self.state} is a folder: name a file in it")
        return self

    @model_validator(mode="after")
    def _check_tls(self) -> Config:
        if (self.tls_cert is None) is not (self.tls_key is None):
            raise ValueError("give --tls-cert and --tls-key together")
        if self.tls_cert is not None and self.tls is not Tls.OFF:
            raise ValueError("give --tls self, or --tls-cert and --tls-key, not both")
        return self

    @field_validator("osc_host")
    @classmethod
    def _check_osc_host(cls, host: str) -> str:
        try:
            return str(ipaddress.ip_address("127.0.0.1" if host == "localhost" else host))
        except ValueError:
            raise ValueError(f"{host[:64]!r} is no IP address: write one as 0.0.0.0 or 192.0.2.1") from None

    @field_validator("osc_to")
    @classmethod
    def _check_osc_to(cls, target: str) -> str:
        if target:
            osc_target(target)
        return target

    @model_validator(mode="after")
    def _check_osc(self) -> Config:
        if self.osc is None and self.osc_to:
            raise ValueError("--osc-to needs --osc PORT, on which OSC is heard")
        return self

    @field_validator("root_path")
    @classmethod
    def _check_root_path(cls, path: str) -> str:
        path = path.rstrip("/")
        if path and not PATH_PREFIX.fullmatch(path):
            raise ValueError(f"{path[:64]!r} is no path: write one as /studio")
        return path

    @field_validator("devices")
    @classmethod
    def _check_names_of_devices(cls, devices: str) -> str:
        return checked_devices(devices)

    @field_validator("udp_ports")
    @classmethod
    def _check_udp_ports(cls, ports: str) -> str:
        port_range(ports)
        return ports

    @field_validator("inputs")
    @classmethod
    def _check_inputs(cls, inputs: tuple[str, ...]) -> tuple[str, ...]:
        InputSource.parse_all(inputs)
        return inputs

    @field_validator("outputs")
    @classmethod
    def _check_outputs(cls, outputs: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        OutputSetting.parse_all(outputs)
        return outputs

    @field_validator("ice_servers")
    @classmethod
    def _check_ice_servers(cls, servers: tuple[str, ...]) -> tuple[str, ...]:
        for server in servers:
            IceServer.parse(server)
        return servers

    @field_validator("ice_addresses")
    @classmethod
    def _check_ice_addresses(cls, addresses: tuple[str, ...]) -> tuple[str, ...]:
        for address in addresses:
            try:
                ipaddress.ip_address(address)
            except ValueError:
                raise ValueError(f"{address[:64]!r} is no IP address: write one as 192.0.2.1 or 2001:db8::1") from None
        return addresses

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def load_config(flags: dict[str, Any], toml_file: Path | None = None) -> Config:
    """The configuration of this process.

    Args:
        flags: values given on the command line; None means not given.
        toml_file: a TOML file of fields, or None.

    Raises:
        ConfigError: names the field and what is wrong with it.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        return Config(**_read_toml(toml_file) | _Environment(Config)() | given)
    except ValidationError as error:
        raise ConfigError(_in_words(error)) from None


def _in_words(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    field = str(first["loc"][0]) if first["loc"] else ""
    if first["type"] == "extra_forbidden":
        return f"{field[:64]}: there is no such option; `realtime serve --help` lists all"
    words = in_words(first, is_secret=field in ("token", "outputs"))
    return f"{field}: {words}" if field else words


def _read_toml(file: Path | None) -> dict[str, Any]:
    """The fields in a TOML file; none where there is no file. Raises ConfigError."""
    if file is None:
        return {}
    if not file.is_file():
        raise ConfigError(f"there is no configuration file {file}: check what --config names")
    try:
        return TomlConfigSettingsSource(Config, file)()
    except OSError as error:
        raise ConfigError(f"the configuration file {file} can't be read: {error.strerror}: check its rights") from None
    except UnicodeDecodeError:
        raise ConfigError(f"the configuration file {file} is no text in UTF-8: save it as that") from None
    except ValueError as error:
        raise ConfigError(
            f"the configuration file {file} is no TOML: {error}: write port = 8777, for example"
        ) from None


class _Environment(EnvSettingsSource):
    """The fields that `REALTIME_*` variables set. Raises ConfigError for a list that is none."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            variable = f"REALTIME_{field_name.upper()}"
            raise ConfigError(f'{variable} is no JSON list of texts: write it as ["ONE", "TWO"]') from None
