//! Farmland.

use crate::canvas::Canvas;
use crate::rng::Stream;

use super::View;
use super::ground::Ground;
use super::painter::Painter;
use super::road::Road;
use super::season::Palette;
use super::sky::Sky;

/// Paint the whole canvas.
pub(super) fn paint(view: &View, canvas: &mut Canvas) {
    let mut s = Stream::new("farmland", &[view.seed]);
    let palette = Palette::new(view);
    let road = Road::new(view, s.range(-1.0, 1.0) / 250.0);
    let sky = Sky::new(view);
    sky.paint(view, canvas);
    let mut painter = Painter::new(canvas, view, sky.haze(), 2500.0);
    Ground::rural(view, road, palette, s.range(5.0, 7.0), s.range(0.8, 1.3)).paint(&mut painter);
}
