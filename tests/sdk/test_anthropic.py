"""The unmodified `anthropic` package against the server."""

import anthropic
import pytest

TOOL = {"name": "weather", "description": "Tells the weather",
        "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}
HI = [{"role": "user", "content": "hi"}]


def ask(client, stream, **request):
    if not stream:
        return client.messages.create(**request)
    with client.messages.stream(**request) as events:
        return events.get_final_message()


@pytest.mark.parametrize("stream", [False, True])
def test_a_model_of_its_own_gets_its_own_words(claude, upstream, stream):
    system = [{"type": "text", "text": "Be brief", "cache_control": {"type": "ephemeral"}}]
    answer = ask(claude, stream, model="claude-sonnet-4-5", max_tokens=2000, messages=HI, system=system,
                 thinking={"type": "enabled", "budget_tokens": 1500})
    assert [block.type for block in answer.content] == ["thinking", "text"]
    assert answer.content[0].signature == "c2lnbmVk" and answer.content[1].text == "Hello from Claude."
    assert answer.stop_reason == "end_turn" and answer.id == "msg_7"
    usage = answer.usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (3, 6, 8)
    sent = upstream.last()
    assert sent["system"] == system and sent["max_tokens"] == 2000
    assert sent["thinking"] == {"type": "enabled", "budget_tokens": 1500}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", ["openai/tools", "google/gemini-2.5-flash", "claude-sonnet-4-5"])
def test_tools_of_any_model_there_and_back(claude, upstream, model, stream):
    request = {"model": model, "max_tokens": 500, "tools": [TOOL]}
    answer = ask(claude, stream, messages=HI, **request)
    calls = [block for block in answer.content if block.type == "tool_use"]
    assert answer.stop_reason == "tool_use" and calls[0].input == {"city": "Oslo"}
    results = [{"type": "tool_result", "tool_use_id": call.id, "content": "rain"} for call in calls]
    messages = [*HI, {"role": "assistant", "content": answer.content}, {"role": "user", "content": results}]
    answer = ask(claude, stream, messages=messages, **request)
    assert answer.content[-1].text in ("It is rain", "Rain, says Gemini.", "Hello from Claude.")
    if "gemini" in model:
        # The seal that this provider wants back went through the client and returned.
        assert upstream.last()["contents"][1]["parts"][0]["thoughtSignature"] == "c2VhbA=="


def test_events_come_in_the_order_of_the_interface(claude):
    with claude.messages.stream(model="openai/thinker", max_tokens=100, messages=HI) as events:
        kinds = [event.type for event in events if event.type not in ("text", "thinking", "signature", "input_json")]
    assert kinds == ["message_start", "content_block_start", "content_block_delta", "content_block_delta",
                     "content_block_stop", "content_block_start", "content_block_delta", "content_block_stop",
                     "message_delta", "message_stop"]


def test_tokens_are_counted(claude):
    assert claude.messages.count_tokens(model="claude-sonnet-4-5", messages=HI).input_tokens == 42
    assert claude.messages.count_tokens(model="openai/plain", messages=HI).input_tokens > 0


def test_models(claude):
    models = list(claude.models.list())
    ids = [model.id for model in models]
    assert all(model.type == "model" and model.display_name for model in models)
    assert "anthropic/claude-sonnet-4-5-20250929" in ids and "openai/plain" in ids
    assert claude.models.retrieve("claude-sonnet-4-5").type == "model"


def test_errors_come_in_the_envelope(claude, server):
    with pytest.raises(anthropic.RateLimitError) as error:
        claude.messages.create(model="openai/busy", max_tokens=5, messages=HI)
    assert error.value.body["error"]["type"] == "rate_limit_error"
    assert error.value.body["request_id"] == error.value.request_id
    with pytest.raises(anthropic.NotFoundError):
        claude.messages.create(model="opnai/plain", max_tokens=5, messages=HI)
    with pytest.raises(anthropic.BadRequestError) as error:
        claude.post("/v1/messages", body={"model": "claude-sonnet-4-5", "messages": HI}, cast_to=object)
    assert error.value.body["error"]["message"].startswith("max_tokens:")
    with pytest.raises(anthropic.BadRequestError) as error:
        claude.messages.create(model="openai/plain", max_tokens=5, messages=HI,
                               tools=[{"type": "web_search_20250305", "name": "web_search"}])
    assert "tools[0]" in error.value.body["error"]["message"]
    with pytest.raises(anthropic.AuthenticationError) as error:
        anthropic.Anthropic(base_url=server["address"], api_key="wrong", max_retries=0).models.list()
    assert error.value.body["error"]["type"] == "authentication_error"


def test_a_stream_that_breaks_off_is_an_error(claude):
    with pytest.raises(anthropic.APIStatusError) as error:
        ask(claude, True, model="openai/cut", max_tokens=5, messages=HI)
    assert "broke off" in str(error.value)
