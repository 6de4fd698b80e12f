//! Python functions of the file: run in the embedded interpreter, host calls answered.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::stream::{FuturesUnordered, StreamExt};
use serde::{Deserialize, Serialize};
use weaver_core::spec::{FunctionSpec, Runs};
use weaver_core::{EventKind, Failure, FailureKind, Map, Value};
use weaver_interpreter::{
    Call, CallRequest, HostCall, HostException, Limits, Session, Snapshot, Step,
};
use weaver_runtime::TaskContext;

use crate::cpython::{self, Attempt, Process};
use crate::host_call::{self, Services, Stop};

/// The functions of one file in one execution.
pub struct Python {
    session: Session,
    functions: HashMap<String, FunctionSpec>,
}

/// One call of a function.
pub struct FunctionCall<'a> {
    /// [`FunctionSpec::id`].
    pub function: &'a str,
    /// Positional arguments, the first of which may become a schema instance.
    pub args: Vec<Value>,
    /// Keyword arguments; they come before those that are filled by name.
    pub kwargs: Map,
    /// The schema whose instance the first argument becomes.
    pub input_class: Option<String>,
    /// Answers to its `interrupt()` calls so far.
    pub answers: &'a [Value],
    /// Where several functions of a task take its answers one after another: how many
    /// are taken. Such a function starts from its top again, for its task keeps one
    /// suspended function and cannot tell whose it is.
    pub taken: Option<&'a AtomicUsize>,
    /// What it may use.
    pub limits: Limits,
    /// The attempt of a node, where the function may be handed to a worker.
    pub attempt: Option<Attempt<'a>>,
}

/// How a call ended.
pub enum Ended {
    /// It returned.
    Returned(Value),
    /// It raised, or hit a limit.
    Failed(Failure),
    /// It waits for an answer to this.
    Interrupted(Value),
    /// A graph that it invoked waits, or left to the parent: the task is over.
    Unwound,
}

/// A suspended function with its place in the task's calls. Kept with the question.
#[derive(Serialize, Deserialize)]
struct Suspended {
    snapshot: Snapshot,
    /// [`HostCall::id`] of the `interrupt()` that waits.
    waiting: u32,
    /// Calls to the outside made before.
    effects: u32,
    /// Questions asked before.
    questions: usize,
    /// Graphs invoked before.
    invoked: u32,
}

impl Python {
    /// The functions of a file in a session.
    pub fn new(session: Session, functions: &[FunctionSpec]) -> Self {
        let functions = functions.iter().map(|f| (f.id.clone(), f.clone())).collect();
        Python { session, functions }
    }

    /// What is known of a function.
    pub fn function(&self, id: &str) -> Option<&FunctionSpec> {
        self.functions.get(id)
    }

    /// Runs a function to its end or its question.
    pub async fn call(
        &self,
        services: &Services,
        context: &TaskContext,
        mut call: FunctionCall<'_>,
    ) -> Ended {
        let reasons = match self.functions.get(call.function) {
            Some(FunctionSpec { runs: Runs::Worker { reasons }, .. }) => Some(reasons),
            Some(_) => None,
            None => return Ended::Failed(unknown(call.function)),
        };
        let mut drive = Drive::new(services, context, &call);
        if let Some((restored, suspended)) = self.restore(context, &call) {
            return drive.go_on(restored, suspended).await;
        }
        let mut kwargs = self.named_arguments(call.function, context, !call.args.is_empty());
        kwargs.extend(std::mem::take(&mut call.kwargs));
        if let Some(reasons) = reasons {
            let task = cpython::Task { services, context, call, kwargs, reasons };
            let Some(machine) = &services.machine else { return task.hand_out().await };
            // The process has the answers, and asks only what has none.
            (drive.questions, drive.taken) = (drive.answers.len(), None);
            return drive.run(Running::Machine(task.start(&**machine).await)).await;
        }
        let started = self.session.call(CallRequest {
            function: call.function.to_string(),
            args: call.args,
            kwargs,
            input_class: call.input_class,
            limits: call.limits,
        });
        drive.run(Running::Embedded(Box::new(started))).await
    }

    /// Runs Python statements; what they assign to `result` is the answer. The
    /// text is `call.function`, the variables its first argument.
    pub async fn run_text(
        &self,
        services: &Services,
        context: &TaskContext,
        call: FunctionCall<'_>,
    ) -> Ended {
        let mut drive = Drive::new(services, context, &call);
        if let Some((restored, suspended)) = self.restore(context, &call) {
            return drive.go_on(restored, suspended).await;
        }
        let mut args = vec![Value::str(call.function)];
        args.extend(call.args);
        let started = self.session.call(CallRequest {
            function: CODE_FUNCTION.into(),
            args,
            kwargs: Map::new(),
            input_class: None,
            limits: call.limits,
        });
        drive.run(Running::Embedded(Box::new(started))).await
    }

    /// The suspended function, at the very line of its question, when the log
    /// holds it and it was made from the same code.
    fn restore(&self, context: &TaskContext, call: &FunctionCall<'_>) -> Option<(Call, Suspended)> {
        if call.taken.is_some() {
            return None;
        }
        let suspended: Suspended = serde_json::from_slice(context.suspended()?).ok()?;
        if call.answers.len() != suspended.questions + 1 {
            return None;
        }
        match self.session.restore(&suspended.snapshot, call.limits) {
            Ok(restored) => Some((restored, suspended)),
            Err(error) => {
                let message = format!("the function starts again from its top: {error}");
                host_call::notice(context, "function_restarted", &message);
                None
            }
        }
    }

    /// Parameters that LangGraph fills by name.
    fn named_arguments(&self, id: &str, context: &TaskContext, takes_input: bool) -> Map {
        let mut kwargs = Map::new();
        let Some(function) = self.functions.get(id) else { return kwargs };
        for (position, parameter) in function.parameters.iter().enumerate() {
            if takes_input && position == 0 && !parameter.keyword_only {
                continue;
            }
            if let Some(value) = host_call::named_argument(&parameter.name, context) {
                kwargs.insert(parameter.name.as_str().into(), value);
            }
        }
        kwargs
    }
}

/// Runs the text of `nodes.code`; [`with_code_function`] puts it behind a program.
const CODE_FUNCTION: &str = "_aw_code";

/// A program's source with the function that runs the text of `nodes.code`
/// behind its last line, so that the file's own lines keep their numbers.
pub fn with_code_function(source: &str) -> String {
    format!(
        "{source}\n\ndef {CODE_FUNCTION}(code, inputs):\n    names = dict(inputs)\n    exec(code, names)\n    return names.get('result')\n"
    )
}

fn unknown(function: &str) -> Failure {
    let message = format!("the file has no function `{function}`");
    Failure::new(FailureKind::InvalidInput, "unknown_function", message)
}

/// A running function, wherever it runs.
enum Running {
    Embedded(Box<Call>),
    Machine(Box<dyn Process>),
}

impl Running {
    async fn next(&mut self) -> Step {
        match self {
            Running::Embedded(call) => call.next().await,
            Running::Machine(process) => process.next().await,
        }
    }

    fn resume(&mut self, id: u32, answer: weaver_interpreter::Answer) {
        match self {
            Running::Embedded(call) => call.resume(id, answer),
            Running::Machine(process) => process.resume(id, answer),
        }
    }

    /// The suspended function; nothing where it has to start again from its top.
    async fn snapshot(&mut self) -> Option<Snapshot> {
        match self {
            Running::Embedded(call) => call.snapshot().await.ok(),
            Running::Machine(_) => None,
        }
    }
}

/// One running function.
struct Drive<'a> {
    services: &'a Services,
    context: &'a TaskContext,
    answers: &'a [Value],
    taken: Option<&'a AtomicUsize>,
    questions: usize,
    invoked: u32,
    /// Failed calls that became exceptions.
    failed: Vec<Failure>,
}

impl<'a> Drive<'a> {
    fn new(services: &'a Services, context: &'a TaskContext, call: &FunctionCall<'a>) -> Self {
        let FunctionCall { answers, taken, .. } = *call;
        Drive { services, context, answers, taken, questions: 0, invoked: 0, failed: Vec::new() }
    }

    async fn go_on(&mut self, mut call: Call, suspended: Suspended) -> Ended {
        self.context.effects().skip_to(suspended.effects);
        self.questions = suspended.questions + 1;
        self.invoked = suspended.invoked;
        call.resume(suspended.waiting, Ok(self.answers[suspended.questions].clone()));
        self.run(Running::Embedded(Box::new(call))).await
    }

    async fn run(&mut self, mut call: Running) -> Ended {
        loop {
            match call.next().await {
                Step::Returned(value) => return Ended::Returned(value),
                Step::Raised(failure) => return Ended::Failed(self.as_it_failed(failure)),
                Step::Limit(failure) | Step::Crashed(failure) => return Ended::Failed(failure),
                Step::Printed(text) => {
                    self.context.emit(EventKind::Print, Value::map([("text", Value::str(text))]));
                }
                Step::HostCall(asked) if asked.name == "interrupt" => {
                    if let Some(ended) = self.interrupt(&mut call, asked).await {
                        return ended;
                    }
                }
                Step::HostCall(asked) => {
                    let id = asked.id;
                    match self.answer(asked).await {
                        Ok(answer) => call.resume(id, answer),
                        Err(ended) => return ended,
                    }
                }
                Step::HostCalls(asked) => {
                    if let Err(ended) = self.answer_all(&mut call, asked).await {
                        return ended;
                    }
                }
            }
        }
    }

    /// The k-th question gets the k-th answer, or ends the task.
    async fn interrupt(&mut self, call: &mut Running, asked: HostCall) -> Option<Ended> {
        let place = self.taken.map_or(self.questions, |taken| taken.load(Ordering::Relaxed));
        if let Some(answer) = self.answers.get(place) {
            self.questions += 1;
            if let Some(taken) = self.taken {
                taken.fetch_add(1, Ordering::Relaxed);
            }
            call.resume(asked.id, Ok(answer.clone()));
            return None;
        }
        let value = host_call::argument(&asked, 0, "value");
        // Without a snapshot the function starts again from its top, with its
        // recorded calls: slower, but nothing is lost.
        if self.taken.is_none()
            && let Some(snapshot) = call.snapshot().await
        {
            let suspended = Suspended {
                snapshot,
                waiting: asked.id,
                effects: self.context.effects().position(),
                questions: self.questions,
                invoked: self.invoked,
            };
            let bytes = serde_json::to_vec(&suspended).expect("a snapshot has a JSON form");
            self.context.suspend(bytes);
        }
        Some(Ended::Interrupted(value))
    }

    async fn answer(&mut self, asked: HostCall) -> Result<Result<Value, HostException>, Ended> {
        let ordinal = self.invoked;
        self.invoked += u32::from(asked.name.starts_with("subgraph."));
        let outcome = host_call::answer(self.services, self.context, &asked, ordinal).await;
        self.settle(outcome)
    }

    /// A failed call becomes an exception that the function may catch.
    fn settle(
        &mut self,
        outcome: Result<Value, Stop>,
    ) -> Result<Result<Value, HostException>, Ended> {
        match outcome {
            Ok(value) => Ok(Ok(value)),
            Err(Stop::Raise(exception)) => Ok(Err(exception)),
            Err(Stop::Raised(exception, failure)) => {
                self.failed.push(*failure);
                Ok(Err(exception))
            }
            Err(Stop::Fail(failure)) => Err(Ended::Failed(failure)),
            Err(Stop::Unwind) => Err(Ended::Unwound),
        }
    }

    /// An exception that nobody caught, with the code of the call that failed.
    fn as_it_failed(&self, mut raised: Failure) -> Failure {
        let known = self.failed.iter().rev().find(|failed| failed.message == raised.message);
        if let Some(known) = known {
            raised.code.clone_from(&known.code);
            raised.help = raised.help.or_else(|| known.help.clone());
        }
        raised
    }

    /// Answers calls that wait at once; goes on as soon as one has its answer.
    async fn answer_all(&mut self, call: &mut Running, asked: Vec<HostCall>) -> Result<(), Ended> {
        let mut pending = FuturesUnordered::new();
        for one in asked {
            if one.name == "interrupt" {
                if let Some(ended) = self.interrupt(call, one).await {
                    return Err(ended);
                }
                continue;
            }
            let ordinal = self.invoked;
            self.invoked += u32::from(one.name.starts_with("subgraph."));
            let (services, context) = (self.services, self.context);
            pending.push(async move {
                (one.id, host_call::answer(services, context, &one, ordinal).await)
            });
        }
        while let Some((id, outcome)) = pending.next().await {
            call.resume(id, self.settle(outcome)?);
        }
        Ok(())
    }
}

/// Limits of a node, from `metadata={"limits": {"cpu_seconds": 5, "memory_mb": 128}}`.
pub fn limits(metadata: &Value) -> Limits {
    let mut limits = Limits::default();
    let Some(wanted) = metadata.get("limits") else { return limits };
    if let Some(seconds) = wanted.get("cpu_seconds").and_then(Value::as_f64).filter(|s| *s > 0.0) {
        limits.cpu = std::time::Duration::from_secs_f64(seconds.min(3600.0));
    }
    if let Some(mb) = wanted.get("memory_mb").and_then(Value::as_f64).filter(|mb| *mb >= 1.0) {
        limits.memory = (mb.min(16_384.0) * f64::from(1 << 20)) as usize;
    }
    if let Some(depth) = wanted.get("depth").and_then(Value::as_int).filter(|depth| *depth > 0) {
        limits.depth = depth as usize;
    }
    limits
}
