//! WebSockets (RFC 6455), as far as a server needs them that only tells: text, pings and
//! a last word out; pings and a last word in. What else comes is thrown away.

use std::io;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use ring::digest;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};

use super::Refusal;

/// A request that asks for a WebSocket.
pub struct Handshake {
    upgrade: OnUpgrade,
    accept: String,
}

/// The side that tells.
pub struct Teller<T = TokioIo<Upgraded>>(WriteHalf<T>);

/// The side that hears.
pub struct Hearer<T = TokioIo<Upgraded>>(ReadHalf<T>);

/// What a peer may say.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    /// It wants these bytes back.
    Ping(Vec<u8>),
    /// It has said its last word.
    Close,
}

/// The last word: why it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// There is nothing more to tell.
    Done = 1000,
    /// The server ends; another one goes on.
    Restart = 1012,
}

/// What the key of a handshake is answered with is made from it and from this.
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// A peer has nothing to say; this is room for its pings.
const HEARD_BYTES_MAX: u64 = 4096;

impl Handshake {
    /// Reads the request; refuses one that asks for something else.
    pub fn of(request: &mut Request) -> Result<Self, Refusal> {
        let headers = request.headers();
        let asks = has_word(headers, header::CONNECTION, "upgrade")
            && has_word(headers, header::UPGRADE, "websocket")
            && has_word(headers, header::SEC_WEBSOCKET_VERSION, "13");
        let key = headers.get(header::SEC_WEBSOCKET_KEY).filter(|_| asks);
        let Some(key) = key.map(|key| key.as_bytes().to_vec()) else {
            let detail = "this address answers over a WebSocket of version 13";
            return Err(Refusal::new(StatusCode::UPGRADE_REQUIRED, "upgrade_required", detail));
        };
        let accept = accept(&key);
        match request.extensions_mut().remove::<OnUpgrade>() {
            Some(upgrade) => Ok(Handshake { upgrade, accept }),
            None => Err(Refusal::new(
                StatusCode::UPGRADE_REQUIRED,
                "upgrade_required",
                "this connection cannot become a WebSocket",
            )),
        }
    }

    /// Agrees, and lets the two talk once the peer has heard so.
    pub fn agree<F>(self, talk: impl FnOnce(Teller, Hearer) -> F + Send + 'static) -> Response
    where
        F: Future<Output = ()> + Send,
    {
        let upgrade = self.upgrade;
        tokio::spawn(async move {
            // The peer may be gone already.
            if let Ok(upgraded) = upgrade.await {
                let (hears, tells) = tokio::io::split(TokioIo::new(upgraded));
                talk(Teller(tells), Hearer(hears)).await;
            }
        });
        let headers = [
            (header::UPGRADE, "websocket".to_string()),
            (header::CONNECTION, "upgrade".to_string()),
            (header::SEC_WEBSOCKET_ACCEPT, self.accept),
        ];
        (StatusCode::SWITCHING_PROTOCOLS, headers, Body::empty()).into_response()
    }
}

impl<T: AsyncWrite> Teller<T> {
    /// Tells a text.
    pub async fn text(&mut self, text: &str) -> io::Result<()> {
        self.frame(TEXT, text.as_bytes()).await
    }

    /// Asks whether the peer is there.
    pub async fn ping(&mut self) -> io::Result<()> {
        self.frame(PING, &[]).await
    }

    /// Answers a ping.
    pub async fn pong(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.frame(PONG, bytes).await
    }

    /// Says the last word.
    pub async fn close(&mut self, why: Why, reason: &str) -> io::Result<()> {
        let code = (why as u16).to_be_bytes();
        self.frame(CLOSE, &[&code, reason.as_bytes()].concat()).await?;
        self.0.shutdown().await
    }

    async fn frame(&mut self, kind: u8, payload: &[u8]) -> io::Result<()> {
        let mut frame = Vec::with_capacity(payload.len() + 10);
        frame.push(0x80 | kind);
        match payload.len() {
            short @ 0..126 => frame.push(short as u8),
            long => match u16::try_from(long) {
                Ok(long) => {
                    frame.push(126);
                    frame.extend(long.to_be_bytes());
                }
                Err(_) => {
                    frame.push(127);
                    frame.extend((long as u64).to_be_bytes());
                }
            },
        }
        frame.extend(payload);
        self.0.write_all(&frame).await?;
        self.0.flush().await
    }
}

impl<T: AsyncRead> Hearer<T> {
    /// The next thing that matters. An error when the peer is gone, or does not keep to
    /// the protocol. Must not be dropped half-way.
    pub async fn hear(&mut self) -> io::Result<Heard> {
        loop {
            let (kind, payload) = self.frame().await?;
            match kind {
                CLOSE => return Ok(Heard::Close),
                PING => return Ok(Heard::Ping(payload)),
                _ => {}
            }
        }
    }

    async fn frame(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut head = [0; 2];
        self.0.read_exact(&mut head).await?;
        let [kind, length] = head;
        let length = match length & 0x7f {
            126 => u64::from(self.0.read_u16().await?),
            127 => self.0.read_u64().await?,
            short => u64::from(short),
        };
        // Clients mask, so that nobody between takes what they say for something else.
        if head[1] & 0x80 == 0 || length > HEARD_BYTES_MAX {
            return Err(io::Error::other("a frame that is not masked, or too long"));
        }
        let mut mask = [0; 4];
        self.0.read_exact(&mut mask).await?;
        let mut payload = vec![0; length as usize];
        self.0.read_exact(&mut payload).await?;
        payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
        Ok((kind & 0x0f, payload))
    }
}

fn accept(key: &[u8]) -> String {
    let bytes = [key, GUID.as_bytes()].concat();
    // The protocol says so; nothing is kept secret by it.
    STANDARD.encode(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &bytes))
}

/// Whether a header that is a list has a word, in whatever letters.
fn has_word(headers: &HeaderMap, name: HeaderName, word: &str) -> bool {
    let lists = headers.get_all(name).into_iter().filter_map(|list| list.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|it| it.trim().eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_answered_as_in_the_standard() {
        assert_eq!(accept(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[tokio::test]
    async fn frames_of_all_lengths_are_told_and_only_masked_ones_heard() {
        let (ours, mut theirs) = tokio::io::duplex(1 << 20);
        let (hears, tells) = tokio::io::split(ours);
        let (mut teller, mut hearer) = (Teller(tells), Hearer(hears));
        for (length, head) in [(0, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10)] {
            teller.text(&"x".repeat(length)).await.unwrap();
            let mut frame = vec![0; head + length];
            theirs.read_exact(&mut frame).await.unwrap();
            assert_eq!(frame[0], 0x81);
            assert!(frame[head..].iter().all(|byte| *byte == b'x'));
        }
        // From the standard: a masked "Hello", here as a text and as a ping.
        let hello = [0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
        theirs.write_all(&[&[0x81], &hello[..], &[0x89], &hello[..]].concat()).await.unwrap();
        assert_eq!(hearer.hear().await.unwrap(), Heard::Ping(b"Hello".to_vec()));
        theirs.write_all(&[0x81, 0x01, b'x']).await.unwrap();
        assert!(hearer.hear().await.is_err(), "not masked");
    }
}
