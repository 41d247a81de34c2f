"""Disks that are full, read-only or away: a sentence, and what was made is kept."""

import os
import random
import subprocess

import pytest
from support.campaign import count, half_written, run, tally, trace_in, verbs

pytestmark = pytest.mark.heavy


def sentence(code, said):
    """A problem, unless it failed with one sentence and no trace."""
    if problem := trace_in(said):
        return problem
    if code == 0:
        return None  # all found room
    lines = [line for line in said.splitlines() if line.startswith("error: ")]
    if code == 2 and len(lines) == 1:
        return None
    return None if code == 1 and "failed" in said else f"exit {code}: {said[-400:]}"


@pytest.mark.parametrize("verb", ["train", "upscale", "degrade", "evaluate", "export"])
def test_no_file_grows_beyond_a_size(training, trained, photos, tmp_path, verb):
    """As a quota or a full disk, at any byte: the system refuses to write on."""
    choose = random.Random(2)
    with tally(
        f"disks full at a random byte, {verb}: one sentence, whole files, then goes on"
    ) as held:
        for number in range(count(1, 0.05)):
            output = tmp_path / str(number)
            if verb == "train":
                command = [
                    *training,
                    f"runs_dir={output}",
                    "name=it",
                    "iterations=4",
                    "resume=auto",
                ]
            else:
                command = verbs(trained, photos, output)[verb]
            largest = int(2 ** choose.uniform(12, 17))  # what is said goes to a file, too
            code, said = run(verb, command, tmp_path / "said.txt", largest)
            problem = sentence(code, said) or half_written(output)
            if problem is None and (number % 4 == 0):
                code, said = run(verb, command, tmp_path / "said.txt")
                problem = f"with room again: exit {code}: {said[-400:]}" if code else None
            held.add(problem and f"{largest} bytes: {problem}")


@pytest.fixture
def small_disk(tmp_path):
    """``small_disk(kilobytes)``: an own file system of this size, where that may be mounted."""
    mounted = []

    def mount(kilobytes, *options):
        folder = tmp_path / f"disk{len(mounted)}"
        folder.mkdir()
        sizes = ",".join((f"size={kilobytes}k", *options))
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", sizes, "none", str(folder)], capture_output=True
        )
        if done.returncode:
            pytest.skip("no file system can be mounted here")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "-l", str(folder)], check=False)


@pytest.mark.skipif(os.name == "nt" or not hasattr(os, "geteuid"), reason="mounts a file system")
@pytest.mark.parametrize("verb", ["train", "upscale", "degrade", "evaluate", "export"])
def test_small_disks(training, trained, photos, tmp_path, small_disk, verb):
    choose = random.Random(3)
    with tally(f"small disks, {verb}: one sentence, whole files") as held:
        for _ in range(count(1, 0.05)):
            size = int(2 ** choose.uniform(3, 10))
            disk = small_disk(size)
            output = disk / "out"
            if verb == "train":
                command = [*training, f"runs_dir={output}", "name=it", "iterations=4"]
            else:
                command = verbs(trained, photos, output)[verb]
            code, said = run(verb, command, tmp_path / "said.txt")
            problem = sentence(code, said) or half_written(output)
            held.add(problem and f"{size} kB: {problem}")


@pytest.mark.parametrize("verb", ["train", "upscale", "degrade", "evaluate", "export"])
def test_read_only(training, trained, photos, tmp_path, small_disk, verb):
    disk = small_disk(64, "ro")
    output = disk / "out"
    if verb == "train":
        command = [*training, f"runs_dir={output}", "name=it", "iterations=4"]
    else:
        command = verbs(trained, photos, output)[verb]
    with tally(f"read-only disks, {verb}: one sentence before the work") as held:
        code, said = run(verb, command, tmp_path / "said.txt")
        problem = sentence(code, said)
        held.add(problem or (None if code == 2 and "ead-only" in said else f"{code}: {said}"))
