"""Results computed from label maps, kept in files, so that a board is rebuilt in little time.

A record is found by everything that it depends on: the maps, the annotations, and the source of
this package with the versions of NumPy and SciPy. It holds its own key and a hash of its content;
one that is damaged or stands in another one's place counts as missing, and is computed again.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from uhcs_bench.io import installed_code
from uhcs_bench.io.atomic import replacing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class Cache:
    """A folder of records.

    Parameters
    ----------
    folder : Path
        Made where needed. It may be deleted at any time.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     kept = Cache(Path(folder))
    ...     kept.put("scores", ["a", "b"], {"IU": 0.5})
    ...     kept.get("scores", ["a", "b"]), kept.get("scores", ["a", "c"])
    ({'IU': 0.5}, None)
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, kind: str, key: Sequence[str]) -> Any:
        """Look a record up.

        Parameters
        ----------
        kind : str
            What was computed.
        key : sequence of str
            What it was computed from.

        Returns
        -------
        Any
            Plain dictionaries, lists and numbers; None if there is no record, or a damaged one.
        """
        digest = _digest(kind, key)
        try:
            text = self._path(digest).read_text(encoding="utf-8")
            stated, _, content = text.partition("\n")
            if hashlib.sha256(content.encode()).hexdigest() != stated:
                return None
            record = json.loads(content)
            return record["value"] if record["key"] == digest else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def put(self, kind: str, key: Sequence[str], value: Any) -> None:
        """Keep a record. Where the folder can't be written, nothing is kept."""
        digest = _digest(kind, key)
        content = json.dumps({"key": digest, "value": value}, separators=(",", ":"))
        text = f"{hashlib.sha256(content.encode()).hexdigest()}\n{content}"
        path = self._path(digest)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path, private=True) as partial:
                partial.write_text(text, encoding="utf-8")
        except OSError:
            return

    def _path(self, digest: str) -> Path:
        return self.folder / digest[:2] / f"{digest}.json"


def _digest(kind: str, key: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps([_code(), kind, *key]).encode()).hexdigest()


@cache
def _code() -> list[str]:
    """List what of this installation decides on a score."""
    versions = [f"{name} {version(name)}" for name in ("numpy", "scipy")]
    return [*versions, installed_code.source_sha256((".py",))]
