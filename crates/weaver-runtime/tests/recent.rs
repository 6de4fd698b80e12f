//! Turns of a conversation, where the process remembers the thread and where it does not.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use weaver_core::Value;
use weaver_engine::{
    Answer, Call, ChannelKind, Graph, GraphBuilder, Input, NodeOutput, NodeSpec, Outcome, Reducer,
};
use weaver_runtime::{Durability, Handler, Recent, RunRequest, TaskContext, drive, thread};
use weaver_store::{OpenOptions, Store};

/// A node that changes nothing.
struct Listener;

impl Handler for Listener {
    fn call(&self, _: Call<Value>, _: TaskContext) -> BoxFuture<'static, Answer<Value>> {
        async { Answer::Node(NodeOutput::Nothing) }.boxed()
    }
}

/// Keeps a list of everything that was said.
fn graph() -> Graph<Value> {
    let mut graph = GraphBuilder::new();
    graph.channel("said", ChannelKind::Topic { accumulate: true });
    graph.node(NodeSpec::function("listen"));
    graph.edge("__start__", "listen").edge("listen", "__end__");
    graph.compile().expect("the graph is sound")
}

/// Says something on a thread; all that was said.
async fn say(
    store: &Store,
    recent: Option<&Arc<Recent>>,
    durability: Durability,
    text: &str,
) -> String {
    let said = Value::map([("said", Value::list([Value::str(text)]))]);
    let mut request = RunRequest::new("t", graph(), Input::Value(said));
    request.recent = recent.cloned();
    request.durability = durability;
    let report = drive(Some(store.clone()), Arc::new(Listener), request).await;
    match report.expect("the store is sound").outcome {
        Outcome::Done { output } => output.to_json(),
        other => panic!("it ended otherwise: {other:?}"),
    }
}

#[tokio::test]
async fn what_is_remembered_gives_way_to_what_another_process_added() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = Store::open_sqlite(directory.path(), OpenOptions::default()).expect("a store");
    let (here, there) = (Arc::new(Recent::default()), Arc::new(Recent::default()));
    let mut expected = Vec::new();
    let durabilities = [Durability::Async, Durability::Exit, Durability::Sync];
    for (turn, durability) in durabilities.into_iter().cycle().take(12).enumerate() {
        let text = turn.to_string();
        expected.push(format!("\"{text}\""));
        // Turns of this process, of another, and of one that remembers nothing.
        let recent = [Some(&here), Some(&here), Some(&there), None][turn % 4];
        let said = say(&store, recent, durability, &text).await;
        assert_eq!(said, format!(r#"{{"said":[{}]}}"#, expected.join(",")), "turn {turn}");
    }
    let history = thread::history(&store, "t", "", 0).await.expect("a history");
    let state = thread::load(&store, "t", "", Some(history[0].id)).await.expect("a state");
    assert!(state.is_some());
}

/// Answers each question.
struct Answerer;

impl Handler for Answerer {
    fn call(&self, _: Call<Value>, _: TaskContext) -> BoxFuture<'static, Answer<Value>> {
        let reply = Value::list(["ai".into(), "an answer".into()]);
        async { Answer::Node(NodeOutput::Update(Value::map([("messages", reply)]))) }.boxed()
    }
}

#[tokio::test]
async fn a_conversation_that_the_caller_carries_along_grows_by_each_turn() {
    let mut graph = GraphBuilder::new();
    let messages = ChannelKind::Reduced { reducer: Reducer::AddMessages, initial: None };
    graph.channel("messages", messages).node(NodeSpec::function("reply"));
    graph.edge("__start__", "reply").edge("reply", "__end__");
    let graph = graph.compile().expect("the graph is sound");
    let mut said: Vec<Value> = Vec::new();
    for turn in 1..=3 {
        said.push("a question".into());
        let input = Value::map([("messages", Value::list(said.iter().cloned()))]);
        let request = RunRequest::new("t", graph.clone(), Input::Value(input));
        let report = drive(None, Arc::new(Answerer), request).await.expect("nothing is kept");
        let Outcome::Done { output } = report.outcome else { panic!("it ends well") };
        said = output.get("messages").and_then(Value::as_list).expect("messages").to_vec();
        assert_eq!(said.len(), 2 * turn);
    }
}
