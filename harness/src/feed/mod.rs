//! The simulated camera: frames of a data set, delivered as camera link packets through slots and a queue.
//!
//! ```text
//! source -> slot (leased) -> packet sealed (CRC) -> queue -> bounded channel -> receiver checks -> slot given back
//! ```
//!
//! A scenario adds a camera clock, a sensor, faults and queue policies:
//!
//! ```text
//! source -> sensor -> packet -> faults -> intake (checks, books, watchdog, detectors) -> line (slots, queue policy) -> pipeline
//! ```
//!
//! The camera runs on a thread of its own. In lockstep it blocks while the receiver is busy, so every frame is
//! processed and results do not depend on speed. Ground truth travels beside the packet, never inside.

mod camera;
mod filmed;
pub mod intake;
mod lateness;
mod line;
mod preload;
mod receiver;
pub mod remote;
pub mod scenario;
pub mod sensor;
mod stream;
#[cfg(test)]
mod stream_tests;
mod timing;
pub mod wire;

pub use camera::{CameraReport, Delivery, Truth, film};
pub use intake::{Accepted, Intake, IntakeReport};
pub use line::{Line, Taken, Waiting};
pub use preload::Preloaded;
pub use receiver::{Received, Receiver};
pub use scenario::{Scenario, ScenarioError};
pub use stream::{FilmError, FilmReport, Filming, Pace, stream};
pub use timing::Timing;

/// Slots in the pool: one being filled, one waiting, one being read, one in reserve.
pub const SLOTS: usize = 4;
/// Frames that may wait in the queue.
pub const QUEUE_FRAMES: usize = 2;

/// A frame buffer on the host.
pub type HostSlot = firmware_host::Slot<Box<[u8]>>;
