//! [`Client`]: who submits, answers, cancels and pauses, and asks again when a call
//! says that it failed.

use tokio::runtime::{Builder, Runtime};
use weaver_core::{Hash, Timestamp, Value};
use weaver_runtime::executions::{Once, Refused, Submission, View};
use weaver_runtime::{Executions, Order};
use weaver_store::{
    ExecutionId, ExecutionStatus, IdempotencyKey, Store, WorkState, WorkflowVersion,
};

use crate::process::Process;
use crate::world::Shape;

/// So often a call is made before a fault cannot be the reason.
const TRIES: usize = 40;

/// What a client knows of one execution.
pub struct Accepted {
    pub id: ExecutionId,
    pub shape: Shape,
    pub number: usize,
    /// The answer that was taken, once one was.
    pub answer: Option<String>,
    /// The length of the log when a cancel was acknowledged.
    pub cancelled_at: Option<u64>,
    /// When the question was seen first.
    pub asked: Option<Timestamp>,
}

pub struct Client {
    runtime: Runtime,
    /// As it is reached over something that fails.
    executions: Executions,
    /// As it is.
    pub store: Store,
}

/// Makes a call until it is answered by the product and not by a fault.
fn insist<T>(mut call: impl FnMut() -> Result<T, Refused>) -> Result<T, Refused> {
    for _ in 0..TRIES {
        match call() {
            Err(Refused::Failed(_)) => {}
            answer => return answer,
        }
    }
    panic!("a call is never answered")
}

impl Client {
    pub fn new(faulty: Store, store: Store) -> Self {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.expect("a runtime without IO");
        Client { runtime, executions: Executions::new(faulty), store }
    }

    /// Runs a future that waits for nothing but the store.
    pub fn get<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    fn insist<T>(
        &self,
        mut call: impl AsyncFnMut(&Executions) -> Result<T, Refused>,
    ) -> Result<T, Refused> {
        insist(|| self.get(call(&self.executions)))
    }

    /// Submits something over a process, if that gets time, else from elsewhere.
    pub fn submit(
        &self,
        number: usize,
        shape: Shape,
        thread: Option<&str>,
        over: Option<&Process>,
    ) -> Accepted {
        let once = || {
            let key = format!("order-{number}");
            let key = IdempotencyKey { caller: "c".into(), route: "s".into(), key: key.into() };
            Some(Once { key, body: Hash::of(b"same") })
        };
        let source = shape.source();
        let version = WorkflowVersion {
            hash: Hash::of(source.as_bytes()),
            file: "sim.py".into(),
            source,
            created: Timestamp::default(),
        };
        let input = Value::map([("n", Value::Int(0))]);
        let mut submission = Submission::new(version, Order { input, ..Order::default() });
        submission.thread = thread.map(Into::into);
        let mut ids = Vec::new();
        // Twice: whoever was not answered asks again.
        for _ in 0..2 {
            let submission = || Submission { once: once(), ..submission.clone() };
            let asked = insist(|| {
                let submit = async |executions: Executions| executions.submit(submission()).await;
                let answer = over.and_then(|process| process.asked(&self.executions, submit));
                answer.unwrap_or_else(|| self.get(self.executions.submit(submission())))
            });
            ids.push(asked.expect("it is accepted").id);
        }
        assert_eq!(ids[0], ids[1], "one request is one execution");
        Accepted { id: ids[0], shape, number, answer: None, cancelled_at: None, asked: None }
    }

    pub fn view(&self, id: ExecutionId) -> View {
        let executions = Executions::new(self.store.clone());
        self.get(executions.get(id)).expect("what was accepted is there")
    }

    /// Answers the question, if it is asked, and then otherwise: only the first counts.
    pub fn answer(&self, accepted: &mut Accepted, words: &str) {
        let view = self.view(accepted.id);
        let sound = Executions::new(self.store.clone());
        let open = self.get(sound.questions(&view.execution)).expect("it can be read");
        let Some(question) = open.first() else { return };
        let said = |words: &str| {
            let (id, name, words) = (accepted.id, question.id.to_string(), Value::str(words));
            self.insist(async |executions| executions.answer(id, Some(&name), &words).await)
        };
        // Lost races with the deadline are refused.
        if said(words).is_ok() {
            let before = accepted.answer.replace(words.into());
            assert_eq!(before, None, "a question is answered once");
            assert!(said(words).is_ok(), "the same again is harmless");
            assert!(matches!(said("other"), Err(Refused::Conflict(_))), "another is refused");
        }
    }

    pub fn cancel(&self, accepted: &mut Accepted) {
        let id = accepted.id;
        match self.insist(async |executions| executions.cancel(id, None).await) {
            Ok(view) => {
                assert_eq!(view.execution.status, ExecutionStatus::Cancelled);
                let head = self.get(self.store.head(id)).expect("it can be read");
                accepted.cancelled_at.get_or_insert(head.sequence);
            }
            Err(Refused::Conflict(_)) => {}
            Err(error) => panic!("{error:?}"),
        }
    }

    pub fn pause(&self, id: ExecutionId, pause: bool) {
        let paused = self.insist(async |executions| match pause {
            true => executions.pause(id).await,
            false => executions.go_on(id, None).await,
        });
        assert!(matches!(paused, Ok(_) | Err(Refused::Conflict(_))), "{paused:?}");
    }

    /// What a person does about an execution that waits for one.
    pub fn tend(&self, accepted: &mut Accepted) -> Tended {
        let view = self.view(accepted.id);
        if view.execution.status.is_end() {
            return Tended::Over;
        }
        let Some(work) = &view.work else {
            panic!("{accepted_id:?} is lost", accepted_id = accepted.id)
        };
        match work.state {
            WorkState::Dead => {
                let id = accepted.id;
                let tried = self.insist(async |executions| executions.retry(id, None).await);
                // One that took effect though its call failed is not given up any more.
                assert!(matches!(tried, Ok(_) | Err(Refused::Conflict(_))), "{tried:?}");
            }
            WorkState::Paused => self.pause(accepted.id, false),
            WorkState::Delayed if work.run_at.is_none() => {
                let words = format!("late answer {}", accepted.number);
                let asks = accepted.answer.is_none();
                self.answer(accepted, &words);
                if asks && accepted.answer.is_none() {
                    return Tended::Waits;
                }
            }
            _ => {}
        }
        Tended::Open
    }
}

pub enum Tended {
    /// It goes on.
    Open,
    /// It waits visibly, and for no answer.
    Waits,
    /// It has ended.
    Over,
}
