"""The verb ``export``: what it writes, prints and refuses; and the card."""

import json
import re
import shutil

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from wildsr.cli import export as verb
from wildsr.error import UserError
from wildsr.export.card_file import kept_files
from wildsr.export.formats import PROGRAMS
from wildsr.export.model_card import File, ModelCard, markdown_card
from wildsr.inference.restorer import Restorer
from wildsr.method.part import Method, given, network, tensor
from wildsr.network.upscaler.compact import Compact
from wildsr.run.load import restorer_of

PACKAGES = {"onnx": "onnxruntime", "ncnn": "pnnx", "torchscript": "torch"}


@pytest.fixture
def run(finished, tmp_path):
    """A copy of a finished run; its own photos stay where they are."""
    return shutil.copytree(finished, tmp_path / "rose")


@pytest.mark.parametrize("fmt", ["safetensors", "pth", *sorted(PROGRAMS)])
def test_a_run_in_every_format(run, fmt, carry_out, capsys):
    pytest.importorskip(PACKAGES.get(fmt, "torch"), reason="wildsr[export] is not installed")
    assert carry_out("export", [f"run={run}", f"format={fmt}"]) == 0
    said = capsys.readouterr().out
    suffixes = PROGRAMS[fmt].suffixes if fmt in PROGRAMS else (f".{fmt}",)
    for suffix in (*suffixes, ".md"):
        assert (run / "export" / f"4x_rose{suffix}").is_file()
    found = re.search(
        r"to torch, on photo\d\.png: at most (\S+) \(\S+ levels of 8 bits\), (\S+)", said
    )
    assert float(found[2]) <= float(found[1]) < 1e-4
    card = (run / "export" / "4x_rose.md").read_text()
    assert f"| 4x_rose{suffixes[0]} | {fmt}, single precision" in card


def test_safetensors_hold_the_average_under_the_original_names(run, carry_out):
    assert carry_out("export", [f"run={run}"]) == 0
    held = load_file(run / "export" / "4x_rose.safetensors")
    average = restorer_of(run).networks["upscale"].state_dict()
    assert held.keys() == average.keys()
    assert all(name.startswith("body.") for name in held)
    for name, weight in held.items():
        assert torch.equal(weight, average[name])


def test_half_precision_says_what_it_costs(run, carry_out, capsys):
    assert carry_out("export", [f"run={run}", "fp16=true", "name=Half"]) == 0
    said = capsys.readouterr().out
    assert "4x_Half.safetensors  (safetensors, half precision" in said
    assert 0 < float(re.search(r"at most (\S+)", said)[1]) < 1e-2
    held = load_file(run / "export" / "4x_Half.safetensors")
    assert {weight.dtype for weight in held.values()} == {torch.float16}


def test_the_card_says_what_the_run_was(run, carry_out):
    results = json.loads((run / "results.json").read_text())
    assert results["protocol"]["trained_on"] == {"lr": 4, "hr": 3}
    assert carry_out("export", [f"run={run}", "licence=CC BY 4.0"]) == 0
    card = (run / "export" / "4x_rose.md").read_text()
    assert card.startswith('---\nlicense: "CC BY 4.0"\n')
    for line in (
        "# 4x_rose",
        "- **Scale:** 4",
        "- **Training data:** 4 real LR photos and 3 unrelated sharp photos, no pairs",
        "- **Licence:** CC BY 4.0",
        "- channel: rgb",
        "- photos: 2",
        "![contact](4x_rose.contact.png)",
    ):
        assert f"\n{line}\n" in card, line
    assert re.search(r"\*\*Method:\*\* Supervised: \w+", card)
    assert re.search(r"\*\*Training:\*\* 3 iterations in [\d.]+ s", card)
    sr = next(row for row in results["rows"] if row["name"] == "supervised")
    assert f"| supervised | {sr['psnr']:.2f} | {sr['ssim']:.4f} |" in card
    assert str(run) not in card, "no path of this computer"
    assert (run / "export" / "4x_rose.contact.png").read_bytes() == (
        run / "contact.png"
    ).read_bytes()


def test_a_card_keeps_the_rows_of_other_formats_that_are_still_there(run, carry_out):
    for fmt in ("safetensors", "pth", "safetensors"):
        assert carry_out("export", [f"run={run}", f"format={fmt}"]) == 0
    card = (run / "export" / "4x_rose.md").read_text()
    assert card.count("| 4x_rose.safetensors |") == card.count("| 4x_rose.pth |") == 1
    (run / "export" / "4x_rose.pth").unlink()
    assert kept_files(run / "export" / "4x_rose.md", [File("4x_rose.safetensors", "x")]) == []


def test_a_run_writes_its_card_itself(finished):
    card = (finished / "weights" / "4x_it.md").read_text()
    assert "| 4x_it.safetensors | safetensors, single precision |" in card
    assert "![contact](../contact.png)" in card
    assert "4 real LR photos and 3 unrelated sharp photos" in card


def test_published_weights_become_another_format_beside_them(tmp_path, carry_out, capsys):
    torch.manual_seed(0)
    theirs = Compact(2, features=8, convolutions=2).eval()
    torch.save({"params": theirs.state_dict()}, tmp_path / "2xTheirs.pth")
    weights = f"weights={tmp_path / '2xTheirs.pth'}"
    assert carry_out("export", [weights]) == 0
    assert "spandrel, chaiNNer (RealESRGAN Compact)" in capsys.readouterr().out
    held = load_file(tmp_path / "2x_Theirs.safetensors")
    assert all(torch.equal(weight, theirs.state_dict()[name]) for name, weight in held.items())
    assert "**Method:** not known" in (tmp_path / "2x_Theirs.md").read_text()


@pytest.fixture
def theirs(tmp_path):
    """A file of published weights."""
    torch.manual_seed(0)
    made = Compact(2, features=8, convolutions=2).eval()
    torch.save({"params": made.state_dict()}, tmp_path / "2x_Theirs.pth")
    return tmp_path / "2x_Theirs.pth"


CARDS = [b"# Theirs\nby me", "# Theirs, by Jos\xe9".encode("latin-1"), b""]


@pytest.mark.parametrize("text", CARDS)
def test_a_card_of_the_author_is_kept(theirs, text, carry_out, capsys):
    card = theirs.with_suffix(".md")
    card.write_bytes(text)
    for fmt in ("safetensors", "torchscript"):
        assert carry_out("export", [f"weights={theirs}", f"format={fmt}"]) == 0
        assert "2x_Theirs.export.md, as the other card is kept" in capsys.readouterr().out
    assert card.read_bytes() == text
    own = (theirs.parent / "2x_Theirs.export.md").read_text()
    assert "# 2x_Theirs\n" in own
    assert own.count("| 2x_Theirs.safetensors |") == own.count("| 2x_Theirs.pt |") == 1


def test_a_card_of_a_run_is_kept_by_an_export_of_its_weights(run, carry_out):
    (weights,) = (run / "weights").glob("*.safetensors")
    card = weights.with_suffix(".md")
    before = card.read_bytes()
    assert carry_out("export", [f"weights={weights}", "format=pth"]) == 0
    assert card.read_bytes() == before
    assert "not known" in card.with_suffix(".export.md").read_text()


def test_a_card_and_pictures_of_others_are_kept_by_a_run(run, tmp_path, carry_out):
    out = tmp_path / "out"
    out.mkdir()
    (out / "4x_rose.md").write_text("theirs")
    (out / "4x_rose.export.contact.png").write_text("theirs as well")
    for _ in range(2):
        assert carry_out("export", [f"run={run}", f"output={out}"]) == 0
    assert (out / "4x_rose.md").read_text() == "theirs"
    assert (out / "4x_rose.export.contact.png").read_text() == "theirs as well"
    card = (out / "4x_rose.export-2.md").read_text()
    assert "![contact](4x_rose.export-2.contact.png)" in card
    assert not (out / "4x_rose.export-3.md").exists()


def test_a_file_of_the_author_is_not_replaced(theirs, refused, carry_out):
    other = theirs.with_suffix(".safetensors")
    other.write_text("theirs as well")
    assert "is not of an earlier export" in refused("export", [f"weights={theirs}"])
    assert other.read_text() == "theirs as well"
    assert carry_out("export", [f"weights={theirs}", "name=Mine"]) == 0
    assert carry_out("export", [f"weights={theirs}", "name=Mine"]) == 0


def test_networks_in_a_row_are_a_file_each_and_the_card_says_their_order(
    tmp_path, monkeypatch, carry_out
):
    class TwoStep(Method):
        """Clean, then upscale."""

        real_lr = given("(B, 3, H, W)")
        upscale, clean = network("LR to HR"), network("LR to LR")

        @tensor
        def restored(self):
            return self.upscale(self.clean(self.real_lr))

    sizes = {"upscale": 4, "clean": 1}
    networks = {name: Compact(scale, 4, 1) for name, scale in sizes.items()}
    nodes = {
        name: {"_target_": "wildsr.network.upscaler.compact.Compact", "scale": s}
        | {"features": 4, "convolutions": 1}
        for name, s in sizes.items()
    }
    source = verb.Source(
        Restorer(TwoStep, networks, 4).eval(), 4, "rose", tmp_path, nodes, ("TwoStep", "It.")
    )
    monkeypatch.setattr(verb, "source_of", lambda config: source)
    assert carry_out("export", ["run=it"]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {
        "1x_rose_clean.safetensors",
        "4x_rose_upscale.safetensors",
        "4x_rose.md",
    }
    card = (tmp_path / "4x_rose.md").read_text()
    assert "An image passes through `clean`, then `upscale`: as weights a file each" in card
    assert "Compact, then Compact" in card


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ([], r"Either `run` or `weights` must be given"),
        (["run=a", "weights=b"], r"Either `run` or `weights` must be given"),
        (["run=a", "format=onx"], r"`format` must be one of .*'onx'\. Did you mean 'onnx'\?"),
        (["run=a", "fp16=maybe"], r"`fp16` must be true or false, but got 'maybe'"),
        (["run=a", "format=onnx", "size=4"], r"`size` must be an integer of at least 8 or null"),
        (["run=a", "size=64"], r"`size` is for onnx, torchscript, ncnn"),
        (["run=a", "seed=-1"], r"`seed` must be an integer of at least 0"),
        (["run=a", "name=a/b"], r"`name` must be the name of a file, but got 'a/b'"),
        (["run=nowhere"], r"nowhere does not exist"),
        (["weights=nowhere.pth"], r"`weights` must be a file, but nowhere.pth does not exist"),
        (["weight=x"], r"There is no key `weight`\. Did you mean 'weights'\?"),
    ],
)
def test_what_is_typed_wrong_is_one_sentence(refused, typed, message):
    error = refused("export", typed)
    assert re.search(message, error), error


def test_the_file_that_is_exported_is_not_overwritten(refused, finished):
    path = finished / "weights" / "4x_it.safetensors"
    before = path.read_bytes()
    assert "is what is exported" in refused("export", [f"weights={path}"])
    assert path.read_bytes() == before


def test_a_program_that_differs_is_refused_and_removed(run, refused, monkeypatch, tmp_path):
    def written(upscaler, path, fmt, fp16, size):
        path.write_text("a program")
        return lambda lr: upscaler(lr) + 0.01

    monkeypatch.setattr(verb, "write_program", written)
    error = refused("export", [f"run={run}", "format=onnx", f"output={tmp_path / 'out'}"])
    assert re.search(r"`format=onnx` would compute something else .* `size=N`", error)
    assert not list((tmp_path / "out").glob("*"))


def test_a_folder_that_cannot_be_written_to_is_a_sentence(run, refused, tmp_path):
    (tmp_path / "file").touch()
    error = refused("export", [f"run={run}", f"output={tmp_path / 'file' / 'below'}"])
    assert "`output`: nothing can be written into" in error


def test_it_is_compared_on_a_photo_that_can_be_read(run, photos, carry_out, capsys, monkeypatch):
    broken = run / "broken.png"
    broken.write_bytes(b"\x89PNG")
    good = photos.val_lr / "photo0.png"
    monkeypatch.setattr("wildsr.cli.export.lr_photos", lambda *_: [broken] * 7 + [good])
    assert carry_out("export", [f"run={run}", "format=pth"]) == 0
    assert "on photo0.png" in capsys.readouterr().out


def test_weights_of_an_own_architecture_leave_no_file(run, carry_out, capsys, monkeypatch):
    def refused(*_):
        (run / "export").mkdir(exist_ok=True)
        (run / "export" / "4x_rose.pth").write_bytes(b"half")
        raise UserError("it names the architecture 'mine.Tiny', which is not ours.")

    monkeypatch.setattr("wildsr.cli.export.write_weights", refused)
    assert carry_out("export", [f"run={run}", "format=pth"]) == 2
    said = capsys.readouterr().err.replace("\n", " ")
    assert "`format=pth` needs an architecture that is known" in said
    assert "onnx" in said
    assert not list((run / "export").glob("*.pth"))


def test_what_cannot_be_said_is_said_to_be_unknown():
    card = markdown_card(
        ModelCard(
            "4x_x", 4, "Net", 1234, [File("4x_x.pth", "pth", 0.5, 0.25)], results={"rows": []}
        )
    )
    assert 'license: "unknown"' in card
    assert "- **Training data:** not known" in card
    assert "| 4x_x.pth | pth | 5.0e-01 | 2.5e-01 |" in card
    assert "Nothing was measured: there was no ground truth." in card


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({"lr": 1, "hr": 2}, "1 real LR photo and 2 unrelated sharp photos, no pairs"),
        ({"lr": 0, "hr": 0, "pairs": 9}, "9 pairs of an LR photo and its truth"),
        (
            {"lr": 5, "hr": 1, "pairs": 1},
            "5 real LR photos and 1 unrelated sharp photo, 1 pair of an LR photo and its truth",
        ),
        ({"lr": 1, "hr": 0}, "1 real LR photo, which it restores, and no sharp ones"),
    ],
)
def test_the_card_says_what_it_was_trained_on(counts, said):
    results = {"protocol": {"trained_on": counts}, "rows": []}
    card = markdown_card(ModelCard("4x_x", 4, "Net", 1234, [], results=results))
    assert f"\n- **Training data:** {said}\n" in card


def test_differences_are_of_clipped_images_and_infinite_where_it_fails():
    class Times(nn.Module):
        def __init__(self, factor):
            super().__init__()
            self.factor = factor

        def forward(self, lr):
            return self.factor * lr

    def compare(network, reopened):
        return verb._compare(network, reopened, crops, torch.device("cpu"))

    crops = [torch.full((1, 3, 2, 2), 0.5)]
    assert compare(Times(3), lambda lr: 2 * lr) == (0, 0)
    assert compare(Times(1), lambda lr: lr + 0.25) == (0.25, 0.25)
    assert compare(Times(3), lambda lr: lr[..., :1])[0] == float("inf")
