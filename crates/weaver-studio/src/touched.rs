//! Which keys of the state a function reads and writes, as far as its text says.

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Expr, ExprContext, Parameters, Stmt};

use crate::syntax::parse_chunk;

/// What a function does with its first parameter, the state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// Keys that it fails without: `state["key"]`, `state.key`. Not `state.get("key")`.
    pub reads: Vec<String>,
    /// The state is passed on, copied or looped over: it may read any key.
    pub reads_any: bool,
    /// Keys of the dicts in it: it may write these.
    pub writes: Vec<String>,
}

/// What the text of a function or lambda says. A text that is neither, or broken,
/// may read anything.
pub fn touched(text: &str) -> Touched {
    let tree = parse_chunk(text);
    let unknown = Touched { reads_any: true, ..Touched::default() };
    let mut collector = Collector::default();
    match tree.body.as_slice() {
        _ if !tree.errors.is_empty() => return unknown,
        [Stmt::FunctionDef(function)] => {
            collector.state = first_parameter(&function.parameters);
            collector.visit_body(&function.body);
        }
        [Stmt::Expr(statement)] => match &*statement.value {
            Expr::Lambda(lambda) => {
                collector.state = lambda.parameters.as_deref().and_then(first_parameter);
                collector.visit_expr(&lambda.body);
            }
            _ => return unknown,
        },
        _ => return unknown,
    }
    collector.touched
}

fn first_parameter(parameters: &Parameters) -> Option<String> {
    parameters.iter_non_variadic_params().next().map(|own| own.parameter.name.to_string())
}

#[derive(Default)]
struct Collector {
    state: Option<String>,
    touched: Touched,
}

impl Collector {
    fn is_state(&self, expr: &Expr) -> bool {
        let Expr::Name(name) = expr else { return false };
        self.state.as_deref() == Some(name.id.as_str())
    }
}

impl Visitor<'_> for Collector {
    fn visit_expr(&mut self, expr: &Expr) {
        match expr {
            Expr::Subscript(part) if self.is_state(&part.value) => match &*part.slice {
                Expr::StringLiteral(key) => self.touched.reads.push(key.value.to_str().into()),
                _ => self.touched.reads_any = true,
            },
            Expr::Attribute(part) if self.is_state(&part.value) => {
                if part.attr.as_str() != "get" {
                    self.touched.reads.push(part.attr.to_string());
                }
            }
            Expr::Name(name) if name.ctx == ExprContext::Load && self.is_state(expr) => {
                self.touched.reads_any = true;
            }
            Expr::Dict(dict) => {
                let keys = dict.items.iter().filter_map(|item| item.key.as_ref());
                self.touched.writes.extend(keys.filter_map(|key| match key {
                    Expr::StringLiteral(key) => Some(key.value.to_str().to_string()),
                    _ => None,
                }));
                visitor::walk_expr(self, expr);
            }
            _ => visitor::walk_expr(self, expr),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, reads: &[&str], reads_any: bool, writes: &[&str]) {
        let own = |names: &[&str]| names.iter().map(|name| name.to_string()).collect();
        let expected = Touched { reads: own(reads), reads_any, writes: own(writes) };
        assert_eq!(touched(text), expected, "{text}");
    }

    #[test]
    fn keys_are_read_where_python_would_fail_without_them() {
        check("def f(state):\n    return {'n': 1}", &[], false, &["n"]);
        check("def f(s: State):\n    return {'b': s['a'] + s.get('c', 0)}", &["a"], false, &["b"]);
        check("def f(state):\n    return {'b': state.a}", &["a"], false, &["b"]);
        check("lambda state: state['a'][0]", &["a"], false, &[]);
        check(
            "async def f(state):\n    return Command(update={'x': f'{state[\"y\"]}'})",
            &["y"],
            false,
            &["x"],
        );
    }

    #[test]
    fn a_state_that_goes_elsewhere_may_be_read_there() {
        check("def f(state):\n    return g(state)", &[], true, &[]);
        check("def f(state):\n    return {k: v for k, v in state.items()}", &["items"], false, &[]);
        check("def f(state):\n    return state[key]", &[], true, &[]);
        check("def f(:", &[], true, &[]);
        check("chain | model", &[], true, &[]);
    }

    #[test]
    fn a_function_without_parameters_reads_nothing() {
        check("def f():\n    return {'n': 1}", &[], false, &["n"]);
    }
}
