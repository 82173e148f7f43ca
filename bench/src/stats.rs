//! Medians and percentiles of small samples.

/// The middle of the sorted figures; 0 for none.
pub(crate) fn median(figures: &[f64]) -> f64 {
    percentile(figures, 50)
}

/// The smallest figure that at least `percent` per cent of the figures do not exceed; 0 for none.
pub(crate) fn percentile(figures: &[f64], percent: usize) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(rank).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_the_nearest() {
        let figures: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert!((median(&figures) - 50.0).abs() < f64::EPSILON);
        assert!((percentile(&figures, 99) - 99.0).abs() < f64::EPSILON);
        assert!(median(&[]).abs() < f64::EPSILON);
    }
}
