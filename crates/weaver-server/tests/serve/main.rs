//! Server processes killed at random, alone on SQLite and two of them on PostgreSQL,
//! and servers whose store fails under them: every execution that was accepted ends,
//! and no effect whose result was on disk is made again. An HTTP server outside keeps
//! the books.

mod books;
mod cutter;
mod features;
mod house;
mod metrics;
mod outages;
mod place;
#[path = "../../../weaver-store/tests/support/postgres.rs"]
mod postgres;
mod streams;
mod travel;
mod workers;

use std::time::Duration;

use house::{FAMILY, House, ROUNDS, Random, Served};

const EXECUTIONS: usize = 12;
/// Kills while the executions of one house are under way.
const KILLS: usize = 12;

#[test]
fn one_server_on_sqlite_is_killed_and_all_that_was_accepted_ends() {
    let kills = soak("AGENTWEAVER_KILLS", KILLS, |random| {
        survive(&House::new(None), 1, random);
    });
    println!("count: {kills} kills of servers on SQLite");
}

#[test]
fn two_servers_on_postgresql_are_killed_and_all_that_was_accepted_ends() {
    let server = postgres::Server::start();
    let mut houses = 0;
    let kills = soak("AGENTWEAVER_KILLS", KILLS, |random| {
        houses += 1;
        server.psql("postgres", &format!("CREATE DATABASE house{houses}"));
        let url = server.url("postgres", &format!("house{houses}"));
        survive(&House::new(Some(url)), 2, random);
    });
    println!("count: {kills} kills of servers on PostgreSQL");
}

#[test]
fn servers_are_killed_and_each_child_is_started_once() {
    let kills = soak("AGENTWEAVER_KILLS", KILLS, |random| {
        let house = House::of(FAMILY, None);
        survive(&house, 1, random);
        let output = house.command(&["ps", "--limit", "1000", "--json"]).output().unwrap();
        let page: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(page["items"].as_array().unwrap().len(), EXECUTIONS * (1 + ROUNDS));
    });
    println!("{kills} kills while executions start others");
}

/// Has as many houses as it takes to come to a number of blows: `each` of one house,
/// or in a soak what the variable says. Gives their number.
fn soak(variable: &str, each: usize, mut house: impl FnMut(&mut Random)) -> usize {
    let wanted = std::env::var(variable).ok().and_then(|n| n.parse().ok()).unwrap_or(each);
    let mut random = Random(0x5eed_1234_abcd);
    let mut done = 0;
    while done < wanted {
        house(&mut random);
        done += each;
    }
    done
}

fn survive(house: &House, servers: usize, random: &mut Random) {
    let mut running: Vec<Served> = (0..servers).map(|_| house.serve()).collect();
    let ids: Vec<String> = (0..EXECUTIONS).map(|name| house.submit(name)).collect();
    for _ in 0..KILLS {
        house.books.wait(random.below(6), Duration::from_millis(random.below(400) as u64));
        let victim = random.below(running.len());
        drop(running.remove(victim));
        running.push(house.serve());
    }
    house.check(&ids);
}
