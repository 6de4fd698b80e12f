//! What servers stand on fails under them: PostgreSQL is restarted, loses sessions,
//! is full, takes no writes, never says what became of a commit; the disk is full;
//! the clocks of two hosts are hours apart.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::channel;
use std::time::Duration;

use crate::cutter::Cutter;
use crate::house::{House, Random};
use crate::postgres::Server;
use crate::{EXECUTIONS, soak};

/// Blows while the executions of one house are under way. More in a soak:
/// `AGENTWEAVER_OUTAGES=1000`.
const BLOWS: usize = 5;
const VARIABLE: &str = "AGENTWEAVER_OUTAGES";

/// A PostgreSQL server with databases for houses.
struct Ground {
    server: Server,
    databases: usize,
}

impl Ground {
    fn new() -> Self {
        Ground { server: Server::start(), databases: 0 }
    }

    fn database(&mut self) -> String {
        self.databases += 1;
        let name = format!("house{}", self.databases);
        self.server.psql("postgres", &format!("CREATE DATABASE {name}"));
        name
    }

    fn house(&mut self) -> (House, String) {
        let name = self.database();
        (House::new(Some(self.server.url("postgres", &name))), name)
    }
}

/// Lets a house work while blow after blow falls; executions are submitted meanwhile.
///
/// `servers` are to be at work before the first.
fn weather(house: &House, servers: usize, random: &mut Random, mut blow: impl FnMut(&mut Random)) {
    house.wait_for(servers);
    let ids = std::thread::scope(|scope| {
        let submitting =
            scope.spawn(|| (0..EXECUTIONS).map(|name| house.submit(name)).collect::<Vec<_>>());
        for _ in 0..BLOWS {
            house.books.wait(random.below(6), Duration::from_millis(random.below(200) as u64));
            blow(random);
        }
        submitting.join().unwrap()
    });
    house.check(&ids);
}

#[test]
fn postgresql_is_restarted() {
    let mut ground = Ground::new();
    let restarts = soak(VARIABLE, BLOWS, |random| {
        let (house, _) = ground.house();
        let _server = house.serve();
        weather(&house, 1, random, |_| {
            ground.server.stop();
            ground.server.start_again();
        });
    });
    println!("count: {restarts} crashes of PostgreSQL");
}

#[test]
fn a_database_that_is_away_when_a_server_starts_is_waited_for() {
    let mut ground = Ground::new();
    let (house, _) = ground.house();
    ground.server.stop();
    let _server = house.serve();
    let address = house.waits_at();
    let status = |path: &str| ask(&address, path).0;
    assert_eq!(status("/api/v1/health/live"), 200);
    let (not_ready, why) = ask(&address, "/api/v1/health/ready");
    assert!(not_ready == 503 && why.contains("starting") && why.contains("cannot reach"), "{why}");
    let (refused, why) = ask(&address, "/api/v1/executions");
    assert!(refused == 503 && why.contains("store_unreachable"), "{why}");
    assert!(why.contains("retry-after: 1\r\n"), "{why}");
    ground.server.start_again();
    house.wait_for(1);
    assert_eq!(status("/api/v1/health/ready"), 200);
    house.check(&[house.submit(0)]);
}

/// The status and the body of an answer.
fn ask(address: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_default(), answer)
}

#[test]
fn sessions_of_postgresql_are_ended() {
    let mut ground = Ground::new();
    let mut ended = 0;
    soak(VARIABLE, BLOWS, |random| {
        let (house, database) = ground.house();
        let _servers = [house.serve(), house.serve()];
        weather(&house, 2, random, |_| {
            let sessions = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                WHERE pid <> pg_backend_pid() AND datname = current_database()";
            ended += ground.server.psql(&database, sessions).parse::<usize>().unwrap();
        });
    });
    println!("count: {ended} sessions of PostgreSQL ended");
}

#[test]
fn nobody_hears_what_became_of_commits() {
    let mut ground = Ground::new();
    let mut cuts = 0;
    soak(VARIABLE, BLOWS, |random| {
        let cutter = Cutter::before(ground.server.dir());
        let house = House::new(Some(cutter.url("postgres", &ground.database())));
        let _server = house.serve();
        weather(&house, 1, random, |_| cutter.cut_next());
        cuts += cutter.cuts();
    });
    assert!(cuts > 0);
    println!("count: {cuts} commits cut");
}

/// Every table refuses rows, in the server's words, while `disk` says that it is full.
const FULL_DISK: &str = "
    CREATE TABLE public.disk (is_full boolean);
    INSERT INTO public.disk VALUES (false);
    GRANT SELECT ON public.disk TO PUBLIC;
    CREATE FUNCTION public.full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF (SELECT is_full FROM public.disk) THEN
            RAISE 'could not extend file: No space left on device' USING ERRCODE = 'disk_full';
        END IF;
        RETURN NULL;
    END $$;
    DO $$ DECLARE t record; BEGIN
        FOR t IN SELECT oid::regclass AS name FROM pg_class
            WHERE relnamespace = 'agentweaver'::regnamespace AND relkind IN ('r', 'p')
                AND NOT relispartition
        LOOP
            EXECUTE format('CREATE TRIGGER full_disk BEFORE INSERT ON %s
                EXECUTE FUNCTION public.full_disk()', t.name);
        END LOOP;
    END $$";

#[test]
fn postgresql_is_full_for_a_while() {
    let mut ground = Ground::new();
    let outages = soak(VARIABLE, BLOWS, |random| {
        let (house, database) = ground.house();
        // The tables are there once something was accepted.
        house.submit(0);
        ground.server.psql(&database, FULL_DISK);
        let _server = house.serve();
        let fill = |is_full| {
            ground.server.psql(&database, &format!("UPDATE public.disk SET is_full = {is_full}"))
        };
        weather(&house, 1, random, |random| {
            fill(true);
            pause(200 + random.below(300));
            fill(false);
        });
    });
    println!("count: {outages} times PostgreSQL was full");
}

#[test]
fn postgresql_takes_no_writes_for_a_while() {
    let mut ground = Ground::new();
    let outages = soak(VARIABLE, BLOWS, |random| {
        let (house, database) = ground.house();
        let _server = house.serve();
        let read_only = |word: &str| {
            let setting =
                format!("ALTER DATABASE {database} SET default_transaction_read_only = {word}");
            let sessions = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE pid <> pg_backend_pid() AND datname = ";
            ground.server.psql("postgres", &setting);
            ground.server.psql("postgres", &format!("{sessions}'{database}'"));
        };
        weather(&house, 1, random, |random| {
            read_only("on");
            pause(200 + random.below(300));
            read_only("off");
        });
    });
    println!("count: {outages} times PostgreSQL took no writes");
}

/// On a file system of its own, which is filled to its last byte.
#[test]
fn the_disk_is_full_for_a_while() {
    if !has_own_mounts("outages::the_disk_is_full_for_a_while") {
        return;
    }
    let outages = soak(VARIABLE, BLOWS, |random| {
        let house = House::new(None);
        let data = house.dir.path().join("data");
        fs::create_dir(&data).unwrap();
        run(Command::new("mount").args(["-t", "tmpfs", "-o", "size=48m", "small"]).arg(&data));
        {
            let _server = house.serve();
            let ballast = data.join("ballast");
            weather(&house, 1, random, |random| {
                fill(&ballast);
                pause(300 + random.below(300));
                fs::remove_file(&ballast).unwrap();
            });
        }
        run(Command::new("umount").arg(&data));
    });
    println!("count: {outages} times the disk was full");
}

/// Writes until nothing more fits.
fn fill(ballast: &Path) {
    let mut file = fs::File::create(ballast).unwrap();
    for size in [1 << 20, 4096, 1] {
        while file.write(&vec![0; size]).is_ok_and(|written| written == size) {}
    }
}

/// Whether this process may mount what no other sees. Where not, starts the test
/// again in one that may, and sees that it passes.
fn has_own_mounts(test: &str) -> bool {
    const INSIDE: &str = "AGENTWEAVER_TEST_OWN_MOUNTS";
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let mut inside = Command::new("unshare");
    inside.args(["--user", "--map-root-user", "--mount"]).arg(std::env::current_exe().unwrap());
    let said = run(inside.args(["--exact", test, "--nocapture"]).env(INSIDE, "1"));
    said.lines().filter(|line| line.starts_with("count: ")).for_each(|line| println!("{line}"));
    false
}

/// Runs a command, which must succeed; what it says is of interest only if it does not.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{command:?}: {said}");
    said
}

fn pause(millis: usize) {
    let (_never, timer) = channel::<()>();
    let _ = timer.recv_timeout(Duration::from_millis(millis as u64));
}

/// Two hosts whose clocks differ by hours and jump.
#[test]
fn clocks_differ_and_jump() {
    let mut ground = Ground::new();
    let library = faketime();
    let jumps = soak(VARIABLE, BLOWS, |random| {
        let (house, _) = ground.house();
        let clocks = ["ahead", "behind"].map(|name| house.dir.path().join(name));
        let set = |clock: &Path, hours: i64| {
            // Written beside and moved: it is read at any moment.
            let beside = clock.with_extension("new");
            fs::write(&beside, format!("{hours:+}h\n")).unwrap();
            fs::rename(&beside, clock).unwrap();
        };
        let _servers = [(&clocks[0], 3), (&clocks[1], -3)].map(|(clock, hours)| {
            set(clock, hours);
            house.serve_with(|command| {
                command.env("LD_PRELOAD", &library).env("FAKETIME_TIMESTAMP_FILE", clock);
                command.env("FAKETIME_NO_CACHE", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
                command.env("DONT_FAKE_MONOTONIC", "1");
            })
        });
        weather(&house, 2, random, |random| {
            set(&clocks[random.below(2)], random.below(96) as i64 - 48);
        });
    });
    println!("count: {jumps} jumps of clocks");
}

/// The library that tells a program another time.
fn faketime() -> PathBuf {
    let libraries = fs::read_dir("/usr/lib").unwrap().flatten();
    let places = libraries.map(|entry| entry.path().join("faketime/libfaketimeMT.so.1"));
    places
        .into_iter()
        .find(|path| path.exists())
        .expect("libfaketime is installed: run ci/setup.sh")
}
