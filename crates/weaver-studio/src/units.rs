//! What a function needs: the statements of the module that it uses, directly or
//! through others, and why that may not run in the embedded interpreter.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use ruff_python_ast::name::Name;

use crate::facts::{Import, Item, ItemKind, Member, Violation};
use crate::hosts::{self, Answer};
use weaver_core::{FastMap, FastSet};

/// A statement of the module or of the body of a function that builds a graph.
pub(crate) struct Unit<'c> {
    pub item: &'c Item,
    /// Offset of its chunk.
    pub base: usize,
    /// The function whose body it is in.
    pub parent: Option<u32>,
    /// Its chunk does not parse.
    pub broken: bool,
}

impl Unit<'_> {
    /// Its bytes in the whole text.
    pub fn range(&self) -> Range<usize> {
        self.base + self.item.range.start..self.base + self.item.range.end
    }
}

/// What a module variable is at the end, as far as the cut must know.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Known {
    /// A graph, by index.
    Graph(usize),
    /// A class whose instances the host may give to functions.
    Schema {
        /// It has methods, or defaults that only its body gives.
        has_body: bool,
        /// The host makes the class itself, not the interpreter.
        is_made: bool,
        /// Its instances are objects, not dicts.
        is_object: bool,
    },
}

/// A name to follow.
struct Open<'s> {
    name: &'s str,
    scope: Option<u32>,
    /// Only an annotation has it.
    is_mention: bool,
}

/// All statements by the names they bind or change.
pub(crate) struct Units<'c> {
    pub all: Vec<Unit<'c>>,
    names: FastMap<Option<u32>, FastMap<&'c str, Vec<u32>>>,
    /// Simple statements that build graphs.
    pub graph_statements: &'c BTreeSet<(usize, usize)>,
    pub known: FastMap<String, Known>,
}

/// Everything that something needs.
#[derive(Debug, Default)]
pub(crate) struct Closure {
    pub units: BTreeSet<u32>,
    pub imports: BTreeMap<String, (String, Option<String>)>,
    /// Module variables that hold graphs.
    pub graphs: BTreeMap<String, usize>,
    pub schemas: BTreeSet<String>,
    pub reasons: Vec<Reason>,
}

/// Why something does not run in the embedded interpreter.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reason {
    pub code: &'static str,
    pub range: Range<usize>,
    pub what: String,
    pub instead: String,
}

impl Violation {
    /// Why a function with it does not run; `range` is its place in the whole text.
    pub fn reason(&self, range: Range<usize>) -> Reason {
        Reason {
            code: "embedded_subset",
            range,
            what: format!("the embedded interpreter does not support {}", self.what),
            instead: self.instead.to_string(),
        }
    }
}

impl<'c> Units<'c> {
    pub fn new(
        items: impl Iterator<Item = (usize, &'c Item, bool)>,
        graph_statements: &'c BTreeSet<(usize, usize)>,
        known: FastMap<String, Known>,
    ) -> Self {
        let mut units =
            Units { all: Vec::new(), names: FastMap::default(), graph_statements, known };
        for (base, item, broken) in items {
            units.add(item, base, broken, None);
        }
        units
    }

    fn add(&mut self, item: &'c Item, base: usize, broken: bool, parent: Option<u32>) {
        let id = self.all.len() as u32;
        let names = self.names.entry(parent).or_default();
        for name in item.binds.iter().chain(&item.modifies) {
            let ids = names.entry(name.as_str()).or_default();
            if ids.last() != Some(&id) {
                ids.push(id);
            }
        }
        self.all.push(Unit { item, base, parent, broken });
        for inner in &item.body {
            self.add(inner, base, broken, Some(id));
        }
    }

    /// The unit that defines a function by its path (`build.node`), if it is one
    /// of the module or of functions of the module.
    pub fn by_path(&self, path: &str) -> Option<u32> {
        let mut parent = None;
        for part in path.split('.') {
            let ids = self.names.get(&parent)?.get(part)?;
            let id = *ids.iter().rev().find(|id| {
                let item = self.all[**id as usize].item;
                matches!(item.kind, ItemKind::Function { .. } | ItemKind::Class)
            })?;
            parent = Some(id);
        }
        parent
    }

    /// What names used in a scope need.
    pub fn closure(&self, uses: &[Name], scope: Option<u32>) -> Closure {
        let mut closure = Closure::default();
        let open = uses.iter().map(|name| Open { name, scope, is_mention: false }).collect();
        self.close(open, &mut closure);
        closure
    }

    /// Adds what names in annotations of the module need.
    pub fn mentioned(&self, names: &[Name], closure: &mut Closure) {
        let open = names.iter().map(|name| Open { name, scope: None, is_mention: true });
        self.close(open.collect(), closure);
    }

    fn close<'s>(&'s self, mut open: Vec<Open<'s>>, closure: &mut Closure) {
        let mut seen: FastSet<(Option<u32>, &str, bool)> = FastSet::default();
        while let Some(Open { name, scope, is_mention }) = open.pop() {
            let Some((home, ids)) = self.resolve(name, scope) else {
                if !is_mention {
                    self.captured(name, scope, closure);
                }
                continue;
            };
            let known = self.known.get(name).filter(|_| home.is_none());
            if !seen.insert((home, name, is_mention)) {
                continue;
            }
            let needs_body = match known {
                Some(Known::Graph(index)) if !is_mention => {
                    closure.graphs.insert(name.to_string(), *index);
                    continue;
                }
                Some(Known::Schema { has_body, is_made, is_object }) => {
                    if *is_made && (*is_object || !is_mention) {
                        closure.schemas.insert(name.to_string());
                    }
                    *has_body || !is_mention && !is_made
                }
                _ => !is_mention,
            };
            for id in ids {
                if needs_body {
                    self.need(*id, name, closure, &mut open);
                } else if matches!(known, Some(Known::Schema { .. })) {
                    self.mentions(&self.all[*id as usize], &mut open);
                }
            }
        }
    }

    /// Violations in a scope, without the built-in names that the file defines itself.
    pub fn real<'v>(
        &'v self,
        violations: &'v [Violation],
        scope: Option<u32>,
    ) -> impl Iterator<Item = &'v Violation> {
        violations.iter().filter(move |violation| {
            let own = |name: &Name| self.resolve(name, scope).is_some();
            !violation.builtin.as_ref().is_some_and(own)
        })
    }

    /// Takes one unit into a closure.
    fn need<'s>(&'s self, id: u32, name: &str, closure: &mut Closure, open: &mut Vec<Open<'s>>) {
        let unit = &self.all[id as usize];
        if let Some(import) = unit.item.imports.iter().find(|import| import.local == *name)
            && unit.item.kind == ItemKind::Import
        {
            self.import(import, unit, closure);
            return;
        }
        let range = unit.range();
        let is_graph = self.graph_statements.contains(&(range.start, range.end));
        if unit.item.kind == ItemKind::Main || is_graph || !closure.units.insert(id) {
            return;
        }
        if unit.broken {
            closure.reasons.push(Reason {
                code: "syntax_error",
                range: range.clone(),
                what: "it does not parse".into(),
                instead: "mend the syntax error".into(),
            });
        }
        let at = |inner: &Range<usize>| unit.base + inner.start..unit.base + inner.end;
        for violation in self.real(&unit.item.violations, Some(id)) {
            closure.reasons.push(violation.reason(at(&violation.range)));
        }
        for import in &unit.item.imports {
            self.import(import, unit, closure);
        }
        for member in &unit.item.members {
            self.member(member, unit, at(&member.range), closure);
        }
        if matches!(unit.item.kind, ItemKind::Function { .. }) && self.builds_graph(&range) {
            closure.reasons.push(Reason {
                code: "embedded_subset",
                range: range.clone(),
                what: "the embedded interpreter does not build graphs inside a node".into(),
                instead: "build and compile the graph in the module and call it from the node"
                    .into(),
            });
        }
        for name in &unit.item.uses {
            open.push(Open { name, scope: unit.parent, is_mention: false });
        }
        self.mentions(unit, open);
    }

    /// The names in a unit's annotations.
    fn mentions<'s>(&'s self, unit: &'s Unit<'_>, open: &mut Vec<Open<'s>>) {
        for name in &unit.item.mentions {
            open.push(Open { name, scope: unit.parent, is_mention: true });
        }
    }

    /// The statements in a range that build graphs.
    pub fn graph_statements_in(
        &self,
        range: &Range<usize>,
    ) -> impl Iterator<Item = (usize, usize)> {
        let end = range.end;
        let inside = self.graph_statements.range((range.start, 0)..(range.end, 0));
        inside.copied().filter(move |statement| statement.1 <= end)
    }

    fn builds_graph(&self, range: &Range<usize>) -> bool {
        self.graph_statements_in(range).next().is_some()
    }

    /// `module.name` where the module is here and has no such name.
    fn member(&self, member: &Member, unit: &Unit<'_>, range: Range<usize>, closure: &mut Closure) {
        let Some((_, ids)) = self.resolve(&member.of, unit.parent) else { return };
        let units = ids.iter().map(|id| &self.all[*id as usize]);
        let mut imports = units.flat_map(|unit| &unit.item.imports);
        let is_module = |import: &&Import| import.local == member.of && import.name.is_none();
        let Some(import) = imports.find(is_module) else { return };
        let answer = hosts::answer(&import.module, Some(&member.name));
        // A package that is imported whole is read by its own rules.
        if let Answer::NameMissing(instead) = answer
            && !import.module.starts_with("lang")
        {
            closure.reasons.push(Reason {
                code: "embedded_subset",
                range,
                what: format!(
                    "`{}.{}` is not in the embedded interpreter",
                    import.module, member.name
                ),
                instead: instead.to_string(),
            });
        }
    }

    fn import(&self, import: &Import, unit: &Unit<'_>, closure: &mut Closure) {
        let name = import.name.as_ref().map(|name| name.to_string());
        let range = unit.base + import.statement.start..unit.base + import.statement.end;
        match hosts::answer(&import.module, name.as_deref()) {
            Answer::Here => {
                closure.imports.insert(import.local.to_string(), (import.module.clone(), name));
            }
            Answer::NameMissing(instead) => closure.reasons.push(Reason {
                code: "embedded_subset",
                range,
                what: format!(
                    "`{}.{}` is not in the embedded interpreter",
                    import.module,
                    name.unwrap_or_default()
                ),
                instead: instead.to_string(),
            }),
            Answer::Worker => closure.reasons.push(Reason {
                code: "needs_worker",
                range,
                what: format!("the package `{}` is only on a Python worker", import.module),
                instead:
                    "attach a worker with `agentweaver worker --python FILE.py`, or use a typed \
                          node or the standard library"
                        .into(),
            }),
        }
    }

    fn resolve<'s>(&'s self, name: &str, scope: Option<u32>) -> Option<(Option<u32>, &'s [u32])> {
        let mut scope = scope;
        loop {
            if let Some(ids) = self.names.get(&scope).and_then(|names| names.get(name)) {
                return Some((scope, ids));
            }
            scope = self.all[scope? as usize].parent;
        }
    }

    /// A name that is a parameter of the function around.
    fn captured(&self, name: &str, scope: Option<u32>, closure: &mut Closure) {
        let mut scope = scope;
        while let Some(id) = scope {
            let unit = &self.all[id as usize];
            if unit.item.parameters.iter().any(|parameter| parameter == name) {
                closure.reasons.push(Reason {
                    code: "embedded_subset",
                    range: unit.range(),
                    what: format!("`{name}` is a parameter of the function around and is only known when that is called"),
                    instead: "make it a variable of the module, or give it with `functools.partial`".into(),
                });
            }
            scope = unit.parent;
        }
    }
}
