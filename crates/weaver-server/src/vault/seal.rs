//! [`Key`]: seals small secrets, and opens them again.
//!
//! A box is one byte of format, a random nonce of 12 bytes, and AES-256-GCM's output.
//! What the box is about (whose, which version) is authenticated with it, so that one
//! cannot be put in the place of another.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use weaver_core::Hash;

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;

const FORMAT: u8 = 1;

/// A key that seals. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Key([u8; KEY_BYTES]);

/// It is not sealed with this key, or not about this.
#[derive(Debug, PartialEq, Eq)]
pub struct Unopened;

impl Key {
    /// A new key.
    pub fn random() -> Self {
        Key(random())
    }

    /// A key of so many bytes.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Key)
    }

    /// Reads 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() != 2 * KEY_BYTES || !text.is_ascii() {
            return None;
        }
        let digits = (0..KEY_BYTES).map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).ok());
        Key::of(&digits.collect::<Option<Vec<u8>>>()?)
    }

    /// The digits that [`Key::parse`] reads.
    pub fn digits(&self) -> String {
        hex(&self.0)
    }

    /// The bytes, to be sealed with another key.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Tells keys apart and says nothing of them.
    pub fn id(&self) -> String {
        let hash = Hash::of_parts([b"the name of a master key".as_slice(), &self.0]);
        hex(&hash.0[..8])
    }

    /// Seals a secret that is about something.
    pub fn seal(&self, secret: &[u8], about: &str) -> Vec<u8> {
        let nonce: [u8; NONCE_LEN] = random();
        let mut sealed = secret.to_vec();
        self.cipher()
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(about.as_bytes()),
                &mut sealed,
            )
            .expect("a secret is shorter than 64 GiB");
        [&[FORMAT], &nonce[..], &sealed].concat()
    }

    /// Opens what was sealed about the same.
    pub fn open(&self, sealed: &[u8], about: &str) -> Result<Vec<u8>, Unopened> {
        let Some((&[FORMAT], rest)) = sealed.split_first_chunk::<1>() else {
            return Err(Unopened);
        };
        let (nonce, rest) = rest.split_first_chunk::<NONCE_LEN>().ok_or(Unopened)?;
        let mut secret = rest.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = self.cipher().open_in_place(nonce, Aad::from(about.as_bytes()), &mut secret);
        let length = opened.map_err(|_| Unopened)?.len();
        secret.truncate(length);
        Ok(secret)
    }

    fn cipher(&self) -> LessSafeKey {
        let key = UnboundKey::new(&AES_256_GCM, &self.0).expect("a key has 32 bytes");
        LessSafeKey::new(key)
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).expect("the system gives random bytes");
    bytes
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_opens_with_its_key_about_its_matter_and_whole() {
        let key = Key::random();
        let sealed = key.seal(b"secret", "tenant openai");
        assert_eq!(key.open(&sealed, "tenant openai").unwrap(), b"secret");
        assert_ne!(key.seal(b"secret", "tenant openai"), sealed, "each has its own nonce");
        assert_eq!(key.open(&sealed, "other openai"), Err(Unopened));
        assert_eq!(Key::random().open(&sealed, "tenant openai"), Err(Unopened));
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(key.open(&changed, "tenant openai"), Err(Unopened), "byte {at}");
            assert_eq!(key.open(&sealed[..at], "tenant openai"), Err(Unopened), "cut at {at}");
        }
    }

    #[test]
    fn keys_are_written_as_digits_and_never_shown() {
        let key = Key::random();
        assert_eq!(Key::parse(&format!(" {}\n", key.digits())), Some(key.clone()));
        assert_eq!(format!("{key:?}"), "***");
        assert!(!key.digits().contains(&key.id()));
        for wrong in ["", "abc", &"g".repeat(64), &"é".repeat(32)] {
            assert_eq!(Key::parse(wrong), None, "{wrong}");
        }
    }
}
