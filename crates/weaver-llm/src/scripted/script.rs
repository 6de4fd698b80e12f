//! The script of the offline model, read strictly: an unknown key, a bad pattern
//! or a rule without an answer is an error with its file, line and column.
//! The format is described in `docs/reference/scripted-model.md`, whose example a test runs.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::error::Error;
use crate::near;
use crate::stream::StopReason;

use super::matching::{Condition, When};
use super::template::Template;

/// A script.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Script {
    #[serde(default)]
    pub name: Option<String>,
    /// For readers of the file.
    #[serde(default, rename = "description")]
    _description: Option<String>,
    #[serde(default)]
    pub delay_ms: u64,
    #[serde(default)]
    pub piece_delay_ms: u64,
    #[serde(default)]
    pub chunk: Option<usize>,
    #[serde(default)]
    pub rules: Vec<Rule>,
    #[serde(default)]
    pub default: Option<Reply>,
}

/// A rule: when, and what then.
#[derive(Debug)]
pub(super) struct Rule {
    pub name: Option<String>,
    pub when: When,
    pub fail: Option<Fail>,
    /// By the step of the turn; the last one goes on answering.
    pub replies: Vec<Reply>,
}

/// An answer as it is written.
#[derive(Clone, Debug, Default)]
pub(super) struct Reply {
    pub reasoning: Option<Template>,
    pub say: Option<Template>,
    pub json: Option<Value>,
    pub tool_calls: Vec<ReplyCall>,
    pub stop: Option<StopReason>,
    pub usage: Option<ReplyUsage>,
    pub delay_ms: Option<u64>,
}

/// A tool call as it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReplyCall {
    pub name: String,
    #[serde(default)]
    pub args: Value,
}

/// Tokens that an answer claims.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReplyUsage {
    #[serde(default)]
    pub input: u64,
    #[serde(default)]
    pub output: u64,
}

/// A failure, the first so many tries.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fail {
    pub kind: FailKind,
    pub times: u32,
    pub retry_after: Option<Duration>,
}

/// What fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum FailKind {
    RateLimited,
    Overloaded,
    Auth,
    Quota,
    Timeout,
    Network,
    #[serde(alias = "context")]
    ContextTooLong,
    #[serde(alias = "filtered")]
    ContentFiltered,
    /// An answer that is no answer: a provider that sends a web page, say.
    Protocol,
    /// The stream breaks off half way.
    Cut,
    /// A good answer that makes no sense: neither JSON nor a sentence.
    Nonsense,
}

/// How fast an answer comes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pace {
    pub delay: Duration,
    pub piece_delay: Duration,
    pub chunk: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Pace { delay: Duration::ZERO, piece_delay: Duration::ZERO, chunk: 24 }
    }
}

impl Script {
    /// Reads a script; `file` is only named in errors and, by its ending, tells
    /// JSON from YAML.
    pub fn parse(file: &str, text: &str) -> Result<Self, Error> {
        let place = |line: usize, column: usize, message: String| Error::Script {
            message: format!("{file}:{line}:{column}: {}", with_near_name(&message)),
        };
        if file.ends_with(".json") {
            return serde_json::from_str(text).map_err(|error| {
                // serde_json ends its message with the place; we begin with it.
                let message = error.to_string();
                let message = message.split(" at line ").next().unwrap_or_default().to_string();
                place(error.line(), error.column(), message)
            });
        }
        serde_yaml_ng::from_str(text).map_err(|error| {
            let (line, column) = error.location().map_or((1, 1), |at| (at.line(), at.column()));
            let message = error.to_string();
            let message = message.split(" at line ").next().unwrap_or_default().to_string();
            place(line, column, message)
        })
    }
}

/// Adds "did you mean" to serde's "unknown field `x`, expected one of `a`, `b`".
fn with_near_name(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let unknown = message.contains("unknown field") || message.contains("unknown variant");
    match (unknown, quoted.next()) {
        (true, Some(word)) => match near::nearest(word, quoted) {
            Some(near) => format!("{message}. Did you mean `{near}`?"),
            None => message.into(),
        },
        _ => message.into(),
    }
}

/// The keys of a rule and of an answer. Both are read as this and then checked,
/// inside the map, so that an error has the place of the rule.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    when: Option<When>,
    #[serde(default)]
    fail: Option<Fail>,
    #[serde(default)]
    reasoning: Option<Template>,
    #[serde(default)]
    say: Option<Template>,
    #[serde(default)]
    json: Option<Value>,
    #[serde(default)]
    tool_calls: Vec<ReplyCall>,
    #[serde(default)]
    stop: Option<StopReason>,
    #[serde(default)]
    usage: Option<ReplyUsage>,
    #[serde(default)]
    delay_ms: Option<u64>,
    #[serde(default)]
    answers: Vec<Reply>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawReply {
    #[serde(default)]
    reasoning: Option<Template>,
    #[serde(default)]
    say: Option<Template>,
    #[serde(default)]
    json: Option<Value>,
    #[serde(default)]
    tool_calls: Vec<ReplyCall>,
    #[serde(default)]
    stop: Option<StopReason>,
    #[serde(default)]
    usage: Option<ReplyUsage>,
    #[serde(default)]
    delay_ms: Option<u64>,
}

impl RawRule {
    fn check(self) -> Result<Rule, String> {
        let RawRule { name, when, fail, reasoning, say, json, tool_calls, .. } = self;
        let (stop, usage, delay_ms) = (self.stop, self.usage, self.delay_ms);
        let inline = Reply { reasoning, say, json, tool_calls, stop, usage, delay_ms };
        let label = name.as_deref().map(|name| format!(" `{name}`")).unwrap_or_default();
        let replies = match (inline.says_something(), self.answers.is_empty()) {
            (true, false) => {
                return Err(format!("the rule{label} has an answer of its own and `answers` too"));
            }
            (true, true) => vec![inline.check().map_err(|e| format!("the rule{label} {e}"))?],
            (false, false) => self.answers,
            (false, true) if fail.is_some_and(|fail| fail.times == u32::MAX) => Vec::new(),
            (false, true) => {
                return Err(format!(
                    "the rule{label} has no answer; give it `say`, `json`, `tool_calls`, `answers` or `fail`"
                ));
            }
        };
        let when = when.unwrap_or_default();
        Ok(Rule { name, when, fail, replies })
    }
}

impl Reply {
    fn says_something(&self) -> bool {
        self.say.is_some() || self.json.is_some() || !self.tool_calls.is_empty()
    }

    fn check(self) -> Result<Self, String> {
        match (&self.say, &self.json) {
            (Some(_), Some(_)) => Err("has both `say` and `json`; one of them is the text".into()),
            _ => Ok(self),
        }
    }
}

impl<'de> Deserialize<'de> for Rule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RuleVisitor;
        impl<'de> Visitor<'de> for RuleVisitor {
            type Value = Rule;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a rule")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Rule, A::Error> {
                RawRule::deserialize(MapAccessDeserializer::new(map))?
                    .check()
                    .map_err(de::Error::custom)
            }
        }
        deserializer.deserialize_map(RuleVisitor)
    }
}

impl<'de> Deserialize<'de> for Reply {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ReplyVisitor;
        impl<'de> Visitor<'de> for ReplyVisitor {
            type Value = Reply;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an answer: a text, or a map with `say`, `json` or `tool_calls`")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Reply, E> {
                let say = Template::parse(text).map_err(E::custom)?;
                Ok(Reply { say: Some(say), ..Reply::default() })
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Reply, A::Error> {
                let raw = RawReply::deserialize(MapAccessDeserializer::new(map))?;
                let RawReply { reasoning, say, json, tool_calls, stop, usage, delay_ms } = raw;
                let reply = Reply { reasoning, say, json, tool_calls, stop, usage, delay_ms };
                if !reply.says_something() {
                    let message = "an answer needs `say`, `json` or `tool_calls`";
                    return Err(de::Error::custom(message));
                }
                reply.check().map_err(|e| de::Error::custom(format!("the answer {e}")))
            }
        }
        deserializer.deserialize_any(ReplyVisitor)
    }
}

impl<'de> Deserialize<'de> for Fail {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct RawFail {
            kind: FailKind,
            #[serde(default)]
            times: Option<u32>,
            #[serde(default)]
            retry_after_ms: Option<u64>,
        }
        struct FailVisitor;
        impl<'de> Visitor<'de> for FailVisitor {
            type Value = Fail;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a kind of failure, or a map with `kind`, `times`, `retry_after_ms`")
            }
            fn visit_str<E: de::Error>(self, word: &str) -> Result<Fail, E> {
                let kind = FailKind::deserialize(de::value::StrDeserializer::new(word))?;
                Ok(Fail { kind, times: u32::MAX, retry_after: None })
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Fail, A::Error> {
                let raw = RawFail::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Fail {
                    kind: raw.kind,
                    times: raw.times.unwrap_or(u32::MAX),
                    retry_after: raw.retry_after_ms.map(Duration::from_millis),
                })
            }
        }
        deserializer.deserialize_any(FailVisitor)
    }
}

impl<'de> Deserialize<'de> for When {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WhenVisitor;
        impl<'de> Visitor<'de> for WhenVisitor {
            type Value = When;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of conditions, or a list of such maps")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<When, A::Error> {
                Ok(When(vec![Condition::deserialize(MapAccessDeserializer::new(map))?]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<When, A::Error> {
                let mut any = Vec::new();
                while let Some(condition) = seq.next_element()? {
                    any.push(condition);
                }
                if any.is_empty() {
                    return Err(de::Error::custom("an empty list of conditions never holds"));
                }
                Ok(When(any))
            }
        }
        deserializer.deserialize_any(WhenVisitor)
    }
}
