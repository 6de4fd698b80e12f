//! Calls on a graph's builder as statements or as links of a chain: put in, taken out.

use std::ops::Range;

use ruff_python_ast::{Expr, Stmt};

use super::splice::TextEdit;
use super::tree::Site;
use super::{Done, Editor, Refused, lines, range_of_span};
use crate::syntax::range_of;

/// Where a new call goes: behind a call, as a link of its chain or as a statement.
pub(super) struct Anchor<'a> {
    site: Site<'a>,
    /// What stands before the dot of a new statement; nothing for a link.
    receiver: Option<&'a str>,
}

impl<'a> Anchor<'a> {
    /// The first byte behind which the new call stands.
    pub fn place(&self) -> usize {
        self.site.end()
    }
}

impl<'a> Editor<'_, 'a> {
    /// The last call of some kind that stands with the one that makes the graph, or that one.
    pub fn anchor(&self, is_wanted: impl Fn(&Site<'a>) -> bool) -> Result<Anchor<'a>, Refused> {
        let compiled = self.graph.compile.span.map_or(usize::MAX, |span| span.start as usize);
        let spans = self.graph.nodes.iter().map(|node| node.span);
        let spans = spans.chain(self.graph.edges.iter().map(|edge| edge.span));
        let spans = spans.chain(self.graph.branches.iter().map(|branch| branch.span));
        let near = spans.filter_map(|span| self.tree.site(&span)).filter(|site| {
            std::ptr::eq(site.block, self.home.block)
                && site.end() > self.home.end()
                && site.end() <= compiled
                && site.repeated.is_none()
                && is_own_call(site)
                && is_wanted(site)
        });
        let site = near.max_by_key(Site::end).unwrap_or(self.home);
        let is_home = site.end() == self.home.end();
        if site.is_link() && (!is_home || site.goes_on) {
            return Ok(Anchor { site, receiver: None });
        }
        let receiver = match is_home {
            false => site.receiver().map(|receiver| self.source_of(receiver)),
            true => match site.statement {
                Stmt::Assign(assign) if is_call(&assign.value, &site) => {
                    assign.targets.first().map(|target| self.source_of(target))
                }
                Stmt::AnnAssign(assign) => match &assign.value {
                    Some(value) if is_call(value, &site) => Some(self.source_of(&assign.target)),
                    _ => None,
                },
                _ => None,
            },
        };
        match receiver {
            Some(receiver) => Ok(Anchor { site, receiver: Some(receiver) }),
            None => {
                let place = range_of_span(&self.graph.span);
                Err(Refused::at(place, "no variable holds the graph's builder"))
            }
        }
    }

    /// Puts a call in: `add_edge("a", "b")`.
    pub fn insert_call(&mut self, anchor: &Anchor<'a>, call: &str) -> Done {
        match anchor.receiver {
            Some(receiver) => {
                let code = format!("{receiver}.{call}");
                self.insert_statement(anchor.site.block, anchor.site.position, &code)
            }
            None => {
                self.insert_link(&anchor.site, call);
                Ok(())
            }
        }
    }

    /// Puts a statement in behind another one.
    pub fn insert_statement(&mut self, block: &'a [Stmt], position: usize, code: &str) -> Done {
        let text = self.tree.text;
        let mut end = range_of(&block[position]).end;
        for next in &block[position + 1..] {
            let next = range_of(next);
            if text[end..next.start].contains(['\n', '\r']) {
                break;
            }
            end = next.end;
        }
        let head = range_of(&block[position]).start;
        let first = block[..=position].iter().rev().map(|stmt| range_of(stmt).start);
        let Some(start) = first.clone().find(|start| lines::starts_line(text, *start)) else {
            return Err(Refused::at(head..end, "the statement shares its line with its block"));
        };
        let indent = lines::indent(text, start);
        let line_end = lines::line_end(text, end);
        let break_line = lines::line_break(text, end);
        let code = code.replace('\n', &format!("{break_line}{indent}"));
        self.edits.push(TextEdit::new(line_end..line_end, format!("{break_line}{indent}{code}")));
        Ok(())
    }

    fn insert_link(&mut self, site: &Site<'a>, call: &str) {
        let text = self.tree.text;
        let end = site.end();
        let dot = self.dot(site);
        let own_line = dot.filter(|dot| lines::starts_line(text, *dot));
        let next = (site.goes_on && own_line.is_none()).then(|| text[end..].trim_start());
        let style = own_line.or_else(|| {
            // Behind the constructor the next link shows the style.
            let next = next?;
            let at = text.len() - next.len();
            (next.starts_with('.') && lines::starts_line(text, at)).then_some(at)
        });
        let Some(like) = style else {
            self.edits.push(TextEdit::new(end..end, format!(".{call}")));
            return;
        };
        let (break_line, indent) = (lines::line_break(text, end), lines::indent(text, like));
        let before = lines::line_start(text, like);
        let escaped = text[..before].trim_end_matches(['\n', '\r']).ends_with('\\');
        let call = call.replace('\n', &format!("{break_line}{indent}"));
        let (at, glue) = match escaped {
            true => (end, " \\"),
            false if lines::ends_line(text, end) => (lines::line_end(text, end), ""),
            false => (end, ""),
        };
        self.edits.push(TextEdit::new(at..at, format!("{glue}{break_line}{indent}.{call}")));
    }

    /// Has a call taken out when the operation is finished.
    pub fn remove_call(&mut self, site: Site<'a>) {
        if !self.gone.iter().any(|known| known.end() == site.end()) {
            self.gone.push(site);
        }
    }

    /// Takes out what [`Editor::remove_call`] was told.
    pub fn remove_gone(&mut self) -> Done {
        let gone = std::mem::take(&mut self.gone);
        for site in &gone {
            let links = self.links(site);
            let whole = links.is_some_and(|links| {
                let same =
                    |other: &&Site<'a>| range_of(other.statement) == range_of(site.statement);
                gone.iter().filter(same).count() == links
            });
            if whole {
                let statement = (site.block, site.position);
                let known = |(block, position): &(&[Stmt], usize)| {
                    std::ptr::eq(*block, site.block) && *position == site.position
                };
                if !self.gone_statements.iter().any(known) {
                    self.gone_statements.push(statement);
                }
            } else if site.is_link() {
                let range = self.link(site)?;
                self.edits.push(TextEdit::new(range, ""));
            } else {
                let place = range_of(site.call);
                return Err(Refused::at(place, "something uses what the call gives"));
            }
        }
        let mut statements = std::mem::take(&mut self.gone_statements);
        statements.sort_by_key(|(block, position)| range_of(&block[*position]).start);
        let text = self.tree.text;
        let neighbours = |a: &(&[Stmt], usize), b: &(&[Stmt], usize)| {
            let between = range_of(&a.0[a.1]).end..range_of(&b.0[b.1]).start;
            std::ptr::eq(a.0, b.0) && a.1 + 1 == b.1 && !text[between].contains(['\n', '\r'])
        };
        for run in statements.chunk_by(neighbours) {
            self.remove_statements(run[0].0, run[0].1..run[run.len() - 1].1 + 1, &gone);
        }
        Ok(())
    }

    /// How many calls a statement is made of, if it is nothing but a chain of calls on a
    /// variable.
    fn links(&self, site: &Site<'a>) -> Option<usize> {
        let Stmt::Expr(statement) = site.statement else { return None };
        let mut links = 0;
        let mut expr = &*statement.value;
        loop {
            expr = match expr {
                Expr::Call(call) => {
                    links += 1;
                    &call.func
                }
                Expr::Attribute(attribute) => match &*attribute.value {
                    Expr::Call(_) => &attribute.value,
                    Expr::Name(_) | Expr::Attribute(_) => return Some(links),
                    _ => return None,
                },
                _ => return None,
            };
        }
    }

    /// What goes with a link of a chain.
    fn link(&self, site: &Site<'a>) -> Result<Range<usize>, Refused> {
        let text = self.tree.text;
        let end = site.end();
        let (Some(receiver), Some(dot)) = (site.receiver(), self.dot(site)) else {
            return Err(Refused::at(range_of(site.call), "the call is not one of a chain"));
        };
        let before = range_of(receiver).end;
        let gap = &text[before..dot];
        let is_blank = gap.trim_matches([' ', '\t', '\n', '\r', '\\']).is_empty();
        let own_line = lines::starts_line(text, dot);
        if own_line && lines::ends_line(text, end) && !gap.contains('\\') {
            return Ok(lines::whole_lines(text, dot..end));
        }
        Ok(if is_blank { before..end } else { dot..end })
    }

    fn dot(&self, site: &Site<'a>) -> Option<usize> {
        let Expr::Attribute(attribute) = &*site.call.func else { return None };
        let before = range_of(&*attribute.value).end;
        let name = range_of(&attribute.attr).start;
        self.tree.text[before..name].rfind('.').map(|dot| before + dot)
    }

    /// Takes out statements that share a line, or one, with the line; the last ones of a
    /// block leave a `pass`.
    pub fn remove_statements(&mut self, block: &'a [Stmt], run: Range<usize>, gone: &[Site<'a>]) {
        let text = self.tree.text;
        let range = range_of(&block[run.start]).start..range_of(&block[run.end - 1]).end;
        let is_module = std::ptr::eq(block, &*self.tree.module.body);
        let goes = |(position, stmt): (usize, &Stmt)| {
            let range = range_of(stmt);
            run.contains(&position) || gone.iter().any(|site| range_of(site.statement) == range)
        };
        if !is_module && run.start == 0 && block.iter().enumerate().all(goes) {
            self.edits.push(TextEdit::new(range, "pass"));
            return;
        }
        let rest = text[range.end..lines::line_end(text, range.end)].trim_start();
        let alone = rest.strip_prefix(';').unwrap_or(rest).trim_start();
        let alone = alone.is_empty() || alone.starts_with('#');
        let next = block.get(run.end).map(|next| range_of(next).start);
        let previous = run.start.checked_sub(1).map(|previous| range_of(&block[previous]).end);
        let removed = match (lines::starts_line(text, range.start), alone) {
            (true, true) => lines::whole_lines(text, range),
            (_, false) => range.start..next.unwrap_or(range.end),
            (false, true) => previous.unwrap_or(range.start)..range.end,
        };
        self.edits.push(TextEdit::new(removed, ""));
    }
}

/// The call is a link of a chain or a statement, not an argument.
fn is_own_call(site: &Site<'_>) -> bool {
    let mut expr = match site.statement {
        Stmt::Expr(statement) => &*statement.value,
        Stmt::Assign(assign) => &*assign.value,
        Stmt::AnnAssign(assign) => match &assign.value {
            Some(value) => value,
            None => return false,
        },
        Stmt::Return(ret) => match &ret.value {
            Some(value) => value,
            None => return false,
        },
        _ => return false,
    };
    loop {
        expr = match expr {
            Expr::Call(call) if range_of(call) == range_of(site.call) => return true,
            Expr::Call(call) => &call.func,
            Expr::Attribute(attribute) => &attribute.value,
            _ => return false,
        };
    }
}

fn is_call(value: &Expr, site: &Site<'_>) -> bool {
    range_of(value) == range_of(site.call)
}
