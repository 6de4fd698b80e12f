//! What the offline model answers when no script is given: rules that are always
//! the same, that do something useful, and that say what they are.

use std::collections::HashSet;

use crate::chat::{ChatRequest, Part, Role, ToolChoice, ToolDefinition};

use super::answer::{Answer, Call};
use super::facts::Facts;
use super::instance::{Members, instance};

/// Begins every text of ours, so that nobody takes it for a model's.
pub(super) const NOTICE: &str = "[scripted offline model, no real model was asked]";

/// The answer to any request: data when a schema is asked for, a tool call while
/// no result is there, a summary of results or of the message otherwise.
pub(super) fn answer(request: &ChatRequest, facts: &Facts) -> Answer {
    let text = facts.last_user.as_str();
    if let Some(output) = &request.output {
        let schema = serde_json::Value::from(&output.schema);
        let data = instance(&schema, text, Members::All);
        return Answer { text: data.to_string(), ..Answer::default() };
    }
    if facts.tool_results.is_empty() {
        if let Some(tool) = suitable_tool(request, text) {
            let schema = serde_json::Value::from(&tool.parameters);
            let arguments = instance(&schema, text, Members::Required).to_string();
            let calls = vec![Call { name: tool.name.clone(), arguments }];
            return Answer { calls, ..Answer::default() };
        }
        return Answer { text: format!("{NOTICE} {}", summary(text, 3)), ..Answer::default() };
    }
    let lines = facts.tool_results.iter().map(|result| {
        let name = result.name.as_deref().unwrap_or("The tool");
        format!("{name} answered: {}", summary(&result.text, 3))
    });
    let lines: Vec<_> = lines.collect();
    Answer { text: format!("{NOTICE} {}", lines.join("\n")), ..Answer::default() }
}

/// The first sentence (or line), cut at a limit of characters with an ellipsis.
pub(super) fn first_sentence(text: &str, limit: usize) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let end = line.char_indices().find(|(at, c)| {
        let next = line[at + c.len_utf8()..].chars().next();
        matches!(c, '。' | '！' | '？')
            || (matches!(c, '.' | '!' | '?') && next.is_none_or(char::is_whitespace))
    });
    let sentence = end.map_or(line, |(at, c)| &line[..at + c.len_utf8()]);
    cut(sentence, limit)
}

/// The first sentences of the first lines.
fn summary(text: &str, lines: usize) -> String {
    let picked = text.lines().filter(|line| !line.trim().is_empty()).take(lines);
    let picked: Vec<_> = picked.map(|line| first_sentence(line, 240)).collect();
    match picked.is_empty() {
        true => "There was nothing to read.".into(),
        false => picked.join(" "),
    }
}

fn cut(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((at, _)) => format!("{}…", text[..at].trim_end()),
        None => text.into(),
    }
}

/// The tool to call: the one that is demanded, else the one whose name and
/// description share most words with the text, else the first when the text asks
/// for something.
fn suitable_tool<'a>(request: &'a ChatRequest, text: &str) -> Option<&'a ToolDefinition> {
    match &request.tool_choice {
        ToolChoice::None => return None,
        ToolChoice::Tool(name) => return request.tools.iter().find(|tool| tool.name == *name),
        ToolChoice::Auto | ToolChoice::Required => {}
    }
    let asked = words(text);
    let shared = |tool: &ToolDefinition| {
        words(&format!("{} {}", tool.name.replace(['_', '-'], " "), tool.description))
            .intersection(&asked)
            .count()
    };
    let best = request
        .tools
        .iter()
        .map(|tool| (shared(tool), tool))
        .reduce(|best, next| if next.0 > best.0 { next } else { best });
    let asks = text.contains(['?', '？']) || text.split_whitespace().count() >= 4;
    let must = request.tool_choice == ToolChoice::Required;
    best.filter(|(shared, _)| *shared > 0 || asks || must).map(|(_, tool)| tool)
}

fn words(text: &str) -> HashSet<String> {
    text.to_lowercase()
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| word.chars().count() > 3)
        .map(str::to_string)
        .collect()
}

/// About how many tokens a request has: a quarter of its characters.
pub(super) fn tokens_of(request: &ChatRequest) -> u64 {
    let text: usize = request
        .messages
        .iter()
        .map(|message| message.text().chars().count() + calls_length(&message.parts, message.role))
        .sum();
    (text as u64).div_ceil(4)
}

fn calls_length(parts: &[Part], role: Role) -> usize {
    match role {
        Role::Assistant => parts
            .iter()
            .filter_map(Part::as_tool_call)
            .map(|call| call.name.len() + call.arguments.chars().count())
            .sum(),
        _ => 0,
    }
}
