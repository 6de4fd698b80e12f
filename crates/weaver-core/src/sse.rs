//! Server-sent events out of bytes that are cut anywhere.

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SseEvent {
    /// The `id:` field, when the event has one of its own.
    pub id: Option<String>,
    /// The `event:` field; empty for plain messages.
    pub name: String,
    /// The `data:` lines, joined by line feeds.
    pub data: String,
}

/// Bytes go in as they arrive, events come out when they are whole. Lines end at
/// LF, CR LF or CR; comments and unknown fields are skipped; a byte-order mark at
/// the beginning is too. A character may be cut between two pieces, because lines
/// become text only when they are whole.
#[derive(Debug)]
pub struct SseParser {
    line: Vec<u8>,
    event: SseEvent,
    has_data: bool,
    /// The last byte was a CR: an LF that follows belongs to it.
    after_cr: bool,
    any_line: bool,
    bytes_held: usize,
    bytes_max: usize,
}

/// An event or line that grows without end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

impl SseParser {
    /// A parser that refuses a line or an event of more than `bytes_max`.
    pub fn new(bytes_max: usize) -> Self {
        SseParser {
            line: Vec::new(),
            event: SseEvent::default(),
            has_data: false,
            after_cr: false,
            any_line: false,
            bytes_held: 0,
            bytes_max,
        }
    }

    /// Takes bytes and gives the events that they complete.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<SseEvent>, TooLong> {
        let mut events = Vec::new();
        let mut rest = bytes;
        if std::mem::take(&mut self.after_cr) && rest.first() == Some(&b'\n') {
            rest = &rest[1..];
        }
        while let Some(end) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            let (line, is_cr) = (&rest[..end], rest[end] == b'\r');
            rest = &rest[end + 1..];
            match (is_cr, rest.first()) {
                (true, Some(b'\n')) => rest = &rest[1..],
                (true, None) => self.after_cr = true,
                _ => {}
            }
            // Most lines come whole, and need not be put together.
            events.extend(match self.line.is_empty() {
                true => self.end_line(line),
                false => {
                    let mut whole = std::mem::take(&mut self.line);
                    whole.extend_from_slice(line);
                    self.end_line(&whole)
                }
            });
        }
        self.line.extend_from_slice(rest);
        self.bytes_held = self.line.len() + self.event.data.len();
        if self.bytes_held > self.bytes_max { Err(TooLong) } else { Ok(events) }
    }

    /// At the end of the stream: an event that lacks its blank line. Whether it is
    /// whole is for its reader to say.
    pub fn finish(mut self) -> Option<SseEvent> {
        if !self.line.is_empty() {
            let line = std::mem::take(&mut self.line);
            self.end_line(&line);
        }
        self.has_data.then_some(self.event)
    }

    fn end_line(&mut self, line: &[u8]) -> Option<SseEvent> {
        let line = String::from_utf8_lossy(line);
        let first = !std::mem::replace(&mut self.any_line, true);
        let line = if first { line.trim_start_matches('\u{feff}') } else { &*line };
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            return std::mem::take(&mut self.has_data).then_some(event);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => {
                if self.has_data {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
                self.has_data = true;
            }
            "event" => self.event.name = value.into(),
            "id" => self.event.id = Some(value.into()),
            // `retry`, comments (an empty field name), and what may come.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&[u8]]) -> Vec<String> {
        let mut parser = SseParser::new(32 << 20);
        let mut data: Vec<_> = pieces
            .iter()
            .flat_map(|piece| parser.push(piece).unwrap())
            .map(|event| event.data)
            .collect();
        data.extend(parser.finish().map(|event| event.data));
        data
    }

    const STREAM: &str = "\u{feff}: hello\r\ndata: a\r\n\r\nevent: x\rid: 3\rdata:日本\rdata: b\r\r\
                          retry: 5\n\ndata\n\nfoo: bar\ndata:  two blanks\n\n";

    #[test]
    fn any_cut_gives_the_same_events() {
        let whole = read(&[STREAM.as_bytes()]);
        assert_eq!(whole, ["a", "日本\nb", "", " two blanks"]);
        for cut in 0..=STREAM.len() {
            let (head, tail) = STREAM.as_bytes().split_at(cut);
            assert_eq!(read(&[head, tail]), whole, "cut at {cut}");
        }
        let bytes: Vec<_> = STREAM.as_bytes().iter().map(std::slice::from_ref).collect();
        assert_eq!(read(&bytes), whole);
    }

    #[test]
    fn the_last_event_may_lack_its_blank_line() {
        assert_eq!(read(&[b"data: a\n\ndata: b"]), ["a", "b"]);
        assert_eq!(read(&[b"data: a\n\n: bye\n"]), ["a"]);
    }

    #[test]
    fn an_endless_line_is_refused() {
        let mut parser = SseParser::new(32 << 20);
        let piece = vec![b'x'; 1 << 20];
        let outcome = (0..64).try_for_each(|_| parser.push(&piece).map(|_| ()));
        assert_eq!(outcome, Err(TooLong));
    }
}
