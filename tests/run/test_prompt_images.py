"""Pictures beside the words of a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from realtime.config import EngineConfig
from realtime.control import INPUT, Hint, HintKey
from realtime.engine import ControlInfo
from realtime.engine.echo import EchoEngine
from realtime.errors import ConfigError, ParamsError
from realtime.prompts import Layers
from realtime.references import REFERENCE_SIDE_PX
from realtime.run.progress import LineProgress
from realtime.run.prompt_images import PromptImages
from realtime.run.running import RunOrder, restyle_recording
from realtime.run.wanted import asked_params, check_heard
from tests.fakes.films import a_film


def a_picture(folder: Path, name: str = "style.png") -> Path:
    file = folder / name
    Image.new("RGB", (1024, 512), (200, 10, 10)).save(file)
    return file


class Seeing(EchoEngine):
    """Hears pictures, and keeps what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.info = replace(self.info, hears_pictures=True)
        self.given: list[Any] = []

    def tick(self, jobs: Any) -> Any:
        self.given += [(job.params.prompt, dict(job.references)) for job in jobs]
        return super().tick(jobs)


def test_picture_is_a_part_of_the_prompt_beside_the_words(tmp_path: Path) -> None:
    images = PromptImages.read([f"{a_picture(tmp_path)}:0.5"])
    (name,) = images.references

    asked = asked_params({"prompt": "ink"}, None, None, images)

    assert asked["prompt"] == [{"text": "ink"}, {"picture": name, "weight": 0.5}]
    assert images.references[name].shape == (REFERENCE_SIDE_PX // 2, REFERENCE_SIDE_PX, 3)


def test_model_is_given_the_picture_with_every_frame(tmp_path: Path) -> None:
    images, engine = PromptImages.read([str(a_picture(tmp_path))]), Seeing()
    asked = {"width": 64, "height": 64} | asked_params({}, None, None, images)
    order = RunOrder(
        str(a_film(tmp_path / "film.mp4", 0.2)), tmp_path / "out.mp4", asked, EngineConfig(model="echo"), images=images
    )

    restyle_recording(order, LineProgress(lambda line: None), load=lambda *_: engine)

    assert len(engine.given) == 5
    assert all(set(references) == set(images.references) for _, references in engine.given)
    assert engine.given[0][0][0].picture in images.references


def test_model_that_hears_words_alone_says_so(tmp_path: Path) -> None:
    images = PromptImages.read([str(a_picture(tmp_path))])
    asked = {"width": 64, "height": 64} | asked_params({}, None, None, images)
    film = a_film(tmp_path / "film.mp4", 0.2)
    order = RunOrder(str(film), tmp_path / "out.mp4", asked, EngineConfig(model="echo"), images=images)

    with pytest.raises(ConfigError, match="hears words, and no pictures"):
        restyle_recording(order, LineProgress(lambda line: None))


class Steered(Seeing):
    """Has two nets, and keeps what they were shown."""

    def __init__(self) -> None:
        super().__init__()
        nets = ControlInfo("canny", Hint.CANNY, "Edges", 0.7), ControlInfo("tile", Hint.TILE, "Tile", 0.5)
        self.info = replace(self.info, controls=nets)

    def tick(self, jobs: Any) -> Any:
        self.given += [(job.params.control, dict(job.hints)) for job in jobs]
        return EchoEngine.tick(self, jobs)


def test_nets_steer_at_their_own_weight_or_the_one_that_is_given_by_the_input_or_a_picture(tmp_path: Path) -> None:
    engine = Steered()
    images = PromptImages.read([], ["canny", f"tile={a_picture(tmp_path)}:0.25"], ["canny", "tile=org/name"])
    (picture,) = images.references
    asked = {"width": 64, "height": 64} | asked_params({}, None, None, images)
    order = RunOrder(
        str(a_film(tmp_path / "film.mp4", 0.2)), tmp_path / "out.mp4", asked, EngineConfig(model="echo"), images=images
    )

    restyle_recording(order, LineProgress(lambda line: None), load=lambda *_: engine)

    assert len(engine.given) == 5
    for control, hints in engine.given:
        assert [(one.net, one.weight, one.source) for one in control] == [
            ("canny", 0.7, INPUT),
            ("tile", 0.25, picture),
        ]
        assert set(hints) == {HintKey(Hint.CANNY, INPUT), HintKey(Hint.TILE, picture)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("depth", "no such net is loaded: add --control depth"),
        ("union/depth:0.5", "no such net is loaded: add --control union$"),
        ("canny=nowhere.png", "nowhere.png: it can't be read"),
        (":1", "add --control NET"),
    ],
)
def test_net_that_is_not_loaded_is_said_before_the_model_is(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        PromptImages.read([], [text], ["canny"])


def test_net_that_the_model_does_not_have_is_said_with_those_that_it_has() -> None:
    images = PromptImages.read([], ["union/wind"], ["union"])

    with pytest.raises(ConfigError, match="--steer union/wind: no such net is loaded: there are canny, tile"):
        images.weighed({}, Steered().info)
    with pytest.raises(ConfigError, match="this model has none"):
        images.weighed({}, Seeing().info)


def test_weight_that_is_too_large_is_refused() -> None:
    with pytest.raises(ParamsError, match="control"):
        asked_params({}, None, None, PromptImages.read([], ["canny:3"], ["canny"]))


def test_file_whose_name_ends_like_a_weight_is_a_file(tmp_path: Path) -> None:
    images = PromptImages.read([str(a_picture(tmp_path).rename(tmp_path / "style:2"))])

    assert [part.keys() for part in images.parts] == [{"picture"}], "of the weight that pictures have"


def test_pictures_for_an_adapter_are_references_beside_the_prompt(tmp_path: Path) -> None:
    images = PromptImages.read([f"{a_picture(tmp_path)}:0.8"], has_adapter=True)
    (name,) = images.references

    asked = asked_params({"prompt": "ink"}, None, None, images)

    assert asked == {"prompt": "ink", "references": [{"picture": name, "weight": 0.8}]}
    check_heard(images, replace(EchoEngine().info, reference_layers=(Layers.ALL,)))
    with pytest.raises(ConfigError, match="or --reference with it"):
        check_heard(images, replace(EchoEngine().info, hears_pictures=True))
