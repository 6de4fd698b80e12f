//! The routes, asked through the router without a port.

mod agents;
mod history;
mod monitoring;
mod streams;
mod studio;
mod ui;
mod workers;
mod workflows;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use weaver_runtime::Scheduler;
use weaver_runtime::scheduler::{self, Seats};
use weaver_store::Store;

use super::gateway::Models;
use super::{Access, App, Live, Sources, Watch, router};
use crate::folder::Folder;
use crate::ledger::Ledger;
use crate::settings::Settings;
use crate::vault::Vault;
use crate::workshop::Bench;

/// A server on a store in memory; the one door to it.
struct TestApp {
    router: Router,
    app: Arc<App>,
    /// Where scripts are kept.
    _data: tempfile::TempDir,
}

/// What came back.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    #[allow(dead_code, reason = "some areas' tests look at headers, others do not")]
    headers: HeaderMap,
    body: Value,
}

const ADDRESS: &str = "127.0.0.1:8123";
const TOKEN: &str = "secret";

impl TestApp {
    fn new() -> Self {
        TestApp::made(None)
    }

    /// The same, with the files of a folder as workflows.
    fn in_folder(folder: &Path) -> Self {
        TestApp::made(Some(folder))
    }

    fn made(folder: Option<&Path>) -> Self {
        let data = tempfile::tempdir().unwrap();
        let settings = Settings { data: data.path().into(), ..Settings::default() };
        let drain = CancellationToken::new();
        let store = Store::in_memory();
        let vault = Vault::new(store.clone(), settings.master.clone(), &settings.models);
        let ledger = Ledger::new(store.clone(), "test");
        let options = weaver_llm::Options::default();
        let changes = tokio::sync::broadcast::channel(16).0;
        let app = App {
            store,
            store_kind: "memory",
            live: Live::default(),
            sources: Sources::default(),
            access: Access { token: TOKEN.into(), address: ADDRESS.parse().unwrap() },
            bench: Arc::new(Bench::new(settings, vault.clone(), [7; 32]).unwrap()),
            models: Models::new(options, vault.clone(), ledger.clone(), drain.clone()).unwrap(),
            vault,
            ledger,
            folder: folder.map(|at| Arc::new(Folder::open(at, changes.clone()).unwrap())),
            changes,
            meters: Arc::default(),
            task_lease: Duration::from_secs(30),
            seats: Seats::default(),
            role: "api",
            began: std::time::Instant::now(),
            drain,
        };
        let app = Arc::new(app);
        TestApp { router: router(app.clone()), app, _data: data }
    }

    /// The same with a scheduler that works until the app is gone.
    fn working() -> Self {
        let app = TestApp::new();
        let mut options = scheduler::Options::new("test");
        options.poll = Duration::from_millis(10);
        let (live, meters) = (app.app.live.clone(), app.app.meters.clone());
        options.watcher = Some(Arc::new(Watch { live, meters }));
        options.seats = app.app.seats.clone();
        let scheduler = Scheduler::new(app.app.store.clone(), app.app.bench.clone(), options);
        tokio::spawn(scheduler.run(app.app.drain.clone()));
        app
    }

    /// Waits until an execution stands so.
    async fn until(&self, id: &str, status: &str) -> Value {
        let wait = async {
            let mut ticks = tokio::time::interval(Duration::from_millis(5));
            loop {
                let execution = self.get(&format!("/executions/{id}")).await.body;
                if execution["status"] == status {
                    return execution;
                }
                ticks.tick().await;
            }
        };
        match tokio::time::timeout(Duration::from_secs(20), wait).await {
            Ok(execution) => execution,
            Err(_) => {
                panic!("it is not {status}: {}", self.get(&format!("/executions/{id}")).await.body)
            }
        }
    }

    /// Asks for what is not under `/api/v1`, without a token.
    async fn outside(&self, path: &str) -> String {
        let request = Request::get(path).header(header::HOST, ADDRESS).body(Body::empty());
        let response = self.router.clone().oneshot(request.unwrap()).await.unwrap();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        String::from_utf8_lossy(&body).into_owned()
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], None).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask("POST", path, &[], Some(body)).await
    }

    /// Asks with the token of this start.
    async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header(header::HOST, ADDRESS)
            .header(header::AUTHORIZATION, format!("Bearer {TOKEN}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let response = self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        let body = serde_json::from_slice(&body)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&body).into_owned()));
        Answer { status: parts.status, headers: parts.headers, body }
    }
}
