//! The page of the Studio, and what is none of its addresses.

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use axum::response::Response;
use tower::ServiceExt;

use super::{ADDRESS, TOKEN, TestApp};

async fn page(app: &TestApp, method: &str, path: &str) -> Response {
    let request = Request::builder().method(method).uri(path).header(header::HOST, ADDRESS);
    app.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

#[tokio::test]
async fn addresses_of_programs_never_answer_with_a_page() {
    let app = TestApp::new();
    for path in ["/api/v1/nothing", "/api", "/metrics/x", "/assets/gone.js", "/favicon.ico"] {
        let answer = page(&app, "GET", path).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/problem+json", "{path}");
    }
}

/// Whether or not the Studio was built: a page, or the command that builds it.
#[tokio::test]
async fn every_other_address_is_the_studio() {
    let app = TestApp::new();
    for path in ["/", "/workflows/new", "/executions/01-2?tab=log"] {
        let answer = page(&app, "GET", path).await;
        assert!(answer.headers().contains_key(header::CONTENT_SECURITY_POLICY), "{path}");
        let is_built = answer.status() == StatusCode::OK;
        let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        let text = String::from_utf8_lossy(&body);
        match is_built {
            true => assert!(text.contains(&format!("agentweaver-token\" content=\"{TOKEN}\""))),
            false => assert!(text.contains("make ui")),
        }
    }
}

/// Whatever a page of ours names is there, and nothing of it is elsewhere.
#[tokio::test]
async fn the_description_of_the_api_is_readable_from_the_binary_alone() {
    let app = TestApp::new();
    let document = page(&app, "GET", "/docs").await;
    assert_eq!(document.status(), StatusCode::OK);
    assert!(document.headers().contains_key(header::CONTENT_SECURITY_POLICY));
    let body = to_bytes(document.into_body(), usize::MAX).await.unwrap();
    let html = String::from_utf8_lossy(&body);
    let named = html.split('"').filter(|part| part.starts_with('/') && *part != "/");
    let named: Vec<&str> = named.collect();
    assert!(named.contains(&"/docs/docs.js") && named.contains(&"/api/v1/openapi.json"));
    for path in named {
        let answer = page(&app, "GET", path).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        assert!(!String::from_utf8_lossy(&body).contains("https://"), "{path}");
    }
}
