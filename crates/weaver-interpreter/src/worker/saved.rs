//! The machine's whole state as bytes.

use monty::{Dump, Session, SessionRef};

use super::answers::Awaited;
use super::export::ClassTable;
use super::failures::Scripts;
use super::machine::{Machine, Phase, State, tracker};
use crate::allocator;
use crate::program::Unit;
use crate::protocol::{read_limits, write};
use crate::session::Limits;
use crate::wire::{Malformed, Reader, Writer};

impl Machine {
    /// The whole state as bytes, for [`Machine::restore`] in this or another process.
    pub(super) fn save(&mut self) -> Vec<u8> {
        if let State::Ready(progress) = &mut self.state {
            // It counts time, which must not be part of a module's state.
            *progress.tracker_mut() = tracker(&Limits::default());
        }
        let mut w = Writer::default();
        self.scripts.save(&mut w);
        self.classes.save(&mut w);
        w.u8(u8::from(self.phase == Phase::Loading));
        w.uint(self.units.len() as u64);
        for unit in &self.units {
            w.u8(u8::from(unit.users));
            w.str(&unit.source);
        }
        w.uint(self.pending.len() as u64);
        for (id, body) in &self.pending {
            w.uint((*id).into());
            w.bytes(body);
        }
        w.bytes(self.asked.as_deref().unwrap_or_default());
        w.uint(self.host_calls as u64);
        let (waiting, awaited, progress) = match &self.state {
            State::Empty => return write::refused("there is no state to save"),
            State::Ready(progress) => (false, &Awaited::Code, progress),
            State::Waiting(progress, awaited) => (true, awaited, progress),
        };
        w.u8(u8::from(waiting));
        awaited.save(&mut w);
        match monty::dump("module", None, &[], SessionRef::Suspended(progress)) {
            Ok(bytes) => {
                w.raw(&bytes);
                write::state(&w.into_bytes())
            }
            Err(error) => write::refused(&error.to_string()),
        }
    }

    pub(super) fn restore(&mut self, r: &mut Reader<'_>) -> Result<Vec<u8>, Malformed> {
        *self = Machine::new();
        allocator::rebase();
        self.limits = read_limits(r)?;
        self.scripts = Scripts::restore(r)?;
        self.classes = ClassTable::restore(r)?;
        self.phase = if r.u8()? == 1 { Phase::Loading } else { Phase::Running };
        for _ in 0..r.count()? {
            let users = r.u8()? == 1;
            self.units.push_back(Unit { users, source: r.str()?.to_owned() });
        }
        for _ in 0..r.count()? {
            let id = u32::try_from(r.uint()?).map_err(|_| Malformed)?;
            self.pending.insert(id, r.bytes()?.to_vec());
        }
        self.asked = Some(r.bytes()?.to_vec()).filter(|body| !body.is_empty());
        self.host_calls = r.uint()? as usize;
        let waiting = r.u8()? == 1;
        let awaited = Awaited::restore(r)?;
        let dump = Dump::load(r.rest()).map_err(|_| Malformed)?;
        let Session::Suspended(mut progress) = dump.state else { return Err(Malformed) };
        *progress.tracker_mut() = tracker(&self.limits);
        self.start_clock();
        if waiting {
            self.state = State::Waiting(progress, awaited);
            Ok(self.waiting_reply())
        } else {
            self.state = State::Ready(progress);
            Ok(write::ready(true))
        }
    }
}
