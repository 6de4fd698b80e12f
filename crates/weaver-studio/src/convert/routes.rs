//! Arrows of the old document: plain edges, settings of nodes that decide, and
//! conditional edges whose function is to be written.

use weaver_core::Value;
use weaver_core::spec::{END, START};
use weaver_core::value::Map;

use super::document::{Document, OldEdge, OldNode};
use super::kinds::{Kind, kind, snake};
use super::{Condition, Plan};

/// Settings that say where a node goes: they are read with its arrows.
pub(super) fn is_route_setting(node: &str, key: &str) -> bool {
    match node {
        "condition" => matches!(
            key,
            "rules"
                | "conditions"
                | "cases"
                | "branches"
                | "condition"
                | "expression"
                | "default"
                | "if"
        ),
        "intent" => {
            matches!(key, "intents" | "classes" | "categories" | "labels" | "options" | "fallback")
        }
        "loop" => matches!(key, "body" | "exit"),
        "parallel" => matches!(key, "branches" | "then"),
        "wait" => matches!(key, "goto" | "on_timeout"),
        _ => false,
    }
}

impl Plan {
    /// Gives every arrow its counterpart.
    pub fn route(&mut self, document: &Document) {
        let edges = self.known_edges(document);
        let parallel = |node: &&OldNode| kind(&node.node_type) == Kind::Typed("parallel");
        for old in document.nodes.iter().filter(parallel) {
            self.parallel(document, old, &edges);
        }
        for old in document.nodes.iter().filter(|node| !parallel(node)) {
            if self.chained.contains(&old.id) {
                continue;
            }
            let name = self.names[&old.id].clone();
            let out: Vec<&OldEdge> = edges.iter().filter(|edge| edge.source == old.id).collect();
            match kind(&old.node_type) {
                Kind::Typed("condition") => self.condition(old, &out),
                Kind::Typed("intent") => self.intent(old, &out),
                Kind::Typed("loop") => self.single_routes(old, &out, &LOOP),
                Kind::Typed("wait") => self.single_routes(old, &out, &WAIT),
                _ => self.plain(old, &name, &out),
            }
        }
        self.entry(document, &edges);
    }

    /// Arrows between nodes that there are.
    fn known_edges(&mut self, document: &Document) -> Vec<OldEdge> {
        let mut known: Vec<OldEdge> = Vec::new();
        for edge in &document.edges {
            let by_label = |end: &String| {
                let same = |node: &&OldNode| node.id == *end;
                let node = document.nodes.iter().find(same).or_else(|| {
                    document.nodes.iter().find(|node| node.label.as_ref() == Some(end))
                });
                node.map(|node| node.id.clone())
            };
            let (Some(source), Some(target)) = (by_label(&edge.source), by_label(&edge.target))
            else {
                let (source, target) = (&edge.source, &edge.target);
                self.warn(None, format!("the edge from `{source}` to `{target}` is left out: an end of it is no node"));
                continue;
            };
            let ends = (self.names[&source].as_str(), self.names[&target].as_str());
            if ends.0 == END || ends.1 == START {
                let message = format!(
                    "the edge to `{target}` is left out: none leaves the exit or goes to the entry"
                );
                self.warn(Some(&source), message);
                continue;
            }
            let edge = OldEdge { source, target, ..edge.clone() };
            let same = |other: &OldEdge| {
                other.source == edge.source
                    && other.target == edge.target
                    && other.words().eq(edge.words())
            };
            if !known.iter().any(same) {
                known.push(edge);
            }
        }
        known
    }

    fn target(&self, edge: &OldEdge) -> String {
        self.names[&edge.target].clone()
    }

    fn plain_edge(&mut self, source: &str, target: String) {
        let edge = (source.to_string(), target);
        if !self.edges.contains(&edge) {
            self.edges.push(edge);
        }
    }

    fn set(&mut self, id: &str, setting: &str, value: Value) {
        if let Some(node) = self.nodes.iter_mut().find(|node| node.id == id) {
            node.settings.insert(setting.into(), value);
        }
    }

    /// Arrows of a node that does not decide. Several with conditions need a function.
    fn plain(&mut self, old: &OldNode, name: &str, out: &[&OldEdge]) {
        let decided = out.iter().any(|edge| edge.condition.is_some())
            || out.len() > 1 && out.iter().all(|edge| edge.words().next().is_some());
        if !decided {
            for edge in out {
                if let Some(word) = edge.word() {
                    let target = self.target(edge);
                    self.warn(
                        Some(&old.id),
                        format!("the word `{word}` on the edge to `{target}` is left out"),
                    );
                }
                let target = self.target(edge);
                self.plain_edge(name, target);
            }
            return;
        }
        let mut routes: Vec<(String, String)> = Vec::new();
        let mut todo = vec!["decide; the old edges were:".to_string()];
        for edge in out {
            let target = self.target(edge);
            let mut route = edge.label.as_deref().or(edge.word()).unwrap_or("else").to_string();
            while routes.iter().any(|(known, _)| *known == route) {
                route.push('+');
            }
            let condition = edge.condition.as_deref().unwrap_or(&route);
            todo.push(format!("{condition} -> {target}"));
            routes.push((route, target));
        }
        let message = "its edges have conditions; the function that decides is to be written";
        self.warn(Some(&old.id), message.to_string());
        self.conditions.push(Condition { source: name.to_string(), routes, todo });
    }

    /// Rules in the order of the old node's cases, then what its arrows say themselves.
    fn condition(&mut self, old: &OldNode, out: &[&OldEdge]) {
        let cases = cases(&old.settings);
        let mut rules: Vec<Value> = Vec::new();
        let mut default =
            text(&old.settings, &["default"]).and_then(|id| self.names.get(&id).cloned());
        let mut used = vec![false; out.len()];
        for case in &cases {
            let found = out.iter().position(|edge| edge.words().any(|word| case.is_called(word)));
            let target = match (found, &case.goto) {
                (Some(at), _) => {
                    used[at] = true;
                    Some(self.target(out[at]))
                }
                (None, Some(goto)) => self.names.get(goto).cloned(),
                (None, None) => None,
            };
            match target {
                Some(target) => rules.push(rule(&case.expression, target)),
                None => {
                    let message =
                        format!("the case `{}` goes nowhere and is left out", case.expression);
                    self.warn(Some(&old.id), message);
                }
            }
        }
        for (edge, _) in out.iter().zip(&used).filter(|(_, used)| !**used) {
            let target = self.target(edge);
            let is_default = edge.words().next().is_none() || edge.words().any(is_otherwise);
            match (is_default && default.is_none(), edge.condition.as_deref().or(edge.word())) {
                (true, _) => default = Some(target),
                (false, Some(word)) => {
                    if edge.condition.is_none() {
                        let message =
                            format!("the route `{word}` has no expression; write one in its place");
                        self.warn(Some(&old.id), message);
                    }
                    rules.push(rule(word, target));
                }
                (false, None) => {
                    let message =
                        format!("a second default route, to `{target}`, is the rule `false`");
                    self.warn(Some(&old.id), message);
                    rules.push(rule("false", target));
                }
            }
        }
        self.set(&old.id, "rules", Value::list(rules));
        if let Some(default) = default.filter(|default| default != END) {
            self.set(&old.id, "default", default.into());
        }
    }

    fn intent(&mut self, old: &OldNode, out: &[&OldEdge]) {
        let keys = ["intents", "classes", "categories", "labels", "options"];
        let listed = keys.iter().find_map(|key| old.settings.get(*key));
        let mut intents: Vec<(String, Vec<String>, Map)> = Vec::new();
        let mut add = |name: Option<&str>, value: &Value| {
            let mut other_names: Vec<String> = name.map(String::from).into_iter().collect();
            let mut map = value.as_map().cloned().unwrap_or_default();
            if let Some(id) = map.shift_remove("id").as_ref().and_then(Value::as_str) {
                other_names.push(id.to_string());
            }
            let own = ["name", "label", "intent"].iter().find_map(|key| map.shift_remove(*key));
            let own = own.as_ref().and_then(Value::as_str).map(String::from);
            let text = value.as_str().map(String::from);
            let Some(name) = name.map(String::from).or(own).or(text.clone()) else { return };
            if let (Some(text), true) = (text, !other_names.is_empty()) {
                map.insert("description".into(), text.into());
            }
            map.retain(|key, _| matches!(&**key, "description" | "goto"));
            intents.push((name, other_names, map));
        };
        match listed {
            Some(Value::List(items)) => items.iter().for_each(|item| add(None, item)),
            Some(Value::Map(map)) => map.iter().for_each(|(name, item)| add(Some(name), item)),
            _ => {}
        }
        let mut fallback =
            text(&old.settings, &["fallback"]).and_then(|id| self.names.get(&id).cloned());
        for edge in out {
            let target = self.target(edge);
            let found = intents.iter_mut().enumerate().find(|(at, (name, others, _))| {
                edge.words().any(|word| {
                    *word == *name
                        || others.iter().any(|other| other == word)
                        || *word == at.to_string()
                })
            });
            let word = edge.word().unwrap_or("otherwise");
            match found {
                Some((_, (_, _, intent))) if !intent.contains_key("goto") => {
                    intent.insert("goto".into(), target.into());
                }
                None if fallback.is_none() && edge.word().is_none_or(is_otherwise) => {
                    fallback = Some(target);
                }
                known => {
                    // A word that another arrow has, too, needs one of its own.
                    let doubled = known.is_some() || is_otherwise(word);
                    let mut name = word.to_string();
                    while intents.iter().any(|(known, ..)| *known == name) {
                        name.push('+');
                    }
                    if doubled {
                        let message = format!(
                            "a second route `{word}`, to `{target}`, is the intent `{name}`"
                        );
                        self.warn(Some(&old.id), message);
                    }
                    let map = Map::from_iter([("goto".into(), target.into())]);
                    intents.push((name, Vec::new(), map));
                }
            }
        }
        let known = self.names.clone();
        let entries = intents.into_iter().map(|(name, _, mut intent)| {
            // Without a route of its own an intent goes on at the exit, not at a node of its name.
            let goto = intent.get("goto").and_then(Value::as_str).map(String::from);
            let goto = goto.map(|goto| known.get(&goto).cloned().unwrap_or(goto));
            intent.insert("goto".into(), goto.unwrap_or_else(|| END.into()).into());
            (name, Value::from(intent))
        });
        let entries = Value::map(entries.collect::<Vec<_>>());
        self.set(&old.id, "intents", entries);
        if let Some(fallback) = fallback.filter(|fallback| fallback != END) {
            self.set(&old.id, "fallback", fallback.into());
        }
    }

    /// Routes that are settings of their own; other arrows are plain edges where the node
    /// has such, or the first free route.
    fn single_routes(&mut self, old: &OldNode, out: &[&OldEdge], single: &Single) {
        let name = self.names[&old.id].clone();
        let mut taken: Vec<&str> = Vec::new();
        for (setting, _) in single.routes {
            if let Some(target) =
                text(&old.settings, &[setting]).and_then(|id| self.names.get(&id).cloned())
            {
                taken.push(setting);
                self.set(&old.id, setting, target.into());
            }
        }
        for edge in out {
            let target = self.target(edge);
            let named = single
                .routes
                .iter()
                .find(|(_, words)| edge.words().any(|word| words.contains(&snake(word).as_str())));
            let free = single.routes.iter().find(|(setting, _)| !taken.contains(setting));
            let route = named.or(if single.plain_edges { None } else { free });
            match route.filter(|(setting, _)| !taken.contains(setting)) {
                Some((setting, _)) => {
                    taken.push(setting);
                    if !(*setting == "exit" && target == END) {
                        self.set(&old.id, setting, target.into());
                    }
                }
                None => {
                    if !single.plain_edges {
                        let message = format!(
                            "the edge to `{target}` is more than the node has routes; it is a plain edge"
                        );
                        self.warn(Some(&old.id), message);
                    }
                    self.plain_edge(&name, target);
                }
            }
        }
    }

    /// Branches that meet at one node are settings; others are plain edges, which run at
    /// once as well.
    fn parallel(&mut self, document: &Document, old: &OldNode, edges: &[OldEdge]) {
        let out = edges.iter().filter(|edge| edge.source == old.id);
        let chains: Option<Vec<(Vec<String>, String)>> =
            out.clone().map(|edge| self.chain(document, edges, edge)).collect();
        let chains = chains.filter(|chains| !chains.is_empty());
        let meeting = chains.filter(|chains| chains.iter().all(|chain| chain.1 == chains[0].1));
        let Some(chains) = meeting.filter(|chains| chains[0].1 != old.id) else {
            self.unjoined(old, out.map(|edge| self.target(edge)).collect());
            return;
        };
        let branches = chains.iter().map(|(chain, _)| {
            let names = chain.iter().map(|id| Value::from(self.names[id].as_str()));
            if chain.len() == 1 { names.collect::<Vec<_>>().remove(0) } else { Value::list(names) }
        });
        let branches = Value::list(branches.collect::<Vec<_>>());
        let then = self.names[&chains[0].1].clone();
        self.set(&old.id, "branches", branches);
        if then != END {
            self.set(&old.id, "then", then.into());
        }
        self.chained.extend(chains.into_iter().flat_map(|(chain, _)| chain));
    }

    /// The nodes that run one after the other from an edge on, and the one behind them,
    /// where other arrows come in.
    fn chain(
        &self,
        document: &Document,
        edges: &[OldEdge],
        first: &OldEdge,
    ) -> Option<(Vec<String>, String)> {
        let entering = |id: &str| edges.iter().filter(|edge| edge.target == id).count();
        let mut chain: Vec<String> = Vec::new();
        let mut at = first.target.clone();
        while entering(&at) == 1 {
            let node = document.nodes.iter().find(|node| node.id == at)?;
            let decides = matches!(
                kind(&node.node_type),
                Kind::Typed("condition" | "intent" | "loop" | "wait" | "parallel")
            );
            let mut out = edges.iter().filter(|edge| edge.source == at);
            let (Some(next), None) = (out.next(), out.next()) else { return None };
            if decides || next.words().next().is_some() || chain.contains(&at) {
                return None;
            }
            chain.push(std::mem::replace(&mut at, next.target.clone()));
        }
        (!chain.is_empty()).then_some((chain, at))
    }

    /// A parallel node whose branches do not meet: a function, with plain edges.
    fn unjoined(&mut self, old: &OldNode, targets: Vec<String>) {
        let Some(node) = self.nodes.iter_mut().find(|node| node.id == old.id) else { return };
        let name = node.name.clone();
        node.typed = None;
        let said = std::mem::take(&mut node.settings);
        let said = said.iter().map(|(key, value)| format!("{key} = {}", value.to_json()));
        let head = "its branches run at once, and do not meet at one node".to_string();
        node.todo = [head].into_iter().chain(said).chain(std::mem::take(&mut node.todo)).collect();
        let message = "the branches of the parallel node do not meet at one node: it is a function \
                       here, and its branches are its edges";
        self.warn(Some(&old.id), message.into());
        for target in targets {
            self.plain_edge(&name, target);
        }
    }

    /// Without an entry in the document the nodes that nothing goes to are first.
    fn entry(&mut self, document: &Document, edges: &[OldEdge]) {
        if self.edges.iter().any(|(source, _)| source == START)
            || self.conditions.iter().any(|condition| condition.source == START)
        {
            return;
        }
        let first = document.nodes.iter().filter(|node| {
            let name = &self.names[&node.id];
            name != START && name != END && !edges.iter().any(|edge| edge.target == node.id)
        });
        let mut first: Vec<String> = first.map(|node| self.names[&node.id].clone()).collect();
        if first.is_empty() {
            first.extend(self.nodes.first().map(|node| node.name.clone()));
            self.warn(None, "no node is first; the document's first one is".into());
        }
        for name in first {
            self.plain_edge(START, name);
        }
    }
}

/// Routes of a node that are settings of their own.
struct Single {
    routes: &'static [(&'static str, &'static [&'static str])],
    /// Other arrows are plain edges.
    plain_edges: bool,
}

const LOOP: Single = Single {
    routes: &[
        ("body", &["body", "loop", "item", "each", "continue", "true", "yes", "loop_body"]),
        ("exit", &["exit", "done", "end", "break", "false", "no", "finished", "complete", "after"]),
    ],
    plain_edges: false,
};

const WAIT: Single = Single {
    routes: &[("on_timeout", &["timeout", "on_timeout", "expired", "timed_out"])],
    plain_edges: true,
};

/// A case of an old condition.
struct Case {
    names: Vec<String>,
    expression: String,
    goto: Option<String>,
}

impl Case {
    fn is_called(&self, word: &str) -> bool {
        self.names.iter().any(|name| name == word) || self.expression == word
    }
}

fn cases(settings: &Map) -> Vec<Case> {
    let expression_of = |value: &Value| {
        let keys = ["if", "expression", "condition", "when", "expr", "value"];
        keys.iter().find_map(|key| value.get(key).and_then(Value::as_str)).map(String::from)
    };
    let listed = ["rules", "conditions", "cases", "branches"].iter();
    let listed = listed.filter_map(|key| settings.get(*key)).find_map(Value::as_list);
    if let Some(items) = listed {
        let case = |(at, item): (usize, &Value)| {
            let expression = item.as_str().map(String::from).or_else(|| expression_of(item))?;
            let named = ["id", "name", "label", "handle"].iter().filter_map(|key| item.get(key));
            let mut names: Vec<String> =
                named.filter_map(Value::as_str).map(String::from).collect();
            names.extend([at.to_string(), format!("case_{at}"), format!("case-{at}")]);
            let keys = ["goto", "target", "route", "node"];
            let goto = keys.iter().find_map(|key| item.get(key).and_then(Value::as_str));
            Some(Case { names, expression, goto: goto.map(String::from) })
        };
        return items.iter().enumerate().filter_map(case).collect();
    }
    let single = ["condition", "expression", "if"].iter().find_map(|key| settings.get(*key));
    let single = single.and_then(Value::as_str);
    let names = ["true", "True", "yes", "then", "if", "if_true"].map(String::from).to_vec();
    let single = single.map(|expression| Case { names, expression: expression.into(), goto: None });
    single.into_iter().collect()
}

fn rule(expression: &str, target: String) -> Value {
    Value::map([("if", expression.into()), ("goto", target.into())])
}

fn is_otherwise(word: &str) -> bool {
    matches!(
        snake(word).as_str(),
        "default" | "else" | "otherwise" | "fallback" | "false" | "no" | "other" | "none"
    )
}

fn text(settings: &Map, keys: &[&str]) -> Option<String> {
    keys.iter().find_map(|key| settings.get(*key).and_then(Value::as_str)).map(String::from)
}
