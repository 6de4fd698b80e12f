//! What every kind of store promises, run on each of them.

#[path = "../support/postgres.rs"]
mod server;
#[path = "../support/mod.rs"]
mod support;

mod checkpoints;
mod items;
mod log;
mod tasks;
mod tenants;
mod workflows;

use support::*;
use weaver_core::Value;
use weaver_store::*;

/// Runs each scenario on each kind of store.
macro_rules! conformance {
    ($($module:ident::$scenario:ident),* $(,)?) => {
        mod memory {
            $(#[test] fn $scenario() {
                crate::$module::$scenario(&weaver_store::Store::in_memory());
            })*
        }
        mod sqlite {
            $(#[test] fn $scenario() {
                let dir = tempfile::tempdir().unwrap();
                let store = weaver_store::Store::open_sqlite(dir.path(), Default::default());
                let store = store.unwrap();
                crate::$module::$scenario(&store);
                let verification = super::get(store.verify());
                assert_eq!(verification.problems, []);
            })*
        }
        mod postgres {
            $(#[test] fn $scenario() {
                let store = super::postgres().for_tenant(weaver_store::TenantId::generate());
                crate::$module::$scenario(&store);
                let verification = super::get(store.verify());
                assert_eq!(verification.problems, []);
            })*
        }
    };
}

conformance! {
    log::executions_are_kept_and_listed_newest_first,
    log::an_execution_stands_where_its_log_and_its_thread_end,
    log::a_log_is_known_by_its_ends,
    log::entries_come_back_in_order_and_chained,
    log::entries_of_one_batch_are_read_from_any_place,
    log::an_entry_out_of_order_is_refused_with_all_later_batches,
    log::a_batch_is_all_or_nothing,
    log::large_payloads_come_back,
    log::a_thread_is_forgotten_with_all_that_belongs_to_it,
    log::what_an_execution_was_asked_can_change,
    log::versions_are_kept_once,
    log::idle_threads_are_forgotten_in_time,
    checkpoints::checkpoints_form_a_tree,
    checkpoints::a_full_state_ends_the_chain,
    checkpoints::a_checkpoint_is_never_written_twice,
    checkpoints::pending_writes_last_until_their_superstep_ends,
    checkpoints::namespaces_are_listed_in_order_of_their_first_checkpoint,
    tasks::effects_are_recorded_once,
    tasks::unfinished_calls_are_found,
    tasks::interrupts_wait_for_one_answer,
    items::items_are_found_by_path_filter_and_time,
    items::the_cache_forgets_in_time,
    tenants::nothing_of_one_is_seen_or_changed_by_another,
    tenants::a_blob_is_shared_within_a_tenant_only,
    tenants::a_superseded_holder_changes_nothing,
    workflows::a_workflow_keeps_every_text_it_has_had,
    workflows::a_change_to_an_older_version_changes_nothing,
    workflows::workflows_are_listed_newest_first_and_made_once,
}

/// One database for all scenarios: each is a tenant of its own.
fn postgres() -> Store {
    static STORE: std::sync::OnceLock<Store> = std::sync::OnceLock::new();
    let open = || Store::open_postgres(&server::shared_url(), &PostgresOptions::default()).unwrap();
    STORE.get_or_init(open).clone()
}

/// A store with one execution of thread `t`.
fn begin(store: &Store) -> (ExecutionId, Lane) {
    let id = execution_id(1);
    store.append(Batch::of(id).with(execution(id, "t"))).wait().unwrap();
    (id, Lane::root("t"))
}

fn write(store: &Store, record: impl Into<Record>) -> Result<()> {
    store.append(Batch::standalone().with(record)).wait()
}

fn interrupt(lane: &Lane, execution: ExecutionId, checkpoint: CheckpointId) -> Interrupt {
    Interrupt {
        lane: lane.clone(),
        id: "i1".into(),
        checkpoint,
        task: "ask".into(),
        execution,
        value: b"\"sure?\"".to_vec(),
        snapshot: Some(vec![7; 8_000]),
        time: at(2),
        answer: None,
    }
}

fn item(namespace: &[&str], key: &str, value: &str, time: i64) -> Item {
    Item {
        key: ItemKey::new(namespace.iter().copied(), key),
        value: Value::from_json(value).unwrap(),
        created: at(time),
        updated: at(time),
        expires: None,
    }
}
