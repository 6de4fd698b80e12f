//! Two tenants that do the same things, with the same names.

use weaver_core::Hash;
use weaver_store::*;

use crate::support::*;
use crate::{interrupt, item};

/// Something of everything, told apart by `word`.
fn fill(store: &Store, word: &str) {
    let (id, lane) = (execution_id(1), Lane::root("t"));
    let large = word.repeat(BLOB_BYTES_MIN);
    let version = WorkflowVersion {
        hash: Hash::of(b"source"),
        file: word.into(),
        source: word.into(),
        created: at(1),
    };
    let batch = Batch::of(id)
        .with(version)
        .with(Execution { input: word.into(), ..execution(id, "t") })
        .with(entry(id, 1, word.as_bytes()))
        .with(entry(id, 2, large.as_bytes()))
        .with(checkpoint(&lane, checkpoint_id(1), None, id, word.as_bytes()))
        .with(pending(&lane, checkpoint_id(1), "task", word.as_bytes()))
        .with(effect(&lane, id, 0, EffectStatus::Intent, word.as_bytes()))
        .with(Interrupt { value: word.into(), ..interrupt(&lane, id, checkpoint_id(1)) })
        .with(item(&["a"], "k", &format!(r#"{{"n":"{word}"}}"#), 1))
        .with(CacheEntry { key: Hash::of(b"c"), payload: word.into(), expires: None });
    store.append(batch).wait().unwrap();
}

/// Everything that can be seen.
fn seen(store: &Store) -> Vec<String> {
    let (id, lane) = (execution_id(1), Lane::root("t"));
    let mut seen = Vec::new();
    let mut add = |answer: &dyn std::fmt::Debug| seen.push(format!("{answer:?}"));
    add(&get(store.version(Hash::of(b"source"))));
    add(&get(store.execution(id)));
    add(&get(store.lease(id)));
    add(&get(store.executions(ExecutionQuery::default())));
    add(&get(store.threads(0)));
    add(&get(store.head(id)));
    add(&get(store.standing(id)));
    add(&get(store.entries(id, 0, 0)));
    add(&get(store.checkpoint(lane.clone(), None)));
    add(&get(store.checkpoints(lane.clone(), None, 0)));
    add(&get(store.chain(lane.clone(), None)));
    add(&get(store.namespaces("t".into())));
    add(&get(store.pending_writes(lane.clone(), checkpoint_id(1))));
    add(&get(store.effects(lane, "t".into())));
    add(&get(store.open_effects("t".into())));
    add(&get(store.interrupts("t".into(), false)));
    add(&get(store.item(ItemKey::new(["a"], "k"), at(1))));
    add(&get(store.search_items(ItemSearch::default(), at(1))));
    add(&get(store.item_namespaces(NamespaceSearch::default(), at(1))));
    add(&get(store.cached(Hash::of(b"c"), at(1))));
    seen
}

pub fn nothing_of_one_is_seen_or_changed_by_another(store: &Store) {
    let (ada, ben) = (store.clone(), store.for_tenant(TenantId::generate()));
    let empty = seen(&ben);
    fill(&ada, "ada");
    assert_eq!(seen(&ben), empty, "nothing is proven to exist");
    let adas = seen(&ada);
    assert!(adas.iter().all(|answer| !empty.contains(answer)));
    let bens_first = Batch::of(execution_id(1)).with(entry(execution_id(1), 3, b"stolen"));
    assert!(matches!(ben.append(bens_first).wait(), Err(Error::Conflict(_))));
    assert_eq!(seen(&ada), adas);

    // The failure of one's batch is not the other's, though the name is the same.
    get(ben.recover(execution_id(1)));
    fill(&ben, "ben");
    assert_eq!(seen(&ada), adas);
    assert!(seen(&ben).iter().all(|answer| !answer.contains("ada")));
    assert_eq!(get(ada.head(execution_id(1))).sequence, 2);

    let forget = Batch::standalone()
        .with(Record::ForgetThread("t".into()))
        .with(Record::ForgetItem(ItemKey::new(["a"], "k")))
        .with(Record::ClearCache);
    ben.append(forget).wait().unwrap();
    get(ben.collect_garbage(at(1)));
    assert_eq!(seen(&ada), adas, "what one forgets, the other keeps");
    assert_eq!(get(ada.verify()).problems, []);
    assert_eq!(get(ben.verify()).entries, 0);
    let tenants = get(store.tenants());
    assert!(tenants.contains(&ada.tenant()) && tenants.contains(&ben.tenant()));
}

pub fn a_blob_is_shared_within_a_tenant_only(store: &Store) {
    let ben = store.for_tenant(TenantId::generate());
    for tenant in [store, &ben] {
        let id = execution_id(1);
        let batch = Batch::of(id).with(execution(id, "t")).with(entry(id, 1, &vec![7; 100_000]));
        tenant.append(batch).wait().unwrap();
    }
    ben.append(Batch::standalone().with(Record::ForgetThread("t".into()))).wait().unwrap();
    get(ben.collect_garbage(at(1)));
    assert_eq!(get(store.entries(execution_id(1), 0, 0))[0].payload, vec![7; 100_000]);
    assert_eq!(get(store.verify()).problems, []);
}

pub fn a_superseded_holder_changes_nothing(store: &Store) {
    let id = execution_id(1);
    store.append(Batch::of(id).with(execution(id, "t"))).wait().unwrap();
    assert_eq!(get(store.lease(id)), Some(Lease::default()));
    let lease = |owner: &str, fence| Lease { owner: Some(owner.into()), until: Some(at(9)), fence };
    let take = |owner: &str, fence| {
        let change = LeaseChange { execution: id, lease: lease(owner, fence) };
        store.append(Batch::standalone().with(change)).wait()
    };
    take("one", 1).unwrap();
    store.append(Batch::of(id).fenced(1).with(entry(id, 1, b"one"))).wait().unwrap();
    assert!(matches!(take("three", 3), Err(Error::Conflict(_))), "no taking is left out");
    take("two", 2).unwrap();
    assert_eq!(get(store.lease(id)), Some(lease("two", 2)));

    let late = store.append(Batch::of(id).fenced(1).with(entry(id, 2, b"late"))).wait();
    assert_eq!(late, Err(Error::Fenced { execution: id, held: 1, found: 2 }));
    assert!(matches!(take("one", 1), Err(Error::Fenced { .. })), "nor can it renew");
    let later = store.append(Batch::of(id).fenced(1).with(entry(id, 2, b"later"))).wait();
    assert!(matches!(later, Err(Error::Aborted { .. })), "{later:?}");
    get(store.recover(id));
    store.append(Batch::of(id).fenced(2).with(entry(id, 2, b"two"))).wait().unwrap();
    let lines: Vec<_> = get(store.entries(id, 0, 0)).into_iter().map(|line| line.payload).collect();
    assert_eq!(lines, [b"one", b"two"]);
}
