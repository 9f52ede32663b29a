//! What a feature's values are like, in an episode and in all of them: what LeRobot normalises by.

use serde::Serialize;

use crate::rollouts::trace::ImageStats;

/// The quantiles that LeRobot names, and the shares that they stand for.
pub(super) const QUANTILES: [(&str, f64); 5] =
    [("q01", 0.01), ("q10", 0.10), ("q50", 0.50), ("q90", 0.90), ("q99", 0.99)];

/// Each list has one number for each column (or channel).
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Stats {
    pub(super) min: Vec<f64>,
    pub(super) max: Vec<f64>,
    pub(super) mean: Vec<f64>,
    pub(super) std: Vec<f64>,
    pub(super) quantiles: [Vec<f64>; 5],
    pub(super) count: u64,
}

impl Stats {
    /// Of rows of `width` numbers each.
    pub(super) fn of(values: &[f64], width: usize) -> Self {
        let columns = (0..width).map(|column| {
            let mut column: Vec<(f64, u64)> =
                values.iter().skip(column).step_by(width).map(|value| (*value, 1)).collect();
            column.sort_by(|a, b| a.0.total_cmp(&b.0));
            column
        });
        Self::weighed(columns, (values.len() / width.max(1)) as u64)
    }

    /// Of pictures, by channel, 0 to 1; counted are the pictures.
    pub(super) fn of_pictures(seen: &ImageStats) -> Self {
        let channels = seen.histograms.iter().map(|histogram| {
            let levels = histogram.iter().enumerate().filter(|(_, count)| **count > 0);
            levels.map(|(level, count)| (level as f64 / 255.0, *count)).collect()
        });
        Self::weighed(channels, seen.pictures)
    }

    /// Of columns of values, from the least to the greatest, each so many times.
    fn weighed(columns: impl Iterator<Item = Vec<(f64, u64)>>, count: u64) -> Self {
        let mut stats = Self { count, ..Self::default() };
        for column in columns {
            let all: u64 = column.iter().map(|(_, times)| times).sum();
            let mean_of = |figure: &dyn Fn(f64) -> f64| {
                column.iter().map(|(value, times)| figure(*value) * *times as f64).sum::<f64>()
                    / all.max(1) as f64
            };
            let mean = mean_of(&|value| value);
            stats.min.push(column.first().map_or(0.0, |(value, _)| *value));
            stats.max.push(column.last().map_or(0.0, |(value, _)| *value));
            stats.mean.push(mean);
            stats.std.push(mean_of(&|value| (value - mean).powi(2)).sqrt());
            for (quantile, (_, share)) in stats.quantiles.iter_mut().zip(QUANTILES) {
                quantile.push(at_share(&column, all, share));
            }
        }
        stats
    }

    /// Of several episodes, as LeRobot puts them together: quantiles are the weighted means of theirs.
    pub(super) fn of_all(episodes: &[Self]) -> Self {
        let count: u64 = episodes.iter().map(|one| one.count).sum();
        let width = episodes.first().map_or(0, |one| one.mean.len());
        let weighed = |figure: &dyn Fn(&Self) -> f64| {
            episodes.iter().map(|one| figure(one) * one.count as f64).sum::<f64>()
                / count.max(1) as f64
        };
        let mut all = Self { count, ..Self::default() };
        for k in 0..width {
            let mean = weighed(&|one| one.mean[k]);
            let square = weighed(&|one| one.std[k].powi(2) + (one.mean[k] - mean).powi(2));
            all.min.push(episodes.iter().map(|one| one.min[k]).fold(f64::INFINITY, f64::min));
            all.max.push(episodes.iter().map(|one| one.max[k]).fold(f64::NEG_INFINITY, f64::max));
            all.mean.push(mean);
            all.std.push(square.sqrt());
            for (at, quantile) in all.quantiles.iter_mut().enumerate() {
                quantile.push(weighed(&|one| one.quantiles[at][k]));
            }
        }
        all
    }

    /// Each figure with its name, but the count.
    pub(super) fn each(&self) -> impl Iterator<Item = (&'static str, &Vec<f64>)> {
        let plain =
            [("min", &self.min), ("max", &self.max), ("mean", &self.mean), ("std", &self.std)];
        let quantiles = QUANTILES.iter().zip(&self.quantiles);
        plain.into_iter().chain(quantiles.map(|((name, _), values)| (*name, values)))
    }
}

/// Between the two values that a share of them lies between, linearly: NumPy's default.
fn at_share(column: &[(f64, u64)], all: u64, share: f64) -> f64 {
    let place = share * all.saturating_sub(1) as f64;
    let value = |place: u64| {
        let mut before = 0;
        let found = column.iter().find(|(_, times)| {
            before += times;
            place < before
        });
        found.or(column.last()).map_or(0.0, |(value, _)| *value)
    };
    let (low, high) = (value(place.floor() as u64), value(place.ceil() as u64));
    low + (high - low) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_those_of_numpy() {
        // np.quantile([1, 2, 4, 8], [.01, .1, .5, .9, .99]); np.std of the same.
        let stats = Stats::of(&[8.0, 0.5, 1.0, 0.5, 4.0, 0.5, 2.0, 0.5], 2);
        let first: Vec<f64> = stats.quantiles.iter().map(|quantile| quantile[0]).collect();
        for (found, wanted) in first.iter().zip([1.03, 1.3, 3.0, 6.8, 7.88]) {
            assert!((found - wanted).abs() < 1e-9, "{first:?}");
        }
        assert_eq!((stats.min[0], stats.max[0], stats.mean[0], stats.count), (1.0, 8.0, 3.75, 4));
        assert!((stats.std[0] - 2.680_951_323_690_902).abs() < 1e-12);
        assert_eq!((stats.std[1], stats.quantiles[2][1]), (0.0, 0.5));
    }

    #[test]
    fn episodes_together_are_as_their_values_together() {
        let (a, b) = ([1.0, 5.0, 6.0], [2.0, 9.0]);
        let together = Stats::of(&[1.0, 5.0, 6.0, 2.0, 9.0], 1);
        let all = Stats::of_all(&[Stats::of(&a, 1), Stats::of(&b, 1)]);
        assert_eq!((all.min[0], all.max[0], all.count), (1.0, 9.0, 5));
        assert!((all.mean[0] - together.mean[0]).abs() < 1e-12);
        assert!((all.std[0] - together.std[0]).abs() < 1e-12);
    }

    #[test]
    fn pictures_are_told_from_black_to_white() {
        let mut seen = ImageStats { pictures: 2, ..ImageStats::default() };
        for histogram in &mut seen.histograms {
            (histogram[0], histogram[255]) = (3, 1);
        }
        let stats = Stats::of_pictures(&seen);
        assert_eq!((stats.mean.as_slice(), stats.count), (&[0.25; 3][..], 2));
        assert_eq!((stats.min[1], stats.max[1], stats.quantiles[2][1]), (0.0, 1.0, 0.0));
    }
}
