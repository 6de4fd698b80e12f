"""What typed nodes do outside of the process: HTTP, files, SQLite, code.

The platform guards these calls (private networks, a jail for files, statements
that write). Here the file runs with the rights of whoever runs it; only the jail
for files is kept, since a template decides about names.
"""

from __future__ import annotations

import json
import sqlite3
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from glob import glob
from itertools import islice
from pathlib import Path
from typing import Any

from ._errors import SettingError, ToolError


@dataclass(frozen=True)
class HttpResponse:
    """An answer of any status."""

    status: int
    headers: Mapping[str, str]
    text: str

    def value(self, form: str) -> Any:
        """The answer as ``json``, ``text``, ``response`` or, by its type, ``auto``."""
        if form == "response":
            headers = dict(self.headers)
            return {"status": self.status, "headers": headers, "body": self.value("auto")}
        kind = self.headers.get("content-type", "").partition(";")[0].strip()
        if form == "text" or (form == "auto" and not kind.endswith("json")):
            return self.text
        try:
            return json.loads(self.text)
        except ValueError as error:
            if form == "auto":
                return self.text
            raise ToolError(f"the answer is not JSON: {self.text[:200]!r}") from error


def http_request(
    method: str,
    url: str,
    *,
    params: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    body: str | None = None,
    json_body: Any = None,
    timeout: float = 30.0,
) -> HttpResponse:
    """Makes a call; any status is an answer."""
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise ToolError(f"`{url}` is no http or https address")
    if params:
        url += ("&" if "?" in url else "?") + urllib.parse.urlencode(params, doseq=True)
    sent = {str(name): str(value) for name, value in (headers or {}).items()}
    data = body.encode() if body is not None else None
    if json_body is not None:
        data = json.dumps(json_body).encode()
        sent.setdefault("content-type", "application/json")
    request = urllib.request.Request(url, data, sent, method=method.upper())
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:
            return _received(response.status, response)
    except urllib.error.HTTPError as error:
        with error:
            return _received(error.code, error)
    except OSError as error:
        raise ToolError(f"{method.upper()} {url} failed: {error}") from error


def _received(status: int, response: Any) -> HttpResponse:
    charset = response.headers.get_content_charset("utf-8")
    headers = {name.lower(): value for name, value in response.headers.items()}
    return HttpResponse(status, headers, response.read().decode(charset, "replace"))


def jailed(name: str) -> Path:
    """The path of a name below the current directory; links that lead out are refused."""
    root = Path.cwd().resolve()
    path = (root / name).resolve()
    if not path.is_relative_to(root):
        raise ToolError(f"`{name}` is outside of the run's directory")
    return path


def query_sqlite(
    name: str,
    query: str,
    params: Sequence[Any] | Mapping[str, Any],
    *,
    write: bool,
    rows_max: int,
) -> Any:
    """Rows as dicts; for a write ``{"changed": n}``. Without ``write`` the database
    is opened for reading only."""
    if "://" in name:
        raise SettingError(f"`{name}`: only SQLite files can be used here")
    uri = f"{jailed(name).as_uri()}?mode={'rwc' if write else 'ro'}"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            cursor = connection.execute(query, params)
            rows = [dict(row) for row in islice(cursor, rows_max)]
            connection.commit()
            return rows if cursor.description is not None else {"changed": cursor.rowcount}
    except sqlite3.Error as error:
        raise ToolError(f"the query failed: {error}") from error


def use_file(op: str, name: str, content: str | None) -> Any:
    """Reads, writes, appends, deletes, lists (a folder or a pattern) or looks for a
    text file."""
    try:
        if op == "list":
            return _list(name)
        path = jailed(name)
        if op == "exists":
            return path.exists()
        if op == "read":
            return path.read_bytes().decode()
        if op == "delete":
            return path.unlink()
        if op not in ("write", "append"):
            raise SettingError(f"a file node cannot `{op}`")
        if content is None:
            raise SettingError(f"a file node that shall `{op}` needs `content`")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab" if op == "append" else "wb") as handle:
            handle.write(content.encode())
        return None
    except (OSError, ValueError) as error:
        raise ToolError(f"the file `{name}` could not be used: {error}") from error


def _list(name: str) -> list[str]:
    root = Path.cwd().resolve()
    folder = jailed(name.partition("*")[0].rpartition("/")[0] if "*" in name else name)
    pattern = str(folder / "*") if "*" not in name else str(root / name)
    found = (Path(path) for path in glob(pattern, recursive=True))
    return sorted(path.relative_to(root).as_posix() for path in found)
