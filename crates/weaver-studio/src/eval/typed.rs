//! Typed nodes: `nodes.llm(...)` checked against the table.

use std::ops::Range;
use std::rc::Rc;

use weaver_core::Value;
use weaver_core::spec::{END, Setting, TypedNode};

use super::Evaluator;
use super::value::{Abs, CallArgs, Val};
use crate::problem::{nearest, span, suggestion};
use crate::typed_nodes::{Argument, ArgumentKind, NODE_TYPES, NodeType, node_type};

impl<'a> Evaluator<'a> {
    pub(super) fn typed_node(
        &mut self,
        name: &str,
        args: &CallArgs<'a>,
        place: &Range<usize>,
    ) -> Abs<'a> {
        let Some(kind) = node_type(name) else {
            let known: Vec<&str> = NODE_TYPES.iter().map(|node| node.name).collect();
            let help = suggestion(name, "typed node", &known);
            let message = format!("there is no typed node `{name}`");
            self.problems.error("unknown_typed_node", place, message, help);
            return Abs::Unknown;
        };
        if kind.needs_server {
            let message =
                format!("`nodes.{name}` needs the server: it does not run from the command line");
            let help = "start the workflow on `agentweaver serve`, or use another node here";
            self.problems.warning("needs_server", place, message, help);
        }
        if !args.positional.is_empty() {
            let message = format!("`nodes.{name}` takes its settings by keyword");
            let help = format!("write `{}=…`", kind.arguments[0].name);
            self.problems.error("bad_argument", &args.positional[0].span, message, help);
        }
        let mut settings: Vec<Setting> = Vec::new();
        for (keyword, value, keyword_span) in &args.keywords {
            let Some(setting) = self.setting(kind, keyword, value, keyword_span) else { continue };
            settings.push(setting);
        }
        for argument in kind.arguments.iter().filter(|argument| argument.required) {
            let given = args.keyword(argument.name).is_some();
            if !given && !args.open && args.positional.is_empty() && !self.is_broken(place) {
                let message = format!("`nodes.{name}` needs `{}`", argument.name);
                self.problems.error("missing_setting", place, message, argument.doc);
            }
        }
        self.check_together(kind, args, place);
        Abs::Typed(Rc::new(TypedNode { node_type: name.to_string(), settings }))
    }

    fn setting(
        &mut self,
        kind: &NodeType,
        keyword: &str,
        value: &Val<'a>,
        place: &Range<usize>,
    ) -> Option<Setting> {
        let Some(argument) = kind.argument(keyword) else {
            let known: Vec<&str> = kind.arguments.iter().map(|argument| argument.name).collect();
            let help = match nearest(keyword, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("it takes {}", known.join(", ")),
            };
            let message = format!("`nodes.{}` has no setting `{keyword}`", kind.name);
            self.problems.error("unknown_setting", place, message, help);
            return None;
        };
        let Some(data) = value.to_value() else {
            let message = format!("`{keyword}` must be written out as a literal");
            let help = "use text, numbers, lists and dicts, or names of constants, schemas and functions of this file";
            self.problems.error("setting_type", place, message, help);
            return None;
        };
        if let Err(expected) = check(argument, value, &data) {
            let message = format!("`{keyword}` must be {expected}, not {}", data.type_name());
            self.problems.error("setting_type", place, message, argument.doc);
        }
        Some(Setting {
            name: keyword.to_string(),
            value: data,
            span: span(self.text, self.lines, place),
        })
    }

    /// Rules between the arguments of one node.
    fn check_together(&mut self, kind: &NodeType, args: &CallArgs<'a>, place: &Range<usize>) {
        let given = |name: &str| args.keyword(name).is_some_and(|value| !value.is_none());
        if args.open || self.is_broken(place) {
            return;
        }
        let problem = match kind.name {
            "loop" if given("while_") == given("items") => {
                Some("`nodes.loop` needs either `while_` or `items`")
            }
            "http" if given("json") && given("body") => {
                Some("`nodes.http` takes `json` or `body`, not both")
            }
            "llm" if !given("prompt") && !given("messages_key") => {
                Some("`nodes.llm` needs `prompt` or `messages_key`")
            }
            "file"
                if matches!(args.keyword("op").and_then(Val::as_str), Some("write" | "append"))
                    && !given("content") =>
            {
                Some("`nodes.file` needs `content` to write")
            }
            "store"
                if args.keyword("op").and_then(Val::as_str).is_some_and(|op| op != "search")
                    && !given("key") =>
            {
                Some("`nodes.store` needs `key`")
            }
            "user_input" if given("fields") && given("schema") => {
                Some("`nodes.user_input` takes `fields` or `schema`, not both")
            }
            _ => None,
        };
        if let Some(message) = problem {
            self.problems.error("missing_setting", place, message, "see the settings of the node");
        }
        if kind.name == "condition"
            && let Some(rules) = args.keyword("rules").and_then(Val::items)
        {
            for rule in rules {
                let complete = rule.entries().is_some_and(|entries| {
                    ["if", "goto"]
                        .iter()
                        .all(|key| entries.iter().any(|(k, _)| k.as_str() == Some(key)))
                });
                if !complete {
                    let message = "a rule is a dict with `if` and `goto`";
                    let help = "write `{\"if\": \"score > 3\", \"goto\": \"next\"}`";
                    self.problems.error("setting_type", &rule.span, message, help);
                }
            }
        }
    }
}

/// Whether a value fits an argument; if not, what was expected.
fn check(argument: &Argument, written: &Val<'_>, data: &Value) -> Result<(), String> {
    if data.is_null() && !argument.required {
        return Ok(());
    }
    let is_reference = data.tag() == Some("ref");
    let (fits, expected): (bool, String) = match argument.kind {
        ArgumentKind::Text
        | ArgumentKind::Template
        | ArgumentKind::Expression
        | ArgumentKind::Key => (data.as_str().is_some(), "text".into()),
        ArgumentKind::Node => (data.as_str().is_some(), "the name of a node".into()),
        ArgumentKind::Bool => (data.as_bool().is_some(), "True or False".into()),
        ArgumentKind::Int => (data.as_int().is_some(), "a whole number".into()),
        ArgumentKind::Number => (data.as_f64().is_some(), "a number".into()),
        ArgumentKind::OneOf(words) => {
            let fits = data.as_str().is_some_and(|text| words.contains(&text));
            (fits, one_of(words))
        }
        ArgumentKind::IntOrOneOf(words) => {
            let fits = data.as_int().is_some() || data.as_str().is_some_and(|t| words.contains(&t));
            (fits, format!("a whole number or {}", one_of(words)))
        }
        ArgumentKind::List => (data.as_list().is_some(), "a list".into()),
        ArgumentKind::Dict => (data.as_map().is_some() && !is_reference, "a dict".into()),
        ArgumentKind::ListOrDict => (
            data.as_list().is_some() || (data.as_map().is_some() && !is_reference),
            "a list or a dict".into(),
        ),
        ArgumentKind::Schema => {
            let class = matches!(written.abs, Abs::Class(_));
            (
                class || data.as_str().is_some() || (data.as_map().is_some() && !is_reference),
                "a schema class or a JSON Schema dict".into(),
            )
        }
        ArgumentKind::Any => (true, String::new()),
    };
    if fits { Ok(()) } else { Err(expected) }
}

fn one_of(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    format!("one of {}", quoted.join(", "))
}

/// Where a typed logic node can go, with the words on the arrow.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    /// Target, label.
    pub choices: Vec<(String, String)>,
    /// Edges that run one node after another: a branch's chain and its way on.
    pub chains: Vec<(String, String)>,
    /// Sources that are joined into the last target.
    pub join: Option<(Vec<String>, String)>,
}

/// The routes that the settings of a typed node name.
pub(crate) fn routes(node: &TypedNode) -> Routes {
    let setting = |name: &str| node.settings.iter().find(|s| s.name == name).map(|s| &s.value);
    let text = |name: &str| setting(name).and_then(Value::as_str).map(String::from);
    let end = || END.to_string();
    let mut routes = Routes::default();
    match node.node_type.as_str() {
        "condition" => {
            for rule in setting("rules").and_then(Value::as_list).unwrap_or_default() {
                if let Some(goto) = rule.get("goto").and_then(Value::as_str) {
                    let label = rule.get("if").and_then(Value::as_str).unwrap_or("if");
                    routes.choices.push((goto.to_string(), label.to_string()));
                }
            }
            routes.choices.push((text("default").unwrap_or_else(end), "default".into()));
        }
        "intent" => {
            routes.choices.extend(setting("intents").map(intent_routes).unwrap_or_default());
            routes.choices.push((text("fallback").unwrap_or_else(end), "fallback".into()));
        }
        "loop" => {
            routes.choices.extend(text("body").map(|body| (body, "body".to_string())));
            routes.choices.push((text("exit").unwrap_or_else(end), "exit".into()));
        }
        "wait" => {
            routes.choices.extend(text("goto").map(|goto| (goto, "answered".to_string())));
            routes.choices.extend(text("on_timeout").map(|goto| (goto, "timeout".to_string())));
        }
        "parallel" => {
            let then = text("then").unwrap_or_else(end);
            let mut lasts = Vec::new();
            for branch in setting("branches").and_then(Value::as_list).unwrap_or_default() {
                let chain: Vec<&str> = match (branch.as_str(), branch.as_list()) {
                    (Some(name), _) => vec![name],
                    (None, Some(names)) => names.iter().filter_map(Value::as_str).collect(),
                    _ => continue,
                };
                let (Some(first), Some(last)) = (chain.first(), chain.last()) else { continue };
                routes.choices.push((first.to_string(), "branch".into()));
                routes
                    .chains
                    .extend(chain.windows(2).map(|w| (w[0].to_string(), w[1].to_string())));
                lasts.push(last.to_string());
            }
            routes.join = Some((lasts, then));
        }
        _ => {}
    }
    routes
}

fn intent_routes(intents: &Value) -> Vec<(String, String)> {
    if let Some(entries) = intents.as_map() {
        return entries
            .iter()
            .map(|(name, intent)| {
                let goto = intent.get("goto").and_then(Value::as_str).unwrap_or(name);
                (goto.to_string(), name.to_string())
            })
            .collect();
    }
    intents
        .as_list()
        .unwrap_or_default()
        .iter()
        .filter_map(|intent| {
            let name = intent.get("name").and_then(Value::as_str)?;
            let goto = intent.get("goto").and_then(Value::as_str).unwrap_or(name);
            Some((goto.to_string(), name.to_string()))
        })
        .collect()
}
