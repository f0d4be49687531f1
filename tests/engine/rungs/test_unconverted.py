"""What is said of calls that PyTorch answers on OpenVINO's rung."""

from __future__ import annotations

from realtime.engine.rungs.openvino.unconverted import Unconverted


def test_nothing_is_said_as_long_as_all_is_converted() -> None:
    assert str(Unconverted()) == ""


def test_each_form_is_named_once_by_what_it_has_beyond_a_plain_frame() -> None:
    unconverted = Unconverted()

    unconverted.note("decode", {"pictures", "matte"})
    unconverted.note("matte", ())
    unconverted.note("decode", {"matte", "pictures"})

    assert str(unconverted) == "decode with matte and pictures, matte in PyTorch"
