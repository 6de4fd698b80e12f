//! [`Schedule`]: what happens in which order, all of it from one seed.

use std::time::Duration;

use weaver_core::Timestamp;
use weaver_store::{Clock, Faults, Scope, SharedMemory, Store, TenantId};

use crate::client::{Accepted, Client, Tended};
use crate::expected;
use crate::process::{LEASE, Process};
use crate::world::{SHAPES, World};

/// What was seen, to know that the schedules are rough enough.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub executions: u64,
    pub crashes: u64,
    pub stops: u64,
    pub drains: u64,
    /// Claims beyond the first of an execution.
    pub takeovers: u64,
    pub cancelled: u64,
    /// Executions that wait because a call's outcome is unknown.
    pub attention: u64,
    /// Questions that time answered.
    pub expired: u64,
    pub fired: u64,
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (count, what) in [
            (self.executions, "simulated executions"),
            (self.crashes, "simulated crashes"),
            (self.stops, "simulated stops"),
            (self.takeovers, "simulated claims beyond the first"),
            (self.fired, "simulated effects"),
        ] {
            writeln!(f, "count: {count} {what}")?;
        }
        Ok(())
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, more: Self) {
        self.executions += more.executions;
        self.crashes += more.crashes;
        self.stops += more.stops;
        self.drains += more.drains;
        self.takeovers += more.takeovers;
        self.cancelled += more.cancelled;
        self.attention += more.attention;
        self.expired += more.expired;
        self.fired += more.fired;
    }
}

/// How long trouble goes on, in things that happen.
const EVENTS: usize = 120;
/// How often the rest may be tended before it counts as stuck.
const PATIENCE: usize = 400;

pub struct Schedule {
    random: Random,
    memory: SharedMemory,
    clock: Clock,
    world: World,
    client: Client,
    processes: Vec<Process>,
    accepted: Vec<Accepted>,
    wanted: usize,
    /// Thousandths of the calls to the store that fail.
    faults: u32,
    started: u64,
    limit: Option<u32>,
    counts: Counts,
}

impl Schedule {
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let clock = Clock::stopped_at(Timestamp(1_800_000_000_000_000));
        let memory = SharedMemory::new(clock.clone());
        let faults = [0, 5, 30, 80][random.below(4)];
        let wrapped = faulty(&memory, &mut random, faults);
        let client = Client::new(wrapped, memory.open());
        let limit = random.one_in(3).then_some(1);
        let (wanted, count) = (1 + random.below(3), 1 + random.below(3));
        let mut schedule = Schedule {
            random,
            memory,
            clock,
            world: World::default(),
            client,
            processes: Vec::new(),
            accepted: Vec::new(),
            wanted,
            faults,
            started: 0,
            limit,
            counts: Counts::default(),
        };
        if limit.is_some() {
            let set =
                schedule.client.store.queue().set_limit(TenantId::LOCAL, Scope::Tenant, limit);
            schedule.client.get(set).expect("a sound store");
        }
        for _ in 0..count {
            let process = schedule.process(faults);
            schedule.processes.push(process);
        }
        schedule
    }

    pub fn run(mut self) -> Counts {
        for _ in 0..EVENTS {
            self.happen();
            self.look();
        }
        self.calm_down();
        self.check();
        self.counts
    }

    /// A new process, with faults of its own.
    fn process(&mut self, faults: u32) -> Process {
        self.started += 1;
        let store = faulty(&self.memory, &mut self.random, faults);
        let slots = 1 + self.random.below(4);
        Process::start(&format!("p{}", self.started), store, &self.world, slots)
    }

    fn happen(&mut self) {
        let one = self.random.below(self.processes.len());
        match self.random.below(100) {
            0..=49 => {
                let polls = 1 + self.random.below(30);
                self.processes[one].work(polls);
            }
            50..=69 => {
                let span = Duration::from_millis(self.random.below(60) as u64);
                self.pass(span);
            }
            70..=75 => {
                let (strides, seconds) = (1 + self.random.below(6), 1 + self.random.below(9));
                (0..strides).for_each(|_| self.stride(seconds as u64));
            }
            76..=81 => {
                self.counts.crashes += 1;
                self.processes[one] = self.process(self.faults);
            }
            82..=84 => {
                self.counts.stops += 1;
                self.processes[one].stop();
            }
            85..=88 => self.processes[one].go_on(),
            89 => {
                self.counts.drains += 1;
                self.processes[one].drain();
                (0..3).for_each(|_| self.stride(1));
                self.processes[one] = self.process(self.faults);
            }
            _ => self.ask(),
        }
    }

    /// Something that a client wants.
    fn ask(&mut self) {
        let number = self.accepted.len();
        if number < self.wanted {
            let shape = SHAPES[self.random.below(3)];
            let over = self.random.one_in(2).then(|| self.random.below(self.processes.len()));
            let over = over.map(|one| &self.processes[one]);
            self.accepted.push(self.client.submit(number, shape, None, over));
            self.counts.executions += 1;
            return;
        }
        let which = self.random.below(number);
        let accepted = &mut self.accepted[which];
        match self.random.below(12) {
            0 => self.client.cancel(accepted),
            1 | 2 => self.client.pause(accepted.id, true),
            3..=5 => self.client.pause(accepted.id, false),
            _ => {
                let words = format!("answer {which}");
                self.client.answer(accepted, &words);
            }
        }
    }

    fn pass(&mut self, span: Duration) {
        self.clock.advance(span);
        self.processes.iter_mut().for_each(|process| process.pass(span));
    }

    /// Some seconds, and then everybody works who can.
    fn stride(&mut self, seconds: u64) {
        self.pass(Duration::from_secs(seconds));
        for process in &self.processes {
            process.work(12);
        }
    }

    /// What must be true at every moment.
    fn look(&mut self) {
        let limits = self.client.get(self.client.store.queue().limits(TenantId::LOCAL));
        for limit in limits.expect("a sound store") {
            assert!(limit.used <= limit.limit, "{limit:?}");
        }
        let now = self.client.get(self.client.store.queue().now()).expect("a sound store");
        for accepted in self.accepted.iter_mut().filter(|accepted| accepted.asked.is_none()) {
            let thread = self.client.view(accepted.id).execution.thread;
            let rows = self.client.get(self.client.store.interrupts(thread, false));
            if !rows.expect("a sound store").is_empty() {
                accepted.asked = Some(now);
            }
        }
    }

    /// Trouble ends: what was accepted comes to its end, or waits for a person.
    fn calm_down(&mut self) {
        while self.accepted.len() < self.wanted {
            self.ask();
        }
        // Who was stopped comes back, when others may have its work.
        self.processes.iter_mut().for_each(Process::go_on);
        self.stride(1);
        self.processes.clear();
        let process = self.process(0);
        self.processes.push(process);
        self.clock.advance(LEASE);
        for _ in 0..PATIENCE {
            for _ in 0..3 {
                self.processes[0].work(12);
                self.stride(1);
            }
            let tended = self.accepted.iter_mut().map(|accepted| self.client.tend(accepted));
            if tended.fold(true, |all, one| all & !matches!(one, Tended::Open)) {
                return;
            }
        }
        let views = self.accepted.iter().map(|accepted| self.client.view(accepted.id));
        panic!("it does not come to an end: {:#?}", views.collect::<Vec<_>>());
    }

    fn check(&mut self) {
        for accepted in &self.accepted {
            expected::check(&self.client, accepted, &mut self.counts);
        }
        let store = &self.client.store;
        let verified = self.client.get(store.verify()).expect("a sound store");
        assert_eq!(verified.problems, []);
        let listed = self.client.get(store.executions(Default::default())).expect("as above");
        assert_eq!(listed.len(), self.accepted.len(), "as many as were accepted");
        for limit in self.client.get(store.queue().limits(TenantId::LOCAL)).expect("as above") {
            assert_eq!((Some(limit.limit), limit.used), (self.limit, 0), "slots are given back");
        }
        let at_most_once = |what: &u32| *what == 1;
        self.world.book(|book| {
            assert_eq!(book.twice, [""; 0], "made again after their result was seen");
            assert_eq!(book.confused, [""; 0], "a key is for one call");
            if self.accepted.iter().all(|one| one.shape == crate::world::Shape::AtMostOnce) {
                assert!(book.fired.values().all(at_most_once), "{:?}", book.fired);
            }
            self.counts.fired += book.fired.values().map(|count| u64::from(*count)).sum::<u64>();
        });
    }
}

fn faulty(memory: &SharedMemory, random: &mut Random, per_mille: u32) -> Store {
    let seed = random.next();
    if per_mille == 0 {
        return memory.open();
    }
    let faults = Faults {
        seed,
        refuse_per_mille: per_mille,
        unknown_per_mille: per_mille,
        delay_per_mille: 200,
        read_per_mille: per_mille / 3,
    };
    faults.wrap(memory.open())
}

/// A small generator.
pub struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        // A generator that starts at 0 stays there.
        Random((seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: usize) -> usize {
        ((self.next() >> 20) % n as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}
