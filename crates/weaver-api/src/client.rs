//! [`Client`]: asks a server.

use std::time::Duration;

use futures::stream::{Stream, StreamExt, TryStreamExt};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Method, RequestBuilder, Response};
use serde::de::DeserializeOwned;
use weaver_core::Event;

use crate::credential::{Credential, CredentialRequest, RotateRequest};
use crate::execution::{
    CancelRequest, Execution, MigrateRequest, ReconcileRequest, ResumeRequest, RetryRequest,
    Status, SubmitRequest, Submitted,
};
use crate::health::Health;
use crate::limit::{Limit, LimitRequest};
use crate::schedule::{Schedule, SchedulePatch, ScheduleRequest};
use crate::{Error, PROBLEM_TYPE, Page, Problem};

/// A server, and the right to ask it.
#[derive(Clone, Debug)]
pub struct Client {
    address: String,
    token: Option<String>,
    http: reqwest::Client,
}

/// Until the connection stands; an answer may take as long as it takes.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

impl Client {
    /// A client of the server at `address` (`http://127.0.0.1:8080`).
    pub fn new(address: &str, token: Option<String>) -> Result<Self, Error> {
        let address = address.trim_end_matches('/').to_string();
        // The server is named by its user: no proxy of the environment stands between.
        let http = reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT).no_proxy().build();
        let http = http.map_err(|error| unreachable(&address, &error))?;
        Ok(Client { address, token, http })
    }

    /// Where the server is.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// How the server stands.
    pub async fn health(&self) -> Result<Health, Error> {
        self.get("/health", &[]).await
    }

    /// Hands an execution over. With the same key it may be sent again.
    pub async fn submit(&self, request: &SubmitRequest, key: &str) -> Result<Submitted, Error> {
        let call = self.request(Method::POST, "/executions").header("Idempotency-Key", key);
        self.json(call.json(request)).await
    }

    /// Executions, newest first.
    pub async fn executions(
        &self,
        status: Option<Status>,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<Page<Execution>, Error> {
        let mut query = vec![("limit", limit.to_string())];
        query.extend(status.map(|status| ("status", status.as_str().to_string())));
        query.extend(cursor.map(|cursor| ("cursor", cursor.to_string())));
        self.get("/executions", &query).await
    }

    /// One execution; the beginning of an id will do when it is the only one.
    pub async fn execution(&self, id: &str) -> Result<Execution, Error> {
        self.get(&format!("/executions/{id}"), &[]).await
    }

    /// Its events after a sequence, those to come included, until it ends.
    pub async fn events(
        &self,
        id: &str,
        after: u64,
    ) -> Result<impl Stream<Item = Result<Event, Error>> + use<>, Error> {
        let path = format!("/executions/{id}/events");
        let call = self.request(Method::GET, &path).header("Last-Event-ID", after.to_string());
        let response = self.send(call.header("Accept", "text/event-stream")).await?;
        let address = self.address.clone();
        let bytes = response.bytes_stream().map_err(move |error| unreachable(&address, &error));
        Ok(crate::events::events(bytes.boxed(), self.address.clone()))
    }

    /// Stops an execution and all that it started.
    pub async fn cancel(&self, id: &str, request: &CancelRequest) -> Result<Execution, Error> {
        let call = self.request(Method::POST, &format!("/executions/{id}/cancel"));
        self.json(call.json(request)).await
    }

    /// Holds an execution before its next superstep.
    pub async fn pause(&self, id: &str) -> Result<Execution, Error> {
        self.json(self.request(Method::POST, &format!("/executions/{id}/pause"))).await
    }

    /// Answers a question, or ends a pause. With the same key it may be sent again.
    pub async fn resume(
        &self,
        id: &str,
        request: &ResumeRequest,
        key: &str,
    ) -> Result<Execution, Error> {
        let call = self.request(Method::POST, &format!("/executions/{id}/resume"));
        self.json(call.header("Idempotency-Key", key).json(request)).await
    }

    /// Queues a failed execution again, from where it failed.
    pub async fn retry(&self, id: &str, request: &RetryRequest) -> Result<Execution, Error> {
        let call = self.request(Method::POST, &format!("/executions/{id}/retry"));
        self.json(call.json(request)).await
    }

    /// Moves an execution to another version of its workflow.
    pub async fn migrate(&self, id: &str, request: &MigrateRequest) -> Result<Execution, Error> {
        let call = self.request(Method::POST, &format!("/executions/{id}/migrate"));
        self.json(call.json(request)).await
    }

    /// Says what came of a call. With the same key it may be sent again.
    pub async fn reconcile(
        &self,
        id: &str,
        request: &ReconcileRequest,
        key: &str,
    ) -> Result<Execution, Error> {
        let call = self.request(Method::POST, &format!("/executions/{id}/reconcile"));
        self.json(call.header("Idempotency-Key", key).json(request)).await
    }

    /// Limits, with how much of each is used.
    pub async fn limits(&self) -> Result<Page<Limit>, Error> {
        self.get("/limits", &[]).await
    }

    /// Sets or takes away a limit; gives all.
    pub async fn set_limit(&self, request: &LimitRequest) -> Result<Page<Limit>, Error> {
        self.json(self.request(Method::PUT, "/limits").json(request)).await
    }

    /// Schedules, by name.
    pub async fn schedules(&self) -> Result<Page<Schedule>, Error> {
        self.get("/schedules", &[]).await
    }

    /// One schedule.
    pub async fn schedule(&self, name: &str) -> Result<Schedule, Error> {
        self.get(&format!("/schedules/{name}"), &[]).await
    }

    /// Keeps a new schedule. The same may be sent again.
    pub async fn create_schedule(&self, request: &ScheduleRequest) -> Result<Schedule, Error> {
        self.json(self.request(Method::POST, "/schedules").json(request)).await
    }

    /// Keeps a schedule in place of the one of its name.
    pub async fn replace_schedule(&self, request: &ScheduleRequest) -> Result<Schedule, Error> {
        let path = format!("/schedules/{}", request.name);
        self.json(self.request(Method::PUT, &path).json(request)).await
    }

    /// Lets a schedule fire, or stops it.
    pub async fn enable_schedule(&self, name: &str, enabled: bool) -> Result<Schedule, Error> {
        let call = self.request(Method::PATCH, &format!("/schedules/{name}"));
        self.json(call.json(&SchedulePatch { enabled })).await
    }

    /// Forgets a schedule.
    pub async fn delete_schedule(&self, name: &str) -> Result<(), Error> {
        self.send(self.request(Method::DELETE, &format!("/schedules/{name}"))).await.map(drop)
    }

    /// Credentials, without their values.
    pub async fn credentials(&self) -> Result<Page<Credential>, Error> {
        self.get("/credentials", &[]).await
    }

    /// Keeps a provider's key.
    pub async fn set_credential(
        &self,
        provider: &str,
        request: &CredentialRequest,
    ) -> Result<Credential, Error> {
        let call = self.request(Method::PUT, &format!("/credentials/{provider}"));
        self.json(call.json(request)).await
    }

    /// Forgets a provider's key.
    pub async fn remove_credential(&self, provider: &str) -> Result<(), Error> {
        let path = format!("/credentials/{provider}");
        self.send(self.request(Method::DELETE, &path)).await.map(drop)
    }

    /// Seals all credentials anew; gives them without their values.
    pub async fn rotate_credentials(
        &self,
        request: &RotateRequest,
    ) -> Result<Page<Credential>, Error> {
        self.json(self.request(Method::POST, "/credentials/rotate").json(request)).await
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let call = self.http.request(method, format!("{}/api/v1{path}", self.address));
        match &self.token {
            Some(token) => call.header(AUTHORIZATION, format!("Bearer {token}")),
            None => call,
        }
    }

    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<T, Error> {
        self.json(self.request(Method::GET, path).query(query)).await
    }

    pub(crate) async fn json<T: DeserializeOwned>(&self, call: RequestBuilder) -> Result<T, Error> {
        let body = self.send(call).await?.bytes().await;
        let body = body.map_err(|error| unreachable(&self.address, &error))?;
        serde_json::from_slice(&body).map_err(|error| self.foreign(error))
    }

    pub(crate) async fn send(&self, call: RequestBuilder) -> Result<Response, Error> {
        let response = call.send().await.map_err(|error| unreachable(&self.address, &error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let is_problem =
            response.headers().get(CONTENT_TYPE).is_some_and(|kind| *kind == *PROBLEM_TYPE);
        if !is_problem {
            return Err(self.foreign(format!("status {}", response.status())));
        }
        let body = response.bytes().await.map_err(|error| unreachable(&self.address, &error))?;
        let problem: Problem =
            serde_json::from_slice(&body).map_err(|error| self.foreign(error))?;
        Err(Error::Refused(Box::new(problem)))
    }

    fn foreign(&self, reason: impl ToString) -> Error {
        Error::Foreign { address: self.address.clone(), reason: reason.to_string() }
    }
}

fn unreachable(address: &str, error: &reqwest::Error) -> Error {
    // The innermost cause is the one that says what happened.
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    Error::Unreachable { address: address.to_string(), reason: cause.to_string() }
}
