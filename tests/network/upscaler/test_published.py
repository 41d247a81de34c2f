import copy
import os
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from spandrel import ModelLoader
from torch import nn

from wildsr.error import UserError
from wildsr.network.upscaler.compact import Compact
from wildsr.network.upscaler.published import Published
from wildsr.network.weights import read_weights

SHARED = os.environ.get("WILDSR_SHARED")


@pytest.fixture
def compact():
    torch.manual_seed(0)
    return Compact(2, features=8, convolutions=2).eval()


@pytest.fixture
def file(compact, tmp_path):
    path = tmp_path / "2x_theirs.pth"
    torch.save({"params": compact.state_dict()}, path)
    return path


def wrapped(state):
    doubled = {name: 2 * value for name, value in state.items()}
    return {
        "flat": state,
        "params": {"params": state},
        "averaged before raw": {"params": doubled, "params_ema": state},
        "lightning": {"state_dict": state, "epoch": 3},
        "data parallel": {"params": {f"module.{name}": value for name, value in state.items()}},
    }


@pytest.mark.parametrize("layout", wrapped({}))
def test_weights_are_found_whatever_they_are_wrapped_in(layout, compact, tmp_path):
    state = compact.state_dict()
    torch.save(wrapped(state)[layout], tmp_path / "file.pth")
    found = read_weights(tmp_path / "file.pth")
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], value) for name, value in state.items())


def test_safetensors(compact, tmp_path):
    save_file(compact.state_dict(), str(tmp_path / "file.safetensors"))
    assert read_weights(tmp_path / "file.safetensors").keys() == compact.state_dict().keys()


def test_a_pickle_that_would_run_code_is_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    torch.save({"params": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(UserError, match=r"evil.pth is refused: .* could run code"):
        read_weights(tmp_path / "evil.pth")
    with pytest.raises(UserError, match="refused"):
        Published(tmp_path / "evil.pth")
    assert not (tmp_path / "ran").exists()


def test_files_without_weights(tmp_path):
    with pytest.raises(UserError, match=r"`weights` must be a file, but .*nowhere.pth does not"):
        read_weights(tmp_path / "nowhere.pth")
    torch.save({"params": {"steps": 3}}, tmp_path / "number.pth")
    with pytest.raises(UserError, match=r"'steps' is no tensor"):
        read_weights(tmp_path / "number.pth")
    torch.save([1], tmp_path / "list.pth")
    with pytest.raises(UserError, match=r"holds no weights by name"):
        read_weights(tmp_path / "list.pth")
    torch.save({"what.weight": torch.zeros(2)}, tmp_path / "linear.pth")
    with pytest.raises(UserError, match=r"of no architecture that spandrel knows"):
        Published(tmp_path / "linear.pth")
    with pytest.raises(UserError, match=r"`weights` must be a file of weights, but got None"):
        Published(None)


def test_it_is_the_network_of_the_file(compact, file):
    network, lr = Published(file).eval(), torch.rand(1, 3, 5, 6)
    assert network.scale == 2
    torch.testing.assert_close(network(lr), compact(lr), atol=1e-6, rtol=0)
    with pytest.raises(UserError, match=r"`scale` must be that of .*2x_theirs.pth, 2, but got 4"):
        Published(file, scale=4)


def test_it_trains_and_opens_again_under_its_names(compact, file, tmp_path):
    network = copy.deepcopy(Published(file).train())
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert before.keys() == compact.state_dict().keys()
    optimizer = torch.optim.SGD(network.parameters(), lr=1.0)
    network(torch.rand(1, 3, 4, 4)).square().sum().backward()
    optimizer.step()
    tuned = network.state_dict()
    assert all(not torch.equal(tuned[name], value) for name, value in before.items())
    torch.save(tuned, tmp_path / "tuned.pth")
    lr = torch.rand(1, 3, 8, 8)
    opened = ModelLoader().load_from_file(tmp_path / "tuned.pth").model.eval()
    torch.testing.assert_close(opened(lr), network(lr), atol=1e-6, rtol=0)
    network.load_state_dict(before)
    torch.testing.assert_close(network(lr), compact(lr), atol=1e-6, rtol=0)


def test_names_stay_right_inside_another_module(file):
    network = Published(file)
    outer = nn.ModuleDict({"upscale": network})
    state = outer.state_dict()
    assert next(iter(state)) == "upscale.body.0.weight"
    outer.load_state_dict({name: torch.zeros_like(value) for name, value in state.items()})
    assert not network.network.body[0].weight.any()


@settings(deadline=None, max_examples=10)
@given(st.integers(1, 20), st.integers(1, 20))
def test_any_size_with_an_architecture_of_windows(swin, height, width):
    assert swin(torch.rand(1, 3, height, width)).shape == (1, 3, 2 * height, 2 * width)


@pytest.fixture(scope="module")
def swin(tmp_path_factory):
    from spandrel.architectures.SwinIR import SwinIR

    network = SwinIR(
        img_size=16,
        window_size=8,
        depths=[2],
        embed_dim=12,
        num_heads=[2],
        upscale=2,
        upsampler="pixelshuffledirect",
    )
    path = tmp_path_factory.mktemp("swin") / "swin.pth"
    torch.save(network.state_dict(), path)
    return Published(path).eval()


@pytest.mark.skipif(not SHARED, reason="WILDSR_SHARED names no folder with published weights")
@pytest.mark.parametrize(("name", "convolutions"), [("photo", 32), ("anime", 16)])
def test_published_weights_in_our_network_and_in_spandrels(name, convolutions):
    path = Path(SHARED) / "data" / "weights" / f"compact_x4_{name}.pth"
    own = Compact(4, 64, convolutions).eval()
    own.load_state_dict(read_weights(path))
    theirs, lr = ModelLoader().load_from_file(path).model.eval(), torch.rand(1, 3, 9, 13)
    with torch.inference_mode():
        torch.testing.assert_close(own(lr), theirs(lr), atol=1e-6, rtol=0)
        torch.testing.assert_close(Published(path).eval()(lr), theirs(lr), atol=1e-6, rtol=0)
