//! Buildings with depth: houses of a closed street front, and detached houses with pitched roofs.

use crate::canvas::Rgb;
use crate::geometry::Vec3;
use crate::num::smoothstep;
use crate::rng::Stream;

use super::facade::{Facade, Finish, Lit, band, pick_colour, roof_tiles, shop_colour};
use super::painter::Painter;
use super::solids::{Cuboid, Side};
use super::tile::{Field, Pattern, fract};

/// Roof tiles (sRGB): clay reds and browns, slate.
const TILES: [(u8, u8, u8); 8] = [
    (136, 78, 56),
    (120, 72, 56),
    (146, 90, 64),
    (104, 66, 54),
    (86, 74, 68),
    (74, 74, 78),
    (66, 68, 74),
    (124, 84, 66),
];

/// One house of a street front.
#[derive(Clone, Copy, Debug)]
pub struct TownHouse {
    /// Foot of the front wall, at its near end.
    pub near: Vec3,
    /// Foot of the front wall, at its far end.
    pub far: Vec3,
    /// Unit normal of the front wall, towards the street.
    pub outward: Vec3,
    /// The front wall.
    pub facade: Facade,
    /// Width of the street in front, metres: what stands opposite casts its shadow this far.
    pub street: f32,
    roof: f32,
    roof_colour: Rgb,
    awnings: bool,
    oriel: bool,
    balconies: bool,
    seed: u64,
}

impl TownHouse {
    /// A house between two points of the building line.
    #[must_use]
    pub fn new(s: &mut Stream, near: Vec3, far: Vec3, outward: Vec3, street: f32) -> Self {
        let width = far.minus(near).length();
        let storeys = *s.pick(&[3, 3, 4, 4, 5]);
        let facade = Facade::town(s, width, storeys);
        let modern = matches!(facade.finish, Finish::Glass | Finish::Concrete);
        Self {
            near,
            far,
            outward,
            facade,
            street,
            roof: if modern { 0.0 } else { s.range(2.4, 4.2) },
            roof_colour: pick_colour(s, &TILES),
            awnings: s.chance(0.45),
            oriel: facade.ornate && s.chance(0.4),
            balconies: !facade.ornate && !modern && s.chance(0.7),
            seed: s.bits(),
        }
    }

    /// Announce end wall and front, see [`Painter::occlude`].
    pub fn occlude(&self, p: &mut Painter<'_>) {
        let up = Vec3::new(0.0, self.facade.height, 0.0);
        let back = self.near.plus(self.outward.scale(-11.0));
        for end in [self.far, back] {
            p.occlude(&[self.near, end, end.plus(up), self.near.plus(up)]);
        }
    }

    /// Paint end wall, front, roof and what juts out.
    pub fn paint(&self, p: &mut Painter<'_>) {
        let up = Vec3::new(0.0, 1.0, 0.0);
        let along = self.far.minus(self.near);
        let direction = along.unit();
        let (width, height) = (along.length(), self.facade.height);
        let inward = self.outward.scale(-1.0);
        let stain = Field::new(Pattern::Fractal, self.seed, 14.0);
        // end wall towards the camera, blank
        let end = Lit::new(&p.light, direction.scale(-1.0));
        let colour = self.facade.wall.mix(Rgb::srgb8(150, 142, 130), 0.5);
        let depth = 11.0;
        let ridge = 0.5 * depth;
        let gable = [
            self.near,
            self.near.plus(inward.scale(depth)),
            self.near.plus(inward.scale(depth)).plus(up.scale(height)),
            self.near.plus(inward.scale(ridge)).plus(up.scale(height + self.roof)),
            self.near.plus(up.scale(height)),
        ];
        p.polygon(&gable, self.near, inward, up, |u, v, fp| {
            let tone = 1.0 + 0.35 * stain.signed(u, 0.4 * v, fp);
            (colour.scale(tone).times(end.at(v)), 1.0)
        });
        // front
        let lit =
            Lit::new(&p.light, self.outward).opposite(&p.light, self.outward, 15.0, self.street);
        let facade = self.facade;
        p.quad(self.near, along, up.scale(height), |u, v, fp| (facade.shade(&lit, u, v, fp), 1.0));
        self.paint_roof(p, along, inward, &stain);
        // gutter
        let eaves = self.near.plus(up.scale(height - 0.05)).plus(self.outward.scale(0.25));
        let gutter = if facade.ornate { facade.trim.scale(0.8) } else { Rgb::grey(0.2) };
        let size = if facade.ornate { 0.4 } else { 0.16 };
        let cornice = Cuboid::new(
            eaves.plus(along.scale(0.5)).minus(up.scale(size)),
            direction,
            width,
            size,
            0.5,
        );
        p.cuboid(&cornice, |f, _, v, _| (gutter.times(f.light).scale(0.5 + 0.5 * v / size), 1.0));
        if self.oriel {
            self.paint_oriel(p, direction, &lit);
        }
        if self.balconies {
            self.paint_balconies(p, direction);
        }
        if self.awnings && facade.ground_floor == super::facade::GroundFloor::Shops {
            self.paint_awnings(p, direction);
        }
    }

    fn paint_roof(&self, p: &mut Painter<'_>, along: Vec3, inward: Vec3, stain: &Field) {
        if self.roof <= 0.0 {
            return;
        }
        let up = Vec3::new(0.0, 1.0, 0.0);
        let slope = inward.scale(5.5).plus(up.scale(self.roof));
        let normal = up.scale(5.5).minus(inward.scale(self.roof)).unit();
        let light = p.light.on(normal);
        let eaves = self.near.plus(up.scale(self.facade.height));
        let colour = self.roof_colour;
        p.quad(eaves, along, slope, |u, v, fp| {
            (roof_tiles(colour, stain, u, v, fp).times(light), 1.0)
        });
        let mut s = Stream::from_seed(self.seed);
        let direction = along.unit();
        let length = along.length();
        // dormers and chimneys
        let count = 1 + s.below(3);
        let wall = self.facade.wall;
        let frame = self.facade.frame;
        for i in 0..count {
            let t = (i as f32 + 0.5) / count as f32;
            let base = eaves.plus(along.scale(t)).plus(slope.scale(0.22));
            let dormer = Cuboid::new(base.plus(inward.scale(0.8)), direction, 1.5, 1.5, 1.8);
            let sky = p.light.sky;
            p.cuboid(&dormer, |f, u, v, fp| {
                let mut c = if f.side == Side::Top { colour } else { wall }.times(f.light);
                if f.side == Side::Front || f.side == Side::Back {
                    let pane = band(u, 0.2, 1.3, fp) * band(v, 0.2, 1.3, fp);
                    let bar = band(u, 0.71, 0.79, fp);
                    c = c.mix(sky.scale(0.25).mix(frame.times(f.light), bar), pane);
                }
                (c, 1.0)
            });
        }
        let place = eaves.plus(along.scale(s.unit())).plus(slope.scale(0.9));
        let stack = Cuboid::new(place, direction, 0.5 + 0.6 * s.unit(), 1.6, 0.5);
        let brick = if length > 9.0 { Rgb::srgb8(120, 76, 62) } else { Rgb::srgb8(140, 130, 118) };
        p.cuboid(&stack, |f, _, v, _| (brick.times(f.light).scale(0.7 + 0.2 * v), 1.0));
    }

    /// A bay of rooms that juts out over the pavement.
    fn paint_oriel(&self, p: &mut Painter<'_>, direction: Vec3, lit: &Lit) {
        let f = self.facade;
        let middle = (f.width / f.bay_width * 0.5).floor() * f.bay_width + 0.5 * f.bay_width;
        let rise = f.storey_height * (f.storeys - 1).max(1) as f32;
        let foot = self.near.plus(direction.scale(middle)).plus(self.outward.scale(0.5));
        let foot = foot.plus(Vec3::new(0.0, f.ground_height, 0.0));
        let oriel = Cuboid::new(foot, direction, f.bay_width, rise, 1.0);
        let street = self.outward;
        p.cuboid(&oriel, |face, u, v, fp| {
            if face.normal.dot(street) > 0.5 {
                return (
                    f.shade(lit, middle - 0.5 * f.bay_width + u, v + f.ground_height, fp),
                    1.0,
                );
            }
            let narrow = (fract(v / f.storey_height)) * f.storey_height;
            let pane = band(u, 0.25, 0.75, fp) * band(narrow, f.sill, f.sill + f.window.1, fp);
            let wall = f.wall.mix(f.trim, band(narrow, 0.0, 0.2, fp)).times(face.light).scale(0.85);
            (wall.mix(face.light.scale(0.12), pane), 1.0)
        });
    }

    fn paint_balconies(&self, p: &mut Painter<'_>, direction: Vec3) {
        let f = self.facade;
        let bays = f.width / f.bay_width;
        let mut s = Stream::from_seed(self.seed ^ 0xba1);
        let solid = s.chance(0.5);
        let tint = pick_colour(
            &mut s,
            &[(188, 186, 180), (150, 160, 164), (160, 140, 112), (120, 130, 120)],
        );
        let first = s.below(2) as f32;
        let mut bay = bays.floor() - 1.0;
        while bay >= 0.0 {
            if fract((bay + first) * 0.5) < 0.25 {
                for storey in 0..f.storeys {
                    let y = f.ground_height + storey as f32 * f.storey_height;
                    let at = self.near.plus(direction.scale((bay + 0.5) * f.bay_width));
                    let at = at.plus(self.outward.scale(0.6)).plus(Vec3::new(0.0, y - 0.1, 0.0));
                    let slab = Cuboid::new(at, direction, f.bay_width - 0.4, 1.15, 1.2);
                    p.cuboid(&slab, |face, u, v, fp| {
                        if face.side == Side::Top {
                            return (Rgb::default(), 0.0);
                        }
                        let floor = band(v, -1.0, 0.2, fp);
                        let rail = band(v, 1.07, 2.0, fp);
                        let bars = band(fract(u / 0.12) * 0.12, 0.0, 0.025, fp);
                        let fill = if solid { 0.95 } else { bars };
                        let c = tint.mix(Rgb::grey(0.45), floor).times(face.light);
                        (c.scale(0.9), floor.max(rail).max(fill))
                    });
                }
            }
            bay -= 1.0;
        }
    }

    fn paint_awnings(&self, p: &mut Painter<'_>, direction: Vec3) {
        let f = self.facade;
        let mut s = Stream::from_seed(self.seed ^ 0xa3);
        let shop = 2.0 * f.bay_width;
        let shops = (f.width / shop).floor();
        let mut number = shops - 1.0;
        while number >= 0.0 {
            let (colour, stripes) = (shop_colour(&mut s), s.chance(0.5));
            if s.chance(0.65) {
                let corner = self.near.plus(direction.scale(number * shop + 0.3));
                let top = corner.plus(Vec3::new(0.0, f.ground_height - 0.75, 0.0));
                let fall = self.outward.scale(1.5).plus(Vec3::new(0.0, -0.85, 0.0));
                let normal = self.outward.scale(0.85).plus(Vec3::new(0.0, 1.5, 0.0)).unit();
                let light = p.light.on(normal);
                let white = Rgb::grey(0.55);
                let tone = move |u: f32, fp: f32| {
                    let stripe = band(fract(u / 0.5) * 0.5, 0.0, 0.25, fp);
                    if stripes { colour.mix(white, stripe) } else { colour }
                };
                let across = direction.scale(shop - 0.6);
                p.quad(top, across, fall, |u, _, fp| (tone(u, fp).times(light), 1.0));
                let front = p.light.on(self.outward);
                p.quad(top.plus(fall), across, Vec3::new(0.0, -0.25, 0.0), |u, v, fp| {
                    let scallop = 0.17 + 0.3 * fract(u / 0.25) * (1.0 - fract(u / 0.25));
                    (tone(u, fp).times(front), band(v, -1.0, scallop, fp))
                });
            }
            number -= 1.0;
        }
    }
}

/// A detached or semi-detached house.
#[derive(Clone, Copy, Debug)]
pub struct Detached {
    /// Middle of the footprint on the ground.
    pub base: Vec3,
    /// Unit vector along the front, level.
    pub right: Vec3,
    /// Width of the front, height of the eaves, depth, metres.
    pub size: Vec3,
    /// Height of the ridge above the eaves.
    pub rise: f32,
    /// Whether the ridge runs along the front; otherwise a gable faces the street.
    pub ridge_along: bool,
    front: Facade,
    flank: Facade,
    roof_colour: Rgb,
    solar: bool,
    seed: u64,
}

impl Detached {
    /// A house of drawn size whose front runs along `right`.
    #[must_use]
    pub fn new(s: &mut Stream, base: Vec3, right: Vec3) -> Self {
        let storeys = i32::from(s.chance(0.55));
        let (width, depth) = (s.range(8.5, 12.5), s.range(8.0, 10.5));
        let front = Facade::detached(s, width, storeys);
        let mut flank = front;
        flank.width = depth;
        flank.bay_width = depth / (depth / 3.6).floor().max(1.0);
        flank.seed ^= 0xf1a;
        let ridge_along = s.chance(0.55);
        let span = if ridge_along { depth } else { width };
        Self {
            base,
            right: right.unit(),
            size: Vec3::new(width, front.height, depth),
            rise: 0.5 * span * s.range(0.62, 1.0),
            ridge_along,
            front,
            flank,
            roof_colour: pick_colour(s, &TILES),
            solar: s.chance(0.3),
            seed: s.bits(),
        }
    }

    /// Announce the walls, see [`Painter::occlude`].
    pub fn occlude(&self, p: &mut Painter<'_>) {
        p.occlude_cuboid(&Cuboid::new(
            self.base,
            self.right,
            self.size.x,
            self.size.y,
            self.size.z,
        ));
    }

    /// Paint walls, gables, roof, chimney.
    pub fn paint(&self, p: &mut Painter<'_>) {
        let up = Vec3::new(0.0, 1.0, 0.0);
        let (w, h, d) = (self.size.x, self.size.y, self.size.z);
        let body = Cuboid::new(self.base, self.right, w, h, d);
        let (front, flank, light) = (self.front, self.flank, p.light);
        p.cuboid(&body, |f, u, v, fp| {
            let lit = Lit { open: f.light, ..Lit::new(&light, f.normal) };
            match f.side {
                Side::Front | Side::Back => (front.shade(&lit, u, v, fp), 1.0),
                Side::Top => (Rgb::grey(0.02), 0.0),
                _ => (flank.shade(&lit, u, v, fp), 1.0),
            }
        });
        let inward = body.inward();
        // local axes: r along the ridge, q across it
        let (r, q, half_r, half_q) = if self.ridge_along {
            (self.right, inward, 0.5 * w, 0.5 * d)
        } else {
            (inward, self.right, 0.5 * d, 0.5 * w)
        };
        let eaves = self.base.plus(up.scale(h));
        let toward = p.camera.position.minus(eaves);
        let wall = front.wall;
        let timber = Rgb::srgb8(92, 70, 54);
        let stain = Field::new(Pattern::Fractal, self.seed, 16.0);
        let rise = self.rise;
        for side in [-1.0, 1.0] {
            let out = r.scale(side);
            let foot = eaves.plus(out.scale(half_r));
            if p.camera.position.minus(foot).dot(out) <= 0.0 {
                continue;
            }
            let corners = [
                foot.minus(q.scale(half_q)),
                foot.plus(q.scale(half_q)),
                foot.plus(up.scale(rise)),
            ];
            let light = p.light.on(out);
            let sky = p.light.sky;
            p.polygon(&corners, foot, q, up, |u, v, fp| {
                let under = (half_q - u.abs()) * rise / half_q - v;
                let shade = 0.6 + 0.4 * smoothstep(0.1, 0.9, under);
                let mut c =
                    wall.scale(1.0 + 0.25 * stain.signed(u, 0.4 * v, fp)).times(light).scale(shade);
                let a = u.abs() - 0.75;
                let hole = band(a.abs(), -1.0, 0.5, fp) * band(v, 0.7, 1.9, fp);
                let frame = 1.0 - band(a.abs(), -1.0, 0.42, fp) * band(v, 0.78, 1.82, fp);
                let pane = sky.scale(0.12 + 0.18 * v).mix(Rgb::grey(0.6).times(light), frame);
                if rise > 2.9 {
                    c = c.mix(pane, hole);
                }
                (c, 1.0)
            });
        }
        // far slope first
        let order = if toward.dot(q) > 0.0 { [-1.0, 1.0] } else { [1.0, -1.0] };
        let over = 0.55;
        for side in order {
            let out = q.scale(side);
            let normal = up.scale(half_q).plus(out.scale(rise)).unit();
            let ridge = eaves.plus(up.scale(rise + 0.12));
            if p.camera.position.minus(ridge).dot(normal) <= 0.0 {
                continue;
            }
            let reach = 1.0 + over / half_q;
            let down = out.scale(half_q).minus(up.scale(rise)).scale(reach);
            let foot = ridge.plus(down).minus(r.scale(half_r + 0.4));
            let light = p.light.on(normal);
            let colour = self.roof_colour;
            let length = down.length();
            let edge = r.scale(2.0 * half_r + 0.8);
            let (solar, sky) = (self.solar, p.light.sky);
            p.quad(foot, edge, down.scale(-1.0), |u, v, fp| {
                let mut c = roof_tiles(colour, &stain, u, v, fp).times(light);
                c = c.mix(Rgb::grey(0.25).times(light), band(v, -1.0, 0.12, fp));
                c = c.scale(1.0 - 0.3 * band(v, length - 0.18, length + 1.0, fp));
                // roof windows or solar modules
                let a = u - half_r - 0.4;
                if solar {
                    let module =
                        band(a.abs(), -1.0, half_r * 0.7, fp) * band(v, 1.4, length - 0.8, fp);
                    let grid = band(fract(a / 1.05) * 1.05, 0.0, 0.04, fp).max(band(
                        fract(v / 1.65) * 1.65,
                        0.0,
                        0.04,
                        fp,
                    ));
                    let glass = Rgb::new(0.012, 0.018, 0.04).plus(sky.scale(0.07));
                    c = c.mix(glass.mix(Rgb::grey(0.12), grid), module);
                } else {
                    let hatch = band((a.abs() - 1.9).abs(), -1.0, 0.42, fp) * band(v, 2.0, 3.2, fp);
                    c = c.mix(sky.scale(0.4), hatch * 0.9);
                }
                (c, 1.0)
            });
            // barge board along the verge that faces the camera
            for end in [-1.0, 1.0] {
                let top = ridge.plus(r.scale(end * (half_r + 0.4)));
                p.pole(top, top.plus(down), 0.09, 0.09, timber);
            }
        }
        let stack = self
            .base
            .plus(up.scale(h + 0.6 * rise))
            .plus(q.scale(0.2 * half_q))
            .plus(r.scale(0.4 * half_r));
        let chimney = Cuboid::new(stack, self.right, 0.6, 0.4 * rise + 1.0, 0.6);
        p.cuboid(&chimney, |f, _, v, _| {
            (Rgb::srgb8(128, 88, 74).times(f.light).scale(0.7 + 0.1 * v), 1.0)
        });
    }
}
