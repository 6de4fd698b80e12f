//! [`Place`]: where a store is, as people write it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::postgres::{self, PostgresOptions};
use crate::sqlite;
use crate::{Error, OpenOptions, Result, Store};

/// Where a store is: `sqlite:DIR` (or only the directory), or a `postgres://` URL.
#[derive(Clone, PartialEq, Eq)]
pub enum Place {
    /// A data directory.
    Sqlite(PathBuf),
    /// The URL of a database.
    Postgres(String),
}

/// The schema of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    /// Its version; 0 when there is no store yet.
    pub version: u32,
    /// The version that this program needs.
    pub needed: u32,
    /// The server's version, such as `16.16`, when there is a server.
    pub server: Option<String>,
    /// What is not well with the server.
    pub warning: Option<String>,
}

impl FromStr for Place {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.split_once(':') {
            Some(("postgres" | "postgresql", _)) => {
                postgres::check_url(text)?;
                Ok(Place::Postgres(text.into()))
            }
            Some(("sqlite", dir)) if !dir.is_empty() => Ok(Place::Sqlite(dir.into())),
            Some((kind, rest)) if rest.starts_with("//") => Err(Error::Invalid(format!(
                "`{kind}` is no kind of store; use sqlite:DIR or postgres://USER@HOST/DATABASE"
            ))),
            _ if text.is_empty() => Err(Error::Invalid("the store's place is empty".into())),
            _ => Ok(Place::Sqlite(text.into())),
        }
    }
}

/// Without a password.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Sqlite(dir) => write!(f, "sqlite:{}", dir.display()),
            Place::Postgres(url) => match postgres::check_url(url) {
                Ok(name) => f.write_str(&name),
                Err(_) => f.write_str("postgres://?"),
            },
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Place {
    /// Opens the store, and brings its schema up to date.
    pub fn open(&self) -> Result<Store> {
        match self {
            Place::Sqlite(dir) => Store::open_sqlite(dir, OpenOptions::default()),
            Place::Postgres(url) => Store::open_postgres(url, &PostgresOptions::default()),
        }
    }

    /// Looks at the schema and changes nothing.
    pub fn schema(&self) -> Result<Schema> {
        match self {
            Place::Sqlite(dir) => Ok(sqlite_schema(sqlite::schema_version(dir)?)),
            Place::Postgres(url) => postgres::schema(url, false),
        }
    }

    /// Brings the schema up to date; makes the store if there is none.
    pub fn migrate(&self) -> Result<Schema> {
        match self {
            Place::Sqlite(dir) => {
                drop(Store::open_sqlite(dir, OpenOptions::default())?);
                Ok(sqlite_schema(sqlite::schema_version(dir)?))
            }
            Place::Postgres(url) => postgres::schema(url, true),
        }
    }
}

fn sqlite_schema(version: u32) -> Schema {
    Schema { version, needed: sqlite::SCHEMA_NEEDED, server: None, warning: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_as_people_write_them() {
        let sqlite = |dir: &str| Ok(Place::Sqlite(dir.into()));
        assert_eq!("sqlite:.agentweaver".parse(), sqlite(".agentweaver"));
        assert_eq!("some/where".parse(), sqlite("some/where"));
        let url = "postgres://ada:secret@db.example/house";
        let place: Place = url.parse().unwrap();
        assert_eq!(place, Place::Postgres(url.into()));
        assert_eq!(place.to_string(), "postgres://db.example:5432/house");
        assert!(!format!("{place:?}").contains("secret"));
        for wrong in ["", "mysql://db/house", "postgres://h/d?colour=red"] {
            assert!(matches!(wrong.parse::<Place>(), Err(Error::Invalid(_))), "{wrong}");
        }
    }
}
