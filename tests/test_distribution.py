"""The files of a release: made from a clean folder, and the wheel at work in an environment of its own.

With `REALTIME_DIST` set, the sdist and wheel in that folder are tested (scripts/release does that); else new ones.
"""

from __future__ import annotations

import os
import re
import runpy
import shutil
import signal
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from packaging.metadata import Metadata

from realtime.version import __version__
from tests.fakes.waiting import PATIENCE_S

ROOT = Path(__file__).parent.parent
STATIC = Path("realtime/server/static")
NAME = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["name"]
FAKE_NPM = """#!/bin/sh
echo "$@" >> calls
if [ "$1" = run ]; then mkdir -p ../realtime/server/static && echo "<html>" > ../realtime/server/static/index.html; fi
exit {code}
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (ROOT / ".git").exists(), reason="git knows which files are the project's"),
    pytest.mark.skipif(os.name == "nt", reason="written for a POSIX shell"),
]


@dataclass(frozen=True)
class Files:
    sdist: Path
    wheel: Path


def clean_copy(folder: Path) -> Path:
    """What a clean clone of the working tree has: neither a built page nor modules of Node."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    return folder


def build(source: Path, target: str, into: Path, path: str | None = None) -> subprocess.CompletedProcess[str]:
    """Make the sdist or wheel as pip would, with the packages that are here. `path` is where programs are found."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(into)]
    environment = os.environ | ({"PATH": path} if path is not None else {})
    return subprocess.run(command, cwd=source, env=environment, capture_output=True, text=True, check=False)


def made(source: Path, target: str, into: Path, path: str | None = None) -> Path:
    done = build(source, target, into, path)
    assert done.returncode == 0, done.stdout + done.stderr
    (file,) = into.glob({"sdist": "*.tar.gz", "wheel": "*.whl"}[target])
    return file


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """The wheel is made of the unpacked sdist, on a machine without Node."""
    if given := os.environ.get("REALTIME_DIST"):
        (sdist,), (wheel,) = Path(given).glob("*.tar.gz"), Path(given).glob("*.whl")
        return Files(sdist, wheel)
    folder = tmp_path_factory.mktemp("clean")
    source = clean_copy(folder / "source")
    if (ROOT / STATIC / ".built-from").exists():
        shutil.copytree(ROOT / STATIC, source / STATIC)
    sdist = made(source, "sdist", folder)
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    return Files(sdist, made(folder / f"{NAME.replace('-', '_')}-{__version__}", "wheel", folder, path=""))


@pytest.fixture(scope="module")
def names(files: Files) -> list[str]:
    with zipfile.ZipFile(files.wheel) as wheel:
        return wheel.namelist()


def test_page_is_built_anew_where_any_of_its_sources_has_changed() -> None:
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT / "web_client", capture_output=True, text=True, check=True).stdout.split()
    no_source = re.compile(r"(client/)?(README\.md|examples/.*)|tests/.*|src/.*|\.gitignore|\.npmrc")
    sources = runpy.run_path(str(ROOT / "scripts" / "page.py"))["SOURCES"]

    assert {name for name in names if not no_source.fullmatch(name)} == set(sources) - {"src"}


def test_both_hold_the_page(files: Files, names: list[str]) -> None:
    with tarfile.open(files.sdist) as archive:
        in_sdist = [name.partition("/")[2] for name in archive.getnames()]

    for found in (in_sdist, names):
        assert {str(STATIC / "index.html"), str(STATIC / "overlay.html"), str(STATIC / "remote.html")} <= set(found)
        assert any(name.startswith(str(STATIC / "assets")) and name.endswith(".js") for name in found)


def test_wheel_is_the_package_and_nothing_else(names: list[str]) -> None:
    assert {name.partition("/")[0] for name in names} == {
        "realtime",
        f"{NAME.replace('-', '_')}-{__version__}.dist-info",
    }
    assert "realtime/py.typed" in names
    assert any(name.endswith(".safetensors") for name in names), "the embedded model"
    assert {"LICENSE", "NOTICE"} <= {Path(name).name for name in names if ".dist-info/licenses/" in name}


def test_metadata_is_valid_and_says_name_and_version(files: Files) -> None:
    with zipfile.ZipFile(files.wheel) as wheel:
        (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = Metadata.from_email(wheel.read(name), validate=True)

    assert (metadata.name, str(metadata.version)) == (NAME, __version__)
    assert metadata.description_content_type == "text/markdown"
    assert metadata.description is not None and metadata.description.startswith("# ")
    assert "openvino" in (metadata.provides_extra or ())


# -- installed ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def installed(files: Files, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of a fresh environment with the wheel, which borrows the other packages of this one."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=False)
    scheme = sysconfig.get_paths("venv", {"base": str(folder), "platbase": str(folder)})
    borrowed = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    # Of a folder that is named so, Python reads no .pth files: our own editable install is not among them.
    (Path(scheme["purelib"]) / "borrowed.pth").write_text("\n".join(borrowed))
    python = Path(scheme["scripts"]) / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, str(files.wheel)], check=True)
    return Path(scheme["scripts"])


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A folder that is no checkout, and no path to one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONPATH", raising=False)


def said_by(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False).stdout


@pytest.mark.usefixtures("elsewhere")
def test_installed_package_is_the_one_of_the_wheel(installed: Path) -> None:
    where = said_by(installed / "python", "-c", "import realtime; print(realtime.__file__)")

    assert Path(where.strip()).is_relative_to(installed.parent)
    assert said_by(installed / "realtime", "--version").strip() == __version__


@pytest.mark.usefixtures("elsewhere")
def test_doctor_finds_page_and_model_in_the_wheel(installed: Path) -> None:
    findings = said_by(installed / "realtime", "doctor").splitlines()

    assert {"ok    embedded model: here", "ok    web client: built"} <= set(findings)


@pytest.fixture
def address(installed: Path, elsewhere: None) -> Iterator[str]:
    """Of a server that was installed from the wheel; it is told to end, and does."""
    command = [installed / "realtime", "serve", "--model", "echo", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            found = re.search(r"http://\S+", server.stdout.readline())
            assert found
            yield found[0]
            server.send_signal(signal.SIGTERM)
            assert server.wait(PATIENCE_S) == 0
        finally:
            server.kill()


def test_wheel_serves_the_page(address: str) -> None:
    page = httpx2.get(address, trust_env=False)
    script = re.search(r'<script[^>]+src="\./([^"]+)"', page.text)

    assert page.status_code == 200
    assert script is not None
    assert httpx2.get(address + script[1], trust_env=False).headers["content-type"].startswith("text/javascript")


# -- the hook -------------------------------------------------------------------------------------------------------


def machine_with_npm(folder: Path, code: int) -> str:
    """A PATH with a Node that is new enough and an npm that ends with this code."""
    for name, text in (("node", "#!/bin/sh\necho v24.1.0\n"), ("npm", FAKE_NPM.format(code=code))):
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return os.pathsep.join([str(folder), os.defpath])


def test_wheel_of_a_clean_clone_has_its_page_built(tmp_path: Path) -> None:
    source = clean_copy(tmp_path / "source")
    path = machine_with_npm(tmp_path / "bin", code=0)

    wheel = made(source, "wheel", tmp_path, path)
    made(source, "wheel", tmp_path, path)

    with zipfile.ZipFile(wheel) as archive:
        assert archive.read(str(STATIC / "index.html")) == b"<html>\n"
    calls = (source / "web_client" / "calls").read_text().splitlines()
    assert calls == ["ci --no-audit --no-fund", "run build"], "once: the second wheel found it built"


def test_no_wheel_without_the_page_but_one_sentence(tmp_path: Path) -> None:
    source = clean_copy(tmp_path / "source")

    done = build(source, "wheel", tmp_path, machine_with_npm(tmp_path / "bin", code=1))

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "The page can't be built, because `npm ci --no-audit --no-fund` failed in web_client: mend what it says above "
        "(it downloads from npm's registry), or take a released wheel, which holds the page."
    )
    assert list(tmp_path.glob("*.whl")) == []
