//! What a network gains over a whole coalition plan by computing from picture to picture only what differs.
//!
//! The plan is valued with and without, in turns, each first in every other round, so that whatever else runs on the
//! machine slows both alike. One ratio a round: single evaluations differ, since a super-pixel in the middle reaches more
//! than one in a corner.

use models::Classifier;
use serde::Serialize;

use super::BenchError;
use super::explaining::Median;
use crate::attribution::{
    AttributionError, Coalition, Evaluator, Game, MaskedPicture, Output, PictureGame, Plan,
};
use crate::clock::Clock;

/// What was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReuseGain {
    /// Forward passes of the plan.
    pub forwards: usize,
    /// Time of the plan by the number of its forward passes with every picture computed as a whole, milliseconds.
    pub whole_ms: Median,
    /// The same computed by difference.
    pub by_difference_ms: Median,
    /// The first by the second, round by round.
    pub gain: Median,
}

/// A game that is never told that coalitions are alike.
struct Unrelated<G>(G);

impl<G: Game> Game for Unrelated<G> {
    fn value(&mut self, coalition: &Coalition) -> Result<f64, AttributionError> {
        self.0.value(coalition)
    }
}

/// Values a plan on as many threads as there are sessions, `rounds` times each way after one round that is not counted.
///
/// # Errors
/// If the network fails, there is nothing to measure, or both ways give different values.
pub fn reuse_gain<C: Classifier>(
    plan: &Plan,
    picture: &MaskedPicture,
    sessions: &mut [C],
    rounds: usize,
    clock: Clock,
) -> Result<ReuseGain, BenchError> {
    let forwards = plan.distinct().1.len();
    let (mut whole, mut by_difference, mut gain) = (vec![], vec![], vec![]);
    for round in 0..=rounds {
        let mut valued = |reuse: bool| {
            let games = sessions
                .iter_mut()
                .map(|session| PictureGame::new(picture, session, 0, Output::Logit));
            let mut evaluator = Evaluator::new(plan);
            let all = plan.coalitions().len();
            let (result, taken) = if reuse {
                let mut workers: Vec<_> = games.collect();
                clock.time(|| evaluator.extend(all, &mut workers))
            } else {
                let mut workers: Vec<_> = games.map(Unrelated).collect();
                clock.time(|| evaluator.extend(all, &mut workers))
            };
            result.map(|()| (evaluator.values().to_vec(), taken.0.max(1) as f64 / 1000.0))
        };
        let ((expected, a), (found, b)) = if round % 2 == 0 {
            let first = valued(false)?;
            (first, valued(true)?)
        } else {
            let first = valued(true)?;
            (valued(false)?, first)
        };
        if expected != found {
            return Err(BenchError::Differs);
        }
        if round > 0 {
            whole.push(a / forwards as f64);
            by_difference.push(b / forwards as f64);
            gain.push(a / b);
        }
    }
    let median = |values: &[f64]| {
        Median::of(values).ok_or_else(|| BenchError::Nothing {
            expected: "at least one round",
            found: "none".to_owned(),
        })
    };
    Ok(ReuseGain {
        forwards,
        whole_ms: median(&whole)?,
        by_difference_ms: median(&by_difference)?,
        gain: median(&gain)?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::Sleepy;
    use super::*;
    use crate::attribution::{Estimator, Grid};

    #[test]
    fn both_ways_value_the_whole_plan_in_every_round() {
        let (input, grid) = (vec![1.0; 3 * 64], Grid { rows: 2, columns: 2 });
        let picture = MaskedPicture::new(input, vec![0.0; 3 * 64], (8, 8), grid).unwrap();
        let plan = Plan::draw(Estimator::Permutation, grid, 8, 1).unwrap();
        let forwards = plan.distinct().1.len();
        let mut sessions = [Sleepy::new(1, 0), Sleepy::new(1, 0)];
        let gain = reuse_gain(&plan, &picture, &mut sessions, 2, Clock::start()).unwrap();
        assert_eq!((gain.forwards, gain.gain.n), (forwards, 2));
        assert_eq!(sessions[0].calls + sessions[1].calls, 3 * 2 * forwards);
        assert!(reuse_gain(&plan, &picture, &mut sessions, 0, Clock::start()).is_err());
    }
}
