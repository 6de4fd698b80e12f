//! Classes: bases, decorated methods, `super()`.
//!
//! The interpreter's classes have no bases, descriptors or decorated methods. Bases
//! and decorators are blanked; lines behind the class say what they mean.

use ruff_python_ast::{self as ast, Expr, Stmt};
use ruff_text_size::{Ranged, TextLen, TextRange, TextSize};

use super::{Lowering, last_name};
use crate::names::{BUILTIN_ERRORS, LACKING_ERRORS};

/// A class of the file that others may build on.
pub(super) struct Class {
    pub(super) name: String,
    kind: ClassKind,
    /// Its attributes with those that it inherits.
    members: Vec<Member>,
}

#[derive(Clone, PartialEq)]
enum ClassKind {
    Plain,
    /// Names of its bases, nearest first.
    Error(Vec<String>),
}

/// A method or another attribute.
#[derive(Clone)]
struct Member {
    name: String,
    kind: MemberKind,
}

#[derive(Clone, Copy, PartialEq)]
enum MemberKind {
    Method,
    Static,
    OfClass,
    Property,
    Other,
}

/// The class and method around a place.
#[derive(Clone)]
pub(super) struct Inside {
    bases: Vec<String>,
    /// The first parameter: `self` or `cls`.
    receiver: Option<String>,
}

impl Lowering<'_> {
    /// What a class means beyond its body; comes after its parts are lowered.
    pub(super) fn class(&mut self, class: &ast::StmtClassDef) {
        let name = class.name.as_str();
        let own: Vec<Member> = class.body.iter().filter_map(member_of).collect();
        let bases: Vec<String> = base_names(class);
        if let Some(arguments) = &class.arguments {
            self.blank(arguments.range());
        }
        for stmt in &class.body {
            let Stmt::FunctionDef(def) = stmt else { continue };
            for decorator in &def.decorator_list {
                self.blank(decorator.range());
            }
        }
        self.dataclass_options(class);
        let known: Vec<&Class> = bases.iter().filter_map(|base| self.known(base)).collect();
        let mut members = own.clone();
        let mut inherited: Vec<(String, String)> = Vec::new();
        for base in &known {
            for member in &base.members {
                if !members.iter().any(|taken| taken.name == member.name) {
                    inherited.push((base.name.clone(), member.name.clone()));
                    members.push(member.clone());
                }
            }
        }
        let known_names: Vec<String> = known.iter().map(|base| base.name.clone()).collect();
        let mut lines: Vec<String> = Vec::new();
        let kind = if bases.iter().any(|base| self.is_error(base)) {
            let all = self.error_bases(&bases);
            let parent = known_names.first().map_or("None", String::as_str);
            let own: Vec<&str> = own.iter().map(|member| member.name.as_str()).collect();
            lines
                .push(format!("_aw['define_error']({name}, {name:?}, {all:?}, {own:?}, {parent})"));
            lines.extend(self.decorated(name, class));
            lines.extend(inherited_lines(name, &inherited));
            ClassKind::Error(all)
        } else if bases.iter().any(|base| base.ends_with("Enum")) {
            let members = enum_members(class);
            let methods = own.iter().filter(|member| member.kind == MemberKind::Method);
            let methods: Vec<&str> = methods.map(|member| member.name.as_str()).collect();
            lines.extend(self.decorated(name, class));
            let mixin = enum_mixin(&bases);
            lines.push(format!(
                "_aw['define_enum']({name}, {name:?}, {members:?}, {methods:?}, {mixin:?})"
            ));
            ClassKind::Plain
        } else if is_own_dataclass(class) {
            lines.extend(self.decorated(name, class));
            lines.push(format!("_aw['adopt']({name}, {name:?})"));
            ClassKind::Plain
        } else if self.host.schemas.contains(&name) {
            let own: Vec<&str> = own.iter().map(|member| member.name.as_str()).collect();
            let checks = self.checks(class);
            let parents = known_names.join(", ");
            lines.push(format!(
                "{name} = _aw['graft']({name}, {name:?}, {own:?}, [{checks}], [{parents}])"
            ));
            lines.extend(self.decorated(name, class));
            ClassKind::Plain
        } else {
            lines.extend(self.decorated(name, class));
            lines.extend(inherited_lines(name, &inherited));
            if !known_names.is_empty() {
                lines.push(format!("{name}._aw_bases = [{}]", known_names.join(", ")));
            }
            if bases.iter().any(|base| base == "BaseRetriever") {
                let has_init = own.iter().any(|member| member.name == "__init__");
                let manager = if takes_run_manager(class) { "True" } else { "False" };
                let has_init = if has_init { "True" } else { "False" };
                lines.push(format!("_aw['define_retriever']({name}, {has_init}, {manager})"));
            }
            ClassKind::Plain
        };
        self.classes.push(Class { name: name.into(), kind, members });
        if !lines.is_empty() {
            self.insert_after(class.range(), class.start(), &lines);
        }
    }

    fn known(&self, name: &str) -> Option<&Class> {
        self.classes.iter().rev().find(|class| class.name == name)
    }

    fn is_error(&self, name: &str) -> bool {
        matches!(self.known(name), Some(Class { kind: ClassKind::Error(_), .. }))
            || ["Error", "Exception", "Warning"].iter().any(|end| name.ends_with(end))
            || BUILTIN_ERRORS.contains(&name)
            || LACKING_ERRORS.iter().any(|(lacking, _)| *lacking == name)
    }

    fn error_bases(&self, bases: &[String]) -> Vec<String> {
        let mut all = Vec::new();
        for base in bases {
            all.push(base.clone());
            if let Some(Class { kind: ClassKind::Error(more), .. }) = self.known(base) {
                all.extend(more.iter().cloned());
            }
        }
        all
    }

    /// Lines that make decorated methods what their decorators say.
    fn decorated(&mut self, name: &str, class: &ast::StmtClassDef) -> Vec<String> {
        let mut lines = Vec::new();
        for member in class.body.iter().filter_map(member_of) {
            let make = match member.kind {
                MemberKind::Static => "define_static",
                MemberKind::OfClass => "define_class_method",
                MemberKind::Property => "define_property",
                MemberKind::Method | MemberKind::Other => continue,
            };
            lines.push(format!("_aw['{make}']({name}, {:?})", member.name));
        }
        lines
    }

    /// Takes `kw_only` and `slots` out of `@dataclass(…)`: the interpreter has not got
    /// them, and what a file does right is the same without them.
    fn dataclass_options(&mut self, class: &ast::StmtClassDef) {
        for decorator in &class.decorator_list {
            let Expr::Call(call) = &decorator.expression else { continue };
            if last_name(&call.func) != "dataclass" {
                continue;
            }
            let plain = |keyword: &&ast::Keyword| {
                !matches!(keyword.arg.as_deref(), Some("kw_only" | "slots"))
            };
            let keywords = &call.arguments.keywords;
            let kept: Vec<&str> =
                keywords.iter().filter(plain).map(|keyword| self.text(keyword)).collect();
            if kept.len() < keywords.len() {
                let lines = "\n".repeat(self.text(&call.arguments).matches('\n').count());
                self.replace(call.arguments.range(), format!("({}{lines})", kept.join(", ")));
            }
        }
    }

    /// `(method, validator, number of parameters)` for each validator of a pydantic model.
    fn checks(&self, class: &ast::StmtClassDef) -> String {
        let mut checks = Vec::new();
        for stmt in &class.body {
            let Stmt::FunctionDef(def) = stmt else { continue };
            for decorator in &def.decorator_list {
                if let Expr::Call(call) = &decorator.expression
                    && last_name(&call.func).ends_with("validator")
                {
                    let count = def.parameters.len();
                    let (name, rule) = (def.name.as_str(), self.text(call));
                    checks.push(format!("({name:?}, {rule}, {count})"));
                }
            }
        }
        // The call may be written over several lines; a line of ours is one.
        checks.join(", ").replace('\n', " ")
    }

    /// `super().method(…)` as a call of the base's own method.
    pub(super) fn super_call(&mut self, call: &ast::ExprCall) {
        let Expr::Attribute(attribute) = &*call.func else { return };
        let Expr::Call(inner) = &*attribute.value else { return };
        let is_super = matches!(&*inner.func, Expr::Name(name) if name.id == "super");
        let Some(Inside { bases, receiver }) = self.inside.last().cloned() else { return };
        if !is_super {
            return;
        }
        let method = attribute.attr.as_str();
        let receiver = receiver.unwrap_or_else(|| "self".into());
        let owner = bases.iter().filter_map(|base| self.known(base)).find_map(|base| {
            let member = base.members.iter().find(|member| member.name == method)?;
            Some((base.name.clone(), member.kind))
        });
        let is_init = method == "__init__";
        let is_error = bases.iter().any(|base| self.is_error(base));
        let (callee, passes_receiver) = match owner {
            Some((base, MemberKind::Static)) => (format!("{base}.{method}"), false),
            Some((base, MemberKind::OfClass)) => (format!("{base}.{method}.function"), true),
            Some((base, _)) => (format!("{base}.{method}"), true),
            None if is_error && is_init => ("_aw_super".to_string(), true),
            None if is_error && method == "__str__" => ("_aw_error_text".to_string(), true),
            None if is_init => ("_aw_nothing".to_string(), true),
            None => return,
        };
        self.replace(call.func.range(), callee);
        if passes_receiver {
            let open = TextRange::at(call.arguments.start(), 1.into());
            let alone = call.arguments.args.is_empty() && call.arguments.keywords.is_empty();
            let separator = if alone { "" } else { ", " };
            self.replace(open, format!("({receiver}{separator}"));
        }
    }

    /// What `super()` means in a method.
    pub(super) fn enter(&mut self, class: &ast::StmtClassDef, def: &ast::StmtFunctionDef) {
        let first = def.parameters.iter_non_variadic_params().next();
        let receiver = first.map(|parameter| parameter.name().to_string());
        self.inside.push(Inside { bases: base_names(class), receiver });
    }

    /// `Color(1)` and `Color["RED"]`: the host's enums are plain classes.
    pub(super) fn enum_member(&mut self, class: &Expr, arguments: TextRange, find: &str) {
        if !self.is_enum(class) {
            return;
        }
        let name = self.text(class);
        self.replace(class.range(), find);
        self.replace(TextRange::at(arguments.start(), 1.into()), format!("({name}, "));
        let close = TextRange::new(arguments.end() - TextSize::from(1), arguments.end());
        self.replace(close, ")");
    }

    /// All members, where an enum is iterated over.
    pub(super) fn enum_members(&mut self, over: &Expr) {
        if self.is_enum(over) {
            self.replace(TextRange::empty(over.end()), "._members");
        }
    }

    pub(super) fn is_enum(&self, expr: &Expr) -> bool {
        matches!(expr, Expr::Name(name) if self.host.enums.contains(&name.id.as_str()))
    }

    /// Blanks a range, with its lines in place.
    fn blank(&mut self, range: TextRange) {
        let text = self.text(range);
        let in_brackets = text.starts_with('(');
        let blank: String = text
            .chars()
            .map(|c| match c {
                // Between a class's name and its colon a line must be continued.
                '\n' if in_brackets => "\\\n".into(),
                '\n' => "\n".into(),
                c => " ".repeat(c.len_utf8()),
            })
            .collect();
        self.replace(range, blank);
    }

    /// Puts statements behind one, indented as it is.
    pub(super) fn insert_after(
        &mut self,
        stmt: TextRange,
        indented_as: TextSize,
        lines: &[String],
    ) {
        let source = self.source;
        let start = indented_as.to_usize();
        let line = source[..start].rfind('\n').map_or(0, |at| at + 1);
        let indent: String =
            source[line..start].chars().take_while(|c| c.is_whitespace()).collect();
        let text: String = lines.iter().map(|line| format!("{indent}{line}\n")).collect();
        let end = stmt.end().to_usize();
        match source[end..].find('\n') {
            Some(at) => {
                let place = TextSize::try_from(end + at + 1).expect("inside the text");
                self.replace(TextRange::empty(place), text);
            }
            None => self.replace(TextRange::empty(source.text_len()), format!("\n{text}")),
        }
    }
}

/// Lines that give a class what it inherits: `(base, member)`.
fn inherited_lines<'i>(
    name: &'i str,
    inherited: &'i [(String, String)],
) -> impl Iterator<Item = String> + 'i {
    inherited
        .iter()
        .map(move |(base, member)| format!("_aw['inherit']({name}, {base}, {member:?})"))
}

/// Whether a retriever's own method asks for the manager of callbacks.
fn takes_run_manager(class: &ast::StmtClassDef) -> bool {
    let methods = class.body.iter().filter_map(Stmt::as_function_def_stmt);
    methods.filter(|def| def.name.as_str() == "_get_relevant_documents").any(|def| {
        def.parameters.iter().any(|parameter| parameter.name().as_str() == "run_manager")
    })
}

/// Whether a function goes over the items of what it is given.
pub(super) fn takes_items(function: &Expr) -> bool {
    let names: &[&str] = match function {
        Expr::Name(_) => &[
            "list",
            "tuple",
            "set",
            "frozenset",
            "len",
            "sorted",
            "reversed",
            "enumerate",
            "iter",
            "zip",
            "map",
            "filter",
            "any",
            "all",
            "max",
            "min",
            "sum",
            "dict",
        ],
        _ => &["join", "extend", "update", "chain", "product", "fromkeys"],
    };
    names.contains(&last_name(function).as_str())
}

/// A dataclass without bases, which the interpreter makes itself.
fn is_own_dataclass(class: &ast::StmtClassDef) -> bool {
    let no_bases = class.arguments.as_ref().is_none_or(|arguments| arguments.args.is_empty());
    let names = class.decorator_list.iter().map(|decorator| match &decorator.expression {
        Expr::Call(call) => last_name(&call.func),
        other => last_name(other),
    });
    no_bases && names.into_iter().any(|name| name == "dataclass")
}

fn base_names(class: &ast::StmtClassDef) -> Vec<String> {
    class.arguments.iter().flat_map(|arguments| &arguments.args).map(last_name).collect()
}

fn member_of(stmt: &Stmt) -> Option<Member> {
    let (name, kind) = match stmt {
        Stmt::FunctionDef(def) => (def.name.to_string(), method_kind(def)),
        Stmt::Assign(assign) => match assign.targets.as_slice() {
            [Expr::Name(name)] => (name.id.to_string(), MemberKind::Other),
            _ => return None,
        },
        Stmt::AnnAssign(assign) if assign.value.is_some() => match &*assign.target {
            Expr::Name(name) => (name.id.to_string(), MemberKind::Other),
            _ => return None,
        },
        _ => return None,
    };
    Some(Member { name, kind })
}

fn method_kind(def: &ast::StmtFunctionDef) -> MemberKind {
    let kinds = def.decorator_list.iter().map(|decorator| match &decorator.expression {
        Expr::Name(name) => match name.id.as_str() {
            "staticmethod" => MemberKind::Static,
            "classmethod" => MemberKind::OfClass,
            "property" => MemberKind::Property,
            _ => MemberKind::Method,
        },
        _ => MemberKind::Method,
    });
    kinds.into_iter().find(|kind| *kind != MemberKind::Method).unwrap_or(MemberKind::Method)
}

/// Names of all properties that the classes of a module define.
pub(super) fn properties(body: &[Stmt]) -> Vec<String> {
    let classes = body.iter().filter_map(Stmt::as_class_def_stmt);
    let members = classes.flat_map(|class| &class.body).filter_map(member_of);
    let mut names: Vec<String> = members
        .filter(|member| member.kind == MemberKind::Property)
        .map(|member| member.name)
        .collect();
    names.sort();
    names.dedup();
    names
}

/// What an enum's members are besides: the key of `MIXINS` in schemas.py.
fn enum_mixin(bases: &[String]) -> &str {
    let is = |base: &&String| matches!(base.as_str(), "str" | "int" | "StrEnum" | "IntEnum");
    bases.iter().find(is).map_or("", String::as_str)
}

/// Names that an enum assigns, in order.
fn enum_members(class: &ast::StmtClassDef) -> Vec<String> {
    let name = |stmt: &Stmt| match stmt {
        Stmt::Assign(assign) => match assign.targets.as_slice() {
            [Expr::Name(name)] if !name.id.starts_with('_') => Some(name.id.to_string()),
            _ => None,
        },
        _ => None,
    };
    class.body.iter().filter_map(name).collect()
}
