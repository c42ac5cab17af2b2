//! A list of things to paint, sorted by distance: the painter's algorithm, from near to far.

use crate::canvas::Rgb;
use crate::geometry::Vec3;
use crate::num::smoothstep;

use super::painter::Painter;

type Paint<'s> = Box<dyn FnOnce(&mut Painter<'_>) + 's>;

/// Things that stand on the ground, collected in any order and laid over each other farthest first.
#[derive(Default)]
pub struct Scene<'s> {
    occluders: Vec<Paint<'s>>,
    shadows: Vec<Paint<'s>>,
    things: Vec<(f32, Paint<'s>)>,
}

impl core::fmt::Debug for Scene<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Scene {{ shadows: {}, things: {} }}", self.shadows.len(), self.things.len())
    }
}

impl<'s> Scene<'s> {
    /// An empty scene.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Add a thing that is nearest to the camera about `distance` metres away.
    pub fn add(&mut self, distance: f32, paint: impl FnOnce(&mut Painter<'_>) + 's) {
        self.things.push((distance, Box::new(paint)));
    }

    /// Add a thing that stands at a world position (its distance is the horizontal one from the origin).
    pub fn add_at(&mut self, position: Vec3, paint: impl FnOnce(&mut Painter<'_>) + 's) {
        let distance = (position.x * position.x + position.z * position.z).sqrt();
        self.add(distance, paint);
    }

    /// Add a building with the given width and depth (metres) whose walls are announced by
    /// [`Scene::add_occluder`]: it is painted before everything that is nearer than its farthest corner,
    /// and the announced walls keep back what stands behind them.
    pub fn add_building(
        &mut self,
        base: Vec3,
        size: [f32; 2],
        paint: impl FnOnce(&mut Painter<'_>) + 's,
    ) {
        let centre = (base.x * base.x + base.z * base.z).sqrt();
        let half_diagonal = 0.5 * (size[0] * size[0] + size[1] * size[1]).sqrt();
        self.add(centre + half_diagonal, paint);
    }

    /// Add something that changes the ground only and is painted before all things: shadows, puddles.
    pub fn add_on_ground(&mut self, paint: impl FnOnce(&mut Painter<'_>) + 's) {
        self.shadows.push(Box::new(paint));
    }

    /// Add a call of [`Painter::occlude`] for a large opaque part of a thing.
    pub fn add_occluder(&mut self, announce: impl FnOnce(&mut Painter<'_>) + 's) {
        self.occluders.push(Box::new(announce));
    }

    /// Announce the opaque parts. Called before sky and ground are painted, it saves most of them where
    /// walls stand in front.
    pub fn announce(&mut self, painter: &mut Painter<'_>) {
        for announce in self.occluders.drain(..) {
            announce(painter);
        }
    }

    /// Paint everything in front of the backdrop. What was announced before keeps the backdrop back as well;
    /// what this call announces, only things.
    pub fn paint(mut self, painter: &mut Painter<'_>, backdrop: impl FnOnce(&mut Painter<'_>)) {
        let behind_backdrop = (!self.occluders.is_empty()).then(|| painter.nearest.clone());
        self.announce(painter);
        // stable: things at the same distance keep the order in which they were added
        self.things.sort_by(|a, b| b.0.total_cmp(&a.0));
        let things = self.things.into_iter().map(|(_, paint)| paint);
        // far to near is backdrop, shadows, things; painted from near to far, see `layers.rs`
        for paint in self.shadows.into_iter().chain(things).rev() {
            painter.layers.begin();
            paint(painter);
        }
        painter.layers.begin_backdrop();
        if let Some(nearest) = behind_backdrop {
            painter.nearest = nearest;
        }
        backdrop(painter);
        painter.finish();
    }
}

impl Painter<'_> {
    /// Share of the light on open ground that remains where the sun is blocked.
    #[must_use]
    pub fn shade_factor(&self) -> Rgb {
        let up = Vec3::new(0.0, 1.0, 0.0);
        let all = self.light.on(up);
        let sky = self.light.sky.scale(0.85);
        let share = |s: f32, a: f32| if a > 1e-6 { (s / a).clamp(0.0, 1.0) } else { 1.0 };
        Rgb::new(share(sky.r, all.r), share(sky.g, all.g), share(sky.b, all.b))
    }

    /// Soft shadow on the ground of something `height` metres tall and about `radius` wide at `base`:
    /// an ellipse stretched away from the sun, plus the dark contact below the object.
    pub fn ground_shadow(&mut self, base: Vec3, radius: f32, height: f32) {
        let contact = Rgb::grey(0.62);
        self.ground_ellipse(base, Vec3::new(radius * 1.15, 0.0, 0.0), radius * 1.15, contact);
        let sun = self.light.to_sun;
        if self.light.sun.luminance() < 1e-3 || sun.y < 0.03 {
            return;
        }
        let level = (sun.x * sun.x + sun.z * sun.z).sqrt();
        let length = (height * level / sun.y).min(height * 4.0);
        let away = Vec3::new(-sun.x, 0.0, -sun.z).unit();
        let middle = base.plus(away.scale(0.5 * length));
        let factor = self.shade_factor();
        self.ground_ellipse(middle, away.scale(0.5 * length + radius), radius, factor);
    }

    /// Multiply the ground inside an ellipse by a factor, softly at the rim. `axis` is the half axis in one
    /// direction, `other` the length of the perpendicular half axis, metres.
    pub fn ground_ellipse(&mut self, centre: Vec3, axis: Vec3, other: f32, factor: Rgb) {
        let a = axis.length();
        let side = Vec3::new(-axis.z, 0.0, axis.x).unit().scale(other);
        let ground = Vec3::new(centre.x, 0.0, centre.z);
        let corner = ground.minus(axis).minus(side);
        self.darken(corner, axis.scale(2.0), side.scale(2.0), |u, v, _| {
            let (x, y) = (u / a - 1.0, v / other - 1.0);
            let inside = 1.0 - smoothstep(0.55, 1.0, (x * x + y * y).sqrt());
            Rgb::grey(1.0).mix(factor, inside)
        });
    }
}
