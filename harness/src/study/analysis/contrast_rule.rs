//! What the paper tells of the difference between correlated and uncorrelated training, and when ours agrees with it.

use super::{NOT_OF_THE_PAPER, NOT_PUBLISHED, beside_zero};
use crate::stats;
use crate::study::finding::Ruling;
use crate::study::paper;

/// What the paper tells of an architecture, if it has it.
pub(super) fn published(architecture: &str) -> Option<String> {
    paper::has(architecture).then(|| {
        if architecture == "resnet50" {
            "minimal".to_owned()
        } else {
            format!("{} to {}", paper::RATIO_DROP[0], paper::RATIO_DROP[1])
        }
    })
}

/// The same for a column.
pub(super) fn published_or_not(architecture: &str) -> String {
    published(architecture).unwrap_or_else(|| NOT_PUBLISHED.to_owned())
}

/// The ruling on differences of frames, or on mean differences of trainings, with the rule in words.
pub(super) fn rule(
    architecture: &str,
    differences: &[f64],
    ci95: Option<[f64; 2]>,
    p_holm: f64,
) -> (Ruling, String) {
    let [smallest, largest] = paper::RATIO_DROP;
    let sure = p_holm < 0.05;
    if !paper::has(architecture) {
        let found = beside_zero(ci95) && sure;
        let rule = "answered if the interval leaves out zero and p (Holm) < 0.05";
        return (
            if found { Ruling::Answered } else { Ruling::Undecided },
            format!("{NOT_OF_THE_PAPER}; {rule}"),
        );
    }
    if architecture == "resnet50" {
        let same = stats::tost(differences, smallest).is_some_and(|t| t.equivalent);
        let ruling = match ci95 {
            _ if same => Ruling::Reproduced,
            Some([low, high]) if (low > smallest || high < -smallest) && sure => {
                Ruling::NotReproduced
            }
            _ => Ruling::Undecided,
        };
        let rule = format!(
            "rule: equivalence test (two one-sided, 5 %) within +-{smallest}, the paper's smallest difference"
        );
        return (ruling, rule);
    }
    let ruling = match ci95 {
        Some([low, high]) if low > 0.0 && low <= largest && high >= smallest && sure => {
            Ruling::Reproduced
        }
        Some([low, high]) if high < smallest || low > largest => Ruling::NotReproduced,
        _ => Ruling::Undecided,
    };
    let rule = format!(
        "rule: the interval lies above 0 and meets {smallest} to {largest}, p (Holm) < 0.05"
    );
    (ruling, rule)
}
