//! Where typed nodes go: settings that name nodes, as new values for those settings.

use weaver_core::Value;
use weaver_core::spec::{NodeKind, NodeSpec, TypedNode};
use weaver_core::value::Map;

use super::{Done, Editor, Refused};
use crate::typed_nodes::{ArgumentKind, node_type};

/// New values of settings; `None` takes a setting away.
pub(super) type Changes = Vec<(String, Value)>;

impl Editor<'_, '_> {
    /// Changes what a typed node says about where it goes.
    pub fn change_typed(
        &mut self,
        node: &NodeSpec,
        change: impl FnOnce(TypedRoutes<'_>) -> Result<Changes, Refused>,
    ) -> Done {
        let NodeKind::Typed(typed) = &node.kind else { return Ok(()) };
        let changes = change(TypedRoutes(typed))?;
        self.set_settings(node, typed, &changes)
    }
}

/// A typed node by its routes, which are called as the arrows are labelled.
pub(super) struct TypedRoutes<'n>(pub &'n TypedNode);

impl TypedRoutes<'_> {
    fn get(&self, name: &str) -> Option<&Value> {
        self.0.settings.iter().find(|setting| setting.name == name).map(|setting| &setting.value)
    }

    fn list(&self, name: &str) -> Vec<Value> {
        self.get(name).and_then(Value::as_list).map(<[Value]>::to_vec).unwrap_or_default()
    }

    /// The setting that is a single route.
    fn single(&self, route: &str) -> Option<&'static str> {
        Some(match (self.0.node_type.as_str(), route) {
            ("condition", "default") => "default",
            ("intent", "fallback") => "fallback",
            ("loop", "body") => "body",
            ("loop", "exit") => "exit",
            ("wait", "answered") => "goto",
            ("wait", "timeout") => "on_timeout",
            _ => return None,
        })
    }

    pub fn add(&self, route: &str, target: &str) -> Result<Changes, Refused> {
        if let Some(setting) = self.single(route) {
            if self.get(setting).is_some() {
                return Err(taken(route));
            }
            return Ok(vec![(setting.into(), target.into())]);
        }
        match self.0.node_type.as_str() {
            "condition" => {
                let mut rules = self.list("rules");
                if rules.iter().any(|rule| text(rule, "if") == Some(route)) {
                    return Err(taken(route));
                }
                rules.push(Value::map([("if", route.into()), ("goto", target.into())]));
                Ok(vec![("rules".into(), Value::list(rules))])
            }
            "intent" => match self.get("intents") {
                Some(Value::List(intents)) => {
                    if intents.iter().any(|intent| text(intent, "name") == Some(route)) {
                        return Err(taken(route));
                    }
                    let mut intents = intents.to_vec();
                    intents.push(Value::map([("name", route.into()), ("goto", target.into())]));
                    Ok(vec![("intents".into(), Value::list(intents))])
                }
                Some(Value::Map(intents)) if intents.contains_key(route) => Err(taken(route)),
                intents => {
                    let mut map = intents.and_then(Value::as_map).cloned().unwrap_or_default();
                    let intent = [("description", route.into()), ("goto", target.into())];
                    map.insert(route.into(), Value::map(intent));
                    Ok(vec![("intents".into(), map.into())])
                }
            },
            _ => Err(self.other()),
        }
    }

    pub fn set(
        &self,
        route: &str,
        to_route: Option<&str>,
        to_target: Option<&str>,
    ) -> Result<Changes, Refused> {
        if let Some(setting) = self.single(route) {
            return match (to_route.filter(|to| *to != route), to_target) {
                (Some(_), _) => Err(Refused::field(
                    "to_route",
                    format!("the route `{route}` keeps its name"),
                    "change its target",
                )),
                (None, Some(target)) => Ok(vec![(setting.into(), target.into())]),
                (None, None) => Ok(Vec::new()),
            };
        }
        let change = |key: &'static str| {
            move |value: &Value| {
                let mut map = value.as_map().cloned().unwrap_or_default();
                if let Some(to) = to_route {
                    map.insert(key.into(), to.into());
                }
                if let Some(target) = to_target {
                    map.insert("goto".into(), target.into());
                }
                Value::from(map)
            }
        };
        match (self.0.node_type.as_str(), self.get("intents")) {
            ("condition", _) => self.one_of("rules", "if", route, change("if")),
            ("intent", Some(Value::List(_))) => {
                self.one_of("intents", "name", route, change("name"))
            }
            ("intent", Some(Value::Map(intents))) => {
                if !intents.contains_key(route) {
                    return Err(missing(route));
                }
                if to_route.is_some_and(|to| to != route && intents.contains_key(to)) {
                    return Err(taken(route));
                }
                let entries = intents.iter().map(|(name, intent)| match **name == *route {
                    true => (
                        to_route.map_or(name.clone(), Into::into),
                        with_goto(intent, to_target.or(goto(name, intent))),
                    ),
                    false => (name.clone(), intent.clone()),
                });
                Ok(vec![("intents".into(), Value::map(entries))])
            }
            _ => Err(self.other()),
        }
    }

    pub fn remove(&self, route: &str) -> Result<Changes, Refused> {
        if let Some(setting) = self.single(route) {
            return match self.get(setting) {
                Some(_) if setting == "body" => Err(self.other()),
                Some(_) => Ok(vec![(setting.into(), Value::Null)]),
                None => Err(missing(route)),
            };
        }
        let without = |setting: &str, key: &str| {
            let all = self.list(setting);
            let count = all.iter().filter(|item| text(item, key) == Some(route)).count();
            if count != 1 {
                return Err(missing(route));
            }
            let kept = all.into_iter().filter(|item| text(item, key) != Some(route));
            Ok(vec![(setting.to_string(), Value::list(kept))])
        };
        match (self.0.node_type.as_str(), self.get("intents")) {
            ("condition", _) => without("rules", "if"),
            ("intent", Some(Value::List(_))) => without("intents", "name"),
            ("intent", Some(Value::Map(intents))) if intents.contains_key(route) => {
                let kept = intents.iter().filter(|(name, _)| ***name != *route);
                let kept = kept.map(|(name, intent)| (name.clone(), intent.clone()));
                Ok(vec![("intents".into(), Value::map(kept))])
            }
            ("intent", _) => Err(missing(route)),
            _ => Err(self.other()),
        }
    }

    /// The settings without a node.
    pub fn without(&self, node: &str) -> Result<Changes, Refused> {
        self.map_nodes(|name| if name == node { None } else { Some(name.to_string()) })
    }

    /// The settings with a node renamed.
    pub fn renamed(&self, from: &str, to: &str) -> Result<Changes, Refused> {
        self.map_nodes(|name| Some(if name == from { to } else { name }.to_string()))
    }

    fn map_nodes(&self, map: impl Fn(&str) -> Option<String>) -> Result<Changes, Refused> {
        let mut changes = Changes::new();
        let Some(kind) = node_type(&self.0.node_type) else { return Ok(changes) };
        for setting in &self.0.settings {
            let is_node =
                kind.argument(&setting.name).is_some_and(|a| a.kind == ArgumentKind::Node);
            let value = match (kind.name, setting.name.as_str()) {
                _ if is_node => match setting.value.as_str() {
                    Some(name) => match map(name) {
                        Some(name) => name.into(),
                        None if setting.name == "body" => return Err(self.other()),
                        None => Value::Null,
                    },
                    None => continue,
                },
                ("condition", "rules") => {
                    let rules = setting.value.as_list().unwrap_or_default();
                    Value::list(rules.iter().filter_map(|rule| map_goto(rule, None, &map)))
                }
                ("intent", "intents") => match &setting.value {
                    Value::Map(intents) => {
                        Value::map(intents.iter().filter_map(|(name, intent)| {
                            Some((name.clone(), map_goto(intent, Some(name), &map)?))
                        }))
                    }
                    intents => {
                        let intents = intents.as_list().unwrap_or_default();
                        Value::list(
                            intents
                                .iter()
                                .filter_map(|intent| map_goto(intent, text(intent, "name"), &map)),
                        )
                    }
                },
                ("parallel", "branches") => self.map_branches(&setting.value, &map)?,
                _ => continue,
            };
            if value.to_json() != setting.value.to_json() {
                changes.push((setting.name.clone(), value));
            }
        }
        Ok(changes)
    }

    fn map_branches(
        &self,
        branches: &Value,
        map: &impl Fn(&str) -> Option<String>,
    ) -> Result<Value, Refused> {
        let mut mapped = Vec::new();
        for branch in branches.as_list().unwrap_or_default() {
            match (branch.as_str(), branch.as_list()) {
                (Some(name), _) => mapped.extend(map(name).map(Value::from)),
                (None, Some(chain)) => {
                    let names = chain.iter().filter_map(Value::as_str).map(map);
                    let names: Option<Vec<Value>> =
                        names.map(|name| name.map(Value::from)).collect();
                    match names {
                        Some(names) if names.len() == chain.len() => {
                            mapped.push(Value::list(names))
                        }
                        _ if chain.len() == 1 => {}
                        _ => return Err(self.other()),
                    }
                }
                _ => mapped.push(branch.clone()),
            }
        }
        Ok(Value::list(mapped))
    }

    fn one_of(
        &self,
        setting: &str,
        key: &str,
        route: &str,
        change: impl Fn(&Value) -> Value,
    ) -> Result<Changes, Refused> {
        let mut items = self.list(setting);
        let mut same = items.iter_mut().filter(|item| text(item, key) == Some(route));
        let (Some(item), None) = (same.next(), same.next()) else { return Err(missing(route)) };
        *item = change(item);
        Ok(vec![(setting.to_string(), Value::list(items))])
    }

    fn other(&self) -> Refused {
        let reason = format!("`nodes.{}` says in its settings where it goes", self.0.node_type);
        Refused::field("source", reason, "change the node's settings")
    }
}

fn text<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    value.get(key).and_then(Value::as_str)
}

/// Where an intent goes.
fn goto<'v>(name: &'v str, intent: &'v Value) -> Option<&'v str> {
    Some(text(intent, "goto").unwrap_or(name))
}

/// An intent with its node written out.
fn with_goto(intent: &Value, target: Option<&str>) -> Value {
    let mut map = match intent {
        Value::Map(map) => Map::clone(map),
        Value::Null => Map::new(),
        description => Map::from_iter([("description".into(), description.clone())]),
    };
    if let Some(target) = target {
        map.insert("goto".into(), target.into());
    }
    map.into()
}

/// A rule or intent with its node mapped; without a `goto` its name is the node.
fn map_goto(
    item: &Value,
    name: Option<&str>,
    map: &impl Fn(&str) -> Option<String>,
) -> Option<Value> {
    let Some(node) = text(item, "goto").or(name) else { return Some(item.clone()) };
    let mapped = map(node)?;
    Some(if mapped == node { item.clone() } else { with_goto(item, Some(&mapped)) })
}

fn taken(route: &str) -> Refused {
    let reason = format!("there is a route `{route}` already");
    Refused::field("route", reason, "choose another one")
}

fn missing(route: &str) -> Refused {
    let reason = format!("there is no route `{route}`, or several");
    Refused::field("route", reason, "take one that the node has")
}
