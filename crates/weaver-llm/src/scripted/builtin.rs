//! What the offline model answers when no script is given: rules that are always
//! the same, that do something useful, and that say what they are.

use crate::chat::{ChatRequest, Part, Role, ToolChoice, ToolDefinition};

use super::answer::{Answer, Call};
use super::facts::Facts;
use super::instance::{Purpose, Subject, instance};
use super::reading;

/// Begins every text of ours, so that nobody takes it for a model's.
pub(super) const NOTICE: &str = "[scripted offline model, no real model was asked]";

/// The answer to any request: a tool call while one is asked for that has not
/// answered, data when a schema is asked for, a summary of results or of the
/// message otherwise.
pub(super) fn answer(request: &ChatRequest, facts: &Facts) -> Answer {
    if let Some(call) = next_call(request, facts) {
        return Answer { calls: vec![call], ..Answer::default() };
    }
    if let Some(output) = &request.output {
        let schema = serde_json::Value::from(&output.schema);
        let data = instance(&schema, &subject(request, facts), Purpose::Answer);
        return Answer { text: data.to_string(), ..Answer::default() };
    }
    if facts.tool_results.is_empty() {
        let text = summary(&facts.last_user, 3);
        return Answer { text: format!("{NOTICE} {text}"), ..Answer::default() };
    }
    let lines = facts.tool_results.iter().map(|result| {
        let name = result.name.as_deref().unwrap_or("The tool");
        format!("{name} answered: {}", summary(&result.text, 3))
    });
    let lines: Vec<_> = lines.collect();
    Answer { text: format!("{NOTICE} {}", lines.join("\n")), ..Answer::default() }
}

/// What data is made from: what tools answered, else the message.
fn subject(request: &ChatRequest, facts: &Facts) -> Subject {
    let results = facts.tool_results.iter().filter(|result| !result.is_error);
    let results: Vec<&str> = results.map(|result| result.text.as_str()).collect();
    let text = match results.is_empty() {
        true => facts.last_user.clone(),
        false => format!("{}\n{}", results.join("\n"), facts.last_user),
    };
    let last = request.messages.last();
    let went_on = last.is_some_and(|last| last.role != Role::User || last.name.is_some());
    let all = format!("{}\n{}", facts.system, facts.last_user);
    Subject { text, all, numbers: Vec::new(), went_on }
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

/// The next call of a tool. A tool is called once in a turn, in the order in which
/// the message's sentences name tools; an error ends it. Results of tools that
/// are not offered are another agent's: they answer nothing here, and more calls of
/// their family (`transfer_to_…`) would only pass the work around.
fn next_call(request: &ChatRequest, facts: &Facts) -> Option<Call> {
    let (own, others): (Vec<_>, Vec<_>) = facts
        .tool_results
        .iter()
        .partition(|result| result.name.as_ref().is_none_or(|name| facts.tools.contains(name)));
    if own.iter().any(|result| result.is_error) {
        return None;
    }
    let family = |name: &str| name.split(['_', '-']).next().map(str::to_string);
    let passed: Vec<_> = others.iter().filter_map(|result| family(result.name.as_ref()?)).collect();
    let is_left = |tool: &&ToolDefinition| {
        !own.iter().any(|result| result.name.as_ref().is_none_or(|name| *name == tool.name))
            && !family(&tool.name).is_some_and(|family| passed.contains(&family))
    };
    let tools: Vec<&ToolDefinition> = request.tools.iter().filter(is_left).collect();
    let text = facts.last_user.as_str();
    let (tool, text) = match &request.tool_choice {
        ToolChoice::None => return None,
        ToolChoice::Tool(name) => {
            let tool = tools.iter().find(|tool| tool.name == *name)?;
            (*tool, text.to_string())
        }
        ToolChoice::Auto | ToolChoice::Required => {
            let must = request.tool_choice == ToolChoice::Required && own.is_empty();
            planned(&request.tools, text, own.len())
                .filter(|(tool, _)| is_left(tool))
                .or_else(|| suitable(&tools, text, must).filter(|_| own.is_empty()))?
        }
    };
    let schema = serde_json::Value::from(&tool.parameters);
    let mut subject = Subject { text, ..Subject::default() };
    if let Some(last) = own.last() {
        // "Add 3 and 4, then double it": the sum is the first number of the next call.
        subject.numbers = reading::numbers(&last.text).take(1).collect();
    }
    let arguments = instance(&schema, &subject, Purpose::Arguments).to_string();
    Some(Call { name: tool.name.clone(), arguments })
}

/// The tool that the next sentence names, if sentences name tools.
fn planned<'a>(
    tools: &'a [ToolDefinition],
    text: &str,
    done: usize,
) -> Option<(&'a ToolDefinition, String)> {
    let named = reading::clauses(text).into_iter().filter_map(|clause| {
        let asked = reading::words(&clause);
        let score = |tool: &ToolDefinition| reading::shared(&name_words(tool), &asked);
        let best = first_best(tools.iter().map(|tool| (score(tool), tool)))?;
        (best.0 > 0).then_some((best.1, clause))
    });
    let mut named: Vec<_> = named.collect();
    named.dedup_by(|next, last| next.0.name == last.0.name);
    match named.len() {
        // One tool: the other sentences may hold its arguments.
        1 if done == 0 => Some((named[0].0, text.to_string())),
        _ => named.into_iter().nth(done),
    }
}

/// The tool whose name and description share most words with the text; the first
/// when the text asks for something or a call is demanded.
fn suitable<'a>(
    tools: &[&'a ToolDefinition],
    text: &str,
    must: bool,
) -> Option<(&'a ToolDefinition, String)> {
    let asked = reading::words(text);
    let score = |tool: &ToolDefinition| {
        let described = reading::words(&tool.description);
        2 * reading::shared(&name_words(tool), &asked) + reading::shared(&described, &asked)
    };
    let (score, tool) = first_best(tools.iter().map(|tool| (score(tool), *tool)))?;
    (score > 0 || must || reading::asks(text)).then(|| (tool, text.to_string()))
}

fn name_words(tool: &ToolDefinition) -> Vec<String> {
    reading::words(&tool.name.replace(['_', '-'], " "))
}

/// The first of those with the highest score.
fn first_best<T>(scored: impl Iterator<Item = (usize, T)>) -> Option<(usize, T)> {
    scored.reduce(|best, next| if next.0 > best.0 { next } else { best })
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
