"""Numbers and tables as text, the same in terminal, report and board."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from uhcs_bench import protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

TextFormat: TypeAlias = Literal["table", "markdown", "latex"]

MISSING = "-"
"""Stands for an undefined number."""

_TABULATE_FORMATS = {"table": "simple", "markdown": "github", "latex": "latex_raw"}


class Mean(Protocol):
    """A mean with its standard error and confidence interval, fractions; None where undefined."""

    @property
    def mean(self) -> float | None: ...  # noqa: D102
    @property
    def se(self) -> float | None: ...  # noqa: D102
    @property
    def ci95(self) -> tuple[float, float] | None: ...  # noqa: D102


def percent(value: float | None, *, signed: bool = False) -> str:
    """Write a fraction in percent, with one decimal.

    Parameters
    ----------
    value : float or None
    signed : bool, optional
        Whether positive numbers have a plus sign.

    Returns
    -------
    str

    Examples
    --------
    >>> percent(0.7056), percent(0.012, signed=True), percent(None)
    ('70.6', '+1.2', '-')
    >>> percent(-0.0001), percent(-0.0001, signed=True)  # no negative zero
    ('0.0', '+0.0')
    """
    if value is None:
        return MISSING
    return f"{100 * value:+z.1f}" if signed else f"{100 * value:z.1f}"


def mean_se(score: Mean, plus_minus: str = "±") -> str:
    """Write a mean and its standard error in percent.

    Parameters
    ----------
    score : Mean
    plus_minus : str, optional

    Returns
    -------
    str
        The mean alone where it has no standard error.

    Examples
    --------
    >>> from uhcs_bench.scoring.results import MeanScore
    >>> mean_se(MeanScore(mean=0.706, se=0.021, n=24, ci95=(0.66, 0.74)))
    '70.6 ± 2.1'
    """
    if score.mean is None or score.se is None:
        return percent(score.mean)
    return f"{percent(score.mean)} {plus_minus} {percent(score.se)}"


def interval(
    ends: tuple[float, float] | None, *, signed: bool = False, missing: str = MISSING
) -> str:
    """Write the ends of a confidence interval in percent.

    Parameters
    ----------
    ends : tuple of float, or None
    signed : bool, optional
        As of `percent`.
    missing : str, optional
        What stands for no interval.

    Returns
    -------
    str

    Examples
    --------
    >>> interval((0.66, 0.74)), interval((-0.01, 0.02), signed=True)
    ('66.0 to 74.0', '-1.0 to +2.0')
    """
    if ends is None:
        return missing
    return " to ".join(percent(end, signed=signed) for end in ends)


def p_value(value: float | None) -> str:
    """Round a p-value to two digits, or more where two would cross the level of the test.

    Parameters
    ----------
    value : float or None

    Returns
    -------
    str

    Examples
    --------
    >>> p_value(0.123), p_value(0.0499), p_value(0.00001)
    ('0.12', '0.0499', '< 0.001')
    """
    if value is None:
        return MISSING
    if value < 0.001:
        return "< 0.001"
    digits = 2
    while (float(f"{value:.{digits}g}") >= protocol.KS_ALPHA) != (value >= protocol.KS_ALPHA):
        digits += 1
    return f"{value:.{digits}g}"


def p_equals(value: float | None) -> str:
    """Write a p-value for a sentence.

    Examples
    --------
    >>> p_equals(0.123), p_equals(0.00001)
    ('p = 0.12', 'p < 0.001')
    """
    text = p_value(value)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def decimal(value: float | None, digits: int = 2) -> str:
    """Write a number with a fixed number of decimals.

    Examples
    --------
    >>> decimal(0.126), decimal(0.126, digits=1), decimal(None)
    ('0.13', '0.1', '-')
    """
    return MISSING if value is None else f"{value:z.{digits}f}"


def three_digits(value: float | None) -> str:
    """Write a number with three significant digits, zeros at the end included.

    Examples
    --------
    >>> three_digits(92), three_digits(1234.5), three_digits(0.01)
    ('92.0', '1234', '0.0100')
    """
    if value is None:
        return MISSING
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:z#.3g}".rstrip(".")


def count(number: int) -> str:
    """Group the digits of a number by a narrow space that does not break.

    Examples
    --------
    >>> count(306375)
    '306\u202f375'
    """
    return f"{number:,}".replace(",", "\u202f")


def abbreviated(thing: Any) -> str:
    """Represent a dataclass on one line: arrays by their shape, long parts by their length.

    Parameters
    ----------
    thing : dataclass instance

    Returns
    -------
    str

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Found:
    ...     name: str
    ...     sizes: list[int]
    ...     __repr__ = abbreviated
    >>> Found("a", list(range(100)))
    Found(name='a', sizes=<list of 100>)
    """
    parts = (f"{item.name}={_part(getattr(thing, item.name))}" for item in fields(thing))
    return f"{type(thing).__name__}({', '.join(parts)})"


_LONGEST_PART = 60


def _part(value: Any) -> str:
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and shape:
        return f"<array of {' x '.join(map(str, shape))}>"
    if is_dataclass(value) and len(repr(value)) > _LONGEST_PART:
        return f"<{type(value).__name__}>"
    if isinstance(value, list | tuple | dict) and len(repr(value)) > _LONGEST_PART:
        return f"<{type(value).__name__} of {len(value)}>"
    if isinstance(value, str) and len(value) > _LONGEST_PART:
        return repr(f"{value[: _LONGEST_PART - 1]}…")
    return repr(value)


def table(
    headers: Sequence[str],
    rows: Iterable[Sequence[str]],
    form: TextFormat = "table",
    *,
    align: Literal["left", "right"] = "right",
) -> str:
    """Lay text out in columns, the first of which names the rows.

    Parameters
    ----------
    headers : sequence of str
    rows : iterable of sequences of str
    form : {'table', 'markdown', 'latex'}, optional
    align : {'left', 'right'}, optional
        Side on which all columns but the first are aligned.

    Returns
    -------
    str
        Percent signs are escaped in LaTeX; cells are otherwise left as they are.

    Examples
    --------
    >>> print(table(["%", "IU"], [["matrix", "98.1"], ["particle", "7.0"]]))
    %           IU
    --------  ----
    matrix    98.1
    particle   7.0
    """
    from tabulate import tabulate

    cells = [list(row) for row in rows]
    names = list(headers)
    if form == "latex":
        names = [header.replace("%", r"\%") for header in names]
        cells = [[cell.replace("%", r"\%") for cell in row] for row in cells]
    # Left is tabulate's default, which Markdown shows by plain dashes.
    alignment = ["left"] + [align] * (len(names) - 1) if align == "right" else None
    return tabulate(
        cells,
        headers=names,
        tablefmt=_TABULATE_FORMATS[form],
        colalign=alignment,
        disable_numparse=True,
    )
