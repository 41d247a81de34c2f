"""OME-XML of upscaled pages, read by Python's own parser and by tifffile."""

from xml.etree import ElementTree

import numpy as np
import pytest
import tifffile

from wildsr.inference.file import Settings, upscale_file
from wildsr.photo.raster import ome
from wildsr.photo.raster.ome import enlarged, names_other_files

SPACE = "http://www.openmicroscopy.org/Schemas/OME/2016-06"


def block(shapes="", name="", files=(), space=SPACE):
    """An OME-XML block of an image of 30 x 20 pixels, 0.5 x 0.25 micrometres each."""
    data = "".join(
        f'<TiffData IFD="{n}"><UUID FileName="{file}">urn:uuid:{n}</UUID></TiffData>'
        for n, file in enumerate(files)
    )
    where = f' xmlns="{space}"' if space else ""
    return (
        f'<OME{where} UUID="urn:uuid:1"><Image ID="Image:0" Name="{name}">'
        '<Pixels BigEndian="true" ID="Pixels:0" Type="uint16" DimensionOrder="XYZCT" SizeX="30" '
        'SizeY="20" SizeZ="1" SizeC="1" SizeT="1" PhysicalSizeX="0.5" PhysicalSizeY="0.25" '
        f'PhysicalSizeZ="unknown"><Channel ID="Channel:0:0"/>{data}</Pixels></Image>'
        f'<ROI ID="ROI:0"><Union>{shapes}</Union></ROI></OME>'
    )


def found(xml, name, space=SPACE):
    prefix = f"{{{space}}}" if space else ""
    return list(ElementTree.fromstring(xml.encode()).iter(f"{prefix}{name}"))


@pytest.mark.parametrize("space", [SPACE, ""])
def test_sizes_follow_the_pixels(space):
    xml = enlarged(block(name="é", space=space), (2, 4), (60, 80), "float32")
    (pixels,) = found(xml, "Pixels", space)
    said = {"SizeX": "60", "SizeY": "80", "PhysicalSizeX": "0.25", "PhysicalSizeY": "0.0625"}
    assert said.items() <= pixels.attrib.items()
    assert pixels.get("Type") == "float"
    assert pixels.get("PhysicalSizeZ") == "unknown"  # left as it is, whatever it means
    assert "BigEndian" not in pixels.attrib
    assert found(xml, "Image", space)[0].get("Name") == "é"
    assert len(found(xml, "Channel", space)) == 1


def test_regions_of_interest_stay_on_what_they_mark():
    shapes = (
        '<Rectangle ID="1" X="3" Y="5" Width="10" Height="2" StrokeWidth="1.5"/>'
        '<Ellipse ID="2" X="3" Y="5" RadiusX="4" RadiusY="6"/>'
        '<Line ID="3" X1="1" Y1="2" X2="3" Y2="4"/>'
        '<Point ID="4" X="7.5" Y="no number"/>'
        '<Polygon ID="5" Points="0,0 1,1 2,0"/>'
        '<Rectangle ID="6" X="1" Y="1"><Transform A00="1"/></Rectangle>'
    )
    xml = enlarged(block(shapes), (2, 3), (60, 60), "uint16")
    (union,) = found(xml, "Union")
    rectangle, ellipse, line, point = union  # what cannot be moved is left out
    assert [float(rectangle.get(n)) for n in ("X", "Y", "Width", "Height")] == [6, 15, 20, 6]
    assert rectangle.get("StrokeWidth") == "1.5"
    assert [float(ellipse.get(n)) for n in ("RadiusX", "RadiusY")] == [8, 18]
    assert [float(line.get(n)) for n in ("X1", "Y1", "X2", "Y2")] == [2, 6, 6, 12]
    assert (point.get("X"), point.get("Y")) == ("15.0", "no number")


def test_names_of_the_source_s_file_are_left_out():
    xml = enlarged(block(files=["a.ome.tif", "a.ome.tif"]), (2, 2), (60, 40), "uint16")
    assert "a.ome.tif" not in xml
    assert "UUID" not in xml
    assert [data.get("IFD") for data in found(xml, "TiffData")] == ["0", "1"]


def test_planes_in_several_files_are_recognised():
    assert names_other_files(block(files=["a.ome.tif", "b.ome.tif"]))
    assert not names_other_files(block(files=["a.ome.tif", "a.ome.tif"]))


def test_what_is_damaged_or_too_long_is_refused(monkeypatch):
    with pytest.raises(ValueError, match="its OME-XML is damaged"):
        enlarged(block()[:-9], (2, 2), (60, 40), "uint16")
    monkeypatch.setattr(ome, "LONGEST", 100)
    with pytest.raises(ValueError, match="its OME-XML is too long"):
        enlarged(block(), (2, 2), (60, 40), "uint16")


def test_bits_that_count_are_those_of_the_source_s_type_alone():
    said = block().replace("<Pixels ", '<Pixels SignificantBits="12" ')
    assert 'SignificantBits="12"' in enlarged(said, (2, 2), (60, 40), "uint16")
    assert "SignificantBits" not in enlarged(said, (2, 2), (60, 40), "uint8")


def test_a_block_of_more_bands_is_left_out(noise, nearest, tmp_path):
    pixels = noise(20, 30, 5, np.uint16)
    for name in ("a.ome.tif", "a.tif"):
        tifffile.imwrite(tmp_path / name, pixels, photometric="minisblack", planarconfig="contig")
        settings = Settings(bands=[1, 2, 3])
        made = upscale_file(nearest(2), tmp_path / name, tmp_path / f"made-{name}", settings)
        with tifffile.TiffFile(made) as file:
            assert not file.is_ome
            assert file.asarray().shape == (40, 60, 3)


def test_a_stack_in_several_files_loses_the_block_of_all(noise, nearest, tmp_path):
    """The block of one of them describes planes that its result does not hold."""
    pages = noise(20, 30, 2, np.uint16).transpose(2, 0, 1)
    text = block(files=["a.ome.tif", "b.ome.tif"])
    tifffile.imwrite(tmp_path / "a.ome.tif", pages, description=text, metadata=None)
    made = upscale_file(nearest(2), tmp_path / "a.ome.tif", tmp_path / "made.tif", Settings())
    with tifffile.TiffFile(made) as file:
        assert not file.is_ome
        assert len(file.pages) == 2
