//! [`Histogram`]: how long things took, counted in classes.

/// Upper bounds of the classes, in seconds: from a commit to an hour's run.
pub const BOUNDS: [f64; 17] = [
    0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 60.0, 300.0,
    3600.0,
];

/// How often something took how long.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// How many were in a class, not in those below it.
    classes: [u64; BOUNDS.len()],
    count: u64,
    sum_us: u64,
}

impl Histogram {
    /// Counts something that took so many microseconds.
    pub fn add(&mut self, took_us: u64) {
        let seconds = took_us as f64 / 1e6;
        let class = BOUNDS.partition_point(|bound| *bound < seconds);
        if let Some(count) = self.classes.get_mut(class) {
            *count += 1;
        }
        self.count += 1;
        self.sum_us = self.sum_us.saturating_add(took_us);
    }

    /// Each bound, in seconds, with how many took that long at most.
    pub fn up_to(&self) -> impl Iterator<Item = (f64, u64)> + '_ {
        let sums = self.classes.iter().scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        });
        BOUNDS.into_iter().zip(sums)
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How long all of them took, in microseconds.
    pub fn sum_us(&self) -> u64 {
        self.sum_us
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_in_its_class_and_in_all_above() {
        let mut histogram = Histogram::default();
        for took_us in [0, 1_000, 1_001, 4_000_000_000] {
            histogram.add(took_us);
        }
        let up_to = |wanted: f64| histogram.up_to().find(|(bound, _)| *bound == wanted).unwrap().1;
        assert_eq!((up_to(0.0005), up_to(0.001), up_to(0.002), up_to(3600.0)), (1, 2, 3, 3));
        assert_eq!((histogram.count(), histogram.sum_us()), (4, 4_000_002_001));
    }
}
