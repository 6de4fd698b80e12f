//! The walls around a worker. Put up once, before the first byte of Python is
//! read; a wall that cannot be put up fails the spawn.
//!
//! Processor time has no rlimit: it would count the whole life of a worker, not
//! one call (see [`super::cpu`]).

use std::collections::BTreeMap;
use std::ffi::CString;

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetStatus,
    Scope,
};
use nix::libc;
use nix::sys::resource::{Resource, setrlimit};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};

use super::cpu;

/// Address space: a backstop far above what the counting allocator allows.
const ADDRESS_SPACE_BYTES: u64 = 4 << 30;

/// Puts up all walls; says whether landlock is among them. The error is a sentence.
pub(super) fn enter() -> Result<bool, String> {
    fn step<E: std::fmt::Display>(what: &str) -> impl Fn(E) -> String {
        move |error| format!("{what}: {error}")
    }
    nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL).map_err(step("prctl"))?;
    nix::sys::prctl::set_dumpable(false).map_err(step("prctl"))?;
    nix::sys::prctl::set_no_new_privs().map_err(step("no_new_privs"))?;
    close_descriptors().map_err(step("close_range"))?;
    cpu::install().map_err(step("sigaction"))?;
    // Before the limit on descriptors: making a ruleset takes one for a moment.
    let landlock = close_files_and_network()?;
    limit_resources().map_err(step("setrlimit"))?;
    filter_system_calls().map_err(step("seccomp"))?;
    Ok(landlock)
}

fn close_descriptors() -> nix::Result<()> {
    // SAFETY: closes descriptors that nothing in a worker holds; 0 is the
    // socket, 1 and 2 are /dev/null.
    let result = unsafe { libc::syscall(libc::SYS_close_range, 3u32, u32::MAX, 0u32) };
    nix::errno::Errno::result(result).map(drop)
}

fn limit_resources() -> nix::Result<()> {
    for (resource, limit) in [
        (Resource::RLIMIT_AS, ADDRESS_SPACE_BYTES),
        (Resource::RLIMIT_NOFILE, 3),
        (Resource::RLIMIT_NPROC, 0),
        (Resource::RLIMIT_CORE, 0),
        (Resource::RLIMIT_FSIZE, 0),
    ] {
        setrlimit(resource, limit, limit)?;
    }
    Ok(())
}

/// Landlock with no rules: nothing may be opened or connected. False only where
/// the kernel has no landlock; there the system call filter stands alone.
fn close_files_and_network() -> Result<bool, String> {
    const VERSION_QUERY: u32 = 1;
    let none = std::ptr::null::<libc::c_void>();
    // SAFETY: asks for the version only; no pointer is read.
    let version =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, none, 0usize, VERSION_QUERY) };
    if version < 1 {
        return Ok(false);
    }
    let restrict = || {
        let abi = ABI::V6;
        Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(abi))?
            .handle_access(AccessNet::from_all(abi))?
            .scope(Scope::from_all(abi))?
            .create()?
            .restrict_self()
    };
    let status = restrict().map_err(|e: landlock::RulesetError| format!("landlock: {e}"))?;
    if status.ruleset == RulesetStatus::NotEnforced {
        return Err("landlock: the kernel has it but did not enforce it".into());
    }
    Ok(true)
}

/// What the interpreter needs: its socket, memory, time, and to end.
fn filter_system_calls() -> Result<(), Box<dyn std::error::Error>> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = [
        libc::SYS_read,
        libc::SYS_write,
        libc::SYS_munmap,
        libc::SYS_mremap,
        libc::SYS_brk,
        libc::SYS_madvise,
        libc::SYS_futex,
        libc::SYS_getrandom,
        libc::SYS_clock_gettime,
        libc::SYS_sched_yield,
        libc::SYS_setitimer,
        libc::SYS_sigaltstack,
        libc::SYS_rt_sigreturn,
        libc::SYS_rt_sigprocmask,
        libc::SYS_restart_syscall,
        libc::SYS_exit,
        libc::SYS_exit_group,
    ]
    .map(|call| (call, vec![]))
    .into();
    // As `read`, of the socket that every worker has.
    let standard_input = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, 0)?;
    let no_address = SeccompCondition::new(4, SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, 0)?;
    let receive = SeccompRule::new(vec![standard_input, no_address])?;
    rules.insert(libc::SYS_recvfrom, vec![receive]);
    let no_code = SeccompCondition::new(
        2,
        SeccompCmpArgLen::Dword,
        SeccompCmpOp::MaskedEq(libc::PROT_EXEC as u64),
        0,
    )?;
    for call in [libc::SYS_mmap, libc::SYS_mprotect] {
        rules.insert(call, vec![SeccompRule::new(vec![no_code.clone()])?]);
    }
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::Errno(libc::EPERM as u32),
        SeccompAction::Allow,
        std::env::consts::ARCH.try_into()?,
    )?;
    let program: BpfProgram = filter.try_into()?;
    seccompiler::apply_filter(&program)?;
    Ok(())
}

/// Tries from inside what must be impossible; true is refused. For tests and `doctor`.
pub(super) fn probe() -> Vec<(&'static str, bool)> {
    let path = CString::new("/etc/passwd").expect("no NUL");
    let shell = CString::new("/bin/sh").expect("no NUL");
    // SAFETY: plain system calls with valid or null pointers. Should one of
    // them work after all, the process reports it and is thrown away.
    unsafe {
        let page = |prot| {
            libc::mmap(
                std::ptr::null_mut(),
                4096,
                prot,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        vec![
            ("open", libc::open(path.as_ptr(), libc::O_RDONLY) < 0),
            ("create", libc::creat(c"/tmp/escape".as_ptr(), 0o600) < 0),
            ("stat", libc::access(path.as_ptr(), libc::F_OK) < 0),
            ("socket", libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0) < 0),
            ("unix socket", libc::socket(libc::AF_UNIX, libc::SOCK_STREAM, 0) < 0),
            ("fork", libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) < 0),
            ("exec", libc::execv(shell.as_ptr(), [shell.as_ptr(), std::ptr::null()].as_ptr()) < 0),
            ("ptrace", libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) < 0),
            ("kill", libc::kill(libc::getppid().max(1), 0) < 0),
            ("setuid", libc::setuid(0) < 0),
            ("unshare", libc::unshare(libc::CLONE_NEWUSER) < 0),
            ("mount", libc::syscall(libc::SYS_mount, 0, 0, 0, 0, 0) < 0),
            ("io_uring", libc::syscall(libc::SYS_io_uring_setup, 1, 0) < 0),
            ("bpf", libc::syscall(libc::SYS_bpf, 0, 0, 0) < 0),
            ("executable memory", page(libc::PROT_READ | libc::PROT_EXEC) == libc::MAP_FAILED),
            (
                "raise limits",
                libc::setrlimit(libc::RLIMIT_NOFILE, &libc::rlimit { rlim_cur: 64, rlim_max: 64 })
                    < 0,
            ),
        ]
    }
}
