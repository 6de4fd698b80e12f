//! What `bench/gateway/run` starts beside the gateways that it compares:
//!
//! - `upstream PORT`: a provider that answers at once, or in 20 pieces;
//! - `bare PORT UPSTREAM`: the least that a proxy in this language can be: it parses the
//!   JSON of both ways and passes the bytes on.

mod bare;
mod upstream;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.expect("a runtime can be made");
    match args[..] {
        ["upstream", port] => runtime.block_on(upstream::serve(port.parse().expect("a port"))),
        ["bare", port, upstream] => {
            runtime.block_on(bare::serve(port.parse().expect("a port"), upstream));
        }
        _ => {
            eprintln!("usage: gateway-bench upstream PORT | bare PORT HOST:PORT");
            std::process::exit(2);
        }
    }
}
