//! [`Usd`]: an amount of money on the wire.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;

/// An amount in millionths of a US dollar; `"0.001234"` on the wire, never a
/// binary fraction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, ToSchema)]
#[schema(value_type = String, pattern = r"^[0-9]+(\.[0-9]{1,6})?$", example = "1.25")]
pub struct Usd(pub u64);

const MICROS: u64 = 1_000_000;

impl fmt::Display for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:06}", self.0 % MICROS);
        let cents = digits.trim_end_matches('0');
        write!(f, "{}.{cents:0<2}", self.0 / MICROS)
    }
}

impl FromStr for Usd {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no amount in US dollars; write it like 1.25");
        let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || rest.len() > 6 || !digits(whole) || !digits(rest) {
            return Err(wrong());
        }
        let dollars: u64 = whole.parse().map_err(|_| wrong())?;
        let micros: u64 = format!("{rest:0<6}").parse().map_err(|_| wrong())?;
        let all = dollars.checked_mul(MICROS).and_then(|all| all.checked_add(micros));
        all.map(Usd).ok_or_else(wrong)
    }
}

impl Serialize for Usd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Usd {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_a_decimal_string_both_ways() {
        for (micros, text) in
            [(0, "0.00"), (1, "0.000001"), (1_250_000, "1.25"), (12_000_000, "12.00")]
        {
            assert_eq!(Usd(micros).to_string(), text);
            assert_eq!(text.parse(), Ok(Usd(micros)));
        }
        assert_eq!("3".parse(), Ok(Usd(3_000_000)));
        for wrong in ["", ".5", "1.2345678", "-1", "1e3", "99999999999999999999"] {
            assert!(wrong.parse::<Usd>().is_err(), "{wrong}");
        }
    }
}
