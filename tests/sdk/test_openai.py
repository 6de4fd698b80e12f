"""The unmodified `openai` package against the server."""

import json

import openai
import pytest

TOOL = {"type": "function", "function": {
    "name": "weather", "description": "Tells the weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}
HI = [{"role": "user", "content": "hi"}]


def test_a_plain_answer(gpt, upstream):
    answer = gpt.chat.completions.create(model="openai/plain", messages=HI, temperature=0.5, user="ann")
    assert answer.choices[0].message.content == "You said: hi"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.object == "chat.completion" and answer.model == "plain-1"
    assert answer.usage.prompt_tokens == 9 and answer.usage.total_tokens == 14
    assert answer.usage.prompt_tokens_details.cached_tokens == 4
    # What only a model of the same interface understands is passed on to it.
    assert upstream.last()["user"] == "ann" and upstream.last()["temperature"] == 0.5


def test_a_stream_with_usage(gpt):
    stream = gpt.chat.completions.create(
        model="openai/plain", messages=HI, stream=True, stream_options={"include_usage": True})
    chunks = list(stream)
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "You said: hi"
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens == 5


@pytest.mark.parametrize("stream", [False, True])
def test_tools_there_and_back(gpt, stream):
    messages = [{"role": "user", "content": "weather?"}]
    if stream:
        with gpt.chat.completions.stream(model="openai/tools", messages=messages, tools=[TOOL]) as events:
            message = events.get_final_completion().choices[0].message
    else:
        message = gpt.chat.completions.create(model="openai/tools", messages=messages, tools=[TOOL]).choices[0].message
    assert [json.loads(c.function.arguments)["city"] for c in message.tool_calls] == ["Oslo", "Rome"]
    messages.append(message)
    for call in message.tool_calls:
        messages.append({"role": "tool", "tool_call_id": call.id, "content": "rain"})
    answer = gpt.chat.completions.create(model="openai/tools", messages=messages, tools=[TOOL])
    assert answer.choices[0].message.content == "It is rain"


def test_structured_output_and_pictures(gpt, upstream):
    schema = {"type": "object", "properties": {"answer": {"type": "integer"}}, "required": ["answer"], "additionalProperties": False}
    picture = "data:image/png;base64,iVBORw0KGgo="
    answer = gpt.chat.completions.create(
        model="openai/json", response_format={"type": "json_schema", "json_schema": {"name": "a", "schema": schema, "strict": True}},
        messages=[{"role": "user", "content": [
            {"type": "text", "text": "what?"}, {"type": "image_url", "image_url": {"url": picture}}]}])
    assert json.loads(answer.choices[0].message.content) == {"answer": 42}
    sent = upstream.last()
    assert sent["response_format"]["json_schema"]["strict"] is True
    assert sent["messages"][0]["content"][1]["image_url"]["url"] == picture


def test_reasons_to_end_and_thoughts(gpt):
    answer = gpt.chat.completions.create(model="openai/long", messages=HI)
    assert answer.choices[0].finish_reason == "length"
    answer = gpt.chat.completions.create(model="openai/thinker", messages=HI)
    assert answer.choices[0].message.reasoning_content == "Let me see."


def test_a_model_of_another_provider(gpt, upstream):
    answer = gpt.chat.completions.create(model="anthropic/claude-sonnet-4-5", messages=HI, tools=[TOOL])
    message = answer.choices[0].message
    assert message.tool_calls[0].function.name == "weather"
    assert answer.choices[0].finish_reason == "tool_calls"
    assert answer.usage.prompt_tokens == 11 and answer.usage.prompt_tokens_details.cached_tokens == 6
    gpt.chat.completions.create(
        model="anthropic/claude-sonnet-4-5", tools=[TOOL], reasoning_effort="low",
        messages=[*HI, message, {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "rain"}])
    thought = upstream.last()["messages"][1]["content"][0]
    assert thought == {"type": "thinking", "thinking": "Hm.", "signature": "c2lnbmVk"}


def test_the_offline_model(gpt):
    answer = gpt.chat.completions.create(model="scripted", messages=HI)
    assert answer.choices[0].message.content


def test_embeddings(gpt):
    answer = gpt.embeddings.create(model="openai/text-embedding-3-small", input=["a", "four"])
    assert [e.embedding for e in answer.data] == [[1.0, 0.5], [4.0, 0.5]]
    floats = gpt.embeddings.create(model="openai/text-embedding-3-small", input="abc", encoding_format="float")
    assert floats.data[0].embedding == [3.0, 0.5] and floats.usage.total_tokens == 7


def test_models(gpt):
    ids = [model.id for model in gpt.models.list()]
    assert {"scripted", "openai/plain", "anthropic/claude-sonnet-4-5-20250929"} <= set(ids)
    assert gpt.models.retrieve("openai/plain").owned_by == "openai"
    assert gpt.models.retrieve("gpt-4o").id == "gpt-4o"
    with pytest.raises(openai.NotFoundError) as error:
        gpt.models.retrieve("openai/plian")
    assert "Did you mean `plain`?" in error.value.message


def test_errors_come_in_the_envelope(gpt, server):
    with pytest.raises(openai.RateLimitError) as error:
        gpt.chat.completions.create(model="openai/busy", messages=HI)
    assert error.value.code == "rate_limit_exceeded" and error.value.response.headers["retry-after"] == "30"
    with pytest.raises(openai.NotFoundError) as error:
        gpt.chat.completions.create(model="openai/no-such", messages=HI)
    assert error.value.code == "model_not_found" and error.value.param == "model"
    with pytest.raises(openai.NotFoundError) as error:
        gpt.chat.completions.create(model="opnai/plain", messages=HI)
    assert "Did you mean `openai`?" in error.value.message
    with pytest.raises(openai.AuthenticationError) as error:
        gpt.chat.completions.create(model="openai/down", messages=HI)
    assert "canary" not in str(error.value.body)
    with pytest.raises(openai.BadRequestError) as error:
        gpt.chat.completions.create(model="openai/plain", messages=HI, n=2)
    assert error.value.param == "n" and error.value.type == "invalid_request_error"
    with pytest.raises(openai.BadRequestError) as error:
        gpt.post("/chat/completions", body=None, cast_to=object, options={"headers": {"content-type": "application/json"}})
    assert error.value.code == "body_not_json"
    with pytest.raises(openai.AuthenticationError) as error:
        openai.OpenAI(base_url=gpt.base_url, api_key="wrong", max_retries=0).models.list()
    assert error.value.code == "invalid_api_key" and error.value.response.headers["x-should-retry"] == "false"
    with pytest.raises(openai.NotFoundError):
        gpt.get("/nothing", cast_to=object)


def test_a_stream_that_breaks_off_is_an_error(gpt):
    said = []
    with pytest.raises(openai.APIError) as error:
        for chunk in gpt.chat.completions.create(model="openai/cut", messages=HI, stream=True):
            said.append(chunk.choices[0].delta.content)
    assert "".join(filter(None, said)) == "You said: hi" and "broke off" in error.value.message


@pytest.mark.parametrize("model", ["openai/plain", "anthropic/claude-sonnet-4-5"])
@pytest.mark.parametrize("stream", [False, True])
def test_responses(gpt, model, stream):
    if stream:
        with gpt.responses.stream(model=model, input="hi") as events:
            kinds = [event.type for event in events]
            answer = events.get_final_response()
        assert kinds[:2] == ["response.created", "response.in_progress"] and kinds[-1] == "response.completed"
        assert "response.output_text.delta" in kinds
    else:
        answer = gpt.responses.create(model=model, input="hi")
    assert answer.output_text in ("You said: hi", "Hello from Claude.")
    assert answer.status == "completed" and answer.usage.total_tokens in (14, 19)


def test_responses_with_tools_and_thoughts(gpt, upstream):
    tool = {"type": "function", **TOOL["function"], "strict": False}
    items = [{"role": "user", "content": "weather?"}]
    answer = gpt.responses.create(model="anthropic/claude-sonnet-4-5", input=items, tools=[tool], reasoning={"effort": "low"})
    assert [item.type for item in answer.output] == ["reasoning", "function_call"]
    call = answer.output[1]
    items += answer.output + [{"type": "function_call_output", "call_id": call.call_id, "output": "rain"}]
    answer = gpt.responses.create(model="anthropic/claude-sonnet-4-5", input=items, tools=[tool], reasoning={"effort": "low"})
    assert answer.output_text == "Hello from Claude."
    assert upstream.last()["messages"][1]["content"][0]["signature"] == "c2lnbmVk"
    with pytest.raises(openai.BadRequestError) as error:
        gpt.responses.create(model="openai/plain", input="hi", previous_response_id="resp_1")
    assert error.value.param == "previous_response_id"


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_goes_away_ends_the_call(gpt, upstream, stream):
    upstream.left.clear()
    upstream.hanging.clear()
    if stream:
        answer = gpt.chat.completions.create(model="openai/hang", messages=HI, stream=True)
        next(iter(answer))
        assert upstream.hanging.wait(10)
        answer.close()
    else:
        with pytest.raises(openai.APITimeoutError):
            gpt.with_options(timeout=0.5).chat.completions.create(model="openai/hang", messages=HI)
    assert upstream.left.wait(10)
