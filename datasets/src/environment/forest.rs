//! Forest.

use crate::canvas::{Canvas, Rgb};

use super::View;

/// Paint the whole canvas.
pub(super) fn paint(view: &View, canvas: &mut Canvas) {
    canvas.pixels.fill(view.light.on(view.light.to_sun).times(Rgb::grey(0.4)));
}
