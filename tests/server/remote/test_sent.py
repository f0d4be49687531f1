"""Results that came encoded: their pixels are decoded when somebody asks for them."""

from __future__ import annotations

from dataclasses import replace
from unittest import mock

import numpy as np
import pytest

from realtime.control import INPUT, Hint, HintKey
from realtime.frame import Air, Format, Frame, Order, Stamps
from realtime.media import codec
from realtime.params import Matte, OutputFormat, Params
from realtime.server.remote import mirror
from realtime.server.remote.messages import Offering, PictureMade, Reply
from realtime.server.remote.mirror import MirroredSession
from realtime.server.remote.sent import sent_result
from tests.fakes.frames import a_frame, a_job, a_result
from tests.fakes.pictures import encoded

PARAMS = Params(width=64, height=128)
PICTURE = np.full((128, 64, 3), (200, 100, 50), np.uint8)


def an_order(level: int = 7) -> Order:
    data = encoded(np.full((16, 8, 3), level, np.uint8))
    return Order(Frame(3, Format.JPEG, data, 0, 11), PARAMS, "s", 12, 5)


def test_nothing_is_decoded_for_a_client_that_takes_encoded_pictures() -> None:
    with mock.patch.object(codec, "decode_encoded") as decoding, mock.patch.object(codec, "decode") as opening:
        result = sent_result(an_order(), Format.JPEG, b"picture", Stamps(11), has_key=False, encode=True)
        again = (result.data, result.format, result.key, result.job.number, result.order.session)

    assert again == (b"picture", Format.JPEG, None, 5, "s")
    assert not decoding.called
    assert not opening.called


def test_pixels_are_there_when_they_are_asked_for_and_decoded_once() -> None:
    _, data = codec.encode(PICTURE, OutputFormat.PNG, 100)
    result = sent_result(an_order(), Format.PNG, data, Stamps(11), has_key=False, encode=False)

    assert np.array_equal(result.picture, PICTURE)
    assert result.picture is result.picture
    assert (result.data, result.format) == (b"", Format.NONE)


def test_viewers_get_the_input_or_black_as_of_any_result() -> None:
    _, data = codec.encode(PICTURE, OutputFormat.JPEG, 90)
    result = sent_result(an_order(7), Format.JPEG, data, Stamps(11), has_key=False, encode=True)
    bypassed, black = result.on_air(Air.INPUT), result.on_air(Air.BLACK)

    assert (bypassed.picture.shape, set(np.unique(bypassed.picture))) == ((128, 64, 3), {7})
    assert (black.picture.max(), black.picture.shape) == (0, (128, 64, 3))


def test_it_answers_another_frame_that_shows_the_same() -> None:
    _, data = codec.encode(PICTURE, OutputFormat.JPEG, 90)
    result = sent_result(an_order(), Format.JPEG, data, Stamps(11), has_key=False, encode=True)
    other = result.answering(replace(a_frame(9), received_ns=1))

    assert (other.job.frame.seq, other.data, other.picture.shape) == (9, data, (128, 64, 3))


@pytest.mark.parametrize("kind", list(OutputFormat))
def test_opacity_comes_along(kind: OutputFormat) -> None:
    key = np.zeros((128, 64), np.uint8)
    key[:64] = 255
    encoded_as, data = codec.encode(PICTURE, kind, 95, key)
    result = sent_result(an_order(), encoded_as, data, Stamps(11), has_key=True, encode=True)
    assert result.key is not None

    assert (result.picture.shape, result.key.shape) == ((128, 64, 3), (128, 64))
    assert result.key[:48].min() > 240
    assert result.key[80:].max() < 16
    assert np.abs(result.picture[:48].astype(int) - PICTURE[:48]).max() < 12


def test_key_that_is_opaque_everywhere_and_left_out_by_webp_is_there() -> None:
    key = np.full((128, 64), 255, np.uint8)
    encoded_as, data = codec.encode(PICTURE, OutputFormat.WEBP, 95, key)
    _, found = codec.decode_encoded(data, encoded_as, has_key=True)

    assert found is not None
    assert found.min() == 255


def test_hints_that_a_worker_made_come_along() -> None:
    view = np.full((96, 192, 3), (10, 200, 90), np.uint8)
    _, data = codec.encode(PICTURE, OutputFormat.JPEG, 90)
    order = replace(an_order(), params=PARAMS)
    key = HintKey(Hint.POSE, INPUT)
    worked = replace(a_result(a_job(3, PARAMS, picture=PICTURE)), hints={key: view})

    crossing = mirror._made(worked, mirror._Offered(PARAMS, print, 0), 1)  # pyright: ignore[reportPrivateUsage]
    result = sent_result(order, Format.JPEG, data, Stamps(11), has_key=False, encode=True, views=crossing.hints)

    assert len(crossing.hints[key]) < view.size / 10
    assert list(result.hints) == [key] and np.abs(result.hints[key].astype(int) - view).max() < 6
    assert result.answering(a_frame(9)).hints == result.hints


@pytest.mark.parametrize(
    ("score", "checks_input", "is_seen"), [(None, False, True), (0.1, True, True), (0.1, False, False)]
)
def test_input_is_on_air_only_where_it_was_checked_elsewhere_or_nothing_is(
    score: float | None, checks_input: bool, is_seen: bool
) -> None:
    order = replace(an_order(200), checks_input=checks_input)
    data = encoded(PICTURE, "PNG")

    result = sent_result(order, Format.PNG, data, Stamps(11), has_key=False, encode=True, score=score)

    assert (result.on_air(Air.INPUT).picture.max() > 190) == is_seen


def test_worker_knows_from_the_server_whether_the_input_is_seen_and_says_whether_it_was_checked() -> None:
    def offering(seq: int, *, is_seen: bool) -> Offering:
        data = encoded(np.full((16, 8, 3), 7, np.uint8))
        return Offering(0, "s", 1, seq, Format.JPEG, data, PARAMS, is_seen)

    answers: list[Reply] = []
    session = MirroredSession(offering(1, is_seen=False), lambda ids: {})
    session.take(offering(1, is_seen=False), answers.append)
    assert not session.shows_input(PARAMS) and session.shows_input(PARAMS.model_copy(update={"matte": Matte.DRAWN}))

    session.take(offering(2, is_seen=True), answers.append)
    assert session.shows_input(PARAMS) and session.channel is not None
    job = replace(a_job(2, PARAMS), checks_input=True)
    session.deliver(session.channel, replace(a_result(job), score=0.25), 0)

    made = answers[-1].answer
    assert isinstance(made, PictureMade) and (made.score, made.checks_input) == (0.25, True)
