//! Cars, vans, lorries and buses, built in perspective from body panels of real dimensions.
//!
//! A car is a side profile swept across its width: every stretch of the profile is a plane panel, so is the
//! glazed part of the side, which leans in. Wheels, lights, seams and glass are functions of metres on the panels.

mod heavy;
mod profile;
mod swept;
mod wheels;

use crate::canvas::Rgb;
use crate::geometry::Vec3;
use crate::num::smoothstep;
use crate::rng::Stream;

use super::painter::Painter;
use profile::{car_profile, van_profile};

/// What drives or stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Passenger car: hatchback, saloon, estate or off-road, chosen by the seed.
    Car,
    /// Delivery van without side windows at the back.
    Van,
    /// Lorry with a box body or semitrailer.
    Lorry,
    /// City bus.
    Bus,
}

/// A vehicle on the ground.
#[derive(Clone, Copy, Debug)]
pub struct Vehicle {
    /// Middle of its footprint, on the ground.
    pub base: Vec3,
    /// Unit direction of travel, level.
    pub heading: Vec3,
    /// What it is.
    pub kind: Kind,
    /// Length, width and height, metres.
    pub size: Vec3,
    /// Paint.
    pub colour: Rgb,
    /// Whether lamps burn.
    pub lamps: bool,
    variant: f32,
    /// Corners of the side profile of cars and vans: metres behind the front, height, half width.
    profile: [(f32, f32, f32); 9],
    wheel_radius: f32,
}

/// Paints of the German fleet (sRGB): mostly greys, black and white.
const PAINT: [(u8, u8, u8); 14] = [
    (34, 35, 38),
    (42, 44, 48),
    (92, 95, 98),
    (122, 125, 128),
    (160, 162, 162),
    (178, 178, 176),
    (206, 206, 202),
    (214, 212, 206),
    (44, 54, 78),
    (58, 72, 100),
    (108, 34, 34),
    (70, 36, 38),
    (66, 78, 70),
    (128, 116, 98),
];
/// Curtains and boxes of lorries (sRGB).
const CARGO: [(u8, u8, u8); 8] = [
    (196, 196, 192),
    (180, 180, 178),
    (64, 84, 124),
    (128, 52, 48),
    (66, 98, 82),
    (176, 148, 82),
    (100, 104, 110),
    (206, 204, 196),
];
const TYRE: Rgb = Rgb::grey(0.022);
const GLASS: Rgb = Rgb::grey(0.018);

impl Vehicle {
    /// A vehicle of a kind; shape, size and paint are drawn.
    #[must_use]
    pub fn new(s: &mut Stream, kind: Kind, base: Vec3, heading: Vec3) -> Self {
        let table: &[(u8, u8, u8)] = match kind {
            Kind::Lorry => &CARGO,
            Kind::Van => {
                &[(206, 206, 202), (198, 198, 194), (120, 124, 128), (176, 158, 96), (66, 78, 104)]
            }
            Kind::Bus => &[(196, 190, 178), (150, 60, 56), (84, 112, 98), (188, 176, 128)],
            Kind::Car => &PAINT,
        };
        let &(r, g, b) = s.pick(table);
        let variant = s.unit();
        let (size, profile, wheel_radius) = match kind {
            Kind::Car => car_profile(s, variant),
            Kind::Van => van_profile(s),
            Kind::Lorry => {
                (Vec3::new(s.range(9.0, 16.0), 2.5, s.range(3.4, 3.95)), [(0.0, 0.0, 1.25); 9], 0.5)
            }
            Kind::Bus => (Vec3::new(12.0, 2.55, 3.1), [(0.0, 0.0, 1.27); 9], 0.48),
        };
        Self {
            base,
            heading: Vec3::new(heading.x, 0.0, heading.z).unit(),
            kind,
            size,
            colour: Rgb::srgb8(r, g, b),
            lamps: s.chance(0.35),
            variant,
            profile,
            wheel_radius,
        }
    }

    fn right(&self) -> Vec3 {
        Vec3::new(self.heading.z, 0.0, -self.heading.x)
    }

    /// World position: metres to the right, up, and behind the front end.
    fn at(&self, x: f32, y: f32, behind: f32) -> Vec3 {
        self.base
            .plus(self.right().scale(x))
            .plus(self.heading.scale(0.5 * self.size.x - behind))
            .plus(Vec3::new(0.0, y, 0.0))
    }

    /// Darken the ground below and beside the vehicle.
    pub fn paint_shadow(&self, p: &mut Painter<'_>) {
        let (length, width) = (self.size.x, self.size.y);
        let sun = p.light.to_sun;
        if p.light.sun.luminance() > 1e-3 && sun.y > 0.05 {
            let level = (sun.x * sun.x + sun.z * sun.z).sqrt();
            let away = Vec3::new(-sun.x, 0.0, -sun.z).unit();
            let reach = (self.size.z * level / sun.y).min(8.0);
            let middle = self.base.plus(away.scale(0.5 * reach));
            let (across, along) = (away.dot(self.right()).abs(), away.dot(self.heading).abs());
            let (l, w) = (length + along * reach, width + across * reach);
            let factor = p.shade_factor();
            self.soft_rectangle(p, middle, l, w, 0.5, factor);
        }
        self.soft_rectangle(p, self.base, length + 0.5, width + 0.5, 0.55, Rgb::grey(0.30));
    }

    fn soft_rectangle(&self, p: &mut Painter<'_>, middle: Vec3, l: f32, w: f32, soft: f32, f: Rgb) {
        let corner = middle.minus(self.heading.scale(0.5 * l)).minus(self.right().scale(0.5 * w));
        p.darken(corner, self.heading.scale(l), self.right().scale(w), |u, v, _| {
            let rim = |a: f32, extent: f32| smoothstep(0.0, soft, a.min(extent - a));
            Rgb::grey(1.0).mix(f, rim(u, l) * rim(v, w))
        });
    }

    /// Paint the body.
    pub fn paint(&self, p: &mut Painter<'_>) {
        match self.kind {
            Kind::Car | Kind::Van => self.paint_swept(p),
            Kind::Lorry => self.paint_lorry(p),
            Kind::Bus => self.paint_bus(p),
        }
    }

    /// Light from a painted and varnished panel: body colour plus the mirrored surroundings.
    fn varnish(&self, p: &Painter<'_>, normal: Vec3, tilt: f32) -> Rgb {
        let falls = p.light.on(normal);
        let up = smoothstep(-0.25, 0.55, normal.y + tilt);
        let mirrored = falls.scale(0.12).mix(p.light.sky, up);
        self.colour.times(falls).scale(0.92).plus(mirrored.scale(0.05 + 0.1 * up))
    }

    /// Metres behind the front of the two axles.
    fn axles(&self) -> [f32; 2] {
        match self.kind {
            Kind::Car => [0.2 * self.size.x, 0.8 * self.size.x],
            Kind::Van => [0.17 * self.size.x, 0.78 * self.size.x],
            Kind::Lorry => [1.5, self.size.x - 2.6],
            Kind::Bus => [2.7, 8.7],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canvas::Canvas;
    use crate::environment::testing;
    use crate::geometry::Rotation;

    #[test]
    fn every_kind_paints_finite_light_from_every_side() {
        for kind in [Kind::Car, Kind::Van, Kind::Lorry, Kind::Bus] {
            for i in 0..16_u8 {
                let mut view = testing::view(u64::from(i));
                // looks a little down, at the vehicle
                view.camera.rotation = Rotation::from_angles(0.0, -0.12, 0.0);
                let mut canvas = Canvas::new(64, 64, Rgb::grey(0.3));
                let mut p = Painter::new(&mut canvas, &view, Rgb::grey(0.5), 500.0);
                let angle = f32::from(i) * 0.4;
                let heading = Vec3::new(crate::num::sin(angle), 0.0, crate::num::cos(angle));
                let mut s = Stream::new("vehicle-test", &[u64::from(i)]);
                let ahead = view.camera.rotation.forward;
                let base = Vec3::new(ahead.x, 0.0, ahead.z).unit().scale(2.0 + f32::from(i));
                let vehicle = Vehicle::new(&mut s, kind, base, heading);
                vehicle.paint_shadow(&mut p);
                vehicle.paint(&mut p);
                assert!(canvas.pixels.iter().all(|c| c.r.is_finite() && c.g >= 0.0 && c.b < 9.0));
                assert!(canvas.pixels.iter().any(|c| *c != Rgb::grey(0.3)), "{kind:?} {i}");
            }
        }
    }
}
