//! Long-term memory: small values under a namespace path and a key, kept across
//! threads.

use std::cmp::Ordering;

use weaver_core::{Timestamp, Value};

use crate::{Error, Result};

/// Names a memory.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ItemKey {
    /// A path, such as `["users", "ada", "facts"]`; no part is empty.
    pub namespace: Vec<String>,
    /// The name in it.
    pub key: String,
}

impl ItemKey {
    /// A key under a path.
    pub fn new<S: Into<String>>(
        namespace: impl IntoIterator<Item = S>,
        key: impl Into<String>,
    ) -> Self {
        ItemKey { namespace: namespace.into_iter().map(Into::into).collect(), key: key.into() }
    }
}

/// A memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Its name.
    pub key: ItemKey,
    /// What is remembered, a map.
    pub value: Value,
    /// When it was first put. A later put under the same name keeps the first.
    pub created: Timestamp,
    /// When it was last put.
    pub updated: Timestamp,
    /// From when on it no longer counts; `None` for never.
    pub expires: Option<Timestamp>,
}

/// Which memories to find.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ItemSearch {
    /// Only under this path.
    pub prefix: Vec<String>,
    /// Only such as pass this.
    pub filter: Filter,
    /// Skip so many.
    pub offset: usize,
    /// At most so many; 0 means 10.
    pub limit: usize,
}

/// Which namespaces to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamespaceSearch {
    /// Only such as start with this; `*` stands for any one part.
    pub prefix: Vec<String>,
    /// Only such as end with this; `*` stands for any one part.
    pub suffix: Vec<String>,
    /// Cut to this many parts.
    pub depth_max: Option<usize>,
    /// Skip so many.
    pub offset: usize,
    /// At most so many; 0 means 100.
    pub limit: usize,
}

/// Conditions that a memory's value must meet, all of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter(pub Vec<Condition>);

/// One condition.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// A key of the value.
    pub key: String,
    /// How to compare.
    pub operator: Operator,
    /// With what.
    pub operand: Value,
}

/// How to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `$eq`, or no operator at all.
    Equal,
    /// `$ne`.
    NotEqual,
    /// `$gt`.
    Greater,
    /// `$gte`.
    GreaterOrEqual,
    /// `$lt`.
    Less,
    /// `$lte`.
    LessOrEqual,
}

impl Filter {
    /// Reads LangGraph's form: `{"colour": "red", "size": {"$gte": 3, "$lt": 9}}`.
    pub fn parse(value: &Value) -> Result<Self> {
        let map = match value {
            Value::Null => return Ok(Filter::default()),
            Value::Map(map) => map,
            other => {
                return Err(Error::Invalid(format!(
                    "a filter must be a dict, not {}",
                    other.type_name()
                )));
            }
        };
        let mut conditions = Vec::new();
        for (key, wanted) in map.iter() {
            let mut add = |operator, operand: &Value| {
                conditions.push(Condition {
                    key: key.to_string(),
                    operator,
                    operand: operand.clone(),
                });
            };
            match wanted.as_map() {
                Some(operators) if operators.keys().any(|name| name.starts_with('$')) => {
                    for (name, operand) in operators {
                        add(Operator::parse(name)?, operand);
                    }
                }
                _ => add(Operator::Equal, wanted),
            }
        }
        Ok(Filter(conditions))
    }

    /// Whether a value meets all conditions.
    pub fn matches(&self, value: &Value) -> bool {
        self.0.iter().all(|condition| condition.matches(value))
    }
}

impl Operator {
    fn parse(name: &str) -> Result<Self> {
        Ok(match name {
            "$eq" => Operator::Equal,
            "$ne" => Operator::NotEqual,
            "$gt" => Operator::Greater,
            "$gte" => Operator::GreaterOrEqual,
            "$lt" => Operator::Less,
            "$lte" => Operator::LessOrEqual,
            other => {
                return Err(Error::Invalid(format!(
                    "`{other}` is no filter operator; use $eq, $ne, $gt, $gte, $lt or $lte"
                )));
            }
        })
    }
}

impl Condition {
    fn matches(&self, value: &Value) -> bool {
        let found = value.get(&self.key).unwrap_or(&Value::Null);
        match self.operator {
            Operator::Equal => *found == self.operand,
            Operator::NotEqual => *found != self.operand,
            Operator::Greater => order(found, &self.operand) == Some(Ordering::Greater),
            Operator::GreaterOrEqual => {
                matches!(order(found, &self.operand), Some(Ordering::Greater | Ordering::Equal))
            }
            Operator::Less => order(found, &self.operand) == Some(Ordering::Less),
            Operator::LessOrEqual => {
                matches!(order(found, &self.operand), Some(Ordering::Less | Ordering::Equal))
            }
        }
    }
}

/// Numbers compare with numbers and texts with texts; nothing else compares.
fn order(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::Str(a), Value::Str(b)) => Some(a.cmp(b)),
        _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}

impl NamespaceSearch {
    /// Whether a namespace is wanted.
    fn matches(&self, namespace: &[String]) -> bool {
        let fits = |part: (&String, &String)| part.0 == "*" || part.0 == part.1;
        namespace.len() >= self.prefix.len().max(self.suffix.len())
            && self.prefix.iter().zip(namespace).all(fits)
            && self.suffix.iter().rev().zip(namespace.iter().rev()).all(fits)
    }
}

/// The namespaces that a search wants, cut to its depth, each once, in order.
pub(crate) fn cut_namespaces(
    search: &NamespaceSearch,
    namespaces: impl IntoIterator<Item = Vec<String>>,
) -> Vec<Vec<String>> {
    let mut wanted: Vec<Vec<String>> =
        namespaces.into_iter().filter(|namespace| search.matches(namespace)).collect();
    if let Some(depth_max) = search.depth_max {
        wanted.iter_mut().for_each(|namespace| namespace.truncate(depth_max));
    }
    wanted.sort();
    wanted.dedup();
    let limit = if search.limit == 0 { 100 } else { search.limit };
    wanted.into_iter().skip(search.offset).take(limit).collect()
}

/// Separates the parts of a stored path. It cannot occur in a part.
const PART_END: char = '\u{1f}';

/// The stored form of a path: each part ends with a separator, so that paths
/// under a path are exactly those whose text starts with its text.
pub(crate) fn path_text(namespace: &[String]) -> Result<String> {
    let mut text = String::new();
    for part in namespace {
        if part.is_empty() || part.contains(PART_END) {
            return Err(Error::Invalid(format!(
                "`{}` is no namespace: a part is empty or holds a control character",
                namespace.join("/")
            )));
        }
        text.push_str(part);
        text.push(PART_END);
    }
    Ok(text)
}

/// The path of a stored form.
pub(crate) fn path_parts(text: &str) -> Vec<String> {
    text.split_terminator(PART_END).map(String::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_compare_like_with_like() {
        let filter = Value::from_json(r#"{"colour":"red","size":{"$gte":3,"$lt":9.5}}"#).unwrap();
        let filter = Filter::parse(&filter).unwrap();
        let matches = |text| filter.matches(&Value::from_json(text).unwrap());
        assert!(matches(r#"{"colour":"red","size":3}"#));
        assert!(!matches(r#"{"colour":"red","size":10}"#));
        assert!(!matches(r#"{"colour":"red","size":"5"}"#));
        assert!(!matches(r#"{"size":5}"#));
        let unknown = Value::from_json(r#"{"a":{"$like":1}}"#).unwrap();
        assert!(Filter::parse(&unknown).unwrap_err().to_string().contains("$like"));
    }

    #[test]
    fn a_path_is_under_its_own_prefix_only() {
        let path = |parts: &[&str]| {
            path_text(&parts.iter().map(|p| p.to_string()).collect::<Vec<_>>()).unwrap()
        };
        assert!(path(&["a", "b"]).starts_with(&path(&["a"])));
        assert!(!path(&["ab"]).starts_with(&path(&["a"])));
        assert_eq!(path_parts(&path(&["a", "b"])), ["a", "b"]);
        assert!(path_text(&["".into()]).is_err());
    }
}
