"""Verbs in processes of their own, to be killed, starved and doubled; and how many held.

``WILDSR_CAMPAIGN=N`` tries N of each kind; without it a short part runs.
"""

import contextlib
import json
import multiprocessing
import os
import random
import resource
import signal
import sys
import time

from PIL import Image

from wildsr.error import UserError
from wildsr.network.weights import read_weights
from wildsr.run.checkpoint import load_checkpoint
from wildsr.run.snapshot import read_snapshot

SCALE = int(os.environ.get("WILDSR_CAMPAIGN", "0"))
SECONDS = 20  # that anything bad may take, of the processor
BYTES = 1 << 30  # of memory

context = multiprocessing.get_context("forkserver")
# Imported once, by the process that all others are forked from.
VERBS = ("train", "evaluate", "upscale", "degrade", "export")
context.set_forkserver_preload([f"wildsr.cli.{verb}" for verb in VERBS])


def count(short, share=1.0):
    """How many of a kind are tried: so many in the short part, or that share of the campaign's."""
    return max(int(SCALE * share), 1) if SCALE else short


class Tally:
    """Counts what held, prints "n of n", and fails with what did not."""

    def __init__(self, what):
        self.what, self.tried, self.broken = what, 0, []

    def add(self, problem=None):
        self.tried += 1
        if problem:
            self.broken.append(str(problem))

    def close(self):
        print(f"\n{self.what}: {self.tried - len(self.broken)} of {self.tried}", flush=True)
        assert self.tried
        assert not self.broken, self.broken[:5]


@contextlib.contextmanager
def tally(what):
    """A tally that is closed at the end, unless the test failed before."""
    made = Tally(what)
    yield made
    made.close()


def _work(verb, arguments, log, largest):
    import torch

    from wildsr.cli import main as command
    from wildsr.config import allocator

    torch.set_num_threads(1)
    allocator._mallopt = lambda: None
    with open(log, "wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.stdout, sys.stderr = (open(n, "w", closefd=False, buffering=1) for n in (1, 2))  # noqa: SIM115
    if largest is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    code = 1
    try:
        code = command.start(verb, arguments)
    except BaseException:
        import traceback

        print(f"Traceback: {traceback.format_exc()}", file=sys.stderr)
        code = 70
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        os._exit(code)


def begin(verb, arguments, log, largest=None):
    """A process that carries out a verb; what it says goes to ``log``."""
    process = context.Process(
        target=_work, args=(verb, [str(a) for a in arguments], str(log), largest)
    )
    process.start()
    return process


def finish(process, seconds=300):
    """Its exit code; a hang is a failure."""
    process.join(seconds)
    if process.exitcode is None:
        process.kill()
        process.join()
        raise AssertionError("it hung")
    return process.exitcode


def run(verb, arguments, log, largest=None):
    """Carry out a verb to its end: its exit code and all that it said."""
    code = finish(begin(verb, arguments, log, largest))
    return code, log.read_text(errors="replace")


def kill_after(process, seconds):
    """Kill it, if it still runs; whether it did."""
    process.join(seconds)
    if process.exitcode is not None:
        return False
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    return True


def trace_in(said):
    """A problem, if there is a stack trace in what was said."""
    return f"a trace: {said[-600:]}" if "Traceback" in said else None


def moments(choose, longest):
    """Moments to kill at, early ones as often as late ones."""
    while True:
        yield choose.uniform(0, longest)


def flipped(data, choose, count=1):
    """Bytes with so many bits turned over."""
    data = bytearray(data)
    for _ in range(count):
        place = choose.randrange(len(data))
        data[place] ^= 1 << choose.randrange(8)
    return bytes(data)


def maimed(data, choose):
    """A file as damage makes it: flipped, cut, swapped, overwritten, doubled, empty."""
    kind = choose.randrange(6)
    if kind == 0:
        return flipped(data, choose, choose.choice((1, 4, 40)))
    if kind == 1:
        return data[: choose.randrange(len(data))]
    first, last = sorted(choose.randrange(len(data)) for _ in range(2))
    if kind == 2:
        return data[:first] + data[last:] + data[first:last]
    if kind == 3:
        return data[:first] + bytes(last - first) + data[last:]
    if kind == 4:
        return data[:last] + data[first:]
    return data[:first] + random.Random(first).randbytes(min(last - first, 4096)) + data[last:]


class Bounded:
    """Measures processor seconds and growth of memory of what runs within."""

    def __enter__(self):
        self.began = time.process_time()
        self.before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return self

    def __exit__(self, *_):
        self.seconds = time.process_time() - self.began
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - self.before
        self.problem = None
        if self.seconds > SECONDS:
            self.problem = f"{self.seconds:.0f} s"
        elif grown * 1024 > BYTES:
            self.problem = f"{grown >> 10} MB"


def half_written(folder):
    """A problem, if a file under its final name cannot be read to its end."""
    for path in folder.rglob("*"):
        if not path.is_file() or path.suffix == ".part" or ".lock" in path.parts:
            continue
        try:
            if path.suffix in (".png", ".jpg", ".webp", ".tif"):
                with Image.open(path) as image:
                    image.load()
            elif path.suffix == ".json":
                json.loads(path.read_text())
            elif path.suffix == ".safetensors":
                read_snapshot(path) if path.parent.name == "snapshots" else read_weights(path)
            elif path.suffix == ".ckpt":
                load_checkpoint(path)
        except (OSError, ValueError, UserError, SyntaxError) as error:
            return f"{path.name} is half: {error}"
    return None


def verbs(run_folder, photos, output):
    """Each verb but train, with its arguments."""
    same = [f"output={output}"]
    return {
        "upscale": [f"run={run_folder}", f"input={photos.hr}", "device=cpu", *same],
        "degrade": ["degradation=bicubic", "scale=4", f"hr={photos.hr}", "draws=4", *same],
        "evaluate": [
            *(f"run={run_folder}", "upscaler=[bicubic,nearest]", "page_mb=1", "overwrite=true"),
            *("device=cpu", "metric.metrics=[psnr]", *same),
        ],
        "export": [f"run={run_folder}", "device=cpu", *same],
    }
