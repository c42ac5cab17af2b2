//! The camera side of roadgaze as it would run on a vehicle's own controller: no std, no alloc, no unsafe.
//!
//! ```text
//! slot pool -> camera link packet (sequence, time, geometry, CRC) -> queue -> receiver -> deadlines
//! ```
//!
//! Every type is plain state and a function of `(state, input, now)`: time comes in as [`Micros`], memory as
//! buffers that the caller owns, randomness not at all. So the crate builds unchanged for the host,
//! for thumbv7em and for AArch64, and every test can replay any moment.
//!
//! What it does not do: image decoding, sockets, threads, clocks. Those belong to the host.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod counters;
pub mod deadline;
pub mod event;
pub mod link;
pub mod pool;
pub mod queue;
pub mod sequence;
pub mod time;

pub use counters::{Counters, DropReason};
pub use deadline::{Budget, Verdict};
pub use event::Event;
pub use link::{FrameHeader, LinkError, Packet};
pub use pool::{Slot, SlotPool};
pub use queue::{FrameQueue, Policy};
pub use sequence::{Arrival, SequenceTracker};
pub use time::Micros;

#[cfg(all(test, feature = "defmt"))]
use defmt_host as _; // the global logger, without which events do not link
