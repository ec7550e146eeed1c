"""The errors that uhcs-bench raises on purpose, each with the exit code of its command."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Sequence


class UhcsBenchError(Exception):
    """Base of all errors of the package.

    Attributes
    ----------
    exit_code : int
        What a command that ends with this error returns to the shell.
    """

    exit_code = 1

    def __reduce__(self) -> tuple[object, ...]:
        """Let an error come back from another process, whatever its class is made from."""
        return _restored, (type(self), self.args, vars(self))


def _restored(kind: type[UhcsBenchError], args: tuple[object, ...], state: object) -> object:
    error = kind.__new__(kind, *args)
    vars(error).update(cast("dict[str, object]", state))
    return error


class UsageError(UhcsBenchError, ValueError):
    """A task, fold, version, option or array that can't be used; the message says what can."""

    exit_code = 2


class MissingItemError(UsageError, KeyError, IndexError):
    """A key or position that a data set, report or audit does not have.

    It is both kinds of `LookupError`, so that code that expects either of a sequence or a mapping
    keeps working.
    """

    def __str__(self) -> str:
        # KeyError would show the representation of the sentence.
        return UhcsBenchError.__str__(self)


_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
"""Characters that act on a terminal, show nothing, or can't be encoded; no line feed or tab."""


def printable(text: str) -> str:
    r"""Return a text of others as it may be shown on a terminal.

    Parameters
    ----------
    text : str
        May hold names and values from files and servers.

    Returns
    -------
    str
        Control characters but line feed and tab, marks of writing direction, characters that show
        nothing and bytes that are no text are written as in JSON, which stays valid.

    Examples
    --------
    >>> print(printable("a\x1b[2Jb"))
    a\u001b[2Jb
    """
    return _UNSAFE.sub(lambda found: _escaped(ord(found.group())), text)


def _escaped(code: int) -> str:
    if code < 0x10000:
        return f"\\u{code:04x}"
    high, low = divmod(code - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"


def things(number: int, noun: str) -> str:
    """Write a number of things, in the singular for one.

    Examples
    --------
    >>> things(1, "problem"), things(3, "problem")
    ('1 problem', '3 problems')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def listed(fact: str, problems: Sequence[str]) -> str:
    """Return a message with everything that was found, one problem a line.

    Parameters
    ----------
    fact : str
        What was not done, and with what.
    problems : sequence of str
        Sentences: what is wrong, in which file, what to do.

    Returns
    -------
    str

    Examples
    --------
    >>> print(listed("preds was not scored", ["a.png is empty.", "b.png is empty."]))
    preds was not scored: 2 problems.
      - a.png is empty.
      - b.png is empty.
    """
    lines = "".join(f"\n  - {_closed(problem)}" for problem in problems)
    return f"{fact}: {things(len(problems), 'problem')}.{lines}"


def _closed(sentence: str) -> str:
    """Return a sentence with the full stop that a phrase after a file's name lacks."""
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."


def in_words(error: Exception) -> str:
    """Return what an error of Python states, in words and in one line.

    Examples
    --------
    >>> in_words(KeyError("schema")), in_words(ValueError("no number"))
    ("'schema' is missing in it", 'no number')
    >>> in_words(AttributeError("'list' object has no attribute 'items'"))
    'a part of it is of another type'
    """
    if isinstance(error, AttributeError | TypeError):
        return "a part of it is of another type"
    if type(error) is KeyError and error.args:
        return f"{error.args[0]!r} is missing in it"
    return " ".join(str(error).split()).removesuffix(".") or type(error).__name__


class SubmissionError(UhcsBenchError, ValueError):
    """A submission that can't be scored.

    Parameters
    ----------
    where : str
        The submission, as its user named it.
    problems : sequence of str
        Everything that was found, one sentence or two each: what is wrong, in which file, what to
        do.
    done : str, optional
        What was not done with it.

    Attributes
    ----------
    problems : tuple of str
    """

    exit_code = 2

    def __init__(self, where: str, problems: Sequence[str], done: str = "scored") -> None:
        # File names come from others.
        self.where, *shown = map(_in_one_line, (where, *problems))
        self.problems = tuple(shown)
        super().__init__(listed(f"{self.where} was not {done}", self.problems))


def _in_one_line(text: str) -> str:
    return printable(text).replace("\n", r"\n").replace("\t", r"\t")


class DataUnavailableError(UhcsBenchError, RuntimeError):
    """No source gave the data; the message lists each source with its reason."""

    exit_code = 3


class MissingPackageError(UhcsBenchError, ImportError):
    """A package that an optional part needs is not installed.

    Parameters
    ----------
    purpose : str
        What needs it, the beginning of a sentence.
    extra : str
        Extra of this package that installs it.
    """

    def __init__(self, purpose: str, extra: str) -> None:
        super().__init__(
            f"{purpose} needs packages that are not installed. "
            f"Install them with pip install 'uhcs-bench[{extra}]'."
        )
