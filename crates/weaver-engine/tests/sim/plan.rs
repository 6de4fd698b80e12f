//! [`Plan`]: a random graph with nodes that are pure functions of what they see.

use weaver_core::{Failure, Value};
use weaver_engine::*;

use super::Random;

/// What a node does.
#[derive(Clone, Debug, Default)]
struct Habit {
    /// Fails this often before it succeeds.
    failures: u32,
    /// Questions that it asks.
    questions: usize,
    /// Goes there by command, while the state is small.
    goto: Option<String>,
    /// Sends this many tasks to `worker`.
    sends: usize,
    /// Leaves to the parent graph.
    leaves: bool,
}

/// A graph with its nodes' habits.
#[derive(Clone)]
pub struct Plan {
    pub graph: Graph<Value>,
    habits: std::collections::HashMap<String, Habit>,
    calm: bool,
}

impl Plan {
    /// Up to seven nodes, subgraphs of up to three.
    pub fn random(seed: u64) -> Self {
        Plan::make(seed, 7)
    }

    /// Up to three nodes.
    pub fn small(seed: u64) -> Self {
        Plan::make(seed, 3)
    }

    fn make(seed: u64, size: usize) -> Self {
        let mut random = Random(seed.wrapping_mul(7919) + 3);
        let mut habits = std::collections::HashMap::new();
        let graph = build(&mut random, size, "", 0, &mut habits);
        Plan { graph, habits, calm: false }
    }

    pub fn without_failures(mut self) -> Self {
        self.calm = true;
        self
    }

    pub fn input(&self) -> Value {
        Value::map([("log", Value::list([Value::str("in")])), ("n", Value::Int(1))])
    }

    /// What the call's function does: the same for the same call.
    pub fn answer(&self, call: &Call<Value>) -> Answer<Value> {
        match call.kind {
            CallKind::Branch => self.route(call),
            CallKind::Reduce => {
                let CallInput::Fold { left, writes, .. } = &call.input else {
                    panic!("a reducer is given a fold")
                };
                let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
                let all: Vec<_> = left.iter().chain(writes).map(text).collect();
                Answer::Value(Value::str(all.join("+")))
            }
            _ => self.node(call),
        }
    }

    fn route(&self, call: &Call<Value>) -> Answer<Value> {
        let n = call.input.to_value().get("n").and_then(Value::as_int).unwrap_or(0);
        // A branch is named `source>target<limit`: go there while the count is small.
        let (target, limit) = call.what.rsplit_once('<').expect("branches are named so");
        let target = target.rsplit('>').next().unwrap_or("__end__");
        let more = n < limit.parse().unwrap_or(0);
        Answer::Routes(vec![Route::Key(Value::str(if more { target } else { "__end__" }))])
    }

    fn node(&self, call: &Call<Value>) -> Answer<Value> {
        let habit = self.habits.get(&*call.what).cloned().unwrap_or_default();
        if !self.calm && call.task.attempt <= habit.failures {
            return Answer::Failed(Failure::exception("ConnectionError", "lost"));
        }
        let Some(answers) = call.answers.get(..habit.questions) else {
            let question = format!("{} {}", call.what, call.answers.len());
            return Answer::Interrupted(vec![Value::str(question)]);
        };
        let input = call.input.to_value();
        let n = input.get("n").or(Some(&input)).and_then(Value::as_int).unwrap_or(0);
        let mut log = vec![Value::str(format!("{} saw {n}", call.what))];
        log.extend(answers.iter().cloned());
        let mut update = vec![
            ("log".into(), Value::List(log.into())),
            // Counts the steps: each node adds one to what it saw.
            ("n".into(), Value::Int(n + 1)),
            ("words".into(), Value::str(&*call.what)),
        ];
        if call.what.ends_with('1') {
            let message = Value::map([("role", "ai".into()), ("content", Value::str(&*call.what))]);
            update.push(("messages".into(), message));
        }
        let mut goto = Vec::new();
        if let Some(target) = habit.goto.filter(|_| n < 6) {
            goto.push(Goto::Node(target.into()));
        }
        for number in 0..habit.sends {
            let arg = Value::Int(number as i64);
            goto.push(Goto::Send(SendTo { node: "worker".into(), arg, timeout: None }));
        }
        let command = Command { update, goto };
        if habit.leaves {
            return Answer::Parent(command);
        }
        Answer::Node(NodeOutput::Command(command))
    }
}

fn build(
    random: &mut Random,
    size: usize,
    prefix: &str,
    depth: usize,
    habits: &mut std::collections::HashMap<String, Habit>,
) -> Graph<Value> {
    let mut graph = GraphBuilder::new();
    channels(&mut graph);
    let count = 1 + random.below(size);
    let names: Vec<String> = (0..count).map(|number| format!("{prefix}n{number}")).collect();
    for (number, name) in names.iter().enumerate() {
        if depth < 2 && random.chance(15) {
            let below = build(random, 3, &format!("{name}."), depth + 1, habits);
            let kinds = [Persistence::Inherit, Persistence::Inherit, Persistence::Own];
            let kind = NodeKind::Subgraph(below, kinds[random.below(3)]);
            let retry = vec![RetryPolicy::default()];
            graph.node(NodeSpec { retry, ..NodeSpec::new(&**name, kind) });
        } else {
            let habit = habit(random, &names, number, depth);
            let retry = vec![RetryPolicy { jitter: random.chance(50), ..RetryPolicy::default() }];
            let defer = random.chance(8);
            let handler = habit.failures == 99 && random.chance(70);
            let error_handler = handler.then(|| format!("{name} handler").into());
            graph.node(NodeSpec { retry, defer, error_handler, ..NodeSpec::function(&**name) });
            habits.insert(name.clone(), habit);
        }
    }
    graph.node(NodeSpec::function("worker"));
    if random.chance(10) {
        let stops = vec![names[random.below(names.len())].as_str().into()];
        if random.chance(50) {
            graph.interrupt_before(Targets::Names(stops));
        } else {
            graph.interrupt_after(Targets::Names(stops));
        }
    }
    wire(random, &mut graph, &names);
    graph.compile().unwrap_or_else(|errors| panic!("{errors:?}"))
}

fn channels(graph: &mut GraphBuilder<Value>) {
    let reduced = |reducer, initial| ChannelKind::Reduced { reducer, initial: Some(initial) };
    graph.channel("log", reduced(Reducer::Operator(Operator::Add), Value::list([])));
    graph.channel("n", reduced(Reducer::Operator(Operator::Max), Value::Int(0)));
    graph.channel("words", reduced(Reducer::External("join".into()), Value::str("")));
    graph.channel("messages", reduced(Reducer::AddMessages, Value::list([])));
}

fn habit(random: &mut Random, names: &[String], number: usize, depth: usize) -> Habit {
    Habit {
        failures: match random.below(100) {
            0..15 => 1 + random.below(2) as u32,
            // More often than any policy tries.
            15..20 => 99,
            _ => 0,
        },
        questions: if random.chance(12) { 1 + random.below(2) } else { 0 },
        goto: random.chance(12).then(|| names[(number + 1) % names.len()].clone()),
        sends: if random.chance(12) { 1 + random.below(3) } else { 0 },
        leaves: depth > 0 && random.chance(4),
    }
}

/// Everything can be reached; edges go forward, loops count.
fn wire(random: &mut Random, graph: &mut GraphBuilder<Value>, names: &[String]) {
    for (number, name) in names.iter().enumerate() {
        if number == 0 || random.chance(25) {
            graph.edge("__start__", &**name);
        } else if number >= 2 && random.chance(25) {
            graph.join([&*names[number - 1], &*names[number - 2]], &**name);
        } else {
            graph.edge(&*names[random.below(number)], &**name);
        }
        if random.chance(12) {
            let target = &names[random.below(names.len())];
            let limit = 2 + random.below(6);
            graph.branch(&**name, BranchSpec::function(format!("{name}>{target}<{limit}")));
        }
    }
}
