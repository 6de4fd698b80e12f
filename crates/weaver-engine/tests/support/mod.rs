//! The door to the engine for all scenario tests: a graph, its functions, a log.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::HashMap;

use weaver_core::{Failure, Timestamp, Value};
use weaver_engine::{
    Answer, BranchSpec, Call, ChannelKind, Chunk, Effect, Graph, GraphBuilder, Happened, Input,
    InputCommand, InterruptId, Invoked, Load, Memory, NodeKind, NodeOutput, NodeSpec, Operator,
    Origin, Outcome, Persistence, Reducer, Resume, Route, Run, RunOptions, Saved, SendTo, Snapshot,
};

pub type Function = Box<dyn Fn(&Call<Value>) -> Answer<Value>>;

pub fn json(text: &str) -> Value {
    Value::from_json(text).expect("the test's own JSON")
}

pub fn update(text: &str) -> Answer<Value> {
    Answer::Node(NodeOutput::Update(json(text)))
}

pub fn go(name: &str) -> Answer<Value> {
    Answer::Routes(vec![Route::Key(Value::str(name))])
}

pub fn send(node: &str, arg: &str) -> SendTo<Value> {
    SendTo { node: node.into(), arg: json(arg), timeout: None }
}

pub fn raise(class: &str, message: &str) -> Answer<Value> {
    Answer::Failed(Failure::exception(class, message))
}

/// A graph under construction whose nodes are closures.
pub struct Build {
    pub graph: GraphBuilder<Value>,
    pub functions: HashMap<String, Function>,
}

impl Default for Build {
    fn default() -> Self {
        Build::new()
    }
}

impl Build {
    /// Keys: `log` adds lists, `n` adds numbers, `last` is plain.
    pub fn new() -> Self {
        let mut graph = GraphBuilder::new();
        let add = |initial| ChannelKind::Reduced {
            reducer: Reducer::Operator(Operator::Add),
            initial: Some(initial),
        };
        graph.channel("log", add(Value::list([])));
        graph.channel("n", add(Value::Int(0)));
        graph.channel("last", ChannelKind::LastValue);
        Build { graph, functions: HashMap::new() }
    }

    pub fn function(
        &mut self,
        name: &str,
        function: impl Fn(&Call<Value>) -> Answer<Value> + 'static,
    ) -> &mut Self {
        self.functions.insert(name.into(), Box::new(function));
        self
    }

    pub fn node(
        &mut self,
        name: &str,
        function: impl Fn(&Call<Value>) -> Answer<Value> + 'static,
    ) -> &mut Self {
        self.node_spec(NodeSpec::function(name), function)
    }

    pub fn node_spec(
        &mut self,
        spec: NodeSpec<Value>,
        function: impl Fn(&Call<Value>) -> Answer<Value> + 'static,
    ) -> &mut Self {
        let name = spec.name.to_string();
        self.graph.node(spec);
        self.function(&name, function)
    }

    /// A node that writes its name to the log.
    pub fn logs(&mut self, name: &'static str) -> &mut Self {
        self.node(name, move |_| update(&format!(r#"{{"log":["{name}"]}}"#)))
    }

    pub fn edge(&mut self, from: &str, to: &str) -> &mut Self {
        self.graph.edge(from, to);
        self
    }

    pub fn edges(&mut self, path: &[&str]) -> &mut Self {
        for pair in path.windows(2) {
            self.graph.edge(pair[0], pair[1]);
        }
        self
    }

    pub fn branch(
        &mut self,
        from: &str,
        name: &str,
        function: impl Fn(&Call<Value>) -> Answer<Value> + 'static,
    ) -> &mut Self {
        self.graph.branch(from, BranchSpec::function(name));
        self.function(name, function)
    }

    pub fn subgraph(&mut self, name: &str, graph: Build, persistence: Persistence) -> &mut Self {
        let compiled = graph.graph.compile().expect("the subgraph compiles");
        self.functions.extend(graph.functions);
        self.graph.node(NodeSpec::new(name, NodeKind::Subgraph(compiled, persistence)));
        self
    }

    pub fn world(self) -> World {
        World {
            graph: self.graph.compile().unwrap_or_else(|errors| panic!("{errors:?}")),
            functions: self.functions,
            memory: Memory::new(),
            options: RunOptions { checkpoints: true, ..RunOptions::default() },
            now: 1,
            calls: Vec::new(),
            chunks: Vec::new(),
            notices: Vec::new(),
            slept_ms: Vec::new(),
        }
    }
}

/// A compiled graph with its log; calls are answered in the order they come.
pub struct World {
    pub graph: Graph<Value>,
    pub functions: HashMap<String, Function>,
    pub memory: Memory<Value>,
    pub options: RunOptions,
    pub now: i64,
    /// Functions that ran, as `name` or `name(attempt)` from the second on.
    pub calls: Vec<String>,
    pub chunks: Vec<(String, Chunk<Value>)>,
    pub notices: Vec<String>,
    pub slept_ms: Vec<i64>,
}

impl World {
    /// Goes on from the latest checkpoint.
    pub fn run(&mut self, input: Input<Value>) -> Outcome<Value> {
        self.run_from(Origin::latest(self.memory.latest("")), input)
    }

    pub fn run_from(&mut self, origin: Origin<Value>, input: Input<Value>) -> Outcome<Value> {
        let run = Run::start(
            self.graph.clone(),
            origin,
            input,
            self.options.clone(),
            Timestamp(self.now),
        );
        self.drive(run)
    }

    pub fn input(&mut self, text: &str) -> Outcome<Value> {
        self.run(Input::Value(json(text)))
    }

    pub fn resume(&mut self, text: &str) -> Outcome<Value> {
        let resume = Some(Resume::Bare(json(text)));
        self.run(Input::Command(InputCommand { resume, ..InputCommand::default() }))
    }

    pub fn resume_ids(&mut self, answers: Vec<(InterruptId, Value)>) -> Outcome<Value> {
        let resume = Some(Resume::ById(answers));
        self.run(Input::Command(InputCommand { resume, ..InputCommand::default() }))
    }

    pub fn snapshot(&self) -> Snapshot<Value> {
        Snapshot::latest(&self.graph, &self.saved())
    }

    pub fn saved(&self) -> Saved<Value> {
        self.memory.latest("").expect("the thread has a checkpoint")
    }

    /// The checkpoint that ends a step, the newest if there are several.
    pub fn at_step(&self, step: i64) -> Saved<Value> {
        let commit = self.memory.history("").rfind(|commit| commit.step == step);
        let id = commit.expect("the step has a checkpoint").id;
        self.memory.get("", id).expect("a commit is a checkpoint")
    }

    pub fn drive(&mut self, mut run: Run<Value>) -> Outcome<Value> {
        loop {
            let Some(effect) = run.poll_effect() else {
                let at = run.poll_timeout().expect("a run that waits for nothing is stuck");
                self.slept_ms.push((at.0 - self.now + 500) / 1000);
                self.now = at.0;
                run.handle(at, Happened::Timeout);
                continue;
            };
            self.now += 1;
            match effect {
                Effect::Call(call) => {
                    let name = call.what.to_string();
                    let attempt = call.task.attempt;
                    self.calls.push(if attempt > 1 { format!("{name}({attempt})") } else { name });
                    let function = self.functions.get(&*call.what);
                    let answer = function.unwrap_or_else(|| panic!("no `{}`", call.what))(&call);
                    run.handle(Timestamp(self.now), Happened::Returned { id: call.id, answer });
                }
                Effect::Commit(commit) => self.memory.commit(commit),
                Effect::SaveWrites(writes) => self.memory.save_writes(writes),
                Effect::Load(load) => {
                    let saved = self.load(&load);
                    run.handle(Timestamp(self.now), Happened::Loaded { id: load.id, saved });
                }
                Effect::CacheGet { id, .. } => {
                    run.handle(Timestamp(self.now), Happened::Cached { id, writes: None });
                }
                Effect::Emit(emit) => self.chunks.push((emit.namespace.to_string(), emit.chunk)),
                Effect::Notice(notice) => self.notices.push(notice.message),
                Effect::Finish(outcome) => {
                    assert!(run.poll_effect().is_none(), "an effect follows the last one");
                    return outcome;
                }
                Effect::Stop(_) | Effect::CachePut { .. } | Effect::Retry { .. } => {}
                Effect::Invoked { result: Invoked::Done(_), .. } | Effect::Invoked { .. } => {}
            }
        }
    }

    fn load(&self, load: &Load) -> Option<Saved<Value>> {
        self.memory.load(load)
    }
}

/// The state key of a finished or waiting run, as JSON.
#[track_caller]
pub fn key(outcome: &Outcome<Value>, key: &str) -> String {
    let values = match outcome {
        Outcome::Done { output } => output,
        Outcome::Interrupted { values, .. } => values,
        other => panic!("{other:?}"),
    };
    values.get(key).map_or_else(|| "absent".into(), Value::to_json)
}

#[track_caller]
pub fn failure(outcome: Outcome<Value>) -> Failure {
    match outcome {
        Outcome::Failed(failure) => failure,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
pub fn interrupts(outcome: &Outcome<Value>) -> Vec<weaver_engine::Interrupt<Value>> {
    match outcome {
        Outcome::Interrupted { interrupts, .. } => interrupts.clone(),
        other => panic!("{other:?}"),
    }
}
