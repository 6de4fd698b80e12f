//! Random graphs under random schedules: completions in any order, answers
//! doubled and late, drains, crashes that lose what was not yet durable. Whatever
//! happens, the run must end as the one without trouble does.
//!
//! One seed decides everything; a failure prints it. `SIM_SEED=n` runs only that
//! one, `SIM_SEEDS=n` runs n of them.

mod sim;
mod support;

use sim::{Plan, Sim, Trouble};

fn seeds() -> std::ops::Range<u64> {
    let read = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    match (read("SIM_SEED"), read("SIM_SEEDS")) {
        (Some(seed), _) => seed..seed + 1,
        (None, count) => 0..count.unwrap_or(10_000),
    }
}

#[test]
fn trouble_changes_nothing() {
    let mut crashes = 0;
    let mut waits = 0;
    for seed in seeds() {
        let check = std::panic::catch_unwind(|| {
            let plan = Plan::random(seed);
            let calm = Sim::new(&plan, Trouble::none()).run();
            let rough = Sim::new(&plan, Trouble::random(seed)).run();
            assert_eq!(rough.end, calm.end, "the end differs");
            assert_eq!(rough.states, calm.states, "a checkpoint differs");
            (rough.crashes, calm.waits)
        });
        match check {
            Ok((crash, wait)) => (crashes, waits) = (crashes + crash, waits + wait),
            Err(cause) => {
                eprintln!("seed {seed} failed; run it alone with SIM_SEED={seed}");
                std::panic::resume_unwind(cause);
            }
        }
    }
    println!("count: {} simulated schedules of the engine", seeds().count());
    // The harness must be rough enough to mean something.
    let count = seeds().count();
    assert!(
        count < 1000 || (crashes > count / 2 && waits > count / 4),
        "{crashes} crashes, {waits} waits"
    );
}

#[test]
fn arrival_order_does_not_change_a_byte() {
    for seed in 0..500 {
        let plan = Plan::random(seed).without_failures();
        let ordered = Sim::new(&plan, Trouble::none()).run();
        for order in 1..4 {
            let shuffled = Sim::new(&plan, Trouble::shuffled(order)).run();
            assert_eq!(shuffled.commits, ordered.commits, "seed {seed}, order {order}");
        }
    }
}

/// Every pair of crash points of small graphs.
#[test]
fn two_crashes_anywhere_change_nothing() {
    let small = (0..).map(Plan::small).zip(0..).map(|(plan, seed)| {
        let calm = Sim::new(&plan, Trouble::none()).run();
        (seed, plan, calm)
    });
    for (seed, plan, calm) in small.filter(|(_, _, calm)| calm.effects < 40).take(20) {
        for first in 0..calm.effects {
            for second in 0..calm.effects {
                let rough = Sim::new(&plan, Trouble::crashes(vec![first, second])).run();
                assert_eq!(rough.end, calm.end, "seed {seed}, crashes at {first} and {second}");
                assert_eq!(
                    rough.states, calm.states,
                    "seed {seed}, crashes at {first} and {second}"
                );
            }
        }
    }
}

/// A replay from any checkpoint ends as the original did.
#[test]
fn a_fork_replays_to_the_same_end() {
    for seed in 0..300 {
        let plan = Plan::random(seed).without_failures();
        let original = Sim::new(&plan, Trouble::none()).run();
        for fork in original.fork_points() {
            let replayed = Sim::new(&plan, Trouble::none()).replay(&original, fork);
            // Message ids hold the step, and a fork is a step of its own.
            let (replayed, original) = (replayed.end_without_ids(), original.end_without_ids());
            assert_eq!(replayed, original, "seed {seed}, fork {fork}");
        }
    }
}
