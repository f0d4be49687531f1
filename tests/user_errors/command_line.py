"""Mistakes in options, variables, the configuration file and on the command line."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from typer.testing import CliRunner

from realtime import cli, doctor
from realtime.card import Card
from realtime.config import Config, load_config
from realtime.engine.load import check_engine
from realtime.engine.rungs import toolchain
from realtime.server.http import listen

from .case import Case


def option(**flags: Any) -> Callable[[], object]:
    """Options, as `--max-rows` or in another place: `max_rows`."""
    return lambda: load_config(flags)


def variable(name: str, text: str) -> Callable[[], object]:
    def load() -> object:
        with mock.patch.dict(os.environ, {name: text}):
            return load_config({})

    return load


def file(content: bytes) -> Callable[[], object]:
    """A configuration file `my.toml`."""

    def load() -> object:
        Path("my.toml").write_bytes(content)
        return load_config({}, Path("my.toml"))

    return load


def token_file(content: bytes) -> Callable[[], object]:
    def load() -> object:
        Path("token").write_bytes(content)
        return load_config({"token_file": Path("token")})

    return load


def unreadable_file() -> object:
    Path("my.toml").write_text("port = 1")
    with mock.patch.object(Path, "open", side_effect=PermissionError(errno.EACCES, os.strerror(errno.EACCES))):
        return load_config({}, Path("my.toml"))


def model(name: str) -> Callable[[], object]:
    return lambda: check_engine(Config(model=name))


def command(*arguments: str) -> Callable[[], str]:
    """The last line on standard error, behind the usage that typer says before."""

    def run() -> str:
        with mock.patch.object(cli, "_log_to_stderr"):
            done = CliRunner().invoke(cli.app, arguments)
        assert (done.exit_code, done.stdout) == (2, "")
        return done.stderr.splitlines()[-1]

    return run


def host(name: str, port: int = 8777) -> Callable[[], object]:
    return lambda: listen(Config(host=name, port=port)).close()


def taken_port() -> object:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        try:
            return listen(Config(port=port))
        except Exception as error:
            return str(error).replace(str(port), "8777")


def refused_port(number: int) -> Callable[[], object]:
    """A port that the system refuses with this error."""

    def run() -> object:
        with mock.patch("socket.socket.bind", side_effect=OSError(number, os.strerror(number))):
            return listen(Config(port=80))

    return run


def found(check: Callable[[], doctor.Finding], *parts: tuple[object, str, Any]) -> Callable[[], str]:
    """What `realtime doctor` says where parts of the machine are otherwise: in what, which, and what they are."""

    def run() -> str:
        with contextlib.ExitStack() as otherwise:
            for target, name, value in parts:
                otherwise.enter_context(mock.patch.object(target, name, value))
            finding = check()
        assert finding.verdict is not doctor.Verdict.OK
        return f"{finding.subject}: {finding.text}"

    return run


def obstacle(device: str, *parts: tuple[object, str, Any]) -> Callable[[], str]:
    """Why networks can't be compiled for a device, as `doctor` and `--accelerate` say it."""
    return found(lambda: doctor.Finding(doctor.Verdict.NOTE, device, toolchain.packages_obstacle(device)), *parts)


def failing_smi(*_: Any, **__: Any) -> None:
    raise subprocess.CalledProcessError(9, ["nvidia-smi", "--query-gpu=name,memory.total"])


def smi(*_: Any, **__: Any) -> Any:
    return mock.Mock(stdout="NVIDIA L4, 23034 MiB\n")


class TakenSocket(socket.socket):
    """A socket whose port is another program's."""

    def bind(self, address: object) -> None:
        raise OSError(errno.EADDRINUSE, "taken")


OPTIONS = [
    Case("port: must be at most 65535, not 70000", "port", option(port=70000)),
    Case("port: must be a whole number, not 'http'", "port", option(port="http")),
    Case("port: must be a whole number, not 1.5", "port", option(port=1.5)),
    Case("device: must be 'auto', 'cuda', 'mps' or 'cpu', not 'tpu'", "device", option(device="tpu")),
    Case("max_rows: must be at least 1, not 0", "max_rows", option(max_rows=0)),
    Case("send_timeout_s: must be more than 0, not 0", "send_timeout_s", option(send_timeout_s=0)),
    Case("resume_s: must be at least 0, not nan", "resume_s", option(resume_s=float("nan"))),
    Case("webrtc: must be true or false, not 'maybe'", "webrtc", option(webrtc="maybe")),
    Case("loras: must be a list, not 'one.safetensors'", "loras", option(loras="one.safetensors")),
    Case("loras: entry 2 must be a text, not 3", "entry 2", option(loras=["a", 3])),
    Case("model: must be a text, not 3", "model", option(model=3)),
    Case("token_file: must be a path, not 3", "token_file", option(token_file=3)),
    Case("token: must be a text", "token", option(token=3)),
    Case("inputs: input 1 is empty: write [NAME=]SOURCE", "input 1", option(inputs=("door=",))),
    Case(
        "inputs: two inputs have the name door: give each its own, as NAME=SOURCE",
        "door",
        option(inputs=("door=a", "door=b")),
    ),
    Case(
        "ice_servers: one is no ICE server: write stun:HOST[:PORT] or "
        "turn:USER:PASSWORD@HOST[:PORT][?transport=udp|tcp]",
        "ice_servers",
        option(ice_servers=("example.org",)),
    ),
    Case(
        "ice_addresses: 'my-router' is no IP address: write one as 192.0.2.1 or 2001:db8::1",
        "my-router",
        option(ice_addresses=("my-router",)),
    ),
    Case(
        "give --token or --token-file (REALTIME_TOKEN, REALTIME_TOKEN_FILE), not both",
        "--token-file",
        option(token="a", token_file="b"),
    ),
    Case(
        "the token file nowhere can't be read: No such file or directory: name another with --token-file",
        "nowhere",
        option(token_file="nowhere"),
    ),
    Case("the token file token is empty: write the token into it", "token", token_file(b" \n")),
    Case(
        "the token file token can't be read: it is no text: name another with --token-file",
        "token",
        token_file(b"\xff\xfe"),
    ),
    Case(
        'REALTIME_LORAS is no JSON list of texts: write it as ["ONE", "TWO"]',
        "REALTIME_LORAS",
        variable("REALTIME_LORAS", "a,b"),
    ),
    Case("port: must be a whole number, not 'http'", "port", variable("REALTIME_PORT", "http")),
    Case("--avoid-rung off names no rung: --accelerate off avoids all", "--avoid-rung", option(avoid_rungs=("off",))),
    Case(
        "variants: 'fast' is no variant: write auto, known, off or names of conv-relu, qkv, group-norm, fp16-sums",
        "variants",
        option(variants="fast"),
    ),
    Case(
        "give --accelerate graphs or --avoid-rung graphs, not both",
        "--avoid-rung",
        option(accelerate="graphs", avoid_rungs=("graphs",)),
    ),
]

FILES = [
    Case(
        "there is no configuration file my.toml: check what --config names",
        "my.toml",
        lambda: load_config({}, Path("my.toml")),
    ),
    Case(
        "the configuration file my.toml is no TOML: Invalid value (at end of document): write port = 8777, for example",
        "my.toml",
        file(b"port = "),
    ),
    Case("the configuration file my.toml is no text in UTF-8: save it as that", "my.toml", file(b"\xff\xfe\x00")),
    Case(
        "the configuration file my.toml can't be read: Permission denied: check its rights", "my.toml", unreadable_file
    ),
    Case("colour: there is no such option; `realtime serve --help` lists all", "colour", file(b"colour = 1")),
    Case("port: must be a whole number, not an object", "port", file(b"[port]\na = 1")),
]

COMMANDS = [
    Case(
        "Error: Invalid value for '--port': must be a whole number, not 'http'",
        "--port",
        command("serve", "--port", "http"),
    ),
    Case("realtime: port: must be at most 65535, not 70000", "port", command("serve", "--port", "70000")),
    Case(
        "Error: Invalid value for '--device': 'tpu' is not one of 'auto', 'cuda', 'mps', 'cpu'.",
        "--device",
        command("serve", "--device", "tpu"),
    ),
    Case(
        "Error: No such option: --prot (Possible options: --host, --input, --port)",
        "--prot",
        command("serve", "--prot", "1"),
    ),
    Case("Error: Option '--port' requires an argument.", "--port", command("serve", "--port")),
    Case("Error: No such command 'serv'. Did you mean 'serve'?", "serv", command("serv")),
    Case("Error: Missing argument 'name'.", "name", command("models", "pull")),
    Case(
        "Error: Invalid value for '--tick-ms': must be at least 0.1, not '0'",
        "--tick-ms",
        command("bench", "server", "--tick-ms", "0"),
    ),
    Case(
        "realtime: there is no scenario 'nonsense'; there are throughput, one_client, four_clients, still, overload",
        "nonsense",
        command("bench", "server", "--only", "nonsense"),
    ),
    Case("realtime: --steps: give numbers from 1 to 8", "--steps", command("bench", "engine", "--steps", "9")),
    Case("realtime: --batch: give numbers from 1 to 16", "--batch", command("bench", "engine", "--batch", "100")),
    Case(
        "realtime: 'nonsense' is neither a preset (tiny, sd-turbo, sdxl-turbo, lcm-sd15, "
        "lcm-dreamshaper, lcm-sdxl) nor a hub id (org/name)",
        "'nonsense'",
        command("models", "pull", "nonsense"),
    ),
    Case(
        "realtime: there is no model 'nonsense': give a preset (tiny, sd-turbo, sdxl-turbo, lcm-sd15, "
        "lcm-dreamshaper, lcm-sdxl), a hub id (org/name), a diffusers folder or a .safetensors file",
        "'nonsense'",
        command("serve", "--port", "0", "--model", "nonsense"),
    ),
    Case("--model echo:soon: write echo:MS with MS from 0 to 60000 milliseconds", "echo:soon", model("echo:soon")),
]

ADDRESSES = [
    Case(
        "can't listen on 203.0.113.1, port 8777: this machine has no such address; give one that it has "
        "with --host, or 0.0.0.0 for all of them",
        "203.0.113.1",
        host("203.0.113.1"),
    ),
    Case(
        "can't listen on no-such-host.invalid, port 8777: there is no host of this name; give an "
        "address of this machine with --host, or 0.0.0.0 for all of them",
        "no-such-host.invalid",
        host("no-such-host.invalid"),
    ),
    Case(
        "can't listen on 127.0.0.1, port 8777: another program has this port; end it, or choose another "
        "port with --port",
        "8777",
        taken_port,
    ),
    Case(
        "can't listen on 127.0.0.1, port 80: the system keeps this port for itself; choose one from "
        "1024 on with --port",
        "80",
        refused_port(errno.EACCES),
    ),
    Case(
        "can't listen on 127.0.0.1, port 80: No buffer space available; give another address with "
        "--host, or another port with --port",
        "80",
        refused_port(errno.ENOBUFS),
    ),
]

NVIDIA = (doctor.shutil, "which", lambda name: "/usr/bin/nvidia-smi")
PASCAL = Card("NVIDIA GeForce GTX 1080", (6, 1), 8.5)
SMALL = Card("NVIDIA GeForce RTX 3050", (8, 6), 8.0)
NONE = (doctor.shutil, "which", lambda name: None)
NOTHING_INSTALLED = (doctor, "_installed", lambda name: None)
CACHE = (doctor.Path, "home", lambda: Path("my-cache"))
TRITON = (toolchain.importlib.util, "find_spec", lambda name: True)
NO_FILES = (doctor.resources, "files", lambda name: Path())


def predicted(program: str) -> tuple[object, str, Any]:
    """A program that predicts the speed."""
    return doctor, "FORECAST", (sys.executable, "-c", program)


def idle(load: float) -> tuple[object, str, Any]:
    """Processes that have waited for a core in the last minute."""
    return doctor.os, "getloadavg", lambda: (load, 0.0, 0.0)


MACHINE = [
    Case(
        "python: 3.10.1: 3.11 or newer is needed",
        "python",
        found(doctor.python, (doctor.sys, "version_info", (3, 10, 1))),
    ),
    Case(
        "packages: missing: torch, diffusers, transformers, safetensors, opencv-python, simplejpeg, "
        "uvicorn, fastapi; install the project again with pip",
        "torch",
        found(doctor.packages, NOTHING_INSTALLED),
    ),
    Case(
        "gpu: no NVIDIA driver: the embedded model (--model tiny) is the one for the CPU",
        "gpu",
        found(doctor.gpu, NONE, (doctor.sys, "platform", "linux")),
    ),
    Case(
        "gpu: Apple's GPU (mps) is used where torch has it, in eager mode: "
        "the embedded model (--model tiny) is the one for the CPU",
        "gpu",
        found(doctor.gpu, NONE, (doctor.sys, "platform", "darwin")),
    ),
    Case(
        "gpu: nvidia-smi is there and does not answer: run it to see why, or install NVIDIA's driver again",
        "gpu",
        found(doctor.gpu, NVIDIA, (doctor.subprocess, "run", failing_smi)),
    ),
    Case(
        "gpu: NVIDIA L4, 23034 MiB, but torch is a CPU build: install a CUDA build of torch",
        "gpu",
        found(doctor.gpu, NVIDIA, (doctor.subprocess, "run", smi), (doctor, "_installed", lambda _: "2.9+cpu")),
    ),
    Case(
        "gpu generation: torch is built for ROCm: CUDA graphs run on AMD's GPUs, packages (aoti) do not; "
        "not tried by us",
        "ROCm",
        found(lambda: doctor.generation(None)[0], (doctor, "_installed", lambda _: "2.13.0+rocm7.1")),
    ),
    Case(
        "gpu generation: torch 2.13.0+cu130 has no code for compute capability 6.1: "
        "install one that is built for CUDA 12",
        "6.1",
        found(lambda: doctor.generation(PASCAL)[0], (doctor, "_installed", lambda _: "2.13.0+cu130")),
    ),
    Case(
        "gpu generation: NVIDIA GeForce GTX 1080 (compute capability 6.1) is slow or wrong in float16: "
        "start with --dtype float32",
        "--dtype",
        found(lambda: doctor.generation(PASCAL)[0], (doctor, "_installed", lambda _: "2.9.0+cu126")),
    ),
    Case(
        "gpu, sdxl-turbo: it wants 7.5 GB free, and the GPU has 8.0: too large",
        "8.0",
        found(lambda: next(one for one in doctor.models_on(SMALL) if one.verdict is doctor.Verdict.NOTE)),
    ),
    Case(
        "openvino: not installed; on a CPU it is 2-3 times faster: pip install openvino",
        "openvino",
        found(doctor.openvino, NOTHING_INSTALLED),
    ),
    Case(
        "compiler: there is no C++ compiler: install g++ (Debian, Ubuntu: apt install g++), or name one in CXX",
        "compiler",
        found(doctor.compiler, (toolchain, "cxx", lambda: None), NONE),
    ),
    Case(
        "embedded model: its files are not in this checkout; use another --model",
        "embedded model",
        found(doctor.embedded_model, NO_FILES),
    ),
    Case(
        "web client: not built: run scripts/build in a checkout, or install a released wheel",
        "web client",
        found(doctor.web_client, NO_FILES),
    ),
    Case(
        "port: 8777 is in use: choose another with --port",
        "8777",
        found(doctor.port, (doctor.socket, "socket", TakenSocket)),
    ),
    Case(
        "model cache: my-cache/.cache/huggingface/hub, 1 GB free: free some, or set HF_HUB_CACHE to a "
        "folder on another disk",
        "my-cache",
        found(doctor.hub_cache, (doctor.shutil, "disk_usage", lambda _: mock.Mock(free=2**30)), CACHE),
    ),
    Case(
        "speed: embedded model, frames a second: 256×256 2, 384×384 0.89, 512×512 0.5 (eager); "
        "slow: see the notes above, or use a GPU",
        "256×256 2",
        found(doctor.speed, predicted("""print('{"rung": "eager", "side_px": 256, "frame_ms": 500}')"""), idle(0.1)),
    ),
    Case(
        "speed: embedded model, frames a second: 256×256 2, 384×384 0.89, 512×512 0.5 (eager); "
        "slow: other programs kept 3.0 of 4 cores busy: end them and ask again",
        "3.0 of 4 cores",
        found(
            doctor.speed,
            predicted("""print('{"rung": "eager", "side_px": 256, "frame_ms": 500}')"""),
            idle(3.0),
            (doctor.os, "cpu_count", lambda: 4),
        ),
    ),
    Case(
        "speed: the embedded model can't be run: no module named torch",
        "torch",
        found(doctor.speed, predicted("raise SystemExit('no module named torch')")),
    ),
    Case(
        "speed: the embedded model took over 0 s to load: try again when the machine is idle",
        "idle",
        found(doctor.speed, predicted("import time; time.sleep(60)"), (doctor, "FORECAST_TIMEOUT_S", 0.1)),
    ),
    Case(
        "cuda: triton is not installed: pip install triton",
        "triton",
        obstacle("cuda", (toolchain.importlib.util, "find_spec", lambda name: None)),
    ),
    Case(
        "cuda: CUDA's headers are missing: install the CUDA toolkit, or name its folder in CUDA_HOME",
        "CUDA",
        obstacle("cuda", TRITON, (toolchain, "cuda_home", lambda: None)),
    ),
    Case(
        "cpu: Python's headers are missing: install python3-dev (Debian, Ubuntu: apt install python3-dev)",
        "python3-dev",
        obstacle("cpu", (toolchain.sysconfig, "get_path", lambda name: "nowhere")),
    ),
    Case(
        "mps: networks are compiled for CUDA and the CPU, the model is on mps",
        "mps",
        obstacle("mps"),
    ),
    Case(
        "networks are compiled for GPUs of compute capability 7.0 and above, this one has 6.1",
        "6.1",
        lambda: toolchain.compiler_obstacle("cuda", (6, 1)),
    ),
    Case(
        "cpu: networks are compiled on Linux and macOS only",
        "Linux",
        obstacle("cpu", (toolchain.sys, "platform", "win32")),
    ),
]

CASES = [*OPTIONS, *FILES, *COMMANDS, *ADDRESSES, *MACHINE]
