"""The tools that need no platform."""

from pathlib import Path

import pytest
from agentweaver import PlatformRequired, tools


def test_document_search_finds_the_passage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.md").write_text("# Title\n\nThe log is durable.\n\n\nTea is warm,\nand green.\n")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden/b.md").write_text("green tea")
    monkeypatch.chdir(tmp_path)
    found = tools.document_search("green tea", limit=1)["passages"]
    assert [(p["path"], p["line"], p["text"]) for p in found] == [
        ("a.md", 6, "Tea is warm,\nand green.")
    ]
    assert found[0]["score"] > 0
    assert tools.document_search("absent")["passages"] == []


def test_other_tools_need_the_platform() -> None:
    with pytest.raises(PlatformRequired, match="web_search"):
        tools.web_search(query="x")
