//! What Python prints.

use std::borrow::Cow;

use monty_types::{ExcType, MontyException, PrintWriterCallback};

use super::Link;
use crate::protocol::write;

/// Sent on its way when this much has gathered, so that a long-running function
/// shows what it prints.
const FLUSH_BYTES: usize = 4 << 10;

/// Gathers printed text and sends it ahead of the reply.
pub(super) struct Printer<'a> {
    link: &'a mut Link,
    text: String,
    sent: usize,
    limit: usize,
    over: bool,
}

impl<'a> Printer<'a> {
    pub(super) fn new(link: &'a mut Link, limit: usize) -> Self {
        Printer { link, text: String::new(), sent: 0, limit, over: false }
    }

    pub(super) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    pub(super) fn sent_any(&self) -> bool {
        self.sent > 0 || !self.text.is_empty()
    }

    /// Sends the rest; true when more was printed than the call may.
    pub(super) fn finish(mut self) -> bool {
        self.flush();
        self.over
    }

    fn flush(&mut self) {
        if !self.text.is_empty() {
            self.sent += self.text.len();
            self.link.send(&write::printed(&self.text));
            self.text.clear();
        }
    }

    fn check(&mut self) -> Result<(), MontyException> {
        if self.sent + self.text.len() > self.limit {
            self.over = true;
            self.text.clear();
            let message = format!("printed more than {} bytes", self.limit);
            return Err(MontyException::new(ExcType::MemoryError, Some(message)));
        }
        if self.text.len() >= FLUSH_BYTES && self.text.ends_with('\n') {
            self.flush();
        }
        Ok(())
    }
}

impl PrintWriterCallback for Printer<'_> {
    fn stdout_write(&mut self, output: Cow<'_, str>) -> Result<(), MontyException> {
        if !self.over {
            self.text.push_str(&output);
        }
        self.check()
    }

    fn stdout_push(&mut self, end: char) -> Result<(), MontyException> {
        if !self.over {
            self.text.push(end);
        }
        self.check()
    }
}
