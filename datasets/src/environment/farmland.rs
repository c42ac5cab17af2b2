//! Farmland.

use crate::canvas::Canvas;
use crate::rng::Stream;

use super::View;
use super::foliage::{TreeLine, hedge, tall_grass};
use super::ground::Ground;
use super::painter::Painter;
use super::plants::{Habit, Tree};
use super::road::Road;
use super::scene::Scene;
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
    let mut scene = Scene::new();
    let habits =
        [Habit::Round, Habit::Oval, Habit::Column, Habit::Bush, Habit::Conifer, Habit::Pine];
    for i in 0..7 {
        let habit = habits[i % 6];
        let at = road.world(s.range(-15.0, 15.0), 0.0, s.range(16.0, 60.0));
        let tree = Tree::new(
            at,
            if habit == Habit::Bush { 2.5 } else { s.range(6.0, 14.0) },
            habit,
            &palette,
            &mut s,
        );
        let copy = tree.clone();
        scene.add_on_ground(move |p| copy.shadow(p));
        scene.add_at(at, move |p| tree.paint(p));
    }
    let line = TreeLine {
        from: road.world(-200.0, 0.0, 170.0),
        to: road.world(200.0, 0.0, 200.0),
        height: 18.0,
        crown: 8.0,
        conifers: 0.3,
        gaps: 0.2,
        seed: s.bits(),
    };
    scene.add(180.0, move |p| line.paint(p, &palette));
    let (a, b) = (road.world(5.0, 0.0, 15.0), road.world(5.0, 0.0, 60.0));
    let seed = s.bits();
    scene.add(15.0, move |p| hedge(p, &palette, a, b, 1.4, 0.3, seed));
    let (a, b) = (road.world(1.0, 0.0, 6.0), road.world(1.5, 0.0, 30.0));
    scene.add(6.0, move |p| tall_grass(p, &palette, a, b, 0.6, seed ^ 1));
    scene.paint(&mut painter);
}
