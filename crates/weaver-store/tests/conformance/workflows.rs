//! Workflows that people keep.

use weaver_core::Hash;
use weaver_store::*;

use crate::support::*;

fn id(n: u128) -> WorkflowId {
    WorkflowId(uuid::Uuid::from_u128(n))
}

fn text(source: &str) -> WorkflowText {
    WorkflowText { file: "a.py".into(), source: source.into(), script: None }
}

fn workflow(store: &Store, n: u128) -> Workflow {
    Workflow {
        key: WorkflowKey { tenant: store.tenant(), id: id(n) },
        name: format!("Workflow {n}").into(),
        version: 1,
        revision: 1,
        file: "a.py".into(),
        hash: Hash::of(b"first"),
        layout: b"{}".to_vec(),
        created: at(1),
        updated: at(1),
    }
}

/// Keeps workflow `n`.
fn added(store: &Store, n: u128) -> Workflow {
    let workflow = workflow(store, n);
    let outcome = block_on(store.add_workflow(workflow.clone(), text("first"), None));
    assert_eq!(outcome, Ok(Accepted::New));
    workflow
}

/// A change of nothing.
fn change(workflow: &Workflow, version: u64) -> WorkflowChange {
    WorkflowChange { key: workflow.key, version, name: None, text: None, layout: None, time: at(9) }
}

pub fn a_workflow_keeps_every_text_it_has_had(store: &Store) {
    let library = store.library();
    let first = added(store, 1);
    let script = Some("- reply: hi\0".into());
    let second = WorkflowText { script, ..text("second\0 \u{1f41d}") };
    let to =
        WorkflowChange { text: Some((second.clone(), Hash::of(b"second"))), ..change(&first, 1) };
    let Changed::Done(changed) = get(library.change_workflow(to)) else { panic!("it is changed") };
    assert_eq!((changed.version, changed.revision, changed.updated), (2, 2, at(9)));

    // Who moves a node changes no text.
    let moved = WorkflowChange { layout: Some(b"{\"a\":{}}".to_vec()), ..change(&first, 2) };
    assert!(matches!(get(library.change_workflow(moved)), Changed::Done(_)));
    let (now, newest) = get(library.workflow(first.key)).unwrap();
    assert_eq!((now.version, now.revision, now.hash), (3, 2, Hash::of(b"second")));
    assert_eq!((newest.version, &newest.text), (2, &second));

    let all = get(library.revisions(first.key, None, 0));
    assert_eq!(all.iter().map(|revision| revision.version).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(all[1].text, text("first"));
    assert_eq!(get(library.revisions(first.key, Some(2), 0)), all[1..]);
    assert_eq!(get(library.revisions(first.key, None, 1)), all[..1]);

    // The same again is nothing new.
    let same = WorkflowChange { text: Some((second, Hash::of(b"second"))), ..change(&first, 3) };
    assert_eq!(get(library.change_workflow(same)), Changed::Done(now));
}

pub fn a_change_to_an_older_version_changes_nothing(store: &Store) {
    let library = store.library();
    let first = added(store, 1);
    let renamed = WorkflowChange { name: Some("Better".into()), ..change(&first, 1) };
    let Changed::Done(now) = get(library.change_workflow(renamed)) else { panic!("it is changed") };
    let late = WorkflowChange { name: Some("Late".into()), ..change(&first, 1) };
    assert_eq!(get(library.change_workflow(late)), Changed::Stale(now.clone()));
    assert_eq!(get(library.remove_workflow(first.key, Some(1))), Changed::Stale(now.clone()));
    assert_eq!(get(library.workflow(first.key)).unwrap().0, now);
    assert_eq!(get(library.remove_workflow(first.key, Some(2))), Changed::Done(now));
    assert_eq!(get(library.workflow(first.key)), None);
    assert_eq!(get(library.revisions(first.key, None, 0)), []);
    assert_eq!(get(library.remove_workflow(first.key, None)), Changed::Missing);
    assert_eq!(get(library.change_workflow(change(&first, 2))), Changed::Missing);
}

pub fn workflows_are_listed_newest_first_and_made_once(store: &Store) {
    let library = store.library();
    let all: Vec<Workflow> = (1..=3).map(|n| added(store, n)).collect();
    let listed = |before, limit| get(library.workflows(store.tenant(), before, limit));
    assert_eq!(listed(None, 0), [all[2].clone(), all[1].clone(), all[0].clone()]);
    assert_eq!(listed(Some(id(3)), 1), [all[1].clone()]);
    assert_eq!(listed(Some(id(1)), 0), []);

    let again = block_on(store.add_workflow(all[0].clone(), text("other"), None));
    assert!(matches!(again, Err(Error::Conflict(_))), "{again:?}");
    let once = |body: &[u8]| Idempotency {
        key: IdempotencyKey { caller: "c".into(), route: "r".into(), key: "k".into() },
        body: Hash::of(body),
        answer: b"4".to_vec(),
        time: at(1),
    };
    let make =
        |n, body| block_on(store.add_workflow(workflow(store, n), text("x"), Some(once(body))));
    assert_eq!(make(4, b"one"), Ok(Accepted::New));
    assert_eq!(make(5, b"one"), Ok(Accepted::Repeat(b"4".to_vec())));
    assert!(matches!(make(6, b"two"), Err(Error::KeyReused { .. })));
    assert_eq!(listed(None, 1)[0].key.id, id(4));

    let other = store.for_tenant(TenantId::generate());
    assert_eq!(get(other.library().workflows(other.tenant(), None, 0)), []);
    let foreign = block_on(other.add_workflow(workflow(store, 7), text("x"), None));
    assert!(matches!(foreign, Err(Error::Invalid(_))), "{foreign:?}");
}
