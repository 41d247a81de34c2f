"""One bit of weights or of a checkpoint that turns over is told, never trained or upscaled with."""

import random

import pytest
import torch
from torch import nn

from wildsr.error import UserError
from wildsr.inference.weights import save_weights
from wildsr.network.checksum import DIGEST, SEAL, check_seal, seal
from wildsr.network.weights import read_weights
from wildsr.run.checkpoint import load_checkpoint, newest_checkpoint, save_checkpoint
from wildsr.run.snapshot import read_snapshot, save_snapshot

FLIPS = 150


def same(one, other):
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return one == other


def refused(path, read, count=FLIPS):
    """How many of so many flips are refused; the others change nothing of what is read."""
    sound, whole, found = path.read_bytes(), read(path), 0
    for place in random.Random(0).sample(range(len(sound)), count):
        data = bytearray(sound)
        data[place] ^= 1 << place % 8
        path.write_bytes(data)
        try:
            assert same(read(path), whole), f"byte {place} is read wrong"
        except UserError as error:
            found += "\n" not in str(error)
    path.write_bytes(sound)
    return found


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 16, 3), nn.BatchNorm2d(16), nn.Conv2d(16, 3, 3))


def test_of_a_checkpoint(tmp_path):
    state = {"iteration": 4, "networks": {"upscale": network().state_dict()}}
    path = save_checkpoint(tmp_path, state)
    assert refused(path, load_checkpoint) > 0.95 * FLIPS


def test_of_weights(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_weights(network(), path, {"_target_": "x", "scale": 4}, 4)
    assert refused(path, read_weights) > 0.95 * FLIPS


def test_of_a_snapshot(tmp_path):
    save_snapshot(tmp_path, {"upscale": network()}, 4, 2, 9)
    (path,) = tmp_path.iterdir()
    assert refused(path, read_snapshot) > 0.95 * FLIPS


def test_of_weights_that_others_wrote(tmp_path):
    """Without our seal: by the sums that torch's archives have."""
    path = tmp_path / "weights.pth"
    torch.save(network().state_dict(), path)
    assert refused(path, read_weights) > 0.3 * FLIPS


def test_a_seal_is_passed_over_by_torch(tmp_path):
    path = tmp_path / "weights.pth"
    torch.save({"a": torch.arange(9.0)}, path)
    seal(path)
    assert path.read_bytes()[-79:].startswith(SEAL)
    check_seal(path, "it")
    assert torch.equal(torch.load(path, weights_only=True)["a"], torch.arange(9.0))


def test_archives_without_any_sums_are_read(tmp_path):
    path = tmp_path / "weights.pth"
    before = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    try:
        torch.save(network().state_dict(), path)
    finally:
        torch.serialization.set_crc32_options(before)
    assert same(read_weights(path), network().state_dict())


def test_the_older_checkpoint_is_taken_and_that_is_said(tmp_path, caplog):
    for iteration in (2, 4):
        path = save_checkpoint(tmp_path / "checkpoints", {"iteration": iteration, "x": [iteration]})
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert newest_checkpoint(tmp_path)["x"] == [2]
    (said,) = (record.getMessage() for record in caplog.records)
    assert said.startswith(f"{path} is damaged: it is not what was written")
    assert said.endswith("Iteration 2 is taken instead.")
    data = path.with_name("iteration-00000002.ckpt").read_bytes()
    path.with_name("iteration-00000002.ckpt").write_bytes(data[:100])
    with pytest.raises(UserError, match="has no readable checkpoint"):
        newest_checkpoint(tmp_path)


@pytest.mark.parametrize("kind", ["weights", "snapshot"])
def test_a_checksum_that_has_lost_its_name_is_missed(tmp_path, kind):
    """Two damages: one of the name of the checksum, one of what it is of."""
    if kind == "weights":
        path = tmp_path / "weights.safetensors"
        save_weights(network(), path, {"_target_": "x", "scale": 4}, 4)
    else:
        save_snapshot(tmp_path, {"upscale": network()}, 4, 2, 9)
        (path,) = tmp_path.iterdir()
    data = bytearray(path.read_bytes().replace(DIGEST.encode(), DIGEST.encode()[:-1] + b"c"))
    data[-5] ^= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match="is damaged"):
        (read_weights if kind == "weights" else read_snapshot)(path)
