"""Poses: points against transformers' own, skeletons against OpenPose's drawing, people, and what is refused."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from transformers import VitPoseImageProcessor

from realtime.engine.models.control_presets import POSE_ESTIMATOR
from realtime.engine.models.pose.detector import PEOPLE_MAX, PersonDetector
from realtime.engine.models.pose.estimator import PoseEstimator, is_skeleton
from realtime.engine.models.pose.keypoints import openpose_body, peaks
from realtime.engine.models.pose.load import load_detector, load_pose
from realtime.engine.models.pose.names import DETECTORS, check_detector
from realtime.engine.models.pose.skeleton import COLOURS, LIMB_LIGHT, LIMBS, Skeleton
from realtime.errors import ModelError
from tests.checkpoints import put_in_hub_cache
from tests.engine.tiny_pose import PERSON, STANDING, Seer, gaussians, tiny_rtdetr, tiny_vitpose

NECK, RIGHT_SHOULDER, RIGHT_ELBOW, LEFT_SHOULDER, RIGHT_HIP = 1, 2, 3, 5, 8


def silent(stage: str, percent: float | None) -> None:
    pass


def photos(count: int, height: int = 96, width: int = 128) -> torch.Tensor:
    """Soft noise, float32 [B, 3, H, W] in [0, 1]."""
    coarse = torch.rand(count, 3, 6, 8, generator=torch.Generator().manual_seed(1))
    return torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1)


# -- points ----------------------------------------------------------------------------------------------------------


def gaussian_filter(
    heatmap: np.ndarray, sigma: float, radius: tuple[int, int], axes: tuple[int, int] = (0, 1)
) -> np.ndarray:
    """SciPy's, as far as it is called."""
    at = np.arange(-radius[0], radius[0] + 1)
    kernel = np.exp(-(at**2) / (2 * sigma**2))
    kernel /= kernel.sum()
    padded = np.pad(heatmap, radius[0], mode="symmetric")
    return np.asarray(cv2.sepFilter2D(padded, -1, kernel, kernel)[radius[0] : -radius[0], radius[1] : -radius[1]])


def affine_transform(channel: np.ndarray, matrix: np.ndarray, output_shape: tuple[int, int], order: int) -> np.ndarray:
    """SciPy's, as far as it is called: of rows and columns."""
    assert order == 1
    places = np.stack([*np.indices(output_shape), np.ones(output_shape)]).astype(float)
    rows, columns, _ = np.einsum("ij,jhw->ihw", matrix, places).astype(np.float32)
    return np.asarray(cv2.remap(np.ascontiguousarray(channel), columns, rows, cv2.INTER_LINEAR, borderValue=0))


@pytest.fixture
def scipy(monkeypatch: pytest.MonkeyPatch) -> None:
    """What transformers' processing takes of SciPy, which isn't among this server's libraries."""
    for name, function in (
        ("inv", np.linalg.inv),
        ("affine_transform", affine_transform),
        ("gaussian_filter", gaussian_filter),
    ):
        where = f"transformers.models.vitpose.image_processing_pil_vitpose.{name}"
        monkeypatch.setattr(where, function, raising=False)


@pytest.mark.usefixtures("scipy")
def test_points_are_those_of_transformers_own_processing() -> None:
    processor, network = VitPoseImageProcessor(size={"height": 64, "width": 48}), tiny_vitpose()
    pictures = (photos(2) * 255).round()
    boxes = [[[0.0, 0.0, 128.0, 96.0]]] * 2

    with torch.no_grad():
        inputs = processor([one.byte() for one in pictures], boxes=boxes, return_tensors="pt")
        theirs_seen = network(**inputs)
        ours, scores = PoseEstimator(network).find(pictures / 255)

    theirs = processor.post_process_pose_estimation(theirs_seen, boxes)
    for row, [found] in enumerate(theirs):
        # Of noise: a flat heatmap's peak is anywhere near its highest pixel.
        near = (ours[row, 0] - found["keypoints"]).abs().amax(-1) < 1
        assert near.float().mean() > 0.75, (ours[row, 0], found["keypoints"])
        torch.testing.assert_close(scores[row, 0], found["scores"], atol=0.05, rtol=0.05)


@pytest.mark.usefixtures("scipy")
def test_network_is_shown_what_transformers_processing_shows_it() -> None:
    shown: list[torch.Tensor] = []
    network = tiny_vitpose()
    network.register_forward_pre_hook(lambda module, args: shown.append(args[0]))
    pictures = (photos(2) * 255).round()
    processor = VitPoseImageProcessor(size={"height": 64, "width": 48})

    with torch.no_grad():
        PoseEstimator(network).find(pictures / 255)

    boxes = [[[0.0, 0.0, 128.0, 96.0]]] * 2
    theirs = processor([one.byte() for one in pictures], boxes=boxes, return_tensors="pt")["pixel_values"]
    inside = (slice(None), slice(None), slice(14, -14), slice(6, -6))  # at its edge they fade, or don't
    torch.testing.assert_close(shown[0][inside], theirs[inside], atol=0.03, rtol=0)


@pytest.mark.usefixtures("scipy")
def test_peaks_between_pixels_are_found_as_transformers_finds_them() -> None:
    at = 5 + torch.rand(3, 17, 2, generator=torch.Generator().manual_seed(2)) * torch.tensor([37, 53])
    heatmaps = gaussians(at) * torch.linspace(0.1, 1, 17)[None, :, None, None]
    box = [10.0, 20.0, 300.0, 400.0]

    places, scores = peaks(heatmaps)

    assert (places - at).abs().max() < 0.1
    assert (scores / torch.linspace(0.1, 1, 17)).min() > 0.9
    processor = VitPoseImageProcessor()
    theirs = processor.post_process_pose_estimation(SimpleNamespace(heatmaps=heatmaps), [[box]] * 3)
    step = torch.tensor([300 * 1.25 / 47, 400 * 1.25 / 63])
    begin = torch.tensor([10 + 150 - 300 * 1.25 / 2, 20 + 200 - 400 * 1.25 / 2])
    for row, [found] in enumerate(theirs):
        assert (places[row] * step + begin - found["keypoints"]).abs().max() < 1


def test_flat_heatmap_has_its_point_at_the_highest_pixel() -> None:
    heatmaps = torch.zeros(1, 1, 64, 48)

    places, scores = peaks(heatmaps)

    assert places.isfinite().all() and scores.tolist() == [[0.0]]


def test_openposes_body_has_a_neck_between_the_shoulders_as_sure_as_the_less_sure_of_them() -> None:
    points = torch.arange(34.0).view(17, 2)
    scores = torch.linspace(0.1, 0.9, 17)

    body, sure = openpose_body(points, scores)

    left, right = points[5], points[6]
    assert body[NECK].tolist() == ((left + right) / 2).tolist() and sure[NECK] == scores[5]
    assert body[RIGHT_SHOULDER].tolist() == right.tolist() and body[LEFT_SHOULDER].tolist() == left.tolist()
    assert body[[14, 15, 16, 17]].tolist() == points[[2, 1, 4, 3]].tolist(), "right eye, left eye, right ear, left ear"
    assert len({tuple(point) for point in body.tolist()}) == 18


# -- skeletons -------------------------------------------------------------------------------------------------------


def as_openpose_draws(points: np.ndarray, side: int) -> np.ndarray:
    """Ellipses and discs by OpenCV, four pixels thick in a picture of 512."""
    canvas, radius = np.zeros((side, side, 3), np.uint8), round(4 * side / 512)
    for colour, (first, last) in zip(COLOURS, LIMBS, strict=False):
        (x0, y0), (x1, y1) = points[first], points[last]
        length, angle = math.hypot(x1 - x0, y1 - y0), math.degrees(math.atan2(y0 - y1, x0 - x1))
        middle = round((x0 + x1) / 2), round((y0 + y1) / 2)
        polygon = cv2.ellipse2Poly(middle, (round(length / 2), radius), round(angle), 0, 360, 1)
        cv2.fillConvexPoly(canvas, polygon, [int(LIMB_LIGHT * channel) for channel in colour])
    for colour, (x, y) in zip(COLOURS, points, strict=True):
        cv2.circle(canvas, (round(float(x)), round(float(y))), radius, colour, -1)
    return canvas


@pytest.mark.parametrize("side", [256, 512])
def test_skeleton_is_drawn_as_openpose_draws_it(side: int) -> None:
    points, _ = openpose_body(STANDING * side, torch.ones(17))

    [drawn] = Skeleton()(points[None, None], torch.ones(1, 1, 18, dtype=torch.bool), side, side).numpy()

    expected = as_openpose_draws(points.numpy(), side)
    is_drawn, is_expected = drawn.any(2), expected.any(2)
    assert (is_drawn & is_expected).sum() / (is_drawn | is_expected).sum() > 0.85, "the same shape, but for its edge"
    within = cv2.erode(is_expected.astype(np.uint8), np.ones((3, 3))).astype(bool) & is_drawn
    assert (drawn[within] == expected[within]).all(1).mean() > 0.95, "in the same colours"
    for number, (x, y) in enumerate(points.round().int().tolist()):
        if number not in (14, 15, 16, 17, 0):  # in a face they cover each other
            assert drawn[y, x].tolist() == list(COLOURS[number])
    for number, (first, last) in enumerate(LIMBS[:12]):
        x, y = (0.7 * points[first] + 0.3 * points[last]).round().int().tolist()
        assert drawn[y, x].tolist() == [int(LIMB_LIGHT * channel) for channel in COLOURS[number]], (first, last)


def test_points_that_nobody_is_sure_of_are_not_drawn_nor_are_their_limbs() -> None:
    sure = torch.ones(17)
    sure[8] = 0.2  # the right elbow
    estimator = PoseEstimator(Seer(STANDING, sure))
    whole = PoseEstimator(Seer(STANDING))
    picture = photos(1, 256, 192)

    [drawn], [complete] = estimator(picture).numpy(), whole(picture).numpy()

    def has(picture: np.ndarray, number: int, light: float = 1.0) -> bool:
        return bool((picture == [int(light * channel) for channel in COLOURS[number]]).all(2).any())

    assert has(complete, RIGHT_ELBOW) and not has(drawn, RIGHT_ELBOW)
    limbs_of_elbow = [number for number, ends in enumerate(LIMBS) if RIGHT_ELBOW in ends]
    assert len(limbs_of_elbow) == 2 and not any(has(drawn, number, LIMB_LIGHT) for number in limbs_of_elbow)
    assert all(has(drawn, number) for number in (NECK, RIGHT_SHOULDER, LEFT_SHOULDER))


def test_skeleton_lies_on_the_person_also_in_pictures_that_are_larger_than_what_is_looked_at() -> None:
    for height, width in ((96, 128), (512, 512), (1280, 720)):
        estimator = PoseEstimator(Seer(STANDING))
        [drawn] = estimator(photos(1, height, width)).numpy()
        scale = 1.25 * np.maximum([width, height], [height * 0.75, width / 0.75])
        hip = STANDING[12].numpy() * scale + (np.array([width, height]) - scale) / 2
        y, x = np.nonzero((drawn == COLOURS[RIGHT_HIP]).all(2))
        assert np.abs([x.mean(), y.mean()] - hip).max() < 2 + max(height, width) / 400


def test_picture_of_a_skeleton_is_left_as_it_is_and_a_dark_room_is_none() -> None:
    body, _ = openpose_body(STANDING * 256, torch.ones(17))
    skeleton = Skeleton()(body[None, None], torch.ones(1, 1, 18, dtype=torch.bool), 256, 256)
    as_jpeg = cv2.imdecode(cv2.imencode(".jpg", skeleton[0].numpy(), [cv2.IMWRITE_JPEG_QUALITY, 90])[1], 1)
    pixels = torch.from_numpy(np.stack([skeleton[0].numpy(), as_jpeg])).permute(0, 3, 1, 2).float() / 255
    dark = photos(1, 256, 256) * 0.05
    lamp = dark.clone()
    lamp[..., 40:50, 40:50] = 1.0
    black = torch.zeros(1, 3, 256, 256)

    assert is_skeleton(torch.cat([pixels, dark, lamp, black, photos(1, 256, 256)])).tolist() == [
        True, True, False, False, False, False,
    ]  # fmt: skip
    [shown] = PoseEstimator(Seer(STANDING))(pixels[:1])
    np.testing.assert_array_equal(shown.numpy(), skeleton[0].numpy())


def test_pictures_of_a_batch_have_the_skeletons_that_they_have_alone() -> None:
    estimator = PoseEstimator(tiny_vitpose(), PersonDetector(tiny_rtdetr(), PERSON))
    pictures = photos(3)

    with torch.no_grad():
        together, scores = estimator.find(pictures)
        alone = [estimator.find(one[None]) for one in pictures]

    assert together.shape == (3, PEOPLE_MAX, 17, 2)
    torch.testing.assert_close(together, torch.cat([points for points, _ in alone]), atol=0.05, rtol=1e-3)
    torch.testing.assert_close(scores, torch.cat([score for _, score in alone]), atol=1e-3, rtol=1e-3)


# -- people ----------------------------------------------------------------------------------------------------------


class Boxes(torch.nn.Module):
    """Stands for a detector's network: the same boxes in each picture, of cats and people in turns."""

    dtype = torch.float32

    def __init__(self, boxes: list[list[float]], sure: list[float]) -> None:
        super().__init__()
        self.config = SimpleNamespace(anchor_image_size=[640, 640])
        self.boxes = torch.tensor(boxes)
        self.logits = torch.tensor(sure).logit(eps=1e-6)

    def forward(self, seen: torch.Tensor) -> SimpleNamespace:
        assert seen.shape[1:] == (3, 640, 640)
        cats = torch.full_like(self.logits, 6.0)
        logits = torch.stack((cats, self.logits), -1)
        return SimpleNamespace(logits=logits.expand(len(seen), -1, -1), pred_boxes=self.boxes.expand(len(seen), -1, -1))


def test_surest_people_are_found_and_each_has_a_skeleton_of_his_own() -> None:
    boxes = [
        [0.25, 0.5, 0.3, 0.8],
        [0.5, 0.1, 0.1, 0.1],
        [0.75, 0.5, 0.3, 0.8],
        [0.5, 0.9, 0.1, 0.1],
        [0.5] * 4,
        [0.1] * 4,
    ]
    detector = PersonDetector(Boxes(boxes, [0.9, 0.4, 0.8, 0.3, 0.2, 0.1]), label=1)
    picture = photos(1, 256, 512)

    found, is_there = detector(picture)
    [drawn] = PoseEstimator(Seer(STANDING), detector)(picture).numpy()

    assert found.shape == (1, PEOPLE_MAX, 4) and is_there.tolist() == [[True, True, False, False]]
    torch.testing.assert_close(found[0, 0], torch.tensor([51.2, 25.6, 153.6, 204.8]))
    torch.testing.assert_close(found[0, 1], torch.tensor([307.2, 25.6, 153.6, 204.8]))
    _, x = np.nonzero((drawn == COLOURS[NECK]).all(2))
    assert len(x[x < 256]) > 4 and abs(x[x < 256].mean() - 128) < 2
    assert len(x[x > 256]) > 4 and abs(x[x > 256].mean() - 384) < 2


def test_where_nobody_is_nothing_is_drawn() -> None:
    detector = PersonDetector(Boxes([[0.5] * 4] * 4, [0.2] * 4), label=1)

    assert not PoseEstimator(Seer(STANDING), detector)(photos(2)).any()


def test_detectors_people_are_those_of_transformers_own_processing() -> None:
    from transformers import RTDetrImageProcessor

    network, pictures = tiny_rtdetr(), photos(2, 320, 480)
    with torch.no_grad():
        ours, _ = PersonDetector(network, PERSON)(pictures)
        seen = torch.nn.functional.interpolate(pictures, (640, 640), mode="bilinear", antialias=True)
        answer = network(seen)
    answer.logits[..., PERSON] += 8  # all are people: theirs are the best of all labels
    theirs = RTDetrImageProcessor().post_process_object_detection(answer, threshold=0.0, target_sizes=[(320, 480)] * 2)

    for row, found in enumerate(theirs):
        people = found["boxes"][found["labels"] == PERSON]  # the surest first
        assert len(people) >= PEOPLE_MAX
        corners = torch.cat([ours[row, :, :2], ours[row, :, :2] + ours[row, :, 2:]], -1)
        torch.testing.assert_close(corners, people[:PEOPLE_MAX], atol=0.01, rtol=0)


# -- loading ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def test_networks_are_loaded_and_give_what_those_gave_that_were_saved(cache: Path, tmp_path: Path) -> None:
    network, detector = tiny_vitpose(), tiny_rtdetr()
    network.save_pretrained(tmp_path / "vitpose")
    detector.save_pretrained(tmp_path / "people")
    put_in_hub_cache(cache, POSE_ESTIMATOR.repo, tmp_path / "vitpose")
    put_in_hub_cache(cache, DETECTORS["rtdetr"].source.repo, tmp_path / "people")
    pictures = photos(1)

    with torch.no_grad():
        plain = load_pose(None, torch.float32, silent).find(pictures)
        by_name = load_pose("rtdetr", torch.float32, silent).find(pictures)
        by_folder = load_pose(str(tmp_path / "people"), torch.float32, silent).find(pictures)
        expected = PoseEstimator(network).find(pictures)
        expected_people = PoseEstimator(network, PersonDetector(detector, PERSON)).find(pictures)

    for one, other in itertools.chain(
        zip(plain, expected, strict=True),
        zip(by_name, expected_people, strict=True),
        zip(by_folder, expected_people, strict=True),
    ):
        torch.testing.assert_close(one, other)


def test_what_is_none_is_refused(cache: Path, tmp_path: Path) -> None:
    tiny_rtdetr(labels=("cat", "dog", "cow")).save_pretrained(tmp_path / "cats")
    tiny_vitpose().save_pretrained(tmp_path / "pose")
    (tmp_path / "empty").mkdir()
    put_in_hub_cache(cache, POSE_ESTIMATOR.repo, tmp_path / "cats")

    def refusal(name: str) -> str:
        with pytest.raises(ModelError) as caught:
            load_detector(name, torch.float32, silent)
        return str(caught.value)

    assert "it finds no people" in refusal(str(tmp_path / "cats"))
    assert "it is a 'vitpose', and no 'rt_detr'" in refusal(str(tmp_path / "pose"))
    assert "config.json is missing" in refusal(str(tmp_path / "empty"))
    assert "is not in the local cache" in refusal("org/people")
    with pytest.raises(ModelError, match=r"there is no detector of people 'nobody': give a preset \(rtdetr\)"):
        check_detector("nobody")
    with pytest.raises(ModelError, match=POSE_ESTIMATOR.repo):
        load_pose(None, torch.float32, silent)


def test_weights_that_are_missing_are_said(cache: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    tiny_vitpose().save_pretrained(tmp_path / "vitpose")
    weights = load_file(tmp_path / "vitpose" / "model.safetensors")
    del weights["head.conv.weight"]
    save_file(weights, tmp_path / "vitpose" / "model.safetensors", metadata={"format": "pt"})
    put_in_hub_cache(cache, POSE_ESTIMATOR.repo, tmp_path / "vitpose")

    with pytest.raises(ModelError, match=r"1 weights are missing \(such as head.conv.weight\)"):
        load_pose(None, torch.float32, silent)
