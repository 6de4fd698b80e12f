//! Three routes of the server, with the queries and nothing else: no tenants, no log with
//! hashes, no guards.

use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio_postgres::{Client, Error, NoTls, Statement};
use uuid::Uuid;

/// Connections to the database, as many as the others have.
const CONNECTIONS: usize = 16;

const INSERT: [&str; 3] = [
    "INSERT INTO executions (id, workflow, status, input) VALUES ($1, $2, 'queued', $3)",
    "INSERT INTO work_queue (execution_id, priority) VALUES ($1, 0)",
    "INSERT INTO execution_events (execution_id, sequence, kind, data) VALUES ($1, 1, 'queued', $2)",
];
const SELECT: &str = "SELECT workflow, status, input, to_char(created_at AT TIME ZONE 'UTC', \
     'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') FROM executions WHERE id = $1";

struct Connection {
    client: Client,
    check: Statement,
    insert: [Statement; 3],
    select: Statement,
}

struct Pool {
    idle: Mutex<Vec<Connection>>,
    permits: Semaphore,
}

#[derive(Deserialize)]
struct Submit {
    input: Value,
}

/// The routes, with their connections made.
pub async fn router(database: &str) -> Router {
    let mut idle = Vec::with_capacity(CONNECTIONS);
    for _ in 0..CONNECTIONS {
        idle.push(connect(database).await.expect("the database is there"));
    }
    let pool = Arc::new(Pool { idle: Mutex::new(idle), permits: Semaphore::new(CONNECTIONS) });
    Router::new()
        .route("/api/v1/health", get(health))
        .route("/api/v1/workflows/{id}/execute", post(create))
        .route("/api/v1/executions/{id}", get(read))
        .with_state(pool)
}

async fn connect(database: &str) -> Result<Connection, Error> {
    let (client, connection) = tokio_postgres::connect(database, NoTls).await?;
    tokio::spawn(connection);
    let mut insert = Vec::with_capacity(INSERT.len());
    for statement in INSERT {
        insert.push(client.prepare(statement).await?);
    }
    let insert = insert.try_into().expect("there are as many");
    Ok(Connection {
        check: client.prepare("SELECT 1").await?,
        select: client.prepare(SELECT).await?,
        client,
        insert,
    })
}

impl Pool {
    async fn with<T>(
        &self,
        work: impl AsyncFnOnce(&mut Connection) -> Result<T, Error>,
    ) -> Result<T, StatusCode> {
        let _permit = self.permits.acquire().await.expect("it is never closed");
        let mut connection = self.lock().pop().expect("there is one for each permit");
        let done = work(&mut connection).await;
        self.lock().push(connection);
        done.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().expect("nothing panics while it is held")
    }
}

async fn health(State(pool): State<Arc<Pool>>) -> Result<Json<Value>, StatusCode> {
    pool.with(async |connection| connection.client.query_one(&connection.check, &[]).await).await?;
    Ok(Json(json!({"status": "ok"})))
}

async fn create(
    State(pool): State<Arc<Pool>>,
    Path(workflow): Path<String>,
    Json(request): Json<Submit>,
) -> Result<(StatusCode, Json<Value>), StatusCode> {
    let id = Uuid::now_v7();
    let input = request.input;
    let insert = async |connection: &mut Connection| {
        let [execution, work, event] = &connection.insert;
        let transaction = connection.client.transaction().await?;
        transaction.execute(execution, &[&id, &workflow, &input]).await?;
        transaction.execute(work, &[&id]).await?;
        transaction.execute(event, &[&id, &input]).await?;
        transaction.commit().await
    };
    pool.with(insert).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({"execution_id": id, "status": "queued"}))))
}

async fn read(
    State(pool): State<Arc<Pool>>,
    Path(id): Path<Uuid>,
) -> Result<Json<Value>, StatusCode> {
    let select = async |connection: &mut Connection| {
        connection.client.query_opt(&connection.select, &[&id]).await
    };
    let row = pool.with(select).await?.ok_or(StatusCode::NOT_FOUND)?;
    let text = |column: usize| row.get::<_, &str>(column);
    let (workflow, status, created) = (text(0), text(1), text(3));
    let input: Value = row.get(2);
    Ok(Json(
        json!({"id": id, "workflow": workflow, "status": status, "input": input, "created_at": created}),
    ))
}
