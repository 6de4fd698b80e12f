//! An answer on its way: what the readers of all dialects have in common.

use std::collections::{BTreeSet, VecDeque};

use weaver_core::{Map, Value};

use crate::dialect::Dialect;
use crate::error::Error;
use crate::model::ModelRef;
use crate::stream::{AnswerHead, ChatEvent, StopReason, TokenUsage};

/// Turns what a dialect reads into events, and keeps their promises: the head
/// first and once, dense indices of calls, usage and finish last.
pub(crate) struct Answer {
    pub model: ModelRef,
    tries: u32,
    /// How many messages the request has; part of the ids that we make up.
    messages: usize,
    started: bool,
    calls: usize,
    /// Calls that nothing was said to yet.
    silent: BTreeSet<usize>,
    refused: bool,
    usage: Option<TokenUsage>,
    stop: Option<(StopReason, Option<String>)>,
    events: VecDeque<ChatEvent>,
}

impl Answer {
    /// The answer of a model to a request of so many messages, after so many tries.
    pub fn new(model: &ModelRef, tries: u32, messages: usize) -> Self {
        Answer {
            model: model.clone(),
            tries,
            messages,
            started: false,
            calls: 0,
            silent: BTreeSet::new(),
            refused: false,
            usage: None,
            stop: None,
            events: VecDeque::new(),
        }
    }

    /// The next event for the caller.
    pub fn next(&mut self) -> Option<ChatEvent> {
        self.events.pop_front()
    }

    /// Begins, unless it has begun. Empty texts count as absent.
    pub fn start(&mut self, id: Option<&str>, model: Option<&str>, metadata: Map) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let model = model.filter(|model| !model.is_empty()).unwrap_or(&self.model.model);
        self.events.push_back(ChatEvent::Start(AnswerHead {
            id: id.filter(|id| !id.is_empty()).map(str::to_string),
            model: model.into(),
            provider: self.model.provider.clone(),
            offline: false,
            cached: false,
            attempts: self.tries + 1,
            metadata,
        }));
    }

    pub fn is_started(&self) -> bool {
        self.started
    }

    pub fn text(&mut self, text: &str) {
        if !text.is_empty() {
            self.say(ChatEvent::Text { text: text.into() });
        }
    }

    pub fn reasoning(&mut self, text: &str, opaque: Value) {
        if !text.is_empty() || !opaque.is_null() {
            self.say(ChatEvent::Reasoning { text: text.into(), opaque });
        }
    }

    pub fn refusal(&mut self, text: &str) {
        if !text.is_empty() {
            self.refused = true;
            self.say(ChatEvent::Refusal { text: text.into() });
        }
    }

    /// Something of the provider's own.
    pub fn native(&mut self, dialect: Dialect, value: &serde_json::Value) {
        self.say(ChatEvent::Native { dialect, value: value.into() });
    }

    /// Begins a call and gives its index.
    pub fn call(&mut self, id: Option<&str>, name: &str) -> usize {
        let index = self.calls;
        self.calls += 1;
        self.silent.insert(index);
        let id = match id.filter(|id| !id.is_empty()) {
            Some(id) => id.to_string(),
            None => format!("call_{}_{index}", self.messages),
        };
        self.say(ChatEvent::ToolCallStart { index, id, name: name.into() });
        index
    }

    /// The id that the next call gets when the provider gives none.
    pub fn made_up_id(&self) -> String {
        format!("call_{}_{}", self.messages, self.calls)
    }

    pub fn arguments(&mut self, index: usize, arguments: &str) {
        if !arguments.is_empty() {
            self.silent.remove(&index);
            self.say(ChatEvent::ToolCallDelta { index, arguments: arguments.into() });
        }
    }

    /// Tokens so far, told at once: the last word follows at the end.
    pub fn usage_so_far(&mut self, usage: TokenUsage) {
        self.say(ChatEvent::Usage(usage));
    }

    /// Tokens so far; the last word counts.
    pub fn usage(&mut self, usage: TokenUsage) {
        self.usage = Some(usage);
    }

    /// Why it ended, in our word and the provider's. Calls and refusals that were
    /// read correct a plain end: several providers say `stop` after them.
    pub fn stop(&mut self, reason: StopReason, raw: &str) {
        self.stop = Some((reason, (!raw.is_empty()).then(|| raw.to_string())));
    }

    pub fn is_stopped(&self) -> bool {
        self.stop.is_some()
    }

    /// The last events, or the error of an answer that never said why it ended.
    pub fn end(&mut self) -> Result<(), Error> {
        if !self.started {
            return Err(self.unreadable("it is empty"));
        }
        let Some((reason, raw)) = self.stop.take() else {
            return Err(Error::cut(&self.model.title, "the connection closed before the end"));
        };
        let reason = match reason {
            _ if self.refused => StopReason::Refusal,
            StopReason::End if self.calls > 0 => StopReason::ToolCalls,
            reason => reason,
        };
        // Servers leave out the arguments of a call that has none; clients read JSON.
        for index in std::mem::take(&mut self.silent) {
            self.events.push_back(ChatEvent::ToolCallDelta { index, arguments: "{}".into() });
        }
        self.events.push_back(ChatEvent::Usage(self.usage.take().unwrap_or_default()));
        self.events.push_back(ChatEvent::Finish { reason, raw });
        Ok(())
    }

    pub fn unreadable(&self, message: impl Into<String>) -> Error {
        Error::protocol(&self.model.title, message)
    }

    fn say(&mut self, event: ChatEvent) {
        self.start(None, None, Map::new());
        self.events.push_back(event);
    }
}

/// A count as servers write it: a number, one with a fraction of zero, or a text.
pub(crate) fn whole_number(value: &serde_json::Value) -> Option<u64> {
    let exact = value.as_u64();
    let round = || value.as_f64().filter(|n| n.fract() == 0.0 && *n >= 0.0).map(|n| n as u64);
    exact.or_else(round).or_else(|| value.as_str()?.trim().parse().ok())
}

/// Whether a value has an error in it. Some servers have the member in every answer.
pub(crate) fn has_error(value: &serde_json::Value) -> bool {
    match value.get("error") {
        None | Some(serde_json::Value::Null | serde_json::Value::Bool(false)) => false,
        Some(serde_json::Value::String(text)) => !text.is_empty(),
        Some(serde_json::Value::Object(members)) => !members.is_empty(),
        Some(_) => true,
    }
}

/// A JSON value's text members, for metadata worth keeping.
pub(crate) fn metadata(value: &serde_json::Value, keys: &[&str]) -> Map {
    let mut metadata = Map::new();
    for key in keys {
        if let Some(text) = value[*key].as_str().filter(|text| !text.is_empty()) {
            metadata.insert((*key).into(), text.into());
        }
    }
    metadata
}
