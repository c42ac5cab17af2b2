//! Houses of a village: plastered or half-timbered walls below a steep tiled gable roof.

use crate::canvas::Rgb;
use crate::geometry::Vec3;
use crate::num::smoothstep;
use crate::rng::Stream;

use super::painter::Painter;
use super::season::Palette;
use super::solids::{Cuboid, Side};
use super::tile::{Field, Pattern, floor_fast, fract};

const UP: Vec3 = Vec3::new(0.0, 1.0, 0.0);

/// Paint a gable roof on a box: ridge along the width. `rise` is the height of the ridge in depths (0.5 =
/// 45 degrees), `overhang` in metres; `gable(u, v, footprint)` gives the reflectance of the gable triangles,
/// u from -depth/2 to depth/2, v above the eaves.
pub fn gable_roof(
    painter: &mut Painter<'_>,
    cuboid: &Cuboid,
    rise: f32,
    overhang: f32,
    tiles: Rgb,
    snow: f32,
    stain: &Field,
    gable: impl Fn(f32, f32, f32) -> Rgb,
) {
    let (width, eaves, depth) = (cuboid.size.x, cuboid.size.y, cuboid.size.z);
    let (right, inward) = (cuboid.right, cuboid.inward());
    let ridge = rise * depth;
    let half = 0.5 * depth;
    let camera = painter.camera.position;
    // gable triangles first, the roof covers their edges
    for side in [-1.0, 1.0] {
        let normal = right.scale(side);
        let middle = cuboid.point(0.5 * side, eaves, 0.0);
        if camera.minus(middle).dot(normal) <= 0.0 {
            continue;
        }
        let edge = inward.scale(side);
        let points = [
            middle.minus(edge.scale(half)),
            middle.plus(edge.scale(half)),
            middle.plus(UP.scale(ridge)),
        ];
        let light = painter.light.on(normal);
        painter.polygon(&points, middle, edge, UP, |u, v, fp| {
            // in the shade of the eaves
            let under = smoothstep(0.0, 0.5, ridge * (1.0 - u.abs() / half) - v);
            (gable(u, v, fp).times(light).scale(0.55 + 0.45 * under), 1.0)
        });
    }
    let slope = (ridge * ridge + half * half).sqrt();
    // far side first; both may be seen at the verge
    let mut sides = [-1.0_f32, 1.0];
    if camera.minus(cuboid.base).dot(inward) > 0.0 {
        sides = [1.0, -1.0];
    }
    sides.reverse();
    for side in sides {
        let outward = inward.scale(side);
        let normal = outward.scale(ridge / slope).plus(UP.scale(half / slope));
        let down = outward.scale(half / slope).minus(UP.scale(ridge / slope));
        let top = cuboid.point(0.0, eaves + ridge, 0.0);
        let seen = camera.minus(top).dot(normal) > 0.0;
        // right-hand edge as seen from outside
        let along = UP.cross(outward);
        let start =
            top.minus(along.scale(0.5 * width + overhang)).plus(down.scale(slope + overhang));
        let edge_u = along.scale(width + 2.0 * overhang);
        let edge_v = down.scale(-(slope + overhang));
        if seen {
            let light = painter.light.on(normal);
            painter.quad(start, edge_u, edge_v, |u, v, fp| {
                (roof_tiles(tiles, stain, snow, u, v, fp).times(light), 1.0)
            });
        }
        // the board below the verge and the gutter
        let fascia = tiles.scale(0.35).times(painter.light.on(outward));
        let (a, b) = (start, start.plus(edge_u));
        if camera.minus(a).dot(outward) > 0.0 {
            painter.stroke(a, b, 0.09, 0.09, |_, _| fascia);
        }
        for (end, sign) in [(a, -1.0), (b, 1.0)] {
            let gable_faces = camera.minus(end).dot(along.scale(sign)) > 0.0;
            if !gable_faces {
                continue;
            }
            if !seen {
                // from below, the boards under the overhang are seen
                let boards = Rgb::new(0.16, 0.12, 0.09).times(painter.light.on(UP.scale(-0.4)));
                painter.quad(end, edge_v, along.scale(-sign * overhang), |_, _, _| (boards, 1.0));
            }
            painter.stroke(end, end.plus(edge_v), 0.09, 0.09, |_, _| fascia);
        }
    }
}

/// Rows of pantiles, weathered; v runs up the roof.
fn roof_tiles(colour: Rgb, stain: &Field, snow: f32, u: f32, v: f32, footprint: f32) -> Rgb {
    let blur = (1.0 - footprint / 0.22).clamp(0.0, 1.0);
    let row = fract(v / 0.33);
    let wave = (fract(u / 0.24) - 0.5).abs();
    let id = stain.at(floor_fast(u / 0.24) as f32 * 7.3, floor_fast(v / 0.33) as f32 * 5.1, 0.1);
    let old = stain.at(u, v * 0.6, footprint);
    let tile = 1.0 + blur * (0.35 * (row - 0.6) + 0.6 * (wave - 0.25) + 0.35 * (id - 0.5));
    let moss = smoothstep(0.58, 0.85, old) * 0.4;
    let c = colour.scale(tile * (0.75 + 0.5 * old)).mix(Rgb::new(0.06, 0.06, 0.035), moss);
    if snow > 0.0 {
        let lying = smoothstep(0.75 - 0.6 * snow, 0.95 - 0.6 * snow, old + 0.25);
        c.mix(Rgb::new(0.8, 0.82, 0.86), 0.95 * lying)
    } else {
        c
    }
}

/// How a house's walls are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Walls {
    /// Smooth plaster.
    Plaster,
    /// Dark timber frame with light panels.
    Timber,
    /// Plastered ground floor, timber above.
    Mixed,
    /// Red brick.
    Brick,
}

/// A house, described so far that painting it needs no further choice.
#[derive(Clone, Debug)]
pub struct House {
    /// The body below the eaves; its width is the length of the ridge.
    pub body: Cuboid,
    /// Height of the ridge above the eaves, in depths.
    pub rise: f32,
    walls: Walls,
    panel: Rgb,
    beam: Rgb,
    tiles: Rgb,
    shutter: Option<Rgb>,
    storey: f32,
    bay: f32,
    snow: f32,
    lit_share: f32,
    dusk: f32,
    stain: Field,
    ids: Field,
}

impl House {
    /// A house on a base point, its ridge along `right`.
    #[must_use]
    pub fn new(base: Vec3, right: Vec3, palette: &Palette, dusk: f32, s: &mut Stream) -> Self {
        let c = Rgb::srgb8;
        let storey = s.range(2.5, 2.9);
        let storeys = if s.chance(0.6) { 2.0 } else { 1.0 };
        let (width, depth) = (s.range(8.5, 14.0), s.range(7.0, 9.5));
        let walls = *s.pick(&[
            Walls::Timber,
            Walls::Timber,
            Walls::Mixed,
            Walls::Plaster,
            Walls::Plaster,
            Walls::Brick,
        ]);
        let panel = *s.pick(&[
            c(226, 220, 202),
            c(234, 228, 214),
            c(222, 200, 156),
            c(206, 178, 138),
            c(214, 206, 190),
            c(198, 204, 186),
            c(224, 186, 160),
        ]);
        let panel = if walls == Walls::Brick { c(144, 82, 64) } else { panel };
        let tiles = *s.pick(&[
            c(158, 78, 54),
            c(146, 66, 48),
            c(170, 92, 64),
            c(128, 64, 50),
            c(108, 70, 58),
            c(84, 78, 76),
        ]);
        let shutters = [c(72, 96, 70), c(96, 52, 44), c(70, 84, 104), c(98, 76, 56)];
        Self {
            body: Cuboid::new(base, right, width, storeys * storey + 0.4, depth),
            rise: s.range(0.44, 0.66),
            walls,
            panel: panel.scale(s.range(0.8, 1.0)),
            beam: c(62, 46, 36).mix(c(96, 44, 34), if s.chance(0.3) { 0.8 } else { 0.0 }),
            tiles: tiles.scale(s.range(0.85, 1.15)),
            shutter: s.chance(0.55).then(|| *s.pick(&shutters)),
            storey,
            bay: s.range(1.9, 2.7),
            snow: palette.snow,
            lit_share: if dusk > 0.15 { 0.25 + 0.35 * dusk } else { 0.0 },
            dusk,
            stain: Field::new(Pattern::Fractal, s.bits(), 14.0),
            ids: Field::new(Pattern::Grain, s.bits(), 256.0),
        }
    }

    /// Height of the ridge above the ground, metres.
    #[must_use]
    pub fn ridge(&self) -> f32 {
        self.body.size.y + self.rise * self.body.size.z
    }

    /// Paint it with its chimney.
    pub fn paint(&self, painter: &mut Painter<'_>) {
        let body = self.body;
        painter.cuboid(&body, |face, u, v, fp| {
            let centred = u - 0.5 * face.width;
            let gable = matches!(face.side, Side::Left | Side::Right);
            let eaves = smoothstep(0.0, 0.55, face.height - v);
            let shade = if gable { 1.0 } else { 0.55 + 0.45 * eaves };
            let (albedo, glow) = self.wall(centred, v, face.width, fp, true);
            let light = face.light.scale(shade * (0.72 + 0.28 * (v / 1.2).min(1.0)));
            (albedo.times(light).plus(glow), 1.0)
        });
        let eaves = body.size.y;
        let depth = body.size.z;
        gable_roof(
            painter,
            &body,
            self.rise,
            0.45,
            self.tiles,
            self.snow,
            &self.stain,
            |u, v, fp| {
                let (albedo, _) = self.wall(u, v + eaves, depth, fp, v < 0.28 * depth);
                albedo
            },
        );
        self.chimney(painter);
    }

    fn chimney(&self, painter: &mut Painter<'_>) {
        let body = self.body;
        let side = if self.stain.at(3.0, 3.0, 0.1) > 0.5 { 0.22 } else { -0.28 };
        let base = body.point(side, self.ridge() - 0.9, 0.04);
        let stack = Cuboid::new(base, body.right, 0.7, 1.7, 0.6);
        painter.cuboid(&stack, |face, u, v, fp| {
            (brick(Rgb::srgb8(132, 78, 62), &self.stain, u, v, fp).times(face.light), 1.0)
        });
        let cap = Cuboid::new(base.plus(UP.scale(1.62)), body.right, 0.86, 0.12, 0.76);
        painter.cuboid(&cap, |face, _, _, _| (Rgb::new(0.2, 0.2, 0.2).times(face.light), 1.0));
    }

    /// Reflectance of the wall and light from its windows; u from the middle of the face.
    fn wall(&self, u: f32, v: f32, width: f32, footprint: f32, windows: bool) -> (Rgb, Rgb) {
        let dirt = self.stain.at(u, v, footprint);
        let plinth = 0.45;
        let none = Rgb::default();
        if v < plinth {
            return (Rgb::new(0.20, 0.19, 0.175).scale(0.8 + 0.4 * dirt), none);
        }
        let level = (v - plinth) / self.storey;
        let floor = floor_fast(level) as f32;
        let y = (level - floor) * self.storey;
        let column = floor_fast(u / self.bay + 0.5) as f32;
        let x = u - column * self.bay;
        let timber = match self.walls {
            Walls::Timber => true,
            Walls::Mixed => floor >= 1.0,
            Walls::Plaster | Walls::Brick => false,
        };
        // windows and doors in the middle of the bays
        let fits = (column * self.bay).abs() + 0.7 < 0.5 * width;
        let id = self.ids.at(column + 20.5, floor + 40.5 + width.floor(), 0.1);
        if windows && fits {
            let door = floor < 0.5 && id > 0.80;
            if door && x.abs() < 0.5 && y < 2.05 {
                let board =
                    if x.abs() > 0.42 || y > 1.95 { 1.6 } else { 0.8 + 0.3 * fract(x * 5.0) };
                return (Rgb::new(0.085, 0.055, 0.035).scale(board), none);
            }
            let seen = self.window(x, y - 0.85, id, footprint, v);
            if let Some(hit) = seen.filter(|_| !door && id > 0.12) {
                return hit;
            }
        }
        let base = if self.walls == Walls::Brick {
            brick(self.panel, &self.stain, u, v, footprint)
        } else {
            self.panel.scale(0.86 + 0.24 * dirt)
        };
        if !timber {
            return (base, none);
        }
        let beam = self.beams(x, y, u, width, id, footprint);
        (base.mix(self.beam.scale(0.75 + 0.5 * dirt), beam), none)
    }

    /// Cover of the timber frame: posts at the bays' edges, rails at the floors and below the windows, braces.
    fn beams(&self, x: f32, y: f32, u: f32, width: f32, id: f32, footprint: f32) -> f32 {
        let soft = 0.5 * footprint;
        let bar = |d: f32, half: f32| 1.0 - smoothstep(half - soft, half + soft + 1e-3, d.abs());
        let half_bay = 0.5 * self.bay;
        let mut cover =
            bar(x.abs() - half_bay, 0.09).max(bar(y, 0.11)).max(bar(y - self.storey, 0.11));
        cover = cover.max(bar(x.abs() - 0.52, 0.075)).max(bar(u.abs() - 0.5 * width, 0.16));
        cover = cover.max(bar(y - 0.78, 0.07));
        if !(0.3..=0.72).contains(&id) {
            // a brace in the lower panel beside the post
            let sign = if id < 0.3 { 1.0 } else { -1.0 };
            let t = (x * sign + half_bay) / self.bay;
            cover = cover
                .max(bar((y - 0.1 - 2.2 * t * 0.8) * 0.6, 0.07) * f32::from(u8::from(t < 0.9)));
        }
        cover
    }

    /// Reflectance and glow of a window, its lower edge at y = 0, or `None` beside it.
    fn window(&self, x: f32, y: f32, id: f32, footprint: f32, height: f32) -> Option<(Rgb, Rgb)> {
        let (half, tall) = (0.46, 1.15);
        let none = Rgb::default();
        if !(-0.16..tall + 0.06).contains(&y) {
            return None;
        }
        if x.abs() > half {
            let shutter = self.shutter?;
            if x.abs() < half + 0.42 && (0.0..tall).contains(&y) {
                let slat = 0.85 + 0.3 * fract(y / 0.09) * (1.0 - footprint / 0.09).clamp(0.0, 1.0);
                return Some((shutter.scale(slat), none));
            }
            return None;
        }
        if y < 0.0 {
            // sill with flowers in some windows
            let flowers = id > 0.45 && self.snow <= 0.0 && y > -0.16;
            if flowers {
                let n = self.stain.at(x * 9.0 + 40.0 * id, y * 9.0, footprint * 9.0);
                let red = Rgb::new(0.45, 0.03, 0.05);
                let green = Rgb::new(0.05, 0.10, 0.03);
                return Some((green.mix(red, smoothstep(0.45, 0.6, n)), none));
            }
            return Some((Rgb::new(0.4, 0.39, 0.37), none));
        }
        let bar = x.abs() < 0.035 || x.abs() > half - 0.06 || y < 0.06 || y > tall - 0.06;
        let bar = bar || (y - 0.72).abs() < 0.03;
        if bar {
            return Some((Rgb::grey(0.62), none));
        }
        // panes: dark room, curtains, and a reflection of the sky that grows upward
        let lit = fract(id * 13.0) < self.lit_share;
        let curtain = smoothstep(0.16, 0.40, x.abs() + 0.1 * fract(x * 14.0));
        let room = Rgb::new(0.035, 0.035, 0.035).mix(Rgb::new(0.30, 0.29, 0.27), 0.6 * curtain);
        let mirror = 0.10 + 0.12 * (y / tall) + 0.01 * height;
        let albedo = room.plus(Rgb::new(0.85, 0.95, 1.1).scale(mirror * (0.4 + fract(id * 7.0))));
        let glow = if lit {
            Rgb::new(0.55, 0.36, 0.15).scale((0.35 + 0.5 * self.dusk) * (1.0 - 0.4 * curtain))
        } else {
            none
        };
        Some((albedo, glow))
    }
}

/// Brickwork with pale joints.
fn brick(colour: Rgb, stain: &Field, u: f32, v: f32, footprint: f32) -> Rgb {
    let row = floor_fast(v / 0.083) as f32;
    let x = u / 0.25 + 0.5 * fract(row * 0.5) * 2.0;
    let blur = (1.0 - footprint / 0.06).clamp(0.0, 1.0);
    let joint = f32::from(u8::from(fract(v / 0.083) < 0.14 || fract(x) < 0.05)) * blur;
    let id = stain.at(floor_fast(x) as f32 * 3.1, row * 7.7, 0.1);
    let old = stain.at(u, v, footprint);
    colour
        .scale((0.8 + 0.4 * old) * (1.0 + blur * 0.4 * (id - 0.5)))
        .mix(Rgb::new(0.3, 0.28, 0.25), 0.6 * joint)
}
