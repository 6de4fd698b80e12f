//! One answer of the offline model, and how it is told as a stream.

use std::time::Duration;

use futures::stream;
use weaver_core::event::Usage;
use weaver_core::{Map, Value};

use crate::chat::ChatRequest;
use crate::error::{Error, Phase};
use crate::stream::{AnswerHead, ChatEvent, ChatStream, StopReason, TokenUsage};

use super::builtin;
use super::script::{FailKind, Pace};

/// What is answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Answer {
    pub reasoning: String,
    pub text: String,
    pub calls: Vec<Call>,
    pub stop: Option<StopReason>,
    pub usage: Option<(u64, u64)>,
    /// Breaks off after half of the pieces.
    pub cut: bool,
    pub pace: Pace,
    /// The rule that answers; none for the built-in ones.
    pub rule: Option<String>,
}

/// A call of a tool.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Call {
    pub name: String,
    pub arguments: String,
}

/// The name of the model in answers, whatever was asked for.
pub(super) const MODEL: &str = "scripted";
const TITLE: &str = "The scripted offline model";

impl Answer {
    /// The answer as a stream at its pace.
    pub fn into_stream(self, request: &ChatRequest, call: u32, tries: u32) -> ChatStream {
        let Pace { delay, piece_delay, .. } = self.pace;
        let cut = self.cut;
        let events = self.events(request, call, tries);
        let count = if cut { events.len().div_ceil(2) } else { events.len() };
        let good = events.into_iter().take(count).map(Ok);
        let end = cut.then(|| Err(Error::cut(TITLE, "the script says so")));
        let items = good.chain(end).enumerate();
        ChatStream::new(stream::unfold(items, move |mut items| async move {
            let (i, item) = items.next()?;
            let pause = if i == 0 { delay } else { piece_delay };
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            Some((item, items))
        }))
    }

    fn events(self, request: &ChatRequest, call: u32, tries: u32) -> Vec<ChatEvent> {
        let Answer { reasoning, text, calls, stop, usage, pace, rule, .. } = self;
        let (input, output) = usage.unwrap_or_else(|| {
            let said = reasoning.chars().count()
                + text.chars().count()
                + calls.iter().map(|call| call.arguments.chars().count()).sum::<usize>();
            (builtin::tokens_of(request), (said as u64).div_ceil(4))
        });
        let metadata = rule.map(|rule| ("rule".into(), Value::str(rule)));
        let mut events = vec![ChatEvent::Start(AnswerHead {
            id: None,
            model: MODEL.into(),
            provider: MODEL.into(),
            offline: true,
            cached: false,
            attempts: tries + 1,
            metadata: metadata.into_iter().collect::<Map>(),
        })];
        events.extend(
            pieces(&reasoning, pace.chunk)
                .map(|text| ChatEvent::Reasoning { text, opaque: Value::Null }),
        );
        events.extend(pieces(&text, pace.chunk).map(|text| ChatEvent::Text { text }));
        let stop = stop.unwrap_or(match calls.is_empty() {
            true => StopReason::End,
            false => StopReason::ToolCalls,
        });
        for (index, one) in calls.into_iter().enumerate() {
            // Unique within a conversation and the same in any process.
            let id = format!("call_{call}_{index}");
            events.push(ChatEvent::ToolCallStart { index, id, name: one.name });
            events.extend(
                pieces(&one.arguments, pace.chunk)
                    .map(|arguments| ChatEvent::ToolCallDelta { index, arguments }),
            );
        }
        let tokens = Usage { input, output, ..Usage::default() };
        events.push(ChatEvent::Usage(TokenUsage::from(tokens)));
        events.push(ChatEvent::Finish { reason: stop, raw: None });
        events
    }
}

/// The error that a failure of the script stands for.
pub(super) fn failure(kind: FailKind, retry_after: Option<Duration>) -> Error {
    let provider = TITLE.to_string();
    let message = "the script says so".to_string();
    match kind {
        FailKind::RateLimited => Error::RateLimited { provider, message, reset: retry_after },
        FailKind::Overloaded => {
            Error::Overloaded { provider, message, status: 503, reset: retry_after }
        }
        FailKind::Auth => Error::Auth { provider, message, variable: "nothing".into() },
        FailKind::Quota => Error::Quota { provider, message },
        FailKind::Timeout => {
            Error::Timeout { provider, phase: Phase::FirstToken, limit: Duration::ZERO }
        }
        FailKind::Network => Error::Network { provider, address: "nowhere".into(), message },
        FailKind::ContextTooLong => {
            Error::ContextTooLong { provider, message: "The script says so.".into() }
        }
        FailKind::ContentFiltered => Error::ContentFiltered { provider, message },
        FailKind::Protocol => Error::protocol(TITLE, message),
        FailKind::Cut | FailKind::Nonsense => Error::cut(TITLE, message),
    }
}

/// A text in pieces of so many characters.
fn pieces(text: &str, size: usize) -> impl Iterator<Item = String> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = rest.char_indices().nth(size.max(1)).map_or(rest.len(), |(at, _)| at);
        let (piece, more) = rest.split_at(end);
        rest = more;
        Some(piece.to_string())
    })
}
