//! JSON values out of a body that arrives in pieces: server-sent events, lines of
//! JSON, a JSON list, or one JSON value. Which of them it is shows in the first
//! byte, and servers' content types do not always agree with it.

use weaver_core::sse::SseParser;

/// One piece of a body that stands alone.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Frame {
    /// The name of a server-sent event; empty for all else.
    pub name: String,
    /// JSON text, or `[DONE]`.
    pub data: String,
}

/// Why bytes give no frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadBody {
    /// One frame grows without end.
    TooLong,
    /// A web page.
    Page,
    /// Something between the JSON values.
    Stray,
    /// The body ends inside a JSON value.
    Open,
}

/// Bytes go in as they arrive, frames come out when they are whole.
pub(crate) struct Frames {
    form: Form,
    bytes_max: usize,
}

enum Form {
    /// Nothing but white space yet.
    Unknown(Vec<u8>),
    Events(SseParser),
    Values(Splitter),
}

impl Frames {
    /// Refuses one frame of more than `bytes_max`.
    pub fn new(bytes_max: usize) -> Self {
        Frames { form: Form::Unknown(Vec::new()), bytes_max }
    }

    /// Takes bytes and gives the frames that they complete.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<Frame>, BadBody> {
        if let Form::Unknown(held) = &mut self.form {
            held.extend_from_slice(bytes);
            let bom = b"\xef\xbb\xbf";
            if held.len() < bom.len() && bom.starts_with(held) {
                return Ok(Vec::new());
            }
            let start = if held.starts_with(bom) { bom.len() } else { 0 };
            let first = held[start..].iter().find(|byte| !byte.is_ascii_whitespace());
            let Some(first) = first.copied() else { return Ok(Vec::new()) };
            let held = std::mem::take(held).split_off(start);
            self.form = match first {
                b'{' | b'[' => Form::Values(Splitter::default()),
                b'<' => return Err(BadBody::Page),
                _ => Form::Events(SseParser::new(self.bytes_max)),
            };
            return self.push_known(&held);
        }
        self.push_known(bytes)
    }

    /// At the end of the body: an event that lacks its blank line.
    pub fn finish(self) -> Result<Option<Frame>, BadBody> {
        match self.form {
            Form::Unknown(_) => Ok(None),
            Form::Events(parser) => {
                Ok(parser.finish().map(|event| Frame { name: event.name, data: event.data }))
            }
            Form::Values(splitter) if splitter.value.is_empty() => Ok(None),
            Form::Values(_) => Err(BadBody::Open),
        }
    }

    fn push_known(&mut self, bytes: &[u8]) -> Result<Vec<Frame>, BadBody> {
        match &mut self.form {
            Form::Unknown(_) => Ok(Vec::new()),
            Form::Events(parser) => {
                let events = parser.push(bytes).map_err(|_| BadBody::TooLong)?;
                let frame = |event: weaver_core::sse::SseEvent| Frame {
                    name: event.name,
                    data: event.data,
                };
                Ok(events.into_iter().map(frame).collect())
            }
            Form::Values(splitter) => {
                let frames = splitter.push(bytes)?;
                match splitter.value.len() > self.bytes_max {
                    true => Err(BadBody::TooLong),
                    false => Ok(frames),
                }
            }
        }
    }
}

/// Cuts a text into its outermost JSON objects, whether they stand in a list, on
/// lines or alone.
#[derive(Default)]
struct Splitter {
    /// The object that is open.
    value: Vec<u8>,
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl Splitter {
    fn push(&mut self, bytes: &[u8]) -> Result<Vec<Frame>, BadBody> {
        let mut frames = Vec::new();
        for byte in bytes {
            if self.depth == 0 {
                match byte {
                    b'{' => self.depth = 1,
                    b'[' | b']' | b',' => continue,
                    byte if byte.is_ascii_whitespace() => continue,
                    _ => return Err(BadBody::Stray),
                }
                self.value.push(*byte);
                continue;
            }
            self.value.push(*byte);
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_string => self.escaped = true,
                b'"' => self.in_string = !self.in_string,
                _ if self.in_string => {}
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => self.depth -= 1,
                _ => {}
            }
            if self.depth == 0 {
                let value = std::mem::take(&mut self.value);
                let data = String::from_utf8_lossy(&value).into_owned();
                frames.push(Frame { name: String::new(), data });
            }
        }
        Ok(frames)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&[u8]]) -> Result<Vec<String>, BadBody> {
        let mut frames = Frames::new(1 << 20);
        let mut data = Vec::new();
        for piece in pieces {
            data.extend(frames.push(piece)?.into_iter().map(|frame| frame.data));
        }
        data.extend(frames.finish()?.map(|frame| frame.data));
        Ok(data)
    }

    #[test]
    fn every_form_gives_the_same_values_wherever_it_is_cut() {
        let values = [r#"{"a":"ü}]\"\\","b":[{"c":1}]}"#, r#"{"d":"日本"}"#];
        let bodies = [
            format!("[{},\r\n{}\n]", values[0], values[1]),
            format!("{}\n{}\n", values[0], values[1]),
            format!(" {}{}", values[0], values[1]),
            format!("data: {}\n\ndata: {}", values[0], values[1]),
            format!(": hello\r\nevent: x\r\ndata:{}\r\n\r\ndata:{}\r\n\r\n", values[0], values[1]),
            format!("\u{feff}data: {}\n\ndata: {}\n\n", values[0], values[1]),
        ];
        for body in bodies {
            for cut in 0..=body.len() {
                let (head, tail) = body.as_bytes().split_at(cut);
                assert_eq!(read(&[head, tail]).unwrap(), values, "{body} cut at {cut}");
            }
            let bytes: Vec<_> = body.as_bytes().iter().map(std::slice::from_ref).collect();
            assert_eq!(read(&bytes).unwrap(), values, "{body}");
        }
    }

    #[test]
    fn bodies_that_are_none_of_these() {
        assert_eq!(read(&[b" <!doctype html>"]), Err(BadBody::Page));
        assert_eq!(read(&[br#"{"a":1} oops"#]), Err(BadBody::Stray));
        assert_eq!(read(&[br#"{"a":"#]), Err(BadBody::Open));
        assert_eq!(read(&[b" \n"]), Ok(vec![]));
        let long = vec![b'x'; 2 << 20];
        assert_eq!(read(&[b"{\"", &long]), Err(BadBody::TooLong));
        assert_eq!(read(&[b"data: ", &long]), Err(BadBody::TooLong));
    }
}
