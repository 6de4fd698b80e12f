//! [`Time`]: a moment on the wire.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;
use weaver_core::Timestamp;

/// A moment: RFC 3339 in UTC with milliseconds, `2026-01-31T09:30:00.000Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ToSchema)]
#[schema(value_type = String, format = DateTime, example = "2026-01-31T09:30:00.000Z")]
pub struct Time(pub Timestamp);

impl From<Timestamp> for Time {
    fn from(time: Timestamp) -> Self {
        Time(time)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_rfc3339())
    }
}

impl FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match chrono::DateTime::parse_from_rfc3339(text) {
            Ok(moment) => Ok(Time(Timestamp(moment.timestamp_micros()))),
            Err(error) => Err(format!(
                "`{text}` is no time ({error}); write it like 2026-01-31T09:30:00Z or 2026-01-31T10:30:00+01:00"
            )),
        }
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_utc_with_milliseconds_and_any_offset_is_read() {
        let time: Time = "2026-01-31T10:30:00.25+01:00".parse().unwrap();
        assert_eq!(time.to_string(), "2026-01-31T09:30:00.250Z");
        assert!("tomorrow".parse::<Time>().unwrap_err().contains("`tomorrow` is no time"));
    }
}
