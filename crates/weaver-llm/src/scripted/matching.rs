//! When a rule fits.

use std::fmt;

use regex::Regex;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};

use super::facts::Facts;

/// Alternatives; none at all always holds.
#[derive(Debug, Default)]
pub(super) struct When(pub Vec<Condition>);

/// Conditions that must all hold.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Condition {
    user: Option<TextMatch>,
    system: Option<TextMatch>,
    model: Option<TextMatch>,
    any: Option<TextMatch>,
    tool: Option<TextMatch>,
    tool_result: Option<TextMatch>,
    offers: Option<String>,
    schema: Option<TextMatch>,
    turn: Option<u32>,
    call: Option<u32>,
    step: Option<u32>,
}

/// Groups of the pattern that fitted last; empty without one.
pub(super) type Groups = Vec<String>;

/// Tests of one text that must all hold.
#[derive(Debug)]
pub(super) struct TextMatch(Vec<Test>);

#[derive(Debug)]
enum Test {
    /// Lower case.
    Contains(String),
    Equals(String),
    Regex(Regex),
}

impl When {
    /// Whether it fits, with the groups of the pattern.
    pub fn fits(&self, facts: &Facts) -> Option<Groups> {
        match self.0.is_empty() {
            true => Some(Groups::new()),
            false => self.0.iter().find_map(|condition| condition.fits(facts)),
        }
    }
}

impl Condition {
    fn fits(&self, facts: &Facts) -> Option<Groups> {
        let counts = [(self.turn, facts.turn), (self.call, facts.call), (self.step, facts.step)];
        if counts.iter().any(|(wanted, is)| wanted.is_some_and(|wanted| wanted != *is)) {
            return None;
        }
        if self.offers.as_ref().is_some_and(|tool| !facts.tools.contains(tool)) {
            return None;
        }
        let last = facts.last_result();
        let tool = last.and_then(|result| result.name.as_deref());
        let mut groups = Groups::new();
        for (test, text) in [
            (&self.user, Some(facts.last_user.as_str())),
            (&self.system, Some(facts.system.as_str())),
            (&self.model, Some(facts.model.as_str())),
            (&self.tool, tool),
            (&self.tool_result, last.map(|result| result.text.as_str())),
            (&self.schema, facts.schema.as_deref()),
        ] {
            if let Some(test) = test {
                test.fits(text?, &mut groups).then_some(())?;
            }
        }
        if let Some(test) = &self.any {
            let mut texts = facts.messages.iter().map(|(_, text)| text);
            texts.any(|text| test.fits(text, &mut groups)).then_some(())?;
        }
        Some(groups)
    }
}

impl TextMatch {
    fn fits(&self, text: &str, groups: &mut Groups) -> bool {
        self.0.iter().all(|test| match test {
            Test::Contains(part) => text.to_lowercase().contains(part),
            Test::Equals(whole) => text.trim() == whole.trim(),
            Test::Regex(regex) => regex.captures(text).is_some_and(|captures| {
                let group = |group: Option<regex::Match<'_>>| {
                    group.map(|group| group.as_str().to_string()).unwrap_or_default()
                };
                *groups = captures.iter().map(group).collect();
                true
            }),
        })
    }
}

impl<'de> Deserialize<'de> for TextMatch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = TextMatch;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text to look for, or a map with `contains`, `equals` or `regex`")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<TextMatch, E> {
                Ok(TextMatch(vec![Test::Contains(text.to_lowercase())]))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<TextMatch, A::Error> {
                let raw = RawTest::deserialize(MapAccessDeserializer::new(map))?;
                let tests = [
                    raw.contains.map(|part| Test::Contains(part.to_lowercase())),
                    raw.equals.map(Test::Equals),
                    raw.regex.map(|pattern| Test::Regex(pattern.0)),
                ];
                let tests: Vec<_> = tests.into_iter().flatten().collect();
                match tests.is_empty() {
                    true => Err(de::Error::custom("needs `contains`, `equals` or `regex`")),
                    false => Ok(TextMatch(tests)),
                }
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<TextMatch, A::Error> {
                let mut tests = Vec::new();
                while let Some(TextMatch(more)) = seq.next_element()? {
                    tests.extend(more);
                }
                Ok(TextMatch(tests))
            }
        }
        deserializer.deserialize_any(TextVisitor)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTest {
    #[serde(default)]
    contains: Option<String>,
    #[serde(default)]
    equals: Option<String>,
    #[serde(default)]
    regex: Option<Pattern>,
}

/// A pattern that is compiled where it is read, so that a bad one has its place.
struct Pattern(Regex);

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PatternVisitor;
        impl Visitor<'_> for PatternVisitor {
            type Value = Pattern;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a regular expression")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Pattern, E> {
                let reason = |error: regex::Error| {
                    let message = error.to_string();
                    let last = message.lines().last().unwrap_or_default();
                    let last = last.trim_start_matches("error: ").to_string();
                    E::custom(format!("`{text}` is no regular expression: {last}"))
                };
                Regex::new(text).map(Pattern).map_err(reason)
            }
        }
        deserializer.deserialize_str(PatternVisitor)
    }
}
