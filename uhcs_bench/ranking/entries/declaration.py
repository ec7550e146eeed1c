"""Read and check the declaration of an entry, ``entry.yaml``."""

from __future__ import annotations

import datetime
import json
import re
import unicodedata
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, cast

from uhcs_bench.errors import MissingPackageError, UhcsBenchError, things
from uhcs_bench.io.texts import packaged
from uhcs_bench.ranking.entries import strict_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from jsonschema.exceptions import ValidationError


SCHEMA = "uhcs-bench/entry/2"


FILE_NAME = "entry.yaml"


TO_FILL = "TO BE FILLED IN"
"""Text that stands for what only the authors can fill in; no entry with it is valid."""


Status = Literal["active", "incomplete", "retired"]


_SCORE_NAMES = {"iu", "iou", "miou", "ac", "accuracy", "precision", "recall", "ks", "dice", "f1"}


class EntryError(UhcsBenchError, ValueError):
    """An entry that can't stand on the board.

    Parameters
    ----------
    where : str
        The entry's folder.
    problems : sequence of str
        Everything that was found.
    summary : str, optional
        What is the matter with the folder.

    Attributes
    ----------
    problems : tuple of str
    """

    exit_code = 2

    def __init__(
        self, where: str, problems: Sequence[str], summary: str = "is not a valid entry"
    ) -> None:
        self.where = where
        self.problems = tuple(problems)
        count = things(len(self.problems), "problem")
        lines = "".join(f"\n  - {problem}" for problem in self.problems)
        super().__init__(f"{where} {summary}: {count}.{lines}")


def shown(text: str, limit: int = 80) -> str:
    """Escape untrusted text for a terminal, and shorten it."""
    short = text if len(text) <= limit else text[: limit - 3] + "..."
    return short if short.isprintable() and short.isascii() else ascii(short)


def unreadable(error: OSError) -> str:
    """State that a file of an entry can't be read, and why."""
    return f"can't be read ({error.strerror or error}); make it readable, or take it away"


def read_declaration(path: Path, problems: list[str]) -> Any:
    """Read ``entry.yaml`` and check it; problems are appended to `problems`."""
    try:
        content = strict_yaml.load(path.read_bytes())
    except OSError as error:
        problems.append(f"{FILE_NAME}: {unreadable(error)}")
        return None
    except strict_yaml.PlainYamlError as error:
        problems += [f"{FILE_NAME}: {problem}" for problem in error.problems]
        return None
    found = [*_schema_problems(content), *text_problems(content)]
    if isinstance(content, dict):
        found += _meaning_problems(content)
    problems += [f"{FILE_NAME}: {problem}" for problem in found]
    return content


@cache
def schema() -> dict[str, Any]:
    """Give the JSON Schema of ``entry.yaml``."""
    schema: dict[str, Any] = json.loads(packaged("ranking/entries/entry.schema.json"))
    return schema


def _schema_problems(content: object) -> Iterator[str]:
    try:
        import jsonschema
    except ImportError as error:
        raise MissingPackageError("Checking entries of the leaderboard", "leaderboard") from error
    validator = jsonschema.Draft7Validator(schema())
    violations = sorted(validator.iter_errors(content), key=lambda v: [*map(str, v.path)])
    for violation in violations:
        place = _place(list(violation.absolute_path))
        prefix = f"{place}: " if place else ""
        for text in _described(violation):
            yield f"{prefix}{text}"


def _described(error: ValidationError) -> list[str]:
    """Describe a violation of the schema, without repeating a long value."""
    rule, value = str(error.validator), cast("Any", error.instance)
    schema = cast("dict[str, Any]", error.schema)
    hint = f" ({schema['description']})" if "description" in schema else ""
    if rule == "additionalProperties":
        known = ", ".join(schema["properties"])
        advice = "" if error.absolute_path else ". Scores are computed, and never written down"
        unknown = [key for key in value if key not in schema["properties"]]
        return [f"there is no key {shown(key)}; the keys are {known}{advice}" for key in unknown]
    if rule == "required":
        missing = [key for key in schema["required"] if key not in value]
        return [f"{key} is missing" for key in missing if error.message.startswith(repr(key))]
    if rule in ("enum", "const"):
        allowed = schema.get("enum") or [schema["const"]]
        return [f"is not {' or '.join(map(str, allowed))}"]
    if rule == "pattern":
        return [f"{shown(value)} has the wrong form{hint}"]
    if rule == "type":
        expected = schema["type"]
        names = expected if isinstance(expected, str) else " or ".join(expected)
        return [f"is {_type_name(value)}, expected {names}{hint}"]
    if rule.startswith(("max", "min")):
        return [f"goes beyond the limit ({rule} {error.validator_value})"]
    if rule == "anyOf":
        return ["is neither a text, a number, true, false, null nor a short list of them"]
    return [shown(error.message)]


def _type_name(value: object) -> str:
    names = {dict: "a mapping", list: "a list", str: "a text", type(None): "empty", bool: "a bool"}
    return names.get(type(value), "a number")


def _place(path: Sequence[object]) -> str:
    return ".".join(shown(str(part)) for part in path)


def texts(content: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str, str]]:
    """Yield each text of a declaration with its place."""
    if isinstance(content, str):
        yield _place(path), content
    elif isinstance(content, dict):
        for key, value in content.items():
            yield _place((*path, key)), key
            yield from texts(value, (*path, key))
    elif isinstance(content, list):
        for index, value in enumerate(content):
            yield from texts(value, (*path, index))


def text_problems(content: object) -> Iterator[str]:
    """Find texts that cannot be shown on the board."""
    for place, text in texts(content):
        if TO_FILL in text:
            yield f"{place}: is still to be filled in"
        hidden = sorted({c for c in text if unicodedata.category(c)[0] == "C"})
        if hidden:
            names = ", ".join(f"U+{ord(c):04X}" for c in hidden)
            yield f"{place}: holds control or invisible characters ({names})"
        elif unicodedata.normalize("NFC", text) != text:
            yield f"{place}: is not in Unicode's normal form C"
        elif re.search(r"[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u20ff]{3}", text):
            yield f"{place}: stacks combining characters"
        elif text != text.strip():
            yield f"{place}: begins or ends with a space"


def _meaning_problems(content: dict[str, Any]) -> Iterator[str]:
    """Find problems that a JSON Schema cannot express."""
    retrained = content.get("retrained")
    dates = {"date": content.get("date")}
    if isinstance(retrained, dict):
        dates["retrained.date"] = retrained.get("date")
    for place, date in dates.items():
        if isinstance(date, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", date):
            try:
                datetime.date.fromisoformat(date)
            except ValueError:
                yield f"{place}: there is no day {date}"
    folders = [run.get("folder") for run in _mappings(content.get("runs"))]
    if len(set(map(str, folders))) < len(folders):
        yield "runs: a folder is named twice"
    authors = content.get("authors")
    for index, author in enumerate(authors if isinstance(authors, list) else []):
        orcid = author.get("orcid") if isinstance(author, dict) else None
        if isinstance(orcid, str) and not _is_orcid(orcid):
            yield f"authors.{index}.orcid: {shown(orcid)} has a wrong check digit"
    settings = content.get("hyperparameters")
    for key in settings if isinstance(settings, dict) else {}:
        if set(re.split(r"[^a-z0-9]+", key.lower())) & _SCORE_NAMES:
            yield f"hyperparameters.{shown(key)}: looks like a score; scores are computed"


def _mappings(content: object) -> list[dict[str, Any]]:
    """Give those items of a list that are mappings."""
    items = content if isinstance(content, list) else []
    return [item for item in items if isinstance(item, dict)]


def _is_orcid(text: str) -> bool:
    """Check the last character by ISO 7064, MOD 11-2; other forms are left to the schema."""
    digits = text.replace("-", "")
    if not re.fullmatch(r"[0-9]{15}[0-9X]", digits):
        return True
    total = 0
    for digit in digits[:-1]:
        total = (total + int(digit)) * 2
    return "0123456789X"[(12 - total % 11) % 11] == digits[-1]
