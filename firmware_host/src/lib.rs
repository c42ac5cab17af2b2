//! The camera side of roadgaze as it would run on a vehicle's own controller: no std, no alloc, no unsafe.
//!
//! ```text
//! cadence -> slot pool -> camera link packet (sequence, time, geometry, CRC) -> faults -> COBS framing
//!         -> queue -> receiver (sequence, watchdog, freeze and black detectors) -> deadlines -> events
//! ```
//!
//! Every type is plain state and a function of `(state, input, now)`: time comes in as [`Micros`], memory as
//! buffers that the caller owns, randomness as a seed. So the crate builds unchanged for the host,
//! for thumbv7em and for AArch64, and every test can replay any moment.
//!
//! What it does not do: image decoding, sockets, threads, clocks. Those belong to the host.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod cadence;
pub mod checksum;
pub mod cobs;
pub mod counters;
pub mod deadline;
pub mod detector;
pub mod event;
pub mod fault;
pub mod injector;
pub mod link;
pub mod pool;
pub mod queue;
pub mod random;
pub mod ring;
pub mod sequence;
pub mod time;
pub mod watchdog;

pub use cadence::{Cadence, LatePolicy, Tick};
pub use checksum::checksum;
pub use cobs::{Deframer, FramingError};
pub use counters::{Counters, DropReason};
pub use deadline::{Budget, DeadlineMonitor, StageRecord, Verdict};
pub use detector::{Ailment, Change, DetectorSettings, PictureWatch};
pub use event::Event;
pub use fault::{Fault, FaultPlan, Kind, Start};
pub use injector::{Delivered, FaultInjector, PacketSource, Picture};
pub use link::{FrameHeader, LinkError, Packet};
pub use pool::{Slot, SlotPool};
pub use queue::{FrameQueue, Policy};
pub use ring::EventRing;
pub use sequence::{Arrival, SequenceTracker};
pub use time::Micros;
pub use watchdog::{Condition, Watchdog, WatchdogSettings};

#[cfg(all(test, feature = "defmt"))]
use defmt_host as _; // the global logger, without which events do not link
