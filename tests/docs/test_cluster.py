"""The files for SLURM: valid shell, shown as they are, with the codes that the program leaves."""

import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
FILES = sorted((DOCS / "cluster").glob("*.sbatch"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_it_is_shell(path):
    subprocess.run(["bash", "-n", str(path)], check=True)
    assert "#SBATCH --requeue" in path.read_text()


def test_the_page_shows_them():
    page = (DOCS / "cluster.md").read_text()
    assert len(FILES) == 3
    for path in FILES:
        assert f"```bash\n{path.read_text()}```" in page


def test_they_queue_again_what_was_saved_and_nothing_else():
    codes = {128 + signal.SIGUSR1, 128 + signal.SIGUSR2}
    for path in FILES:
        found = re.search(r"^ *([\d| ]+)\) scontrol requeue", path.read_text(), re.MULTILINE)
        if found is not None:
            assert {int(code) for code in found[1].split("|")} == codes
