//! Bytes to and from a provider: the client, the address, the key, the errors of
//! the connection. What the bytes mean is a dialect's business.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use crate::dialect::Dialect;
use crate::error::{Error, Phase};
use crate::model::ModelRef;
use crate::options::{Options, ProviderOptions, Timeouts};

/// Limit of an answer that is not streamed, and of one event of a stream.
pub(crate) const ANSWER_BYTES_MAX: usize = 32 << 20;

const BETAS: HeaderName = HeaderName::from_static("anthropic-beta");

/// Where a call goes, and with what.
pub(crate) struct Endpoint {
    pub client: reqwest::Client,
    pub model: ModelRef,
    /// The key of this try, one of those in `settings`.
    pub key: Option<String>,
    pub settings: Arc<ProviderOptions>,
    pub timeouts: Timeouts,
    /// Trial features that the request wants.
    pub betas: Vec<String>,
}

/// The client of a gateway. It follows no redirects: a key goes only to the
/// address that was configured.
pub(crate) fn client(options: &Options) -> Result<reqwest::Client, Error> {
    // Whoever comes first decides; a provider that is there already is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(options.timeouts.connect)
        .user_agent(concat!("agentweaver/", env!("CARGO_PKG_VERSION")));
    if let Some(proxy) = &options.proxy {
        let bypass = format!("localhost,127.0.0.0/8,::1,{}", options.no_proxy);
        let proxy = reqwest::Proxy::all(proxy)
            .map_err(|_| Error::bad_request("The proxy's address cannot be read."))?
            .no_proxy(reqwest::NoProxy::from_string(&bypass));
        builder = builder.proxy(proxy);
    }
    builder.build().map_err(|error| Error::bad_request(format!("No HTTP client: {error}")))
}

impl Endpoint {
    /// Sends a JSON body; the answer has any status.
    pub async fn post(&self, path: &str, body: &Value) -> Result<reqwest::Response, Error> {
        let url = self.model.url(path);
        let body = serde_json::to_vec(body).expect("a JSON value has a text");
        let request = self
            .client
            .post(&url)
            .headers(self.headers()?)
            .header("content-type", "application/json")
            .body(body);
        request.send().await.map_err(|error| self.network_error(&error))
    }

    /// Asks without a body; the answer has any status.
    pub async fn get(&self, path: &str) -> Result<reqwest::Response, Error> {
        let request = self.client.get(self.model.url(path)).headers(self.headers()?);
        request.send().await.map_err(|error| self.network_error(&error))
    }

    /// What a broken connection means.
    pub fn network_error(&self, error: &reqwest::Error) -> Error {
        let provider = self.model.title.clone();
        if error.is_timeout() && error.is_connect() {
            return Error::Timeout {
                provider,
                phase: Phase::Connect,
                limit: self.timeouts.connect,
            };
        }
        if error.is_builder() {
            return Error::UnknownModel {
                message: format!(
                    "The address of {provider} cannot be used: `{}` is no URL of the form http://host:port/v1.",
                    address_of(&self.model.base_url)
                ),
            };
        }
        let address = address_of(&self.model.base_url);
        Error::Network { provider, address, message: self.scrub(&innermost(error)) }
    }

    /// Takes the key out of a text that came from outside, and cuts the text to a
    /// readable length.
    pub fn scrub(&self, text: &str) -> String {
        let mut text = text.trim().to_string();
        for key in self.settings.keys().filter(|key| key.len() > 3) {
            text = text.replace(key, "***");
        }
        for (_, value) in self.settings.headers.iter().filter(|(_, value)| value.len() > 7) {
            text = text.replace(value.as_str(), "***");
        }
        match text.char_indices().nth(500) {
            Some((at, _)) => format!("{}…", &text[..at]),
            None => text,
        }
    }

    fn headers(&self) -> Result<HeaderMap, Error> {
        let mut headers = HeaderMap::new();
        let refuse = |what: &str| {
            Error::bad_request(format!("{what} of {} cannot go into a header.", self.model.title))
        };
        if let Some(key) = &self.key {
            let (name, value) = self.model.auth.header(key.trim());
            let mut value = HeaderValue::from_str(&value).map_err(|_| refuse("The key"))?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        if self.model.dialect == Dialect::Anthropic {
            headers.insert("anthropic-version", HeaderValue::from_static("2023-06-01"));
        }
        for (name, value) in &self.settings.headers {
            let key: HeaderName = name.parse().map_err(|_| refuse("The name of a header"))?;
            let mut value = HeaderValue::from_str(value).map_err(|_| refuse("A header"))?;
            value.set_sensitive(true);
            headers.insert(key, value);
        }
        if self.model.dialect == Dialect::Anthropic && !self.betas.is_empty() {
            let asked = self.betas.join(",");
            let value = HeaderValue::from_str(&asked).map_err(|_| refuse("A trial feature"))?;
            // Beside those of the settings: the header may come more than once.
            headers.append(BETAS, value);
        }
        Ok(headers)
    }
}

/// The body, whole, of an answer that should not be long.
pub(crate) async fn body(
    endpoint: &Endpoint,
    mut response: reqwest::Response,
) -> Result<Vec<u8>, Error> {
    let title = &endpoint.model.title;
    let mut bytes = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => return Ok(bytes),
            Err(error) => return Err(Error::cut(title, endpoint.scrub(&innermost(&error)))),
        }
        if bytes.len() > ANSWER_BYTES_MAX {
            return Err(Error::protocol(title, "it is longer than 32 MiB"));
        }
    }
}

/// When the provider says to come back: `retry-after-ms`, `retry-after` in
/// seconds or as a date, or OpenAI's `x-ratelimit-reset-*`.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let seconds = |text: &str| Duration::try_from_secs_f64(text.parse().ok()?).ok();
    if let Some(ms) = text("retry-after-ms").and_then(|text| text.parse().ok()) {
        return Some(Duration::from_millis(ms));
    }
    if let Some(value) = text("retry-after") {
        return seconds(value).or_else(|| until(value, text("date")));
    }
    ["requests", "tokens"]
        .iter()
        .filter_map(|what| {
            // The bucket that is empty is the one to wait for.
            let left = text(&format!("x-ratelimit-remaining-{what}"))?;
            let reset = text(&format!("x-ratelimit-reset-{what}"))?;
            (left == "0").then(|| go_duration(reset)).flatten()
        })
        .max()
}

/// From now to an HTTP date, by the provider's own clock where it says its time.
fn until(date: &str, now: Option<&str>) -> Option<Duration> {
    let ours = || {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).ok()?;
        i64::try_from(since.as_secs()).ok()
    };
    let (date, now) = (http_date(date)?, now.and_then(http_date).or_else(ours)?);
    Some(Duration::from_secs(u64::try_from(date - now).unwrap_or(0)))
}

/// Seconds since the epoch of `Sun, 06 Nov 1994 08:49:37 GMT`.
fn http_date(text: &str) -> Option<i64> {
    let words: Vec<&str> = text.split([' ', ':']).collect();
    let [_, day, month, year, h, m, s, "GMT"] = words[..] else { return None };
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let month = MONTHS.find(month)? as i64 / 3 + 1;
    let number = |word: &str| word.parse::<i64>().ok();
    let (day, year) = (number(day)?, number(year)?);
    let (h, m, s) = (number(h)?, number(m)?, number(s)?);
    // Days from civil, Howard Hinnant's algorithm.
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let year_of_era = y - era * 400;
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100
        + day_of_year
        - 719_468;
    Some(days * 86_400 + h * 3600 + m * 60 + s)
}

/// `6m0s`, `1.5s`, `120ms`.
fn go_duration(text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let amount: f64 = rest[..digits].parse().ok()?;
        let (unit, length) = match &rest[digits..] {
            r if r.starts_with("ms") => (0.001, 2),
            r if r.starts_with('s') => (1.0, 1),
            r if r.starts_with('m') => (60.0, 1),
            r if r.starts_with('h') => (3600.0, 1),
            _ => return None,
        };
        total += Duration::try_from_secs_f64(amount * unit).ok()?;
        rest = &rest[digits + length..];
    }
    Some(total)
}

/// Scheme, host and port of an address: never a user name, password or path.
pub(crate) fn address_of(base_url: &str) -> String {
    let (scheme, rest) = base_url.split_once("://").unwrap_or(("http", base_url));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    format!("{scheme}://{}", authority.rsplit('@').next().unwrap_or_default())
}

/// The cause at the bottom: "connection refused", not "error sending request".
pub(crate) fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn every_way_to_say_when_to_come_back() {
        let ms = |pairs: &[(&'static str, &str)]| {
            retry_after(&headers(pairs)).map(|wait| wait.as_millis())
        };
        assert_eq!(ms(&[("retry-after", "2")]), Some(2000));
        assert_eq!(ms(&[("retry-after", "0.25")]), Some(250));
        assert_eq!(ms(&[("retry-after-ms", "30"), ("retry-after", "9")]), Some(30));
        let date = [
            ("date", "Sat, 31 Dec 2033 23:59:50 GMT"),
            ("retry-after", "Sun, 01 Jan 2034 00:00:10 GMT"),
        ];
        assert_eq!(ms(&date), Some(20_000));
        let past = [("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")];
        assert_eq!(ms(&past), Some(0), "by our own clock");
        let openai = [
            ("x-ratelimit-remaining-requests", "0"),
            ("x-ratelimit-reset-requests", "1m2.5s"),
            ("x-ratelimit-remaining-tokens", "17"),
            ("x-ratelimit-reset-tokens", "5m"),
        ];
        assert_eq!(ms(&openai), Some(62_500));
        assert_eq!(ms(&[("retry-after", "soon")]), None);
        assert_eq!(ms(&[]), None);
    }

    #[test]
    fn http_dates_count_from_the_epoch() {
        assert_eq!(http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(http_date("Thu, 29 Feb 2024 00:00:00 GMT"), Some(1_709_164_800));
    }

    #[test]
    fn addresses_in_messages_hold_no_secrets() {
        assert_eq!(address_of("https://me:pw@host:8/v1?key=x"), "https://host:8");
    }
}
