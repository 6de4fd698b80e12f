//! [`WorkerClient`]: asks a server as a worker.

use reqwest::Method;

use crate::worker::{
    CallAnswer, CallRequest, CompleteRequest, Extended, FailRequest, HeartbeatRequest, PollRequest,
    Polled, ProgressRequest, RegisterRequest, Registered, WORKER_HEADER, Worker,
};
use crate::{Client, Error, Page};

/// A server, and a worker that it knows.
#[derive(Clone, Debug)]
pub struct WorkerClient {
    client: Client,
    /// What the server said of it.
    pub registered: Registered,
}

impl Client {
    /// Workers, the one that came last first.
    pub async fn workers(&self) -> Result<Page<Worker>, Error> {
        self.get("/workers", &[]).await
    }

    /// Registers a worker, and speaks for it from here on.
    pub async fn register(&self, request: &RegisterRequest) -> Result<WorkerClient, Error> {
        let call = self.request(Method::POST, "/workers/register");
        let registered = self.json(call.json(request)).await?;
        Ok(WorkerClient { client: self.clone(), registered })
    }

    /// Lets a worker end what it has and gives it no more.
    pub async fn drain_worker(&self, id: &str) -> Result<Worker, Error> {
        self.json(self.request(Method::POST, &format!("/workers/{id}/drain"))).await
    }
}

impl WorkerClient {
    /// A sign of life.
    pub async fn heartbeat(&self, request: &HeartbeatRequest) -> Result<Worker, Error> {
        self.ask(&format!("/workers/{}/heartbeat", self.id()), request).await
    }

    /// Waits for tasks.
    pub async fn poll(&self, request: &PollRequest) -> Result<Polled, Error> {
        self.ask(&format!("/workers/{}/poll", self.id()), request).await
    }

    /// The function returned, or waits for a person. The same may be sent again.
    pub async fn complete(&self, lease: &str, request: &CompleteRequest) -> Result<(), Error> {
        self.tell(&format!("/leases/{lease}/complete"), request).await
    }

    /// The function failed. The same may be sent again.
    pub async fn fail(&self, lease: &str, request: &FailRequest) -> Result<(), Error> {
        self.tell(&format!("/leases/{lease}/fail"), request).await
    }

    /// Holds a task for longer.
    pub async fn extend(&self, lease: &str) -> Result<Extended, Error> {
        self.ask(&format!("/leases/{lease}/extend"), &serde_json::json!({})).await
    }

    /// Holds a task for longer, and shows what it does.
    pub async fn progress(
        &self,
        lease: &str,
        request: &ProgressRequest,
    ) -> Result<Extended, Error> {
        self.ask(&format!("/leases/{lease}/progress"), request).await
    }

    /// Hands a task back that was not done.
    pub async fn release(&self, lease: &str) -> Result<(), Error> {
        self.tell(&format!("/leases/{lease}/release"), &serde_json::json!({})).await
    }

    /// Makes a call of a function. The same may be sent again.
    pub async fn call(&self, lease: &str, request: &CallRequest) -> Result<CallAnswer, Error> {
        self.ask(&format!("/leases/{lease}/call"), request).await
    }

    fn id(&self) -> &str {
        &self.registered.worker.id
    }

    async fn ask<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        body: &impl serde::Serialize,
    ) -> Result<T, Error> {
        self.client.json(self.post(path).json(body)).await
    }

    async fn tell(&self, path: &str, body: &impl serde::Serialize) -> Result<(), Error> {
        self.client.send(self.post(path).json(body)).await.map(drop)
    }

    fn post(&self, path: &str) -> reqwest::RequestBuilder {
        let proof = format!("{}.{}", self.id(), self.registered.secret);
        self.client.request(Method::POST, path).header(WORKER_HEADER, proof)
    }
}
