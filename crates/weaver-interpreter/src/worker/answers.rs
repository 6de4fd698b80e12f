//! What the host answers, and calls that are Python's own: clock, randomness,
//! sleep, environment.

use monty_types::unstable::{self, MontyNode};
use monty_types::{
    ExcType, ExtFunctionResult, MontyDate, MontyDateTime, MontyException, MontyObject,
    MontyTimeZone, OsFunctionCall,
};
use sha2::{Digest, Sha256};

use super::failures::CLASS_MARK;
use super::import::Importer;
use crate::names::bases_to_builtin;
use crate::wire::{self, Malformed, Reader, Writer};

/// What a suspended system call makes of the host's answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Awaited {
    /// The code's own host call: a value.
    Code,
    /// Seconds since the epoch, as a float.
    Seconds,
    /// Nanoseconds since the epoch, as an int.
    Nanoseconds,
    /// Today's date.
    Date,
    /// Now, in a zone or naive in UTC.
    DateTime(Option<(i32, Option<String>)>),
    /// So many random bytes, from a seed.
    Random(u64),
    /// An environment variable, with what it is otherwise.
    Variable,
    /// Nothing: the time has passed.
    Sleep,
    /// Nothing, at once.
    BlockingSleep,
}

/// One answer, read but not yet turned into an object.
pub(super) struct Answered {
    result: Result<Given, MontyException>,
}

struct Given {
    /// `[value]` and the repairs of it, for code.
    boxed: MontyObject,
    number: Option<f64>,
    seed: Option<i64>,
    text: Option<String>,
}

/// Reads one answer.
pub(super) fn read(r: &mut Reader<'_>) -> Result<Answered, Malformed> {
    if r.u8()? == 0 {
        let (class, message) = (r.str()?, r.str()?);
        return Ok(Answered { result: Err(host_exception(class, message)) });
    }
    let mut importer = Importer::default();
    let start = r.rest();
    let list = importer.list(r, 1, 0)?;
    let repairs = importer.repairs();
    let root = importer.graph.push(MontyNode::Tuple(vec![list, repairs]));
    let boxed = unstable::object_from_graph(importer.graph, root).map_err(|_| Malformed)?;
    let mut peek = Reader::new(start);
    let mut given = Given { boxed, number: None, seed: None, text: None };
    match peek.u8()? {
        wire::INT => {
            let n = peek.int()?;
            given.seed = Some(n);
            given.number = Some(n as f64);
        }
        wire::FLOAT => given.number = Some(peek.float()?),
        wire::STR => given.text = Some(peek.str()?.to_owned()),
        _ => {}
    }
    Ok(Answered { result: Ok(given) })
}

impl Answered {
    /// For `_aw_host` and `_aw_async`: a box with the value, and its repairs.
    pub(super) fn for_code(self) -> ExtFunctionResult {
        match self.result {
            Ok(given) => given.boxed.into(),
            Err(error) => error.into(),
        }
    }

    /// For a system call of Python's own.
    pub(super) fn for_system(self, awaited: &Awaited, call: &OsFunctionCall) -> ExtFunctionResult {
        let given = match self.result {
            Ok(given) => given,
            Err(error) => return error.into(),
        };
        let wrong = || -> ExtFunctionResult {
            MontyException::runtime_error("the host's answer has the wrong type").into()
        };
        let object = match awaited {
            Awaited::Seconds => given.number.map(MontyObject::float),
            Awaited::Nanoseconds => given.number.map(|s| MontyObject::int((s * 1e9) as i64)),
            Awaited::Date => given.number.and_then(|s| {
                let at = civil(s, 0)?;
                Some(MontyObject::date(MontyDate { year: at.year, month: at.month, day: at.day }))
            }),
            Awaited::DateTime(zone) => given.number.and_then(|s| {
                let offset = zone.as_ref().map(|(offset, _)| *offset);
                let mut at = civil(s, offset.unwrap_or(0))?;
                at.offset_seconds = offset;
                at.timezone_name = zone.as_ref().and_then(|(_, name)| name.clone());
                Some(MontyObject::datetime(at))
            }),
            Awaited::Random(size) => given.seed.map(|seed| MontyObject::bytes(expand(seed, *size))),
            Awaited::Variable => Some(match (given.text, call) {
                (Some(text), _) => MontyObject::string(text),
                (None, OsFunctionCall::Getenv(args)) => args.default.clone(),
                (None, _) => MontyObject::none(),
            }),
            Awaited::Sleep | Awaited::BlockingSleep => Some(MontyObject::none()),
            Awaited::Code => None,
        };
        object.map_or_else(wrong, Into::into)
    }
}

/// The host call that stands for a system call: its name, its encoded arguments
/// and what becomes of the answer; or the answer itself where the sandbox decides.
pub(super) fn system_call(
    call: &OsFunctionCall,
) -> Result<(&'static str, Vec<u8>, Awaited), ExtFunctionResult> {
    let mut w = Writer::default();
    let (name, awaited) = match call {
        OsFunctionCall::Time(caller) if caller.as_str().ends_with("_ns") => {
            ("clock", Awaited::Nanoseconds)
        }
        OsFunctionCall::Time(_) => ("clock", Awaited::Seconds),
        OsFunctionCall::DateToday => ("clock", Awaited::Date),
        OsFunctionCall::DateTimeNow(zone) => {
            let zone = zone
                .as_ref()
                .map(|MontyTimeZone { offset_seconds, name }| (*offset_seconds, name.clone()));
            ("clock", Awaited::DateTime(zone))
        }
        OsFunctionCall::Urandom(args) if args.size <= 1 << 16 => {
            ("random_seed", Awaited::Random(args.size))
        }
        OsFunctionCall::Getenv(args) => {
            arguments(&mut w, Some(("name", Argument::Text(&args.key))));
            return Ok(("getenv", w.into_bytes(), Awaited::Variable));
        }
        OsFunctionCall::Sleep(time) | OsFunctionCall::SystemSleep(time) => {
            arguments(&mut w, Some(("seconds", Argument::Seconds(time.as_secs_f64()))));
            return Ok(("sleep", w.into_bytes(), Awaited::BlockingSleep));
        }
        OsFunctionCall::AsyncSleep(time) | OsFunctionCall::AsyncSystemSleep(time) => {
            arguments(&mut w, Some(("seconds", Argument::Seconds(time.as_secs_f64()))));
            return Ok(("sleep", w.into_bytes(), Awaited::Sleep));
        }
        OsFunctionCall::GetEnviron => return Err(MontyObject::dict([]).into()),
        OsFunctionCall::Import(name) => return Err(ExtFunctionResult::NotFound(name.clone())),
        other => {
            let message =
                format!("{} is not allowed: a node has no files of its own", other.name());
            return Err(MontyException::new(ExcType::PermissionError, Some(message)).into());
        }
    };
    arguments(&mut w, None);
    Ok((name, w.into_bytes(), awaited))
}

enum Argument<'a> {
    Text(&'a str),
    Seconds(f64),
}

/// No positional arguments and at most one keyword.
fn arguments(w: &mut Writer, keyword: Option<(&str, Argument<'_>)>) {
    w.u8(wire::LIST);
    w.uint(0);
    w.u8(wire::MAP);
    w.uint(u64::from(keyword.is_some()));
    if let Some((name, value)) = keyword {
        w.str(name);
        match value {
            Argument::Text(text) => w.text(text),
            Argument::Seconds(seconds) => w.float(seconds),
        }
    }
}

/// A builtin class as itself; another as an `Exception` that carries the name.
fn host_exception(class: &str, message: &str) -> MontyException {
    match class.parse::<ExcType>() {
        Ok(class) => MontyException::new(class, Some(message.to_owned())),
        Err(_) => {
            let bases = bases_to_builtin(class);
            let carrier = bases.last().and_then(|base| base.parse().ok());
            let mut names = class.replace([CLASS_MARK, ','], "");
            for base in bases.iter().take(bases.len().saturating_sub(1)) {
                names += ",";
                names += base;
            }
            let text = format!("{CLASS_MARK}{names}{CLASS_MARK}{message}");
            MontyException::new(carrier.unwrap_or(ExcType::Exception), Some(text))
        }
    }
}

/// The wall clock at an offset from UTC.
fn civil(seconds: f64, offset_seconds: i32) -> Option<MontyDateTime> {
    let micros = (seconds * 1e6).round();
    if micros.is_nan() || micros.abs() > 2.6e17 {
        return None;
    }
    let micros = micros as i64 + i64::from(offset_seconds) * 1_000_000;
    let (days, rest) = (micros.div_euclid(86_400_000_000), micros.rem_euclid(86_400_000_000));
    // Days to a Gregorian date by eras of 400 years that begin in March.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    let second_of_day = rest / 1_000_000;
    (1..=9999).contains(&year).then(|| MontyDateTime {
        year: year as i32,
        month: month as u8,
        day: (day_of_year - (153 * month_index + 2) / 5 + 1) as u8,
        hour: (second_of_day / 3600) as u8,
        minute: (second_of_day / 60 % 60) as u8,
        second: (second_of_day % 60) as u8,
        microsecond: (rest % 1_000_000) as u32,
        offset_seconds: None,
        timezone_name: None,
    })
}

/// Bytes that depend on the seed alone, so that a recorded seed gives the same again.
fn expand(seed: i64, size: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(size as usize + 32);
    let mut counter = 0u64;
    while (bytes.len() as u64) < size {
        let block =
            Sha256::new().chain_update(seed.to_le_bytes()).chain_update(counter.to_le_bytes());
        bytes.extend_from_slice(&block.finalize());
        counter += 1;
    }
    bytes.truncate(size as usize);
    bytes
}

impl Awaited {
    pub(super) fn save(&self, w: &mut Writer) {
        match self {
            Awaited::Code => w.u8(0),
            Awaited::Seconds => w.u8(1),
            Awaited::Nanoseconds => w.u8(2),
            Awaited::Date => w.u8(3),
            Awaited::DateTime(None) => w.u8(4),
            Awaited::DateTime(Some((offset, name))) => {
                w.u8(5);
                w.int((*offset).into());
                w.str(name.as_deref().unwrap_or_default());
            }
            Awaited::Random(size) => {
                w.u8(6);
                w.uint(*size);
            }
            Awaited::Variable => w.u8(7),
            Awaited::Sleep => w.u8(8),
            Awaited::BlockingSleep => w.u8(9),
        }
    }

    pub(super) fn restore(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(match r.u8()? {
            0 => Awaited::Code,
            1 => Awaited::Seconds,
            2 => Awaited::Nanoseconds,
            3 => Awaited::Date,
            4 => Awaited::DateTime(None),
            5 => {
                r.u8()?;
                let offset = i32::try_from(r.int()?).map_err(|_| Malformed)?;
                let name = Some(r.str()?.to_owned()).filter(|name| !name.is_empty());
                Awaited::DateTime(Some((offset, name)))
            }
            6 => Awaited::Random(r.uint()?),
            7 => Awaited::Variable,
            8 => Awaited::Sleep,
            9 => Awaited::BlockingSleep,
            _ => return Err(Malformed),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_shows_the_right_day() {
        let at = civil(1_709_210_096.25, 3600).unwrap();
        assert_eq!((at.year, at.month, at.day), (2024, 2, 29));
        assert_eq!((at.hour, at.minute, at.second, at.microsecond), (13, 34, 56, 250_000));
        assert_eq!(civil(-1.0, 0).map(|at| (at.year, at.day, at.second)), Some((1969, 31, 59)));
        assert!(civil(f64::NAN, 0).is_none());
    }
}
