"""A user's stream: newest wins, drops are reported, nothing old reaches a new connection."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.channel import DROPS_MAX, NOTICES_MAX, Channel
from realtime.errors import FrameError, ParamsError
from realtime.frame import Air, Failure, Job, Stamps
from realtime.params import Params
from realtime.session import Session
from tests.fakes.clock import FakeClock
from tests.fakes.frames import a_frame, a_job, a_result

MAX_PIXELS = 1024 * 1024


def silent() -> None:
    pass


def connected(**options: Any) -> tuple[Session, Channel]:
    session = Session("s", Params(prompt="default"), MAX_PIXELS, **options)
    return session, session.attach(silent)


def texts(channel: Channel) -> list[dict[str, Any]]:
    return [json.loads(text) for text in channel.take_texts()]


def drops(channel: Channel) -> dict[str, list[int]]:
    channel.post_drops()
    return {text["reason"]: text["seqs"] for text in texts(channel) if text["type"] == "dropped"}


def deliver(session: Session, channel: Channel, seq: int) -> None:
    session.deliver(channel, a_result(a_job(seq)), now_ns=1_000_000)


# -- in ------------------------------------------------------------------------------------------------------------


def test_newer_frame_replaces_waiting_frame_and_the_older_is_reported() -> None:
    session, channel = connected()

    for seq in (1, 2, 3):
        session.offer(channel, a_frame(seq))

    assert channel.inbox.take() == a_frame(3)
    assert drops(channel) == {"superseded": [1, 2]}
    assert session.stats.received == 3
    assert session.stats.snapshot(0)["dropped"] == {"superseded": 2}


def test_offered_frame_rings_when_it_is_there_to_be_picked() -> None:
    rung: list[bool] = []
    session = Session("s", Params(), MAX_PIXELS)
    channel = session.attach(silent)
    session.served_by(lambda: rung.append(channel.inbox.full))

    session.offer(channel, a_frame())

    assert rung == [False, True], "now, as one may wait already, and then"


def test_refused_frame_is_answered_counted_and_reported() -> None:
    session, channel = connected()

    session.refuse(channel, 5, FrameError("no picture"))

    assert texts(channel) == [{"type": "error", "code": "invalid_frame", "message": "no picture", "seq": 5}]
    assert drops(channel) == {"invalid": [5]}


def test_dropped_seqs_rise_and_are_told_once() -> None:
    session, channel = connected()
    for seq in (1, 5, 9):
        session.offer(channel, a_frame(seq))

    assert drops(channel) == {"superseded": [1, 5]}
    assert drops(channel) == {}


def test_drops_that_nobody_reads_stay_bounded() -> None:
    session, channel = connected()
    for seq in range(DROPS_MAX + 100):
        session.offer(channel, a_frame(seq))

    told = drops(channel)["superseded"]

    assert len(told) == DROPS_MAX
    assert told[-1] == DROPS_MAX + 98


# -- commands ------------------------------------------------------------------------------------------------------


def test_frozen_session_drops_frames_as_paused_until_unfrozen() -> None:
    session, channel = connected()

    assert session.command("freeze")
    session.offer(channel, a_frame(1))
    assert not channel.inbox.full
    assert session.command("unfreeze")
    session.offer(channel, a_frame(2))

    assert channel.inbox.take() == a_frame(2)
    assert drops(channel) == {"paused": [1]}


def test_picture_that_was_under_way_when_the_session_froze_is_not_shown() -> None:
    session, channel = connected()
    session.command("freeze")

    deliver(session, channel, 1)

    assert channel.outbox.take() is None
    assert drops(channel) == {"paused": [1]}


def test_reset_leads_back_to_the_defaults_with_a_new_version_and_unfreezes() -> None:
    session, channel = connected()
    session.update({"prompt": "ink", "seed": 4})
    session.command("freeze")
    session.command("black")
    channel.take_texts()

    session.command("reset")

    assert session.params == Params(prompt="default", version=2)
    assert not session.frozen
    assert session.air is Air.OUTPUT
    assert texts(channel) == [{"type": "params", "params": session.params.wire()}]


@pytest.mark.parametrize("name", ["", "FREEZE", "explode", "\ud800", "reset "])
def test_unknown_command_does_nothing(name: str) -> None:
    session, channel = connected()

    assert not session.command(name)

    assert texts(channel) == []


# -- params --------------------------------------------------------------------------------------------------------


def test_patch_is_in_force_at_once_and_the_client_is_told() -> None:
    session, channel = connected()

    session.update({"strength": 0.9})

    assert session.params.strength == 0.9
    assert texts(channel) == [{"type": "params", "params": session.params.wire()}]


def test_refused_patch_changes_nothing_and_tells_nobody() -> None:
    session, channel = connected()

    with pytest.raises(ParamsError):
        session.update({"strength": 0.9, "seed": -1})

    assert session.params == Params(prompt="default")
    assert texts(channel) == []


@pytest.mark.parametrize(("patch", "field"), [({"width": 2048}, "width"), ({"height": 2048, "prompt": "a"}, "height")])
def test_more_pixels_than_the_server_makes_are_refused_by_field(patch: dict[str, Any], field: str) -> None:
    session = Session("s", Params(width=1024, height=1024), MAX_PIXELS)

    with pytest.raises(ParamsError) as caught:
        session.update(patch)

    assert caught.value.field == field
    assert session.params.version == 0


def test_null_leads_back_to_this_servers_defaults() -> None:
    session, _ = connected()
    session.update({"prompt": "ink"})

    session.update({"prompt": None})

    assert session.params.prompt == "default"


def test_patch_without_a_connection_is_kept_for_the_client_that_comes_back() -> None:
    session, channel = connected()
    session.detach(channel)

    session.update({"seed": 3})

    assert session.params.seed == 3
    assert texts(channel) == []


# -- out -----------------------------------------------------------------------------------------------------------


def test_result_lies_in_the_outbox_and_rings() -> None:
    rung: list[bool] = []
    session = Session("s", Params(), MAX_PIXELS)
    channel = session.attach(lambda: rung.append(channel.outbox.full))

    deliver(session, channel, 1)

    assert rung == [True]
    assert channel.outbox.take() == a_result(a_job(1))


def test_result_that_a_slow_client_has_not_taken_is_replaced_and_reported() -> None:
    session, channel = connected()

    deliver(session, channel, 1)
    deliver(session, channel, 2)

    assert channel.outbox.take() == a_result(a_job(2))
    assert drops(channel) == {"superseded": [1]}


def test_result_older_than_the_last_one_is_dropped() -> None:
    session, channel = connected()
    deliver(session, channel, 5)
    channel.outbox.take()

    deliver(session, channel, 4)

    assert channel.outbox.take() is None
    assert drops(channel) == {"superseded": [4]}


def test_failure_is_one_lost_frame_and_the_last_good_picture_stays() -> None:
    session, channel = connected()
    deliver(session, channel, 1)

    session.deliver(channel, Failure(a_job(2), FrameError("black", "black")), 0)

    assert session.newest == a_result(a_job(1))
    assert texts(channel) == [{"type": "error", "code": "black", "message": "black", "seq": 2}]
    assert drops(channel) == {"invalid": [2]}


def test_outcome_for_an_older_connection_is_not_sent_to_the_newer() -> None:
    session, old = connected()
    new = session.attach(silent)

    deliver(session, old, 7)
    session.deliver(old, Failure(a_job(8), FrameError("no")), 0)

    assert (old.outbox.take(), new.outbox.take(), session.newest) == (None, None, None)
    assert texts(new) == []


def test_seq_starts_anew_with_a_new_connection() -> None:
    session, old = connected()
    deliver(session, old, 100)
    new = session.attach(silent)

    deliver(session, new, 0)

    assert new.outbox.take() == a_result(a_job(0))


def test_connection_that_was_replaced_detaches_without_harm() -> None:
    session, old = connected()
    new = session.attach(silent)

    session.detach(old)
    assert session.channel is new
    session.detach(new)
    assert session.channel is None


@given(st.lists(st.sampled_from(["offer", "take", "deliver", "send", "freeze", "unfreeze"]), max_size=60))
def test_every_frame_is_delivered_dropped_or_under_way_exactly_once(actions: list[str]) -> None:
    session, channel = connected()
    under_way: list[Job] = []
    delivered: list[int] = []
    seq = 0
    for action in actions:
        if action == "offer":
            seq += 1
            session.offer(channel, a_frame(seq))
        elif action == "take" and (frame := channel.inbox.take()) is not None:
            under_way.append(a_job(frame.seq))
        elif action == "deliver" and under_way:
            session.deliver(channel, a_result(under_way.pop()), 0)  # the youngest first: rows may overtake
        elif action == "send" and (result := channel.outbox.take()) is not None:
            delivered.append(result.order.frame.seq)
        elif action in ("freeze", "unfreeze"):
            session.command(action)

    told = [seq for seqs in drops(channel).values() for seq in seqs]
    waiting = [frame.seq for frame in [channel.inbox.take()] if frame is not None]
    unsent = [result.order.frame.seq for result in [channel.outbox.take()] if result is not None]

    assert delivered == sorted(delivered)
    assert sorted(delivered + told + waiting + unsent + [job.frame.seq for job in under_way]) == list(range(1, seq + 1))
    assert sum(session.stats.dropped.values()) == len(told)


# -- texts ---------------------------------------------------------------------------------------------------------


def test_texts_come_in_the_order_in_which_they_were_posted() -> None:
    rung: list[int] = []
    channel = Channel(lambda: rung.append(1))

    for text in ("a", "b", "c"):
        channel.post(text)

    assert channel.take_texts() == ["a", "b", "c"]
    assert channel.take_texts() == []
    assert len(rung) == 3


def test_optional_texts_are_left_out_for_a_slow_client_and_answers_are_not() -> None:
    channel = Channel(silent)
    for _ in range(NOTICES_MAX):
        channel.post("answer")
    assert channel.is_crowded

    channel.post("notice", optional=True)
    channel.post("one more answer")

    assert channel.take_texts() == ["answer"] * NOTICES_MAX + ["one more answer"]
    assert not channel.is_crowded


# -- viewers -------------------------------------------------------------------------------------------------------


def test_viewer_begins_with_the_newest_picture_and_gets_every_new_one() -> None:
    session, channel = connected()
    deliver(session, channel, 1)
    rung: list[int] = []

    viewer = session.watch(lambda: rung.append(1))
    first = viewer.take()
    deliver(session, channel, 2)

    assert (first, viewer.take()) == (a_result(a_job(1)), a_result(a_job(2)))
    assert len(rung) == 2


@pytest.mark.parametrize("air", list(Air))
def test_what_is_on_air_is_chosen_at_once_though_no_new_picture_comes(air: Air) -> None:
    session, channel = connected()
    viewer = session.watch(silent)
    deliver(session, channel, 1)
    viewer.take()

    assert session.command(air.value)

    assert session.air is air
    assert viewer.take() == a_result(a_job(1))


def test_viewer_that_left_gets_nothing_more() -> None:
    session, channel = connected()
    viewer, other = session.watch(silent), session.watch(silent)

    session.unwatch(viewer)
    deliver(session, channel, 1)

    assert viewer.take() is None
    assert other.take() == a_result(a_job(1))


# -- transitions ---------------------------------------------------------------------------------------------------


def gliding() -> tuple[Session, Channel, FakeClock]:
    clock = FakeClock()
    session, channel = connected(clock=clock)
    return session, channel, clock


def test_frames_get_the_params_on_the_way_and_the_client_is_told_the_target_at_once() -> None:
    session, channel, clock = gliding()

    session.update({"strength": 1.0}, 2)
    clock.advance_ms(1000)
    half_way = session.job_params(channel, clock())

    (told,) = texts(channel)
    assert told == {"type": "params", "params": session.params.wire(), "gliding_s": 2.0}
    assert (session.params.strength, half_way.strength) == (1.0, 0.75)
    assert half_way.version == session.params.version == 1
    assert session.in_use is half_way


def test_params_own_transition_holds_where_a_change_has_none() -> None:
    session, _, clock = gliding()
    session.update({"transition_s": 4})

    session.update({"strength": 0.7})
    of_the_params = session.gliding_s
    session.update({"prompt": "ink"}, 6)
    of_the_change = session.gliding_s
    clock.advance_ms(4000)
    session.update({"strength": 0.1, "prompt": "oil"}, 0)

    assert (of_the_params, of_the_change, session.gliding_s) == (4, 6, 0)
    assert session.params.transition_s == 4


def test_transition_in_a_patch_is_that_of_the_patch() -> None:
    session, _, _ = gliding()

    session.update({"strength": 0.7, "transition_s": 3})

    assert session.gliding_s == 3


@pytest.mark.parametrize("seconds", [-1, 61, "2", True, [], {}, float("nan")])
def test_transition_that_is_none_is_refused_and_changes_nothing(seconds: object) -> None:
    session, channel, _ = gliding()

    with pytest.raises(ParamsError) as caught:
        session.update({"prompt": "ink"}, seconds)

    assert caught.value.field == "transition_s"
    assert session.params.version == 0
    assert texts(channel) == []


def test_reset_cuts_all_ways_short() -> None:
    session, channel, clock = gliding()
    session.update({"prompt": "ink", "strength": 1.0, "seed_travel": 60}, 60)
    clock.advance_ms(1000)

    session.command("reset")

    assert session.job_params(channel, clock()) is session.params
    assert session.gliding_s == 0


def test_way_goes_on_behind_a_frozen_picture_and_while_nobody_is_connected() -> None:
    session, channel, clock = gliding()
    session.update({"strength": 1.0}, 2)
    session.command("freeze")
    clock.advance_ms(500)
    session.detach(channel)
    clock.advance_ms(500)
    again = session.attach(silent)

    half_way = session.job_params(again, clock()).strength
    clock.advance_ms(1000)

    assert half_way == 0.75
    assert session.job_params(again, clock()) is session.params


def test_seed_that_travels_from_the_start_travels() -> None:
    clock = FakeClock()
    session = Session("s", Params(seed_travel=60), MAX_PIXELS, clock=clock)

    clock.advance_ms(1000)

    assert session.job_params(session.attach(silent), clock()).noise == ((1, 1.0),)


def test_governor_keeps_its_choice_while_params_glide() -> None:
    session, channel, clock = gliding()
    session.update({"latency_ms": 50, "num_inference_steps": 4})
    session.job_params(channel, clock())
    channel.take_texts()
    session.update({"strength": 1.0, "seed": 4}, 2)

    clock.advance_ms(1000)
    params = session.job_params(channel, clock())

    assert (params.strength, params.num_inference_steps, len(params.noise)) == (0.75, 4, 2)
    assert [text["type"] for text in texts(channel)] == ["params"]


# -- targets -------------------------------------------------------------------------------------------------------


def test_frame_is_admitted_with_the_sessions_own_params_where_there_is_no_target() -> None:
    session, channel = connected()

    assert session.job_params(channel, 0) is session.params
    assert session.in_use is session.params
    assert texts(channel) == []


def test_channel_is_lost_when_its_connection_goes_or_another_takes_its_place() -> None:
    session, first = connected()

    second = session.attach(silent)
    lost_to_the_second = (first.lost.is_set(), second.lost.is_set())
    session.detach(first)
    kept_by_the_second = not second.lost.is_set()
    session.detach(second)

    assert lost_to_the_second == (True, False)
    assert kept_by_the_second
    assert second.lost.is_set()


def test_end_of_a_session_is_told_to_those_who_watch() -> None:
    session, _ = connected()
    rung: list[bool] = []
    viewer = session.watch(lambda: rung.append(session.ended.is_set()))

    session.end()

    assert rung == [True]
    assert viewer.take() is None


def test_session_with_a_target_is_told_what_is_chosen_and_its_params_stay() -> None:
    session, channel = connected()
    session.update({"latency_ms": 50, "num_inference_steps": 4})
    channel.take_texts()

    for second in range(5):
        params = session.job_params(channel, second * 1_000_000_000)
        for seq in range(20 * second, 20 * second + 20):
            stamps = Stamps(0, queue=1, denoise=160_000_000, encode=200_000_000)
            result = replace(a_result(a_job(seq, params)), stamps=stamps)
            session.deliver(channel, result, now_ns=200_000_000)

    first, *later = texts(channel)
    assert (first["type"], first["steps"], first["latency_ms"]) == ("governor", 4, None)
    assert later[0]["steps"] == 1
    assert session.in_use.num_inference_steps == 1
    assert session.in_use.version == session.params.version == 1
    assert session.params.num_inference_steps == 4


def test_choice_is_told_to_who_comes_back() -> None:
    session, channel = connected()
    session.update({"min_fps": 10})
    session.job_params(channel, 0)
    again = session.attach(silent)

    session.tell_choice(again)

    assert [text["type"] for text in texts(again)] == ["governor"]


def test_only_frames_that_the_engine_would_have_to_do_are_wanted() -> None:
    session, channel = connected()
    for seq in range(1, 4):
        session.offer(channel, a_frame(seq, received_ns=1))
    session.command("freeze")
    session.offer(channel, a_frame(9, received_ns=1))

    assert session.stats.wanted_fps(1) == 1.0  # two superseded, over two seconds


# -- answers -------------------------------------------------------------------------------------------------------


def test_params_that_wait_are_replaced_by_newer_ones_and_come_after_what_was_said_before() -> None:
    session, channel = connected()
    channel.post('{"type":"first"}')
    session.update({"prompt": "old"})
    channel.post('{"type":"second"}')
    session.update({"prompt": "new"})

    said = texts(channel)

    assert [text["type"] for text in said] == ["first", "second", "params"]
    assert said[-1]["params"]["prompt"] == "new"


def test_bytes_of_answers_to_patches_are_counted() -> None:
    session, channel = connected()
    session.update({"prompt": "x" * 1000})
    session.update({"seed": 1})

    assert 2000 < channel.answered_bytes < 5000


# -- what is heard of prompts --------------------------------------------------------------------------------------

HEARD: dict[str, Any] = {"prompt": "cat", "negative_prompt": "", "notes": [{"code": "cut"}]}
ALL_HEARD: dict[str, Any] = {"prompt": "cat", "negative_prompt": "", "notes": []}


def heard_texts(channel: Channel) -> list[dict[str, Any]]:
    return [text for text in texts(channel) if text["type"] == "heard"]


def test_model_is_asked_when_a_prompt_changes_and_not_for_other_params() -> None:
    asked: list[str] = []
    session, _ = connected(listen=lambda session: asked.append(session.params.prompt))

    said = ({"prompt": "cat"}, {"negative_prompt": "x"}, {"negative_scale": 2.0}, {"guidance_scale": 2.0})
    for patch in ({"seed": 1}, *said, {"strength": 0.1}):
        session.update(patch)

    assert asked == ["cat"] * 4


def test_what_is_heard_is_told_while_it_differs_from_what_is_written_and_once_when_it_no_longer_does() -> None:
    session, channel = connected()

    for heard in (ALL_HEARD, HEARD, HEARD, ALL_HEARD, ALL_HEARD):
        session.note_heard(heard, session.params)

    assert [text["notes"] for text in heard_texts(channel)] == [[]]  # the newest replaces one that waits
    session.note_heard(HEARD, session.params)
    assert heard_texts(channel) == [{"type": "heard", "version": 0, **HEARD}]
    session.note_heard(ALL_HEARD, session.params)
    assert heard_texts(channel) == [{"type": "heard", "version": 0, **ALL_HEARD}]
    assert session.heard == {}


def test_what_was_heard_of_a_prompt_that_has_changed_since_is_not_told() -> None:
    session, channel = connected()
    before = session.params
    session.update({"prompt": "dog"})

    session.note_heard(HEARD, before)

    assert (heard_texts(channel), session.heard) == ([], {})


def test_who_comes_back_is_told_what_is_heard() -> None:
    session, _ = connected()
    session.note_heard(HEARD, session.params)
    again = session.attach(silent)

    session.tell_heard(again)

    assert heard_texts(again) == [{"type": "heard", "version": 0, **HEARD}]
