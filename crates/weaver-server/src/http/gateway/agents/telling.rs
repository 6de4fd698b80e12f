//! [`Telling`]: what an execution says, as the answer of a model.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::stream::{self, Stream};
use weaver_core::{Event, EventKind, Message, MessageKind, Value};
use weaver_llm::inbound::Fault;
use weaver_llm::{AnswerHead, Assembler, ChatEvent, ChatResponse, StopReason};
use weaver_runtime::Executions;
use weaver_runtime::executions::View;
use weaver_store::{ExecutionId, ExecutionStatus};

use super::{MESSAGES, Speakers};
use crate::http::Refusal;
use crate::http::gateway::Refused;
use crate::http::tail::Tail;

/// An execution whose client waits for its answer.
pub struct Telling {
    running: Running,
    tail: Tail,
    name: String,
    speakers: Speakers,
    /// Tasks that were seen to begin: of another one the first words may be missed.
    entered: HashSet<String>,
    /// Who is being listened to, by task: several may speak at a time.
    speaker: Option<String>,
    /// What the last of them said so far.
    said: String,
    /// Something was told.
    began: bool,
}

/// Cancels the execution when it is dropped before it is over: nobody waits for it.
struct Running {
    executions: Executions,
    id: ExecutionId,
    over: AtomicBool,
}

impl Telling {
    pub fn new(
        executions: Executions,
        id: ExecutionId,
        tail: Tail,
        name: String,
        speakers: Speakers,
    ) -> Self {
        let running = Running { executions, id, over: AtomicBool::new(false) };
        Telling {
            running,
            tail,
            name,
            speakers,
            entered: HashSet::new(),
            speaker: None,
            said: String::new(),
            began: false,
        }
    }

    pub fn execution(&self) -> ExecutionId {
        self.running.id
    }

    /// The answer: the last message alone.
    pub async fn whole(mut self) -> Result<ChatResponse, Refused> {
        while let Some(event) = self.tail.next().await {
            if event.kind == EventKind::Done && event.namespace.is_empty() && self.is_over().await?
            {
                break;
            }
        }
        let (text, mut events) = self.end().await?;
        if !text.is_empty() {
            events.insert(0, ChatEvent::Text { text });
        }
        events.insert(0, self.start());
        let mut assembler = Assembler::default();
        events.iter().for_each(|event| assembler.push(event));
        Ok(assembler.finish().expect("the last event ends it"))
    }

    /// The answer as it is said.
    pub fn pieces(self) -> impl Stream<Item = Result<ChatEvent, Fault>> + Send {
        let first = self.start();
        let state = Some((self, vec![Ok(first)]));
        stream::unfold(state, |state| async move {
            let (mut telling, mut ready) = state?;
            while ready.is_empty() {
                ready = telling.next().await;
                ready.reverse();
            }
            let item = ready.pop()?;
            let ends = matches!(&item, Err(_) | Ok(ChatEvent::Finish { .. }));
            Some((item, (!ends).then_some((telling, ready))))
        })
    }

    fn start(&self) -> ChatEvent {
        ChatEvent::Start(AnswerHead {
            model: self.name.clone(),
            provider: "agentweaver".into(),
            attempts: 1,
            ..AnswerHead::default()
        })
    }

    /// What comes next, at least one event: the last of all is the end or a fault.
    async fn next(&mut self) -> Vec<Result<ChatEvent, Fault>> {
        loop {
            let Some(event) = self.tail.next().await else { break };
            match event.kind {
                EventKind::NodeEnter => self.entered.extend(event.task.clone()),
                EventKind::LlmStreamChunk => {
                    if let Some(text) = self.chunk(&event) {
                        return vec![Ok(ChatEvent::Text { text })];
                    }
                }
                EventKind::LlmResponse if self.speaker == event.task => self.speaker = None,
                EventKind::Done if event.namespace.is_empty() => match self.is_over().await {
                    Ok(true) => break,
                    Ok(false) => {}
                    Err(refused) => return vec![Err(refused.0)],
                },
                _ => {}
            }
        }
        match self.end().await {
            Ok((text, mut events)) => {
                // What was heard token by token is not said again.
                if !text.is_empty() && text != self.said {
                    let text = if self.began { format!("\n\n{text}") } else { text };
                    events.insert(0, ChatEvent::Text { text });
                }
                events.into_iter().map(Ok).collect()
            }
            Err(refused) => vec![Err(refused.0)],
        }
    }

    /// A piece of the one who is being listened to.
    fn chunk(&mut self, event: &Event) -> Option<String> {
        let text = event.data.get("text").and_then(Value::as_str)?;
        let inner = event.namespace.first().and_then(|path| path.split(':').next());
        let node = inner.or(event.node.as_deref())?;
        let is_known = event.task.as_ref().is_some_and(|task| self.entered.contains(task));
        if !(is_known && self.speakers.contains(node)) {
            return None;
        }
        if self.speaker.is_none() {
            self.speaker = event.task.clone();
            self.said.clear();
        } else if self.speaker != event.task {
            return None;
        }
        let apart = self.began && self.said.is_empty();
        self.began = true;
        self.said.push_str(text);
        Some(if apart { format!("\n\n{text}") } else { text.to_string() })
    }

    /// Whether nothing more comes of the execution; an error when it waits for a person.
    async fn is_over(&self) -> Result<bool, Refused> {
        let view = self.running.view().await?;
        if view.execution.status != ExecutionStatus::Waiting {
            return Ok(view.execution.status.is_end());
        }
        let questions = self.running.executions.questions(&view.execution).await;
        if questions.map_err(Refusal::from)?.is_empty() {
            // It waits for another execution, a worker or a moment.
            return Ok(false);
        }
        self.running.let_go();
        let said = format!(
            "The agent waits for a person's answer: give it to the execution {}.",
            self.running.id
        );
        Err(Fault::new(409, "agent_waits", said).into())
    }

    /// The answer's text, and the events that end it.
    async fn end(&self) -> Result<(String, Vec<ChatEvent>), Refused> {
        let view = self.running.view().await?;
        let status = view.execution.status;
        if status.is_end() {
            self.running.let_go();
        }
        match status {
            ExecutionStatus::Completed => {}
            ExecutionStatus::Failed => return Err(failed(&view).into()),
            ExecutionStatus::Cancelled => {
                return Err(
                    Fault::new(409, "agent_cancelled", "The execution was cancelled.").into()
                );
            }
            _ => {
                let said = "The server restarts: ask again.";
                return Err(
                    Fault { retry: true, ..Fault::new(503, "server_restarts", said) }.into()
                );
            }
        }
        let output =
            self.running.executions.output(&view.execution).await.map_err(Refusal::from)?;
        let events = vec![
            ChatEvent::Usage(view.execution.totals.usage.into()),
            ChatEvent::Finish { reason: StopReason::End, raw: None },
        ];
        Ok((last_words(&output), events))
    }
}

impl Running {
    async fn view(&self) -> Result<View, Refused> {
        Ok(self.executions.get(self.id).await.map_err(Refusal::from)?)
    }

    /// It goes on without the client, or is over.
    fn let_go(&self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if *self.over.get_mut() {
            return;
        }
        let (executions, id) = (self.executions.clone(), self.id);
        tokio::spawn(async move {
            let cancelled = executions.cancel(id, Some("the client went away")).await;
            if let Err(error) = cancelled {
                tracing::debug!(%error, execution = %id, "an execution that nobody waits for");
            }
        });
    }
}

/// The last message, if an assistant says it.
fn last_words(output: &Value) -> String {
    let last = output.get(MESSAGES).and_then(Value::as_list).and_then(<[Value]>::last);
    let message = last.and_then(|last| Message::from_value(last).ok());
    message.filter(|m| m.kind == MessageKind::Ai).map(|m| m.text()).unwrap_or_default()
}

/// A failing agent in the words of an interface: a model that cannot be asked now may be
/// asked again, anything else will fail again.
fn failed(view: &View) -> Fault {
    let failure: Option<weaver_core::Failure> =
        view.execution.error.as_deref().and_then(|json| serde_json::from_slice(json).ok());
    let Some(failure) = failure else {
        return Fault::new(500, "agent_failed", "The agent failed.");
    };
    let status = if failure.retryable { 503 } else { 500 };
    let said = format!("The agent failed ({}): {}", failure.code, failure.message);
    Fault { retry: failure.retryable, ..Fault::new(status, "agent_failed", said) }
}
