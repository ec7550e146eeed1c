"""Load untrusted YAML: no anchors, tags or duplicate keys."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from uhcs_bench.errors import MissingPackageError, UhcsBenchError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import yaml

MAX_DEPTH = 8
"""Levels of mappings and lists within each other."""


class PlainYamlError(UhcsBenchError, ValueError):
    """A text that is not of the plain subset.

    Attributes
    ----------
    problems : tuple of str
        Everything that was found, each with its line.
    """

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


def load(content: bytes) -> Any:
    r"""Parse YAML without anchors, aliases, tags, a key that stands twice, or great depth.

    All that is checked on the stream of events, before anything is built from it. Plain values are
    those of YAML 1.2: dates stay text, and neither ``no`` nor ``1:30`` is anything but text.

    Parameters
    ----------
    content : bytes
        Limit their number before: what is built has at most the size of what was read.

    Returns
    -------
    dict, list, str, int, float, bool or None

    Raises
    ------
    PlainYamlError
        If it is anything else.
    UhcsBenchError
        If PyYAML is not installed.

    Examples
    --------
    >>> load(b"date: 2026-11-22\nfolds: [0, 1]")
    {'date': '2026-11-22', 'folds': [0, 1]}
    """
    yaml = _yaml()
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PlainYamlError(f"is not UTF-8 text (byte {error.start})") from error
    try:
        problems = list(_forbidden(text))
        if problems:
            raise PlainYamlError(*problems)
        return yaml.load(text, Loader=_loader())
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or str(error)
        raise PlainYamlError(
            f"{f'line {mark.line + 1}: ' if mark else ''}is not YAML ({_short(reason)})"
        ) from error
    except PlainYamlError:
        raise
    except (ValueError, OverflowError) as error:  # a number of thousands of digits
        raise PlainYamlError(f"is not YAML ({_short(str(error))})") from error


def _yaml() -> Any:
    try:
        import yaml
    except ImportError as error:
        raise MissingPackageError("Reading entries of the leaderboard", "leaderboard") from error
    return yaml


def _short(reason: str) -> str:
    return ascii(" ".join(reason.split())[:120])[1:-1]


def _forbidden(text: str) -> Iterator[str]:
    yaml = _yaml()
    depth = documents = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        documents += isinstance(event, yaml.DocumentStartEvent)
        if getattr(event, "anchor", None):
            yield f"line {line}: anchors and aliases (& and *) are not read"
        if getattr(event, "tag", None) is not None:
            yield f"line {line}: tags (!) are not read"
        if depth > MAX_DEPTH:
            yield f"line {line}: is nested deeper than {MAX_DEPTH} levels"
            return
    if documents > 1:
        yield "holds more than one document"


_PLAIN_VALUES = (
    ("null", r"(?:~|null|)", ["~", "n", ""]),
    ("bool", r"(?:true|false)", list("tf")),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", list("-+0123456789")),
    (
        "float",
        r"[-+]?(?:(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?|[0-9]+[eE][-+]?[0-9]{1,3})",
        list("-+.0123456789"),
    ),
)
"""Of YAML 1.2's core schema, but 010 is text: tag, pattern, first characters."""


@cache
def _loader() -> type[yaml.SafeLoader]:
    library = _yaml()

    class PlainLoader(library.SafeLoader):  # type: ignore[misc, name-defined]
        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Any:
            keys = set()
            for key_node, _ in node.value:
                key = self.construct_object(key_node, deep=True)
                problem = None
                if not isinstance(key, str):
                    problem = f"the key {key!r} is not a text; put it in quotes"
                elif key in keys:
                    problem = f"the key {key!r} stands there twice"
                if problem is not None:
                    mark = key_node.start_mark
                    raise library.constructor.ConstructorError(None, None, problem, mark)
                keys.add(key)
            return super().construct_mapping(node, deep)

    PlainLoader.yaml_implicit_resolvers = {}
    for tag, pattern, first in _PLAIN_VALUES:
        PlainLoader.add_implicit_resolver(
            f"tag:yaml.org,2002:{tag}", re.compile(rf"^{pattern}$"), first
        )
    return cast("type[yaml.SafeLoader]", PlainLoader)
