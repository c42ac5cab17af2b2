//! What the device reports while it runs; each event is one defmt frame of a few bytes.

use crate::counters::{Counters, DropReason};
use crate::deadline::Verdict;
use crate::sequence::Arrival;
use crate::time::Micros;

/// Something worth reporting about the camera feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Event {
    /// A frame was captured into a slot.
    Captured {
        /// Sequence number.
        sequence: u32,
        /// Slot that holds it.
        slot: u8,
    },
    /// A frame arrived and passed its checks.
    Arrived {
        /// Sequence number.
        sequence: u32,
        /// How it stands to those before it.
        arrival: Arrival,
        /// Time since it was due.
        age: Micros,
    },
    /// A frame was dropped.
    Dropped {
        /// Sequence number.
        sequence: u32,
        /// Why.
        reason: DropReason,
    },
    /// A frame was classified.
    Classified {
        /// Sequence number.
        sequence: u32,
        /// Class with the highest logit.
        class: u16,
        /// Time that the network took.
        taken: Micros,
    },
    /// A frame was explained.
    Explained {
        /// Sequence number.
        sequence: u32,
        /// Network evaluations that it needed.
        evaluations: u32,
        /// Time that the explanation took.
        taken: Micros,
    },
    /// A stage was judged against its budget.
    Deadline {
        /// Sequence number.
        sequence: u32,
        /// The verdict.
        verdict: Verdict,
    },
    /// The feed came to its end.
    Finished {
        /// Final counts.
        counters: Counters,
    },
}

#[cfg(feature = "defmt")]
impl Event {
    /// Send the event to the global defmt logger, at the level that it deserves.
    pub fn log(&self) {
        let out_of_order = |arrival: &Arrival| *arrival != Arrival::InOrder;
        match self {
            Self::Dropped { .. } | Self::Deadline { verdict: Verdict::Missed { .. }, .. } => {
                defmt::warn!("{}", self);
            }
            Self::Arrived { arrival, .. } if out_of_order(arrival) => {
                defmt::warn!("{}", self);
            }
            Self::Finished { .. } => {
                defmt::info!("{}", self);
            }
            _ => {
                defmt::debug!("{}", self);
            }
        }
    }
}
