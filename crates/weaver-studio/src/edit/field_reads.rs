//! A field's new name in the settings of typed nodes: keys, templates, expressions.

use ruff_python_ast::{Expr, ExprStringLiteral, StringFlags};
use ruff_text_size::Ranged;
use weaver_core::Value;
use weaver_core::spec::{NodeSpec, Setting, TypedNode};

use super::templates::{Jinja, reads};
use super::{Done, Editor, Refused, range_of_span};
use crate::syntax::range_of;
use crate::typed_nodes::{ArgumentKind, node_type};

/// What a setting has to do with the keys of the state.
#[derive(Clone, Copy, PartialEq)]
enum Role {
    None,
    /// It is a key.
    Key,
    /// Each text in it is read so.
    Texts(Jinja),
    /// A list of rules with an expression each.
    Rules,
    /// A dict whose keys are keys of the state.
    Keys,
    /// Code that answers with keys of the state.
    Code,
}

fn role(typed: &TypedNode, setting: &str) -> Role {
    let has_into = typed.settings.iter().any(|other| other.name == "into");
    match (typed.node_type.as_str(), setting) {
        ("condition", "rules") => return Role::Rules,
        ("code", "inputs") => return Role::Texts(Jinja::Expression),
        ("schedule", "input") => return Role::Keys,
        ("user_input", "fields" | "schema") | ("wait", "form" | "schema") if !has_into => {
            return Role::Keys;
        }
        ("code", "code") if !has_into => return Role::Code,
        (_, "headers" | "params" | "json" | "arguments" | "value" | "namespace")
        | ("agent_call" | "workflow", "input") => return Role::Texts(Jinja::Template),
        _ => {}
    }
    let argument = node_type(&typed.node_type).and_then(|node| node.argument(setting));
    match argument.map(|argument| argument.kind) {
        Some(ArgumentKind::Key) => Role::Key,
        Some(ArgumentKind::Template) => Role::Texts(Jinja::Template),
        Some(ArgumentKind::Expression) => Role::Texts(Jinja::Expression),
        _ => Role::None,
    }
}

impl<'a> Editor<'_, 'a> {
    /// Renames a key of the state in what a typed node reads and writes.
    pub fn rename_in_settings(
        &mut self,
        node: &NodeSpec,
        typed: &TypedNode,
        name: &str,
        to: &str,
    ) -> Done {
        let place = range_of_span(&node.span);
        if let Some(reserved) = [name, to].into_iter().find(|key| is_special(typed, key)) {
            let reason = format!("`{reserved}` has a meaning of its own for `{}`", node.name);
            return Err(Refused::at(place, reason));
        }
        if typed.node_type == "workflow" && !typed.settings.iter().any(|s| s.name == "input") {
            let reason = format!("`{}` hands on the whole state", node.name);
            return Err(Refused::at(place, reason));
        }
        for setting in &typed.settings {
            let role = role(typed, &setting.name);
            let there = range_of_span(&setting.span);
            if count(self, setting, role, to)? > 0 {
                return Err(Refused::at(there, format!("`{to}` is read here already")));
            }
            let wanted = count(self, setting, role, name)?;
            if wanted == 0 {
                continue;
            }
            let site = self.typed_call(node, typed)?;
            let keyword = site.call.arguments.find_keyword(&setting.name);
            let done = match keyword {
                Some(keyword) if role != Role::Code => {
                    self.rename_reads(&keyword.value, role, name, to)?
                }
                _ => 0,
            };
            if done != wanted {
                let reason =
                    format!("`{}` names `{name}` in a way that is not plain", setting.name);
                return Err(Refused::at(there, reason));
            }
        }
        Ok(())
    }

    /// Renames in a literal; how many places there were.
    fn rename_reads(
        &mut self,
        expr: &'a Expr,
        role: Role,
        name: &str,
        to: &str,
    ) -> Result<usize, Refused> {
        let mut done = 0;
        match (expr, role) {
            (Expr::StringLiteral(_) | Expr::Name(_), Role::Key) => {
                self.rename_place(expr, name, to)?;
                done = 1;
            }
            (Expr::StringLiteral(text), Role::Texts(kind)) => {
                done = self.rename_in_text(text, kind, name, to);
            }
            (Expr::Name(constant), Role::Texts(kind)) if self.tree.loads(&constant.id) == 1 => {
                let literal = self.tree.constant(&constant.id);
                if let Some(Expr::StringLiteral(text)) = literal {
                    done = self.rename_in_text(text, kind, name, to);
                }
            }
            (Expr::List(list), Role::Texts(_) | Role::Rules) => {
                for item in &list.elts {
                    done += self.rename_reads(item, role, name, to)?;
                }
            }
            (Expr::Dict(dict), _) => {
                for item in &dict.items {
                    let Some(key) = &item.key else { continue };
                    done += match role {
                        Role::Keys if self.tree.text_of(key) == Some(name) => {
                            self.rename_place(key, name, to)?;
                            1
                        }
                        Role::Rules if self.tree.text_of(key) == Some("if") => {
                            let rule = Role::Texts(Jinja::Expression);
                            self.rename_reads(&item.value, rule, name, to)?
                        }
                        Role::Texts(_) => self.rename_reads(&item.value, role, name, to)?,
                        _ => 0,
                    };
                }
            }
            _ => {}
        }
        Ok(done)
    }

    /// The places in the source of a text; a name that an escape hides is not found.
    fn rename_in_text(
        &mut self,
        text: &ExprStringLiteral,
        kind: Jinja,
        name: &str,
        to: &str,
    ) -> usize {
        let mut done = 0;
        for part in &text.value {
            let whole = range_of(part);
            let prefix = part.flags.prefix().as_str().len();
            let quote = if part.flags.is_triple_quoted() { 3 } else { 1 };
            let start = whole.start + prefix + quote;
            let written = self.tree.source(start..part.end().to_usize() - quote);
            for place in reads(written, name, kind).unwrap_or_default() {
                self.replace(start + place.start..start + place.end, to);
                done += 1;
            }
        }
        done
    }
}

/// Keys that a typed node reads or writes without being told, or in another way than others.
fn is_special(typed: &TypedNode, key: &str) -> bool {
    let has = |setting: &str| typed.settings.iter().any(|known| known.name == setting);
    match typed.node_type.as_str() {
        "loop" => key == "item" && has("items") && !has("item_key"),
        _ => key == "messages",
    }
}

/// How often a setting names a key.
fn count(
    editor: &Editor<'_, '_>,
    setting: &Setting,
    role: Role,
    name: &str,
) -> Result<usize, Refused> {
    if let (Role::Keys, Some(class)) = (role, setting.value.get("name").and_then(Value::as_str)) {
        let schema = editor.tree.spec.schemas.iter().find(|schema| schema.name == class);
        if setting.value.tag() == Some("ref") {
            let has = schema.is_none_or(|s| s.fields.iter().any(|field| field.name == name));
            return Ok(usize::from(has));
        }
    }
    count_in(&setting.value, role, name).ok_or_else(|| {
        let reason = format!("`{name}` has another meaning in `{}`", setting.name);
        Refused::at(range_of_span(&setting.span), reason)
    })
}

/// Nothing where a text gives the name a meaning of its own.
fn count_in(value: &Value, role: Role, name: &str) -> Option<usize> {
    match (value, role) {
        (Value::Str(text), Role::Key) => Some(usize::from(&**text == name)),
        (Value::Str(text), Role::Texts(kind)) => Some(reads(text, name, kind)?.len()),
        (Value::Str(text), Role::Code) => {
            let is_word = |c: char| c.is_alphanumeric() || c == '_';
            Some(text.split(|c| !is_word(c)).filter(|word| *word == name).count())
        }
        (Value::List(items), Role::Texts(_) | Role::Rules) => {
            items.iter().map(|item| count_in(item, role, name)).sum()
        }
        (Value::Map(map), Role::Rules) => match map.get("if") {
            Some(rule) => count_in(rule, Role::Texts(Jinja::Expression), name),
            None => Some(0),
        },
        (Value::Map(map), Role::Keys) => Some(map.keys().filter(|key| &***key == name).count()),
        (Value::Map(map), Role::Texts(_)) => {
            map.values().map(|item| count_in(item, role, name)).sum()
        }
        _ => Some(0),
    }
}
