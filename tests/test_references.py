"""Pictures that params name by id."""

from __future__ import annotations

import numpy as np

from realtime.pixels import Pixels
from realtime.references import NO_REFERENCES, REFERENCES_KEPT, REFERENCES_MAX_BYTES, References


def a_picture(value: int, width: int = 4) -> Pixels:
    return np.full((4, width, 3), value, np.uint8)


def test_id_is_of_pixels_and_shape() -> None:
    references = References()

    one, same, other, turned = (
        references.add(picture)
        for picture in (a_picture(1), a_picture(1), a_picture(2), np.full((2, 8, 3), 1, np.uint8))
    )

    assert one == same and len({one, other, turned}) == 3
    assert len(references) == 3 and one in references
    found = references.named({one, "0" * 32})
    assert list(found) == [one] and np.array_equal(found[one], a_picture(1))
    assert references.named(frozenset()) is NO_REFERENCES


def test_what_was_named_longest_ago_makes_room_but_not_what_is_in_use() -> None:
    used: set[str] = set()
    references = References(lambda: used)
    ids = [references.add(a_picture(value)) for value in range(REFERENCES_KEPT)]
    used.add(ids[0])
    references.named([ids[1]])

    references.add(a_picture(100))
    references.add(a_picture(101))

    assert len(references) == REFERENCES_KEPT + 1, "what is in use comes beside"
    assert [one in references for one in ids[:4]] == [True, True, False, True]


def test_however_many_are_in_use_there_is_room_for_others() -> None:
    references = References(lambda: ids)
    ids: list[str] = []
    ids += [references.add(a_picture(value)) for value in range(REFERENCES_KEPT)]

    others = [references.add(a_picture(100 + value)) for value in range(REFERENCES_KEPT)]

    assert references.add(a_picture(3)) == ids[3], "one that is kept needs no room"
    assert all(one in references for one in (*ids, *others))


def test_who_brings_many_loses_his_own() -> None:
    references = References()
    anns = [references.add(a_picture(value), "ann") for value in range(3)]
    bobs = references.add(a_picture(10), "bob")

    flood = [references.add(a_picture(value, 8), "flood") for value in range(2 * REFERENCES_KEPT)]

    assert all(one in references for one in (*anns, bobs))
    assert flood[-1] in references and flood[0] not in references
    assert len(references) == REFERENCES_KEPT


def test_bytes_of_all_together_are_limited() -> None:
    references = References()
    size = REFERENCES_MAX_BYTES // 3 // 12
    ids = [references.add(a_picture(value, size)) for value in range(4)]

    assert [one in references for one in ids] == [False, True, True, True]
