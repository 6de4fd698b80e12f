//! A text that is being edited.

use std::ops::Range;
use std::sync::Arc;

use crate::analysis::{Analysis, Cache, analyse};

/// A text that is being edited. An edit costs what changed, not the whole text:
/// top-level statements that stay the same are not read again.
#[derive(Debug)]
pub struct Document {
    analysis: Analysis,
    /// The text as it was read last, with its statements.
    cache: Cache,
}

/// An edit that does not fit the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EditError {
    /// The range is not inside the text.
    OutOfRange,
    /// An end of the range is inside a character.
    InsideCharacter,
}

impl std::fmt::Display for EditError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            EditError::OutOfRange => "the edit is outside the text",
            EditError::InsideCharacter => "the edit begins or ends inside a character",
        })
    }
}

impl std::error::Error for EditError {}

impl Document {
    /// Reads a text for the first time.
    pub fn new(file_name: &str, source: &str) -> Self {
        let mut cache = Cache::default();
        let analysis = analyse(file_name.into(), source.into(), &mut cache);
        Document { analysis, cache }
    }

    /// Replaces a range of bytes.
    pub fn edit(&mut self, range: Range<usize>, text: &str) -> Result<&Analysis, EditError> {
        let source = &self.analysis.source;
        if range.start > range.end || range.end > source.len() {
            return Err(EditError::OutOfRange);
        }
        if !source.is_char_boundary(range.start) || !source.is_char_boundary(range.end) {
            return Err(EditError::InsideCharacter);
        }
        let edited = [&source[..range.start], text, &source[range.end..]].concat();
        Ok(self.read(edited.into()))
    }

    /// Replaces the whole text.
    pub fn replace(&mut self, source: &str) -> &Analysis {
        self.read(source.into())
    }

    fn read(&mut self, source: Arc<str>) -> &Analysis {
        self.analysis = analyse(self.analysis.file.clone(), source, &mut self.cache);
        &self.analysis
    }

    /// What is known of the text as it is now.
    pub fn analysis(&self) -> &Analysis {
        &self.analysis
    }
}
