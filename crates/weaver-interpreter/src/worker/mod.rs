//! What a worker process runs: one interpreter, driven by frames on standard input.

mod answers;
mod cpu;
mod export;
mod failures;
mod import;
mod machine;
mod print;
mod sandbox;
mod saved;

use std::fs::File;
use std::io::{Read, Write};
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, FromRawFd};
use std::process::ExitCode;

use crate::patience::Patience;
use crate::protocol::{request, write};
use crate::wire::Reader;
use machine::Machine;

pub(crate) use cpu::CPU_EXIT_CODE;
pub(crate) use failures::{cpu_failure, memory_failure};

/// Serves one pool over standard input until it closes. The binary calls this
/// for its hidden subcommand, before it makes threads or a runtime, and must
/// have [`crate::Allocator`] as its global allocator.
pub fn worker_main() -> ExitCode {
    let mut link = Link::new();
    let counted = crate::allocator::start_counting();
    let walls = match sandbox::enter() {
        Ok(_) if !counted => Err("the binary has not the interpreter's global allocator".into()),
        walls => walls,
    };
    match walls {
        Ok(landlock) => link.send(&write::hello(landlock)),
        Err(why) => {
            link.send(&write::refused(&why));
            return ExitCode::FAILURE;
        }
    }
    let mut machine = Machine::new();
    while let Some(frame) = link.receive() {
        let reply = match frame.first() {
            Some(&request::PREPARE) => {
                machine.prepare(&frame);
                continue;
            }
            Some(&request::PROBE) => write::probed(&sandbox::probe()),
            _ => machine.handle(Reader::new(&frame), &mut link),
        };
        link.send(&reply);
    }
    ExitCode::SUCCESS
}

/// Read at once; most requests are smaller.
const READ_BYTES: usize = 4 << 10;

/// The socket on standard input: written to as well as read from.
pub(crate) struct Link {
    // Never closed by us: the process ends with it.
    socket: ManuallyDrop<File>,
    buffer: Vec<u8>,
    patience: Patience,
}

impl Link {
    fn new() -> Self {
        // SAFETY: descriptor 0 is the pool's socket for the whole life of the
        // process, and nothing else in a worker uses standard input.
        let socket = ManuallyDrop::new(unsafe { File::from_raw_fd(0) });
        Link { socket, buffer: Vec::new(), patience: Patience::default() }
    }

    /// Writes a finished frame. A pool that has gone away ends the process.
    pub(crate) fn send(&mut self, frame: &[u8]) {
        if self.socket.write_all(frame).is_err() {
            std::process::exit(0);
        }
    }

    /// The next frame's bytes, or nothing when the pool has closed.
    fn receive(&mut self) -> Option<Vec<u8>> {
        loop {
            let wanted = match self.buffer.first_chunk::<4>() {
                Some(head) => 4 + u32::from_le_bytes(*head) as usize,
                None => 4,
            };
            if wanted > 4 && self.buffer.len() >= wanted {
                let rest = self.buffer.split_off(wanted);
                let mut frame = std::mem::replace(&mut self.buffer, rest);
                frame.drain(..4);
                return Some(frame);
            }
            let len = self.buffer.len();
            self.buffer.resize(wanted.max(len + READ_BYTES), 0);
            let read = match self.patience.look(self.socket.as_fd(), &mut self.buffer[len..]) {
                Some(read) => read,
                None => self.socket.read(&mut self.buffer[len..]),
            };
            let read = match read {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => 0,
                Ok(0) | Err(_) => return None,
                Ok(read) => read,
            };
            self.buffer.truncate(len + read);
        }
    }
}
