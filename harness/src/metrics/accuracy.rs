//! The order of the classes by their logits.

/// The classes with the highest logits, best first; equal logits in the order of the classes.
#[must_use]
pub fn top_classes(logits: &[f32], count: usize) -> Vec<usize> {
    let mut classes: Vec<usize> = (0..logits.len()).collect();
    classes.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]).then(a.cmp(&b)));
    classes.truncate(count);
    classes
}

/// Number of classes that come before this one, 0 for the best: top-k is right if it is below k.
#[must_use]
pub fn rank_of(logits: &[f32], class: usize) -> Option<usize> {
    let own = *logits.get(class)?;
    let before = |(other, value): (usize, &f32)| {
        let order = value.total_cmp(&own);
        order.is_gt() || (order.is_eq() && other < class)
    };
    Some(logits.iter().enumerate().filter(|&entry| before(entry)).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_go_to_the_lower_class_in_both() {
        let logits = [0.5, 2.0, 0.5, -1.0, 2.0];
        let order = top_classes(&logits, 5);
        assert_eq!(order, [1, 4, 0, 2, 3]);
        for (rank, &class) in order.iter().enumerate() {
            assert_eq!(rank_of(&logits, class), Some(rank));
        }
        assert_eq!(rank_of(&logits, 5), None);
        assert_eq!(top_classes(&logits, 2), [1, 4]);
    }
}
