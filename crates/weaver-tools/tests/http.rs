//! The guarded client: what it reaches, and everything that it must not.

use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use weaver_core::Value;
use weaver_tools::{HttpBody, HttpClient, HttpOptions, HttpRequest, HttpResponse, ToolError};

fn client(allow: &[&str]) -> HttpClient {
    let allow = allow.iter().map(|host| host.to_string()).collect();
    HttpClient::new(HttpOptions { allow, ..HttpOptions::default() }).unwrap()
}

fn get(url: impl Into<String>) -> HttpRequest {
    HttpRequest { url: url.into(), ..HttpRequest::default() }
}

/// A server on loopback that gives one answer to everything and keeps what it was
/// sent, in lower case. `PORT` in the answer is its port.
struct Server {
    port: u16,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start(answer: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let kept = seen.clone();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut request = Vec::new();
                let mut buffer = [0; 4096];
                // Each request here fits one packet; its body ends it.
                let n = socket.read(&mut buffer).await.unwrap_or(0);
                request.extend_from_slice(&buffer[..n]);
                let request = String::from_utf8_lossy(&request).to_lowercase();
                let answer = answer(&request).replace("PORT", &port.to_string());
                kept.lock().unwrap().push(request);
                let _ = socket.write_all(answer.as_bytes()).await;
            }
        });
        Server { port, seen }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n{body}",
        body.len()
    )
}

#[test]
fn private_addresses_are_refused_in_every_spelling() {
    let client = client(&[]);
    let hosts = "127.0.0.1 127.1 127.0.1 2130706433 0x7f000001 0x7f.1 0x7F.0x0.0x0.0x1 0177.0.0.1 \
        017700000001 0177.0x0.1 127.255.255.254 127.0.0.1. 127.0.0.01 ①②⑦.⓪.⓪.① １２７.０.０.１ 127。0。0。1 \
        127%2e0%2e0%2e1 %31%32%37.0.0.1 0 0.0.0.0 0x0 00 0.1 10.0.0.1 10.1 0xa000001 012.0.0.1 167772161 \
        172.16.0.1 172.31.255.255 0xac100001 2886729729 192.168.0.1 192.168.257 0xc0a80001 3232235521 \
        169.254.169.254 169.254.43518 0xa9fea9fe 2852039166 0251.0376.0251.0376 0xa9.0xfe.0xa9.0xfe \
        169.254.169.254. 100.64.0.1 100.127.255.255 192.0.0.192 192.0.2.1 198.18.0.1 198.51.100.1 \
        203.0.113.1 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255 0xffffffff \
        [::1] [::] [0:0:0:0:0:0:0:1] [0000::0001] [::ffff:127.0.0.1] [::ffff:7f00:1] [0:0:0:0:0:ffff:7f00:0001] \
        [::ffff:169.254.169.254] [::ffff:a9fe:a9fe] [::127.0.0.1] [::7f00:1] [64:ff9b::127.0.0.1] \
        [64:ff9b::a9fe:a9fe] [64:ff9b:1::1] [2002:7f00:1::] [2002:a9fe:a9fe::1] [2001:0:1::1] [2001:db8::1] \
        [fc00::1] [fd00:ec2::254] [fe80::1] [fe80::a9fe:a9fe] [fec0::1] [ff02::1] [100::1] [5f00::1] \
        localhost LOCALHOST localhost. sub.localhost ｌocalhost ⓛⓞⓒⓐⓛⓗⓞⓢⓣ";
    let hosts: Vec<_> = hosts.split_whitespace().collect();
    assert!(hosts.len() >= 80, "{} forms", hosts.len());
    for host in hosts {
        for url in [
            format!("http://{host}/"),
            format!("https://{host}:8443/x"),
            format!("HTTP:\\\\{host}"),
        ] {
            match client.check(&url) {
                Err(ToolError::Refused(said)) => assert!(said.contains("AGENTWEAVER_HTTP_ALLOW")),
                // Spellings that are no address at all are no way in either.
                Err(ToolError::Failed(said)) => assert!(said.contains("no address"), "{said}"),
                other => panic!("{url}: {other:?}"),
            }
        }
    }
}

#[test]
fn other_schemes_and_odd_addresses_are_refused() {
    let client = client(&[]);
    for url in [
        "file:///etc/passwd",
        "ftp://example.com/",
        "gopher://example.com/",
        "data:text/plain,x",
        "unix:/run/x.sock",
        "http://user:secret@example.com/",
        "http://example.com@127.0.0.1/",
        "http://127.0.0.1#@example.com/",
        "http://127.0.0.1\\@example.com/",
        "http:///127.0.0.1/",
        "//127.0.0.1/",
        "http://",
        "",
    ] {
        assert!(client.check(url).is_err(), "{url}");
    }
    for url in ["https://example.com/a?b#c", "http://8.8.8.8/", "http://[2606:4700::1111]/"] {
        assert_eq!(client.check(url), Ok(()), "{url}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Every address of a private block is refused in every number form.
    #[test]
    fn no_spelling_of_a_private_address_gets_through(
        block in prop::sample::select(vec![
            (0x7f00_0000u32, 8u32), (0x0a00_0000, 8), (0xac10_0000, 12), (0xc0a8_0000, 16), (0xa9fe_0000, 16), (0x6440_0000, 10),
        ]),
        rest in any::<u32>(),
        form in 0..7usize,
    ) {
        let (base, bits) = block;
        let n = base | (rest & (u32::MAX >> bits));
        let [a, b, c, d] = n.to_be_bytes();
        let host = match form {
            0 => format!("{a}.{b}.{c}.{d}"),
            1 => format!("{n}"),
            2 => format!("{n:#x}"),
            3 => format!("0{a:o}.0{b:o}.{c:#x}.{d}"),
            4 => format!("{a}.{}", n & 0x00ff_ffff),
            5 => format!("[::ffff:{a}.{b}.{c}.{d}]"),
            _ => format!("[64:ff9b::{a}.{b}.{c}.{d}]"),
        };
        static CLIENT: LazyLock<HttpClient> = LazyLock::new(|| client(&[]));
        let refused = matches!(CLIENT.check(&format!("http://{host}/")), Err(ToolError::Refused(_)));
        prop_assert!(refused, "{}", host);
    }
}

#[tokio::test]
async fn nothing_is_sent_to_what_is_refused() {
    let server = Server::start(|_| answer("200 OK", "", "secret")).await;
    for url in [server.url("/"), format!("http://localhost:{}/", server.port)] {
        let error = client(&[]).send(get(url)).await.unwrap_err();
        assert_eq!(error.code(), "tool_refused");
    }
    assert!(server.seen().is_empty());
    // A name is as good as its addresses; this one is allowed by its own name only.
    let localhost = format!("http://localhost:{}/", server.port);
    assert!(client(&["127.0.0.1"]).send(get(&localhost)).await.is_err());
    assert_eq!(client(&["localhost"]).send(get(&localhost)).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_request_and_its_answer() {
    let json = |_: &str| {
        answer("201 Created", "content-type: application/json\r\nx-a: 1\r\n", r#"{"n":[1,2.5]}"#)
    };
    let server = Server::start(json).await;
    let request = HttpRequest {
        method: "post".into(),
        query: vec![("q".into(), "a b&c".into())],
        headers: vec![("X-Token".into(), "t".into())],
        body: HttpBody::Json(Value::map([("k", Value::Int(1))])),
        ..get(server.url("/p?z=1"))
    };
    let HttpResponse { status, headers, body, .. } =
        client(&["127.0.0.1"]).send(request).await.unwrap();
    assert_eq!((status, body.to_json().as_str()), (201, r#"{"n":[1,2.5]}"#));
    assert_eq!(headers.get("x-a"), Some(&"1".into()));
    let seen = &server.seen()[0];
    assert!(seen.starts_with("post /p?z=1&q=a+b%26c "), "{seen}");
    assert!(seen.contains("x-token: t") && seen.contains("application/json"), "{seen}");
}

#[tokio::test]
async fn redirects_are_checked_like_the_first_address() {
    let to = |location: &'static str| {
        move |request: &str| match request.contains("/done") {
            true => answer("200 OK", "content-type: text/plain\r\n", "here"),
            false => answer("302 Found", &format!("location: {location}\r\n"), ""),
        }
    };
    let server = Server::start(to("/done")).await;
    let request = HttpRequest {
        method: "POST".into(),
        body: HttpBody::Text("x".into()),
        headers: vec![("authorization".into(), "Bearer k".into())],
        ..get(server.url("/"))
    };
    let response = client(&["127.0.0.1"]).send(request).await.unwrap();
    assert_eq!((response.body, response.url), ("here".into(), server.url("/done")));
    let seen = server.seen();
    assert!(seen[1].starts_with("get /done"), "a POST becomes a GET: {}", seen[1]);
    assert!(seen[1].contains("bearer k"), "the same server is told the same");

    for away in [
        "http://169.254.169.254/latest",
        "http://[::1]:PORT/done",
        "file:///etc/passwd",
        "http://localhost:PORT/done",
    ] {
        let server = Server::start(to(away)).await;
        let error = client(&["127.0.0.1"]).send(get(server.url("/"))).await.unwrap_err();
        assert_eq!(error.code(), "tool_refused", "{away}: {error}");
        assert_eq!(server.seen().len(), 1, "{away}");
    }

    let other = Server::start(to("http://localhost:PORT/done")).await;
    let request =
        HttpRequest { headers: vec![("Authorization".into(), "k".into())], ..get(other.url("/")) };
    client(&["127.0.0.1", "localhost"]).send(request).await.unwrap();
    assert!(!other.seen()[1].contains("authorization"), "another server is not told");

    let round = Server::start(to("/again")).await;
    let error = client(&["127.0.0.1"]).send(get(round.url("/"))).await.unwrap_err();
    assert!(error.to_string().contains("more than 5 times"), "{error}");
}

#[tokio::test]
async fn sizes_times_and_headers_have_limits() {
    let server = Server::start(|_| answer("200 OK", "", &"x".repeat(5000))).await;
    let options = HttpOptions {
        allow: vec!["127.0.0.1".into()],
        body_bytes_max: 4096,
        ..HttpOptions::default()
    };
    let small = HttpClient::new(options).unwrap();
    assert_eq!(small.send(get(server.url("/"))).await.unwrap_err().code(), "tool_too_large");

    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let request = HttpRequest { timeout: Some(Duration::from_millis(50)), ..get(url) };
    let error = client(&["127.0.0.1"]).send(request).await.unwrap_err();
    assert_eq!(error.code(), "tool_timeout");

    for (name, value) in [
        ("Host", "x"),
        ("Content-Length", "9"),
        ("Proxy-Authorization", "x"),
        ("a b", "x"),
        ("x", "a\r\nb: c"),
    ] {
        let headers = vec![(name.to_string(), value.to_string())];
        let request = HttpRequest { headers, ..get(server.url("/")) };
        assert!(client(&["127.0.0.1"]).send(request).await.is_err(), "{name}");
    }
}

#[tokio::test]
async fn bytes_that_are_no_text_stay_bytes() {
    let server = Server::start(|request| match request.contains("/nul") {
        true => answer("200 OK", "", "a\0b"),
        false => answer("200 OK", "content-type: application/json\r\n", "{broken"),
    })
    .await;
    let client = client(&["127.0.0.1"]);
    let body = |response: HttpResponse| response.body;
    assert_eq!(body(client.send(get(server.url("/nul"))).await.unwrap()), "a\u{fffd}b".into());
    assert_eq!(body(client.send(get(server.url("/"))).await.unwrap()), "{broken".into());
}
