//! What the device reports while it runs; each event is one defmt frame of a few bytes.

use crate::cobs::FramingError;
use crate::counters::{Counters, DropReason};
use crate::deadline::Verdict;
use crate::detector::{Ailment, Change};
use crate::sequence::Arrival;
use crate::time::Micros;
use crate::watchdog::Transition;

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
        /// Which stage, as the caller names them.
        stage: &'static str,
        /// The verdict.
        verdict: Verdict,
    },
    /// The camera clock skipped ticks.
    Skipped {
        /// How many.
        ticks: u64,
    },
    /// Bytes on the link were no packet; the receiver looks for the next mark.
    Resynchronized {
        /// What was wrong.
        error: FramingError,
    },
    /// The condition of the camera changed.
    Camera {
        /// From what to what.
        transition: Transition,
    },
    /// A picture alarm went on or off.
    Alarm {
        /// Sequence number of the frame.
        sequence: u32,
        /// What it is about.
        ailment: Ailment,
        /// On or off.
        change: Change,
    },
    /// The fault injector struck.
    Injected {
        /// Sequence number of the frame.
        sequence: u32,
        /// Number of the fault in the scenario.
        fault: u8,
    },
    /// The link to the camera was made or lost.
    Link {
        /// Whether it is up.
        up: bool,
        /// Connections made so far.
        connections: u32,
    },
    /// The feed came to its end.
    Finished {
        /// Final counts.
        counters: Counters,
    },
}

impl Event {
    /// Names of the kinds, as [`Event::kind`] numbers them.
    pub const KINDS: [&'static str; 13] = [
        "captured",
        "arrived",
        "dropped",
        "classified",
        "explained",
        "deadline",
        "skipped",
        "resynchronized",
        "camera",
        "alarm",
        "injected",
        "link",
        "finished",
    ];

    /// Number of the kind.
    #[must_use]
    pub const fn kind(&self) -> usize {
        match self {
            Self::Captured { .. } => 0,
            Self::Arrived { .. } => 1,
            Self::Dropped { .. } => 2,
            Self::Classified { .. } => 3,
            Self::Explained { .. } => 4,
            Self::Deadline { .. } => 5,
            Self::Skipped { .. } => 6,
            Self::Resynchronized { .. } => 7,
            Self::Camera { .. } => 8,
            Self::Alarm { .. } => 9,
            Self::Injected { .. } => 10,
            Self::Link { .. } => 11,
            Self::Finished { .. } => 12,
        }
    }
}

#[cfg(feature = "defmt")]
impl Event {
    /// Send the event to the global defmt logger, at the level that it deserves.
    pub fn log(&self) {
        let out_of_order = |arrival: &Arrival| *arrival != Arrival::InOrder;
        match self {
            Self::Dropped { .. }
            | Self::Deadline { verdict: Verdict::Missed { .. }, .. }
            | Self::Skipped { .. }
            | Self::Resynchronized { .. }
            | Self::Alarm { .. }
            | Self::Camera { .. }
            | Self::Link { up: false, .. } => {
                defmt::warn!("{}", self);
            }
            Self::Arrived { arrival, .. } if out_of_order(arrival) => {
                defmt::warn!("{}", self);
            }
            Self::Finished { .. } | Self::Link { .. } => {
                defmt::info!("{}", self);
            }
            _ => {
                defmt::debug!("{}", self);
            }
        }
    }
}
