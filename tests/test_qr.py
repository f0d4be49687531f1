"""QR codes in a terminal: read back from what is shown."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from realtime.qr import BLOCKS, qr_code


@pytest.mark.parametrize("text", ["https://192.168.1.5:8777/", f"https://studio.local:8777/?token={'a1B-_' * 12}"])
def test_code_is_read_back(text: str) -> None:
    lines = qr_code(text).splitlines()

    rows = [[character in halves for character in line] for line in lines for halves in (BLOCKS[:2], BLOCKS[0::2])]
    picture = np.kron(np.array(rows, np.uint8) * 255, np.ones((8, 8), np.uint8))
    assert cv2.QRCodeDetector().detectAndDecode(picture)[0] == text
    assert len({len(line) for line in lines}) == 1
    assert max(map(len, lines)) < 80
