//! What is wrong with a request before it costs anything.

use std::collections::HashSet;

use crate::chat::{ChatRequest, Part, Role, Source, ToolChoice};
use crate::dialect::Dialect;
use crate::error::Error;
use crate::model::ModelRef;
use crate::schema;

/// Refuses what the provider would refuse, or take wrongly.
pub(crate) fn check(request: &ChatRequest, model: &ModelRef) -> Result<(), Error> {
    let outcome = messages(request)
        .and_then(|()| for_model(request, model))
        .and_then(|()| media(request, &Limits::of(model)))
        .and_then(|()| tools(request, model))
        .and_then(|()| numbers(request));
    outcome.map_err(Error::bad_request)
}

/// Orders of messages that one dialect or model does not take.
fn for_model(request: &ChatRequest, model: &ModelRef) -> Result<(), String> {
    let (title, name) = (&model.title, &model.model);
    let spoken = request.messages.iter().any(|message| message.role != Role::System);
    if !spoken && matches!(model.dialect, Dialect::Anthropic | Dialect::Gemini) {
        return Err(format!(
            "The request has instructions and nothing else; {title} needs a message of the user."
        ));
    }
    let last = request.messages.last().map(|message| message.role);
    if model.dialect == Dialect::Anthropic
        && last == Some(Role::Assistant)
        && !crate::anthropic::takes_beginnings(name)
    {
        return Err(format!(
            "The last message is the assistant's, and `{name}` does not go on from one: end with a message of the user or the result of a tool."
        ));
    }
    Ok(())
}

/// What a provider takes of pictures and documents.
struct Limits {
    /// Base64 characters of one.
    one: usize,
    /// Of all in a request.
    all: usize,
    /// Pixels of the longer side of a picture, alone and among more than twenty.
    side: Option<(u32, u32)>,
    /// Kinds of pictures; empty is any.
    pictures: &'static [&'static str],
    /// Beginnings of the kinds of documents; empty is any.
    documents: &'static [&'static str],
}

impl Limits {
    fn of(model: &ModelRef) -> Self {
        let any =
            Limits { one: 28 << 20, all: 64 << 20, side: None, pictures: &[], documents: &[] };
        const USUAL: &[&str] = &["image/jpeg", "image/png", "image/gif", "image/webp"];
        match model.dialect {
            Dialect::Anthropic => Limits {
                all: 32 << 20,
                side: Some((8000, 2000)),
                pictures: USUAL,
                documents: &["application/pdf", "text/"],
                ..any
            },
            Dialect::Gemini => Limits { all: 100 << 20, one: 100 << 20, ..any },
            _ if matches!(model.provider.as_str(), "openai" | "azure") => {
                Limits { all: 50 << 20, one: 50 << 20, ..any }
            }
            _ => any,
        }
    }
}

fn media(request: &ChatRequest, limits: &Limits) -> Result<(), String> {
    let mut found: Vec<(usize, &Source, bool)> = Vec::new();
    for (i, message) in request.messages.iter().enumerate() {
        collect_media(i + 1, &message.parts, &mut found);
    }
    let pictures = found.iter().filter(|(_, _, picture)| *picture).count();
    let mut total = 0;
    for (place, source, is_picture) in found {
        let Source::Base64 { media_type, data } = source else { continue };
        let wrong = match is_picture {
            true => picture(media_type, data, pictures, limits),
            false => document(media_type, data, limits),
        };
        wrong.map_err(|problem| format!("Message {place}: {problem}"))?;
        total += data.len();
    }
    match total > limits.all {
        true => Err(format!(
            "The pictures and documents have {} MiB together; at most {} MiB can be sent.",
            total >> 20,
            limits.all >> 20
        )),
        false => Ok(()),
    }
}

fn collect_media<'a>(place: usize, parts: &'a [Part], found: &mut Vec<(usize, &'a Source, bool)>) {
    for part in parts {
        match part {
            Part::Image { source, .. } => found.push((place, source, true)),
            Part::File { source, .. } => found.push((place, source, false)),
            Part::ToolResult { content, .. } => collect_media(place, content, found),
            _ => {}
        }
    }
}

fn picture(kind: &str, data: &str, count: usize, limits: &Limits) -> Result<(), String> {
    size("the picture", data, limits)?;
    // A common slip, which is mended on the way.
    let kind = if kind == "image/jpg" { "image/jpeg" } else { kind };
    if !limits.pictures.is_empty() && !limits.pictures.contains(&kind) {
        let kinds = limits.pictures.join(", ");
        return Err(format!("a picture of type `{kind}` is not taken; send one of {kinds}."));
    }
    let is = crate::picture::kind(data);
    if let Some(is) = is.filter(|is| *is != kind && !limits.pictures.is_empty()) {
        return Err(format!("the picture is called `{kind}` and is `{is}`."));
    }
    if let (Some((alone, among)), Some((width, height))) = (limits.side, crate::picture::size(data))
    {
        let side = if count > 20 { among } else { alone };
        if width.max(height) > side {
            return Err(format!(
                "the picture has {width} x {height} pixels; at most {side} x {side} are taken. Scale it down."
            ));
        }
    }
    Ok(())
}

fn document(kind: &str, data: &str, limits: &Limits) -> Result<(), String> {
    size("the document", data, limits)?;
    match limits.documents.is_empty() || limits.documents.iter().any(|good| kind.starts_with(good))
    {
        true => Ok(()),
        false => Err(format!("a document of type `{kind}` is not taken; send a PDF, or its text.")),
    }
}

fn size(what: &str, data: &str, limits: &Limits) -> Result<(), String> {
    match data.len() > limits.one {
        true => Err(format!(
            "{what} has {} MiB; at most {} MiB can be sent.",
            data.len() >> 20,
            limits.one >> 20
        )),
        false if data.is_empty() => Err(format!("{what} is empty.")),
        false => Ok(()),
    }
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
                _ => {}
            }
        }
    }
    match open.first() {
        Some(id) => Err(format!("The tool call `{id}` has no result yet; call the tool first.")),
        None => Ok(()),
    }
}

fn tools(request: &ChatRequest, model: &ModelRef) -> Result<(), String> {
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
        if let Some(problem) = schema::problem(&tool.parameters, schema::Rules::of(model)) {
            return Err(format!("The schema of the tool `{name}` {problem}"));
        }
    }
    if let Some(output) = &request.output {
        let rules = schema::Rules { object: false, ..schema::Rules::of(model) };
        if let Some(problem) = schema::problem(&output.schema, rules) {
            return Err(format!("The schema of the answer (`{}`) {problem}", output.name));
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
    use weaver_core::Value;

    use super::*;
    use crate::chat::{ChatMessage, ToolCall, ToolDefinition};

    fn refused(request: &ChatRequest) -> String {
        check(request, &model("openai/gpt-4o")).unwrap_err().to_string()
    }

    fn model(name: &str) -> ModelRef {
        let options = crate::Options::from_vars(|name| name.ends_with("_KEY").then(|| "k".into()));
        crate::model::resolve(name, &options).unwrap()
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
        assert_eq!(check(&request(good), &model("openai/gpt-4o")), Ok(()));
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

    #[test]
    fn orders_that_one_model_does_not_take() {
        let ends = |model_name: &str| {
            let messages = vec![ChatMessage::user("hi"), ChatMessage::assistant("Well,")];
            check(&ChatRequest::new("m", messages), &model(model_name))
        };
        assert!(
            ends("anthropic/claude-opus-4-8").unwrap_err().to_string().contains("last message")
        );
        assert_eq!(ends("anthropic/claude-sonnet-4-5"), Ok(()));
        assert_eq!(ends("openai/gpt-4o"), Ok(()));
        let alone = ChatRequest::new("m", vec![ChatMessage::system("Be brief")]);
        assert!(check(&alone, &model("google/gemini-3-flash")).is_err());
    }

    #[test]
    fn pictures_that_are_too_large_or_are_something_else() {
        let said = |kind: &str, bytes: &[u8], model_name: &str| {
            use base64::Engine;
            let mut bytes = bytes.to_vec();
            bytes.resize(60, 0);
            let data = base64::engine::general_purpose::STANDARD.encode(bytes);
            let source = Source::Base64 { media_type: kind.into(), data };
            let parts = vec![Part::Image { source, detail: None }];
            let request = ChatRequest::new("m", vec![ChatMessage::new(Role::User, parts)]);
            check(&request, &model(model_name)).map_err(|error| error.to_string())
        };
        let wide = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\x1f\x41\0\0\0\x10";
        let error = said("image/png", wide, "claude-sonnet-4-5").unwrap_err();
        assert!(error.contains("8001 x 16 pixels") && error.contains("Message 1"), "{error}");
        assert_eq!(said("image/png", wide, "gemini-2.5-flash"), Ok(()));
        let error = said("image/jpeg", wide, "claude-sonnet-4-5").unwrap_err();
        assert!(error.contains("called `image/jpeg` and is `image/png`"), "{error}");
        assert!(
            said("image/tiff", b"II*", "claude-sonnet-4-5").unwrap_err().contains("image/tiff")
        );
        assert_eq!(said("image/jpeg", wide, "gpt-4o"), Ok(()), "it looks for itself");
        assert_eq!(said("image/jpg", b"\xff\xd8\xff", "claude-sonnet-4-5"), Ok(()));
    }
}
