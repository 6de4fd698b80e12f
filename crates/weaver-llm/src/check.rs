//! What is wrong with a request before it costs anything.

use std::collections::HashSet;

use weaver_core::Value;

use crate::chat::{ChatRequest, Part, Role, Source, ToolChoice};
use crate::error::Error;

/// Largest picture or document that is sent, in base64 characters.
const MEDIA_MAX: usize = 28 << 20;

/// Refuses what every provider would refuse, or take wrongly.
pub(crate) fn check(request: &ChatRequest) -> Result<(), Error> {
    let outcome = messages(request).and_then(|()| tools(request)).and_then(|()| numbers(request));
    outcome.map_err(Error::bad_request)
}

fn messages(request: &ChatRequest) -> Result<(), String> {
    if request.messages.is_empty() {
        return Err("The request has no messages.".into());
    }
    // Calls that are still without a result, in order.
    let mut open: Vec<&str> = Vec::new();
    for (i, message) in request.messages.iter().enumerate() {
        let place = i + 1;
        if message.role != Role::Tool && !open.is_empty() {
            return Err(format!(
                "Message {place} comes before the result of the tool call `{}`; each call needs its result first.",
                open[0]
            ));
        }
        for part in &message.parts {
            match (part, message.role) {
                (Part::ToolResult { call_id, .. }, Role::Tool) => {
                    let known = open.iter().position(|id| id == call_id).ok_or_else(|| {
                        format!(
                            "Message {place} answers the tool call `{call_id}`, which the message before it does not make."
                        )
                    })?;
                    open.remove(known);
                }
                (_, Role::Tool) => {
                    return Err(format!("Message {place} of a tool may hold only results."));
                }
                (Part::ToolCall(call), Role::Assistant) => open.push(&call.id),
                (Part::ToolCall(_), _) => {
                    return Err(format!("Message {place} calls a tool; only the assistant may."));
                }
                (Part::ToolResult { .. }, _) => {
                    return Err(format!(
                        "Message {place} holds a tool result; its role must be tool."
                    ));
                }
                (Part::Image { source, .. } | Part::File { source, .. }, _) => {
                    media(source).map_err(|problem| format!("Message {place}: {problem}"))?;
                }
                _ => {}
            }
        }
    }
    match open.first() {
        Some(id) => Err(format!("The tool call `{id}` has no result yet; call the tool first.")),
        None => Ok(()),
    }
}

fn media(source: &Source) -> Result<(), String> {
    match source {
        Source::Base64 { data, .. } if data.len() > MEDIA_MAX => Err(format!(
            "the picture or document has {} MiB; at most {} MiB can be sent.",
            data.len() >> 20,
            MEDIA_MAX >> 20
        )),
        _ => Ok(()),
    }
}

fn tools(request: &ChatRequest) -> Result<(), String> {
    let mut names = HashSet::new();
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    for tool in &request.tools {
        let name = &tool.name;
        if name.is_empty() || name.len() > 64 || !name.chars().all(good) {
            return Err(format!(
                "`{name}` is no name for a tool; use letters, digits, `_` and `-`, at most 64."
            ));
        }
        if !names.insert(name) {
            return Err(format!("Two tools have the name `{name}`."));
        }
        let kind = tool.parameters.get("type").and_then(Value::as_str);
        let empty = tool.parameters.as_map().is_some_and(|map| map.is_empty());
        if !empty && kind != Some("object") {
            return Err(format!(
                "The schema of the tool `{name}` must have `\"type\": \"object\"` at its top."
            ));
        }
    }
    match &request.tool_choice {
        ToolChoice::Tool(name) if !names.contains(name) => {
            let near = crate::near::nearest(name, names.iter().map(|name| name.as_str()));
            let hint = near.map(|near| format!(" Did you mean `{near}`?")).unwrap_or_default();
            Err(format!("The tool `{name}` must be called and is not offered.{hint}"))
        }
        ToolChoice::Required if names.is_empty() => {
            Err("A tool must be called and none is offered.".into())
        }
        _ => Ok(()),
    }
}

fn numbers(request: &ChatRequest) -> Result<(), String> {
    match (request.temperature, request.max_tokens) {
        (Some(t), _) if !(0.0..=2.0).contains(&t) => {
            Err(format!("A temperature must lie between 0 and 2, not at {t}."))
        }
        (_, Some(0)) => Err("`max_tokens` must be at least 1.".into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{ChatMessage, ToolCall, ToolDefinition};

    fn refused(request: &ChatRequest) -> String {
        check(request).unwrap_err().to_string()
    }

    fn calling(id: &str) -> ChatMessage {
        let call = ToolCall { id: id.into(), name: "f".into(), arguments: "{}".into() };
        ChatMessage::new(Role::Assistant, vec![Part::ToolCall(call)])
    }

    #[test]
    fn messages_in_an_impossible_order() {
        let user = || ChatMessage::user("hi");
        let request = |messages| ChatRequest::new("m", messages);
        assert!(refused(&request(vec![])).contains("no messages"));
        assert!(refused(&request(vec![user(), calling("a"), user()])).contains("Message 3"));
        let stray = ChatMessage::tool_result("b", "4");
        assert!(refused(&request(vec![user(), calling("a"), stray])).contains("`b`"));
        assert!(refused(&request(vec![user(), calling("a")])).contains("no result yet"));
        let good = vec![user(), calling("a"), ChatMessage::tool_result("a", "4"), user()];
        assert_eq!(check(&request(good)), Ok(()));
    }

    #[test]
    fn tools_that_no_provider_takes() {
        let tool = |name: &str, schema: &str| ToolDefinition {
            name: name.into(),
            description: String::new(),
            parameters: Value::from_json(schema).unwrap(),
        };
        let request = |tools, choice| ChatRequest {
            tools,
            tool_choice: choice,
            ..ChatRequest::new("m", vec![ChatMessage::user("hi")])
        };
        let auto = ToolChoice::Auto;
        let said = refused(&request(vec![tool("a b", "{}")], auto.clone()));
        assert!(said.contains("`a b`"), "{said}");
        let said = refused(&request(vec![tool("a", r#"{"type":"string"}"#)], auto));
        assert!(said.contains("`a`") && said.contains("object"), "{said}");
        let choice = ToolChoice::Tool("serch".into());
        let said = refused(&request(vec![tool("search", "{}")], choice));
        assert!(said.contains("Did you mean `search`?"), "{said}");
    }
}
