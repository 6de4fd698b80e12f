//! What a tenant has beside its runs.

use uuid::Uuid;
use weaver_store::*;

use crate::Place;
use crate::support::*;

fn sealed(version: u32, providers: &[&str]) -> Sealed {
    let key = TenantKey {
        version,
        master: "m".into(),
        sealed: vec![0, version as u8, 255],
        created: at(1),
    };
    let credential = |provider: &&str| Credential {
        provider: (*provider).into(),
        sealed: vec![0, 1, version as u8],
        key_version: version,
        hint: "…abcd".into(),
        updated: at(2),
    };
    Sealed { keys: vec![key], credentials: providers.iter().map(credential).collect() }
}

pub fn what_is_sealed_is_replaced_as_a_whole_or_not_at_all(place: &Place) {
    let (accounts, tenant) = (place.store.accounts(), TenantId::generate());
    let replace = |seen: &Sealed, next: &Sealed| {
        get(accounts.replace_sealed(tenant, seen.clone(), next.clone()))
    };
    let (nothing, first) = (Sealed::default(), sealed(1, &["anthropic", "openai"]));
    assert_eq!(get(accounts.sealed(tenant)), nothing);
    assert!(replace(&nothing, &first));
    assert_eq!(get(accounts.sealed(tenant)), first);
    assert!(!replace(&nothing, &sealed(9, &[])), "somebody was quicker");
    assert_eq!(get(accounts.sealed(tenant)), first);
    let second = sealed(2, &["openai"]);
    assert!(replace(&first, &second));
    assert_eq!(get(accounts.sealed(tenant)), second);
    assert_eq!(get(accounts.sealed(TenantId::LOCAL)), nothing, "another tenant has its own");
    assert!(get(place.store.tenants()).contains(&tenant));
    let named = sealed(3, &["a\0b"]);
    let refused = block_on(accounts.replace_sealed(tenant, second, named)).unwrap_err();
    assert!(matches!(refused, Error::Invalid(_)), "{refused:?}");
}

pub fn each_writer_has_its_own_sums(place: &Place) {
    let (accounts, tenant) = (place.store.accounts(), TenantId::LOCAL);
    let metric = |day, model: &str, writer, value| Metric {
        day,
        model: model.into(),
        kind: "input".into(),
        writer: Uuid::from_u128(writer),
        value,
    };
    get(accounts.put_metrics(tenant, vec![metric(7, "a", 1, 5), metric(8, "b", 1, 1)]));
    get(accounts.put_metrics(tenant, vec![metric(7, "a", 2, 9), metric(7, "a", 1, 6)]));
    get(accounts.put_metrics(tenant, vec![metric(7, "a", 1, 6)]));
    let expected = [metric(7, "a", 1, 6), metric(7, "a", 2, 9), metric(8, "b", 1, 1)];
    assert_eq!(get(accounts.metrics(tenant, 0, u32::MAX)), expected);
    assert_eq!(get(accounts.metrics(tenant, 8, 8)), expected[2..]);
    assert_eq!(get(accounts.metrics(TenantId::generate(), 0, u32::MAX)), []);
}

pub fn quotas_are_set_and_taken_away(place: &Place) {
    let (accounts, tenant) = (place.store.accounts(), TenantId::LOCAL);
    let quota = |kind: &str, value| Quota { kind: kind.into(), value };
    get(accounts.set_quota(tenant, "b".into(), Some(2)));
    get(accounts.set_quota(tenant, "a".into(), Some(1)));
    get(accounts.set_quota(tenant, "a".into(), Some(3)));
    assert_eq!(get(accounts.quotas(tenant)), [quota("a", 3), quota("b", 2)]);
    assert_eq!(get(accounts.quotas(TenantId::generate())), []);
    get(accounts.set_quota(tenant, "a".into(), None));
    assert_eq!(get(accounts.quotas(tenant)), [quota("b", 2)]);
}
