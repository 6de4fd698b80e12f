//! The interpreter's states, moved by requests.
//!
//! A module is made once; then a driver loop written in Python
//! (`faces/driver.py`) waits inside the interpreter for calls, so that a call
//! compiles nothing: it is the answer to the driver's own host call
//! `_aw_next`. The same suspended state is what templates and snapshots hold.

use std::collections::{BTreeMap, VecDeque};

use monty::{MontyRepl, ReplFunctionCall, ReplProgress, ReplStartError};
use monty_types::unstable::{self, MontyNode};
use monty_types::{
    CallArgs, CompileOptions, DateTimeSource, ExtFunctionResult, MontyException, MontyObject,
    NameLookupResult, OsPolicy, PrintWriter, ProcessTime, RandomStart, ResourceLimits,
    ResourceTracker, SleepMode,
};

use super::answers::{self, Awaited};
use super::export::{ClassTable, ExportError, export};
use super::failures::{self, Scripts};
use super::import::Importer;
use super::print::Printer;
use super::{Link, cpu};
use crate::allocator;
use crate::program::{DRIVE, Unit};
use crate::protocol::{read_limits, request, write};
use crate::session::Limits;
use crate::wire::{Malformed, Reader};

/// One interpreter and what it waits for.
pub(super) struct Machine {
    pub(super) state: State,
    pub(super) scripts: Scripts,
    pub(super) classes: ClassTable,
    pub(super) limits: Limits,
    /// Units of the module that have still to run.
    pub(super) units: VecDeque<Unit>,
    /// What the driver's next `_aw_next` means.
    pub(super) phase: Phase,
    /// Whether making the module asked or told the host anything.
    pure_module: bool,
    /// Unanswered asynchronous calls by id, as they were told to the host.
    pub(super) pending: BTreeMap<u32, Vec<u8>>,
    /// The one call that everything waits for, as it was told to the host.
    pub(super) asked: Option<Vec<u8>>,
    pub(super) host_calls: usize,
    /// The beginning of a module, made before it was asked for, and its source.
    prepared: Option<(String, MontyRepl)>,
}

pub(super) enum State {
    Empty,
    /// At the driver's `_aw_next`.
    Ready(Box<ReplProgress>),
    /// At a call that the host answers.
    Waiting(Box<ReplProgress>, Awaited),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Loading,
    Running,
}

/// How a stretch of running ended.
type Ran = Result<ReplProgress, Box<ReplStartError>>;

impl Machine {
    pub(super) fn new() -> Self {
        Machine {
            state: State::Empty,
            scripts: Scripts::default(),
            classes: ClassTable::default(),
            limits: Limits::default(),
            units: VecDeque::new(),
            phase: Phase::Loading,
            pure_module: true,
            pending: BTreeMap::new(),
            asked: None,
            host_calls: 0,
            prepared: None,
        }
    }

    /// Makes what all modules start with, so that [`Machine::load`] finds it. What
    /// goes wrong here goes wrong there again, and is told then.
    pub(super) fn prepare(&mut self, frame: &[u8]) {
        let mut r = Reader::new(frame);
        let (Ok(_), Ok(source)) = (r.u8(), r.str()) else { return };
        allocator::rebase();
        let mut repl = empty_module(&self.limits);
        self.start_clock();
        let ran = repl.feed_run(source, ways_out(), PrintWriter::Disabled);
        if !cpu::stop_and_check() && ran.is_ok() {
            self.prepared = Some((source.to_owned(), repl));
        }
    }

    /// Does what the pool asks and gives the frame to answer with; printed text
    /// goes out before it.
    pub(super) fn handle(&mut self, mut r: Reader<'_>, link: &mut Link) -> Vec<u8> {
        let mut printer = Printer::new(link, self.limits.output);
        let reply = match r.u8() {
            Ok(request::LOAD) => self.load(&mut r, &mut printer),
            Ok(request::RESTORE) => self.restore(&mut r),
            Ok(request::CALL) => self.call(&mut r, &mut printer),
            Ok(request::RESUME) => self.resume(&mut r, &mut printer),
            Ok(request::SAVE) => Ok(self.save()),
            _ => Err(Malformed),
        };
        if printer.sent_any() {
            self.pure_module = false;
        }
        let over = printer.finish();
        match reply {
            Ok(_) if over => write::limit(&failures::output_limit(self.limits.output)),
            Ok(reply) => reply,
            // Only a broken pool sends what a worker cannot read.
            Err(Malformed) => write::refused("the request is malformed"),
        }
    }

    fn load(
        &mut self,
        r: &mut Reader<'_>,
        printer: &mut Printer<'_>,
    ) -> Result<Vec<u8>, Malformed> {
        let prepared = self.prepared.take();
        *self = Machine::new();
        if prepared.is_none() {
            allocator::rebase();
        }
        let file = r.str()?.to_owned();
        let n = r.count()?;
        for _ in 0..n {
            let users = r.u8()? == 1;
            self.units.push_back(Unit { users, source: r.str()?.to_owned() });
        }
        self.scripts = Scripts::new(file);
        let first = self.units.front().map(|unit| unit.source.as_str());
        let repl = match prepared {
            Some((source, repl)) if first == Some(&source) => {
                self.units.pop_front();
                repl
            }
            _ => empty_module(&self.limits),
        };
        self.start_clock();
        let ran = self.feed_next(repl, printer);
        Ok(self.go_on(ran, printer))
    }

    /// Runs the next unit of the module; the last is the driver, which does not end.
    fn feed_next(&mut self, repl: MontyRepl, printer: &mut Printer<'_>) -> Ran {
        let unit = self.units.pop_front().unwrap_or(Unit { users: false, source: DRIVE.into() });
        self.scripts.note(repl.next_script_name(), unit.users);
        repl.feed_start(&unit.source, ways_out(), PrintWriter::Callback(printer))
    }

    fn call(
        &mut self,
        r: &mut Reader<'_>,
        printer: &mut Printer<'_>,
    ) -> Result<Vec<u8>, Malformed> {
        self.limits = read_limits(r)?;
        printer.set_limit(self.limits.output);
        let State::Ready(mut progress) = std::mem::replace(&mut self.state, State::Empty) else {
            return Err(Malformed);
        };
        self.host_calls = 0;
        self.start_clock();
        let mut importer = Importer::default();
        let function = importer.text(r.str()?);
        let input_class = match r.str()? {
            "" => importer.graph.push(MontyNode::None),
            class => importer.text(class),
        };
        let forget = r.u8()? == 1;
        let n = r.count()?;
        let args = importer.list(r, n, 0)?;
        let kwargs = importer.dict(r, 0)?;
        let repairs = importer.repairs();
        let changes = importer.changes(forget);
        let parts = vec![function, args, kwargs, repairs, input_class, changes];
        let root = importer.graph.push(MontyNode::Tuple(parts));
        let order = unstable::object_from_graph(importer.graph, root).map_err(|_| Malformed)?;
        *progress.tracker_mut() = tracker(&self.limits);
        if self.classes.is_empty() {
            progress = self.read_classes(progress, printer)?;
        }
        let ReplProgress::FunctionCall(call) = *progress else { return Err(Malformed) };
        let ran = call.resume(order, PrintWriter::Callback(printer));
        Ok(self.go_on(ran, printer))
    }

    /// Asks the driver which classes are ours. Not before the first call: being
    /// asked gives them random identities, and the state of a fresh module must
    /// be the same in every process.
    fn read_classes(
        &mut self,
        progress: Box<ReplProgress>,
        printer: &mut Printer<'_>,
    ) -> Result<Box<ReplProgress>, Malformed> {
        let ReplProgress::FunctionCall(call) = *progress else { return Err(Malformed) };
        let order = MontyObject::tuple([
            MontyObject::string("_aw_class_table"),
            MontyObject::list([]),
            MontyObject::dict([]),
            MontyObject::none(),
            MontyObject::none(),
            MontyObject::none(),
        ]);
        match call.resume(order, PrintWriter::Callback(printer)) {
            Ok(ReplProgress::FunctionCall(mut call)) if call.function_name == "_aw_next" => {
                let args = std::mem::replace(&mut call.args, CallArgs::new());
                let (graph, roots, _) = unstable::call_args_parts(&args);
                let root = roots.first().ok_or(Malformed)?;
                self.classes = ClassTable::read(graph, *root).ok_or(Malformed)?;
                Ok(Box::new(ReplProgress::FunctionCall(call)))
            }
            _ => Err(Malformed),
        }
    }

    fn resume(
        &mut self,
        r: &mut Reader<'_>,
        printer: &mut Printer<'_>,
    ) -> Result<Vec<u8>, Malformed> {
        let State::Waiting(progress, awaited) = std::mem::replace(&mut self.state, State::Empty)
        else {
            return Err(Malformed);
        };
        self.asked = None;
        let mut results = Vec::new();
        for _ in 0..r.count()? {
            let id = u32::try_from(r.uint()?).map_err(|_| Malformed)?;
            results.push((id, answers::read(r)?));
        }
        let print = PrintWriter::Callback(printer);
        let ran = match *progress {
            ReplProgress::FunctionCall(call) => {
                let (_, answer) = results.pop().ok_or(Malformed)?;
                call.resume(answer.for_code(), print)
            }
            ReplProgress::OsCall(call) => {
                let (_, answer) = results.pop().ok_or(Malformed)?;
                {
                    let answer = answer.for_system(&awaited, &call.function_call);
                    call.resume(answer, print)
                }
            }
            ReplProgress::ResolveFutures(futures) => {
                results.retain(|(id, _)| self.pending.remove(id).is_some());
                let results = results.into_iter().map(|(id, answer)| (id, answer.for_code()));
                futures.resume(results.collect(), print)
            }
            ReplProgress::NameLookup(_) | ReplProgress::Complete { .. } => return Err(Malformed),
        };
        Ok(self.go_on(ran, printer))
    }

    /// Runs until the host is needed or the call is over, and says which.
    fn go_on(&mut self, mut ran: Ran, printer: &mut Printer<'_>) -> Vec<u8> {
        loop {
            let progress = match ran {
                Ok(progress) => progress,
                Err(error) => return self.raised(*error, printer),
            };
            ran = match progress {
                ReplProgress::Complete { repl, .. } => self.feed_next(repl, printer),
                ReplProgress::NameLookup(lookup) => {
                    lookup.resume(NameLookupResult::Undefined, PrintWriter::Callback(printer))
                }
                ReplProgress::FunctionCall(mut call) => match call.function_name.as_str() {
                    "_aw_next" => return self.finished(call),
                    "_aw_host" | "_aw_async" => {
                        let args = std::mem::replace(&mut call.args, CallArgs::new());
                        match self.note_host_call(call.call_id, &args) {
                            Ok(body) if call.function_name == "_aw_async" => {
                                self.pending.insert(call.call_id, body);
                                call.resume_pending(PrintWriter::Callback(printer))
                            }
                            Ok(body) => {
                                let progress = ReplProgress::FunctionCall(call);
                                return self.ask(progress, Awaited::Code, body);
                            }
                            Err(Refusal::Raise(error)) => {
                                call.resume(error, PrintWriter::Callback(printer))
                            }
                            Err(Refusal::Limit(reply)) => return reply,
                        }
                    }
                    name => {
                        let missing = ExtFunctionResult::NotFound(name.to_owned());
                        call.resume(missing, PrintWriter::Callback(printer))
                    }
                },
                ReplProgress::OsCall(call) => match answers::system_call(&call.function_call) {
                    Ok((name, arguments, awaited)) => {
                        if let Err(reply) = self.count_host_call() {
                            return reply;
                        }
                        let body = write::host_call_body(call.call_id, name, &arguments);
                        if matches!(awaited, Awaited::Sleep) {
                            let id = call.call_id;
                            self.pending.insert(id, body);
                            call.resume(
                                ExtFunctionResult::Future(id),
                                PrintWriter::Callback(printer),
                            )
                        } else {
                            return self.ask(ReplProgress::OsCall(call), awaited, body);
                        }
                    }
                    Err(answer) => call.resume(answer, PrintWriter::Callback(printer)),
                },
                ReplProgress::ResolveFutures(futures) => {
                    self.state = State::Waiting(
                        Box::new(ReplProgress::ResolveFutures(futures)),
                        Awaited::Code,
                    );
                    return self.waiting_reply();
                }
            };
        }
    }

    /// The driver asks for the next call: what ran before it has ended.
    fn finished(&mut self, mut call: ReplFunctionCall) -> Vec<u8> {
        let over = cpu::stop_and_check();
        let args = std::mem::replace(&mut call.args, CallArgs::new());
        let (graph, roots, _) = unstable::into_call_args_parts(args);
        let root = roots.first().copied();
        self.state = State::Ready(Box::new(ReplProgress::FunctionCall(call)));
        self.pending.clear();
        let Some(root) = root else { return write::refused("the driver gave no answer") };
        if self.phase == Phase::Loading {
            self.phase = Phase::Running;
            return write::ready(self.pure_module);
        }
        if over {
            return write::limit(&failures::cpu_limit(&self.limits, Vec::new()));
        }
        match export(&graph, root, &self.classes, self.limits.output) {
            Ok(value) => write::returned(&value),
            Err(ExportError::NotData(why)) => write::raised(&failures::not_data(why)),
            Err(ExportError::TooLarge) => write::limit(&failures::output_limit(self.limits.output)),
        }
    }

    /// The call raised. The interpreter itself is well, so the driver starts again.
    fn raised(&mut self, error: ReplStartError, printer: &mut Printer<'_>) -> Vec<u8> {
        let cpu_over = cpu::stop_and_check();
        let ReplStartError { repl, error } = error;
        self.pending.clear();
        if let Some(limit) = failures::limit(&error, cpu_over, &self.limits, &self.scripts) {
            self.state = State::Empty;
            return write::limit(&limit);
        }
        let failure = failures::exception(&error, &self.scripts);
        if self.phase == Phase::Loading {
            self.state = State::Empty;
            return write::raised(&failure);
        }
        self.units.clear();
        match self.feed_next(repl, printer) {
            Ok(ReplProgress::FunctionCall(mut call)) if call.function_name == "_aw_next" => {
                call.args = CallArgs::new();
                self.state = State::Ready(Box::new(ReplProgress::FunctionCall(call)));
            }
            _ => self.state = State::Empty,
        }
        write::raised(&failure)
    }

    /// Encodes what `_aw_host(name, args, kwargs)` was given.
    fn note_host_call(&mut self, id: u32, args: &CallArgs) -> Result<Vec<u8>, Refusal> {
        self.count_host_call().map_err(Refusal::Limit)?;
        let (graph, roots, _) = unstable::call_args_parts(args);
        let [name, args, kwargs] = roots else {
            return Err(Refusal::Raise(MontyException::runtime_error(
                "a host call takes three arguments",
            )));
        };
        let MontyNode::String(name) = graph.node(*name) else {
            return Err(Refusal::Raise(MontyException::runtime_error("a host call has a name")));
        };
        let mut arguments = Vec::new();
        for root in [args, kwargs] {
            match export(graph, *root, &self.classes, self.limits.output) {
                Ok(bytes) => arguments.extend(bytes),
                Err(ExportError::NotData(why)) => {
                    let why = why.replace("cannot leave the function", "cannot be passed on");
                    return Err(Refusal::Raise(failures::type_error(why)));
                }
                Err(ExportError::TooLarge) => {
                    let failure = failures::output_limit(self.limits.output);
                    return Err(Refusal::Limit(write::limit(&failure)));
                }
            }
        }
        Ok(write::host_call_body(id, name, &arguments))
    }

    fn count_host_call(&mut self) -> Result<(), Vec<u8>> {
        self.pure_module = false;
        self.host_calls += 1;
        if self.host_calls > self.limits.host_calls {
            cpu::stop_and_check();
            return Err(write::limit(&failures::call_limit(self.limits.host_calls)));
        }
        Ok(())
    }

    /// Waits for the answer of one call.
    fn ask(&mut self, progress: ReplProgress, awaited: Awaited, body: Vec<u8>) -> Vec<u8> {
        self.asked = Some(body);
        self.state = State::Waiting(Box::new(progress), awaited);
        self.waiting_reply()
    }

    /// What the host is told while its answer is waited for.
    pub(super) fn waiting_reply(&self) -> Vec<u8> {
        match &self.asked {
            Some(body) => write::host_calls(std::slice::from_ref(body), false),
            None => write::host_calls(&self.pending.values().cloned().collect::<Vec<_>>(), true),
        }
    }

    pub(super) fn start_clock(&self) {
        allocator::set_hard_limit(self.limits.memory);
        cpu::start(self.limits.cpu);
    }
}

enum Refusal {
    Raise(MontyException),
    Limit(Vec<u8>),
}

fn empty_module(limits: &Limits) -> MontyRepl {
    let policy = OsPolicy {
        datetime: DateTimeSource::CallHost,
        sleep: SleepMode::CallHost,
        process_time: ProcessTime::Zero,
        random_start: RandomStart::CallHost,
        ..OsPolicy::default()
    };
    // An exception's text is the file's own, with nothing about the operands.
    let options =
        CompileOptions { assert_message_annotations: false.into(), ..CompileOptions::default() };
    MontyRepl::new("module", tracker(limits), options).with_os_policy(policy)
}

/// The faces call out through these; `exec` finds no other way out.
fn ways_out() -> Vec<(String, MontyObject)> {
    ["_aw_host", "_aw_async"]
        .map(|name| (name.to_owned(), MontyObject::function(name, None)))
        .to_vec()
}

pub(super) fn tracker(limits: &Limits) -> ResourceTracker {
    ResourceTracker::new(ResourceLimits {
        max_memory: Some(limits.memory),
        max_recursion_depth: limits.depth.clamp(10, 1000),
        ..ResourceLimits::default()
    })
}
