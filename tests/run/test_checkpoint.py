"""Checkpoints: atomic on disk, read without running code."""

import os
import pickle

import pytest
import torch
from torch import nn

from wildsr.atomic import machine
from wildsr.error import UserError
from wildsr.network.weights import fill
from wildsr.run.checkpoint import checkpoints, load_checkpoint, newest_checkpoint, save_checkpoint


def state(iteration, **more):
    return {"iteration": iteration, "weights": {"a": torch.arange(3.0)}, "list": [1, "b"], **more}


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_is_saved_is_loaded(tmp_path):
    path = save_checkpoint(tmp_path / "new" / "folder", state(12))
    assert path.name == "iteration-00000012.ckpt"
    found = load_checkpoint(path)
    assert torch.equal(found.pop("weights")["a"], torch.arange(3.0))
    assert found == {"format": 1, "iteration": 12, "list": [1, "b"]}
    plain = torch.load(path, weights_only=True)
    assert plain["iteration"] == 12


def test_only_the_newest_stay(tmp_path):
    for iteration in (2, 9, 10, 100000000, 30):
        save_checkpoint(tmp_path, state(iteration), keep=3)
    kept = [load_checkpoint(path)["iteration"] for path in checkpoints(tmp_path)]
    assert kept == [100000000, 30, 10]
    save_checkpoint(tmp_path, state(100000001), keep=1)
    assert [load_checkpoint(path)["iteration"] for path in checkpoints(tmp_path)] == [100000001]


def test_a_failure_while_writing_leaves_the_old_ones(tmp_path, monkeypatch):
    first = save_checkpoint(tmp_path, state(1))
    before = first.read_bytes()

    def interrupted(data, file):
        file.write(b"half of it")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", interrupted)
        with pytest.raises(
            UserError, match=r"iteration-00000002.ckpt cannot be written: No space left"
        ):
            save_checkpoint(tmp_path, state(2))
        with pytest.raises(UserError, match=r"iteration-00000001.ckpt"):
            save_checkpoint(tmp_path, state(1))
    assert names(tmp_path) == [first.name], "nothing half-written stays either"
    assert first.read_bytes() == before


def test_a_file_appears_under_its_name_only_when_it_is_complete_and_on_disk(tmp_path, monkeypatch):
    events = []

    def watched(name, real):
        def call(*arguments):
            events.append((name, [path.name for path in checkpoints(tmp_path)]))
            return real(*arguments)

        return call

    for module, name in ((torch, "save"), (os, "fsync"), (os, "replace")):
        monkeypatch.setattr(module, name, watched(name, getattr(module, name)))
    save_checkpoint(tmp_path, state(5))
    assert events == [("save", []), ("fsync", []), ("replace", [])]


def test_old_ones_go_only_after_the_new_one_is_there(tmp_path, monkeypatch):
    save_checkpoint(tmp_path, state(1), keep=1)
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(5, "disk failure")))
    with pytest.raises(UserError, match="disk failure"):
        save_checkpoint(tmp_path, state(2), keep=1)
    assert load_checkpoint(checkpoints(tmp_path)[0])["iteration"] == 1


def test_leftovers_of_killed_writers_are_removed_and_never_listed(tmp_path):
    leftover = tmp_path / f".{'a' * 16}.{machine()}.{2**22 + 1}.{'0' * 32}.part"  # killed
    leftover.write_bytes(b"half")
    (tmp_path / "notes.ckpt").write_bytes(b"of the user")
    assert checkpoints(tmp_path) == []
    save_checkpoint(tmp_path, state(4))
    assert names(tmp_path) == ["iteration-00000004.ckpt", "notes.ckpt"]


class Bomb:
    """Runs code when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


@pytest.mark.parametrize("write", ["torch", "pickle"])
def test_a_pickle_bomb_is_refused_and_does_not_go_off(tmp_path, write):
    path = tmp_path / "iteration-00000001.ckpt"
    content = {"format": 1, "iteration": Bomb(tmp_path / "exploded")}
    if write == "torch":
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content))
    with pytest.raises(UserError, match=r"iteration-00000001.ckpt is refused: .* run code"):
        load_checkpoint(path)
    assert not (tmp_path / "exploded").exists()
    torch.load(path, weights_only=False) if write == "torch" else pickle.loads(path.read_bytes())
    assert (tmp_path / "exploded").exists(), "the bomb would have gone off"


def test_objects_are_refused(tmp_path):
    path = tmp_path / "iteration-00000001.ckpt"
    torch.save({"format": 1, "network": nn.Linear(1, 1)}, path)
    with pytest.raises(UserError, match="objects other than tensors and plain data"):
        load_checkpoint(path)


@pytest.mark.parametrize("length", [0, 1, 100, 0.5, -1])
def test_a_truncated_file_is_damaged(tmp_path, length):
    path = save_checkpoint(tmp_path, state(1, big=torch.zeros(1000)))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(length * len(whole)) if isinstance(length, float) else length])
    with pytest.raises(UserError, match=r"iteration-00000001.ckpt is (damaged|refused)") as caught:
        load_checkpoint(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [{"iteration": 1}, {"format": 2}, [1], torch.zeros(2)])
def test_a_file_of_something_else_is_no_checkpoint(tmp_path, content):
    path = tmp_path / "other.ckpt"
    torch.save(content, path)
    with pytest.raises(UserError, match=r"other.ckpt is not a wildsr checkpoint"):
        load_checkpoint(path)


def test_a_missing_file_or_folder_is_named(tmp_path):
    with pytest.raises(UserError, match=r"There is no checkpoint .*nowhere.ckpt"):
        load_checkpoint(tmp_path / "nowhere.ckpt")
    with pytest.raises(UserError, match=r"There is no run folder .*nowhere"):
        newest_checkpoint(tmp_path / "nowhere")
    with pytest.raises(UserError, match="has no checkpoint yet"):
        newest_checkpoint(tmp_path)


def test_the_newest_readable_one_is_used(tmp_path):
    folder = tmp_path / "checkpoints"
    for iteration in (1, 2, 3):
        save_checkpoint(folder, state(iteration), keep=9)
    files = checkpoints(folder)
    assert newest_checkpoint(tmp_path)["iteration"] == 3
    files[0].write_bytes(files[0].read_bytes()[:200])
    assert newest_checkpoint(tmp_path)["iteration"] == 2
    files[1].write_bytes(b"")
    assert newest_checkpoint(tmp_path)["iteration"] == 1
    files[2].write_bytes(b"text")
    with pytest.raises(UserError, match=r"no readable checkpoint: .*iteration-00000003"):
        newest_checkpoint(tmp_path)


def test_fill_loads_the_weights():
    network, other = nn.Linear(2, 3), nn.Linear(2, 3)
    fill(network, other.state_dict(), "It")
    assert torch.equal(network.weight, other.weight)
    assert torch.equal(network.bias, other.bias)


PARTS = {"weight": slice(2), "bias": 0, "c": 0}


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        (nn.Linear(2, 4), r"its weight is \(4, 2\) instead of \(3, 2\)"),
        (nn.Linear(2, 3, bias=False), "it lacks bias"),
        (nn.Bilinear(2, 3, 3), r"its weight is \(3, 2, 3\)"),
        (nn.Sequential(nn.Linear(2, 3)), "it lacks weight, it has 0.weight"),
        (
            nn.ParameterDict(
                {"weight": torch.zeros(3, 2), "bias": torch.zeros(3), "c": torch.zeros(1)}
            ),
            "it has c",
        ),
    ],
)
def test_fill_names_the_first_difference_and_changes_nothing(other, difference):
    network = nn.Linear(2, 3)
    before = network.weight.clone()
    message = (
        f"The checkpoint's network `x` belongs to another architecture than Linear: {difference}"
    )
    with pytest.raises(UserError, match=message):
        fill(network, other.state_dict(), "The checkpoint's network `x`")
    assert torch.equal(network.weight, before)
