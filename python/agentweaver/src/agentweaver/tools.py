"""The built-in tools that need no platform: ``tools.document_search(...)``.

Any other name gives a function that raises `PlatformRequired` when it is called.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ._errors import PlatformRequired

_WORD = re.compile(r"\w+")
_FOLDERS_LEFT_OUT = {"node_modules", "target", "__pycache__"}


def document_search(query: str, limit: int = 5) -> dict[str, Any]:
    """The best passages of the Markdown and text files below the current directory.

    Gives ``{"passages": [{"path", "line", "text", "score"}]}``, best first. The
    platform ranks better and keeps an index; this reads every file.
    """
    passages = list(_passages(Path.cwd()))
    words = [Counter(_WORD.findall(passage["text"].lower())) for passage in passages]
    wanted = set(_WORD.findall(query.lower()))
    weight = {
        word: math.log(1 + len(words) / (1 + sum(word in counted for counted in words)))
        for word in wanted
    }
    for passage, counted in zip(passages, words):
        found = sum(weight[w] * counted[w] / (counted[w] + 1.2) for w in wanted if w in counted)
        passage["score"] = round(found, 4)
    best = sorted(passages, key=lambda p: (-p["score"], p["path"], p["line"]))
    return {"passages": [passage for passage in best[:limit] if passage["score"] > 0]}


def __getattr__(name: str) -> Callable[..., Any]:
    if name.startswith("_"):
        raise AttributeError(name)

    def tool(*args: Any, **kwargs: Any) -> Any:
        raise PlatformRequired(f"the tool `{name}`")

    return tool


def _passages(root: Path) -> Iterator[dict[str, Any]]:
    """Paragraphs with the line they start at."""
    for path in sorted(root.rglob("*")):
        parts = path.relative_to(root).parts
        hidden = any(part.startswith(".") or part in _FOLDERS_LEFT_OUT for part in parts)
        if hidden or path.suffix not in (".md", ".txt") or not path.is_file():
            continue
        line = 1
        for block in re.split(r"(\n\s*\n)", path.read_text(encoding="utf-8", errors="replace")):
            if block.strip():
                text = block.strip()
                yield {"path": path.relative_to(root).as_posix(), "line": line, "text": text}
            line += block.count("\n")
