//! Where the database is: the URL, read.

use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use crate::{Error, Result};

/// The schema that holds the tables, unless the URL names another (`?schema=…`).
const SCHEMA: &str = "agentweaver";

/// A parsed `postgres://` URL.
#[derive(Clone)]
pub(super) struct Dsn {
    pub(super) config: Config,
    /// Whether the connection must be encrypted; then the server's certificate is
    /// checked, whatever word the URL used.
    pub(super) tls: bool,
    pub(super) schema: String,
    /// For messages: no password.
    pub(super) name: String,
}

impl Dsn {
    pub(super) fn parse(url: &str) -> Result<Self> {
        let (url, schema) = split_schema(url);
        let schema = schema.unwrap_or_else(|| SCHEMA.into());
        if schema.is_empty() || !schema.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err(Error::Invalid(format!("`{schema}` is no name of a schema")));
        }
        let mut config: Config = url.parse().map_err(|error: tokio_postgres::Error| {
            // Its words name the option that is wrong, never the password.
            Error::Invalid(format!("this is no PostgreSQL URL: {}", chain(&error)))
        })?;
        if config.get_hosts().is_empty() {
            return Err(Error::Invalid("the PostgreSQL URL names no host".into()));
        }
        let tls = !matches!(config.get_ssl_mode(), SslMode::Disable | SslMode::Prefer);
        if !tls {
            config.ssl_mode(SslMode::Disable);
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_secs(5));
        }
        if config.get_application_name().is_none() {
            config.application_name("agentweaver");
        }
        let name = name(&config);
        Ok(Dsn { config, tls, schema, name })
    }
}

/// Takes our own parameter out of the URL, which the driver would refuse.
fn split_schema(url: &str) -> (String, Option<String>) {
    let Some((base, query)) = url.split_once('?') else { return (url.into(), None) };
    let (ours, theirs): (Vec<_>, Vec<_>) =
        query.split('&').partition(|pair| pair.starts_with("schema="));
    let schema = ours.last().map(|pair| pair["schema=".len()..].to_string());
    match theirs.is_empty() {
        true => (base.into(), schema),
        false => (format!("{base}?{}", theirs.join("&")), schema),
    }
}

fn name(config: &Config) -> String {
    let host = match &config.get_hosts()[0] {
        Host::Tcp(host) => host.clone(),
        #[cfg(unix)]
        Host::Unix(path) => path.display().to_string(),
    };
    let port = config.get_ports().first().unwrap_or(&5432);
    let database = config.get_dbname().or(config.get_user()).unwrap_or_default();
    format!("postgres://{host}:{port}/{database}")
}

/// An error with its causes: the driver's own words alone say little.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_and_its_password_kept_out_of_messages() {
        let dsn = Dsn::parse("postgres://ada:secret@db.example:6000/house?schema=one").unwrap();
        assert_eq!(dsn.name, "postgres://db.example:6000/house");
        assert_eq!((dsn.schema.as_str(), dsn.tls), ("one", false));
        let dsn = Dsn::parse("postgres://ada@db.example/house?sslmode=require").unwrap();
        assert_eq!((dsn.schema.as_str(), dsn.tls), (SCHEMA, true));
        for wrong in ["", "postgres://h/d?colour=red", "postgres://h/d?schema=a-b", "mysql://h/d"] {
            let Err(error) = Dsn::parse(wrong) else { panic!("{wrong} was taken") };
            assert!(matches!(error, Error::Invalid(_)), "{error:?}");
        }
    }
}
