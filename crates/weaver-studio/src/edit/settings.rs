//! Settings of typed nodes, changed in place: of a list or dict only what differs.

use std::ops::Range;

use ruff_python_ast::{Expr, Keyword, Number};
use weaver_core::Value;
use weaver_core::spec::{NodeKind, NodeSpec, TypedNode};

use super::items::Items;
use super::operation::is_plain;
use super::tree::Site;
use super::{Done, Editor, Refused, lines, range_of_span, style};
use crate::problem::suggestion;
use crate::syntax::range_of;
use crate::typed_nodes::node_type;

impl<'a> Editor<'_, 'a> {
    /// Gives a setting a value, or takes it away.
    pub fn set_node(&mut self, name: &str, setting: &str, value: &Value) -> Done {
        let node = self.node(name)?.clone();
        let NodeKind::Typed(typed) = &node.kind else {
            let help = "edit its function's code";
            return Err(Refused::field("name", format!("`{name}` is no typed node"), help));
        };
        check_setting(&typed.node_type, setting)?;
        self.set_settings(&node, typed, &[(setting.to_string(), value.clone())])
    }

    /// Several settings at once; at most one of them is new.
    pub fn set_settings(
        &mut self,
        node: &NodeSpec,
        typed: &TypedNode,
        settings: &[(String, Value)],
    ) -> Done {
        if settings.is_empty() {
            return Ok(());
        }
        let site = self.typed_call(node, typed)?;
        let items = Items::of_arguments(self.tree, &site.call.arguments);
        let mut gone = Vec::new();
        for (name, value) in settings {
            if !is_plain(value) {
                let reason = format!("the value of `{name}` has no literal");
                return Err(Refused::field("settings", reason, "give plain data"));
            }
            let old = typed.settings.iter().find(|setting| setting.name == *name);
            let keyword = site.call.arguments.find_keyword(name);
            match (keyword, value) {
                (None, _) if old.is_some() || has_open_keywords(&site) => {
                    let place = range_of(site.call);
                    let reason = format!("`{name}` is not written out in the call");
                    return Err(Refused::at(place, reason));
                }
                (None, Value::Null) => {}
                (None, value) => {
                    let code = format!("{name}={}", self.value(value, "settings")?);
                    self.edits.extend(items.append(&code));
                }
                (Some(keyword), value) => {
                    self.check_literal(keyword, old.map(|setting| &setting.value))?;
                    match (value, old) {
                        (Value::Null, _) => gone.extend(items.position(&range_of(keyword))),
                        (value, Some(old)) => self.rewrite(&keyword.value, &old.value, value)?,
                        (value, None) => {
                            let code = self.value(value, "settings")?;
                            self.replace(range_of(&keyword.value), code);
                        }
                    }
                }
            }
        }
        self.edits.extend(items.remove(&gone));
        Ok(())
    }

    /// The call that gives a typed node its settings.
    pub fn typed_call(&self, node: &NodeSpec, typed: &TypedNode) -> Result<Site<'a>, Refused> {
        let place = range_of_span(&node.span);
        let found = match typed.settings.first() {
            Some(setting) => self.tree.call_around(&setting.span),
            None => {
                let action = self.tree.site(&node.span).and_then(|site| {
                    site.argument(1, "action").or_else(|| site.argument(0, "node"))
                });
                action.and_then(|action| self.tree.site_of(action))
            }
        };
        let Some(site) = found.filter(|site| site.method() == typed.node_type) else {
            let reason = format!("the settings of `{}` are not written out in a call", node.name);
            return Err(Refused::at(place, reason));
        };
        let inside = |span: &weaver_core::Span| {
            let call = range_of(site.call);
            call.start <= span.start as usize && span.end as usize <= call.end
        };
        let nodes = self.tree.spec.graphs.iter().flat_map(|graph| &graph.nodes);
        let users = nodes.filter(|other| match &other.kind {
            NodeKind::Typed(other_typed) => match other_typed.settings.first() {
                Some(setting) => inside(&setting.span),
                None => other.span == node.span,
            },
            _ => false,
        });
        if site.repeated.is_some() || users.count() > 1 {
            let reason =
                format!("the call that gives `{}` its settings is used several times", node.name);
            return Err(Refused::at(range_of(site.call), reason));
        }
        Ok(site)
    }

    /// A setting must be written as a literal to be changed.
    fn check_literal(&self, keyword: &Keyword, old: Option<&Value>) -> Done {
        if is_literal(&keyword.value, old) {
            return Ok(());
        }
        let name = keyword.arg.as_ref().map_or("", |name| name.as_str());
        let reason = format!("`{name}` is not a literal but `{}`", self.source_of(&keyword.value));
        Err(Refused::at(range_of(keyword), reason))
    }

    /// Changes an expression with a known value into another value.
    fn rewrite(&mut self, expr: &'a Expr, old: &Value, new: &Value) -> Done {
        if old.to_json() == new.to_json() {
            return Ok(());
        }
        let items = Items::of_display(self.tree, expr);
        match (expr, old, new, items) {
            (Expr::List(list), Value::List(old), Value::List(new), Some(items))
                if list.elts.len() == old.len() && !old.is_empty() && !new.is_empty() =>
            {
                self.rewrite_list(&list.elts, &items, old, new)
            }
            (Expr::Dict(dict), Value::Map(old), Value::Map(map), Some(items))
                if dict.items.len() == old.len()
                    && !old.is_empty()
                    && new.tag().is_none()
                    && old.keys().any(|key| map.contains_key(key)) =>
            {
                let mut gone = Vec::new();
                for (position, (item, (key, value))) in dict.items.iter().zip(&**old).enumerate() {
                    match map.get(key) {
                        Some(new) => self.rewrite(&item.value, value, new)?,
                        None => gone.push(position),
                    }
                }
                let mut added = Vec::new();
                for (key, value) in map.iter().filter(|(key, _)| !old.contains_key(*key)) {
                    added.push(format!("{}: {}", self.text(key), self.value(value, "settings")?));
                }
                self.change_items(range_of(expr), &items, &gone, &added, new)
            }
            _ => {
                let written = match (expr, new) {
                    (Expr::StringLiteral(_), Value::Str(text)) => self.text_like(expr, text),
                    _ => self.value(new, "settings")?,
                };
                self.replace(range_of(expr), written);
                Ok(())
            }
        }
    }

    fn rewrite_list(
        &mut self,
        elts: &'a [Expr],
        items: &Items<'a>,
        old: &[Value],
        new: &[Value],
    ) -> Done {
        let head = old.iter().zip(new).take_while(|(a, b)| a == b).count();
        let shorter = old.len().min(new.len()) - head;
        let tail = old.iter().rev().zip(new.iter().rev()).take(shorter);
        let tail = tail.take_while(|(a, b)| a == b).count();
        // What is added goes to the end, so what stands behind it is written anew.
        let tail = if new.len() > old.len() { 0 } else { tail };
        let changed = old.len().min(new.len()) - tail;
        for at in head..changed {
            self.rewrite(&elts[at], &old[at], &new[at])?;
        }
        let gone: Vec<usize> = (changed..old.len() - tail).collect();
        let mut added = Vec::new();
        for value in new.iter().skip(old.len()) {
            added.push(self.value(value, "settings")?);
        }
        let whole = items.around();
        self.change_items(whole, items, &gone, &added, &Value::list(new.iter().cloned()))
    }

    /// Takes items out or puts some in; where both are needed the whole is written anew.
    fn change_items(
        &mut self,
        whole: Range<usize>,
        items: &Items<'a>,
        gone: &[usize],
        added: &[String],
        new: &Value,
    ) -> Done {
        if !gone.is_empty() && !added.is_empty() {
            self.edits.retain(|edit| {
                (edit.start as usize) < whole.start || (edit.end as usize) > whole.end
            });
            let code = self.value(new, "settings")?;
            self.replace(whole, code);
        } else if !added.is_empty() {
            self.edits.extend(items.append_all(added));
        } else {
            self.edits.extend(items.remove(gone));
        }
        Ok(())
    }

    /// A text in the quotes of the one that it replaces.
    pub fn text_like(&self, expr: &Expr, text: &str) -> String {
        let source = self.source_of(expr).trim_start_matches(|c: char| c.is_ascii_alphabetic());
        let quote = source.chars().next().filter(|c| matches!(c, '"' | '\''));
        let quote = quote.unwrap_or_else(|| self.quote());
        let quotes: String = [quote; 3].iter().collect();
        match source.starts_with(&quotes) && text.contains('\n') && !text.contains('\0') {
            true => {
                let break_line = lines::line_break(self.tree.text, range_of(expr).start);
                style::block_text(text, &quotes, break_line)
            }
            false => style::quoted(text, quote),
        }
    }

    pub fn node(&self, name: &str) -> Result<&NodeSpec, Refused> {
        self.graph.nodes.iter().find(|node| node.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.graph.nodes.iter().map(|node| node.name.as_str()).collect();
            let help = suggestion(name, "node", &names);
            Refused::field("name", format!("there is no node `{name}`"), help)
        })
    }
}

/// A typed node of that kind must have the setting.
pub(super) fn check_setting(kind: &str, setting: &str) -> Done {
    let Some(kind) = node_type(kind) else {
        let reason = format!("there is no typed node `{kind}`");
        return Err(Refused::field("node", reason, "choose one of the palette"));
    };
    if kind.argument(setting).is_some() {
        return Ok(());
    }
    let names: Vec<&str> = kind.arguments.iter().map(|argument| argument.name).collect();
    let reason = format!("`nodes.{}` has no setting `{setting}`", kind.name);
    Err(Refused::field("settings", reason, suggestion(setting, "setting", &names)))
}

fn has_open_keywords(site: &Site<'_>) -> bool {
    site.call.arguments.keywords.iter().any(|keyword| keyword.arg.is_none())
}

/// Whether an expression is written out; names only where they stand for themselves.
fn is_literal(expr: &Expr, value: Option<&Value>) -> bool {
    match expr {
        Expr::StringLiteral(_)
        | Expr::NumberLiteral(_)
        | Expr::BooleanLiteral(_)
        | Expr::NoneLiteral(_) => true,
        Expr::UnaryOp(negative) => negative
            .operand
            .as_number_literal_expr()
            .is_some_and(|number| !matches!(number.value, Number::Complex { .. })),
        Expr::List(list) => all_literal(&list.elts, value),
        Expr::Tuple(tuple) => all_literal(&tuple.elts, value),
        Expr::Dict(dict) => {
            let map = value.and_then(Value::as_map);
            map.is_none_or(|map| map.len() == dict.items.len())
                && dict.items.iter().enumerate().all(|(at, item)| {
                    let value = map.and_then(|map| map.get_index(at)).map(|(_, value)| value);
                    item.key.as_ref().is_some_and(|key| is_literal(key, None))
                        && is_literal(&item.value, value)
                })
        }
        Expr::Name(_) => value.and_then(Value::tag) == Some("ref"),
        _ => false,
    }
}

fn all_literal(elts: &[Expr], value: Option<&Value>) -> bool {
    let values = value.and_then(Value::as_list);
    values.is_none_or(|values| values.len() == elts.len())
        && elts
            .iter()
            .enumerate()
            .all(|(at, elt)| is_literal(elt, values.map(|values| &values[at])))
}
