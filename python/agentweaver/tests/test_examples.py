"""The repository's examples run in plain CPython too, with this package and langgraph."""

import json
import runpy
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture(autouse=True)
def in_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(EXAMPLES.parent)


def run(name: str, monkeypatch: pytest.MonkeyPatch, *answers: Any) -> dict[str, Any]:
    """The state that an example ends with on its own input, offline."""
    monkeypatch.setenv("AGENTWEAVER_MODEL", f"scripted:{EXAMPLES / name}.script.yaml")
    app = runpy.run_path(str(EXAMPLES / f"{name}.py"))["app"]
    app.checkpointer = InMemorySaver()
    config: Any = {"configurable": {"thread_id": "1"}}
    state = app.invoke(json.loads((EXAMPLES / f"{name}.input.json").read_text()), config)
    for answer in answers:
        assert "__interrupt__" in state
        state = app.invoke(Command(resume=answer), config)
    assert "__interrupt__" not in state
    assert isinstance(state, dict)
    return state


def test_intent_triage(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("intent_triage", monkeypatch)["reply"]


def test_map_reduce_summary(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("map_reduce_summary", monkeypatch)["summaries"]


def test_approval_flow(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("approval_flow", monkeypatch, "yes")["receipt"]


def test_subgraph_reuse(monkeypatch: pytest.MonkeyPatch) -> None:
    run("subgraph_reuse", monkeypatch)


def test_retry_fallback(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "second model" in run("retry_fallback", monkeypatch)["log"]


def test_research(monkeypatch: pytest.MonkeyPatch) -> None:
    state = run("research", monkeypatch)
    assert "[1]" in state["answer"]
