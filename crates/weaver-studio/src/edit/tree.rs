//! The text as a syntax tree, with an index of its calls.

use std::ops::Range;

use ruff_python_ast::token::{Token, TokenKind, Tokens};
use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{
    Expr, ExprCall, ExprContext, ExprLambda, ModModule, Stmt, StmtClassDef, StmtFunctionDef,
};
use ruff_python_parser::Parsed;
use ruff_text_size::Ranged;
use weaver_core::spec::FileSpec;
use weaver_core::{FastMap, Span};

use crate::bindings::bound_names;
use crate::syntax::range_of;

/// A text with all that an edit asks about it.
pub(super) struct Tree<'a> {
    pub text: &'a str,
    pub spec: &'a FileSpec,
    pub module: &'a ModModule,
    tokens: &'a Tokens,
    /// All functions and lambdas.
    pub callables: Vec<Callable<'a>>,
    pub classes: Vec<&'a StmtClassDef>,
    /// By the place that the spec gives them: a call in a chain starts at its method's name.
    sites: FastMap<(usize, usize), Site<'a>>,
}

/// A function or lambda.
#[derive(Clone, Copy)]
pub(super) enum Callable<'a> {
    Def(&'a StmtFunctionDef),
    Lambda(&'a ExprLambda),
}

impl Callable<'_> {
    pub fn range(&self) -> Range<usize> {
        match self {
            Callable::Def(def) => range_of(*def),
            Callable::Lambda(lambda) => range_of(*lambda),
        }
    }
}

/// A call and where it stands.
#[derive(Clone, Copy)]
pub(super) struct Site<'a> {
    pub call: &'a ExprCall,
    /// The simple statement, or the head of the compound one, that it is in.
    pub statement: &'a Stmt,
    /// The statements around that one, and its position among them.
    pub block: &'a [Stmt],
    pub position: usize,
    /// The loop that it is in.
    pub repeated: Option<usize>,
    /// Another call follows on it.
    pub goes_on: bool,
}

impl<'a> Site<'a> {
    /// The name of the method or function that is called.
    pub fn method(&self) -> &'a str {
        match &*self.call.func {
            Expr::Attribute(attribute) => attribute.attr.as_str(),
            Expr::Name(name) => name.id.as_str(),
            _ => "",
        }
    }

    /// It is one of several calls in a row: `graph.add_node(…).add_edge(…)`.
    pub fn is_link(&self) -> bool {
        self.goes_on || self.receiver().is_some_and(Expr::is_call_expr)
    }

    /// What stands before the dot.
    pub fn receiver(&self) -> Option<&'a Expr> {
        match &*self.call.func {
            Expr::Attribute(attribute) => Some(&attribute.value),
            _ => None,
        }
    }

    pub fn end(&self) -> usize {
        range_of(self.call).end
    }

    /// An argument by position or keyword.
    pub fn argument(&self, position: usize, keyword: &str) -> Option<&'a Expr> {
        let arguments = &self.call.arguments;
        if let Some(keyword) = arguments.find_keyword(keyword) {
            return Some(&keyword.value);
        }
        arguments.args.get(position).filter(|arg| !arg.is_starred_expr())
    }
}

impl<'a> Tree<'a> {
    /// `parsed` is of `text`, without errors.
    pub fn new(text: &'a str, parsed: &'a Parsed<ModModule>, spec: &'a FileSpec) -> Self {
        let mut index = Index {
            place: (&[], 0),
            repeated: None,
            found: Vec::new(),
            callables: Vec::new(),
            classes: Vec::new(),
        };
        index.visit_body(parsed.suite());
        let continued: Vec<_> = index
            .found
            .iter()
            .filter_map(|site| site.receiver()?.as_call_expr())
            .map(|call| range_of(call).end)
            .collect();
        let mut sites = FastMap::default();
        for mut site in index.found {
            let whole = range_of(site.call);
            site.goes_on = continued.contains(&whole.end);
            let start = match &*site.call.func {
                Expr::Attribute(attribute) if attribute.value.is_call_expr() => {
                    range_of(&attribute.attr).start
                }
                _ => whole.start,
            };
            sites.insert((start, whole.end), site);
        }
        let (callables, classes) = (index.callables, index.classes);
        let (module, tokens) = (parsed.syntax(), parsed.tokens());
        Tree { text, spec, module, tokens, callables, classes, sites }
    }

    /// The call at a place of the spec.
    pub fn site(&self, span: &Span) -> Option<Site<'a>> {
        self.sites.get(&(span.start as usize, span.end as usize)).copied()
    }

    /// The site of a call that stands by itself, not in a chain.
    pub fn site_of(&self, expr: &Expr) -> Option<Site<'a>> {
        let range = range_of(expr);
        self.sites.get(&(range.start, range.end)).copied()
    }

    /// The innermost call around a place.
    pub fn call_around(&self, span: &Span) -> Option<Site<'a>> {
        let (start, end) = (span.start as usize, span.end as usize);
        let around = self.sites.values().filter(|site| {
            let arguments = range_of(&site.call.arguments);
            arguments.start < start && end < arguments.end
        });
        around.min_by_key(|site| range_of(&site.call.arguments).len()).copied()
    }

    /// The text of a node or range.
    pub fn source(&self, range: Range<usize>) -> &'a str {
        &self.text[range]
    }

    /// The tokens in a range that no token crosses.
    pub fn tokens(&self, range: Range<usize>) -> &'a [Token] {
        let at =
            |offset: usize| self.tokens.partition_point(|token| token.start().to_usize() < offset);
        &self.tokens[at(range.start)..at(range.end)]
    }

    /// How many single-line texts are written with `'` and with `"`.
    pub fn quotes(&self) -> (usize, usize) {
        let strings = self.tokens.iter().filter(|token| token.kind() == TokenKind::String);
        let single = strings.clone().filter(|token| {
            let text =
                self.source(range_of(*token)).trim_start_matches(|c: char| c.is_ascii_alphabetic());
            text.starts_with('\'')
        });
        let single = single.count();
        (single, strings.count() - single)
    }

    /// A function of the spec by its id: not a part of a prebuilt agent.
    pub fn callable(&self, id: &str) -> Option<Callable<'a>> {
        let span = self.spec.functions.iter().find(|function| function.id == id)?.span;
        let range = span.start as usize..span.end as usize;
        self.callables.iter().find(|callable| callable.range() == range).copied()
    }

    /// What the module gives a name, if it does so just once.
    pub fn constant(&self, name: &str) -> Option<&'a Expr> {
        let mut bindings = self.module.body.iter().filter(|stmt| {
            bound_names(std::slice::from_ref(*stmt)).iter().any(|bound| bound.as_str() == name)
        });
        let (Some(Stmt::Assign(assign)), None) = (bindings.next(), bindings.next()) else {
            return None;
        };
        matches!(assign.targets.as_slice(), [Expr::Name(_)]).then_some(&*assign.value)
    }

    /// Whether a name is an imported `START` or `END`.
    pub fn is_end(&self, name: &str) -> bool {
        let imports = self.module.body.iter().filter_map(Stmt::as_import_from_stmt);
        imports.flat_map(|import| &import.names).any(|alias| {
            matches!(alias.name.as_str(), "START" | "END")
                && alias.asname.as_ref().unwrap_or(&alias.name).as_str() == name
        })
    }

    /// The text that an expression stands for: a literal or a constant of the module.
    pub fn text_of(&self, expr: &'a Expr) -> Option<&'a str> {
        match expr {
            Expr::StringLiteral(text) => Some(text.value.to_str()),
            Expr::Name(name) => {
                let literal = self.constant(&name.id)?.as_string_literal_expr()?;
                Some(literal.value.to_str())
            }
            _ => None,
        }
    }

    /// How often the file reads a name.
    pub fn loads(&self, name: &str) -> usize {
        let mut loads = Loads { name, count: 0 };
        loads.visit_body(&self.module.body);
        loads.count
    }
}

struct Loads<'n> {
    name: &'n str,
    count: usize,
}

impl Visitor<'_> for Loads<'_> {
    fn visit_expr(&mut self, expr: &Expr) {
        match expr {
            Expr::Name(name) if name.ctx == ExprContext::Load && name.id.as_str() == self.name => {
                self.count += 1;
            }
            _ => visitor::walk_expr(self, expr),
        }
    }
}

struct Index<'a> {
    place: (&'a [Stmt], usize),
    repeated: Option<usize>,
    found: Vec<Site<'a>>,
    callables: Vec<Callable<'a>>,
    classes: Vec<&'a StmtClassDef>,
}

impl<'a> Visitor<'a> for Index<'a> {
    fn visit_body(&mut self, body: &'a [Stmt]) {
        let outside = self.place;
        for (position, stmt) in body.iter().enumerate() {
            self.place = (body, position);
            self.visit_stmt(stmt);
        }
        self.place = outside;
    }

    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        let outside = self.repeated;
        if matches!(stmt, Stmt::For(_) | Stmt::While(_)) {
            self.repeated = Some(range_of(stmt).start);
        }
        match stmt {
            Stmt::FunctionDef(def) => self.callables.push(Callable::Def(def)),
            Stmt::ClassDef(class) => self.classes.push(class),
            _ => {}
        }
        visitor::walk_stmt(self, stmt);
        self.repeated = outside;
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        let outside = self.repeated;
        match expr {
            Expr::ListComp(_) | Expr::SetComp(_) | Expr::DictComp(_) | Expr::Generator(_) => {
                self.repeated = Some(range_of(expr).start);
            }
            Expr::Lambda(lambda) => self.callables.push(Callable::Lambda(lambda)),
            Expr::Call(call) => {
                let (block, position) = self.place;
                if let Some(statement) = block.get(position) {
                    let repeated = self.repeated;
                    let site = Site { call, statement, block, position, repeated, goes_on: false };
                    self.found.push(site);
                }
            }
            _ => {}
        }
        visitor::walk_expr(self, expr);
        self.repeated = outside;
    }
}
