//! The classification thread: takes frames out of the queue, decides, and lets nothing else hold it up.

use std::sync::Arc;

use crossbeam_channel::{Sender, TrySendError};
use models::{ModelError, Preprocessor, Session};

use super::super::explain::decide;
use super::super::plan::Method;
use super::super::signals::Gate;
use super::books::Classified;
use super::{Ending, Frame, Live, Note, TAKE, take_out};
use crate::feed::{Line, Taken, Waiting};
use crate::store::Stage;

/// Classify until the line is closed or the run ends.
///
/// # Errors
/// If the network fails.
pub(super) fn classify(
    live: &Live<'_>,
    line: &Line,
    (preprocessor, session): (&Preprocessor, &mut Session),
    gate: &Gate,
    notes: &Sender<Note>,
    jobs: Option<&Sender<Arc<Frame>>>,
    ending: &Ending<'_>,
) -> Result<Classified, ModelError> {
    let mut done = Classified::default();
    while !ending.is_due() {
        let waiting = match line.take(TAKE) {
            Taken::Frame(waiting) => *waiting,
            Taken::Nothing => continue,
            Taken::Closed => break,
        };
        done.taken += 1;
        gate.deciding(true);
        let beside = gate.is_explaining();
        let frame = one(live, line, waiting, preprocessor, session);
        gate.deciding(false);
        let Some(frame) = frame.inspect_err(|_| ending.fail())? else {
            done.without_truth += 1;
            continue;
        };
        let beside = beside || gate.is_explaining();
        let delay = frame.stages[3].1;
        if beside {
            done.beside.push(delay);
        } else {
            done.alone.push(delay);
        }
        let header = frame.received.header;
        let frame = Arc::new(frame);
        if notes.send(Note::Decided(Arc::clone(&frame))).is_err() {
            break; // the store failed
        }
        let shap = [Method::KernelShap];
        let Some(jobs) = jobs else { continue };
        if live.methods(&shap, header.sequence, header.position).is_empty() {
            continue;
        }
        match jobs.try_send(frame) {
            Ok(()) | Err(TrySendError::Disconnected(_)) => {}
            Err(TrySendError::Full(_)) => done.skipped += 1,
        }
    }
    Ok(done)
}

/// Classify one frame; none if it came without its truth.
fn one(
    live: &Live<'_>,
    line: &Line,
    waiting: Waiting,
    preprocessor: &Preprocessor,
    session: &mut Session,
) -> Result<Option<Frame>, ModelError> {
    let clock = live.clock;
    let began = clock.now();
    let Some((received, truth, [capture, transport])) = take_out(line, waiting, clock) else {
        return Ok(None);
    };
    let decided = decide(preprocessor, session, &received, clock)?;
    let now = clock.now();
    let service = (Stage::Service, now.since(began).0);
    let decision = (Stage::Decision, now.since(received.header.scheduled).0);
    let stages = [capture, transport, service, decision];
    Ok(Some(Frame { received, truth, decided, stages }))
}
