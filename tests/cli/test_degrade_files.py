"""The verb ``degrade``: files of every kind, and stores, tar and zip files in and out."""

import io
import json
import tarfile
import zipfile

import numpy as np
import pytest
import tifffile
from PIL import Image
from support.store_fixtures import put

from wildsr.archive.manifest import FOLDER, read
from wildsr.archive.store import Store

fsspec = pytest.importorskip("fsspec")
KNOWN = ["degradation=mild", "scale=2"]
DRAW = np.random.default_rng(0)


@pytest.fixture
def sharp(tmp_path, fill):
    """A tree of photos, one of them damaged."""
    fill(tmp_path / "sharp", 2, (12, 16))
    fill(tmp_path / "sharp" / "sub.x", 2, (12, 16), seed=5)
    (tmp_path / "sharp" / "bad.png").write_bytes(b"no photo")
    return tmp_path / "sharp"


@pytest.fixture
def expected(sharp, carry_out, tmp_path):
    """What a folder gives, by name."""
    out = tmp_path / "expected"
    assert carry_out("degrade", [*KNOWN, f"hr={sharp}", f"output={out}"]) == 1
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in sorted(out.rglob("*.png"))}


def stored(fs, root):
    root = f"/{root.strip('/')}/"
    found = {f"/{name.lstrip('/')}".removeprefix(root): name for name in fs.find(root)}
    return {name: fs.cat_file(path) for name, path in found.items() if name.endswith(".png")}


def test_a_run_of_8_bit_photos_degrades_files_of_every_kind(finished, carry_out, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    ramp = np.linspace(0, 65535, 48 * 64).reshape(48, 64).astype(np.uint16)
    Image.fromarray(ramp).save(folder / "gray.png")
    Image.fromarray((ramp // 257).astype(np.uint8)).save(folder / "eight.png")
    bands = DRAW.random((48, 64, 5)).astype(np.float32)
    tifffile.imwrite(folder / "bands.tif", bands, photometric="minisblack", planarconfig="contig")
    np.save(folder / "rgb.npy", DRAW.random((48, 64, 3)))
    out = tmp_path / "out"
    assert carry_out("degrade", [f"run={finished}", f"hr={folder}", f"output={out}"]) == 0
    assert np.array_equal(np.array(Image.open(out / "hr" / "gray.png")), ramp)
    gray = np.array(Image.open(out / "lr" / "gray.png"))
    assert (gray.dtype, gray.shape) == (np.uint16, (12, 16))
    assert (gray % 257).any(), "more than the levels of 8 bits"
    eight = Image.open(out / "lr" / "eight.png")
    assert (eight.mode, eight.size) == ("L", (16, 12))
    bands = tifffile.imread(out / "lr" / "bands.tif")
    assert (bands.dtype, bands.shape) == (np.float32, (12, 16, 5))
    assert np.load(out / "lr" / "rgb.npy").shape == (12, 16, 3)
    assert (out / "real_vs_fake.png").is_file()


@pytest.mark.parametrize("name", ["bicubic", "mild", "classical", "realesrgan", "stripes"])
def test_known_degradations_of_16_bits_have_16(name, carry_out, tmp_path):
    ramp = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
    Image.fromarray(ramp).save(tmp_path / "a.png")
    typed = [f"degradation={name}", "scale=2", f"hr={tmp_path / 'a.png'}"]
    assert carry_out("degrade", [*typed, f"output={tmp_path / 'out'}"]) == 0
    lr = np.array(Image.open(tmp_path / "out" / "lr" / "a.png"))
    assert (lr.dtype, lr.shape) == (np.uint16, (32, 32))
    assert (lr % 257).any() or name in ("mild", "classical", "realesrgan"), (
        "which may end with JPEG"
    )


def test_what_is_taken_of_files(carry_out, refused, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    stack = DRAW.integers(0, 4000, (3, 32, 40, 4)).astype(np.uint16)
    tifffile.imwrite(folder / "a.tif", stack, photometric="minisblack", planarconfig="contig")
    typed = ["degradation=bicubic", "scale=2", f"hr={folder}"]
    some = [*typed, "bands=[4,1]", "page=2", "range=[0,4095]", f"output={tmp_path / 'out'}"]
    assert carry_out("degrade", some) == 0
    hr = tifffile.imread(tmp_path / "out" / "hr" / "a.tif")
    assert np.array_equal(hr, stack[1][..., [3, 0]])
    assert json.loads((tmp_path / "out" / "degrade.json").read_text())["bands"] == [4, 1]
    assert "made with another page and bands and range" in refused(
        "degrade", [*typed, f"output={tmp_path / 'out'}"]
    )
    assert "`depth` must be 8, 16, float" in refused(
        "degrade", [*typed, "depth=12", f"output={tmp_path / 'no'}"]
    )
    assert carry_out("degrade", [*typed, "format=png", f"output={tmp_path / 'png'}"]) == 1


def test_a_store_as_a_folder(sharp, expected, memory, carry_out, refused, capsys, tmp_path):
    put(memory, "a/in", sharp)
    some = [*KNOWN, "hr=memory://a/in", "output=memory://a/out"]
    assert carry_out("degrade", some) == 1
    assert stored(memory, "a/out") == expected
    assert "memory://a/in/bad.png: not an image" in capsys.readouterr().out.replace("\n", "")
    entries = read(Store("memory://a/out", "output"))
    assert {entry.input for entry in entries.values() if entry.error} == {"bad.png"}
    assert "made with another seed" in refused("degrade", [*some, "seed=1"])
    memory.pipe_file("a/in/bad.png", memory.cat_file("a/in/photo0.png"))
    assert carry_out("degrade", [*some, "retry=failed"]) == 0
    assert stored(memory, "a/out").keys() == {*expected, "hr/bad.png", "lr/bad.png"}
    before = dict(stored(memory, "a/out"))
    assert carry_out("degrade", some) == 0
    assert stored(memory, "a/out") == before
    for number in (1, 2):
        here = [*KNOWN, "hr=memory://a/in", f"output={tmp_path / 'here'}", f"shard={number}/2"]
        assert carry_out("degrade", here) == 0
    found = {
        p.relative_to(tmp_path / "here").as_posix() for p in (tmp_path / "here").rglob("*.png")
    }
    assert found == before.keys()


def test_pairs_below_the_photos_of_a_store(sharp, expected, memory, carry_out, refused):
    put(memory, "a", sharp)
    for _ in range(2):
        assert carry_out("degrade", [*KNOWN, "hr=memory://a", "output=memory://a/out"]) == 1
    assert stored(memory, "a/out") == expected
    assert "must be another folder" in refused(
        "degrade", [*KNOWN, "hr=memory://a", "output=memory://a"]
    )
    assert "memory://a contains the photos of `hr`" in refused(
        "degrade", [*KNOWN, "hr=memory://a/hr", "output=memory://a"]
    )


def test_a_zip_file_in_and_out(sharp, expected, carry_out, tmp_path):
    source, out = tmp_path / "in.zip", tmp_path / "made" / "out.zip"
    with zipfile.ZipFile(source, "w") as opened:
        for path in sorted(sharp.rglob("*.png")):
            opened.write(path, path.relative_to(sharp).as_posix())
    some = [*KNOWN, f"hr={source}", f"output={out}"]
    assert carry_out("degrade", some) == 1
    with zipfile.ZipFile(out) as opened:
        assert {name: opened.read(name) for name in opened.namelist()} == expected
    whole = out.read_bytes()
    assert carry_out("degrade", some) == 0  # exists
    assert out.read_bytes() == whole
    assert sorted(p.name for p in out.parent.iterdir()) == [FOLDER, "out.zip"]


@pytest.mark.parametrize("scheme", ["file://", "local://"])
def test_photos_are_their_own_by_every_name(scheme, sharp, expected, carry_out, refused, tmp_path):
    (sharp / "bad.png").unlink()
    known = [*KNOWN, "overwrite=true", f"hr={sharp}"]
    for _ in range(2):  # pairs are no photos
        assert carry_out("degrade", [*known, f"output={scheme}{sharp}/out"]) == 0
    made = sharp / "out"
    assert {p.relative_to(made).as_posix(): p.read_bytes() for p in made.rglob("?r/*")} == expected
    again = [*KNOWN, f"hr={scheme}{sharp}", f"output={sharp}/out"]
    assert carry_out("degrade", again) == 0  # of the same settings
    inside = [*KNOWN, f"hr={sharp}", f"output={scheme}{sharp}"]
    assert "contains the photos of `hr`" in refused("degrade", inside)


def members(path):
    with tarfile.open(path) as opened:
        return {m.name: opened.extractfile(m).read() for m in opened}


def test_pairs_as_samples_of_webdataset(sharp, expected, carry_out, refused, tmp_path):
    out = tmp_path / "out.tar"
    assert carry_out("degrade", [*KNOWN, f"hr={sharp}", f"output={out}"]) == 1
    found = members(out)
    assert list(found)[:2] == ["photo0.hr.png", "photo0.lr.png"]
    assert found["photo1.lr.png"] == expected["lr/photo1.png"]
    assert found["sub_x_photo0.hr.png"] == expected["hr/sub.x_photo0.png"]
    assert len(found) == len(expected)
    said = refused("degrade", [*KNOWN, f"hr={sharp}", f"output={tmp_path}/b.tar", "cluster=ray"])
    assert "one process fills a file" in said


def test_tar_files_become_tar_files_with_their_labels(sharp, carry_out, tmp_path):
    for number in range(2):
        with tarfile.open(tmp_path / f"p-{number}.tar", "w") as opened:
            files = {"x/a.png": (sharp / f"photo{number}.png").read_bytes(), "x/a.json": b"{}"}
            for name, data in {**files, "alone.txt": b"text"}.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                opened.addfile(info, io.BytesIO(data))
    out = tmp_path / "out"
    some = [*KNOWN, f"hr={tmp_path}/p-{{0..1}}.tar", f"output={out}", "draws=2"]
    assert carry_out("degrade", some) == 0
    for number in range(2):
        found = members(out / f"p-{number}.tar")
        assert found.keys() == {
            *(f"x/a_{n}.{end}" for n in (1, 2) for end in ("hr.png", "lr.png", "json")),
            "alone.txt",
        }
        assert found["x/a_1.lr.png"] != found["x/a_2.lr.png"]
    assert read(out)["p-0.tar/x/a_1.lr.png"].input == "p-0.tar/x/a.png"
