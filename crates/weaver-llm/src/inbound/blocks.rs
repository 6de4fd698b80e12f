//! Events in the order of the interfaces whose answers are a row of blocks: one
//! block is open at a time, and what is closed stays closed.

use std::collections::VecDeque;

use weaver_core::Value;

use crate::dialect::Dialect;
use crate::stream::ChatEvent;

/// What happens to the row.
pub(super) enum Step {
    /// A block begins.
    Open(Kind),
    /// More of it.
    More(String),
    /// It ends.
    Close {
        kind: Kind,
        /// All that was said in it.
        text: String,
        /// What the provider wants back with a thought.
        opaque: Value,
    },
    /// A thought without words.
    Sealed(Value),
    /// Something of one dialect's own. Without a `type` it is a note on the text
    /// that is open.
    Native { dialect: Dialect, value: Value },
}

/// What a block holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Text,
    Refusal,
    Thought,
    Call { id: String, name: String },
}

/// The row so far.
#[derive(Default)]
pub(super) struct Row {
    open: Option<Open>,
    /// Calls that began before the open one had ended: some providers tell several
    /// at once. Each has its turn.
    waiting: VecDeque<Open>,
}

struct Open {
    kind: Kind,
    text: String,
    /// Which call of the answer it is.
    call: Option<usize>,
}

impl Row {
    /// Takes the next event.
    pub fn push(&mut self, event: &ChatEvent, out: &mut Vec<Step>) {
        match event {
            ChatEvent::Text { text } => self.say(Kind::Text, text, out),
            ChatEvent::Refusal { text } => self.say(Kind::Refusal, text, out),
            ChatEvent::Reasoning { text, opaque } => self.think(text, opaque, out),
            ChatEvent::Native { dialect, value } => {
                let step = Step::Native { dialect: *dialect, value: value.clone() };
                if value.get("type").is_some() {
                    self.close_all(out);
                    out.push(step);
                } else {
                    out.push(step);
                    self.close_all(out);
                }
            }
            ChatEvent::ToolCallStart { index, id, name } => {
                let kind = Kind::Call { id: id.clone(), name: name.clone() };
                let call = Open { kind, text: String::new(), call: Some(*index) };
                match &self.open {
                    Some(open) if open.is_unfinished_call() => self.waiting.push_back(call),
                    _ => {
                        self.close_all(out);
                        self.begin(call, out);
                    }
                }
            }
            ChatEvent::ToolCallDelta { index, arguments } => self.argue(*index, arguments, out),
            ChatEvent::Finish { .. } => self.close_all(out),
            ChatEvent::Start(_) | ChatEvent::Usage(_) => {}
        }
    }

    /// What the open block holds.
    pub fn open_kind(&self) -> Option<&Kind> {
        self.open.as_ref().map(|open| &open.kind)
    }

    fn say(&mut self, kind: Kind, text: &str, out: &mut Vec<Step>) {
        if self.open.as_ref().is_none_or(|open| open.kind != kind) {
            self.close_all(out);
            self.begin(Open { kind, text: String::new(), call: None }, out);
        }
        self.more(text, out);
    }

    fn think(&mut self, text: &str, opaque: &Value, out: &mut Vec<Step>) {
        let thinks = self.open.as_ref().is_some_and(|open| open.kind == Kind::Thought);
        if !text.is_empty() {
            self.say(Kind::Thought, text, out);
        } else if !thinks && !opaque.is_null() {
            self.close_all(out);
            out.push(Step::Sealed(opaque.clone()));
            return;
        }
        if !opaque.is_null() {
            self.close(opaque.clone(), out);
        }
    }

    fn argue(&mut self, index: usize, arguments: &str, out: &mut Vec<Step>) {
        let open = self.open.as_ref().and_then(|open| open.call);
        if open == Some(index) {
            self.more(arguments, out);
        } else if let Some(call) = self.waiting.iter_mut().find(|call| call.call == Some(index)) {
            call.text.push_str(arguments);
        }
        while !self.waiting.is_empty()
            && self.open.as_ref().is_some_and(|open| !open.is_unfinished_call())
        {
            self.close(Value::Null, out);
            self.next(out);
        }
    }

    fn more(&mut self, text: &str, out: &mut Vec<Step>) {
        if let Some(open) = &mut self.open {
            open.text.push_str(text);
            out.push(Step::More(text.into()));
        }
    }

    fn begin(&mut self, open: Open, out: &mut Vec<Step>) {
        out.push(Step::Open(open.kind.clone()));
        if !open.text.is_empty() {
            out.push(Step::More(open.text.clone()));
        }
        self.open = Some(open);
    }

    fn close(&mut self, opaque: Value, out: &mut Vec<Step>) {
        if let Some(Open { kind, text, .. }) = self.open.take() {
            out.push(Step::Close { kind, text, opaque });
        }
    }

    fn next(&mut self, out: &mut Vec<Step>) {
        if let Some(call) = self.waiting.pop_front() {
            self.begin(call, out);
        }
    }

    fn close_all(&mut self, out: &mut Vec<Step>) {
        self.close(Value::Null, out);
        while !self.waiting.is_empty() {
            self.next(out);
            self.close(Value::Null, out);
        }
    }
}

impl Open {
    /// Whether more of its arguments may come.
    fn is_unfinished_call(&self) -> bool {
        self.call.is_some() && serde_json::from_str::<serde::de::IgnoredAny>(&self.text).is_err()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(events: &[ChatEvent]) -> String {
        let mut row = Row::default();
        let mut steps = Vec::new();
        events.iter().for_each(|event| row.push(event, &mut steps));
        let word = |step: &Step| match step {
            Step::Open(Kind::Call { id, .. }) => format!("+{id}"),
            Step::Open(kind) => format!("+{kind:?}"),
            Step::More(text) => text.clone(),
            Step::Close { text, opaque, .. } if opaque.is_null() => format!("-[{text}]"),
            Step::Close { text, .. } => format!("-[{text}]!"),
            Step::Sealed(_) => "!".into(),
            Step::Native { .. } => "*".into(),
        };
        steps.iter().map(word).collect::<Vec<_>>().join(" ")
    }

    fn start(index: usize) -> ChatEvent {
        ChatEvent::ToolCallStart { index, id: format!("c{index}"), name: "f".into() }
    }

    fn delta(index: usize, text: &str) -> ChatEvent {
        ChatEvent::ToolCallDelta { index, arguments: text.into() }
    }

    fn finish() -> ChatEvent {
        ChatEvent::Finish { reason: crate::StopReason::End, raw: None }
    }

    #[test]
    fn calls_that_are_told_at_once_have_their_turns() {
        let row = [start(0), delta(0, "{"), start(1), delta(1, "{}"), delta(0, "}"), finish()];
        assert_eq!(told(&row), "+c0 { } -[{}] +c1 {} -[{}]");
        let row = [start(0), delta(0, "{}"), start(1), delta(1, "{"), delta(1, "}"), finish()];
        assert_eq!(told(&row), "+c0 {} -[{}] +c1 { } -[{}]");
        let row = [start(0), start(1), finish()];
        assert_eq!(told(&row), "+c0 -[] +c1 -[]");
    }

    #[test]
    fn thoughts_end_with_their_seals() {
        let thought = |text: &str, opaque: &str| ChatEvent::Reasoning {
            text: text.into(),
            opaque: if opaque.is_empty() { Value::Null } else { Value::str(opaque) },
        };
        let text = || ChatEvent::Text { text: "hi".into() };
        let row = [thought("a", ""), thought("b", "s"), thought("c", ""), text(), finish()];
        assert_eq!(told(&row), "+Thought a b -[ab]! +Thought c -[c] +Text hi -[hi]");
        assert_eq!(
            told(&[text(), thought("", "s"), text(), finish()]),
            "+Text hi -[hi] ! +Text hi -[hi]"
        );
        let note = ChatEvent::Native {
            dialect: Dialect::Anthropic,
            value: Value::map([("citations", Value::Null)]),
        };
        assert_eq!(told(&[text(), note, text(), finish()]), "+Text hi * -[hi] +Text hi -[hi]");
    }
}
