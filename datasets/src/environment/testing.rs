//! Views for the unit tests of the painters.

use super::{View, example};

/// A view for a canvas of 64 x 64 pixels.
pub(crate) fn view(seed: u64) -> View {
    example::view(seed, 64)
}
