//! Python exceptions and broken limits become failures.

use std::collections::BTreeSet;

use monty_types::{ExcType, MontyException, StackFrame};
use weaver_core::failure::python_quoted;
use weaver_core::{Failure, FailureKind, Frame};

use crate::session::Limits;
use crate::wire::{Malformed, Reader, Writer};

/// Marks the message of an exception whose class Python does not have builtin:
/// mark, class and bases separated by commas, number of the instance, mark, text.
/// `faces/core.py` writes and reads the same.
pub(super) const CLASS_MARK: char = '\u{1e}';

/// Which of the interpreter's inputs are the user's file.
#[derive(Default)]
pub(super) struct Scripts {
    file: String,
    users: BTreeSet<String>,
}

impl Scripts {
    pub(super) fn new(file: String) -> Self {
        Scripts { file, users: BTreeSet::new() }
    }

    /// Notes the name that the interpreter gives the next input.
    pub(super) fn note(&mut self, name: String, users: bool) {
        if users {
            self.users.insert(name);
        }
    }

    pub(super) fn save(&self, w: &mut Writer) {
        w.str(&self.file);
        w.uint(self.users.len() as u64);
        self.users.iter().for_each(|name| w.str(name));
    }

    pub(super) fn restore(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let file = r.str()?.to_owned();
        let n = r.count()?;
        let users = (0..n).map(|_| Ok(r.str()?.to_owned())).collect::<Result<_, _>>()?;
        Ok(Scripts { file, users })
    }

    fn traceback(&self, frames: &[StackFrame]) -> Vec<Frame> {
        const KEPT_AT_EACH_END: usize = 20;
        let ours = frames.iter().filter(|frame| self.users.contains(&frame.filename));
        let mut frames: Vec<Frame> = ours.map(|frame| self.frame(frame)).collect();
        if frames.len() > 2 * KEPT_AT_EACH_END {
            frames.drain(KEPT_AT_EACH_END..frames.len() - KEPT_AT_EACH_END);
        }
        frames
    }

    fn frame(&self, frame: &StackFrame) -> Frame {
        let (start, end) = (&frame.start, &frame.end);
        let one_line = start.line == end.line && end.column > start.column;
        Frame {
            file: self.file.clone(),
            line: start.line.max(1),
            column: Some(start.column.max(1)),
            end_column: one_line.then_some(end.column),
            function: frame.frame_name.clone().unwrap_or_else(|| "<module>".into()),
        }
    }
}

/// What the user's code raised.
pub(super) fn exception(error: &MontyException, scripts: &Scripts) -> Failure {
    let (class, bases, message) = class_and_message(error);
    let mut failure = Failure::exception(&class, message);
    failure.bases = bases;
    failure.traceback = scripts.traceback(error.traceback());
    failure
}

/// The limit that the error stands for, if it does.
pub(super) fn limit(
    error: &MontyException,
    cpu_over: bool,
    limits: &Limits,
    scripts: &Scripts,
) -> Option<Failure> {
    let traceback = scripts.traceback(error.traceback());
    if cpu_over {
        return Some(cpu_limit(limits, traceback));
    }
    let mut failure = match error.exc_type() {
        ExcType::MemoryError => memory_failure(limits),
        ExcType::RecursionError => recursion_failure(limits),
        _ => return None,
    };
    failure.traceback = traceback;
    Some(failure)
}

pub(super) fn cpu_limit(limits: &Limits, traceback: Vec<Frame>) -> Failure {
    let mut failure = cpu_failure(limits);
    failure.traceback = traceback;
    failure
}

pub(crate) fn cpu_failure(limits: &Limits) -> Failure {
    let message = format!("the function used more than {:?} of processor time", limits.cpu);
    Failure::new(FailureKind::Limit, "python_cpu_limit", message)
        .with_help("an endless loop, most likely; otherwise raise the node's time limit")
}

fn recursion_failure(limits: &Limits) -> Failure {
    let depth = limits.depth.clamp(10, 1000);
    let message = format!("the function called itself more than {depth} deep");
    Failure::new(FailureKind::Limit, "python_recursion", message)
        .with_help("a missing end condition, most likely; otherwise use a loop")
}

pub(crate) fn memory_failure(limits: &Limits) -> Failure {
    let message = format!("the function used more than {} of memory", show_bytes(limits.memory));
    Failure::new(FailureKind::Limit, "python_memory_limit", message)
        .with_help("keep less in memory at once, or raise the node's memory limit")
}

pub(super) fn output_limit(limit: usize) -> Failure {
    let message =
        format!("the function returned, printed or passed on more than {}", show_bytes(limit));
    Failure::new(FailureKind::Limit, "python_output_limit", message)
        .with_help("keep large data in files or a store and pass on where it is")
}

pub(super) fn call_limit(limit: usize) -> Failure {
    let message = format!("the function made more than {limit} calls to the host");
    Failure::new(FailureKind::Limit, "python_call_limit", message)
        .with_help("an endless loop around a model or tool call, most likely")
}

/// A result that is no data.
pub(super) fn not_data(why: String) -> Failure {
    let mut failure = Failure::exception("TypeError", why);
    failure.code = "not_data".into();
    failure.with_help("return plain data: dicts, lists, text, numbers, messages, schema instances")
}

pub(super) fn type_error(message: String) -> MontyException {
    MontyException::new(ExcType::TypeError, Some(message))
}

pub(crate) fn show_bytes(n: usize) -> String {
    match n {
        n if n >= 1 << 20 => format!("{} MiB", n >> 20),
        n if n >= 1 << 10 => format!("{} KiB", n >> 10),
        n => format!("{n} bytes"),
    }
}

fn class_and_message(error: &MontyException) -> (String, Vec<String>, String) {
    let message = error.message().unwrap_or_default();
    let builtin = error.exc_type();
    if let Some(marked) = message.strip_prefix(CLASS_MARK)
        && let Some((head, text)) = marked.split_once(CLASS_MARK)
    {
        let mut names = head.split(',').map(str::to_owned);
        let class = names.next().unwrap_or_default();
        let mut bases: Vec<String> = names.filter(|name| name.parse::<u32>().is_err()).collect();
        bases.extend(bases_of(builtin, true));
        bases.dedup();
        return (class, bases, text.to_owned());
    }
    let class: &str = builtin.into();
    (
        class.rsplit('.').next().unwrap_or(class).to_owned(),
        bases_of(builtin, false),
        match builtin {
            // The text of a `KeyError` is its key as Python writes it.
            ExcType::KeyError if error.message().is_some() => python_quoted(message),
            _ => message.to_owned(),
        },
    )
}

/// Base classes below `Exception`, nearest first.
fn bases_of(class: ExcType, with_itself: bool) -> Vec<String> {
    const NEAREST_FIRST: [ExcType; 8] = [
        ExcType::ValueError,
        ExcType::OSError,
        ExcType::ImportError,
        ExcType::NameError,
        ExcType::AttributeError,
        ExcType::RuntimeError,
        ExcType::LookupError,
        ExcType::ArithmeticError,
    ];
    let plain = |class: ExcType| -> &'static str { class.into() };
    let itself = with_itself && !matches!(class, ExcType::Exception | ExcType::BaseException);
    let mut bases = Vec::new();
    if itself {
        bases.push(plain(class).to_owned());
    }
    for base in NEAREST_FIRST {
        if class != base && class.is_subclass_of(base) {
            bases.push(plain(base).to_owned());
        }
    }
    bases
}
