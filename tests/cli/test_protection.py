"""No command writes over an input, nor over a file of the user: every output of every command."""

from __future__ import annotations

import shutil

import click
import numpy as np
import pytest
from click.testing import CliRunner

from baselines.__main__ import main as baselines
from tests.helpers.entries import declared, noisy, write_entry
from uhcs_bench import cli
from uhcs_bench.cli import common
from uhcs_bench.data import label_maps
from uhcs_bench.io import protection

OURS = b"the user's own bytes"

INPUTS = {
    "uhcs-bench check predictions",
    "uhcs-bench collect data",
    "uhcs-bench collect results",
    "uhcs-bench combine microconstituent_maps",
    "uhcs-bench combine particle_maps",
    "uhcs-bench compare predictions",
    "uhcs-bench download copy",
    "uhcs-bench leaderboard show path",
    "uhcs-bench measure inputs",
    "uhcs-bench score predictions",
    "uhcs-bench submit predictions",
    "uhcs-bench validate entries",
    "baselines ablation runs",
    "baselines efficiency runs",
    "baselines export checkpoint",
    "baselines figures maps",
    "baselines figures particle_model",
    "baselines predict checkpoint",
    "baselines predict images",
    "baselines predict others",
    "baselines quantization runs",
    "baselines robustness runs",
    "baselines segment folders",
    "baselines ship maps",
    "baselines sizes maps",
    "baselines sizes runs",
}

FILES = {
    "uhcs-bench audit out": "audit --out {}",
    "uhcs-bench check out": "check maps --claim IU=0.9 --out {}",
    "uhcs-bench combine out": "combine maps maps --out {}.csv",
    "uhcs-bench combine particle_table": "combine maps maps --out new.csv --particles {}.csv",
    "uhcs-bench compare out": "compare maps other --out {}",
    "uhcs-bench describe card out": "describe card --out {}",
    "uhcs-bench describe croissant out": "describe croissant --out {}",
    "uhcs-bench leaderboard show out": "leaderboard show --out {}",
    "uhcs-bench measure out": "measure maps --task particles --out {}.csv",
    "uhcs-bench measure particles_out": (
        "measure maps --task particles --out new.csv --particles {}.csv"
    ),
    "uhcs-bench measure specimens_out": (
        "measure maps --task particles --out new.csv --specimens {}.csv"
    ),
    "uhcs-bench score out": "score maps --dataset-version synthetic --out {}",
    "uhcs-bench validate out": "validate entries/near --out {}",
    "baselines efficiency picture": "efficiency unet --task particles maps --picture {}",
    "baselines export out": "export model.pt --out {}",
    "baselines ship model": "ship unet --task particles --maps maps --out runs --model {}",
}
"""Command line of each output that is one file."""

WITHOUT_INPUT_FILE = {
    "uhcs-bench audit out",
    "uhcs-bench describe card out",
    "uhcs-bench describe croissant out",
    "uhcs-bench leaderboard show out",
    "uhcs-bench validate out",
    "baselines efficiency picture",
    "baselines ship model",
}

FOLDERS = {
    "uhcs-bench audit report_folder": "audit --dataset-version synthetic --report out",
    "uhcs-bench calibrate out": "calibrate --resolution 6 --noise 4 --replicates 2 --out out",
    "uhcs-bench compare report_folder": (
        "compare maps other --task particles --dataset-version synthetic --report out"
    ),
    "uhcs-bench demo out": "demo --out out",
    "uhcs-bench leaderboard build folder": "leaderboard build --entries entries",
    "uhcs-bench leaderboard build site": "leaderboard build --entries entries --site out",
    "uhcs-bench measure plots": "measure few --task particles --out new.csv --plots out",
    "uhcs-bench measure maps": (
        "measure few --model otsu --task particles --out new.csv --maps out"
    ),
    "uhcs-bench measure overlays": (
        "measure few --model otsu --task particles --out new.csv --overlays out"
    ),
    "uhcs-bench measure rois": "measure few --task particles --out new.csv --rois out",
    "uhcs-bench score report_folder": (
        "score maps --dataset-version synthetic --fold 0 --report out"
    ),
    "baselines otsu out": "otsu --task particles --dataset-version synthetic --out out",
}
"""Command line of each output that is a folder, and that runs in seconds."""

TRAINED = {
    "baselines figures out",
    "baselines predict out",
    "baselines reproduce out",
    "baselines robustness out",
    "baselines run out",
    "baselines segment out",
    "baselines ship out",
}
"""Folders of commands that need a model or hours."""

NEW_FOLDERS = {"uhcs-bench collect out", "uhcs-bench export out", "uhcs-bench submit out"}


def parameters(command, path):
    """Give all parameters of all commands that name a path, by the command's name."""
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from parameters(inner, f"{path} {name}")
    else:
        assert isinstance(command, common.GuardedCommand), f"{path} is not guarded"
        for parameter in command.params:
            if isinstance(parameter.type, click.Path | click.File):
                yield f"{path} {parameter.name}", parameter.type


PATHS = dict([*parameters(cli.main, "uhcs-bench"), *parameters(baselines, "baselines")])


@pytest.mark.parametrize(
    ("kind", "listed"),
    [
        (common.OutputFile, {*FILES}),
        (common.OutputFolder, {*FOLDERS, *TRAINED}),
        (common.NewFolder, NEW_FOLDERS),
        (common.InputPath, INPUTS),
    ],
)
def test_every_path_of_every_command_is_in_a_table(kind, listed):
    """Check that a new option that names a path gets a row, and so the checks below."""
    assert {name for name, its_type in PATHS.items() if type(its_type) is kind} == listed
    assert {type(its_type) for its_type in PATHS.values()} <= {
        common.OutputFile,
        common.OutputFolder,
        common.NewFolder,
        common.InputPath,
    }


@pytest.mark.parametrize("typed", sorted({name.rpartition(" ")[0] for name in [*FILES, *FOLDERS]}))
def test_commands_that_write_have_force(typed):
    """Check the option that lets the user decide."""
    program, *names = typed.split()
    command = cli.main if program == "uhcs-bench" else baselines
    for name in names:
        command = command.commands[name]
    assert "force" in {parameter.name for parameter in command.params}


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    root = tmp_path_factory.mktemp("original")
    write_entry(root / "entries" / "near", {"particles": noisy(0.05)}, declared(name="Near"))
    for name, labels in noisy(0.01).items():
        label_maps.write_label_map(root / "maps" / f"{name}.png", labels)
        label_maps.write_label_map(root / "other" / f"{name}.png", labels)
    (root / "few").mkdir()
    for path in sorted((root / "maps").iterdir())[:2]:
        shutil.copy(path, root / "few" / path.name)
    (root / "model.pt").write_bytes(OURS)
    return root


@pytest.fixture
def place(original, tmp_path, monkeypatch):
    """A folder of the user, which is the current one."""
    shutil.copytree(original, tmp_path / "place")
    monkeypatch.chdir(tmp_path / "place")
    return tmp_path / "place"


def run(name, line, *more):
    command = baselines if name.startswith("baselines") else cli.main
    return CliRunner().invoke(command, [*line.split(), *more], prog_name=name.split()[0])


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("made", ["file", "link", "two spellings"])
def test_files_of_the_user_stay(place, name, made):
    """Check a file in the place of an output, before anything is computed."""
    target = "out/../there" if made == "two spellings" else "there"
    (place / "out").mkdir()
    line = FILES[name].format(target)
    path = place / ("there.csv" if ".csv" in FILES[name].partition("{}")[2][:4] else "there")
    if made == "link":
        (place / "elsewhere").write_bytes(OURS)
        path.symlink_to("elsewhere")
    else:
        path.write_bytes(OURS)
    before = contents(place)
    result = run(name, line)
    assert result.exit_code == 2
    assert "It was not written over" in result.stderr
    assert "--force" in result.stderr
    assert contents(place) == before


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({*FILES} - WITHOUT_INPUT_FILE))
def test_inputs_stay(place, name):
    """Check an input as the output, also with force, through a link."""
    source = place / ("model.pt" if "model.pt" in FILES[name] else "maps")
    suffix = ".csv" if "{}.csv" in FILES[name] else ""
    target = place / f"link{suffix}"
    if source.is_dir():
        source = sorted(source.iterdir())[0]
    target.symlink_to(source)
    line = FILES[name].replace("{}.csv", "{}").format(target).replace(" maps ", f" {source} ")
    before = contents(place)
    result = run(name, line, "--force")
    assert result.exit_code == 2
    assert "is an input of this command. It was not written over" in result.stderr
    assert contents(place) == before


@pytest.mark.slow
@pytest.mark.parametrize("name", FOLDERS)
def test_files_of_the_user_stay_in_folders(place, name):
    """Check that a command may be repeated, and that none of its files replaces one of the user."""
    before = contents(place)
    result = run(name, FOLDERS[name])
    assert result.exit_code == 0, result.output
    again = run(name, FOLDERS[name])
    assert again.exit_code == 0, again.output
    written = [path for path in contents(place) if path not in before]
    outputs = [path for path in written if path.suffix != ".journal" and path.name != "new.csv"]
    assert outputs
    # Of plots, the one that is drawn each time.
    path = next((path for path in outputs if path.name == "overview.png"), outputs[0])
    path.write_bytes(OURS)
    result = run(name, FOLDERS[name])
    assert result.exit_code == 2, result.output
    assert f"{path.name} exists, and uhcs-bench did not write it" in result.stderr
    assert path.read_bytes() == OURS
    assert run(name, FOLDERS[name], "--force").exit_code == 0
    assert path.read_bytes() != OURS


@pytest.mark.parametrize(
    "line",
    [
        "measure maps --task particles --out new.csv --plots maps",
        "measure maps --task particles --out new.csv --plots out/../maps",
        "measure maps --task particles --out new.csv --plots link",
        "score maps --dataset-version synthetic --report link",
        "leaderboard build --entries entries --site entries",
        "leaderboard build --entries entries --site entries/site",
    ],
)
def test_folders_of_inputs_take_no_output(place, line):
    """Check plots, report and site, with force."""
    (place / "out").mkdir()
    (place / "link").symlink_to("maps")
    before = contents(place)
    result = run("uhcs-bench", line, "--force")
    assert result.exit_code == 2
    assert "Nothing was written" in result.stderr
    assert contents(place) == before


@pytest.mark.parametrize("command", ["measure maps --task particles", "combine maps maps"])
@pytest.mark.parametrize("second", ["new.csv", "./out/../new.csv", "{place}/new.csv", "NEW.csv"])
def test_two_tables_are_two_files(place, command, second):
    """Check two spellings of one file."""
    (place / "out").mkdir()
    second = second.format(place=place)
    result = run("uhcs-bench", f"{command} --out new.csv --particles {second}")
    assert result.exit_code == 2
    assert "are one file" in result.stderr
    assert not (place / "new.csv").exists()


@pytest.mark.slow
@pytest.mark.parametrize("given", ["pr/a.png", "pr/../pr/a.png"])
def test_prediction_keeps_the_micrograph(tmp_path, monkeypatch, given):
    """Check maps that would get the name of a micrograph, before the model is read."""
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    label_maps.write_label_map(tmp_path / "pr" / "a.png", np.zeros((8, 8), np.uint8))
    before = contents(tmp_path)
    result = run("baselines", f"predict model.pt {given} --out pr --force")
    assert result.exit_code == 2
    assert "is an input of this command" in result.stderr
    assert contents(tmp_path) == before


def test_written_files_may_be_replaced_from_another_folder(place, monkeypatch):
    """Check that the same command can be given again, by another spelling of the output."""
    assert run("uhcs-bench", "validate entries/near --out new.txt").exit_code == 0
    monkeypatch.chdir(place / "maps")
    assert run("uhcs-bench", "validate ../entries/near --out ../new.txt").exit_code == 0


def test_state_is_not_the_users(state):
    """Check that the tests themselves leave nothing in the user's state folder."""
    assert protection._state() == state
