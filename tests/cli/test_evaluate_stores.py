"""The verb ``evaluate`` from and to stores, zip and tar files: the figures of folders."""

import io
import json
import tarfile
import zipfile

import pytest
from support.store_fixtures import put

fsspec = pytest.importorskip("fsspec")
FEW = ["upscaler=[bicubic,nearest]", "metric.metrics=[psnr,ssim]", "page_mb=1"]


@pytest.fixture
def sides(fill, tmp_path):
    """Folders of LR and HR photos."""
    return fill(tmp_path / "in" / "lr", 4, (20, 24)), fill(tmp_path / "in" / "hr", 4, (40, 48))


@pytest.fixture
def expected(sides, carry_out, tmp_path):
    """The rows of the folders' table."""
    lr, hr = sides
    out = tmp_path / "expected"
    assert carry_out("evaluate", [f"data.lr={lr}", f"data.hr={hr}", f"output={out}", *FEW]) == 0
    return rows((out / "results.json").read_bytes())


def rows(data):
    return json.loads(data)["rows"]


def test_a_store_in_and_out(memory, sides, expected, carry_out, refused, tmp_path):
    put(memory, "a", tmp_path / "in")
    typed = ["data.lr=memory://a/lr", "data.hr=memory://a/hr", *FEW]
    assert carry_out("evaluate", [*typed, "output=memory://a/out"]) == 0
    assert rows(memory.cat_file("a/out/results.json")) == expected
    made = {name.removeprefix("/a/out/") for name in memory.find("a/out")}
    assert {"results.json", "per_image.csv", "report/index.html"} <= made
    assert "results/bicubic/photo0.png" in made
    locks = {name for name in made if name.startswith(".locks")}
    assert locks == {".locks/1-of-1/00000001.json"}, "the store's own, not the folder's"
    assert "overwrite=true replaces" in refused("evaluate", [*typed, "output=memory://a/out"])
    assert carry_out("evaluate", [*typed, "output=memory://a/out", "overwrite=true"]) == 0
    here = tmp_path / "here"
    assert carry_out("evaluate", [*typed, f"output={here}"]) == 0
    assert rows((here / "results.json").read_bytes()) == expected
    saved = ["results={theirs: memory://a/out/results/nearest}", *typed]
    assert carry_out("evaluate", [*saved, f"output={tmp_path / 'saved'}"]) == 0
    found = rows((tmp_path / "saved" / "results.json").read_bytes())
    assert found[2]["psnr"] == expected[1]["psnr"]
    assert "does not exist" in refused("evaluate", ["data.lr=memory://nowhere", *FEW])


def test_urls_of_local_folders_are_these(sides, expected, carry_out, tmp_path):
    lr, hr = sides
    typed = [f"data.lr=file://{lr}", f"data.hr=local://{hr}", f"output=file://{tmp_path}/out"]
    assert carry_out("evaluate", [*typed, *FEW]) == 0
    assert rows((tmp_path / "out" / "results.json").read_bytes()) == expected


@pytest.mark.heavy
def test_parts_in_a_store_are_the_whole(memory, sides, carry_out, capsys, tmp_path):
    lr, hr = sides
    few, out = [*FEW, "metric.metrics=[psnr,ssim,swd]"], tmp_path / "expected"  # one of sets, too
    assert carry_out("evaluate", [f"data.lr={lr}", f"data.hr={hr}", f"output={out}", *few]) == 0
    expected = rows((out / "results.json").read_bytes())
    put(memory, "a", tmp_path / "in")
    typed = ["data.lr=memory://a/lr", "data.hr=memory://a/hr", "output=memory://a/out", *few]
    for number in (1, 2, 3):
        assert not memory.exists("a/out/results.json")
        assert carry_out("evaluate", [*typed, f"shard={number}/3"]) == 0
    assert rows(memory.cat_file("a/out/results.json")) == expected
    pictures = [name for name in memory.find("a/out/results") if name.endswith(".png")]
    assert len(pictures) == 8


@pytest.mark.heavy
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_one_file_in_and_out(kind, sides, expected, carry_out, refused, tmp_path):
    for side, folder in zip(("lr", "hr"), sides, strict=True):
        files = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
        path = tmp_path / f"{side}.{kind}"
        if kind == "zip":
            with zipfile.ZipFile(path, "w") as opened:
                for name, data in files.items():
                    opened.writestr(name, data)
        else:
            with tarfile.open(path, "w") as opened:
                for name, data in {**files, "0.json": b"{}"}.items():
                    info = tarfile.TarInfo(name)
                    info.size = len(data)
                    opened.addfile(info, io.BytesIO(data))
    typed = [f"data.{side}={tmp_path / side}.{kind}" for side in ("lr", "hr")]
    out = tmp_path / f"out.{kind}"
    assert carry_out("evaluate", [*typed, f"output={out}", *FEW]) == 0
    if kind == "zip":
        with zipfile.ZipFile(out) as opened:
            made = {name: opened.read(name) for name in opened.namelist()}
    else:
        with tarfile.open(out) as opened:
            made = {m.name: opened.extractfile(m).read() for m in opened}
    assert rows(made["results.json"]) == expected
    assert "report/index.html" in made
    said = refused("evaluate", [*typed, f"output={tmp_path}/b.{kind}", *FEW, "shard=1/2"])
    assert "must be a folder or a store for several shards" in said
    assert "holds an evaluation" in refused("evaluate", [*typed, f"output={out}", *FEW])
    said = refused("evaluate", [*typed, f"output={tmp_path}/b.{kind}", *FEW, "cluster=ray"])
    assert "on a disk that all nodes share" in said
    assert not list(tmp_path.glob("b.*"))


def test_names_that_would_lead_elsewhere_stay_below(sides, carry_out, tmp_path):
    with tarfile.open(tmp_path / "evil.tar", "w") as opened:
        data = next(sides[0].iterdir()).read_bytes()
        info = tarfile.TarInfo("../../evil.png")
        info.size = len(data)
        opened.addfile(info, io.BytesIO(data))
    typed = [f"data.lr={tmp_path / 'evil.tar'}", "scale=2", f"output={tmp_path / 'out'}", *FEW]
    assert carry_out("evaluate", typed) == 0
    assert not list(tmp_path.glob("*.png"))
    assert not list(tmp_path.parent.glob("evil.png"))
