//! Functions that only CPython runs: handed to a worker outside, or run by this
//! machine's own Python where the user runs their own file.

use std::time::Duration;

use futures::future::BoxFuture;
use weaver_core::task::{Assignment, CallResult, Made, Outcome, TaskCall};
use weaver_core::{EventKind, Failure, FailureKind, Map, Value};
use weaver_engine::TaskInfo;
use weaver_interpreter::{HostCall, Step};
use weaver_runtime::TaskContext;
use weaver_runtime::tasks::{self, Report};

use crate::host_call::{self, Services, Stop};
use crate::python::{Ended, FunctionCall};

/// The attempt of a node that a function is run for.
#[derive(Clone, Copy)]
pub struct Attempt<'a> {
    /// The attempt's task.
    pub of: &'a TaskInfo,
    /// For how long it may run.
    pub timeout: Option<Duration>,
}

/// Runs functions outside the sandbox.
pub trait Machine: Send + Sync {
    /// Starts a function. What cannot be started says so with its first step.
    fn start(&self, assignment: Assignment) -> BoxFuture<'_, Box<dyn Process>>;
}

/// A function that runs outside the sandbox; it ends when this is dropped.
pub trait Process: Send {
    /// Waits until it returns, fails, prints or asks.
    fn next(&mut self) -> BoxFuture<'_, Step>;

    /// Answers what it asked.
    fn resume(&mut self, id: u32, answer: weaver_interpreter::Answer);
}

/// One call of such a function.
pub struct Task<'a> {
    /// What it may call.
    pub services: &'a Services,
    /// What it may do besides computing.
    pub context: &'a TaskContext,
    /// The call.
    pub call: FunctionCall<'a>,
    /// All of its keyword arguments.
    pub kwargs: Map,
    /// Why the embedded interpreter cannot run it.
    pub reasons: &'a [String],
}

/// What earlier reports and answers of people say of an attempt.
#[derive(Default)]
struct Told {
    answers: Vec<Value>,
    made: Made,
    /// A call that waits to be made, and the row that the function goes on under.
    open: Option<(TaskCall, String)>,
    end: Option<Ended>,
}

impl Task<'_> {
    /// Runs it on this machine.
    pub async fn start(self, machine: &dyn Machine) -> Box<dyn Process> {
        let told = Told { answers: self.call.answers.to_vec(), ..Told::default() };
        machine.start(self.assignment(told, None)).await
    }

    /// Has a worker run it: asks for one, makes the calls that it asks for, and gives
    /// what it came to.
    pub async fn hand_out(self) -> Ended {
        let Some(attempt) = self.call.attempt else {
            return Ended::Failed(self.needs_worker("only nodes and routing functions can wait"));
        };
        let mut told = match self.told(attempt.of.attempt) {
            Ok(told) => told,
            Err(failure) => return Ended::Failed(failure),
        };
        if let Some(end) = told.end.take() {
            return end;
        }
        let replayed = self.context.effects().is_replay();
        if !self.context.run().has_workers && !replayed {
            return Ended::Failed(self.needs_worker("nobody can be asked to run it here"));
        }
        let row = match told.open.take() {
            Some((call, row)) => {
                if let Err(ended) = self.make(call, &mut told.made).await {
                    return ended;
                }
                Some(row)
            }
            None => None,
        };
        Ended::Interrupted(tasks::question(&self.assignment(told, row)))
    }

    /// Goes through what came for the task: each report of a worker that asks a person
    /// is followed by the person's answer.
    fn told(&self, attempt: u32) -> Result<Told, Failure> {
        let mut told = Told::default();
        let mut entries = self.call.answers.iter().peekable();
        while let Some(entry) = entries.next() {
            let Some(report) = Report::from_answer(entry) else {
                return Err(unreadable());
            };
            if entries.peek().is_none() {
                for emitted in &report.emitted {
                    let event = self.context.event(EventKind::Print);
                    self.context.emit_event(tasks::onto(emitted, event));
                }
            }
            let is_own = report.attempt == attempt;
            if is_own {
                (told.made, told.open) = (report.made, None);
            }
            match report.outcome {
                Outcome::Asked(question) => match entries.next() {
                    Some(answer) => told.answers.push(answer.clone()),
                    None => told.end = Some(Ended::Interrupted(question)),
                },
                _ if !is_own => {}
                Outcome::Returned(value) => told.end = Some(Ended::Returned(value)),
                Outcome::Failed(failure) => told.end = Some(Ended::Failed(failure)),
                Outcome::Called(call) => told.open = Some((call, report.row)),
            }
        }
        Ok(told)
    }

    /// Makes a call of the function, or takes its recorded result.
    async fn make(&self, call: TaskCall, made: &mut Made) -> Result<(), Ended> {
        let effects = self.context.effects();
        effects.skip_to(made.effects);
        let ordinal = made.invoked;
        made.invoked += u32::from(call.name.starts_with("subgraph."));
        let call = HostCall { id: 0, name: call.name, args: Vec::new(), kwargs: call.kwargs };
        let answered = host_call::answer(self.services, self.context, &call, ordinal).await;
        made.effects = effects.position();
        made.results.push(match answered {
            Ok(value) => CallResult::Returned(value),
            Err(Stop::Raise(raised) | Stop::Raised(raised, _)) => {
                CallResult::Raised { class: raised.class, message: raised.message }
            }
            Err(Stop::Fail(failure)) => return Err(Ended::Failed(failure)),
            Err(Stop::Unwind) => return Err(Ended::Unwound),
        });
        Ok(())
    }

    fn assignment(self, told: Told, row: Option<String>) -> Assignment {
        let timeout = self.call.attempt.and_then(|attempt| attempt.timeout);
        Assignment {
            text: self.services.text.to_string(),
            file: self.services.file.to_string(),
            node: self.context.task().node.to_string(),
            function: self.call.function.into(),
            args: self.call.args,
            kwargs: self.kwargs,
            input_class: self.call.input_class,
            answers: told.answers,
            made: told.made,
            attempt: self.context.task().attempt,
            timeout_ms: timeout.map(|timeout| timeout.as_millis() as u64),
            row,
        }
    }

    fn needs_worker(&self, why: &str) -> Failure {
        let function = self.call.function;
        let reasons = self.reasons.join("; ");
        let message = format!("`{function}` needs a Python worker ({reasons}), and {why}");
        Failure::new(FailureKind::InvalidInput, "needs_worker", message).with_help(
            "submit the file to a server that has a worker, or run it with --python to let this machine's Python run it",
        )
    }
}

fn unreadable() -> Failure {
    let message = "the log has an answer to a worker's task that no worker gave";
    Failure::new(FailureKind::Internal, "record_unreadable", message)
}
