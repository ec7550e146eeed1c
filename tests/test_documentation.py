"""The documentation: each block of code is run, outputs are compared, the site and notebook work.

Blocks of a page are run in their order, in one folder and one Python namespace. ``python`` blocks
with prompts are doctests; ``console`` blocks hold commands after ``$`` and what they print; a
``text`` block right after a block of ``sh`` or plain Python is the end of what that prints. In
outputs ``...`` stands for anything. A block under ``<!-- not run: reason -->`` is left out.
"""

from __future__ import annotations

import doctest
import html
import importlib
import io
import os
import re
import shutil
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import uhcs_bench
from tests.helpers import browser
from tests.helpers.release import once
from uhcs_bench import cli, protocol
from uhcs_bench.measuring import columns

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(
        path
        for path in DOCS.rglob("*.md")
        if not {"_build", "cli", "generated", "glossary.md"} & {*path.parts}
    ),
]
LANGUAGES = ("python", "sh", "console")
NOT_CODE = ("text", "yaml", "json", "bibtex")
INSTALLING = ("python3 -m venv ", "pip install ")
"""Blocks that start so need no mark: continuous integration runs the README's own, and a release's
installation is tested in test_installed_wheel.py."""

ELLIPSIS = doctest.ELLIPSIS


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes
    ----------
    page : Path
    line : int
        Of its first line of content, from 1.
    language : str
    content : str
    not_run : str
        Why it is not run; empty if it is.
    """

    page: Path
    line: int
    language: str
    content: str
    not_run: str = ""

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    """Fenced blocks of a page, with the mark that stands above each."""
    mark = ""
    language, start, content = None, 0, []
    for number, line in enumerate(page.read_text("utf-8").splitlines(), start=1):
        if language is None:
            if found := re.fullmatch(r"```([\w-]*|\{[\w-]+\}.*)", line):
                language, start, content = found[1], number + 1, []
            elif found := re.fullmatch(r"<!-- not run: (.+) -->", line):
                mark = found[1]
            elif line.strip() and not line.startswith("<!--"):
                mark = ""
        elif line == "```":
            yield Block(page, start, language, "\n".join(content) + "\n", mark)
            language, mark = None, ""
        else:
            content.append(line)
    assert language is None, f"{page}: a block is not closed"


def run_shell(script: str) -> str:
    """Run a script by bash, and give back what it prints; it must succeed."""
    result = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, f"{script}\n{result.stdout}\n{result.stderr}"
    return result.stdout


def assert_same(expected: str, found: str, place: str) -> None:
    """Compare outputs; lines may end in blanks, ``...`` is anything."""
    expected, found = (
        "\n".join(line.rstrip() for line in text.strip("\n").splitlines()) + "\n"
        for text in (expected, found)
    )
    checker = doctest.OutputChecker()
    if not checker.check_output(expected, found, ELLIPSIS):
        example = doctest.Example("", expected)
        pytest.fail(f"{place}:\n{checker.output_difference(example, found, ELLIPSIS)}")


def run_console(block: Block) -> None:
    """Run each command of a session, and compare what it prints."""
    parts = re.split(r"^\$ ((?:.*\\\n)*.*)\n", block.content, flags=re.MULTILINE)
    assert parts[0] == "", f"{block.place}: a session starts with $"
    for command, expected in zip(parts[1::2], parts[2::2], strict=True):
        assert_same(expected, run_shell(command), f"{block.place} {command}")


def run_python(block: Block, namespace: dict[str, Any]) -> str:
    """Run Python, as a doctest if it has prompts; else give back what it prints."""
    if ">>>" not in block.content:
        code = compile("\n" * (block.line - 1) + block.content, str(block.page), "exec")
        with redirect_stdout(io.StringIO()) as printed, redirect_stderr(io.StringIO()):
            exec(code, namespace)  # noqa: S102
        return printed.getvalue()
    test = doctest.DocTestParser().get_doctest(
        block.content, namespace, block.place, str(block.page), block.line - 1
    )
    test.globs = namespace  # the parser has made a copy
    runner = doctest.DocTestRunner(optionflags=ELLIPSIS)
    report = io.StringIO()
    runner.run(test, out=report.write, clear_globs=False)
    assert runner.failures == 0, report.getvalue()
    return ""


def run(page: Path) -> int:
    """Run a page in the current folder; give back how many blocks were run."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    printed = ""
    n_run = 0
    for block in blocks(page):
        if block.language == "text" and printed:
            # The end of it: a block may hold a command whose output isn't shown.
            n_lines = len(block.content.strip("\n").splitlines())
            lines = printed.strip("\n").splitlines()
            shown = lines if "..." in block.content else lines[-n_lines:]
            assert_same(block.content, "\n".join(shown), block.place)
        printed = ""
        if block.language not in LANGUAGES:
            continue
        if block.not_run or block.content.startswith(INSTALLING):
            continue
        n_run += 1
        if block.language == "python":
            printed = run_python(block, namespace)
        elif block.language == "console":
            run_console(block)
        else:
            printed = run_shell(block.content)
    return n_run


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder like a clone of the repository."""
    folder = tmp_path / "clone"
    folder.mkdir()
    for name in ("baselines", "docs", "pyproject.toml"):
        (folder / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "leaderboard", folder / "leaderboard")
    monkeypatch.chdir(folder)
    commands = Path(sys.executable).parent
    monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")
    # Independent of the terminal that runs these tests.
    monkeypatch.setenv("COLUMNS", "80")
    return folder


@pytest.mark.slow
@pytest.mark.usefixtures("real_data", "workplace")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_page(page):
    """Check that each block of a page runs, and prints what the page shows."""
    codes = [block for block in blocks(page) if block.language in LANGUAGES]
    n_left_out = sum(bool(b.not_run) or b.content.startswith(INSTALLING) for b in codes)
    assert run(page) == len(codes) - n_left_out


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_language_of_every_block_is_known(page):
    """Check that no block of code is left out because of an unknown language."""
    for block in blocks(page):
        known = block.language in (*LANGUAGES, *NOT_CODE) or block.language.startswith("{")
        assert known, f"{block.place}: unknown language {block.language!r}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_has_marks_of_a_merge(page):
    """Check that no conflict of two versions was left in a page."""
    marks = ("<<<<<<< ", "=======", ">>>>>>> ")
    lines = page.read_text(encoding="utf-8").splitlines()
    assert not [line for line in lines if line.startswith(marks)]


@pytest.mark.slow
def test_few_blocks_are_not_run():
    """Check that at most a quarter of the blocks is not run, each with a reason.

    Most of them train networks, need their checkpoints, or simulate for many minutes.
    """
    codes = [block for page in PAGES for block in blocks(page) if block.language in LANGUAGES]
    left_out = [block for block in codes if block.not_run]
    assert all(len(block.not_run.split()) >= 3 for block in left_out)
    assert len(left_out) <= len(codes) / 4, [f"{b.place}: {b.not_run}" for b in left_out]


def commands(page: Path) -> list[str]:
    """Commands of a page's sessions that are run, each without the filters behind it."""
    return [
        command.partition("|")[0].strip()
        for block in blocks(page)
        if block.language == "console" and not block.not_run
        for command in re.findall(r"^\$ ((?:.*\\\n)*.*)\n", block.content, flags=re.MULTILINE)
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_no_page_runs_a_command_twice(page):
    """Check that a result which is shown in parts is kept in a file, and not computed again."""
    found = [name for name in commands(page) if name.startswith(("uhcs-bench ", "python "))]
    assert sorted(found) == sorted({*found})


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("```python\n1 / 0\n```\n", ZeroDivisionError),
        ("```python\n>>> 1 + 1\n3\n```\n", AssertionError),
        ("```sh\nfalse\n```\n", AssertionError),
        ("```console\n$ echo steel\niron\n```\n", pytest.fail.Exception),
        ("```sh\necho steel\n```\n\n```text\niron\n```\n", pytest.fail.Exception),
    ],
)
def test_wrong_page_is_reported(tmp_path, monkeypatch, content, complaint):
    """Check the checks themselves, on pages that are wrong."""
    page = tmp_path / "page.md"
    page.write_text(content)
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    with pytest.raises(complaint):
        run(page)


def test_right_page_passes(tmp_path, monkeypatch):
    """Check that state is kept along a page, and that a marked block is left out."""
    page = tmp_path / "page.md"
    page.write_text(
        "```python\na = 1\n```\n\n```python\n>>> a + 1\n2\n\n```\n\n"
        "<!-- not run: it would fail -->\n```sh\nfalse\n```\n\n"
        "```console\n$ echo a \\\n    b\na b\n$ echo one; echo two\n...\ntwo\n```\n\n"
        "```sh\necho hidden; echo shown\n```\n\n```text\nshown\n```\n"
    )
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    assert run(page) == 4


def test_every_command_is_documented():
    """Check that each command of the package is named on a page."""
    prose = "\n".join(page.read_text("utf-8") for page in PAGES)
    for name in cli.main.commands:
        assert f"uhcs-bench {name}" in prose, name


NAMED_PATH = r"`((?:uhcs_bench|baselines|tools|tests|docs|leaderboard)/[\w./-]*)`"
GENERATED = ("NAME", "_build", "my-network")


def test_named_files_exist():
    """Check that each file and folder of the repository that a page names is there."""
    named = {
        f"{page.relative_to(ROOT)}: {path}"
        for page in PAGES
        for path in re.findall(NAMED_PATH, page.read_text("utf-8"))
        if not any(word in path for word in GENERATED)
    }
    assert len(named) >= 10
    assert [name for name in sorted(named) if not (ROOT / name.split(": ")[1]).exists()] == []


def test_versions_splits_and_conventions_are_explained():
    """Check that the page on the protocol names each."""
    text = (DOCS / "protocol.md").read_text("utf-8")
    for name in (*protocol.VERSIONS, *protocol.SPLITS, *protocol.CONVENTIONS):
        assert f"`{name}`" in text, name


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Path:
    """Build the site once in a run of tests, whichever worker comes first."""
    require("sphinx", "the extra 'docs'")
    return once(tmp_path_factory, "site", build_site) / "html"


def build_site(clone: Path) -> None:
    """Build the site in a copy of docs/; a warning is an error."""
    shutil.copytree(
        DOCS,
        clone / "docs",
        ignore=shutil.ignore_patterns("_build", "generated", "cli", "glossary.md"),
    )
    for name in ("baselines", "CHANGELOG.md", "CONTRIBUTING.md"):
        (clone / name).symlink_to(ROOT / name)
    result = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "docs", "html"],
        cwd=clone,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def require(module: str, what: str) -> None:
    """Skip a test where something optional is missing; in continuous integration that fails."""
    if os.environ.get("CI"):
        importlib.import_module(module)
    pytest.importorskip(module, reason=f"needs {what}")


def test_site_has_every_page(site):
    """Check that each page and each command is there."""
    for page in (p for p in PAGES if DOCS in p.parents):
        assert (site / page.relative_to(DOCS).with_suffix(".html")).is_file(), page
    for name in cli.main.commands:
        page = (site / "cli" / f"{name}.html").read_text("utf-8")
        assert f'id="uhcs-bench-{name}"' in page, name
        assert "Exit codes" in page, name


def test_site_has_the_outputs_of_the_notebook(site):
    """Check the pictures and results of the notebook, which the site runs on the synthetic set."""
    text = html.unescape((site / "tutorial.html").read_text("utf-8"))
    assert text.count('src="_images/') == 4
    assert "particles-synthetic-paper-" in text
    assert "IU: smoothed is better than plain by " in text


def page_of(site: Path, name: str) -> Path | None:
    """Page of the Python API that describes a public name of the package."""
    item = getattr(uhcs_bench, name)
    names = {f"uhcs_bench.{name}", f"{item.__module__}.{item.__qualname__}"}
    anchors = [f'id="{anchor}"' for anchor in names]
    for page in (site / "api.html", *sorted((site / "generated").glob("*.html"))):
        text = page.read_text("utf-8")
        if any(anchor in text for anchor in anchors):
            return page
    return None


def test_site_describes_every_public_name(site):
    """Check that each function and class of the package's public face has an entry."""
    items = {name: getattr(uhcs_bench, name) for name in uhcs_bench.__all__}
    names = [name for name, item in items.items() if hasattr(item, "__qualname__")]
    assert {"load", "score", "Dataset"} <= set(names)
    assert [name for name in names if page_of(site, name) is None] == []


@pytest.mark.parametrize("width", [1280, 390])
def test_site_fits_the_window(site, width):
    """Check that pages fit a desktop and a phone, and ask for nothing outside."""
    names = ("index", "protocol", "cli/score", "glossary", "tutorial", "exercise", "data/particles")
    pages = [*(site / f"{name}.html" for name in names), page_of(site, "score")]
    with browser.chromium() as chromium:
        for path in pages:
            with browser.opened(chromium, path, width=width) as page:
                assert browser.overflow(page) <= 0, path
                assert page.locator("h1").first.is_visible(), path


@pytest.mark.parametrize("width", [1280, 390])
def test_site_is_accessible(site, width):
    """Check that axe-core finds no serious fault."""
    require("axe_playwright_python", "the extra 'test'")
    from axe_playwright_python.sync_playwright import Axe

    with browser.chromium() as chromium:
        for name in ("index", "cli/score", "glossary", "tutorial", "score"):
            with browser.opened(chromium, site / f"{name}.html", width=width) as page:
                found = Axe().run(page, options={"preload": False}).response["violations"]
                serious = [v for v in found if v["impact"] in ("serious", "critical")]
                listing = [(v["id"], v["nodes"][0]["html"]) for v in serious]
                assert listing == [], name


def notebook(name="tutorial"):
    require("nbclient", "the extra 'docs'")
    import nbformat

    return nbformat.read(DOCS / f"{name}.ipynb", as_version=4)


@pytest.mark.parametrize("name", ["tutorial", "exercise"])
def test_notebook_is_committed_without_outputs(name):
    """Check that it is valid, and holds no outputs, such as pictures of real micrographs."""
    import nbformat

    content = notebook(name)
    nbformat.validate(content)
    cells = [cell for cell in content.cells if cell.cell_type == "code"]
    assert len(cells) >= 8
    assert all(cell.outputs == [] and cell.execution_count is None for cell in cells)


@pytest.mark.slow
@pytest.mark.usefixtures("real_data")
def test_notebook_runs_on_real_data(tmp_path):
    """Check that all cells run with one line changed; the site runs them on the synthetic set."""
    content = notebook()
    (line,) = (cell for cell in content.cells if 'VERSION = "synthetic"' in cell.source)
    line.source = line.source.replace('"synthetic"', '"1.0"')
    import nbclient

    nbclient.NotebookClient(
        content, timeout=300, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    outputs = [output for cell in content.cells for output in cell.get("outputs", [])]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 4
    printed = "".join(
        output.get("text", "") + output.get("data", {}).get("text/html", "") for output in outputs
    )
    assert "particles-1.0-paper-" in printed
    assert "IU: smoothed is better than plain by " in printed
    assert "nan" not in printed


def test_solutions_of_the_exercise_pass_their_checks(site):
    """Check the outputs on the site: a blank is reported as blank, each solution as right."""
    text = html.unescape((site / "exercise.html").read_text("utf-8"))
    assert text.count("Still blank.\n") == 6
    assert text.count("Right.\n") == 4
    assert "Not yet. " not in text  # as it is printed, with a hint


def test_readme_is_short():
    """Check that the first page stays one that is read."""
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 120


def test_front_picture_is_that_of_the_synthetic_set(tmp_path):
    """Check the committed picture against a new one; fonts and libraries may differ a little."""
    import numpy as np
    from PIL import Image

    sys.path.insert(0, str(DOCS))
    pictures = importlib.import_module("pictures")
    pictures.write_front(tmp_path / "front.png")
    found, expected = (
        np.asarray(Image.open(path).convert("RGB").resize((200, 80)), float)
        for path in (tmp_path / "front.png", pictures.FRONT)
    )
    assert abs(found - expected).mean() < 5


def test_every_column_of_measure_is_in_the_glossary():
    """Check the glossary against the tables' own columns."""
    sys.path.insert(0, str(DOCS))
    text = importlib.import_module("pages").glossary()
    names = {c.name for task in protocol.TASKS for c in columns.columns(task)}
    plain = {name.removesuffix("_low").removesuffix("_high") for name in names}
    assert [name for name in sorted(plain) if f"`{name}`" not in text] == []
    assert "IU (IoU, Jaccard index)" in text
