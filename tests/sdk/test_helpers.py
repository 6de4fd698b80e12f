"""What the official clients have beyond plain calls: typed answers, events of streams, counts."""

import json
import urllib.error
import urllib.request

import anthropic
import openai
import pytest
from pydantic import BaseModel

from test_anthropic import TOOL as CLAUDE_TOOL
from test_openai import HI, TOOL

FLAT_TOOL = {"type": "function", **TOOL["function"], "strict": False}


class Answer(BaseModel):
    answer: int


@pytest.mark.parametrize("stream", [False, True])
def test_a_chat_is_parsed(gpt, stream):
    if stream:
        with gpt.chat.completions.stream(model="openai/json", messages=HI, response_format=Answer) as events:
            message = events.get_final_completion().choices[0].message
    else:
        message = gpt.chat.completions.parse(model="openai/json", messages=HI, response_format=Answer).choices[0].message
    assert message.parsed == Answer(answer=42)


@pytest.mark.parametrize("stream", [False, True])
def test_a_response_is_parsed(gpt, upstream, stream):
    if stream:
        with gpt.responses.stream(model="openai/json", input="what?", text_format=Answer) as events:
            answer = events.get_final_response()
    else:
        answer = gpt.responses.parse(model="openai/json", input="what?", text_format=Answer)
    assert answer.output_parsed == Answer(answer=42)
    assert upstream.last()["response_format"]["json_schema"]["name"] == "Answer"


def test_tools_in_a_stream_of_responses(gpt):
    with gpt.responses.stream(model="openai/tools", input="weather?", tools=[FLAT_TOOL]) as events:
        seen = list(events)
        answer = events.get_final_response()
    done = [event for event in seen if event.type == "response.function_call_arguments.done"]
    assert [event.arguments for event in done] == ['{"city": "Oslo"}', '{"city": "Rome"}']
    assert [item.name for item in answer.output] == ["weather", "weather"]
    added = [event.output_index for event in seen if event.type == "response.output_item.added"]
    numbers = [event.sequence_number for event in seen]
    assert added == [0, 1] and numbers == list(range(len(numbers)))


def test_tools_in_a_stream_of_chat(gpt):
    with gpt.chat.completions.stream(model="claude-sonnet-4-5", messages=HI, tools=[TOOL]) as events:
        kinds = {event.type for event in events}
        call = events.get_final_completion().choices[0].message.tool_calls[0]
    assert "tool_calls.function.arguments.done" in kinds and call.function.arguments == '{"city": "Oslo"}'


@pytest.mark.parametrize("model", ["openai/plain", "claude-sonnet-4-5"])
def test_the_text_of_a_stream(claude, model):
    with claude.messages.stream(model=model, max_tokens=100, messages=HI) as events:
        text = "".join(events.text_stream)
        assert text == events.get_final_text() and text in ("You said: hi", "Hello from Claude.")


def test_the_input_of_a_tool_in_a_stream(claude):
    with claude.messages.stream(model="claude-sonnet-4-5", max_tokens=100, messages=HI, tools=[CLAUDE_TOOL]) as events:
        pieces = [event for event in events if event.type == "input_json"]
        assert events.get_final_message().content[-1].input == {"city": "Oslo"}
    assert "".join(event.partial_json for event in pieces) == '{"city": "Oslo"}'
    assert pieces[-1].snapshot == {"city": "Oslo"}


@pytest.mark.parametrize("model, known", [("claude-sonnet-4-5", 3), ("openai/plain", None)])
def test_a_message_begins_with_its_tokens(claude, model, known):
    with claude.messages.stream(model=model, max_tokens=100, messages=HI) as events:
        begun = next(event for event in events if event.type == "message_start").message.usage.input_tokens
        ended = events.get_final_message().usage.input_tokens
    assert begun == known if known else 1 <= begun <= 20
    assert ended == (known or 5), "the provider's own word is the last"


def test_trial_features_are_passed_on_to_their_provider_alone(claude, upstream):
    betas = ["later-2026-01-01", "context-1m-2025-08-07"]
    claude.beta.messages.create(model="claude-sonnet-4-5", max_tokens=100, messages=HI, betas=betas)
    assert upstream.heads[-1]["anthropic-beta"] == ",".join(betas)
    claude.beta.messages.count_tokens(model="claude-sonnet-4-5", messages=HI, betas=betas)
    assert upstream.heads[-1]["anthropic-beta"].startswith(betas[0])
    claude.beta.messages.create(model="openai/plain", max_tokens=100, messages=HI, betas=betas)
    assert "anthropic-beta" not in upstream.heads[-1]


def test_an_answer_is_given_again(gpt, upstream):
    again = {"x-agentweaver-cache": "60"}
    first = gpt.chat.completions.create(model="openai/plain", messages=[{"role": "user", "content": "again"}], extra_headers=again)
    asked = len(upstream.requests)
    raw = gpt.chat.completions.with_raw_response.create(
        model="openai/plain", messages=[{"role": "user", "content": "again"}], extra_headers=again)
    assert raw.headers["x-agentweaver-cache"] == "hit" and raw.parse().choices == first.choices
    pieces = gpt.chat.completions.create(
        model="openai/plain", messages=[{"role": "user", "content": "again"}], extra_headers=again, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in pieces) == "You said: again"
    assert len(upstream.requests) == asked


PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
# A picture's head that says 9,000 by 9,000 pixels.
WIDE = "iVBORw0KGgoAAAANSUhEUgAAIygAACMoCAYAAAA="
RESULT = {"role": "tool", "tool_call_id": "nobody", "content": "rain"}


def image(url):
    return [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]


@pytest.mark.parametrize("wrong, word", [
    ({"messages": [*HI, RESULT]}, "nobody"),
    ({"messages": []}, "messages"),
    ({"messages": [{"role": "narrator", "content": "hi"}]}, "narrator"),
    ({"messages": HI, "tools": [{"type": "function", "function": {"name": "no spaces", "parameters": {}}}]}, "no spaces"),
    ({"messages": HI, "tools": [{"type": "function", "function": {"name": "a", "parameters": {"type": "array"}}}]}, "object"),
    ({"messages": HI, "tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "wether"}}}, "wether"),
    ({"messages": image(f"data:image/png;base64,{WIDE}"), "model": "claude-sonnet-4-5"}, "8000"),
    ({"messages": image(PIXEL.replace("image/png", "image/tiff")), "model": "claude-sonnet-4-5"}, "image/tiff"),
    ({"messages": HI, "temperature": 9.5}, "temperature"),
    ({"messages": HI, "max_tokens": -1}, "max_tokens"),
])
def test_what_cannot_be_is_refused_before_anybody_is_asked(gpt, upstream, wrong, word):
    asked = len(upstream.requests)
    with pytest.raises(openai.BadRequestError) as error:
        gpt.post("/chat/completions", body={"model": "openai/plain", **wrong}, cast_to=object)
    assert error.value.type == "invalid_request_error" and word in error.value.message
    assert len(upstream.requests) == asked


@pytest.mark.parametrize("wrong, word", [
    ({"input": [{"type": "function_call_output", "call_id": "nobody", "output": "rain"}]}, "nobody"),
    ({"input": "hi", "tools": [{**FLAT_TOOL, "name": "no spaces"}]}, "no spaces"),
])
def test_the_same_in_responses(gpt, upstream, wrong, word):
    asked = len(upstream.requests)
    with pytest.raises(openai.BadRequestError) as error:
        gpt.post("/responses", body={"model": "openai/plain", **wrong}, cast_to=object)
    assert error.value.type == "invalid_request_error" and word in error.value.message
    assert len(upstream.requests) == asked


@pytest.mark.parametrize("wrong, word", [
    ({"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "nobody", "content": "rain"}]}]}, "nobody"),
    ({"messages": HI, "tools": [{**CLAUDE_TOOL, "name": "no spaces"}]}, "no spaces"),
    ({"messages": [{"role": "user", "content": [{"type": "image", "source": {
        "type": "base64", "media_type": "image/png", "data": WIDE}}]}]}, "8000"),
    ({"messages": [{"role": "narrator", "content": "hi"}]}, "narrator"),
])
def test_the_same_in_messages(claude, upstream, wrong, word):
    asked = len(upstream.requests)
    with pytest.raises(anthropic.BadRequestError) as error:
        claude.post("/v1/messages", body={"model": "claude-sonnet-4-5", "max_tokens": 9, **wrong}, cast_to=object)
    assert error.value.body["error"]["type"] == "invalid_request_error" and word in str(error.value)
    assert len(upstream.requests) == asked


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1/embeddings"])
def test_a_body_that_is_no_json_and_a_model_that_is_none(server, path):
    def refused(body):
        headers = {"authorization": f"Bearer {server['token']}", "content-type": "application/json"}
        request = urllib.request.Request(server["address"] + path, body.encode(), headers)
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(request)
        return error.value.code, json.loads(error.value.read())["error"]
    status, error = refused('{"model": ')
    assert (status, error["type"]) == (400, "invalid_request_error") and "line 1" in error["message"]
    status, error = refused(json.dumps({"model": "opnai/gpt-4o", "messages": HI, "input": "hi", "max_tokens": 9}))
    assert status == 404 and "Did you mean `openai`?" in error["message"]
