"""The paper's figures on the synthetic set: what stands in them, beside them and on the disk."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner
from matplotlib.colors import to_hex
from PIL import Image
from scipy import stats

from baselines import prediction
from baselines.__main__ import main
from baselines.reproduction import figure_board, figures, panels, reproduce
from baselines.training import checkpoint
from uhcs_bench import protocol
from uhcs_bench.data import dataset, label_maps
from uhcs_bench.errors import UhcsBenchError, UsageError
from uhcs_bench.metallography import components, denuded_zone
from uhcs_bench.metallography import spheroidite as combined
from uhcs_bench.segmentation import otsu

FOLD = {
    task: [e for e in dataset.catalogue(task, "synthetic") if e.fold == 0]
    for task in protocol.TASKS
}
SHOWN = {task: tuple(entry.id for entry in entries[:2]) for task, entries in FOLD.items()}


@pytest.fixture(scope="module")
def micrographs():
    """Two micrographs of each task."""
    return {task: dataset.micrographs(entries[:2]) for task, entries in FOLD.items()}


@pytest.fixture
def maps(micrographs, tmp_path):
    """Maps of three methods: the paper's has the truth of microconstituents, others Otsu's."""
    folder = tmp_path / "maps"
    for task, shown in micrographs.items():
        for m in shown:
            found = otsu.segment(m.image, task)
            label_maps.write_label_map(folder / "otsu" / task / f"{m.id}.png", found)
            best = m.labels if task == "microconstituents" else found
            label_maps.write_label_map(folder / figure_board.METHOD / task / f"{m.id}.png", best)
    return folder


@pytest.fixture
def board(maps, tmp_path):
    """Make a board of those maps, with changes to the plan."""

    def make(**changes):
        settings = {"version": "synthetic", "shown": SHOWN, "out": tmp_path / "out", **changes}
        return figure_board.Board(figure_board.Plan(maps, **settings))

    return make


@pytest.fixture
def model(monkeypatch, tmp_path):
    """A file that passes for a checkpoint, of a model that is Otsu's threshold; counts its use."""
    about = SimpleNamespace(
        model=None, configuration=SimpleNamespace(method="stub"), task="particles", fold=2, uses=[]
    )

    def segment(_, image):
        about.uses.append(image)
        return otsu.segment(image, "particles")

    monkeypatch.setattr(checkpoint, "load", lambda *_: about)
    monkeypatch.setattr(prediction, "segment", segment)
    about.path = tmp_path / "checkpoint.pt"
    about.path.write_bytes(b"weights")
    return about


def rows(drawn, n_columns=2):
    """A figure's panels by row."""
    axes = drawn.figure.axes
    return [axes[i : i + n_columns] for i in range(0, len(axes), n_columns)]


def texts(axes):
    return [text.get_text() for text in axes.texts]


def overlay(axes, number):
    """Where an image drawn over others is not transparent, and its colour."""
    layer = np.asarray(axes.get_images()[number].get_array())
    shown = layer[..., 3] > 0
    colors = {to_hex(color) for color in layer[shown][:, :3]}
    return shown, colors


def test_figure_2_shows_maps_in_the_protocols_colours(board, micrographs):
    """Check each panel's pixels, titles, scores, legend, and what is missing."""
    drawn = figures.figure_2(board())
    panel = rows(drawn)
    assert len(panel) == 2 + len(reproduce.METHODS)
    task = protocol.TASKS["microconstituents"]
    for column, m in enumerate(micrographs[task.name]):
        image, annotation = panel[0][column], panel[1][column]
        assert image.get_title() == m.id
        np.testing.assert_array_equal(image.get_images()[0].get_array(), m.image)
        (shown,) = annotation.get_images()
        np.testing.assert_array_equal(shown.get_array(), m.labels)
        for label, color in enumerate(task.colors):
            assert to_hex(shown.cmap(shown.norm(label))) == color
        by_method = dict(zip(reproduce.METHODS, (row[column] for row in panel[2:]), strict=True))
        assert by_method[figure_board.METHOD].get_xlabel() == "IU 100.0, AC 100.0"
        predicted = otsu.segment(m.image, task.name)
        accuracy = 100 * (predicted == m.labels).mean()
        assert by_method["otsu"].get_xlabel().endswith(f"AC {accuracy:.1f}")
        for method in ("pixelnet-ce", "unet"):
            assert not by_method[method].get_images()
            assert panels.MISSING in texts(by_method[method])
            assert f"{method}: " not in drawn.caption
    (legend,) = drawn.figure.legends
    assert tuple(text.get_text() for text in legend.get_texts()) == task.classes
    assert [panel[i][0].get_ylabel() for i in (0, 1, 2)] == [
        "micrograph",
        "annotation",
        "otsu\n(2 of 24 maps)",
    ]
    assert (
        len(drawn.warnings) == len(reproduce.METHODS) - 2
    )  # figure_board.METHOD and otsu have maps
    warning = next(text for text in drawn.warnings if text.startswith("pixelnet-ce has no map of"))
    assert "python -m baselines run pixelnet-ce --task microconstituents" in warning


def test_figure_3_shows_sizes_and_the_scorers_verdict(board, micrographs):
    """Check overlay, histogram, cumulative curves and KS test against numpy and scipy."""
    drawn = figures.figure_3(board())
    images, histograms, cumulative = rows(drawn)
    for column, m in enumerate(micrographs["particles"]):
        predicted = otsu.segment(m.image, "particles")
        shown, colors = overlay(images[column], 1)
        np.testing.assert_array_equal(shown, predicted == 1)
        assert colors == {protocol.TASKS["particles"].colors[1]}
        areas = {"annotated": components.particle_areas(m.labels),
                 "predicted": components.particle_areas(predicted)}  # fmt: skip
        steps = {patch.get_label(): patch for patch in histograms[column].patches}
        for name, sample in areas.items():
            shares = steps[name].get_data().values
            assert shares.sum() == pytest.approx(1)
            assert shares[0] == pytest.approx((sample == 1).mean())
            assert shares[2] == pytest.approx(((sample >= 4) & (sample < 8)).mean())
        edges = steps["annotated"].get_data().edges
        assert edges[1] == pytest.approx(math.sqrt(4 * 1.5 / math.pi) * m.pixel_size_um)
        expected = stats.ks_2samp(*areas.values(), method="asymp")
        (gap,) = cumulative[column].collections
        ((_, low), (_, high)) = gap.get_segments()[0]
        assert abs(high - low) == pytest.approx(expected.statistic)
        (verdict,) = (text for text in texts(cumulative[column]) if text.startswith("D "))
        assert f"D {expected.statistic:.2f}" in verdict
        assert ("equality rejected" in verdict) == (expected.pvalue < protocol.KS_ALPHA)
        assert "µm" in cumulative[column].get_xlabel()
        assert f"{m.id}: {len(areas['annotated'])} annotated" in drawn.caption
    # One scale: the limits are the same, and only the first plot has numbers.
    assert len({axes.get_ylim() for axes in histograms}) == 1


def test_figure_3_without_maps_draws_the_annotation_alone(board):
    """Check that a method without maps is shown as missing, never filled."""
    drawn = figures.figure_3(board(method="unet"))
    images, histograms, cumulative = rows(drawn)
    for column in range(2):
        assert len(images[column].get_images()) == 1
        assert panels.MISSING in texts(images[column])
        assert {p.get_label() for p in histograms[column].patches} & {"predicted"} == set()
        assert any(text.startswith("not predicted") for text in texts(cumulative[column]))
    assert "unet has no map of" in drawn.warnings[0]


def test_figure_4_without_a_model_says_what_to_do(board):
    """Check that it is left out with a warning."""
    warning = figures.figure_4(board())
    assert "left out" in warning
    assert "--particle-model" in warning
    assert "--task particles" in warning


def test_figure_4_is_the_combined_analysis(board, model, micrographs):
    """Check overlay, numbers and warning against `uhcs_bench.metallography.spheroidite`."""
    drawn = figures.figure_4(board(particle_model=model.path))
    _, overlays, histograms, distances = rows(drawn)
    for column, m in enumerate(micrographs["microconstituents"]):
        particle_map = otsu.segment(m.image, "particles")
        found = combined.combine(particle_map, m.labels, m.pixel_size_um)
        shown, colors = overlay(overlays[column], 1)
        np.testing.assert_array_equal(shown, (particle_map == 1) & (m.labels == 2))
        assert colors == {protocol.TASKS["particles"].colors[1]}
        n = len(found.particles)
        assert any(text.startswith(f"{n} particles") for text in texts(histograms[column]))
        assert f"{m.id}: {n} particles left" in drawn.caption
        bars = [c for c in distances[column].collections if len(c.get_segments()[0]) == 2]
        ends = sorted({x for bar in bars for x in bar.get_segments()[0][:, 0]})
        assert ends[0] == pytest.approx(found.by_distance[0].near_px * m.pixel_size_um)
        assert ends[-1] == pytest.approx(found.by_distance[-1].far_px * m.pixel_size_um)
        assert any(text.startswith("rho") for text in texts(distances[column]))
    caption = " ".join(drawn.caption.split())
    assert combined.WARNING in caption
    assert "stub, trained without fold 2" in caption
    assert any("too low" in text.get_text() for text in drawn.figure.texts)


def test_particle_predictions_are_kept(board, model):
    """Check that a second call predicts nothing, and another checkpoint or a damaged map does."""
    first, about = figure_board.particle_predictions(board(particle_model=model.path))
    assert len(model.uses) == 2
    again, about_again = figure_board.particle_predictions(board(particle_model=model.path))
    assert len(model.uses) == 2
    assert about == about_again
    for name, labels in first.items():
        np.testing.assert_array_equal(again[name], labels)
    kept = next(board().plan.out.rglob(f"{SHOWN['microconstituents'][0]}.png"))
    kept.write_bytes(b"")
    repaired, _ = figure_board.particle_predictions(board(particle_model=model.path))
    assert len(model.uses) == 3
    assert repaired.keys() == first.keys()
    model.path.write_bytes(b"other weights")
    figure_board.particle_predictions(board(particle_model=model.path))
    assert len(model.uses) == 5


def test_a_model_for_something_else(board, model):
    """Check that the checkpoint's task is looked at, and that the file must exist."""
    model.task = "microconstituents"
    with pytest.raises(UsageError, match="needs one for particles"):
        figure_board.particle_predictions(board(particle_model=model.path))
    with pytest.raises(UhcsBenchError, match="There is no checkpoint"):
        figure_board.particle_predictions(board(particle_model=model.path.with_name("none.pt")))


def test_a_micrograph_seen_in_training_is_named():
    """Check 970C-5M-Q-2 of fold 0, which is uhcs0596."""
    entries = [
        e for e in dataset.catalogue("microconstituents") if e.id in ("uhcs0596", "uhcs0006")
    ]
    assert figure_board.seen_in_training(entries, 1, "1.0") == ["uhcs0596"]
    assert figure_board.seen_in_training(entries, 0, "1.0") == []
    assert figure_board.seen_in_training(entries, None, "1.0") == ["uhcs0596"]


def test_a_model_of_all_micrographs_is_named(board, model):
    """Check a checkpoint that holds no fold out."""
    model.fold = None
    _, about = figure_board.particle_predictions(board(particle_model=model.path))
    assert about.startswith("stub, trained on all micrographs")


def test_figure_5_shows_the_papers_widths(board, micrographs):
    """Check interfaces and widths against `denuded_zone_widths`."""
    drawn = figures.figure_5(board())
    annotations, predictions, histograms = rows(drawn)
    _, network, spheroidite, _ = protocol.TASKS["microconstituents"].colors
    for column, m in enumerate(micrographs["microconstituents"]):
        zone = denuded_zone.denuded_zone_widths(m.labels)
        for axes in (annotations[column], predictions[column]):
            shown, colors = overlay(axes, -1)
            assert colors == {spheroidite}
            assert shown[zone.row, zone.column].all()
            assert overlay(axes, -2)[1] == {network}
        mean = zone.widths_px.mean() * m.pixel_size_um
        dashed = [line.get_xdata()[0] for line in histograms[column].lines]
        assert dashed == pytest.approx([mean, mean])  # the maps are the truth
        assert f"{m.id}: annotated {mean:.3g}" in drawn.caption
        assert f"predicted {mean:.3g}" in drawn.caption


def test_a_map_without_network_says_so(board, maps, micrographs):
    """Check that nothing is drawn, and why."""
    m = micrographs["microconstituents"][0]
    label_maps.write_label_map(
        maps / figure_board.METHOD / m.task / f"{m.id}.png", m.labels * 0 + 2
    )
    drawn = figures.figure_5(board())
    _, predictions, histograms = rows(drawn)
    assert len(predictions[0].get_images()) == 1
    assert any("no network" in text for text in texts(predictions[0]))
    assert any("predicted: the map has no network" in text for text in texts(histograms[0]))


@pytest.mark.parametrize(
    ("pixel_size", "n_columns", "length_px", "label"),
    [(0.19417, 645, 20 / 0.19417, "20 µm"), (0.03876, 645, 5 / 0.03876, "5 µm"),
     (0.01942, 645, 2 / 0.01942, "2 µm"), (0.001, 645, 100, "0.1 µm"), (None, 645, 100, "100 px"),
     (0.25, 400, 80, "20 µm"), (None, 5, 1, "1 px")],
)  # fmt: skip
def test_scale_bars_are_round(pixel_size, n_columns, length_px, label):
    """Check lengths by hand: 1, 2 or 5, at most a quarter of the width."""
    found, text = panels.scale_bar(pixel_size, n_columns)
    assert (found, text) == (pytest.approx(length_px), label)
    assert found <= n_columns / 4


def test_the_drawn_bar_has_its_length(board, micrographs):
    """Check the bar in the figure, in pixels of the micrograph."""
    axes = rows(figures.figure_2(board()))[0][0]
    (bar,) = (patch for patch in axes.patches if patch.get_gid() == "scale bar")
    m = micrographs["microconstituents"][0]
    length, label = panels.scale_bar(m.pixel_size_um, m.image.shape[1])
    assert bar.get_width() == pytest.approx(length)
    assert label in texts(axes)


def test_a_pixel_of_a_real_micrograph_is_a_dot():
    """Check the size of panels."""
    shape = SimpleNamespace(image=np.zeros((484, 645)))
    row = panels.image_row([shape], "micrograph")
    assert row.height * panels.DPI == pytest.approx(484)
    sheet = panels.Sheet([row], 4, bottom=0.3)
    box = sheet.columns[0][0].get_position()
    width, height = sheet.figure.get_size_inches() * panels.DPI
    assert (box.width * width, box.height * height) == pytest.approx((645, 484))


def test_everything_wrong_with_maps_is_said_at_once(board, maps, micrographs):
    """Check that two damaged maps are both named."""
    first, second = micrographs["microconstituents"]
    (maps / "otsu" / first.task / f"{first.id}.png").write_bytes(b"")
    label_maps.write_label_map(maps / "otsu" / second.task / f"{second.id}.png", np.ones((3, 3)))
    with pytest.raises(UhcsBenchError) as error:
        board()
    assert first.id in str(error.value)
    assert second.id in str(error.value)


def test_a_plot_without_data_does_not_set_the_scale(board, model, maps, micrographs):
    """Check a micrograph without network beside one that has it, in Figures 4 and 5."""
    first, second = micrographs["microconstituents"]
    everywhere = np.full_like(first.labels, 2)
    label_maps.write_label_map(
        maps / figure_board.METHOD / first.task / f"{first.id}.png", everywhere
    )
    plan = {"particle_model": model.path}
    _, _, _, distances = rows(figures.figure_4(board(**plan)))
    assert any("no network" in text for text in texts(distances[0]))
    assert distances[0].get_gid() == panels.EMPTY
    alone = {**SHOWN, "microconstituents": (second.id,)}
    *_, (expected,) = rows(figures.figure_4(board(**plan, shown=alone)), 1)
    assert distances[1].get_ylim() == pytest.approx(expected.get_ylim())


def test_unknown_names(board):
    """Check methods and micrographs."""
    with pytest.raises(UsageError, match="no method 'resnet'"):
        board(method="resnet")
    with pytest.raises(UsageError, match="there is no uhcs0006 in version synthetic"):
        board(shown={"microconstituents": ("uhcs0006",)})


def test_real_ids_exist():
    """Check that what is shown unless told is in the data set, and that others show fold 0."""
    plan = figure_board.Plan("leaderboard", "figures")
    for task, ids in figure_board.SHOWN.items():
        assert [entry.id for entry in figure_board._entries_shown(plan, task)] == list(ids)
    plan = figure_board.Plan("leaderboard", "figures", version="synthetic")
    assert figure_board._entries_shown(plan, "particles") == tuple(FOLD["particles"])


def test_the_command_writes_figures_and_captions(maps, model, tmp_path):
    """Check files, formats, sizes, captions and messages."""
    out = tmp_path / "figures"
    arguments = ["figures", "--maps", maps, "--out", out, "--dataset-version", "synthetic",
                 "--microconstituents", ",".join(SHOWN["microconstituents"]),
                 "--particles", ",".join(SHOWN["particles"]),
                 "--particle-model", model.path]  # fmt: skip
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    assert result.exit_code == 0, result.output
    names = [f"figure-{number}.png" for number in (2, 3, 4, 5)]
    assert result.stdout.split() == [str(out / name) for name in names]
    assert "uhcs-bench: warning: unet has no map of" in result.stderr
    for number in (2, 3, 4, 5):
        with Image.open(out / f"figure-{number}.png") as image:
            assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)
            assert image.width > 2 * 645
        caption = (out / f"figure-{number}.txt").read_text("utf-8")
        assert caption.startswith(f"Figure {number}.")
        assert "SYNTHETIC" in caption
        assert "Data set version synthetic" in caption
        assert f"python -m baselines figures --maps {maps}" in caption
        assert str(maps / figure_board.METHOD) in caption
        assert "MIT" in caption
    assert not list(out.glob(".*"))


@pytest.mark.parametrize("form", figure_board.FORMATS)
def test_the_same_figure_is_the_same_file(board, form):
    """Check each format, drawn twice, and that nothing else is left in the folder."""
    plan = board(formats=(form,)).plan
    files = []
    for _ in range(2):
        drawn = figures.figure_5(board(shown={t: ids[:1] for t, ids in SHOWN.items()}))
        (path,) = figures._save(plan, drawn)
        files.append(path.read_bytes())
    assert files[0] == files[1]
    assert sorted(p.name for p in plan.out.iterdir()) == [f"figure-5.{form}", "figure-5.txt"]


def test_the_command_without_any_map(tmp_path):
    """Check that an empty folder gives figures that say so, and no folder or method exit code 2."""
    (tmp_path / "none").mkdir()
    options = ["--maps", tmp_path / "none", "--out", tmp_path / "out", "--dataset-version",
               "synthetic", "--particles", SHOWN["particles"][0],
               "--microconstituents", SHOWN["microconstituents"][0]]  # fmt: skip
    result = CliRunner().invoke(main, ["figures", *map(str, options)])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "out" / "figure-5.png").is_file()
    assert not (tmp_path / "out" / "figure-4.png").exists()
    assert "Figure 4 was left out" in result.stderr
    warnings = result.stderr.splitlines()
    assert len(set(warnings)) == len(warnings)  # of a method that two figures lack, once
    result = CliRunner().invoke(main, ["figures", "--method", "resnet", *map(str, options)])
    assert result.exit_code == 2
    assert "The methods are" in result.output
    (tmp_path / "none").rmdir()
    result = CliRunner().invoke(main, ["figures", *map(str, options)])
    assert result.exit_code == 2
    assert f"There is no folder {tmp_path / 'none'}" in result.output
