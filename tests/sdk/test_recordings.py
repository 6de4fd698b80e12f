"""An extra: recorded traffic of real providers, through each interface of the server and the
official clients. It runs where the recordings lie beside the repository."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import anthropic
import openai
import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState

from conftest import serving

FOLDER = Path(__file__).parents[3] / "shared" / "cassettes"
FORMATS = {"/messages": "anthropic", "/responses": "openai_responses", "/api/chat": "ollama",
           "/chat/completions": "openai"}
# What official clients raise for an error within a stream.
BROKEN = (openai.APIError, anthropic.APIError)


def format_of(path):
    if "enerateContent" in path:
        return "gemini"
    return next((name for end, name in FORMATS.items() if path.endswith(end)), None)


def chats():
    cases = [json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))]
    return [case for case in cases if format_of(case["request"]["path"])]


CASES = chats()
pytestmark = pytest.mark.skipif(not CASES, reason="there are no recordings here")


@pytest.fixture(scope="module")
def recorded():
    """A server with a provider for each recording, which plays that one to any question."""
    player = subprocess.Popen([sys.executable, FOLDER / "replay.py", "--port", "0", "--split-bytes", "611"],
                              stdout=subprocess.PIPE, text=True)
    address = player.stdout.readline().split()[-1]
    settings = []
    for at, case in enumerate(CASES):
        refused = case["expect"].get("error", {}).get("class") == "authentication"
        name = format_of(case["request"]["path"])
        base = f"{address}/c/{case['id']}" + ("/v1" if name in ("openai", "openai_responses") else "")
        settings.append(f'[providers.case{at}]\nbase_url = "{base}"\ndialect = "{name}"\n'
                        f'api_key = "{"invalid" if refused else "good"}-key"\n')
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "agentweaver.toml").write_text("".join(settings))
        with serving(directory, {}) as server, contextlib.ExitStack() as stack:
            stack.callback(player.kill)
            yield server


class Answer:
    """What an interface said, in words that all have in common."""

    def __init__(self, text, reasoning, refusal, calls, finish, usage):
        self.text, self.reasoning, self.refusal, self.finish = text, reasoning, refusal, finish
        self.calls, self.usage = calls, usage


def by_chat(server, model, stream):
    client = openai.OpenAI(base_url=f"{server['address']}/v1", api_key=server["token"], max_retries=0)
    asked = {"model": model, "messages": [{"role": "user", "content": "?"}]}
    if stream:
        # The helper refuses an answer that its limit has cut; its own state has the answer.
        state = ChatCompletionStreamState()
        for chunk in client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}):
            state.handle_chunk(chunk)
        answer = state.current_completion_snapshot
    else:
        answer = client.chat.completions.create(**asked)
    said, finish, usage = answer.choices[0].message, answer.choices[0].finish_reason, answer.usage
    calls = [(call.id, call.function.name, json.loads(call.function.arguments)) for call in said.tool_calls or []]
    extra = said.model_extra or {}
    cached = usage.prompt_tokens_details.cached_tokens if usage.prompt_tokens_details else 0
    return Answer(said.content or "", extra.get("reasoning_content") or "", said.refusal or "", calls, finish,
                  {"input": usage.prompt_tokens, "output": usage.completion_tokens, "cached": cached or 0})


def by_responses(server, model, stream):
    client = openai.OpenAI(base_url=f"{server['address']}/v1", api_key=server["token"], max_retries=0)
    if stream:
        answer = None
        for event in client.responses.create(model=model, input="?", stream=True):
            if event.type in ("response.completed", "response.incomplete"):
                answer = event.response
            if event.type in ("response.failed", "error"):
                raise openai.APIError(str(event), request=None, body=None)
    else:
        answer = client.responses.create(model=model, input="?")
    parts = [part for item in answer.output if item.type == "message" for part in item.content]
    reasoning = "".join(part.text for item in answer.output if item.type == "reasoning" for part in item.summary)
    calls = [(item.call_id, item.name, json.loads(item.arguments)) for item in answer.output if item.type == "function_call"]
    why = answer.incomplete_details.reason if answer.incomplete_details else None
    finish = {"max_output_tokens": "length", "content_filter": "content_filter"}.get(why, "tool_calls" if calls else "stop")
    usage = {"input": answer.usage.input_tokens, "output": answer.usage.output_tokens,
             "cached": answer.usage.input_tokens_details.cached_tokens}
    return Answer("".join(p.text for p in parts if p.type == "output_text"), reasoning,
                  "".join(p.refusal for p in parts if p.type == "refusal"), calls, finish, usage)


def by_messages(server, model, stream):
    client = anthropic.Anthropic(base_url=server["address"], api_key=server["token"], max_retries=0)
    asked = {"model": model, "max_tokens": 500, "messages": [{"role": "user", "content": "?"}]}
    if stream:
        with client.messages.stream(**asked) as events:
            answer = events.get_final_message()
    else:
        answer = client.messages.create(**asked)
    blocks = answer.content
    calls = [(block.id, block.name, block.input) for block in blocks if block.type == "tool_use"]
    finish = {"max_tokens": "length", "tool_use": "tool_calls"}.get(answer.stop_reason, "stop")
    usage = answer.usage
    read, written = usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0
    text = "".join(block.text for block in blocks if block.type == "text")
    return Answer(text, "".join(block.thinking for block in blocks if block.type == "thinking"), "", calls, finish,
                  {"input": usage.input_tokens + read + written, "output": usage.output_tokens, "cached": read})


@pytest.mark.parametrize("ask", [by_chat, by_responses, by_messages], ids=["chat", "responses", "messages"])
@pytest.mark.parametrize("at", range(len(CASES)), ids=[case["id"] for case in CASES])
def test_a_recording_is_told_as_it_was(recorded, at, ask):
    case = CASES[at]
    expect, stream = case["expect"], bool(case.get("stream"))
    wanted = expect.get("error")
    if wanted and not wanted.get("may_skip"):
        with pytest.raises(BROKEN) as error:
            ask(recorded, f"case{at}/m", stream)
        status = getattr(error.value, "status_code", None)
        if not wanted.get("mid_stream") and status:
            allowed = wanted.get("gateway_status_any_of") or [wanted["status"]]
            assert status in allowed or status == 529 and 503 in allowed, error.value
        return
    try:
        answer = ask(recorded, f"case{at}/m", stream)
    except BROKEN:
        # A prompt that was blocked may be told as an error.
        assert expect.get("may_be_error_status") or wanted
        return
    if "text_length" in expect:
        assert len(answer.text) == expect["text_length"]
    elif ask is by_messages and expect.get("refusal"):
        # The interface has no refusal of its own: the words are the text.
        assert expect["refusal"] in answer.text
    else:
        assert answer.text == (expect.get("text") or "")
    if "reasoning" in expect:
        assert answer.reasoning == (expect["reasoning"] or "")
    if expect.get("refusal") and ask is not by_messages:
        assert answer.refusal == expect["refusal"]
    calls = [(call["name"], call["arguments"]) for call in expect.get("tool_calls") or []]
    assert [(name, arguments) for _, name, arguments in answer.calls] == calls
    assert len({id for id, _, _ in answer.calls}) == len(calls)
    finishes = expect.get("finish_any_of") or [expect["finish"]]
    if ask is by_messages and "content_filter" in finishes:
        finishes = [*finishes, "stop"]
    assert answer.finish in finishes
    for bucket in ("input", "output", "cached"):
        if bucket in (expect.get("usage") or {}):
            assert answer.usage[bucket] == expect["usage"][bucket], bucket
