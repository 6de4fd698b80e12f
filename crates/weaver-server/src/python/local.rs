//! [`ThisMachine`]: the user's own Python, for the user's own run.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use futures::FutureExt;
use futures::future::BoxFuture;
use weaver_agent::{Machine, Process};
use weaver_core::Failure;
use weaver_core::task::{Assignment, CallResult};
use weaver_interpreter::{Answer, HostCall, Step};

use super::{Interpreter, Said};

/// Runs functions in CPython processes of this machine. Those that are free are used
/// again: importing the user's packages takes its time.
pub struct ThisMachine {
    command: String,
    file: PathBuf,
    text: String,
    free: Free,
}

type Free = Arc<Mutex<Vec<Interpreter>>>;

impl ThisMachine {
    /// Functions of a file with this text, run by a command such as `python3`.
    pub fn new(command: String, file: PathBuf, text: String) -> Self {
        ThisMachine { command, file, text, free: Free::default() }
    }

    async fn begin(&self, assignment: &Assignment) -> Result<Interpreter, Failure> {
        let free = self.free.lock().expect("nothing panics while it is held").pop();
        let mut interpreter = match free {
            Some(interpreter) => interpreter,
            None => Interpreter::start(&self.command, &self.file, &self.text).await?,
        };
        interpreter.begin(assignment).await?;
        Ok(interpreter)
    }
}

impl Machine for ThisMachine {
    fn start(&self, assignment: Assignment) -> BoxFuture<'_, Box<dyn Process>> {
        async move {
            let (running, failed) = match self.begin(&assignment).await {
                Ok(interpreter) => (Some(interpreter), None),
                Err(failure) => (None, Some(failure)),
            };
            let free = self.free.clone();
            Box::new(Running { running, failed, free, answer: None }) as Box<dyn Process>
        }
        .boxed()
    }
}

/// A function that runs.
struct Running {
    running: Option<Interpreter>,
    failed: Option<Failure>,
    free: Free,
    /// The answer to its call, until the process is given it.
    answer: Option<CallResult>,
}

impl Running {
    async fn step(&mut self) -> Result<Step, Failure> {
        let Some(interpreter) = &mut self.running else {
            return Err(self.failed.take().unwrap_or_else(|| super::crashed("it is over".into())));
        };
        if let Some(answer) = self.answer.take() {
            interpreter.answer(&answer).await?;
        }
        Ok(match interpreter.next().await? {
            Said::Print(text) => Step::Printed(text),
            Said::Custom(value) => {
                let kwargs = [("value".into(), value)].into_iter().collect();
                asked("writer", kwargs, SHOWN)
            }
            Said::Call(call) => asked(&call.name, call.kwargs, CALLED),
            // The function is unwound: it starts again from its top, with the answer.
            Said::Asked(value) => {
                self.let_go();
                asked("interrupt", [("value".into(), value)].into_iter().collect(), CALLED)
            }
            Said::Returned(value) => {
                self.let_go();
                Step::Returned(value)
            }
            Said::Failed(raised) => {
                let failure = interpreter.failure(raised);
                self.let_go();
                Step::Raised(failure)
            }
            other @ (Said::Ready(_) | Said::Broken(_)) => {
                return Err(interpreter.out_of_step(&other));
            }
        })
    }

    fn let_go(&mut self) {
        let mut free = self.free.lock().expect("nothing panics while it is held");
        free.extend(self.running.take());
    }
}

/// Something shown, whose answer nobody waits for.
const SHOWN: u32 = 0;
/// A call that waits for its answer.
const CALLED: u32 = 1;

fn asked(name: &str, kwargs: weaver_core::Map, id: u32) -> Step {
    Step::HostCall(HostCall { id, name: name.into(), args: Vec::new(), kwargs })
}

impl Process for Running {
    fn next(&mut self) -> BoxFuture<'_, Step> {
        async move { self.step().await.unwrap_or_else(Step::Crashed) }.boxed()
    }

    fn resume(&mut self, id: u32, answer: Answer) {
        if id == CALLED {
            self.answer = Some(match answer {
                Ok(value) => CallResult::Returned(value),
                Err(raised) => CallResult::Raised { class: raised.class, message: raised.message },
            });
        }
    }
}
