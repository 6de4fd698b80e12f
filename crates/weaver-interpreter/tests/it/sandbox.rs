use crate::harness::*;

#[tokio::test]
async fn every_way_out_is_refused() {
    let results = pool().self_test().await.unwrap();
    assert!(results.len() >= 15);
    let open: Vec<_> = results.iter().filter(|(_, refused)| !refused).collect();
    assert!(open.is_empty(), "not refused: {open:?}");
}

#[tokio::test]
async fn the_walls_are_named() {
    let isolation = pool().isolation().await.unwrap();
    assert!(isolation.seccomp);
    let modules = std::fs::read_to_string("/sys/kernel/security/lsm").unwrap_or_default();
    assert!(isolation.landlock || !modules.contains("landlock"), "the kernel has landlock");
}

#[tokio::test]
async fn a_pool_without_workers_says_so() {
    let options = weaver_interpreter::PoolOptions::new("/nowhere".into(), vec![], KEY);
    let pool = weaver_interpreter::Pool::new(options);
    let session = pool.session(std::sync::Arc::new(program("")), binding("t", "e"));
    let failure = Host::default().run(session.call(request("f", &[]))).await.crashed();
    assert_eq!(failure.code, "interpreter_unavailable");
}

#[tokio::test]
async fn python_finds_no_files_and_no_environment() {
    for code in ["open('/etc/passwd')", "__import__('os').listdir('/')", "open('/tmp/x', 'w')"] {
        let source = format!("def f():\n    {code}\n");
        let failure = run(&source, "f", &[]).await.raised();
        assert!(failure.exception.is_some(), "{failure:?}");
    }
    assert_eq!(eval("import os\ndef f():\n    return dict(os.environ)\n").await, "{}");
    let failure = run("def f():\n    import socket\n", "f", &[]).await.raised();
    assert_eq!(failure.exception.as_deref(), Some("ModuleNotFoundError"));
}

#[tokio::test]
async fn a_program_that_is_no_worker_is_an_error_not_a_wait() {
    let options = weaver_interpreter::PoolOptions::new("/bin/true".into(), vec![], KEY);
    let pool = weaver_interpreter::Pool::new(options);
    assert!(pool.isolation().await.unwrap_err().to_string().contains("sandboxed"));
}
