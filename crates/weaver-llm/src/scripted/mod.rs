//! The `scripted` offline model: it follows a [script](script) or, without one,
//! [built-in rules](builtin). It is a function of the request (and of how often
//! the call was tried), keeps no state and asks nobody.

mod answer;
mod builtin;
mod facts;
mod instance;
mod matching;
mod reading;
mod script;
mod template;

use std::path::Path;
use std::time::Duration;

use crate::chat::ChatRequest;
use crate::error::Error;
use crate::stream::ChatStream;

use answer::{Answer, Call};
use facts::Facts;
use script::{Fail, FailKind, Pace, Reply, Rule, Script};
use template::Scope;

/// The offline model with its script, if it has one.
#[derive(Debug, Default)]
pub(crate) struct Scripted {
    /// The file as the user named it.
    file: String,
    script: Option<Script>,
}

impl Scripted {
    /// Reads a script; an empty path gives the built-in rules.
    pub fn load(path: &str) -> Result<Self, Error> {
        if path.is_empty() {
            return Ok(Scripted::default());
        }
        let text = std::fs::read_to_string(Path::new(path)).map_err(|error| Error::Script {
            message: format!("The script {path} cannot be read: {error}."),
        })?;
        Ok(Scripted { file: path.into(), script: Some(Script::parse(path, &text)?) })
    }

    /// Answers. `tries` counts the tries of this call before this one.
    pub fn chat(&self, request: &ChatRequest, tries: u32) -> Result<ChatStream, Error> {
        let facts = Facts::of(request);
        let call = facts.call;
        let answer = match &self.script {
            None => builtin::answer(request, &facts),
            Some(script) => self.by_script(script, &facts, tries)?,
        };
        Ok(answer.into_stream(request, call, tries))
    }

    fn by_script(&self, script: &Script, facts: &Facts, tries: u32) -> Result<Answer, Error> {
        let pace = Pace {
            delay: Duration::from_millis(script.delay_ms),
            piece_delay: Duration::from_millis(script.piece_delay_ms),
            chunk: script.chunk.unwrap_or(Pace::default().chunk),
        };
        let fitting = script
            .rules
            .iter()
            .enumerate()
            .find_map(|(i, rule)| rule.when.fits(facts).map(|groups| (i, rule, groups)));
        let (name, rule_fail, reply, groups) = match fitting {
            Some((i, rule, groups)) => {
                let name = rule.name.clone().unwrap_or_else(|| format!("rule {}", i + 1));
                (name, rule.fail, rule.reply(facts.step), groups)
            }
            None => match &script.default {
                Some(reply) => ("default".to_string(), None, Some(reply), Vec::new()),
                None => return Err(self.no_rule(script, facts)),
            },
        };
        let wrong = |problem: String| Error::Script {
            message: format!("{}: in the answer of `{name}`: {problem}", self.file),
        };
        let scope = Scope::new(facts, &groups);
        let mut answer = reply.map(|reply| reply.fill(&scope)).transpose().map_err(wrong)?;
        if let Some(answer) = &mut answer {
            let delay = answer.pace.delay;
            answer.pace = if delay.is_zero() { pace } else { Pace { delay, ..pace } };
        }
        let mut answer = match rule_fail.filter(|fail| tries < fail.times) {
            Some(fail) => fail.spoil(answer)?,
            None => answer.unwrap_or_default(),
        };
        answer.rule = Some(name);
        Ok(answer)
    }

    fn no_rule(&self, script: &Script, facts: &Facts) -> Error {
        let shown: String = facts.last_user.chars().take(80).collect();
        let what = script.name.as_deref().map(|name| format!(" ({name})")).unwrap_or_default();
        Error::Script {
            message: format!(
                "No rule of {}{what} fits this request: model `{}`, turn {}, call {}, step {}, last user text {shown:?}. Add a rule or a `default`.",
                self.file, facts.model, facts.turn, facts.call, facts.step
            ),
        }
    }
}

impl Rule {
    /// The answer for a step from 1; the last one goes on answering.
    fn reply(&self, step: u32) -> Option<&Reply> {
        let index = (step as usize - 1).min(self.replies.len().saturating_sub(1));
        self.replies.get(index)
    }
}

impl Reply {
    fn fill(&self, scope: &Scope) -> Result<Answer, String> {
        let render = |template: &Option<template::Template>| {
            template.as_ref().map(|template| template.render(scope)).transpose()
        };
        let text = match &self.json {
            Some(json) => template::fill(json, scope)?.to_string(),
            None => render(&self.say)?.unwrap_or_default(),
        };
        let calls = self.tool_calls.iter().map(|call| {
            let args = match &call.args {
                serde_json::Value::Null => "{}".into(),
                args => template::fill(args, scope)?.to_string(),
            };
            Ok(Call { name: call.name.clone(), arguments: args })
        });
        Ok(Answer {
            reasoning: render(&self.reasoning)?.unwrap_or_default(),
            text,
            calls: calls.collect::<Result<_, String>>()?,
            stop: self.stop,
            usage: self.usage.map(|usage| (usage.input, usage.output)),
            cut: false,
            pace: Pace {
                delay: Duration::from_millis(self.delay_ms.unwrap_or_default()),
                ..Pace::default()
            },
            rule: None,
        })
    }
}

impl Fail {
    /// What comes instead of the answer.
    fn spoil(self, answer: Option<Answer>) -> Result<Answer, Error> {
        let answer =
            answer.unwrap_or(Answer { text: "This breaks off".into(), ..Answer::default() });
        match self.kind {
            FailKind::Cut => Ok(Answer { cut: true, ..answer }),
            FailKind::Nonsense => {
                let text = "}{ colourless green {\"ideas\": sleep ,,, [furiously".into();
                Ok(Answer { text, calls: Vec::new(), ..answer })
            }
            kind => Err(answer::failure(kind, self.retry_after)),
        }
    }
}
