//! Search in a folder of documents, without a network: BM25 over passages.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use weaver_core::Value;

use crate::tool::ToolError;

/// Limits that keep a search quick whatever folder it is pointed at.
const FILES_MAX: usize = 5_000;
const FILE_BYTES_MAX: u64 = 1 << 20;
const DEPTH_MAX: usize = 12;
/// A passage ends with the paragraph in which it reaches this length.
const PASSAGE_CHARS: usize = 700;
/// BM25's usual constants: how soon repetition stops counting, how much length does.
const K1: f64 = 1.2;
const B: f64 = 0.75;

/// Folders of text and Markdown files. Cheap to clone; clones share the index,
/// which is made at the first search and again when files have changed.
#[derive(Clone, Debug)]
pub struct Documents {
    folders: Arc<Vec<PathBuf>>,
    index: Arc<Mutex<Option<Arc<Index>>>>,
}

/// A piece of a document that fits a query.
#[derive(Clone, Debug, PartialEq)]
pub struct Passage {
    /// The file, relative to its folder.
    pub path: String,
    /// The nearest heading above it; empty where there is none.
    pub heading: String,
    /// First line, from 1.
    pub line: u32,
    /// Last line.
    pub end_line: u32,
    /// BM25; larger is better, only comparable within one search.
    pub score: f64,
    /// The text.
    pub text: String,
}

impl Passage {
    /// `{"path", "line", "end_line", "heading", "score", "text"}`.
    pub fn to_value(&self) -> Value {
        Value::map([
            ("path", Value::str(&*self.path)),
            ("line", self.line.into()),
            ("end_line", self.end_line.into()),
            ("heading", Value::str(&*self.heading)),
            ("score", Value::Float((self.score * 1000.0).round() / 1000.0)),
            ("text", Value::str(&*self.text)),
        ])
    }
}

impl Documents {
    /// Folders to search in; those that do not exist have no documents.
    pub fn new(folders: Vec<PathBuf>) -> Self {
        Documents { folders: Arc::new(folders), index: Arc::default() }
    }

    /// The best passages for a query, the best first, on a thread of its own.
    pub async fn search(&self, query: &str, limit: usize) -> Result<Vec<Passage>, ToolError> {
        let (this, query) = (self.clone(), query.to_string());
        let work = tokio::task::spawn_blocking(move || this.index().search(&query, limit));
        work.await.map_err(|_| ToolError::failed("the search was broken off"))
    }

    /// How many files there are to search in.
    pub async fn file_count(&self) -> usize {
        let this = self.clone();
        tokio::task::spawn_blocking(move || files(&this.folders).len()).await.unwrap_or(0)
    }

    fn index(&self) -> Arc<Index> {
        let files = files(&self.folders);
        let mut known = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = known.as_ref().filter(|index| index.files == files) {
            return index.clone();
        }
        let index = Arc::new(Index::new(files));
        *known = Some(index.clone());
        index
    }
}

/// A file as it was when it was read; equal lists mean that nothing changed.
#[derive(Clone, Debug, PartialEq)]
struct FileMark {
    path: PathBuf,
    name: String,
    size: u64,
    modified: Option<SystemTime>,
}

#[derive(Debug)]
struct Index {
    files: Vec<FileMark>,
    passages: Vec<Entry>,
    /// How many passages hold a term.
    frequency: HashMap<String, u32>,
    mean_length: f64,
}

#[derive(Debug)]
struct Entry {
    passage: Passage,
    terms: HashMap<String, u32>,
    length: u32,
}

impl Index {
    fn new(files: Vec<FileMark>) -> Self {
        let mut passages = Vec::new();
        for file in &files {
            // A file that cannot be read, or is no text, has no passages.
            if let Ok(text) = std::fs::read_to_string(&file.path) {
                passages.extend(split(&file.name, &text).into_iter().map(Entry::new));
            }
        }
        let mut frequency = HashMap::new();
        for term in passages.iter().flat_map(|entry| entry.terms.keys()) {
            *frequency.entry(term.clone()).or_insert(0) += 1;
        }
        let total: u64 = passages.iter().map(|entry| u64::from(entry.length)).sum();
        let mean_length = total as f64 / passages.len().max(1) as f64;
        Index { files, passages, frequency, mean_length }
    }

    fn search(&self, query: &str, limit: usize) -> Vec<Passage> {
        let mut terms = terms(query);
        terms.sort();
        terms.dedup();
        let mut found: Vec<(f64, &Entry)> = self
            .passages
            .iter()
            .map(|entry| (self.score(entry, &terms), entry))
            .filter(|(score, _)| *score > 0.0)
            .collect();
        // The order of files and lines decides among equals: same query, same answer.
        found.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        let best = found.into_iter().take(limit);
        best.map(|(score, entry)| Passage { score, ..entry.passage.clone() }).collect()
    }

    fn score(&self, entry: &Entry, terms: &[String]) -> f64 {
        let count = self.passages.len() as f64;
        let weigh = |term: &String| {
            let times = f64::from(*entry.terms.get(term)?);
            let holders = f64::from(*self.frequency.get(term)?);
            let rarity = (1.0 + (count - holders + 0.5) / (holders + 0.5)).ln();
            let length = f64::from(entry.length) / self.mean_length;
            Some(rarity * times * (K1 + 1.0) / (times + K1 * (1.0 - B + B * length)))
        };
        terms.iter().filter_map(weigh).sum()
    }
}

impl Entry {
    fn new(passage: Passage) -> Self {
        let mut counts = HashMap::new();
        let mut length = 0;
        // What a passage is about stands in its heading and file name too.
        for text in [&passage.text, &passage.heading, &passage.path] {
            for term in terms(text) {
                *counts.entry(term).or_insert(0) += 1;
                length += 1;
            }
        }
        Entry { passage, terms: counts, length }
    }
}

/// Words in lower case without a plural `s`; Chinese, Japanese and Korean text,
/// which has no blanks, as pairs of characters.
fn terms(text: &str) -> Vec<String> {
    let mut terms = Vec::new();
    for word in text.to_lowercase().split(|c: char| !c.is_alphanumeric()) {
        let chars: Vec<char> = word.chars().collect();
        if chars.iter().copied().any(is_cjk) {
            let pairs = chars.windows(2).map(|pair| pair.iter().collect());
            terms.extend(pairs);
            terms.extend((chars.len() == 1).then(|| word.to_string()));
        } else if !word.is_empty() {
            let plural = word.len() > 3 && word.ends_with('s') && !word.ends_with("ss");
            terms.push(word[..word.len() - usize::from(plural)].into());
        }
    }
    terms
}

fn is_cjk(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{20000}'..='\u{3ffff}')
}

/// Paragraphs put together to passages that end at blank lines and headings.
fn split(name: &str, text: &str) -> Vec<Passage> {
    let mut passages = Vec::new();
    let mut heading = String::new();
    let mut lines: Vec<&str> = Vec::new();
    let mut first = 1;
    let mut in_code = false;
    let mut close = |lines: &mut Vec<&str>, first: u32, heading: &str| {
        let text = lines.join("\n");
        if !text.trim().is_empty() {
            passages.push(Passage {
                path: name.into(),
                heading: heading.into(),
                line: first,
                end_line: first + lines.len() as u32 - 1,
                score: 0.0,
                text: text.trim_end().into(),
            });
        }
        lines.clear();
    };
    for (number, line) in (1..).zip(text.lines()) {
        in_code ^= line.trim_start().starts_with("```");
        let is_heading =
            !in_code && line.starts_with('#') && line.trim_start_matches('#').starts_with(' ');
        let long = lines.iter().map(|line| line.len()).sum::<usize>() >= PASSAGE_CHARS;
        if is_heading || (line.trim().is_empty() && long) {
            close(&mut lines, first, &heading);
        }
        if is_heading {
            heading = line.trim_start_matches('#').trim().into();
        }
        if lines.is_empty() {
            first = number;
        }
        // A passage begins with text, so that its line number is where to look.
        if !(lines.is_empty() && line.trim().is_empty()) {
            lines.push(line);
        }
    }
    close(&mut lines, first, &heading);
    passages
}

fn files(folders: &[PathBuf]) -> Vec<FileMark> {
    let mut files = Vec::new();
    for folder in folders {
        collect(folder, folder, 0, &mut files);
    }
    files
}

/// Text files below a folder in the order of their names. Links, hidden entries
/// and folders of build products are passed over.
fn collect(root: &Path, folder: &Path, depth: usize, files: &mut Vec<FileMark>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut entries: Vec<_> = entries.flatten().collect();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Ok(kind) = entry.file_type() else { continue };
        if files.len() >= FILES_MAX || name.starts_with('.') {
            continue;
        }
        let skipped = matches!(name.as_str(), "target" | "node_modules" | "__pycache__");
        if kind.is_dir() && !skipped && depth < DEPTH_MAX {
            collect(root, &entry.path(), depth + 1, files);
        } else if kind.is_file() && is_text(&name) {
            let Ok(data) = entry.metadata() else { continue };
            if data.len() <= FILE_BYTES_MAX {
                let path = entry.path();
                let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
                files.push(FileMark {
                    path,
                    name,
                    size: data.len(),
                    modified: data.modified().ok(),
                });
            }
        }
    }
}

fn is_text(name: &str) -> bool {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    matches!(ending.as_deref(), Some("md" | "markdown" | "txt" | "rst" | "adoc" | "org"))
}
