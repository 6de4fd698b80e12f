//! [`Meters`]: sums of tokens by day, model and size of the prompt.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use uuid::Uuid;
use weaver_core::Timestamp;
use weaver_core::event::Usage;
use weaver_llm::price::prompt_class;
use weaver_llm::{TokenDetails, TokenUsage};
use weaver_runtime::now;
use weaver_store::{Metric, Store, TenantId};

/// What this process has counted.
pub struct Meters {
    /// This process among those that count.
    writer: Uuid,
    sums: Mutex<HashMap<TenantId, BTreeMap<Place, Sum>>>,
}

/// A day, a model, and a class of prompts.
type Place = (u32, Arc<str>, u64);

#[derive(Clone, Default)]
struct Sum {
    calls: u64,
    cached_calls: u64,
    cost_micros: u64,
    usage: TokenUsage,
    /// Something was counted that is not on the disk.
    changed: bool,
}

/// What one model was used for on one day.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Line {
    /// Days since 1970, UTC.
    pub day: u32,
    /// The model.
    pub model: String,
    /// Calls that were answered.
    pub calls: u64,
    /// Of those, the ones with an answer that was given before; their tokens are not counted.
    pub cached_calls: u64,
    /// What they cost at the prices of then, in millionths of a US dollar.
    pub cost_micros: u64,
    /// Tokens by the class of their prompt: prices of some models differ by it.
    pub by_class: BTreeMap<u64, TokenUsage>,
}

/// What one call came to.
pub struct Counted<'a> {
    /// Its tokens.
    pub usage: &'a TokenUsage,
    /// What they cost, where the model has a price.
    pub cost_micros: Option<u64>,
    /// The answer was given before.
    pub cached: bool,
}

/// The days since 1970 of a moment.
pub fn day_of(time: Timestamp) -> u32 {
    const DAY_MICROS: i64 = 86_400_000_000;
    u32::try_from(time.0.div_euclid(DAY_MICROS)).unwrap_or(0)
}

impl Default for Meters {
    fn default() -> Self {
        Meters { writer: Uuid::now_v7(), sums: Mutex::default() }
    }
}

impl Meters {
    /// Counts a call.
    pub fn count(&self, tenant: TenantId, model: &str, counted: &Counted) {
        let usage = counted.usage;
        let place = (day_of(now()), model.into(), prompt_class(usage.tokens.input));
        let mut sums = self.lock();
        let sum = sums.entry(tenant).or_default().entry(place).or_default();
        sum.calls += 1;
        sum.cached_calls += u64::from(counted.cached);
        sum.cost_micros = sum.cost_micros.saturating_add(counted.cost_micros.unwrap_or(0));
        for (to, (_, more)) in buckets_mut(&mut sum.usage).into_iter().zip(buckets(usage)) {
            *to = to.saturating_add(more);
        }
        sum.changed = true;
    }

    /// Writes what has changed. The sums are this process's own, so that writing them
    /// twice counts once.
    pub async fn write(&self, store: &Store) -> weaver_store::Result<()> {
        let today = day_of(now());
        for (tenant, places) in self.changed() {
            let metrics = places.iter().flat_map(|(place, sum)| self.metrics(place, sum)).collect();
            if let Err(error) = store.accounts().put_metrics(tenant, metrics).await {
                self.still_changed(tenant, &places);
                return Err(error);
            }
        }
        // What will not grow any more.
        for places in self.lock().values_mut() {
            places.retain(|(day, ..), sum| sum.changed || *day + 1 >= today);
        }
        Ok(())
    }

    fn changed(&self) -> Vec<(TenantId, Vec<(Place, Sum)>)> {
        let mut sums = self.lock();
        let all = sums.iter_mut().map(|(tenant, places)| {
            let changed = places.iter_mut().filter(|(_, sum)| sum.changed);
            let taken = changed.map(|(place, sum)| {
                sum.changed = false;
                (place.clone(), sum.clone())
            });
            (*tenant, taken.collect::<Vec<_>>())
        });
        all.filter(|(_, places)| !places.is_empty()).collect()
    }

    fn still_changed(&self, tenant: TenantId, places: &[(Place, Sum)]) {
        let mut sums = self.lock();
        let Some(own) = sums.get_mut(&tenant) else { return };
        for (place, _) in places {
            if let Some(sum) = own.get_mut(place) {
                sum.changed = true;
            }
        }
    }

    fn metrics(&self, (day, model, class): &Place, sum: &Sum) -> Vec<Metric> {
        let counts = [
            ("calls", sum.calls),
            ("cached_calls", sum.cached_calls),
            ("cost_micros", sum.cost_micros),
        ];
        let all = counts.into_iter().chain(buckets(&sum.usage));
        let metric = |(kind, value): (&str, u64)| Metric {
            day: *day,
            model: model.clone(),
            kind: match class {
                0 => kind.into(),
                class => format!("{kind}>{class}").into(),
            },
            writer: self.writer,
            value,
        };
        all.filter(|(_, value)| *value > 0).map(metric).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<TenantId, BTreeMap<Place, Sum>>> {
        self.sums.lock().expect("nothing panics while it is held")
    }
}

/// The metrics of all writers, by day and model.
pub fn lines(metrics: Vec<Metric>) -> Vec<Line> {
    let mut lines: BTreeMap<(u32, Arc<str>), Line> = BTreeMap::new();
    for metric in metrics {
        let (kind, class) = match metric.kind.split_once('>') {
            Some((kind, class)) => (kind, class.parse().unwrap_or(0)),
            None => (&*metric.kind, 0),
        };
        let key = (metric.day, metric.model.clone());
        let line = lines.entry(key).or_insert_with(|| Line {
            day: metric.day,
            model: metric.model.to_string(),
            ..Line::default()
        });
        match kind {
            "calls" => line.calls += metric.value,
            "cached_calls" => line.cached_calls += metric.value,
            "cost_micros" => line.cost_micros = line.cost_micros.saturating_add(metric.value),
            kind => {
                let usage = line.by_class.entry(class).or_default();
                let place = buckets(usage).iter().position(|(name, _)| *name == kind);
                // A kind of a later version is none of ours.
                let Some(place) = place else { continue };
                let bucket = &mut buckets_mut(usage)[place];
                **bucket = bucket.saturating_add(metric.value);
            }
        }
    }
    lines.into_values().collect()
}

/// What prices are for, by its stored name.
fn buckets(usage: &TokenUsage) -> [(&'static str, u64); 9] {
    let Usage { input, cached_read, cached_write, output, reasoning } = usage.tokens;
    let TokenDetails { cached_write_long, audio_input, audio_cached, audio_output } = usage.details;
    [
        ("input", input),
        ("cached_read", cached_read),
        ("cached_write", cached_write),
        ("output", output),
        ("reasoning", reasoning),
        ("cached_write_long", cached_write_long),
        ("audio_input", audio_input),
        ("audio_cached", audio_cached),
        ("audio_output", audio_output),
    ]
}

/// The same places, in the same order.
fn buckets_mut(usage: &mut TokenUsage) -> [&mut u64; 9] {
    let Usage { input, cached_read, cached_write, output, reasoning } = &mut usage.tokens;
    let TokenDetails { cached_write_long, audio_input, audio_cached, audio_output } =
        &mut usage.details;
    [
        input,
        cached_read,
        cached_write,
        output,
        reasoning,
        cached_write_long,
        audio_input,
        audio_cached,
        audio_output,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sums_of_all_processes_are_read_as_lines() {
        let (store, tenant) = (Store::in_memory(), TenantId::LOCAL);
        let tokens = Usage { input: 10, cached_read: 4, output: 3, ..Usage::default() };
        let details = TokenDetails { audio_output: 1, ..TokenDetails::default() };
        let usage = TokenUsage { tokens, details, ..TokenUsage::default() };
        let long = TokenUsage::from(Usage { input: 250_000, ..Usage::default() });
        let none = TokenUsage::default();
        let of = |usage, cost_micros| Counted { usage, cost_micros, cached: false };
        for meters in [Meters::default(), Meters::default()] {
            meters.count(tenant, "p/m", &of(&usage, Some(7)));
            meters.write(&store).await.unwrap();
            meters.count(tenant, "p/m", &of(&usage, None));
            meters.count(tenant, "p/m", &of(&long, Some(1)));
            meters.count(tenant, "p/m", &Counted { cached: true, ..of(&none, Some(0)) });
            meters.write(&store).await.unwrap();
            meters.write(&store).await.unwrap();
        }
        let lines = lines(store.accounts().metrics(tenant, 0, u32::MAX).await.unwrap());
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert_eq!((lines[0].calls, lines[0].cost_micros), (8, 16));
        assert_eq!(lines[0].cached_calls, 2);
        let [(0, short), (200_000, long)] =
            &lines[0].by_class.iter().map(|(class, sum)| (*class, sum)).collect::<Vec<_>>()[..]
        else {
            panic!("{lines:?}");
        };
        assert_eq!((short.tokens.input, short.tokens.cached_read), (40, 16));
        assert_eq!((short.tokens.output, short.details.audio_output), (12, 4));
        assert_eq!(long.tokens.input, 500_000);
    }
}
