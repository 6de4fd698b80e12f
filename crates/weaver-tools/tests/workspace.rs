//! Files and databases stay inside their directory, and do what they are for.

use std::os::unix::fs::symlink;
use std::time::Duration;

use proptest::prelude::*;
use tempfile::TempDir;
use weaver_core::Value;
use weaver_tools::{
    DatabaseOptions, DatabaseQuery, DatabaseRows, Databases, FileOptions, ToolError, Workspace,
};

/// A workspace beside a file that must stay secret and whole.
struct Jail {
    folder: TempDir,
    files: Workspace,
}

const SECRET: &str = "the secret";

impl Jail {
    fn new(options: FileOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("jail/sub")).unwrap();
        std::fs::create_dir(folder.path().join("outside")).unwrap();
        std::fs::write(folder.path().join("outside/secret.txt"), SECRET).unwrap();
        let files = Workspace::open(folder.path().join("jail"), options).unwrap();
        Jail { folder, files }
    }

    fn inside(&self, path: &str) -> std::path::PathBuf {
        self.folder.path().join("jail").join(path)
    }

    fn outside_is_untouched(&self) {
        let outside = self.folder.path().join("outside");
        assert_eq!(std::fs::read_to_string(outside.join("secret.txt")).unwrap(), SECRET);
        assert_eq!(std::fs::read_dir(outside).unwrap().count(), 1);
        assert_eq!(std::fs::read_dir(self.folder.path()).unwrap().count(), 2);
    }
}

fn jail() -> Jail {
    Jail::new(FileOptions::default())
}

#[test]
fn files_are_written_read_listed_and_deleted() {
    let jail = jail();
    let files = &jail.files;
    files.write("a/b/note.md", "one\n").unwrap();
    files.append("a/b/note.md", "two\n").unwrap();
    files.append("./a//new.txt", "x").unwrap();
    assert_eq!(files.read("a/b/note.md").unwrap(), "one\ntwo\n");
    files.write("a/b/note.md", "three").unwrap();
    assert_eq!(files.read("a/b/note.md").unwrap(), "three");
    let names = |path: &str| -> Vec<String> {
        files.list(path).unwrap().entries.into_iter().map(|entry| entry.name).collect()
    };
    assert_eq!(names("."), ["a/", "sub/"]);
    assert_eq!(names(""), ["a/", "sub/"]);
    assert_eq!(names("a"), ["b/", "new.txt"], "and no temporary file stays");
    assert!(files.delete("a").unwrap_err().to_string().contains("not empty"));
    files.delete("a/new.txt").unwrap();
    files.delete("sub").unwrap();
    assert_eq!(names("."), ["a/"]);
    assert_eq!(files.read("nowhere").unwrap_err().code(), "tool_not_found");
}

#[test]
fn paths_that_lead_out_are_refused() {
    let jail = jail();
    for path in [
        "../outside/secret.txt",
        "sub/../../outside/secret.txt",
        "sub/..",
        "..",
        "/etc/passwd",
        "//etc/passwd",
        "~/x",
        "..\\outside\\secret.txt",
        "sub\\..\\x",
        "a\0b",
        "a\nb",
        &"x/".repeat(40),
        &"x".repeat(2000),
    ] {
        let refused = |outcome: Result<(), ToolError>, what: &str| {
            assert_eq!(outcome.unwrap_err().code(), "tool_refused", "{what} {path:?}");
        };
        refused(jail.files.read(path).map(drop), "read");
        refused(jail.files.write(path, "x"), "write");
        refused(jail.files.append(path, "x"), "append");
        refused(jail.files.list(path).map(drop), "list");
        refused(jail.files.delete(path), "delete");
    }
    for path in ["", ".", "./"] {
        assert_eq!(jail.files.write(path, "x").unwrap_err().code(), "tool_refused");
        assert_eq!(jail.files.delete(path).unwrap_err().code(), "tool_refused");
    }
    jail.outside_is_untouched();
}

#[test]
fn links_are_never_followed() {
    let jail = jail();
    let outside = jail.folder.path().join("outside");
    symlink(outside.join("secret.txt"), jail.inside("file")).unwrap();
    symlink(&outside, jail.inside("folder")).unwrap();
    symlink("/", jail.inside("sub/root")).unwrap();
    symlink("sub", jail.inside("inner")).unwrap();
    symlink(outside.join("made.txt"), jail.inside("dangling")).unwrap();
    for path in ["file", "folder/secret.txt", "sub/root/etc/passwd", "inner/x", "dangling"] {
        for outcome in [
            jail.files.read(path).map(drop),
            jail.files.write(path, "x"),
            jail.files.append(path, "x"),
        ] {
            assert_eq!(outcome.unwrap_err().code(), "tool_refused", "{path}");
        }
    }
    assert_eq!(jail.files.list("folder").unwrap_err().code(), "tool_refused");
    assert!(jail.files.delete("folder/secret.txt").is_err());
    assert!(jail.files.list(".").unwrap().entries.iter().all(|entry| entry.name == "sub/"));
    // Deleting a link deletes the link.
    jail.files.delete("file").unwrap();
    jail.files.delete("folder").unwrap();
    jail.outside_is_untouched();
}

#[test]
fn a_directory_swapped_for_a_link_while_we_look_leads_nowhere() {
    let jail = jail();
    let outside = jail.folder.path().join("outside");
    let (flip, spot) = (jail.inside("flip"), jail.inside("sub"));
    symlink(&outside, &flip).unwrap();
    let mut leaked = 0;
    let running = std::sync::atomic::AtomicBool::new(true);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let aside = jail.inside("aside");
            while running.load(std::sync::atomic::Ordering::Relaxed) {
                let _ = std::fs::rename(&spot, &aside);
                let _ = std::fs::rename(&flip, &spot);
                let _ = std::fs::rename(&spot, &flip);
                let _ = std::fs::rename(&aside, &spot);
            }
        });
        // A failed check must not leave the other thread running.
        let leaks = (0..3000).filter(|_| {
            let read = jail.files.read("sub/secret.txt");
            let _ = jail.files.write("sub/secret.txt", "mine");
            let _ = jail.files.delete("sub/secret.txt");
            read.as_deref() == Ok(SECRET)
        });
        leaked = leaks.count();
        running.store(false, std::sync::atomic::Ordering::Relaxed);
    });
    assert_eq!(leaked, 0);
    jail.outside_is_untouched();
}

#[test]
fn sizes_kinds_and_read_only() {
    let jail = Jail::new(FileOptions { file_bytes_max: 10, entries_max: 2, ..Default::default() });
    assert_eq!(jail.files.write("x", "12345678901").unwrap_err().code(), "tool_too_large");
    jail.files.write("x", "1234567890").unwrap();
    assert_eq!(jail.files.append("x", "1").unwrap_err().code(), "tool_too_large");
    std::fs::write(jail.inside("big"), "12345678901").unwrap();
    assert_eq!(jail.files.read("big").unwrap_err().code(), "tool_too_large");
    assert!(jail.files.list(".").unwrap().truncated);
    std::fs::write(jail.inside("bin"), [0xff, 0xfe]).unwrap();
    assert!(jail.files.read("bin").unwrap_err().to_string().contains("not a text file"));
    assert_eq!(jail.files.read("sub").unwrap_err().code(), "tool_refused");
    // A pipe without a writer must not hang the reader.
    nix::unistd::mkfifo(&jail.inside("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert_eq!(jail.files.read("pipe").unwrap_err().code(), "tool_refused");
    assert!(jail.files.append("pipe", "x").is_err());

    let jail = Jail::new(FileOptions { allow_write: false, ..Default::default() });
    assert_eq!(jail.files.write("x", "1").unwrap_err().code(), "tool_refused");
    assert_eq!(jail.files.delete("sub").unwrap_err().code(), "tool_refused");
    assert!(Workspace::open(jail.inside("none"), FileOptions::default()).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever the path, what is outside stays as it is.
    #[test]
    fn no_path_touches_the_outside(
        parts in prop::collection::vec(
            prop::sample::select(vec!["..", ".", "", "sub", "out", "secret.txt", "outside", "jail", "...", "..\u{2024}", "%2e%2e", "-"]),
            1..7,
        ),
        absolute in any::<bool>(),
    ) {
        let jail = jail();
        symlink(jail.folder.path().join("outside"), jail.inside("out")).unwrap();
        let path = format!("{}{}", if absolute { "/" } else { "" }, parts.join("/"));
        let read = jail.files.read(&path);
        prop_assert!(read.as_deref() != Ok(SECRET), "{}", path);
        let _ = jail.files.write(&path, "x");
        let _ = jail.files.append(&path, "x");
        let _ = jail.files.delete(&path);
        jail.outside_is_untouched();
    }
}

/// A workspace with a database of two tables.
fn databases(options: DatabaseOptions) -> (Jail, Databases) {
    let jail = jail();
    let connection = rusqlite::Connection::open(jail.inside("shop.db")).unwrap();
    connection
        .execute_batch(
            "CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT, price REAL, raw BLOB);
             INSERT INTO item VALUES (1, 'tea', 2.5, x'00ff'), (2, 'jam', 4.0, NULL), (3, 'rye', NULL, NULL);
             CREATE INDEX by_name ON item(name);
             CREATE VIEW cheap AS SELECT * FROM item WHERE price < 3;",
        )
        .unwrap();
    let other = rusqlite::Connection::open(jail.folder.path().join("jail/other.db")).unwrap();
    other.execute_batch("CREATE TABLE secret(x); INSERT INTO secret VALUES ('hidden')").unwrap();
    let databases = Databases::new(jail.files.clone(), options);
    (jail, databases)
}

async fn run(
    databases: &Databases,
    sql: &str,
    params: &str,
    write: bool,
) -> Result<DatabaseRows, ToolError> {
    let params = Value::from_json(params).unwrap();
    let query = DatabaseQuery { path: "shop.db".into(), sql: sql.into(), params, write };
    databases.query(query).await
}

fn rows(outcome: Result<DatabaseRows, ToolError>) -> String {
    Value::list(outcome.unwrap().rows).to_json()
}

#[tokio::test]
async fn questions_take_values_as_parameters() {
    let (_jail, databases) = databases(DatabaseOptions::default());
    let sql = "SELECT name, price FROM item WHERE price >= ? ORDER BY id";
    let all = r#"[{"name":"tea","price":2.5},{"name":"jam","price":4.0}]"#;
    assert_eq!(rows(run(&databases, sql, "[2]", false).await), all);
    let sql = "SELECT name FROM item WHERE name = :name OR id = @id";
    let params = r#"{"name":"x' OR '1'='1","id":3}"#;
    assert_eq!(rows(run(&databases, sql, params, false).await), r#"[{"name":"rye"}]"#);
    let sql = "SELECT id, id, raw FROM item JOIN (SELECT 7) WHERE id = 1";
    let odd = r#"[{"id":1,"id_2":1,"raw":{"$type":"bytes","base64":"AP8="}}]"#;
    assert_eq!(rows(run(&databases, sql, "null", false).await), odd);
    let sql = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 3) SELECT sum(x) AS s FROM n, cheap";
    assert_eq!(rows(run(&databases, sql, "null", false).await), r#"[{"s":6}]"#);
    let names = rows(run(&databases, "PRAGMA table_info(item)", "null", false).await);
    assert!(names.contains("price"), "{names}");
    let each = "SELECT value FROM json_each(?)";
    assert_eq!(rows(run(&databases, each, "[[5]]", false).await), r#"[{"value":5}]"#);

    for (sql, params, words) in [
        ("SELECT ?", "[]", "1 parameters and 0 values"),
        ("SELECT :a", r#"{"b":1}"#, "`:a` has no value"),
        ("SELECT ?", "null", "no `params`"),
        ("SELEC 1", "null", "syntax error"),
        ("SELECT * FROM itme", "null", "itme"),
    ] {
        let said = run(&databases, sql, params, false).await.unwrap_err().to_string();
        assert!(said.contains(words), "{sql}: {said}");
    }
}

const WRITES: &[&str] = &[
    "INSERT INTO item(name) VALUES ('x')",
    "INSERT INTO item(name) VALUES ('x') RETURNING id",
    "WITH a AS (SELECT 1) INSERT INTO item(name) SELECT 'x' FROM a",
    "REPLACE INTO item VALUES (1, 'x', 1, NULL)",
    "UPDATE item SET name = 'x'",
    "DELETE FROM item",
    "CREATE TABLE t(x)",
    "CREATE TEMP TABLE t(x)",
    "CREATE INDEX i ON item(name)",
    "CREATE VIEW v AS SELECT 1",
    "CREATE TRIGGER g AFTER INSERT ON item BEGIN SELECT 1; END",
    "CREATE VIRTUAL TABLE f USING fts5(x)",
    "DROP TABLE item",
    "ALTER TABLE item RENAME TO thing",
    "REINDEX",
    "ANALYZE",
    "PRAGMA user_version = 7",
    "PRAGMA journal_mode = WAL",
    "PRAGMA writable_schema = 1",
    "PRAGMA query_only = 0",
];
const ESCAPES: &[&str] = &[
    "ATTACH 'other.db' AS o",
    "ATTACH ':memory:' AS o",
    "DETACH main",
    "VACUUM",
    "VACUUM INTO 'copy.db'",
    "VACUUM INTO '../outside/copy.db'",
    "SELECT load_extension('x')",
    "BEGIN IMMEDIATE",
    "SAVEPOINT s",
    "SELECT 1; DELETE FROM item",
    "SELECT 1; SELECT 2",
    "PRAGMA temp_store_directory = '/tmp'",
];

#[tokio::test]
async fn reading_cannot_write_and_nothing_reaches_other_files() {
    let (jail, reading) = databases(DatabaseOptions { allow_write: true, ..Default::default() });
    let before = std::fs::read(jail.inside("shop.db")).unwrap();
    for sql in WRITES.iter().chain(ESCAPES) {
        let outcome = run(&reading, sql, "null", false).await;
        let error = outcome.expect_err(sql);
        assert!(matches!(error, ToolError::Refused(_) | ToolError::Failed(_)), "{sql}: {error:?}");
        assert_eq!(std::fs::read(jail.inside("shop.db")).unwrap(), before, "{sql}");
    }
    for sql in ESCAPES {
        let outcome = run(&reading, sql, "null", true).await;
        assert!(outcome.is_err(), "{sql} when writing is allowed");
    }
    assert_eq!(std::fs::read(jail.inside("shop.db")).unwrap(), before);
    assert!(!jail.inside("copy.db").exists());
    jail.outside_is_untouched();
}

#[tokio::test]
async fn writing_has_to_be_asked_for_and_allowed() {
    let (_jail, closed) = databases(DatabaseOptions::default());
    let sql = "UPDATE item SET price = ? WHERE id < 3";
    assert_eq!(run(&closed, sql, "[1]", true).await.unwrap_err().code(), "tool_refused");

    let (jail, open) = databases(DatabaseOptions { allow_write: true, ..Default::default() });
    assert_eq!(run(&open, sql, "[1]", true).await.unwrap().changes, 2);
    run(&open, "CREATE VIRTUAL TABLE f USING fts5(x)", "null", true).await.unwrap();
    run(&open, "INSERT INTO f VALUES ('hello world')", "null", true).await.unwrap();
    let found = run(&open, "SELECT x FROM f WHERE f MATCH ?", r#"["hello"]"#, false).await;
    assert_eq!(rows(found), r#"[{"x":"hello world"}]"#);
    let query = DatabaseQuery {
        path: "new/made.db".into(),
        sql: "CREATE TABLE t(x)".into(),
        write: true,
        ..Default::default()
    };
    open.query(query.clone()).await.unwrap();
    assert!(jail.inside("new/made.db").exists());
    let reading = DatabaseQuery { path: "gone.db".into(), write: false, ..query };
    assert_eq!(open.query(reading).await.unwrap_err().code(), "tool_not_found");
    assert!(!jail.inside("gone.db").exists());
}

#[tokio::test]
async fn databases_are_jailed_like_files() {
    let (jail, databases) = databases(DatabaseOptions::default());
    let outside = jail.folder.path().join("outside.db");
    rusqlite::Connection::open(&outside).unwrap().execute_batch("CREATE TABLE t(x)").unwrap();
    symlink(&outside, jail.inside("link.db")).unwrap();
    for path in [
        "../outside.db",
        "/etc/passwd",
        "link.db",
        "file:shop.db",
        ":memory:",
        "shop.db?mode=rw",
        "sub",
        "",
    ] {
        let query =
            DatabaseQuery { path: path.into(), sql: "SELECT 1".into(), ..Default::default() };
        assert!(databases.query(query).await.is_err(), "{path}");
    }
    std::fs::write(jail.inside("no.db"), "this is no database, whatever it is called").unwrap();
    let query =
        DatabaseQuery { path: "no.db".into(), sql: "SELECT * FROM t".into(), ..Default::default() };
    let said = databases.query(query).await.unwrap_err().to_string();
    assert!(said.contains("no SQLite database"), "{said}");
}

#[tokio::test]
async fn rows_bytes_and_time_have_limits() {
    let options =
        DatabaseOptions { rows_max: 2, timeout: Duration::from_millis(100), ..Default::default() };
    let (_jail, databases) = databases(options);
    let found = run(&databases, "SELECT * FROM item", "null", false).await.unwrap();
    assert_eq!((found.rows.len(), found.truncated), (2, true));
    let endless =
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n";
    let error = run(&databases, endless, "null", false).await.unwrap_err();
    assert_eq!(error.code(), "tool_timeout");
    let error = run(&databases, "SELECT zeroblob(1000000000)", "null", false).await.unwrap_err();
    assert_eq!(error.code(), "tool_too_large");
}
