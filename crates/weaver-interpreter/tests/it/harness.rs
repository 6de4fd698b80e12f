//! The one door of these tests: a pool over this crate's worker binary, and a
//! host with scripted answers.

use std::collections::HashMap;
use std::sync::Arc;

use weaver_core::{Failure, HostImport, Program, Value};
use weaver_interpreter::{
    Answer, Binding, Call, CallRequest, HostCall, HostException, Limits, Pool, PoolOptions,
    Session, Step,
};

/// How a run ended.
#[derive(Debug)]
pub enum End {
    Returned(Value),
    Raised(Failure),
    Limit(Failure),
    Crashed(Failure),
}

/// What a run did.
#[derive(Debug)]
pub struct Ran {
    pub end: End,
    pub printed: String,
    pub calls: Vec<HostCall>,
}

impl Ran {
    #[track_caller]
    pub fn value(self) -> Value {
        match self.end {
            End::Returned(value) => value,
            other => panic!("expected a value, got {other:?}"),
        }
    }

    #[track_caller]
    pub fn json(self) -> String {
        self.value().to_json()
    }

    #[track_caller]
    pub fn raised(self) -> Failure {
        match self.end {
            End::Raised(failure) => failure,
            other => panic!("expected an exception, got {other:?}"),
        }
    }

    #[track_caller]
    pub fn crashed(self) -> Failure {
        match self.end {
            End::Crashed(failure) => failure,
            other => panic!("expected a crash, got {other:?}"),
        }
    }

    #[track_caller]
    pub fn limit(self) -> Failure {
        match self.end {
            End::Limit(failure) => failure,
            other => panic!("expected a limit, got {other:?}"),
        }
    }
}

pub const KEY: [u8; 32] = [7; 32];

pub fn pool() -> Pool {
    pool_with(KEY, 8)
}

pub fn pool_with(key: [u8; 32], max_workers: usize) -> Pool {
    let mut options = PoolOptions::new(env!("CARGO_BIN_EXE_weaver-pyworker").into(), vec![], key);
    options.max_workers = max_workers;
    Pool::new(options)
}

pub fn binding(tenant: &str, execution: &str) -> Binding {
    Binding { tenant: tenant.into(), execution: execution.into() }
}

/// A program of a source; lines `from m import a, b as c` and `import m` that
/// the host answers are cut out as the compiler would do it.
pub fn program(source: &str) -> Program {
    let mut imports = Vec::new();
    let mut cut = String::new();
    for line in source.split_inclusive('\n') {
        if host_imports(line, &mut imports) {
            cut.extend(line.chars().map(|c| if c == '\n' { c } else { ' ' }));
        } else {
            cut.push_str(line);
        }
    }
    Program { file: "graph.py".into(), source: cut, imports, ..Program::default() }
}

const NATIVE: [&str; 12] = [
    "json",
    "math",
    "re",
    "random",
    "time",
    "datetime",
    "os",
    "asyncio",
    "collections",
    "itertools",
    "copy",
    "sys",
];

fn host_imports(line: &str, imports: &mut Vec<HostImport>) -> bool {
    let line = line.trim_end();
    let local = |part: &str| {
        let (name, local) = part.trim().split_once(" as ").unwrap_or((part.trim(), part.trim()));
        (name.trim().to_owned(), local.trim().to_owned())
    };
    if let Some(rest) = line.strip_prefix("from ") {
        let Some((module, names)) = rest.split_once(" import ") else { return false };
        if NATIVE.contains(&module) || module == "__future__" {
            return false;
        }
        imports.extend(names.split(',').map(|part| {
            let (name, local) = local(part);
            HostImport { module: module.into(), name: Some(name), local }
        }));
        return true;
    }
    let Some(rest) = line.strip_prefix("import ") else { return false };
    let names: Vec<_> = rest.split(',').map(local).collect();
    if names.iter().any(|(module, _)| NATIVE.contains(&&**module)) {
        return false;
    }
    imports.extend(names.into_iter().map(|(module, local)| HostImport {
        module,
        name: None,
        local,
    }));
    true
}

type Answering = Box<dyn FnMut(&HostCall) -> Answer + Send>;

/// A host that answers by name.
#[derive(Default)]
pub struct Host {
    answers: HashMap<String, Answering>,
}

impl Host {
    pub fn on(
        mut self,
        name: &str,
        answer: impl FnMut(&HostCall) -> Answer + Send + 'static,
    ) -> Self {
        self.answers.insert(name.into(), Box::new(answer));
        self
    }

    pub fn answer(&mut self, call: &HostCall) -> Answer {
        match self.answers.get_mut(&call.name) {
            Some(answer) => answer(call),
            None => Err(HostException::new("RuntimeError", format!("no answer for {}", call.name))),
        }
    }

    /// Runs a call to its end.
    pub async fn run(&mut self, mut call: Call) -> Ran {
        let (mut printed, mut calls) = (String::new(), Vec::new());
        let end = loop {
            match call.next().await {
                Step::Returned(value) => break End::Returned(value),
                Step::Raised(failure) => break End::Raised(failure),
                Step::Limit(failure) => break End::Limit(failure),
                Step::Crashed(failure) => break End::Crashed(failure),
                Step::Printed(text) => printed.push_str(&text),
                Step::HostCall(asked) => {
                    call.resume(asked.id, self.answer(&asked));
                    calls.push(asked);
                }
                Step::HostCalls(all) => {
                    for asked in all {
                        call.resume(asked.id, self.answer(&asked));
                        calls.push(asked);
                    }
                }
            }
        };
        Ran { end, printed, calls }
    }
}

pub fn value(json: &str) -> Value {
    Value::from_json(json).unwrap()
}

pub fn request(function: &str, args: &[&str]) -> CallRequest {
    let args = args.iter().map(|arg| value(arg)).collect();
    CallRequest { function: function.into(), args, ..CallRequest::default() }
}

pub fn with_limits(request: CallRequest, limits: Limits) -> CallRequest {
    CallRequest { limits, ..request }
}

/// A session of a source in a pool of its own.
pub fn session(source: &str) -> Session {
    session_of(program(source))
}

pub fn session_of(program: Program) -> Session {
    pool().session(Arc::new(program), binding("t", "e"))
}

/// Runs one function of a source with JSON arguments and no host.
pub async fn run(source: &str, function: &str, args: &[&str]) -> Ran {
    Host::default().run(session(source).call(request(function, args))).await
}

/// Runs the body of a function `f()` and gives what it returns as JSON.
pub async fn eval(source: &str) -> String {
    run(source, "f", &[]).await.json()
}
