//! [`Desk`]: where commands about executions go: to a server, or to the log itself
//! when no server works on it.

mod credentials;
mod limits;
mod schedules;

use std::time::Duration;

use futures::stream::{self, BoxStream, Stream};
use futures::{StreamExt, TryStreamExt};
use weaver_api::execution::{
    CancelRequest, Execution, MigrateRequest, ReconcileRequest, ResumeRequest, RetryRequest,
    Status, SubmitRequest, Submitted,
};
use weaver_api::{Client, Page};
use weaver_core::{Event, Value};
use weaver_runtime::Executions;
use weaver_runtime::executions::Refused;
use weaver_store::{ExecutionId, ExecutionQuery, Store};

use crate::cli::Target;
use crate::commands::serve::find_server;
use crate::error::CliError;
use crate::house::open_store;
use crate::http::Refusal;
use crate::settings::Settings;
use crate::{moving, wire};

/// Where executions are asked about.
pub enum Desk {
    /// A server.
    Server(Client),
    /// The log.
    Log {
        /// The log.
        store: Store,
        /// The executions in it.
        executions: Executions,
        /// Whether nobody else can be at it.
        alone: bool,
    },
}

impl Desk {
    /// The server that is named, else the one that works on the data directory,
    /// else the log itself.
    pub async fn open(target: &Target, settings: &Settings) -> Result<Self, CliError> {
        if let Some(server) = &target.server {
            return Ok(Desk::Server(Client::new(server, target.token.clone())?));
        }
        // A database serves everybody at once.
        if settings.database_url.is_some() {
            return Ok(Desk::of(open_store(settings)?, false));
        }
        if let Some(file) = find_server(settings) {
            let client = Client::new(&file.address, Some(file.token))?;
            // A server that was killed leaves its file.
            if client.health().await.is_ok() {
                return Ok(Desk::Server(client));
            }
        }
        Ok(Desk::of(open_store(settings)?, true))
    }

    fn of(store: Store, alone: bool) -> Self {
        Desk::Log { executions: Executions::new(store.clone()), store, alone }
    }

    /// Whether it is certain that nobody works on what is submitted: the log is a
    /// directory, and no server has it.
    pub fn is_idle(&self) -> bool {
        matches!(self, Desk::Log { alone: true, .. })
    }

    /// Hands an execution over.
    pub async fn submit(&self, request: &SubmitRequest, key: &str) -> Result<Submitted, CliError> {
        match self {
            Desk::Server(client) => Ok(client.submit(request, key).await?),
            Desk::Log { executions, .. } => {
                let mut submission = wire::submission(request)?;
                submission.once = Some(wire::once(key, "POST /executions", request));
                let execution = executions.submit(submission).await?;
                Ok(Submitted {
                    execution_id: execution.id.to_string(),
                    thread: execution.thread.to_string(),
                    status: wire::status(&execution, None),
                })
            }
        }
    }

    /// Executions, newest first.
    pub async fn list(
        &self,
        status: Option<Status>,
        limit: usize,
    ) -> Result<Page<Execution>, CliError> {
        match self {
            Desk::Server(client) => Ok(client.executions(status, limit, None).await?),
            Desk::Log { executions, .. } => {
                let status = status.map(wire::stored_status);
                let query = ExecutionQuery { status, limit, ..ExecutionQuery::default() };
                let views = executions.list(query).await?;
                let items = views.iter().map(|view| wire::execution(view, &[])).collect();
                Ok(Page { items, next_cursor: None })
            }
        }
    }

    /// One execution.
    pub async fn get(&self, id: &str) -> Result<Execution, CliError> {
        match self {
            Desk::Server(client) => Ok(client.execution(id).await?),
            Desk::Log { executions, .. } => {
                let id = executions.find(id).await?;
                Ok(wire::whole(executions, id).await?)
            }
        }
    }

    /// Events after a sequence; from a server those to come as well.
    pub async fn events(
        &self,
        id: &str,
        after: u64,
    ) -> Result<BoxStream<'static, Result<Event, CliError>>, CliError> {
        match self {
            Desk::Server(client) => {
                let events = client.events(id, after).await?;
                Ok(events.map(|event| Ok(event?)).boxed())
            }
            Desk::Log { executions, .. } => {
                let id = executions.find(id).await?;
                Ok(tail(executions.clone(), id, after).boxed())
            }
        }
    }

    /// Stops an execution.
    pub async fn cancel(&self, id: &str, reason: Option<String>) -> Result<Execution, CliError> {
        match self {
            Desk::Server(client) => Ok(client.cancel(id, &CancelRequest { reason }).await?),
            Desk::Log { executions, .. } => {
                let id = executions.find(id).await?;
                executions.cancel(id, reason.as_deref()).await?;
                Ok(wire::whole(executions, id).await?)
            }
        }
    }

    /// Holds an execution.
    pub async fn pause(&self, id: &str) -> Result<Execution, CliError> {
        match self {
            Desk::Server(client) => Ok(client.pause(id).await?),
            Desk::Log { executions, .. } => {
                let id = executions.find(id).await?;
                executions.pause(id).await?;
                Ok(wire::whole(executions, id).await?)
            }
        }
    }

    /// Answers a question, or ends a pause.
    pub async fn resume(&self, id: &str, request: &ResumeRequest) -> Result<Execution, CliError> {
        match self {
            Desk::Server(client) => {
                let key = uuid::Uuid::now_v7().to_string();
                Ok(client.resume(id, request, &key).await?)
            }
            Desk::Log { executions, .. } => {
                let id = executions.find(id).await?;
                match &request.answer {
                    Some(answer) => {
                        let question = request.question.as_deref();
                        executions.answer(id, question, &Value::from(answer)).await?;
                    }
                    None => {
                        executions.go_on(id, None).await?;
                    }
                }
                Ok(wire::whole(executions, id).await?)
            }
        }
    }

    /// Queues a failed execution again.
    pub async fn retry(&self, id: &str, request: &RetryRequest) -> Result<Execution, CliError> {
        match self {
            Desk::Server(client) => Ok(client.retry(id, request).await?),
            Desk::Log { executions, .. } => {
                let id = executions.find(id).await?;
                executions.retry(id, request.budget.map(|budget| budget.0)).await?;
                Ok(wire::whole(executions, id).await?)
            }
        }
    }

    /// Moves an execution to another version of its workflow.
    pub async fn migrate(&self, id: &str, request: &MigrateRequest) -> Result<Execution, CliError> {
        match self {
            Desk::Server(client) => Ok(client.migrate(id, request).await?),
            Desk::Log { store, executions, .. } => {
                let id = executions.find(id).await?;
                moving::migrate(store, id, &request.workflow).await?;
                Ok(wire::whole(executions, id).await?)
            }
        }
    }

    /// Says what came of a call.
    pub async fn reconcile(
        &self,
        id: &str,
        request: &ReconcileRequest,
    ) -> Result<Execution, CliError> {
        match self {
            Desk::Server(client) => {
                let key = uuid::Uuid::now_v7().to_string();
                Ok(client.reconcile(id, request, &key).await?)
            }
            Desk::Log { executions, .. } => {
                let id = executions.find(id).await?;
                let verdict = wire::verdict(request)?;
                executions.reconcile(id, request.call.as_deref(), &verdict).await?;
                Ok(wire::whole(executions, id).await?)
            }
        }
    }

    /// Waits until an execution has ended or asks.
    pub async fn settled(&self, id: &str) -> Result<Execution, CliError> {
        loop {
            let execution = self.get(id).await?;
            let asks = execution.status == Status::Waiting
                && execution.run_at.is_none()
                && execution.waits_for.is_empty()
                && execution.worker_tasks.is_empty();
            if execution.status.is_final() || asks || execution.status == Status::NeedsAttention {
                return Ok(execution);
            }
            tokio::time::sleep(SETTLE_POLL).await;
        }
    }
}

/// Events of an execution out of the log, until it has ended.
fn tail(
    executions: Executions,
    id: ExecutionId,
    after: u64,
) -> impl Stream<Item = Result<Event, CliError>> {
    let pages = stream::try_unfold((after, false), move |(after, ended)| {
        let executions = executions.clone();
        async move {
            if ended {
                return Ok::<_, CliError>(None);
            }
            // The state first: what is written after it is on the next page.
            let ended = executions.get(id).await?.execution.status.is_end();
            let events = executions.events(id, after, 0).await?;
            let last = events.last().map_or(after, |event| event.sequence);
            if events.is_empty() && !ended {
                tokio::time::sleep(SETTLE_POLL).await;
            }
            Ok(Some((stream::iter(events.into_iter().map(Ok)), (last, ended))))
        }
    });
    pages.try_flatten()
}

const SETTLE_POLL: Duration = Duration::from_millis(100);

impl From<weaver_api::Error> for CliError {
    fn from(error: weaver_api::Error) -> Self {
        match error {
            weaver_api::Error::Refused(problem) => {
                let error = match problem.status {
                    500.. => CliError::failed(problem.to_string()),
                    _ => CliError::usage(problem.to_string()),
                };
                match problem.help {
                    Some(help) => error.with_help(help),
                    None => error,
                }
            }
            other => CliError::failed(other.to_string())
                .with_help("is the server up? `agentweaver serve` starts one"),
        }
    }
}

impl From<Refusal> for CliError {
    fn from(refusal: Refusal) -> Self {
        weaver_api::Error::Refused(refusal.into_problem()).into()
    }
}

impl From<Refused> for CliError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Failed(error) => error.into(),
            other => CliError::usage(other.to_string()),
        }
    }
}
