//! What `check` says of Python that does not run embedded agrees with what the
//! interpreter says of itself.

use weaver_core::embedded::{HOST_MODULES, NATIVE_MODULES};
use weaver_core::spec::Runs;
use weaver_interpreter::limits::{
    UNSUPPORTED_ATTRIBUTES, UNSUPPORTED_BUILTINS, UNSUPPORTED_METHODS, UNSUPPORTED_SYNTAX,
};
use weaver_studio::parse;

/// Why the function `node` of a file does not run embedded; nothing when it does.
fn reasons(code: &str) -> Vec<String> {
    let source = format!(
        "from langgraph.graph import StateGraph, MessagesState, START\n{code}\n\
         g = StateGraph(MessagesState)\ng.add_node(\"node\", node)\n\
         g.add_edge(START, \"node\")\napp = g.compile()\n"
    );
    let spec = parse("subset.py", &source).spec;
    let node = spec.functions.iter().find(|function| function.id == "node");
    match &node.unwrap_or_else(|| panic!("no function: {source}")).runs {
        Runs::Embedded => Vec::new(),
        Runs::Worker { reasons } => reasons.clone(),
    }
}

fn body(line: &str) -> Vec<String> {
    reasons(&format!("def helper(x): return x\ndef node(state):\n    {line}\n"))
}

/// A file that uses a piece of syntax as the interpreter names it.
fn syntax(name: &str) -> &'static str {
    match name {
        "YieldValue" => "def items():\n    x = yield 1\ndef node(state): return list(items())\n",
        "EndlessGenerator" => {
            "def items():\n    while True:\n        yield 1\ndef node(state): return items()\n"
        }
        "GeneratorNode" => "def node(state):\n    yield {}\n",
        "AsyncWith" => "async def node(state):\n    async with state: pass\n",
        "TryStar" => "def node(state):\n    try: pass\n    except* ValueError: pass\n",
        "TypeAlias" => "def node(state):\n    type X = int\n",
        "MethodDecorator" => {
            "class A:\n    @cache\n    def x(self): return 1\ndef node(state): return A()\n"
        }
        "Metaclass" => "class A(metaclass=M): pass\ndef node(state): return A()\n",
        "SuperMethod" => {
            "class A:\n    def x(self): return super().x()\ndef node(state): return A()\n"
        }
        "LocalClassWithBases" => "def node(state):\n    class A(ValueError): pass\n",
        other => panic!("{other}: write a file that uses it"),
    }
}

#[test]
fn all_that_the_interpreter_lacks_is_reported() {
    for (name, _) in UNSUPPORTED_SYNTAX {
        assert!(!reasons(syntax(name)).is_empty(), "{name}");
    }
    for name in UNSUPPORTED_METHODS {
        let code = format!("class A:\n    def {name}(self): pass\ndef node(state): return A()\n");
        assert!(!reasons(&code).is_empty(), "{name}");
    }
    for name in UNSUPPORTED_BUILTINS {
        assert!(!body(&format!("return {name}()")).is_empty(), "{name}");
    }
    for name in UNSUPPORTED_ATTRIBUTES {
        assert!(!body(&format!("return helper.{name}")).is_empty(), "{name}");
    }
    for line in [
        "return open('x').read()",
        "return object()",
        "from pathlib import Path; return Path('x').read_text()",
    ] {
        assert!(!body(line).is_empty(), "{line}");
    }
}

#[test]
fn modules_are_answered_as_the_interpreter_has_them() {
    for module in NATIVE_MODULES.iter().chain(&HOST_MODULES) {
        let found = reasons(&format!("import {module}\ndef node(state): return {module}\n"));
        assert!(found.is_empty(), "{module}: {found:?}");
    }
    let unknown = "from langchain_core.rate_limiters import InMemoryRateLimiter as Limiter\n";
    let used = reasons(&format!("{unknown}def node(state): return Limiter(1)\n"));
    assert!(used[0].contains("langchain_core.rate_limiters.InMemoryRateLimiter"), "{used:?}");
    let only_named = reasons(&format!("{unknown}def node(state, x: Limiter = 1): return x\n"));
    assert!(only_named.is_empty(), "{only_named:?}");
    for (module, name) in
        [("os.path", "basename"), ("operator", "truth"), ("uuid", "uuid5"), ("enum", "Flag")]
    {
        let found =
            reasons(&format!("from {module} import {name}\ndef node(state): return {name}\n"));
        assert!(found[0].contains(name), "{found:?}");
        let whole = reasons(&format!("import {module}\ndef node(state): return {module}.{name}\n"));
        assert!(module.contains('.') || whole[0].contains(name), "{whole:?}");
    }
    assert!(body("string = 'local'; return string.nothing").is_empty());
    for module in ["numpy", "requests", "socket", "subprocess", "sqlite3", "threading"] {
        let found = reasons(&format!("import {module}\ndef node(state): return {module}\n"));
        assert!(!found.is_empty(), "{module}");
    }
}

#[test]
fn what_the_interpreter_runs_is_not_reported() {
    for code in [
        "class Stop(Exception):\n    def __init__(self, x):\n        super().__init__(x)\ndef node(state): raise Stop(1)\n",
        "class A:\n    def x(self): return 1\nclass B(A): pass\ndef node(state): return B().x()\n",
        "def node(state):\n    class A:\n        x = 1\n    return A.x\n",
        "def node(state):\n    d = {'a': 1}\n    del d['a']\n    return d\n",
        "def node(state): return [callable(node), issubclass(int, str), type(state).__name__]\n",
        "from functools import wraps\nfrom dataclasses import asdict\ndef node(state): return [wraps, asdict]\n",
        "class A:\n    @property\n    def x(self): return 1\nclass B(A):\n    def y(self): return super().z()\ndef node(state): return B().x\n",
        "def items():\n    yield 1\n    yield from [2]\nasync def node(state): return [x async for x in items()]\n",
        "def open(x): return x\ndef help(): return 1\ndef node(state): return [open(1), help()]\n",
        "from contextlib import suppress\nfrom langchain_groq import ChatGroq\ndef node(state):\n    with suppress(ValueError): return ChatGroq()\n",
    ] {
        let found = reasons(code);
        assert!(found.is_empty(), "{code}\n{found:?}");
    }
}
