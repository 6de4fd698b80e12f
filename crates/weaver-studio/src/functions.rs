//! What each function needs, whether it runs in the embedded interpreter, and the
//! hash of its meaning.

use std::collections::BTreeMap;

use ruff_python_ast::name::Name;
use weaver_core::spec::{FunctionSpec, Runs};
use weaver_core::{FastMap, Hash, LineIndex, Severity};

use crate::analysis::{Part, SchemaMap};
use crate::eval::prebuilt::HOST_NAMES;
use crate::eval::value::Abs;
use crate::eval::{Callable, Evaluator, FunctionDraft, FunctionExpression};
use crate::facts::{self, ItemKind};
use crate::generators;
use crate::problem::{Problems, span};
use crate::syntax;
use crate::units::{Closure, Reason, Units};

/// Turns drafts of functions into specs: what each needs and whether it runs.
pub(crate) struct Functions<'f, 'a> {
    pub text: &'a str,
    pub lines: &'f LineIndex,
    pub units: &'f Units<'f>,
    pub evaluator: &'f Evaluator<'a>,
    pub schemas: &'f SchemaMap<'f>,
    /// Classes of the graphs' states: what a function without annotations gets.
    pub states: &'f [Name],
}

impl<'a> Functions<'_, 'a> {
    /// All functions, and what each needs.
    pub fn all(
        &self,
        drafts: &[FunctionDraft<'a>],
        problems: &mut Problems,
    ) -> (Vec<FunctionSpec>, BTreeMap<String, Part>) {
        let mut specs = Vec::with_capacity(drafts.len());
        let mut parts = BTreeMap::new();
        // One problem for each place, naming every function that it keeps from running.
        let mut blamed: BTreeMap<(usize, String), (Reason, Vec<String>)> = BTreeMap::new();
        // Functions defined inside others become global under their own names.
        let mut globals: FastMap<&str, &str> = FastMap::default();
        for draft in drafts {
            let (expression, mut closure) = self.closure(draft);
            self.add_states(draft, &mut closure);
            if let Some(FunctionExpression::Nested(name)) = &draft.expression {
                let taken = self.evaluator.final_value(name).is_some();
                let owner = *globals.entry(name).or_insert(&draft.id);
                if taken || owner != draft.id {
                    closure.reasons.push(Reason {
                        code: "embedded_subset",
                        range: draft.span.clone(),
                        what: format!("there is another function `{name}` in the file"),
                        instead: "give one of them another name".into(),
                    });
                }
            }
            if let Callable::Def { function, .. } = &draft.callable
                && generators::yields(&function.def.body)
            {
                closure.reasons.push(Reason {
                    code: "embedded_subset",
                    range: draft.span.clone(),
                    what: format!("`{}` is a generator, which is no node", draft.id),
                    instead: "return the update; use `get_stream_writer()` to stream".into(),
                });
            }
            let mut reasons: Vec<String> = Vec::new();
            // What imports a package goes to a worker, which runs all of Python: nothing
            // else that the interpreter lacks is in its way.
            let is_foreign = closure.reasons.iter().any(|reason| reason.code == "needs_worker");
            let found = std::mem::take(&mut closure.reasons).into_iter();
            for reason in found.filter(|reason| !is_foreign || reason.code != "embedded_subset") {
                let text = format!("{}; {}", reason.what, reason.instead);
                if !reasons.contains(&text) {
                    reasons.push(text);
                }
                let key = (reason.range.start, reason.what.clone());
                let entry = blamed.entry(key).or_insert_with(|| (reason, Vec::new()));
                if !entry.1.contains(&draft.id) {
                    entry.1.push(draft.id.clone());
                }
            }
            self.global_writes(draft, &closure, problems);
            let embedded = reasons.is_empty();
            specs.push(FunctionSpec {
                id: draft.id.clone(),
                runs: if embedded { Runs::Embedded } else { Runs::Worker { reasons } },
                is_async: draft.callable.is_async(),
                parameters: draft.callable.parameters(self.text),
                doc: draft.callable.doc(),
                code_hash: self.code_hash(draft, expression.as_deref(), &closure).to_hex(),
                span: span(self.text, self.lines, &draft.span),
            });
            parts.insert(draft.id.clone(), Part { closure, expression, embedded });
        }
        for (reason, ids) in blamed.into_values() {
            let names: Vec<String> = ids.iter().map(|id| format!("`{id}`")).collect();
            if reason.code == "syntax_error" {
                continue; // it is a problem of its own already
            }
            let message = format!("{} (needed by {})", reason.what, names.join(", "));
            let severity = match reason.code {
                "needs_worker" => Severity::Warning,
                _ => Severity::Error,
            };
            problems.add(reason.code, severity, reason.range, message, Some(reason.instead));
        }
        (specs, parts)
    }

    fn closure(&self, draft: &FunctionDraft<'a>) -> (Option<String>, Closure) {
        let own = |path: &str| path.split('.').next().unwrap_or(path).into();
        match &draft.expression {
            None => (None, self.units.closure(&[own(&draft.id)], None)),
            Some(FunctionExpression::Nested(name)) => match self.units.by_path(&draft.id) {
                Some(id) => {
                    let parent = self.units.all[id as usize].parent;
                    (Some(name.clone()), self.units.closure(&[name.as_str().into()], parent))
                }
                None => (None, self.unreachable(draft, "it is defined inside a method")),
            },
            Some(FunctionExpression::Method(object, method)) => {
                match (&*object.variable.borrow(), &object.text) {
                    (Some(variable), _) => {
                        let closure = self.units.closure(std::slice::from_ref(variable), None);
                        (Some(format!("{variable}{method}")), closure)
                    }
                    (None, Some(text)) => self.text_closure(draft, &format!("{text}{method}")),
                    (None, None) => {
                        (None, self.unreachable(draft, "its object is no variable of the module"))
                    }
                }
            }
            Some(FunctionExpression::Text(_)) if self.evaluator.is_broken(&draft.span) => {
                let mut closure = Closure::default();
                closure.reasons.push(Reason {
                    code: "syntax_error",
                    range: draft.span.clone(),
                    what: "it does not parse".into(),
                    instead: "mend the syntax error".into(),
                });
                (None, closure)
            }
            Some(FunctionExpression::Text(text)) => self.text_closure(draft, text),
        }
    }

    /// Takes in the classes whose instances a function gets without naming them.
    fn add_states(&self, draft: &FunctionDraft<'a>, closure: &mut Closure) {
        let parameters = draft.callable.parameters(self.text);
        if parameters.first().is_some_and(|first| first.annotation.is_none()) {
            self.units.mentioned(self.states, closure);
        }
    }

    /// What an expression needs that the module is to evaluate at its end.
    fn text_closure(&self, draft: &FunctionDraft<'a>, text: &str) -> (Option<String>, Closure) {
        let Some(expr) = syntax::parse_annotation(text) else {
            return (None, self.unreachable(draft, "its expression cannot be read on its own"));
        };
        let (uses, violations) = facts::expression(&expr);
        let scope = self.scope_of(draft);
        let mut closure = self.units.closure(&uses, scope);
        for (local, module, name) in HOST_NAMES {
            if uses.iter().any(|used| used == local) {
                let import = (module.into(), Some(name.into()));
                closure.imports.insert(local.into(), import);
            }
        }
        let real = self.units.real(&violations, scope);
        closure.reasons.extend(real.map(|found| found.reason(draft.span.clone())));
        (Some(text.to_string()), closure)
    }

    /// The function of the module in whose body a lambda or partial stands.
    fn scope_of(&self, draft: &FunctionDraft<'a>) -> Option<u32> {
        let path = draft.callable.scope()?.path.clone()?;
        self.units.by_path(&path)
    }

    fn unreachable(&self, draft: &FunctionDraft<'a>, why: &str) -> Closure {
        let mut closure = Closure::default();
        closure.reasons.push(Reason {
            code: "embedded_subset",
            range: draft.span.clone(),
            what: format!("`{}` cannot be reached from the module: {why}", draft.id),
            instead: "make it a function of the module, or its object a variable of the module"
                .into(),
        });
        closure
    }

    /// State that a node keeps outside the graph is lost with the process.
    fn global_writes(&self, draft: &FunctionDraft<'a>, closure: &Closure, problems: &mut Problems) {
        for id in &closure.units {
            let unit = &self.units.all[*id as usize];
            if !matches!(unit.item.kind, ItemKind::Function { .. }) {
                continue;
            }
            for (range, name) in &unit.item.global_writes {
                let is_data = self.evaluator.final_value(name).is_some_and(|value| {
                    !matches!(value.abs, Abs::Import(_) | Abs::Builder(_) | Abs::Compiled(..))
                });
                if is_data {
                    let place = unit.base + range.start..unit.base + range.end;
                    let message = format!(
                        "`{name}` is changed inside `{}`: it lives in one process only and is not saved",
                        draft.id
                    );
                    let help = "return it as an update of the state instead".to_string();
                    problems.add("global_state", Severity::Info, place, message, Some(help));
                }
            }
        }
    }

    fn code_hash(
        &self,
        draft: &FunctionDraft<'a>,
        expression: Option<&str>,
        closure: &Closure,
    ) -> Hash {
        let mut hashes: Vec<&[u8]> = closure
            .units
            .iter()
            .map(|id| self.units.all[*id as usize].item.hash.0.as_slice())
            .collect();
        hashes.sort_unstable();
        let own = expression.unwrap_or(&draft.id).as_bytes();
        let mut parts: Vec<Vec<u8>> = Vec::new();
        for (local, (module, name)) in &closure.imports {
            parts.push(format!("{local}={module}:{}", name.as_deref().unwrap_or("")).into_bytes());
        }
        for name in &closure.schemas {
            if let Some(schema) = self.schemas.get(name.as_str()) {
                parts.push(schema.json_schema.to_json().into_bytes());
            }
        }
        parts.extend(closure.graphs.keys().map(|name| name.as_bytes().to_vec()));
        let parts = parts.iter().map(Vec::as_slice);
        Hash::of_parts(std::iter::once(own).chain(hashes).chain(parts))
    }
}
