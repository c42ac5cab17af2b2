//! The explanation thread: Kernel SHAP as a second workload with its own budget, which gives way to frames.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender};

use super::super::RunError;
use super::super::explain::{ExplainError, Explainer};
use super::super::signals::Gate;
use super::super::threads::{self, ThreadSettings};
use super::books::ExplainedEnd;
use super::{Ending, Frame, Note};
use crate::attribution::AttributionError;
use crate::clock::Clock;

/// Explain what is due until no more comes or the run ends.
///
/// # Errors
/// If an explanation fails for another reason than its budget.
pub(super) fn explain_beside(
    explainer: &mut Explainer,
    settings: &ThreadSettings,
    due: &Receiver<Arc<Frame>>,
    notes: &Sender<Note>,
    gate: &Gate,
    ending: &Ending<'_>,
    clock: Clock,
) -> Result<ExplainedEnd, RunError> {
    let mut end = ExplainedEnd::default();
    end.warnings.extend(threads::bind(&settings.explain));
    end.warnings.extend(threads::lower_priority(settings.explain_nice));
    for frame in due {
        if ending.is_due() {
            break;
        }
        let Frame { received, truth, decided, .. } = frame.as_ref();
        let (position, sequence) = (received.header.position, received.header.sequence);
        gate.explaining(true);
        let made = explainer.beside(received, truth, decided, clock);
        gate.explaining(false);
        match made {
            Ok((row, taken)) => {
                end.made += 1;
                let note = Note::Explained { position, sequence, row: Box::new(row), taken };
                if notes.send(note).is_err() {
                    break; // the store failed
                }
            }
            Err(ExplainError::Attribution(AttributionError::Stopped)) => {
                if ending.is_due() {
                    break;
                }
                end.over_budget += 1;
            }
            Err(source) => {
                ending.fail();
                return Err(RunError::Explain { position, source });
            }
        }
    }
    Ok(end)
}
