//! How the work stands.

use axum::http::StatusCode;
use serde_json::json;

use super::TestApp;
use super::workflows::GREET;

#[tokio::test]
async fn a_summary_counts_what_is_open_and_what_has_ended() {
    let app = TestApp::working();
    let submit = async |source: &str| {
        let workflow = json!({ "file": "greet.py", "source": source });
        let body = json!({ "workflow": workflow, "input": { "name": "Ada" } });
        let submitted = app.post("/executions", body).await;
        submitted.body["execution_id"].as_str().unwrap().to_string()
    };
    app.until(&submit(GREET).await, "completed").await;
    let broken = GREET.replace("Hello {{ name }}", "{{ name.a.b.c }}");
    app.until(&submit(&broken).await, "failed").await;
    let asks = GREET.replace(
        "nodes.response(text=\"Hello {{ name }}\", into=\"text\")",
        "nodes.user_input(into=\"text\")",
    );
    app.until(&submit(&asks).await, "waiting").await;

    let summary = app.get("/monitoring/summary").await;
    assert_eq!(summary.status, StatusCode::OK);
    assert_eq!(
        summary.body["open"],
        json!({ "queued": 0, "running": 0, "waiting": 1, "paused": 0 })
    );
    let minutes = summary.body["minutes"].as_array().unwrap();
    let sum = |what: &str| minutes.iter().map(|minute| minute[what].as_u64().unwrap()).sum::<u64>();
    assert_eq!((sum("completed"), sum("failed")), (1, 1));
    assert_eq!(summary.body["errors"][0]["count"], 1);
    assert!(
        summary.body["latency"]["max_ms"].as_u64() >= summary.body["latency"]["p50_ms"].as_u64()
    );
}

#[tokio::test]
async fn requests_are_counted_by_template_and_keep_their_trace() {
    let app = TestApp::new();
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let given = format!("00-{trace}-00f067aa0ba902b7-01");
    let answer = app.ask("GET", "/executions/abc", &[("traceparent", &given)], None).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    let returned = answer.headers["traceparent"].to_str().unwrap();
    assert!(returned.starts_with(&format!("00-{trace}-")) && returned != given, "{returned}");
    let metrics = app.outside("/metrics").await;
    let line = "agentweaver_api_calls_total{endpoint=\"/api/v1/executions/{id}\",method=\"GET\",status_code=\"404\"} 1";
    assert!(metrics.contains(line), "{metrics}");
    assert!(metrics.contains("\nagentweaver_queue_depth 0\n"), "{metrics}");
}
