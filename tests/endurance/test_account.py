"""What became of each frame."""

from __future__ import annotations

from collections import Counter

from scripts.endurance.account import BLACK_MAX, Account


def account(*sent: int) -> Account:
    account = Account()
    for seq in sent:
        account.sent(seq)
    return account


def picture(account: Account, seq: int, now_s: float = 0.0, brightest: int = 255) -> None:
    account.picture(seq, now_s, is_repeat=False, brightest=brightest)


def test_each_frame_has_one_fate() -> None:
    one = account(1, 2, 3, 4)
    picture(one, 1)
    one.picture(2, 0.0, is_repeat=True, brightest=255)
    one.dropped(3, "superseded")

    assert one.fates == Counter(picture=1, repeat=1, superseded=1)
    assert (one.unsettled, one.answered, one.problems) == (1, 2, [])


def test_cut_is_the_fate_of_what_was_under_way() -> None:
    one = account(1, 2, 3)
    picture(one, 1)

    one.cut(before=3)

    assert one.fates == Counter(picture=1, cut=1)
    assert one.unsettled == 1


def test_second_picture_of_a_frame_and_one_of_none_are_problems() -> None:
    one = account(1)
    picture(one, 1)
    picture(one, 1)
    picture(one, 9)

    assert one.problems == [
        "frame 1 was answered (picture) behind its fate",
        "frame 9 was answered (picture) and never sent",
    ]


def test_reason_that_is_told_twice_is_none() -> None:
    """An invalid frame is both answered by an error and reported as dropped."""
    one = account(1)
    one.dropped(1, "nan")
    one.dropped(1, "invalid")

    assert (one.fates, one.problems) == (Counter(nan=1), [])


def test_black_picture_is_a_problem() -> None:
    one = account(1, 2)
    picture(one, 1, brightest=BLACK_MAX + 1)
    picture(one, 2, brightest=BLACK_MAX)

    assert one.problems == ["the picture of frame 2 is black"]


def test_picture_of_a_damaged_frame_may_be_black() -> None:
    one = account(1)
    one.may_be_black = True
    picture(one, 1, brightest=0)

    assert one.problems == []


def test_video_that_was_not_shown_before_a_newer_one_was_passed_over() -> None:
    one = account(1, 2, 3)

    one.passed_over(before=3)

    assert (one.fates, one.unsettled) == (Counter(passed_over=2), 1)


def test_longest_gap_counts_from_its_beginning_and_up_to_now() -> None:
    one = account(1, 2, 3)
    picture(one, 1, 1.0)
    one.begin_gap(10.0)
    picture(one, 2, 12.0)
    picture(one, 3, 13.0)

    assert one.longest_gap_s(13.5) == 2.0
    assert one.longest_gap_s(20.0) == 7.0
