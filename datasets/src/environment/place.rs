//! A place while it is laid out: view, road, palette, and helpers to put things where the camera sees them.

use crate::geometry::Vec3;
use crate::rng::Stream;

use super::View;
use super::plants::{Habit, Tree};
use super::road::Road;
use super::scene::Scene;
use super::season::Palette;

/// What every layout needs.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The view that is painted.
    pub view: View,
    /// The road through it.
    pub road: Road,
    /// Colours of the season.
    pub palette: Palette,
    /// Width of the carriageway, metres.
    pub road_metres: f32,
}

impl Place {
    /// A place with a road of the given width and curvature.
    #[must_use]
    pub fn new(view: &View, road_metres: f32, curvature: f32) -> Self {
        Self {
            view: *view,
            road: Road::new(view, curvature),
            palette: Palette::new(view),
            road_metres,
        }
    }

    /// Ground position at a distance from the camera that is seen at a share of the picture's half width:
    /// -1 the left border, 0 the middle, 1 the right border.
    #[must_use]
    pub fn seen(&self, share: f32, distance: f32) -> Vec3 {
        let camera = &self.view.camera;
        let (forward, right) = (camera.rotation.forward, camera.rotation.right);
        let d = forward.plus(right.scale(share * camera.centre_x / camera.focal_px));
        let level = Vec3::new(d.x, 0.0, d.z).unit();
        let p = camera.position.plus(level.scale(distance));
        Vec3::new(p.x, 0.0, p.z)
    }

    /// As [`Place::seen`], but moved off the carriageway and `clearance` metres beyond its edge.
    #[must_use]
    pub fn beside(&self, share: f32, distance: f32, clearance: f32) -> Vec3 {
        let p = self.seen(share, distance);
        let (across, along) = self.road.local(p);
        let middle = -0.5 * self.road_metres;
        let moved = if across > middle {
            across.max(clearance)
        } else {
            across.min(-self.road_metres - clearance)
        };
        self.road.world(moved, 0.0, along)
    }

    /// A position in the road frame.
    #[must_use]
    pub fn at(&self, across: f32, along: f32) -> Vec3 {
        self.road.world(across, 0.0, along)
    }

    /// Add a tree with its shadow.
    pub fn tree(
        &self,
        scene: &mut Scene<'_>,
        s: &mut Stream,
        base: Vec3,
        height: f32,
        habit: Habit,
    ) {
        let tree = Tree::new(base, height, habit, &self.palette, s);
        if habit == Habit::Conifer {
            scene.add_occluder(move |p| {
                let (half, low, top) = super::conifer::core(height);
                let right = p.facing_right(base).scale(half * (1.0 - low / top));
                let foot = base.plus(Vec3::new(0.0, low, 0.0));
                let peak = base.plus(Vec3::new(0.0, top, 0.0));
                p.occlude(&[foot.minus(right), foot.plus(right), peak]);
            });
        }
        let shadow = tree.clone();
        scene.add_on_ground(move |p| shadow.shadow(p));
        scene.add_at(base, move |p| tree.paint(p));
    }
}
