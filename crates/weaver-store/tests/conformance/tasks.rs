//! Calls to the outside and waits for people.

use weaver_store::*;

use crate::support::*;
use crate::{begin, interrupt, write};

pub fn effects_are_recorded_once(store: &Store) {
    let (id, lane) = begin(store);
    for (ordinal, status) in [
        (1, EffectStatus::Done),
        (0, EffectStatus::Intent),
        (0, EffectStatus::Failed),
        (0, EffectStatus::Intent),
        (0, EffectStatus::Done),
    ] {
        write(store, effect(&lane, id, ordinal, status, status.as_str().as_bytes())).unwrap();
    }
    let second = effect(&lane, id, 0, EffectStatus::Done, b"second");
    assert!(matches!(write(store, second), Err(Error::Conflict(_))));
    let again = effect(&lane, id, 0, EffectStatus::Intent, b"");
    assert!(matches!(write(store, again), Err(Error::Conflict(_))));
    assert_eq!(
        get(store.effects(lane.clone(), "t".into())),
        [0, 1].map(|ordinal| effect(&lane, id, ordinal, EffectStatus::Done, b"done"))
    );
    assert_eq!(get(store.effects(lane, "other".into())), []);
}

pub fn unfinished_calls_are_found(store: &Store) {
    let (id, lane) = begin(store);
    let sub = Lane::new("t", "sub");
    for (lane, ordinal, status) in [
        (&lane, 2, EffectStatus::Intent),
        (&lane, 0, EffectStatus::Done),
        (&lane, 1, EffectStatus::Failed),
        (&sub, 0, EffectStatus::Intent),
    ] {
        write(store, effect(lane, id, ordinal, status, b"")).unwrap();
    }
    let open = get(store.open_effects("t".into()));
    let places: Vec<_> =
        open.iter().map(|effect| (&*effect.lane.namespace, effect.ordinal)).collect();
    assert_eq!(places, [("", 2), ("sub", 0)]);
    assert_eq!(get(store.open_effects("other".into())), []);
}

pub fn interrupts_wait_for_one_answer(store: &Store) {
    let (id, lane) = begin(store);
    let asked = interrupt(&lane, id, checkpoint_id(1));
    let mut other = Interrupt { id: "i2".into(), snapshot: None, ..asked.clone() };
    write(store, asked.clone()).unwrap();
    write(store, other.clone()).unwrap();
    assert_eq!(get(store.interrupts("t".into(), true)), [asked.clone(), other.clone()]);

    let answer = |text: &str, time| Record::Answer {
        lane: lane.clone(),
        interrupt: "i2".into(),
        answer: text.as_bytes().to_vec(),
        time: at(time),
    };
    write(store, answer("yes", 3)).unwrap();
    assert!(matches!(write(store, answer("no", 4)), Err(Error::Conflict(_))));
    other.answer = Some((b"yes".to_vec(), at(3)));
    assert_eq!(get(store.interrupts("t".into(), true)).len(), 1);
    assert_eq!(get(store.interrupts("t".into(), false)), [asked.clone(), other.clone()]);

    // The same place may ask again; then it is the youngest.
    let again = Interrupt { value: b"\"really?\"".to_vec(), ..asked };
    write(store, again.clone()).unwrap();
    assert_eq!(get(store.interrupts("t".into(), false)), [other, again]);
}
