//! What Python's own types and functions take and the interpreter's do not: methods
//! as values, a function as the replacement of `re.sub`, `default` of `json.dumps`,
//! `next` of a generator expression.

use ruff_python_ast::{self as ast, Expr};
use ruff_text_size::{Ranged, TextRange, TextSize};

use super::Lowering;

/// Methods of Python's own types, which the interpreter has only as calls.
const METHODS: [&str; 75] = [
    "add",
    "append",
    "appendleft",
    "capitalize",
    "casefold",
    "center",
    "copy",
    "count",
    "decode",
    "difference",
    "discard",
    "encode",
    "endswith",
    "extend",
    "find",
    "findall",
    "format",
    "format_map",
    "fromisoformat",
    "fullmatch",
    "get",
    "group",
    "hex",
    "index",
    "insert",
    "intersection",
    "isalnum",
    "isalpha",
    "isascii",
    "isdecimal",
    "isdigit",
    "isdisjoint",
    "isidentifier",
    "islower",
    "isnumeric",
    "isoformat",
    "isprintable",
    "isspace",
    "issubset",
    "issuperset",
    "istitle",
    "isupper",
    "items",
    "join",
    "keys",
    "ljust",
    "lower",
    "lstrip",
    "match",
    "partition",
    "pop",
    "popleft",
    "remove",
    "removeprefix",
    "removesuffix",
    "replace",
    "rfind",
    "rjust",
    "rsplit",
    "rstrip",
    "search",
    "setdefault",
    "split",
    "splitlines",
    "startswith",
    "strftime",
    "strip",
    "swapcase",
    "title",
    "translate",
    "union",
    "update",
    "upper",
    "values",
    "zfill",
];

impl Lowering<'_> {
    /// `key=counts.get` and `map(str.strip, lines)`.
    pub(super) fn method_as_value(&mut self, attribute: &ast::ExprAttribute) {
        let name = attribute.attr.as_str();
        let is_property = self.properties.iter().any(|known| known == name);
        if attribute.ctx != ast::ExprContext::Load || is_property || !METHODS.contains(&name) {
            return;
        }
        let value = attribute.value.range();
        let brackets = self.closing(value, attribute);
        let call = format!("lambda _o, *_a, **_k: _o.{name}(*_a, **_k)");
        // The last bracket is that of our call.
        let brackets = &brackets[..brackets.len() - 1];
        self.replace(TextRange::empty(attribute.start()), "_aw_method(");
        self.replace(
            TextRange::new(value.end(), attribute.end()),
            format!("{brackets}, {name:?}, {call})"),
        );
    }

    /// `str.lower(x)`: a method that is called as a function of its type.
    pub(super) fn is_method_of_type(attribute: &ast::ExprAttribute) -> bool {
        let types = ["str", "list", "dict", "set", "tuple", "bytes", "frozenset"];
        METHODS.contains(&attribute.attr.as_str())
            && matches!(&*attribute.value, Expr::Name(name) if types.contains(&name.id.as_str()))
    }

    /// Calls whose arguments decide: `re.sub` with a function, `json.dumps` with
    /// `default`. They go to a face with the receiver in front.
    pub(super) fn call_with_receiver(&mut self, call: &ast::ExprCall) {
        let Expr::Attribute(method) = &*call.func else { return };
        let arguments = &call.arguments;
        let keyword = |name: &str| arguments.find_keyword(name).is_some();
        let function = |arg: &Expr| {
            matches!(arg, Expr::Lambda(_) | Expr::Name(_) | Expr::Attribute(_) | Expr::Call(_))
        };
        let face = match method.attr.as_str() {
            "sub" if arguments.args.iter().take(2).any(function) || keyword("repl") => "_aw_sub(",
            "dumps" if keyword("default") => "_aw_dumps(",
            _ => return,
        };
        let value = method.value.range();
        let brackets = self.closing(value, method);
        let brackets = &brackets[..brackets.len() - 1];
        let open = TextRange::new(value.end(), arguments.start() + TextSize::from(1));
        self.replace(TextRange::empty(call.start()), face);
        self.replace(open, format!("{brackets}, "));
    }

    /// A generator expression is a list here; what asks it for its next item needs
    /// an iterator.
    pub(super) fn iterator(&mut self, generator: &ast::ExprGenerator) {
        if generator.parenthesized {
            self.wrap(generator.range(), "iter");
        }
    }

    /// `next(x for x in xs)`, whose brackets are those of the call.
    pub(super) fn next_of(&mut self, call: &ast::ExprCall) {
        if let (Expr::Name(name), [Expr::Generator(generator)]) =
            (&*call.func, &*call.arguments.args)
            && name.id == "next"
            && !generator.parenthesized
        {
            self.wrap(generator.range(), "iter");
        }
    }
}
