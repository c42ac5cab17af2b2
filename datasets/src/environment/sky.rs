//! Sky: gradient with the sun's glow and dusk, and clouds from perspective noise.
//!
//! All smooth quantities are computed on a coarse grid and interpolated; only the cloud's edge is
//! decided for every pixel. Brightness follows the light that the sky gives ([`Light::sky`]): a sky of
//! even radiance L lights a white upward surface to L.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "grid coordinates lie within the canvas"
)]

use crate::canvas::{Canvas, Rgb};
use crate::geometry::Vec3;
use crate::num::smoothstep;
use crate::rng::{Stream, key};

use super::layers::Layers;
use super::painter::Painter;
use super::tile::{Field, Pattern};
use super::{Light, View};

/// Pixels between nodes of the coarse grid.
const GRID: usize = 4;

/// Shape of the clouds.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Clouds {
    /// Density above this is cloud.
    threshold: f32,
    /// Width of the edge in density.
    softness: f32,
    /// Stretch of the pattern across and along the view, per unit of the sky plane.
    scale: (f32, f32),
    /// Darkness of the thick parts, 0 to 1.
    depth: f32,
    /// Greatest opacity.
    opacity: f32,
}

/// A sky ready to be painted.
#[derive(Clone, Copy, Debug)]
pub struct Sky {
    light: Light,
    horizon: Rgb,
    zenith: Rgb,
    glow: Rgb,
    cloud_lit: Rgb,
    cloud_dark: Rgb,
    clouds: Clouds,
    veil: Option<Clouds>,
    field: Field,
    fine: Field,
    turn: (f32, f32),
}

/// One node of the coarse grid.
#[derive(Clone, Copy, Debug, Default)]
struct Node {
    clear: Rgb,
    density: f32,
    shade: f32,
    veil: f32,
    elevation: f32,
}

impl Node {
    fn mix(self, o: Self, t: f32) -> Self {
        let l = |a: f32, b: f32| a + (b - a) * t;
        Self {
            clear: self.clear.mix(o.clear, t),
            density: l(self.density, o.density),
            shade: l(self.shade, o.shade),
            veil: l(self.veil, o.veil),
            elevation: l(self.elevation, o.elevation),
        }
    }
}

/// The coarse grid over a canvas. Much of the sky is hidden: a node is worked out when it is first asked for.
#[derive(Debug)]
struct Grid<'a> {
    sky: &'a Sky,
    view: &'a View,
    nodes: Vec<Option<Node>>,
    columns: usize,
}

impl<'a> Grid<'a> {
    fn new(sky: &'a Sky, view: &'a View, canvas: &Canvas) -> Self {
        let (columns, rows) = (canvas.width.div_ceil(GRID) + 1, canvas.height.div_ceil(GRID) + 1);
        Self { sky, view, nodes: vec![None; columns * rows], columns }
    }

    fn node(&mut self, x: usize, y: usize) -> Node {
        let (sky, view) = (self.sky, self.view);
        *self.nodes[y * self.columns + x].get_or_insert_with(|| {
            let d = view.camera.ray((x * GRID) as f32, (y * GRID) as f32);
            if d.y < -0.12 { Node { elevation: d.y, ..Node::default() } } else { sky.node(d) }
        })
    }

    /// Between a node (t = 0) and the one below it (t = 1).
    fn edge(&mut self, x: usize, y: usize, t: f32) -> Node {
        self.node(x, y).mix(self.node(x, y + 1), t)
    }
}

impl Sky {
    /// The sky of a view.
    #[must_use]
    pub fn new(view: &View) -> Self {
        let light = view.light;
        let mut s = Stream::from_seed(key("sky", &[view.seed]));
        let amount = light.sky.luminance();
        let grey = Rgb::grey(amount);
        let clear = 1.0 - smoothstep(0.6, 1.0, light.cloud_cover);
        let blue = Rgb::new(0.36, 0.64, 1.22).scale(amount * s.range(0.85, 1.1));
        let zenith = grey.scale(0.85).mix(blue, 0.25 + 0.75 * clear);
        let pale = Rgb::new(1.0, 1.06, 1.12).scale(amount * 1.45);
        let horizon = grey.scale(1.05).mix(pale, clear);
        // a low sun reddens the horizon on its side
        let low = 1.0 - smoothstep(0.05, 0.5, light.to_sun.y);
        let warm = low.max(light.dusk) * (0.25 + 0.75 * clear);
        let glow = Rgb::new(1.5, 0.72, 0.26)
            .scale(amount * (0.9 + 1.4 * light.dusk) * warm)
            .plus(light.sun.scale(0.35 * (1.0 - 0.5 * low)));
        let cover = light.cloud_cover;
        let lit = light.sun.scale(0.72).plus(light.sky.scale(1.15));
        let clouds = if cover > 0.85 {
            // overcast: closed, with soft darker folds
            Clouds {
                threshold: 0.12,
                softness: 0.5,
                scale: (s.range(30.0, 55.0), s.range(30.0, 55.0)),
                depth: s.range(0.3, 0.55),
                opacity: 1.0,
            }
        } else {
            let puffy = s.chance(0.7);
            Clouds {
                threshold: 0.78 - 0.5 * cover,
                softness: if puffy { s.range(0.1, 0.2) } else { 0.45 },
                scale: if puffy {
                    (s.range(28.0, 60.0), s.range(32.0, 70.0))
                } else {
                    (s.range(10.0, 25.0), s.range(50.0, 90.0))
                },
                depth: s.range(0.35, 0.6),
                opacity: if puffy { 0.97 } else { 0.7 },
            }
        };
        let veil = (s.chance(0.5) && cover < 0.8).then(|| Clouds {
            threshold: s.range(0.35, 0.6),
            softness: 0.5,
            scale: (s.range(8.0, 14.0), s.range(40.0, 90.0)),
            depth: 0.0,
            opacity: s.range(0.15, 0.5),
        });
        let turn = crate::num::sin_cos(s.range(-0.6, 0.6));
        Self {
            light,
            horizon,
            zenith,
            glow,
            cloud_lit: lit.mix(grey.scale(1.2), smoothstep(0.7, 1.0, cover)),
            cloud_dark: light.sky.scale(0.72).plus(light.sun.scale(0.12)),
            clouds,
            veil,
            field: Field::new(Pattern::Fractal, s.bits(), 256.0),
            fine: Field::new(Pattern::Fractal, s.bits(), 256.0),
            turn,
        }
    }

    /// Light of the air just above the horizon: the colour into which distant things fade.
    #[must_use]
    pub fn haze(&self) -> Rgb {
        let clouds = self.cloud_lit.mix(self.cloud_dark, 0.5);
        self.horizon.mix(clouds, 0.35 * self.light.cloud_cover).scale(0.96)
    }

    /// Cloudless sky in a direction.
    fn clear(&self, d: Vec3) -> Rgb {
        let up = d.y.max(0.0);
        let t = up / (up + 0.22);
        let mut colour = self.horizon.mix(self.zenith, t * 1.15);
        let toward = d.dot(self.light.to_sun).max(0.0);
        // a wide glow at the horizon and a narrow one round the sun
        let away = 1.0 - toward;
        let wide = 0.5 / (1.0 + 6.0 * away) / (1.0 + 6.0 * up);
        let narrow = 0.8 / (1.0 + 220.0 * away);
        colour = colour.plus(self.glow.scale(wide + narrow));
        colour
    }

    fn node(&self, d: Vec3) -> Node {
        let up = d.y.max(0.0);
        let k = 1.0 / (up + 0.16);
        let (sx, sz) = (d.x * k, d.z * k);
        let (x, z) = (sx * self.turn.1 - sz * self.turn.0, sx * self.turn.0 + sz * self.turn.1);
        let density = |c: &Clouds, x: f32, z: f32| {
            let (u, v) = (x * c.scale.0, z * c.scale.1);
            let footprint = 0.5;
            0.76 * self.field.at(u, v, footprint) + 0.24 * self.fine.at(u * 3.1, v * 3.1, footprint)
        };
        let here = density(&self.clouds, x, z);
        // thinner towards the sun: lit; the lower edge of a cloud is thicker above: dark
        let above = density(&self.clouds, x * 0.965, z * 0.965);
        let thick = smoothstep(self.clouds.threshold, 1.0, here);
        let shade =
            (0.25 + self.clouds.depth * thick + 1.6 * (above - here) + 0.12 * (1.0 - up * 2.0))
                .clamp(0.0, 1.0);
        let veil = self.veil.as_ref().map_or(0.0, |c| {
            let n = self.fine.at(x * c.scale.0, z * c.scale.1, 0.5);
            smoothstep(c.threshold, c.threshold + c.softness, n) * c.opacity
        });
        Node { clear: self.clear(d), density: here, shade, veil, elevation: d.y }
    }

    /// Paint the sky onto every pixel whose ray rises (and a little below, to meet the ground).
    pub fn paint(&self, view: &View, painter: &mut Painter<'_>) {
        let Painter { canvas, layers, .. } = painter;
        self.paint_where(view, canvas, layers, &[]);
    }

    /// As [`Sky::paint`], but only where no announced surface hides it.
    pub fn paint_behind(&self, view: &View, painter: &mut Painter<'_>) {
        let Painter { canvas, layers, nearest, .. } = painter;
        // what an announced surface fails to cover by a pixel must not keep what was on the canvas
        let haze = self.haze();
        for (pixel, open) in canvas.pixels.iter_mut().zip(layers.open()) {
            if open {
                *pixel = haze;
            }
        }
        self.paint_where(view, canvas, layers, nearest);
    }

    fn paint_where(&self, view: &View, canvas: &mut Canvas, layers: &Layers, nearest: &[f32]) {
        let mut grid = Grid::new(self, view, canvas);
        let width = canvas.width;
        let unseen = &canvas.unseen;
        for (y, row) in canvas.pixels.chunks_mut(width).enumerate() {
            let gap = unseen.get(y).cloned().unwrap_or_default();
            let fy = (y % GRID) as f32 / GRID as f32 + 0.5 / GRID as f32;
            // the right edge of one cell is the left edge of the next
            let mut shared = None;
            for (cell, pixels) in row.chunks_mut(GRID).enumerate() {
                let left = shared.take();
                let start = cell * GRID;
                if gap.start <= start && start + pixels.len() <= gap.end {
                    continue;
                }
                let first = y * width + start;
                let hidden = nearest.get(first..first + pixels.len());
                if hidden.is_some_and(|h| h.iter().all(|&n| n < f32::MAX)) {
                    continue;
                }
                if (first..first + pixels.len()).all(|index| layers.hides(index)) {
                    continue;
                }
                let left = left.unwrap_or_else(|| grid.edge(cell, y / GRID, fy));
                let right = grid.edge(cell + 1, y / GRID, fy);
                shared = Some(right);
                if left.elevation < -0.05 && right.elevation < -0.05 {
                    continue;
                }
                for (x, pixel) in pixels.iter_mut().enumerate() {
                    if layers.hides(first + x) {
                        continue;
                    }
                    let fx = x as f32 / GRID as f32 + 0.5 / GRID as f32;
                    *pixel = self.pixel(&left.mix(right, fx));
                }
            }
        }
        self.paint_sun(view, canvas, layers);
    }

    fn pixel(&self, n: &Node) -> Rgb {
        let c = &self.clouds;
        let fade = smoothstep(-0.01, 0.10, n.elevation);
        let cover = smoothstep(c.threshold, c.threshold + c.softness, n.density) * c.opacity * fade;
        let veiled = n.clear.mix(self.cloud_lit, n.veil * fade);
        if cover <= 0.0 {
            return veiled;
        }
        veiled.mix(self.cloud_lit.mix(self.cloud_dark, n.shade).mix(n.clear, 0.1), cover)
    }

    /// The disc of the sun, if it is in the picture and not behind clouds.
    fn paint_sun(&self, view: &View, canvas: &mut Canvas, layers: &Layers) {
        let sun = self.light.sun;
        if sun.luminance() < 0.02 {
            return;
        }
        let far = view.camera.position.plus(self.light.to_sun.scale(1e4));
        let Some((x, y, _)) = view.camera.project(far) else { return };
        let radius = 0.0047 * view.camera.focal_px;
        let reach = radius * 9.0;
        let limit = |a: f32, size: usize| a.clamp(0.0, size as f32) as usize;
        for py in limit(y - reach, canvas.height)..limit(y + reach, canvas.height) {
            for px in limit(x - reach, canvas.width)..limit(x + reach, canvas.width) {
                let index = py * canvas.width + px;
                if layers.hides(index) {
                    continue;
                }
                let (dx, dy) = (px as f32 + 0.5 - x, py as f32 + 0.5 - y);
                let d = (dx * dx + dy * dy).sqrt() / radius;
                let disc = 1.0 - smoothstep(0.8, 1.2, d);
                let halo = (1.0 - d / 9.0).max(0.0);
                let add = sun.scale(4.0 * disc + 0.9 * halo * halo * halo);
                let p = &mut canvas.pixels[index];
                *p = p.plus(add);
            }
        }
    }
}
