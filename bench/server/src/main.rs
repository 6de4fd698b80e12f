//! What `bench/server/run` starts beside the server that it measures:
//!
//! - `plain PORT DATABASE_URL`: the least that a service with these queries can be;
//! - `provider PORT`: a provider of models that streams the time, 50 times a second.

mod plain;
mod provider;

use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["plain", port, database] => serve(port, plain::router(database).await).await,
        ["provider", port] => serve(port, provider::router()).await,
        _ => {
            eprintln!("usage: server-bench plain PORT DATABASE_URL | provider PORT");
            std::process::exit(2);
        }
    }
}

async fn serve(port: &str, router: Router) {
    let port: u16 = port.parse().expect("a port");
    let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("the port is free");
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    axum::serve(listener, router).await.expect("it answers until it is killed");
}
