use weaver_core::Value;
use weaver_core::embedded::{HOST_NAMES, PARTIAL_MODULES};

use crate::harness::*;

#[tokio::test]
async fn messages_come_in_as_objects_and_leave_as_messages() {
    let source = "from langchain_core.messages import HumanMessage, AIMessage\n\
        def node(state):\n    last = state['messages'][-1]\n    assert isinstance(last, HumanMessage), type(last)\n    \
        return {'messages': [AIMessage(content='re: ' + last.content, id='a', tool_calls=[{'name': 'f', 'args': {'x': 1}, 'id': 'c'}])], 'n': len(state['messages'])}\n";
    let state = r#"{"messages":[{"$type":"message","type":"human","content":"hi","id":"h"}]}"#;
    assert_eq!(
        run(source, "node", &[state]).await.json(),
        r#"{"messages":[{"$type":"message","type":"ai","content":"re: hi","id":"a","tool_calls":[{"name":"f","args":{"x":1},"id":"c","type":"tool_call"}]}],"n":1}"#
    );
}

/// Those of the names that are no more than a stand-in for annotations.
async fn stand_ins(module: &str, names: &[&str]) -> String {
    let kinds: Vec<String> = names
        .iter()
        .map(|name| format!("{name:?} if type({name}).__name__ == 'AnyType' else None"))
        .collect();
    eval(&format!(
        "from {module} import {}\ndef f():\n    return [k for k in [{}] if k]\n",
        names.join(", "),
        kinds.join(", ")
    ))
    .await
}

/// `check` lets these through, so each must be something that runs.
#[tokio::test]
async fn every_name_that_the_host_answers_for_has_a_face() {
    for names in HOST_NAMES.chunks(16) {
        assert_eq!(stand_ins("langchain_core.x", names).await, "[]");
    }
    // What `langchain` has are modules.
    let partial = PARTIAL_MODULES.iter().filter(|(module, ..)| *module != "langchain");
    for (module, names, _) in partial.filter(|(_, names, _)| !names.is_empty()) {
        assert_eq!(stand_ins(module, names).await, "[]", "{module}");
    }
    assert_eq!(stand_ins("operator", &["add", "truth"]).await, r#"["truth"]"#);
}

#[tokio::test]
async fn message_helpers() {
    let source = "from langchain_core.messages import HumanMessage, AIMessage, SystemMessage, trim_messages, filter_messages, get_buffer_string, convert_to_messages\n\
        def f():\n    ms = convert_to_messages([('system', 's'), {'role': 'user', 'content': 'u'}, 'v', AIMessage('a')])\n    \
        return [get_buffer_string(ms), [m.content for m in trim_messages(ms, max_tokens=2, token_counter=len, include_system=True)], \
        [m.content for m in filter_messages(ms, include_types=['human'])], ms[3] == AIMessage('a'), ms[3] == AIMessage('b'), repr(AIMessage('a')), ms[0].pretty_repr()]\n";
    assert_eq!(
        eval(source).await,
        r#"["System: s\nHuman: u\nHuman: v\nAI: a",["s","a"],["u","v"],true,false,"AIMessage(content='a')","================================ System Message ================================\n\ns"]"#
    );
}

#[tokio::test]
async fn commands_sends_and_overwrites_leave_tagged() {
    let source = "from langgraph.types import Command, Send, Overwrite\n\
        def f():\n    return [Command(update={'a': 1}, goto='b'), [Send('n', {'x': 1})], {'k': Overwrite([])}, Command(goto=Command.PARENT, graph=Command.PARENT)]\n";
    assert_eq!(
        eval(source).await,
        r#"[{"$type":"command","update":{"a":1},"goto":"b"},[{"$type":"send","node":"n","arg":{"x":1}}],{"k":{"$type":"overwrite","value":[]}},{"$type":"command","graph":"__parent__","goto":"__parent__"}]"#
    );
}

#[tokio::test]
async fn a_model_call_is_a_host_call_and_its_answer_a_message() {
    let source = "from langchain_openai import ChatOpenAI\nfrom langchain_core.messages import SystemMessage\nllm = ChatOpenAI(model='gpt-4o', temperature=0)\n\
        def node(state):\n    return {'messages': [llm.invoke([SystemMessage('s'), *state['messages']])]}\n";
    let mut host = Host::default().on("model.invoke", |_| {
        Ok(value(r#"{"$type":"message","type":"ai","content":"hello","usage_metadata":{"input_tokens":1}}"#))
    });
    let state = r#"{"messages":[{"$type":"message","type":"human","content":"hi"}]}"#;
    let ran = host.run(session(source).call(request("node", &[state]))).await;
    let asked = &ran.calls[0].kwargs;
    assert_eq!(asked["provider"], Value::str("openai"));
    assert_eq!(asked["model"], Value::str("gpt-4o"));
    assert_eq!(asked["params"].to_json(), r#"{"temperature":0}"#);
    assert_eq!(asked["messages"].as_list().unwrap().len(), 2);
    assert_eq!(
        ran.json(),
        r#"{"messages":[{"$type":"message","type":"ai","content":"hello","usage_metadata":{"input_tokens":1}}]}"#
    );
}

#[tokio::test]
async fn chains_of_prompt_model_and_parser() {
    let source = "from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder\nfrom langchain_core.output_parsers import StrOutputParser\nfrom langchain.chat_models import init_chat_model\n\
        prompt = ChatPromptTemplate.from_messages([('system', 'Be {tone}'), MessagesPlaceholder('history'), ('human', '{q}')])\n\
        chain = prompt | init_chat_model('anthropic:claude') | StrOutputParser() | (lambda s: s.upper())\n\
        def f():\n    return chain.invoke({'tone': 'kind', 'history': [('ai', 'x')], 'q': 'why'})\n";
    let mut host = Host::default().on("model.invoke", |call| {
        assert_eq!(call.kwargs["provider"], Value::str("anthropic"));
        let contents: Vec<_> = call.kwargs["messages"]
            .as_list()
            .unwrap()
            .iter()
            .map(|m| m.get("content").unwrap().to_json())
            .collect();
        assert_eq!(contents, ["\"Be kind\"", "\"x\"", "\"why\""]);
        Ok(value(r#"{"$type":"message","type":"ai","content":"because"}"#))
    });
    assert_eq!(host.run(session(source).call(request("f", &[]))).await.json(), "\"BECAUSE\"");
}

fn route() -> weaver_core::spec::SchemaSpec {
    serde_json::from_str(
        r#"{"name":"Route","kind":"pydantic","fields":[
            {"name":"step","type":"Literal[\"a\", \"b\"]","required":true,"span":SPAN},
            {"name":"score","type":"float","required":false,"default":1,"span":SPAN},
            {"name":"tags","type":"list[str]","required":false,"span":SPAN}],
            "doc":"Where to go.","json_schema":{"type":"object"},"span":SPAN}"#
            .replace(
                "SPAN",
                r#"{"start":0,"end":0,"line":1,"column":1,"end_line":1,"end_column":1}"#,
            )
            .as_str(),
    )
    .unwrap()
}

#[tokio::test]
async fn structured_output_is_an_instance_of_the_schema() {
    let mut program = program(
        "from langchain_openai import ChatOpenAI\nllm = ChatOpenAI().with_structured_output(Route)\n\
        def node(state):\n    route = llm.invoke('where')\n    assert isinstance(route, Route)\n    return [route.step, route.score, route.tags, route.model_dump(), route]\n\
        def bad():\n    return Route(step='c')\n\
        def take(state):\n    return state.step + str(state.score)\n",
    );
    program.schemas = vec![route()];
    let session = session_of(program);
    let mut host = Host::default().on("model.invoke", |call| {
        assert_eq!(call.kwargs["schema"].get("name"), Some(&Value::str("Route")));
        Ok(value(r#"{"$type":"message","type":"ai","content":"{\"step\": \"a\", \"score\": 2}"}"#))
    });
    assert_eq!(
        host.run(session.call(request("node", &["{}"]))).await.json(),
        r#"["a",2.0,[],{"step":"a","score":2.0,"tags":[]},{"$type":"object","class":"Route","fields":{"step":"a","score":2.0,"tags":[]}}]"#
    );
    let failure = host.run(session.call(request("bad", &[]))).await.raised();
    assert_eq!(failure.exception.as_deref(), Some("ValidationError"));
    assert_eq!(failure.bases, ["ValueError"]);
    assert!(
        failure.message.starts_with("1 validation error for Route\nstep\n"),
        "{}",
        failure.message
    );
    let mut wanted = request("take", &[r#"{"step":"b","other":1}"#]);
    wanted.input_class = Some("Route".into());
    assert_eq!(host.run(session.call(wanted)).await.json(), "\"b1\"");
}

#[tokio::test]
async fn tools_interrupts_writers_and_stores() {
    let source = "from langchain_core.tools import tool\nfrom langgraph.types import interrupt\nfrom langgraph.config import get_stream_writer\nfrom agentweaver import llm, tools\n\
        @tool\ndef add(a: int, b: int) -> int:\n    \"Adds.\"\n    return a + b\n\
        @tool('shout', return_direct=True)\ndef other(text):\n    \"Shouts.\"\n    return text.upper()\n\
        def f(state, runtime, store):\n    get_stream_writer()({'p': 1})\n    store.put(('u', '1'), 'k', {'v': 1})\n    \
        return [interrupt('sure?'), add.invoke({'a': 1, 'b': 2}), add.name, other.name, other.invoke({'type': 'tool_call', 'id': 'i', 'args': {'text': 'x'}, 'name': 'shout'}).content, \
        llm('m', 'hi').text, tools.search(q='x'), store.get(('u', '1'), 'k').value, runtime.context['user']]\n";
    let mut host = Host::default()
        .on("interrupt", |call| Ok(call.kwargs["value"].clone()))
        .on("writer", |_| Ok(Value::Null))
        .on("store.put", |_| Ok(Value::Null))
        .on("store.get", |_| Ok(value(r#"{"namespace":["u","1"],"key":"k","value":{"v":1}}"#)))
        .on("llm", |_| Ok(value(r#"{"$type":"message","type":"ai","content":"yo"}"#)))
        .on("tool", |call| Ok(call.kwargs["args"].clone()));
    let session = session(source);
    let mut wanted = request("f", &["{}"]);
    wanted
        .kwargs
        .insert("runtime".into(), value(r#"{"$type":"runtime","context":{"user":"ann"}}"#));
    wanted.kwargs.insert("store".into(), value(r#"{"$type":"store"}"#));
    assert_eq!(
        host.run(session.call(wanted)).await.json(),
        r#"["sure?",3,"add","shout","X","yo",{"q":"x"},{"v":1},"ann"]"#
    );
    // The host may call a tool function itself.
    let mut direct = request("add", &[]);
    direct.kwargs.insert("a".into(), Value::Int(2));
    direct.kwargs.insert("b".into(), Value::Int(3));
    assert_eq!(host.run(session.call(direct)).await.json(), "5");
}

#[tokio::test]
async fn gathered_model_calls_wait_together() {
    let source = "import asyncio\nfrom langchain_openai import ChatOpenAI\nllm = ChatOpenAI()\n\
        async def f():\n    a, b = await asyncio.gather(llm.ainvoke('1'), llm.ainvoke('2'))\n    return [a.content, b.content]\n";
    let mut n = 0;
    let mut host = Host::default().on("model.invoke", move |_| {
        n += 1;
        Ok(value(&format!(r#"{{"$type":"message","type":"ai","content":"{n}"}}"#)))
    });
    assert_eq!(host.run(session(source).call(request("f", &[]))).await.json(), r#"["1","2"]"#);
}

#[tokio::test]
async fn pieces_of_the_standard_library() {
    let source = "import operator, uuid, logging, textwrap\nfrom operator import itemgetter\nfrom statistics import mean\nlogger = logging.getLogger('x')\n\
        def f():\n    logger.info('n=%d', 3)\n    return [operator.add(1, 2), itemgetter('a')({'a': 4}), str(uuid.uuid4()), textwrap.dedent('  a\\n  b'), mean([1, 3]), callable(f), callable(3)]\n";
    let mut host = Host::default().on("uuid", |_| Ok(value("\"u-1\"")));
    let ran = host.run(session(source).call(request("f", &[]))).await;
    assert_eq!(ran.printed, "INFO:x:n=3\n");
    assert_eq!(ran.json(), r#"[3,4,"u-1","a\nb",2,true,false]"#);
}

/// A quick-start file as the documentation has it, cut as the compiler cuts it.
const QUICK_START: &str = r#"
from typing import Annotated, Literal
from typing_extensions import TypedDict
from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
from langchain.chat_models import init_chat_model
from langchain_core.tools import tool
from langgraph.graph import StateGraph, START, END

llm = init_chat_model("openai:gpt-4o")


@tool
def multiply(a: int, b: int) -> int:
    """Multiply a and b."""
    return a * b


tools = [multiply]
tools_by_name = {tool.name: tool for tool in tools}
llm_with_tools = llm.bind_tools(tools)


def llm_call(state: dict):
    """LLM decides whether to call a tool or not"""
    return {
        "messages": [
            llm_with_tools.invoke(
                [SystemMessage(content="You are a helpful assistant.")] + state["messages"]
            )
        ],
        "llm_calls": state.get("llm_calls", 0) + 1,
    }


def tool_node(state: dict):
    result = []
    for tool_call in state["messages"][-1].tool_calls:
        tool = tools_by_name[tool_call["name"]]
        observation = tool.invoke(tool_call["args"])
        result.append(ToolMessage(content=observation, tool_call_id=tool_call["id"]))
    return {"messages": result}


def should_continue(state) -> Literal["tool_node", END]:
    last_message = state["messages"][-1]
    if last_message.tool_calls:
        return "tool_node"
    return END
"#;

#[tokio::test]
async fn a_quick_start_file_runs() {
    let mut program = program(QUICK_START);
    program.tools = serde_json::from_str(
        r#"[{"name":"multiply","function":"multiply","description":"Multiply a and b.",
            "parameters":{"type":"object","properties":{"a":{"type":"integer"}}},"return_direct":false,
            "span":{"start":0,"end":0,"line":1,"column":1,"end_line":1,"end_column":1}}]"#,
    )
    .unwrap();
    let session = session_of(program);
    let mut host = Host::default().on("model.invoke", |call| {
        assert_eq!(call.kwargs["tools"].to_json(), r#"["multiply"]"#);
        Ok(value(r#"{"$type":"message","type":"ai","content":"","tool_calls":[{"name":"multiply","args":{"a":6,"b":7},"id":"1","type":"tool_call"}]}"#))
    });
    let asked = r#"{"messages":[{"$type":"message","type":"human","content":"6*7?"}]}"#;
    let update = host.run(session.call(request("llm_call", &[asked]))).await.value();
    assert_eq!(update.get("llm_calls"), Some(&Value::Int(1)));
    let state = Value::map([("messages", update.get("messages").unwrap().clone())]).to_json();
    let next = host.run(session.call(request("should_continue", &[&state]))).await;
    assert_eq!(next.json(), "\"tool_node\"");
    let done = host.run(session.call(request("tool_node", &[&state]))).await;
    assert_eq!(
        done.json(),
        r#"{"messages":[{"$type":"message","type":"tool","content":"42","tool_call_id":"1","status":"success"}]}"#
    );
    let state = r#"{"messages":[{"$type":"message","type":"ai","content":"42"}]}"#;
    assert_eq!(
        host.run(session.call(request("should_continue", &[state]))).await.json(),
        "\"__end__\""
    );
}

#[tokio::test]
async fn text_of_a_message_is_a_property_and_a_method() {
    let source = "from langchain_core.messages import AIMessage\n\
        def f():\n    m = AIMessage([{'type': 'text', 'text': 'a'}, 'b'])\n    return [m.text, m.text(), m.text.upper(), f'{m.text}!', [x.text for x in [m]]]\n";
    assert_eq!(eval(source).await, r#"["ab","ab","AB","ab!",["ab"]]"#);
}

#[tokio::test]
async fn a_tool_node_called_by_hand_fills_in_the_state() {
    let source = "from typing import Annotated\nfrom langchain_core.messages import AIMessage\nfrom langchain_core.tools import tool, InjectedToolCallId\nfrom langgraph.prebuilt import ToolNode, InjectedState\n\
        @tool\ndef who(greeting: str, state: Annotated[dict, InjectedState], user: Annotated[str, InjectedState('user')], call: Annotated[str, InjectedToolCallId]) -> str:\n    'Greets.'\n    return greeting + ' ' + state['user'] + user + call\n\
        def f():\n    ask = AIMessage('', tool_calls=[{'name': 'who', 'args': {'greeting': 'hi'}, 'id': 'c'}])\n    return ToolNode([who]).invoke({'user': 'ann', 'messages': [ask]})['messages'][0].content\n";
    assert_eq!(eval(source).await, r#""hi annannc""#);
}
