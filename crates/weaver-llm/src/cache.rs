//! [`Cache`]: answers that are given again to the same question, where the caller asks
//! for that.
//!
//! It is in memory and may be lost at any time. An answer is found only under all of
//! what led to it: the space of its tenant, the model with its address, and the request
//! word for word.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::{StreamExt, stream};
use tokio::time::Instant;
use weaver_core::Hash;

use crate::chat::ChatRequest;
use crate::dialect::Dialect;
use crate::model::ModelRef;
use crate::stream::{Assembler, ChatEvent, ChatResponse, ChatStream, StopReason};

/// Answers of one tenant among those of all. Clones, and the caches of other spaces made
/// of it, share the memory and its limit.
#[derive(Clone)]
pub struct Cache {
    space: Arc<str>,
    shared: Arc<Mutex<Shelf>>,
}

/// Where the answer to one request belongs.
pub(crate) struct Slot {
    cache: Cache,
    key: Hash,
    model: ModelRef,
    age_max: Duration,
}

/// What is kept, the least recently used first.
#[derive(Default)]
struct Shelf {
    bytes_max: usize,
    bytes: usize,
    kept: HashMap<Hash, Kept>,
    /// Keys by when they were used, in turns.
    turns: BTreeMap<u64, Hash>,
    turn: u64,
}

struct Kept {
    response: Arc<ChatResponse>,
    bytes: usize,
    since: Instant,
    turn: u64,
}

/// The memory of a cache whose owner says nothing.
const BYTES_MAX: usize = 64 << 20;

/// What an answer takes beside its own text: its key in two maps, its head, its parts.
const ENTRY_BYTES: usize = 512;

impl Default for Cache {
    fn default() -> Self {
        Cache::new(BYTES_MAX)
    }
}

impl Cache {
    /// An empty cache that holds about so many bytes; zero keeps nothing.
    pub fn new(bytes_max: usize) -> Self {
        let shelf = Shelf { bytes_max, ..Shelf::default() };
        Cache { space: "".into(), shared: Arc::new(Mutex::new(shelf)) }
    }

    /// The same memory for another tenant: answers of one space are never given in another.
    pub fn of_space(&self, space: &str) -> Self {
        Cache { space: space.into(), shared: self.shared.clone() }
    }

    /// The place of a request's answer, no older than `age_max` when it is given again.
    pub(crate) fn slot(&self, request: &ChatRequest, model: &ModelRef, age_max: Duration) -> Slot {
        // How old an answer may be does not change what it says, and neither does what this
        // model is not told.
        let mut asked =
            ChatRequest { cache_seconds: None, model: String::new(), ..request.clone() };
        if asked.extra_for.is_some_and(|meant| meant != model.dialect) {
            asked.extra.clear();
        }
        if asked.extra.is_empty() {
            asked.extra_for = None;
        }
        if model.dialect != Dialect::Anthropic {
            asked.betas.clear();
        }
        let asked = serde_json::to_vec(&asked).expect("a request has a JSON form");
        let name = model.to_string();
        let dialect = model.dialect.to_string();
        let parts = [&*self.space, &*name, &*model.base_url, &*dialect].map(str::as_bytes);
        let key = Hash::of_parts(parts.into_iter().chain([&*asked]));
        Slot { cache: self.clone(), key, model: model.clone(), age_max }
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        // It is whole between any two statements.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// The answer, if there is one that is young enough. It cost nothing this time.
    pub fn get(&self) -> Option<ChatResponse> {
        let kept = self.cache.shelf().get(&self.key, self.age_max)?;
        let mut response = ChatResponse::clone(&kept);
        response.head.cached = true;
        response.cost_micros = Some(0);
        Some(response)
    }

    /// Keeps an answer, unless it is one that asking again may better.
    pub fn put(&self, response: &ChatResponse) {
        let by_another = response.head.provider != self.model.provider;
        let is_partial = matches!(response.stop, StopReason::Other | StopReason::ContentFilter);
        if by_another || is_partial {
            return;
        }
        let text = serde_json::to_vec(response).map_or(usize::MAX, |text| text.len());
        self.cache.shelf().put(self.key, response.clone(), text.saturating_add(ENTRY_BYTES));
    }

    /// The same stream; its answer is kept once it is whole.
    pub fn keep(self, stream: ChatStream) -> ChatStream {
        let state = (stream, Some((Assembler::default(), self)));
        ChatStream::new(stream::unfold(state, |(mut stream, mut kept)| async move {
            let item = stream.next().await?;
            if let (Ok(event), Some((assembler, _))) = (&item, &mut kept) {
                assembler.push(event);
            }
            if let Ok(ChatEvent::Finish { .. }) = &item
                && let Some((assembler, slot)) = kept.take()
                && let Some(response) = assembler.finish()
            {
                slot.put(&response);
            }
            Some((item, (stream, kept)))
        }))
    }
}

impl Shelf {
    fn get(&mut self, key: &Hash, age_max: Duration) -> Option<Arc<ChatResponse>> {
        let turn = self.next_turn();
        let kept = self.kept.get_mut(key)?;
        if kept.since.elapsed() > age_max {
            self.remove(*key);
            return None;
        }
        self.turns.remove(&kept.turn);
        kept.turn = turn;
        self.turns.insert(turn, *key);
        Some(kept.response.clone())
    }

    fn put(&mut self, key: Hash, response: ChatResponse, bytes: usize) {
        self.remove(key);
        if bytes > self.bytes_max {
            return;
        }
        let turn = self.next_turn();
        self.bytes += bytes;
        self.turns.insert(turn, key);
        let response = Arc::new(response);
        self.kept.insert(key, Kept { response, bytes, since: Instant::now(), turn });
        while self.bytes > self.bytes_max
            && let Some((_, oldest)) = self.turns.first_key_value()
        {
            self.remove(*oldest);
        }
    }

    fn remove(&mut self, key: Hash) {
        if let Some(kept) = self.kept.remove(&key) {
            self.bytes -= kept.bytes;
            self.turns.remove(&kept.turn);
        }
    }

    fn next_turn(&mut self) -> u64 {
        self.turn += 1;
        self.turn
    }
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shelf = self.shelf();
        f.debug_struct("Cache")
            .field("answers", &shelf.kept.len())
            .field("bytes", &shelf.bytes)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{ChatMessage, Part};
    use crate::options::Options;
    use crate::stream::AnswerHead;

    const HOUR: Duration = Duration::from_secs(3600);

    fn slot(cache: &Cache, request: &ChatRequest) -> Slot {
        let model = crate::model::resolve(&request.model, &Options::default()).unwrap();
        cache.slot(request, &model, HOUR)
    }

    fn ask(text: &str) -> ChatRequest {
        ChatRequest::new("ollama/m", vec![ChatMessage::user(text)])
    }

    fn answer(text: &str) -> ChatResponse {
        let head = AnswerHead { provider: "ollama".into(), ..AnswerHead::default() };
        ChatResponse { head, parts: vec![Part::text(text)], ..ChatResponse::default() }
    }

    #[test]
    fn only_the_same_question_of_the_same_tenant_gets_the_answer() {
        let cache = Cache::default();
        let one = cache.of_space("one");
        slot(&one, &ask("a")).put(&answer("yes"));
        let found = slot(&one, &ask("a")).get().unwrap();
        assert_eq!((found.text().as_str(), found.cost_micros), ("yes", Some(0)));
        assert!(found.head.cached);
        let longer = ChatRequest { cache_seconds: Some(9), ..ask("a") };
        assert!(slot(&one, &longer).get().is_some());
        let warmer = ChatRequest { temperature: Some(0.1), ..ask("a") };
        let elsewhere = ChatRequest { model: "http://127.0.0.1:1/v1#m".into(), ..ask("a") };
        for other in [ask("a "), ask("b"), warmer, elsewhere] {
            assert!(slot(&one, &other).get().is_none(), "{other:?}");
        }
        assert!(slot(&cache.of_space("two"), &ask("a")).get().is_none());
        assert!(slot(&cache, &ask("a")).get().is_none());
    }

    #[test]
    fn answers_that_may_be_better_next_time_are_not_kept() {
        let cache = Cache::default();
        let mut stand_in = answer("x");
        stand_in.head.provider = "openai".into();
        let filtered = ChatResponse { stop: StopReason::ContentFilter, ..answer("x") };
        for response in [stand_in, filtered] {
            slot(&cache, &ask("a")).put(&response);
            assert!(slot(&cache, &ask("a")).get().is_none());
        }
    }

    #[test]
    fn the_least_recently_used_makes_room_and_all_bytes_are_counted() {
        let each = serde_json::to_vec(&answer("0")).unwrap().len() + ENTRY_BYTES;
        let cache = Cache::new(3 * each);
        let put = |n: u32| slot(&cache, &ask(&n.to_string())).put(&answer(&n.to_string()));
        let has = |n: u32| slot(&cache, &ask(&n.to_string())).get().is_some();
        (0..3).for_each(put);
        assert!(has(0));
        put(3);
        assert_eq!([0, 1, 2, 3].map(has), [true, false, true, true]);
        put(3);
        slot(&cache, &ask("long")).put(&answer(&"x".repeat(4 * each)));
        assert_eq!([0, 2, 3].map(has), [true; 3], "what does not fit moves nobody");
        let shelf = cache.shelf();
        assert_eq!((shelf.bytes, shelf.turns.len()), (3 * each, shelf.kept.len()));
    }

    #[test]
    fn an_answer_that_is_too_old_is_gone() {
        let cache = Cache::default();
        slot(&cache, &ask("a")).put(&answer("old"));
        let strict = Slot { age_max: Duration::ZERO, ..slot(&cache, &ask("a")) };
        // The clock may stand still between two looks at it.
        while cache.shelf().kept.values().any(|kept| kept.since.elapsed().is_zero()) {}
        assert!(strict.get().is_none());
        assert_eq!(cache.shelf().bytes, 0);
    }
}
