//! What rules may look at: read from the request alone, so that the same request
//! gets the same answer in any process, before and after a crash.

use std::collections::HashMap;

use crate::chat::{ChatRequest, Part, Role, text_of};

/// The facts of a request.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    /// Text of the last user message.
    pub last_user: String,
    /// Texts of all system messages, joined by lines.
    pub system: String,
    /// The model's name as it was asked for.
    pub model: String,
    /// Results that came after the last user message, oldest first.
    pub tool_results: Vec<ToolResult>,
    /// How many user messages there are.
    pub turn: u32,
    /// How many answers the model gave before, in the whole conversation, plus 1.
    pub call: u32,
    /// The same, counted since the last user message.
    pub step: u32,
    /// Name of the schema that is asked for.
    pub schema: Option<String>,
    /// Names of the tools that are offered.
    pub tools: Vec<String>,
    /// Role and text of every message.
    pub messages: Vec<(&'static str, String)>,
}

/// The result of a tool call.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ToolResult {
    /// The tool, where the request says or the call is in it.
    pub name: Option<String>,
    /// Its text.
    pub text: String,
    /// Whether it failed.
    pub is_error: bool,
}

impl Facts {
    /// Reads a request.
    pub fn of(request: &ChatRequest) -> Self {
        let mut facts = Facts {
            model: request.model.clone(),
            schema: request.output.as_ref().map(|output| output.name.clone()),
            tools: request.tools.iter().map(|tool| tool.name.clone()).collect(),
            call: 1,
            step: 1,
            ..Facts::default()
        };
        let mut names = HashMap::new();
        for message in &request.messages {
            let text = message.text();
            match message.role {
                Role::System => {
                    let separator = if facts.system.is_empty() { "" } else { "\n" };
                    facts.system.push_str(separator);
                    facts.system.push_str(&text);
                }
                Role::User => {
                    facts.last_user = text.clone();
                    facts.turn += 1;
                    facts.step = 1;
                    facts.tool_results.clear();
                }
                Role::Assistant => {
                    facts.call += 1;
                    facts.step += 1;
                    names.extend(message.tool_calls().map(|call| (&call.id, &call.name)));
                }
                Role::Tool => facts.tool_results.extend(message.parts.iter().filter_map(|part| {
                    let Part::ToolResult { call_id, name, content, is_error } = part else {
                        return None;
                    };
                    let name = name.clone().or_else(|| names.get(call_id).map(|n| (*n).clone()));
                    Some(ToolResult { name, text: text_of(content), is_error: *is_error })
                })),
            }
            facts.messages.push((role_word(message.role), text));
        }
        facts
    }

    /// The text of the last tool result.
    pub fn last_result(&self) -> Option<&ToolResult> {
        self.tool_results.last()
    }
}

fn role_word(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
    }
}
