"""What is looked at before anything is loaded."""

from __future__ import annotations

import socket
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from realtime import computed, doctor
from realtime.card import Card
from realtime.doctor import Verdict
from realtime.engine.rungs.tried import TrialCache, Tried
from realtime.engine.state import VariantState
from realtime.outputs.h264 import Trial


def predicts(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """Have a program predict the speed."""
    monkeypatch.setattr(doctor, "FORECAST", (sys.executable, "-c", program))


def test_everything_is_looked_at_and_each_finding_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    predicts(monkeypatch, """print('{"rung": "eager", "side_px": 256, "frame_ms": 20}')""")

    findings = list(doctor.examine())

    subjects = [finding.subject for finding in findings]
    assert len(set(subjects)) == len(subjects) >= 6
    assert all(finding.text and "\n" not in finding.text for finding in findings)


def test_what_trials_have_found_is_told_by_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALTIME_CACHE", str(tmp_path))
    assert doctor.variants() == []
    fast, slow = VariantState("qkv", True, 0.931), VariantState("conv-relu", False, 1.2, "not faster here")
    TrialCache().keep("a", Tried("sd, 512×512, float16, on an H100", (fast, slow)))
    TrialCache().keep("b", Tried("other", (VariantState("group-norm", False, None, "RuntimeError: no"),)))

    told = {finding.subject: finding for finding in doctor.variants()}

    assert told["variants, sd, 512×512, float16, on an H100"].text == (
        "qkv (0.93 of the time); conv-relu (1.20 of the time): not faster here"
    )
    assert told["variants, other"].verdict is Verdict.NOTE
    assert told["variants, other"].text == "group-norm: RuntimeError: no"


def test_only_a_failure_is_a_failure() -> None:
    assert doctor.Finding(Verdict.FAIL, "a", "b").is_failure
    assert not doctor.Finding(Verdict.NOTE, "a", "b").is_failure


def test_old_python_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.sys, "version_info", (3, 10, 2, "final", 0))

    finding = doctor.python()

    assert finding.is_failure
    assert "3.11" in finding.text


def test_missing_package_fails_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if "simplejpeg" in name:
            raise metadata.PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(doctor.metadata, "version", version)

    finding = doctor.packages()

    assert finding.is_failure
    assert "simplejpeg" in finding.text


def test_machine_without_a_gpu_is_told_what_to_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)

    finding = doctor.gpu()

    assert finding.verdict is Verdict.NOTE
    assert "tiny" in finding.text


def with_gpu(monkeypatch: pytest.MonkeyPatch, torch_version: str) -> None:
    monkeypatch.setattr(doctor.shutil, "which", lambda name: "/usr/bin/nvidia-smi")
    monkeypatch.setattr(
        doctor.subprocess,
        "run",
        lambda *args, **kwargs: subprocess.CompletedProcess(args, 0, "NVIDIA H100, 81559 MiB\n"),
    )
    monkeypatch.setattr(doctor.metadata, "version", lambda name: torch_version)


def test_gpu_is_told_with_a_model_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with_gpu(monkeypatch, "2.13.0+cu130")

    finding = doctor.gpu()

    assert finding.verdict is Verdict.OK
    assert "H100" in finding.text


def test_gpu_that_torch_cannot_use_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    with_gpu(monkeypatch, "2.13.0+cpu")

    assert doctor.gpu().is_failure


def test_driver_that_does_not_answer_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*args: object, **kwargs: object) -> None:
        raise subprocess.TimeoutExpired("nvidia-smi", 10)

    monkeypatch.setattr(doctor.shutil, "which", lambda name: "/usr/bin/nvidia-smi")
    monkeypatch.setattr(doctor.subprocess, "run", run)

    assert doctor.gpu().verdict is Verdict.NOTE


def test_port_in_use_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setattr(doctor.Config.model_fields["port"], "default", taken.getsockname()[1])

        finding = doctor.port()

    assert finding.verdict is Verdict.NOTE
    assert "--port" in finding.text


def test_offline_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    assert "offline" in doctor.hub_cache().text


def test_rungs_of_this_machine_are_named_and_a_missing_compiler_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    monkeypatch.setattr(doctor.sys, "platform", "linux")
    monkeypatch.setattr(doctor.metadata, "version", lambda name: "1.0")

    assert doctor.compiler().verdict is Verdict.NOTE
    assert "install g++" in doctor.compiler().text
    assert doctor.rungs().text == "for --accelerate on cpu: off (eager), openvino"

    monkeypatch.setattr(doctor, "compiler_obstacle", lambda device, capability: "")
    assert doctor.rungs().text.endswith("openvino, compile")
    monkeypatch.setattr(doctor, "packages_obstacle", lambda device, capability: "")
    assert doctor.rungs().text.endswith("openvino, compile, aoti")


H100 = computed.COMPUTED[0].card


def texts(findings: list[doctor.Finding]) -> dict[str, str]:
    return {finding.subject: finding.text for finding in findings}


def test_models_of_a_known_card_have_computed_rates_for_both_rungs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "packages_obstacle", lambda device, capability: "")

    found = texts(doctor.models_on(H100))

    assert found.keys() == {f"gpu, {name}" for name in computed.SIZES}
    assert found["gpu, sd-turbo"] == (
        "fits, 8 frames at once; 512×512, 2 steps: 66 fps for one, 120 for all (graphs), "
        "then 88 fps for one, 150 for all (aoti); computed, not measured, ±30 %"
    )


def test_machine_without_packages_is_told_of_graphs_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "packages_obstacle", lambda device, capability: "no compiler")
    monkeypatch.setattr(doctor, "likely_device", lambda: doctor.Device.CUDA)

    assert not any("aoti" in text for text in texts(doctor.models_on(H100)).values())
    assert doctor.rungs(H100).text.endswith("auto takes graphs")


def test_where_packages_have_no_room_to_be_built_graphs_are_what_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "packages_obstacle", lambda device, capability: "")
    card = Card("NVIDIA GeForce RTX 3060", (8, 6), 12.6)

    found = texts(doctor.models_on(card))

    assert "(aoti);" in found["gpu, sd-turbo"]
    assert found["gpu, sdxl-turbo"].endswith("no memory to build packages (aoti) beside it")
    assert "for all (aoti)" not in found["gpu, sdxl-turbo"]


def test_unknown_card_has_no_number_and_a_scaled_one_says_from_what() -> None:
    unknown, like = Card("NVIDIA X1", (12, 0), 24.0), Card("NVIDIA X2", (8, 9), 24.0, 700.0, 200.0)

    assert "not known of this GPU" in texts(doctor.models_on(unknown))["gpu, sd-turbo"]
    assert "scaled from NVIDIA GeForce RTX 4090" in texts(doctor.models_on(like))["gpu, sd-turbo"]
    assert doctor.models_on(None) == doctor.models_on(Card("NVIDIA X3")) == []


@pytest.mark.parametrize(("capability", "platform"), [((6, 1), "linux"), ((8, 9), "win32")])
def test_pascal_and_windows_are_refused_packages_with_the_reason(
    capability: tuple[int, int], platform: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor.sys, "platform", platform)
    monkeypatch.setattr(doctor, "likely_device", lambda: doctor.Device.CUDA)
    card = Card("NVIDIA card", capability, 24.0)

    assert doctor.rungs(card).text == "for --accelerate on cuda: off (eager), graphs; auto takes graphs"
    refused = doctor.compiler(card)
    assert refused.verdict is Verdict.NOTE and ("6.1" in refused.text or "Linux" in refused.text)


def test_card_of_today_is_all_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.metadata, "version", lambda name: "2.13.0+cu130")

    (finding,) = doctor.generation(H100)

    assert finding.verdict is Verdict.OK and "9.0" in finding.text
    assert doctor.generation(None) == []


def test_frame_rates_go_with_the_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    predicts(monkeypatch, """print("torch says hello"); print('{"rung": "eager", "side_px": 256, "frame_ms": 20}')""")

    finding = doctor.speed()

    assert finding.verdict is Verdict.OK
    assert "256×256 50, 384×384 22, 512×512 12 (eager)" in finding.text


@pytest.mark.parametrize(("load", "reason"), [(0.1, "use a GPU"), (3.0, "3.0 of")])
def test_slow_machine_is_told_why(monkeypatch: pytest.MonkeyPatch, load: float, reason: str) -> None:
    predicts(monkeypatch, """print('{"rung": "eager", "side_px": 256, "frame_ms": 500}')""")
    monkeypatch.setattr(doctor.os, "getloadavg", lambda: (load, 0.0, 0.0), raising=False)

    finding = doctor.speed()

    assert finding.verdict is Verdict.NOTE
    assert "256×256 2, 384×384 0.89, 512×512 0.5" in finding.text
    assert reason in finding.text


def test_model_that_does_not_run_is_a_note_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    predicts(monkeypatch, "raise SystemExit('no module named torch')")

    finding = doctor.speed()

    assert finding.verdict is Verdict.NOTE
    assert finding.text.endswith("can't be run: no module named torch")


def test_model_that_never_loads_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    predicts(monkeypatch, "import time; time.sleep(60)")
    monkeypatch.setattr(doctor, "FORECAST_TIMEOUT_S", 0.1)

    assert "took over" in doctor.speed().text


@pytest.mark.slow
def test_the_embedded_model_is_what_is_timed() -> None:
    finding = doctor.speed()

    assert "embedded model, frames a second: 256×256 " in finding.text, finding.text


def test_encoder_that_is_taken_is_named_and_why_no_other_is(monkeypatch: pytest.MonkeyPatch) -> None:
    found = (Trial("h264_nvenc", None, "there is no such device"), Trial("libx264", 1.04))
    monkeypatch.setattr(doctor, "found_encoders", lambda: found)
    software = doctor.video_encoder()
    monkeypatch.setattr(doctor, "found_encoders", lambda: (Trial("h264_nvenc", 2.6),))
    hardware = doctor.video_encoder()

    assert (software.verdict, hardware.verdict) == (Verdict.OK, Verdict.OK)
    assert software.text == (
        "libx264 is used, 1.0 ms a picture of 512×512; no hardware (h264_nvenc: there is no such device)"
    )
    assert hardware.text == "h264_nvenc is used, 2.6 ms a picture of 512×512"
