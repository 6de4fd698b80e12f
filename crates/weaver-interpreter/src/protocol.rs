//! The messages between pool and worker.

use weaver_core::value::TYPE_KEY;
use weaver_core::{Failure, Frame, Value};

use crate::kept::Kept;
use crate::program::Unit;
use crate::resemblance::read_update;
use crate::session::{CallRequest, Limits};
use crate::step::{Answer, HostCall, HostException};
use crate::wire::{Malformed, Reader, Writer};

/// Kinds of messages to a worker.
pub(crate) mod request {
    /// Make a module: file name, units.
    pub(crate) const LOAD: u8 = 1;
    /// Take over a saved state: bytes of a [`super::Reply::State`].
    pub(crate) const RESTORE: u8 = 2;
    /// Run a function.
    pub(crate) const CALL: u8 = 3;
    /// Answer host calls.
    pub(crate) const RESUME: u8 = 4;
    /// Give the whole state as bytes.
    pub(crate) const SAVE: u8 = 5;
    /// Make what all modules start with, without a reply: its source.
    pub(crate) const PREPARE: u8 = 7;
    /// Try what the sandbox must refuse.
    pub(crate) const PROBE: u8 = 6;
}

/// Kinds of messages from a worker.
mod reply {
    pub(super) const HELLO: u8 = 1;
    pub(super) const REFUSED: u8 = 2;
    pub(super) const READY: u8 = 3;
    pub(super) const RETURNED: u8 = 4;
    pub(super) const RAISED: u8 = 5;
    pub(super) const HOST_CALL: u8 = 6;
    pub(super) const HOST_CALLS: u8 = 7;
    pub(super) const PRINTED: u8 = 8;
    pub(super) const LIMIT: u8 = 9;
    pub(super) const STATE: u8 = 10;
    pub(super) const PROBED: u8 = 11;
}

/// What a worker says.
#[derive(Debug)]
pub(crate) enum Reply {
    /// First message: the sandbox stands; whether landlock is part of it.
    Hello { landlock: bool },
    /// First message instead: a wall could not be put up.
    Refused(String),
    /// The module is made or the state taken over; a call may start. Whether
    /// making it needed nothing from the host, so that its state may be reused.
    Ready { pure_module: bool },
    /// The function returned.
    Returned(Value),
    /// The function, or the module while it was made, raised.
    Raised(Failure),
    /// One host call waits.
    HostCall(HostCall),
    /// Several host calls wait.
    HostCalls(Vec<HostCall>),
    /// Printed text; more follows.
    Printed(String),
    /// A limit was hit; the state is lost.
    Limit(Failure),
    /// The whole state.
    State(Vec<u8>),
    /// What the probe tried and whether it was refused.
    Probed(Vec<(String, bool)>),
}

/// A request to make the beginning of a module that will be asked for later.
pub(crate) fn prepare(prelude: &str) -> Vec<u8> {
    let mut w = Writer::frame(request::PREPARE);
    w.str(prelude);
    w.finish()
}

/// A request to make a module.
pub(crate) fn load(file: &str, units: &[Unit]) -> Vec<u8> {
    let mut w = Writer::frame(request::LOAD);
    w.str(file);
    w.uint(units.len() as u64);
    for unit in units {
        w.u8(u8::from(unit.users));
        w.str(&unit.source);
    }
    w.finish()
}

/// A request to take a state over.
pub(crate) fn restore(state: &[u8], limits: &Limits) -> Vec<u8> {
    let mut w = Writer::frame(request::RESTORE);
    write_limits(&mut w, limits);
    w.raw(state);
    w.finish()
}

/// A request to run a function. With `kept`, what the worker has of the first
/// argument is only named; the flag says whether it is to forget the rest.
pub(crate) fn call(
    request: &CallRequest,
    kept: Option<(&mut Kept, bool)>,
) -> Result<Vec<u8>, Malformed> {
    let mut w = Writer::frame(request::CALL);
    write_limits(&mut w, &request.limits);
    w.str(&request.function);
    w.str(request.input_class.as_deref().unwrap_or_default());
    w.u8(u8::from(kept.as_ref().is_some_and(|(_, forget)| *forget)));
    w.uint(request.args.len() as u64);
    let mut args = request.args.as_slice();
    if let (Some((kept, _)), Some((Value::Map(state), rest))) = (kept, args.split_first())
        && !state.contains_key(TYPE_KEY)
    {
        kept.write(&mut w, state)?;
        args = rest;
    }
    for arg in args {
        w.value(arg)?;
    }
    w.map(&request.kwargs)?;
    Ok(w.finish())
}

/// Answers to host calls.
pub(crate) fn resume(answers: &[(u32, Answer)]) -> Result<Vec<u8>, Malformed> {
    let mut w = Writer::frame(request::RESUME);
    w.uint(answers.len() as u64);
    for (id, answer) in answers {
        w.uint((*id).into());
        match answer {
            Ok(value) => {
                w.u8(1);
                w.value(value)?;
            }
            Err(HostException { class, message }) => {
                w.u8(0);
                w.str(class);
                w.str(message);
            }
        }
    }
    Ok(w.finish())
}

/// What a finished frame asks for.
pub(crate) fn kind(frame: &[u8]) -> u8 {
    frame.get(4).copied().unwrap_or_default()
}

/// A request without parts.
pub(crate) fn plain(kind: u8) -> Vec<u8> {
    Writer::frame(kind).finish()
}

fn write_limits(w: &mut Writer, limits: &Limits) {
    w.uint(limits.cpu.as_micros() as u64);
    w.uint(limits.memory as u64);
    w.uint(limits.depth as u64);
    w.uint(limits.output as u64);
    w.uint(limits.host_calls as u64);
}

/// Reads what [`call`] and [`restore`] start with.
pub(crate) fn read_limits(r: &mut Reader<'_>) -> Result<Limits, Malformed> {
    Ok(Limits {
        cpu: std::time::Duration::from_micros(r.uint()?),
        memory: r.uint()? as usize,
        depth: r.uint()? as usize,
        output: r.uint()? as usize,
        host_calls: r.uint()? as usize,
    })
}

/// Writers of replies whose values are encoded by the worker itself.
pub(crate) mod write {
    use super::*;

    pub(crate) fn hello(landlock: bool) -> Vec<u8> {
        let mut w = Writer::frame(reply::HELLO);
        w.u8(u8::from(landlock));
        w.finish()
    }

    pub(crate) fn refused(why: &str) -> Vec<u8> {
        let mut w = Writer::frame(reply::REFUSED);
        w.str(why);
        w.finish()
    }

    pub(crate) fn ready(pure_module: bool) -> Vec<u8> {
        let mut w = Writer::frame(reply::READY);
        w.u8(u8::from(pure_module));
        w.finish()
    }

    pub(crate) fn returned(value: &[u8]) -> Vec<u8> {
        let mut w = Writer::frame(reply::RETURNED);
        w.raw(value);
        w.finish()
    }

    pub(crate) fn raised(failure: &Failure) -> Vec<u8> {
        failed(reply::RAISED, failure)
    }

    pub(crate) fn limit(failure: &Failure) -> Vec<u8> {
        failed(reply::LIMIT, failure)
    }

    pub(crate) fn printed(text: &str) -> Vec<u8> {
        let mut w = Writer::frame(reply::PRINTED);
        w.str(text);
        w.finish()
    }

    /// `calls` are encoded by [`host_call_body`].
    pub(crate) fn host_calls(calls: &[Vec<u8>], several: bool) -> Vec<u8> {
        let mut w = Writer::frame(if several { reply::HOST_CALLS } else { reply::HOST_CALL });
        w.uint(calls.len() as u64);
        for call in calls {
            w.raw(call);
        }
        w.finish()
    }

    /// Id and name; arguments (a list) and keywords (a map) follow as values.
    pub(crate) fn host_call_body(id: u32, name: &str, arguments: &[u8]) -> Vec<u8> {
        let mut w = Writer::default();
        w.uint(id.into());
        w.str(name);
        w.raw(arguments);
        w.into_bytes()
    }

    pub(crate) fn state(bytes: &[u8]) -> Vec<u8> {
        let mut w = Writer::frame(reply::STATE);
        w.raw(bytes);
        w.finish()
    }

    pub(crate) fn probed(results: &[(&str, bool)]) -> Vec<u8> {
        let mut w = Writer::frame(reply::PROBED);
        w.uint(results.len() as u64);
        for (what, refused) in results {
            w.str(what);
            w.u8(u8::from(*refused));
        }
        w.finish()
    }

    /// Failures are rare and have many parts: JSON.
    fn failed(kind: u8, failure: &Failure) -> Vec<u8> {
        let mut w = Writer::frame(kind);
        w.raw(&serde_json::to_vec(failure).expect("a failure is plain data"));
        w.finish()
    }
}

impl Reply {
    /// Reads the bytes of one frame; `kept` is what the worker has of the state.
    pub(crate) fn read(frame: &[u8], kept: &Kept) -> Result<Reply, Malformed> {
        let mut r = Reader::new(frame);
        Ok(match r.u8()? {
            reply::HELLO => Reply::Hello { landlock: r.u8()? == 1 },
            reply::REFUSED => Reply::Refused(r.str()?.into()),
            reply::READY => Reply::Ready { pure_module: r.u8()? == 1 },
            reply::RETURNED => Reply::Returned(read_update(&mut r, kept)?),
            reply::RAISED => Reply::Raised(read_failure(r.rest())?),
            reply::LIMIT => Reply::Limit(read_failure(r.rest())?),
            reply::PRINTED => Reply::Printed(r.str()?.into()),
            reply::HOST_CALL => Reply::HostCall(read_calls(&mut r)?.pop().ok_or(Malformed)?),
            reply::HOST_CALLS => Reply::HostCalls(read_calls(&mut r)?),
            reply::STATE => Reply::State(r.rest().to_vec()),
            reply::PROBED => {
                let n = r.count()?;
                let read = |_| Ok((r.str()?.to_owned(), r.u8()? == 1));
                Reply::Probed((0..n).map(read).collect::<Result<_, _>>()?)
            }
            _ => return Err(Malformed),
        })
    }
}

fn read_calls(r: &mut Reader<'_>) -> Result<Vec<HostCall>, Malformed> {
    let n = r.count()?;
    let mut calls = Vec::with_capacity(n.min(64));
    for _ in 0..n {
        let id = u32::try_from(r.uint()?).map_err(|_| Malformed)?;
        let name = r.str()?.to_owned();
        let (Value::List(args), Value::Map(kwargs)) = (r.value()?, r.value()?) else {
            return Err(Malformed);
        };
        calls.push(HostCall { id, name, args: args.to_vec(), kwargs: (*kwargs).clone() });
    }
    Ok(calls)
}

fn read_failure(json: &[u8]) -> Result<Failure, Malformed> {
    let failure: Failure = serde_json::from_slice(json).map_err(|_| Malformed)?;
    // Positions are only ever shown; a worker cannot make them point anywhere else.
    let fits = |frame: &Frame| frame.line > 0;
    if failure.traceback.iter().all(fits) { Ok(failure) } else { Err(Malformed) }
}
