"""A process's streams, signals and end: each test looks at a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from realtime.process import STOP_SIGNALS
from tests.fakes.waiting import PATIENCE_S

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals and redirections are written for POSIX")

WAITS = """
    process.prepare_to_serve()
    print("ready", flush=True)
    signal.pause()
"""


def start(program: str, **options: int) -> subprocess.Popen[str]:
    """A Python that runs a program which knows `process` and some modules."""
    imports = "import os, signal, sys, threading\nfrom realtime import process\n"
    command = [sys.executable, "-c", imports + textwrap.dedent(program)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def end_of(program: str) -> tuple[int, str, str]:
    """Exit code, standard output and errors."""
    with start(program) as process:
        said, errors = process.communicate(timeout=PATIENCE_S)
    return process.returncode, said, errors


@pytest.mark.parametrize(
    ("command", "code", "errors"),
    [
        ("None", 0, ""),
        ("sys.exit()", 0, ""),
        ("sys.exit(3)", 3, ""),
        ("sys.exit('no such thing')", 1, "no such thing"),
        ("1 / 0", 1, "ZeroDivisionError: division by zero"),
    ],
)
def test_command_leaves_with_its_exit_code(command: str, code: int, errors: str) -> None:
    found = end_of(f"process.run(lambda: {command})")

    assert found[0] == code
    assert found[2].strip().endswith(errors)


def test_threads_that_run_neither_keep_a_process_nor_change_its_exit_code() -> None:
    code, said, _ = end_of("""
        threading.Thread(target=threading.Event().wait).start()
        print("the last word")
        process.run(lambda: sys.exit(4))
    """)

    assert (code, said) == (4, "the last word\n")


def test_output_that_could_not_be_written_is_a_failure_of_a_command_that_does_not_serve() -> None:
    program = "from realtime import process; process.run(lambda: print('a table'))"

    done = subprocess.run(f'"{sys.executable}" -c "{program}" > /dev/full', shell=True, check=False)

    assert done.returncode == 1


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_signal_ends_a_process_that_does_not_serve_yet_with_exit_code_0(number: int) -> None:
    with start(WAITS) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        process.send_signal(number)

        assert process.wait(PATIENCE_S) == 0


def test_process_that_is_to_outlive_its_terminal_does() -> None:
    code, _, errors = end_of("""
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        process.prepare_to_serve()
        os.kill(os.getpid(), signal.SIGHUP)
        sys.exit(3)
    """)

    assert code == 3, errors


@pytest.mark.parametrize("patience_s", ["0", "3600"])
def test_server_that_does_not_end_is_left_when_patience_ends_or_at_the_second_signal(patience_s: str) -> None:
    code, _, errors = end_of(f"""
        process.PATIENCE_S = {patience_s}
        hear = process.Patience()
        hear()
        if process.PATIENCE_S:
            hear()
        threading.Event().wait()
    """)

    assert (code, errors) == (0, "")


WRITES = """
from realtime import process
import logging, os, sys
process.prepare_to_serve()
logging.basicConfig(stream=sys.stderr)
for number in range(2000):
    print("standard output", number, flush=True)
    logging.error("standard error %d", number)
process.leave(os.open(os.devnull, os.O_RDONLY))
"""


@pytest.mark.parametrize("streams", ["> /dev/full 2> /dev/full", ">&- 2>&-", "<&- >&- 2>&-", "2>&-", "2>&1 | true"])
def test_streams_that_take_nothing_do_not_matter_and_their_descriptors_are_not_used(
    streams: str, tmp_path: Path
) -> None:
    program, code = tmp_path / "program.py", tmp_path / "code"
    program.write_text(WRITES)
    redirections, _, pipe = streams.partition("| ")
    command = f'{{ "{sys.executable}" "{program}" {redirections}; echo $? > "{code}"; }} {"| " + pipe if pipe else ""}'

    subprocess.run(command, shell=True, stdout=subprocess.DEVNULL, timeout=PATIENCE_S, check=True)

    assert int(code.read_text()) > 2, "the descriptor of a file that was opened then"


def test_streams_that_work_are_written_to() -> None:
    code, said, errors = end_of("""
        process.prepare_to_serve()
        print("häppy", flush=True)
        print("sad", file=sys.stderr)
        process.leave(0)
    """)

    assert (code, said, errors) == (0, "häppy\n", "sad\n")


def test_signals_are_heard_before_anything_heavy_is_imported() -> None:
    heavy = ("pydantic", "typer", "asyncio", "numpy", "realtime.config", "realtime.cli")
    code, said, errors = end_of(f"""
        sys.argv = ["realtime", "serve"]
        process.prepare_to_serve = lambda: sys.exit(str([name for name in {heavy} if name in sys.modules]))
        from realtime.__main__ import main
        main()
    """)

    assert (code, said, errors) == (1, "", "[]\n")
