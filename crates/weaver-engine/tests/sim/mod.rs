//! [`Sim`]: a host with one seed for everything that can go wrong.

mod plan;

use std::collections::VecDeque;

use weaver_core::{Timestamp, Value};
use weaver_engine::{
    Answer, Call, CheckpointState, Commit, Effect, Happened, Input, InputCommand, InterruptId,
    Memory, Origin, Outcome, Resume, Run, RunOptions,
};

pub use plan::Plan;

/// SplitMix64: small, and the same everywhere.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// What goes wrong, and when.
pub struct Trouble {
    random: Option<Random>,
    /// Whether answers are doubled, delayed, and the host crashes at random.
    rough: bool,
    /// Effects after which the host crashes, counted over the whole run.
    crash_at: Vec<usize>,
}

impl Trouble {
    pub fn none() -> Self {
        Trouble { random: None, rough: false, crash_at: Vec::new() }
    }

    pub fn shuffled(seed: u64) -> Self {
        Trouble { random: Some(Random(seed)), ..Trouble::none() }
    }

    pub fn random(seed: u64) -> Self {
        Trouble { random: Some(Random(seed ^ 0xabcd)), rough: true, ..Trouble::none() }
    }

    pub fn crashes(at: Vec<usize>) -> Self {
        Trouble { crash_at: at, ..Trouble::none() }
    }
}

/// What a run came to.
pub struct Report {
    /// The end: values or failure.
    pub end: String,
    /// Namespace-free state of each step of the root, as JSON.
    pub states: Vec<String>,
    /// All commits of the root, as bytes.
    pub commits: Vec<String>,
    pub crashes: usize,
    pub waits: usize,
    /// Effects that the host was given.
    pub effects: usize,
    memory: Memory<Value>,
}

impl Report {
    /// The end without the ids that messages were given.
    pub fn end_without_ids(&self) -> String {
        let mut parts = self.end.split(r#","id":""#);
        let head = parts.next().unwrap_or_default().to_owned();
        parts.fold(head, |text, part| text + part.split_once('"').map_or(part, |(_, rest)| rest))
    }

    /// Checkpoints from which a replay runs everything after them again.
    pub fn fork_points(&self) -> std::ops::Range<usize> {
        0..self.commits.len().saturating_sub(1)
    }
}

/// Something that became durable, or will.
enum Write {
    Commit(Commit<Value>),
    Pending(weaver_engine::SaveWrites<Value>),
}

/// A host.
pub struct Sim<'a> {
    plan: &'a Plan,
    trouble: Trouble,
    memory: Memory<Value>,
    /// Written, not durable yet: in the order that the engine gave.
    pipe: VecDeque<Write>,
    now: i64,
    effects: usize,
    crashes: usize,
    drains: usize,
    waits: usize,
    answered: Vec<(InterruptId, Value)>,
}

enum Ended {
    Outcome(Outcome<Value>),
    Crashed,
}

impl<'a> Sim<'a> {
    pub fn new(plan: &'a Plan, trouble: Trouble) -> Self {
        Sim {
            plan,
            trouble,
            memory: Memory::new(),
            pipe: VecDeque::new(),
            now: 1,
            effects: 0,
            crashes: 0,
            drains: 0,
            waits: 0,
            answered: Vec::new(),
        }
    }

    /// Runs to the end, answering every question, coming back after every crash.
    pub fn run(mut self) -> Report {
        let mut origin = Origin::default();
        let mut input = Input::Value(self.plan.input());
        loop {
            match self.drive(origin, input) {
                Ended::Outcome(Outcome::Interrupted { interrupts, .. }) => {
                    self.waits += 1;
                    assert!(self.waits < 200, "the run never ends");
                    for interrupt in interrupts {
                        let answer = Value::str(format!("answer to {}", interrupt.value));
                        self.answered.push((interrupt.id, answer));
                    }
                }
                Ended::Outcome(Outcome::Drained) => self.drains += 1,
                Ended::Outcome(outcome) => return self.report(&outcome),
                Ended::Crashed => self.crashes += 1,
            }
            let saved = self.memory.latest("");
            input = match &saved {
                None => Input::Value(self.plan.input()),
                Some(_) if self.answered.is_empty() => Input::Continue,
                // The host has accepted these; it gives them again after a crash.
                Some(_) => {
                    let resume = Some(Resume::ById(self.answered.clone()));
                    Input::Command(InputCommand { resume, ..InputCommand::default() })
                }
            };
            origin = Origin::latest(saved);
        }
    }

    /// Replays from a checkpoint of a finished run.
    pub fn replay(mut self, original: &Report, fork: usize) -> Report {
        self.memory = original.memory.clone();
        self.now = 1_000_000;
        let commit = self.memory.history("").nth(fork).expect("a fork point is a commit");
        let saved = self.memory.get("", commit.id).expect("a commit is a checkpoint");
        let mut ended = self.drive(Origin::chosen(saved, true), Input::Continue);
        while let Ended::Outcome(Outcome::Interrupted { interrupts, .. }) = ended {
            let answer = |i: &weaver_engine::Interrupt<Value>| {
                (i.id, Value::str(format!("answer to {}", i.value)))
            };
            let resume = Some(Resume::ById(interrupts.iter().map(answer).collect()));
            let input = Input::Command(InputCommand { resume, ..InputCommand::default() });
            ended = self.drive(Origin::latest(self.memory.latest("")), input);
        }
        match ended {
            Ended::Outcome(outcome) => self.report(&outcome),
            Ended::Crashed => unreachable!("a replay without trouble does not crash"),
        }
    }

    fn report(mut self, outcome: &Outcome<Value>) -> Report {
        self.flush(usize::MAX);
        let mut states = Vec::new();
        let mut state: Option<CheckpointState<Value>> = None;
        for commit in self.memory.history("") {
            let text = serde_json::to_string(commit).expect("a commit is JSON");
            assert_eq!(&serde_json::from_str::<Commit<Value>>(&text).expect("and back"), commit);
            match &mut state {
                Some(state) if commit.parent == Some(state.id) => state.apply(commit),
                _ => state = self.memory.get("", commit.id).map(|saved| saved.state),
            }
            let state = state.as_ref().expect("a commit is a checkpoint");
            let values = state.channels.iter().filter(|(name, _)| !name.contains(':'));
            let values: Vec<_> = values.map(|(name, channel)| (name, &channel.stored)).collect();
            states.push(format!("{} {:?} {values:?}", commit.step, commit.source));
        }
        let end = match outcome {
            Outcome::Done { output } => {
                // What was saved adds up to what is in memory.
                let saved = self.memory.latest("").expect("a finished run has a checkpoint").state;
                for (key, value) in output.as_map().expect("output is an object") {
                    let initial = matches!(value.to_json().as_str(), "[]" | "0" | "\"\"");
                    assert!(initial || saved.value(key) == Some(value), "{key}: {value}");
                }
                output.to_json()
            }
            other => format!("{other:?}"),
        };
        Report {
            end,
            states,
            commits: self
                .memory
                .history("")
                .map(|commit| serde_json::to_string(commit).expect("a commit is JSON"))
                .collect(),
            crashes: self.crashes,
            waits: self.waits,
            effects: self.effects,
            memory: self.memory,
        }
    }

    /// Makes the oldest writes durable.
    fn flush(&mut self, count: usize) {
        for _ in 0..count.min(self.pipe.len()) {
            match self.pipe.pop_front() {
                Some(Write::Commit(commit)) => self.memory.commit(commit),
                Some(Write::Pending(writes)) => self.memory.save_writes(writes),
                None => return,
            }
        }
    }

    fn crash(&mut self) -> Ended {
        self.effects += 1;
        if let Some(random) = &mut self.trouble.random {
            let durable = random.below(self.pipe.len() + 1);
            self.flush(durable);
        }
        self.pipe.clear();
        Ended::Crashed
    }

    fn drive(&mut self, origin: Origin<Value>, input: Input<Value>) -> Ended {
        let options =
            RunOptions { checkpoints: true, recursion_limit: 60, ..RunOptions::default() };
        let graph = self.plan.graph.clone();
        let mut run = Run::start(graph, origin, input, options, Timestamp(self.now));
        let mut calls: Vec<Call<Value>> = Vec::new();
        let mut late: Vec<(weaver_engine::CallId, Answer<Value>)> = Vec::new();
        loop {
            while let Some(effect) = run.poll_effect() {
                if self.trouble.crash_at.first() == Some(&self.effects) {
                    self.trouble.crash_at.remove(0);
                    return self.crash();
                }
                self.effects += 1;
                match effect {
                    Effect::Call(call) => calls.push(call),
                    Effect::Stop(id) => calls.retain(|call| call.id != id),
                    Effect::Commit(commit) => self.pipe.push_back(Write::Commit(commit)),
                    Effect::SaveWrites(writes) => self.pipe.push_back(Write::Pending(writes)),
                    Effect::Load(load) => {
                        self.flush(usize::MAX);
                        let saved = self.memory.load(&load);
                        run.handle(self.time(), Happened::Loaded { id: load.id, saved });
                    }
                    Effect::CacheGet { id, .. } => {
                        run.handle(self.time(), Happened::Cached { id, writes: None });
                    }
                    Effect::Finish(outcome) => {
                        assert!(run.poll_effect().is_none(), "an effect follows the last one");
                        // What is reported is durable first.
                        self.flush(usize::MAX);
                        return Ended::Outcome(outcome);
                    }
                    Effect::CachePut { .. }
                    | Effect::Invoked { .. }
                    | Effect::Retry { .. }
                    | Effect::Emit(_)
                    | Effect::Notice(_) => {}
                }
            }
            if self.trouble.rough && self.disturb(&mut run, &late) {
                return self.crash();
            }
            if calls.is_empty() {
                let at = run.poll_timeout().expect("a run that waits for nothing is stuck");
                self.now = self.now.max(at.0);
                run.handle(at, Happened::Timeout);
                continue;
            }
            let next = self.trouble.random.as_mut().map_or(0, |random| random.below(calls.len()));
            let call = calls.swap_remove(next);
            let answer = self.plan.answer(&call);
            if self.trouble.rough {
                late.push((call.id, answer.clone()));
            }
            run.handle(self.time(), Happened::Returned { id: call.id, answer });
        }
    }

    fn time(&self) -> Timestamp {
        Timestamp(self.now)
    }

    /// Sends an answer again, drains, makes some writes durable; true for a crash.
    fn disturb(
        &mut self,
        run: &mut Run<Value>,
        late: &[(weaver_engine::CallId, Answer<Value>)],
    ) -> bool {
        let now = self.time();
        let Some(random) = &mut self.trouble.random else { return false };
        if !late.is_empty() && random.chance(20) {
            let (id, answer) = late[random.below(late.len())].clone();
            run.handle(now, Happened::Returned { id, answer });
            assert!(run.poll_effect().is_none(), "a late answer had an effect");
        }
        if random.chance(5) {
            run.handle(now, Happened::Timeout);
        }
        if self.drains < 3 && random.chance(3) {
            run.drain();
        }
        let durable = random.below(4);
        let crash = self.crashes < 6 && random.chance(4);
        self.flush(durable);
        crash
    }
}
