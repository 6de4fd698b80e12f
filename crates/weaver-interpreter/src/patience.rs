//! [`Patience`]: whether to look at a socket again and again, or to sleep on it.
//!
//! Most calls take a few microseconds. Falling asleep and being woken costs more
//! than that on either side, so both look for the next frame for a moment first.
//! Where that was in vain (slow functions, a busy machine) it is not tried again
//! for a while: a processor that others need must not be spent on waiting.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::libc;

/// Longer than a small call takes and a sleeper needs to wake up.
const LOOKING: Duration = Duration::from_micros(20);
/// After that many vain looks in a row, 2 to that power of frames are slept for.
const VAIN_MAX: u32 = 8;

/// How looking has gone so far on one socket.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    vain: u32,
    /// Frames to sleep for before the next look.
    sleeps: u32,
}

impl Patience {
    /// Reads what comes within a moment; nothing when one should sleep for it.
    pub(crate) fn look(
        &mut self,
        socket: BorrowedFd<'_>,
        buffer: &mut [u8],
    ) -> Option<io::Result<usize>> {
        if self.sleeps > 0 {
            self.sleeps -= 1;
            return None;
        }
        let began = Instant::now();
        loop {
            let read = receive(socket, buffer);
            match &read {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                _ => {
                    self.vain = 0;
                    return Some(read);
                }
            }
            if began.elapsed() >= LOOKING {
                self.vain = (self.vain + 1).min(VAIN_MAX);
                self.sleeps = (1 << self.vain) - 1;
                return None;
            }
            std::hint::spin_loop();
        }
    }
}

fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    let (to, size) = (buffer.as_mut_ptr().cast(), buffer.len());
    // SAFETY: the descriptor is open, and the kernel writes at most the buffer's size to it.
    let read = unsafe { libc::recv(socket.as_raw_fd(), to, size, libc::MSG_DONTWAIT) };
    usize::try_from(read).map_err(|_| io::Error::last_os_error())
}
