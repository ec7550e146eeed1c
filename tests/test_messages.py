"""Tests of the messages of all modules: those about something absent say what to do next."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]

ABSENT = re.compile(
    r"(?:is|are) not there|isn't there|(?:does not|doesn't) exist|do not exist"
    r"|[Tt]here is no (?:such )?(?:folder|file|checkpoint|model|data set|map|claim|micrograph)\b"
    r"|has no (?:finished fold|prediction|partner|label maps?)\b|(?:folds|maps) are missing"
    r"|holds no (?:label map|recorded item|entries)"
)
"""Words by which messages state that something is absent."""

WORD = re.compile(r"\b(?:not there|exist|[Tt]here is no|has no|are missing|holds no)\b|isn't there")
"""What a module with such words has somewhere, also where they are spread over lines."""

ADVICE = re.compile(
    r"[.;,:]\W+(?:\w+\W+){0,12}?(?:give|gives|name|names|choose|make|makes|add|leave|take|write|writes"
    r"|copy|check|run|runs|finish|rename|say|predict|did|put|export)\b",
    re.IGNORECASE,
)
"""A verb of what to do, at the beginning of a clause or not far from it."""

PARTS = {
    "uhcs_bench/cli/combine.py": ("does not exist", "{} holds no label map ({}).{}"),
    "uhcs_bench/data/dataset.py": ("There is no micrograph {} among the {} of {}.",),
    "uhcs_bench/data/download/sources.py": ("there is no such file in the mirror",),
    "uhcs_bench/exporters/collection.py": ("{} is not there: {}",),
    "uhcs_bench/ranking/board.py": ("the folder does not exist", "holds no entries"),
    "uhcs_bench/ranking/entries/entry.py": (
        "does not exist",
        "{}: runs: {} has no label maps",
        "{}: there is no micrograph of this name in {}",
    ),
    "uhcs_bench/ranking/outputs/board_files.py": ("{} is not there",),
    "uhcs_bench/scoring/submission.py": ("does not exist",),
    "baselines/reproduction/reproduce.py": ("{} holds no label maps", "There is no folder {}"),
}
"""Parts of messages, by module, whose other part has the advice."""


def messages():
    """Give file, line and text of all strings but docstrings, with {} for what is put in."""
    for folder in ("uhcs_bench", "baselines", "tools"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            source = path.read_text(encoding="utf-8")
            if not WORD.search(source):
                continue  # parsing all modules takes seconds
            name = path.relative_to(ROOT).as_posix()
            yield from ((name, node.lineno, text) for node, text in strings(ast.parse(source)))


def strings(node):
    """Give the strings of a tree, f-strings as a whole."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.JoinedStr):
            parts = (v.value if isinstance(v, ast.Constant) else "{}" for v in child.values)
            yield child, "".join(parts)
        elif isinstance(child, ast.Constant) and isinstance(child.value, str):
            if not isinstance(node, ast.Expr):
                yield child, child.value
        else:
            yield from strings(child)


PREFIX = re.compile(r"^(?:\w[\w -]*: )?warning: ", re.IGNORECASE)
"""Beginning of a warning, with or without the name of the program."""


def test_warnings_of_all_commands_begin_alike():
    """Check the strings of the modules that have commands."""
    found = [
        (path.relative_to(ROOT).as_posix(), node.lineno, text)
        for folder in ("uhcs_bench/cli", "baselines")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if "arning: " in (source := path.read_text(encoding="utf-8"))
        for node, text in strings(ast.parse(source))
        if PREFIX.match(text)
    ]
    assert found
    assert [one for one in found if not one[2].startswith("uhcs-bench: warning: ")] == []


def test_messages_about_something_absent_say_what_to_do():
    """Check that a clause with advice follows, in all modules."""
    found = [(path, line, text) for path, line, text in messages() if ABSENT.search(text)]
    assert len(found) > 30
    silent = [
        f"{path}:{line}: {text}"
        for path, line, text in found
        if text not in PARTS.get(path, ()) and not ADVICE.search(text, ABSENT.search(text).end())
    ]
    assert silent == []
