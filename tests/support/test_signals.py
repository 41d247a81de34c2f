import signal
import subprocess
import sys

import pytest

from support.signals import ENDING, heard

PROGRAM = "import signal, sys; print(signal.getsignal(int(sys.argv[1])) == signal.SIG_IGN)"


def ignored_by_a_new_process(number):
    call = [sys.executable, "-S", "-c", PROGRAM, str(int(number))]
    return subprocess.run(call, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("number", ENDING)
def test_new_processes_hear_what_is_ignored_here(number):
    before = signal.signal(number, signal.SIG_IGN)
    try:
        assert ignored_by_a_new_process(number) == "True"
        with heard():
            assert ignored_by_a_new_process(number) == "False"
        assert signal.getsignal(number) == signal.SIG_IGN
    finally:
        signal.signal(number, before)
