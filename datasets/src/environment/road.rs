//! The road frame: metres across the road, up, and along it, bent a little to one side.

use crate::geometry::Vec3;
use crate::num::sin_cos;

use super::View;

/// Distance beyond which the road runs straight on, metres.
const BEND_METRES: f32 = 160.0;

/// Maps (across, up, along) to the world and back.
///
/// The origin is the right edge of the carriageway beside the camera: `across` > 0 is the verge
/// where the sign stands, `across` < 0 the carriageway, then the left verge. `along` grows in the
/// direction of travel; negative values lie behind the camera's side of the kerb.
#[derive(Clone, Copy, Debug)]
pub struct Road {
    origin: Vec3,
    right: Vec3,
    ahead: Vec3,
    curvature: f32,
}

impl Road {
    /// The road of a view, with the given curvature (1 / radius in metres, positive bends right).
    #[must_use]
    pub fn new(view: &View, curvature: f32) -> Self {
        let (s, c) = sin_cos(view.road_bearing);
        Self {
            origin: Vec3::new(view.kerb_x, 0.0, 0.0),
            right: Vec3::new(c, 0.0, -s),
            ahead: Vec3::new(s, 0.0, c),
            curvature,
        }
    }

    /// Sideways shift of the road at a distance along it, metres.
    #[must_use]
    #[inline]
    pub fn shift(&self, along: f32) -> f32 {
        let near = along.clamp(-BEND_METRES, BEND_METRES);
        self.curvature * (0.5 * near * near + (along - near) * near)
    }

    /// World position of a point of the road frame.
    #[must_use]
    pub fn world(&self, across: f32, up: f32, along: f32) -> Vec3 {
        self.origin
            .plus(self.right.scale(across + self.shift(along)))
            .plus(self.ahead.scale(along))
            .plus(Vec3::new(0.0, up, 0.0))
    }

    /// (across, along) of a world position.
    #[must_use]
    pub fn local(&self, p: Vec3) -> (f32, f32) {
        let d = p.minus(self.origin);
        let along = d.dot(self.ahead);
        (d.dot(self.right) - self.shift(along), along)
    }

    /// Unit vector across the road to the right, at the camera.
    #[must_use]
    pub fn right(&self) -> Vec3 {
        self.right
    }

    /// Unit vector along the road at the camera.
    #[must_use]
    pub fn ahead(&self) -> Vec3 {
        self.ahead
    }

    /// Unit direction of travel at a distance along the road.
    #[must_use]
    pub fn heading(&self, along: f32) -> Vec3 {
        let slope = self.curvature * along.clamp(-BEND_METRES, BEND_METRES);
        self.ahead.plus(self.right.scale(slope)).unit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::testing;

    #[test]
    fn local_is_the_inverse_of_world() {
        let road = Road::new(&testing::view(1), 1.0 / 300.0);
        for along in [-250.0, -20.0, 0.0, 35.0, 400.0] {
            for across in [-40.0, -3.5, 0.0, 2.0, 90.0] {
                let (a, b) = road.local(road.world(across, 1.0, along));
                assert!((a - across).abs() < 1e-2 && (b - along).abs() < 1e-2, "{a} {b}");
            }
        }
        let step = road.world(0.0, 0.0, 50.1).minus(road.world(0.0, 0.0, 50.0)).unit();
        assert!(step.dot(road.heading(50.0)) > 0.999);
    }
}
