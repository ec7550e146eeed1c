"""Inputs: what folders hold, what is passed over, kinds of pictures, and tables about files."""

from __future__ import annotations

import os

import numpy as np
import pytest
from PIL import Image

from uhcs_bench.data import label_maps
from uhcs_bench.errors import UsageError
from uhcs_bench.measuring import inputs

NOISE = np.random.default_rng(0)


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_bytes(b"x")


def test_folders_and_what_is_passed_over(tmp_path):
    """Check files, folders, a submission's layout, repeated names, and the account."""
    touch(tmp_path, "b.png", "a.npy", ".hidden.png", "notes.txt", "c.jpg", "d.gif")
    touch(tmp_path, "particles/d.TIF", "more/e.png", "more/.git/f.png")
    found = inputs.find([tmp_path / "b.png", tmp_path], "particles")
    assert [p.name for p in found.files] == ["b.png", "a.npy", "d.TIF"]
    reasons = {name.rpartition("/")[2]: reason for name, reason in found.passed_over}
    assert reasons == {
        ".hidden.png": "is hidden",
        "c.jpg": "can't be a label map, by its format",
        "d.gif": "has a format that is not read; save it as PNG or TIFF",
        "more": "is a folder; --recursive looks inside",
        "notes.txt": "is no image, by its name",
    }
    found = inputs.find([tmp_path], "microconstituents", micrographs=True)
    assert [p.name for p in found.files] == ["a.npy", "b.png", "c.jpg"]
    found = inputs.find([tmp_path], "particles", micrographs=True, recursive=True)
    assert [p.name for p in found.files] == ["a.npy", "b.png", "c.jpg", "e.png", "d.TIF"]


def test_outputs_are_no_inputs(tmp_path):
    """Check a folder of overlays inside the inputs."""
    touch(tmp_path, "a.png", "overlays/a.png", "maps/a.png")
    places = [tmp_path / "overlays", tmp_path / "maps"]
    found = inputs.find([tmp_path], "particles", recursive=True, outputs=places)
    assert found.files == (tmp_path / "a.png",)
    assert {reason for _, reason in found.passed_over} == {"is written by this command"}


def test_folders_named_like_images_are_no_inputs(tmp_path):
    """Check a folder with an image's ending among the images, and a link that leads nowhere."""
    touch(tmp_path, "a.png")
    (tmp_path / "more.png").mkdir()
    (tmp_path / "lost.png").symlink_to(tmp_path / "absent.png")
    names = {path.name for path in inputs.find([tmp_path], "particles").files}
    assert names == {"a.png", "lost.png"}


def test_links_in_circles_are_not_followed(tmp_path):
    """Check a folder that links to itself."""
    touch(tmp_path, "a.png")
    (tmp_path / "again").symlink_to(tmp_path)
    assert len(inputs.find([tmp_path], "particles", recursive=True).files) == 1


def test_wrong_inputs_are_reported_together(tmp_path):
    """Check a missing file, an empty folder, and one that holds folders or photographs alone."""
    (tmp_path / "empty").mkdir()
    touch(tmp_path, "deep/inside/a.png", "photos/a.jpg", "gifs/a.gif")
    names = ("absent.png", "empty", "deep", "photos", "gifs")
    with pytest.raises(UsageError) as caught:
        inputs.find([tmp_path / name for name in names], "particles")
    lines = str(caught.value).splitlines()[1:]
    parts = ("does not exist", "holds no .png", "--recursive", "need a --model", "one by one")
    for line, part in zip(lines, parts, strict=True):
        assert part in line


def micrograph(shape=(60, 80)):
    return NOISE.integers(20, 220, shape).astype(np.uint8)


def label_map(shape=(60, 80)):
    return (NOISE.random(shape) < 0.2).astype(np.uint8)


KINDS = {
    "micrograph": (micrograph(), True),
    "12-bit micrograph": (NOISE.integers(0, 4096, (60, 80)).astype(np.uint16), True),
    "micrograph from 0 to 1": (NOISE.random((60, 80)), True),
    "micrograph of one column": (micrograph((80, 1)), True),
    "label map of floats": (label_map().astype(float), False),
    "values that are none": (np.full((60, 80), np.nan), False),
    "one value": (np.full((60, 80), 100, np.uint8), False),
    "one pixel": (micrograph((1, 1)), False),
    "label map": (label_map(), False),
    "mask of 0 and 255": (label_map() * 255, False),
    "numbered particles": (np.repeat(np.repeat(np.arange(100).reshape(10, 10), 9, 0), 9, 1), False),
}


@pytest.mark.parametrize("kind", KINDS)
def test_micrographs_are_told_from_label_maps(tmp_path, kind):
    """Check each kind of picture; what is no micrograph for sure counts as a map."""
    pixels, expected = KINDS[kind]
    np.save(tmp_path / "a.npy", pixels)
    assert inputs.are_micrographs([tmp_path / "a.npy"], 2) == expected


def test_a_mixture_is_refused(tmp_path):
    """Check that both kinds are named; files that can't be read decide nothing."""
    np.save(tmp_path / "a.npy", micrograph())
    np.save(tmp_path / "b.npy", label_map())
    (tmp_path / "c.png").write_bytes(b"")
    files = sorted(tmp_path.iterdir())
    with pytest.raises(UsageError, match=r"a\.npy is a micrograph, but .*b\.npy a label map"):
        inputs.are_micrographs(files, 2)
    assert inputs.are_micrographs([files[0], files[2]], 2)
    assert not inputs.are_micrographs([files[2]], 2)


def test_a_blank_picture_goes_with_the_others(tmp_path):
    """Check that what may be either decides nothing beside micrographs, and beside label maps."""
    np.save(tmp_path / "blank.npy", np.zeros((60, 80), np.uint8))
    for pixels, expected in ((micrograph(), True), (label_map(), False)):
        np.save(tmp_path / "other.npy", pixels)
        assert inputs.are_micrographs(sorted(tmp_path.iterdir()), 2) == expected


def files_in(folder):
    for name in ("a.png", "sub/b.png", "sub/c.png"):
        label_maps.write_label_map(folder / name, label_map())
    return [folder / name for name in ("a.png", "sub/b.png", "sub/c.png")]


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("file,pixel_size_um\na.png,0.1\nsub/b.png,0.2\n", [0.1, 0.2, None]),
        ("\ufefffile;Pixel_Size\na.png;0,1\nb.png;\n", [0.1, None, None]),
        ("specimen\tfile\tpixel_size_um\nA\tc.png\t0.3\n\n", [None, None, 0.3]),
    ],
)
def test_tables_are_read(tmp_path, text, sizes):
    """Check comma, semicolon with decimal comma, tabulator, a byte order mark and empty lines."""
    files = files_in(tmp_path)
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    about, absent = inputs.read_table(tmp_path / "t.csv", files)
    found = [about[file].pixel_size_um if file in about else None for file in files]
    assert (found, absent) == (sizes, ())


def test_a_table_may_name_more(tmp_path):
    """Check what is no input, columns of the user's own, and a crop: all doubts at once."""
    files = files_in(tmp_path)
    text = "file,heat,crop,note\na.png,H1,38,x\nsub/bb.png,H2,,\nother.png,,,\n"
    (tmp_path / "t.csv").write_text(text)
    about, doubts = inputs.read_table(tmp_path / "t.csv", files, "Heat")
    assert [doubt.partition("t.csv: ")[2] for doubt in doubts] == [
        "these columns are not used: note",
        "line 3: 'sub/bb.png' is no input; did you mean b.png?",
        "line 4: 'other.png' is no input",
    ]
    assert (about[files[0]].columns["heat"], about[files[0]].crop_bottom) == ("H1", "38")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a.png,0.1\n", ["has no column file"]),
        ("file,pixel_size_um\na.png,wide\nb.png,-1\na.png,0.1\n", ["line 2", "line 3", "twice"]),
        (
            "file,pixel_sise_um,cropbottom,operator\na.png,0.1,38,me\nb.png,much,,\n",
            ["no column pixel_sise_um; did you mean pixel_size_um?", "did you mean crop_bottom?"],
        ),
        ("file,crop\na1.png,38\n", ["no line names an input", "did you mean a.png?"]),
        (
            "file,pixel_size_um\na.png,1,5\nb.png,2,5\n",
            [
                "line 2: there are more cells",
                "line 3: there are",
                "decimal commas need a table sep",
            ],
        ),
        ("file;pixel_size_um\na.png;1;5\n", ["line 2: there are more cells than columns."]),
        ("file,heat,heat\na.png,1,2\n", ["2 columns are called heat; keep one of them"]),
        (
            "file,pixel_size_um,pixel_size\na.png,0.1,0.2\n",
            ["line 2: pixel_size_um is 0.1 and pixel_size is 0.2; keep one"],
        ),
        ("file,pixel_size_um\na.png,1_0\n", ["line 2: the pixel size '1_0' is no number"]),
        (f"file,note\na.png,{'z' * 200_000}\n", ["can't be read beyond line 2 (field larger"]),
        ("file,crop\na.png,much\n", ["line 2: The rows to crop at the bottom can't be 'much'"]),
    ],
)
def test_wrong_tables_are_refused(tmp_path, text, parts):
    """Check that all problems are listed with their line."""
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(UsageError) as caught:
        inputs.read_table(tmp_path / "t.csv", files_in(tmp_path))
    for part in parts:
        assert part in str(caught.value)


def test_cells_may_hold_line_breaks(tmp_path):
    """Check a cell in quotes, the number of the line after it, and empty cells at the end."""
    text = '\r\nfile,specimen\r\na.png,"s\r\nt",,\r\nother.png,b\r\n'
    (tmp_path / "t.csv").write_bytes(text.encode())
    files = files_in(tmp_path)
    about, doubts = inputs.read_table(tmp_path / "t.csv", files)
    assert about[files[0]].columns["specimen"] == "s\r\nt"
    assert doubts == (f"{tmp_path / 't.csv'}: line 5: 'other.png' is no input",)


def test_a_table_without_lines_is_doubted(tmp_path):
    """Check the names of columns alone."""
    (tmp_path / "t.csv").write_text("file,pixel_size_um\n")
    _, doubts = inputs.read_table(tmp_path / "t.csv", files_in(tmp_path))
    assert doubts == (f"{tmp_path / 't.csv'}: it has no line below the names of the columns",)


def test_unreadable_tables(tmp_path):
    """Check a missing file, one that is no text, and one that never ends."""
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.csv")
        with pytest.raises(UsageError, match=r"pipe\.csv is no table: it is not a regular file"):
            inputs.read_table(tmp_path / "pipe.csv", [])
    Image.fromarray(micrograph()).save(tmp_path / "t.png")
    with pytest.raises(UsageError, match="no UTF-8 text"):
        inputs.read_table(tmp_path / "t.png", [])
    with pytest.raises(UsageError, match=r"Give a length such as 0\.04 or 40nm, or a CSV"):
        inputs.read_table(tmp_path / "absent.csv", [])


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_of_few_levels_are_named(kind):
    """Check that what is no micrograph because of its levels is called a label map."""
    pixels, _ = KINDS[kind]
    said = inputs.map_like(pixels)
    assert bool(said) == (len(np.unique(pixels)) == 2)
    assert not said or said.startswith("it has 2 gray levels")
