//! Embedded Python: a pool of sandboxed interpreter processes that run the node
//! functions, routers, reducers and tools of a graph file.
//!
//! Start with [`Pool`]: it re-executes the program as worker processes
//! ([`worker_main`] is what a worker runs). A [`Session`] belongs to one
//! execution and one [`weaver_core::Program`]; a [`Call`] runs one function and
//! stops at each [`Step`] that the host must answer or should see.
//!
//! Invariants:
//! - Python runs only in a worker process that has no files, network, clock,
//!   environment or right to start anything; a missing wall fails the spawn.
//! - A worker serves one session at a time and is replaced before another
//!   tenant's session is served: nothing is shared between tenants.
//! - Whatever the code does (endless loop, memory bomb, crash of the
//!   interpreter) ends that call with a [`weaver_core::Failure`] and nothing else.
//! - This crate does not know what a graph, a model or a tool is; it knows names
//!   of host calls and passes values.
//!
//! # Values
//!
//! Tagged maps of [`weaver_core::Value`] come in as Python objects and leave as
//! tagged maps. Beyond the table there, these are understood on the way in:
//!
//! | map | in Python |
//! |---|---|
//! | `{"$type": "runtime", "context", "previous", "execution_info"}` | a `Runtime`; a context that is a schema instance is `{"$type": "object", …}` |
//! | `{"$type": "store"}` | the store, whose methods are host calls |
//! | `{"$type": "writer"}` | the stream writer |
//! | `{"$type": "interrupt", "value", "id"}` | an `Interrupt` |
//!
//! `config` and `previous` are plain values. State is the first positional
//! argument; [`CallRequest::input_class`] makes it an instance of a schema.
//!
//! # Host calls
//!
//! All arguments are keywords. Messages are message values.
//!
//! | name | keywords | answer |
//! |---|---|---|
//! | `model.invoke` | `provider`, `model`, `params`, `tools`, `tool_choice`, `schema`, `messages`, `config` | a message |
//! | `model.stream` | the same | a list of messages, the chunks |
//! | `llm` | `model`, `prompt` or `messages`, options | a message |
//! | `tool` | `name`, `args` | any value |
//! | `interrupt` | `value` | the resume value |
//! | `writer` | `value` | nothing |
//! | `subgraph.invoke`, `subgraph.stream` | `graph`, `input`, `config`, `options` | the state; a list of chunks |
//! | `store.get` | `namespace`, `key` | an item or nothing |
//! | `store.put` | `namespace`, `key`, `value`, `index`, `ttl` | nothing |
//! | `store.delete` | `namespace`, `key` | nothing |
//! | `store.search` | `namespace`, `query`, `filter`, `limit`, `offset` | a list of items |
//! | `store.list_namespaces` | `prefix`, `suffix`, `max_depth`, `limit`, `offset` | a list of lists |
//! | `config` | | the run's config |
//! | `runtime` | | a `{"$type": "runtime"}` |
//! | `heartbeat` | | nothing |
//! | `clock` | | seconds since the epoch, UTC |
//! | `random_seed` | | an integer; equal seeds give equal numbers |
//! | `sleep` | `seconds` | nothing, when the time has passed |
//! | `uuid` | | text |
//! | `getenv` | `name` | text or nothing |
//!
//! `tools` holds names of the file's tools, or `{"name", "description",
//! "parameters"}`; `schema` is nothing or `{"name", "schema", "description",
//! "method", "strict"}`, and the answer's JSON text (or first tool call) is parsed
//! inside. An item is `{"namespace", "key", "value", "created_at", "updated_at",
//! "score"}`.

#[cfg(not(target_os = "linux"))]
compile_error!("the interpreter's sandbox is made of Linux parts (seccomp, landlock, prctl)");

pub mod limits;

mod allocator;
mod call;
mod delta;
mod desk;
mod kept;
mod lease;
mod lower;
mod names;
mod patience;
mod pool;
mod process;
mod program;
mod protocol;
mod resemblance;
mod session;
mod snapshot;
mod step;
mod traceless;
mod wire;
mod worker;

pub use allocator::Allocator;
pub use call::Call;
pub use pool::{Isolation, Pool, PoolError, PoolOptions};
pub use session::{Binding, CallRequest, Limits, Session};
pub use snapshot::{RestoreError, Snapshot};
pub use step::{Answer, HostCall, HostException, Step};
pub use worker::worker_main;
