//! The post behind the sign: tubes, a lamp post or a square section, with clamps and bands.
//!
//! Posts are vertical, so a ray meets them in the ground plan: the distance between ray and axis
//! gives the coverage of the pixel without supersampling, and the place on the round gives the normal.

use crate::camera_pose::{PlatePose, ScenePose};
use crate::canvas::{Canvas, Rgb};
use crate::config::{FurnitureConfig, PostKind};
use crate::environment::Light;
use crate::environment::tile::{Field, Pattern};
use crate::geometry::Vec3;
use crate::num::{atan2, sin_cos, smoothstep};
use crate::plate::{Face, PixelBox};
use crate::rng::Stream;

/// One vertical member.
#[derive(Clone, Copy, Debug)]
struct Member {
    /// Axis in the ground plan.
    x: f32,
    z: f32,
    /// Half the width, metres.
    radius: f32,
    /// Upper end above the ground, metres.
    top: f32,
    square: bool,
}

/// The post of one sign.
#[derive(Clone, Debug)]
pub struct Post {
    members: Vec<Member>,
    coat: Rgb,
    zinc: Field,
    runs: Field,
    /// Heights above the ground of clamps, metres.
    clamps: Vec<f32>,
    /// Lower end of a reflective band, metres above the ground.
    band: Option<f32>,
    /// Bearing of the plate, for square sections, radians.
    bearing: f32,
}

const CLAMP_HALF_M: f32 = 0.014;
const CLAMP_STANDS_OUT_M: f32 = 0.006;
const BAND_HEIGHT_M: f32 = 0.18;

impl Post {
    /// The post of a plate with the given half size, millimetres.
    #[must_use]
    pub fn new(furniture: &FurnitureConfig, plate: &PlatePose, half_mm: [f32; 2]) -> Self {
        let mut s = Stream::from_seed(furniture.seed);
        let radius = 0.5 * furniture.post_width_m;
        let forward = plate.rotation.forward;
        let away = Vec3::new(forward.x, 0.0, forward.z).unit();
        let right = plate.rotation.right;
        let back = radius + 1e-3 * furniture.rim_depth_mm + 0.022;
        let axis = plate.centre.plus(away.scale(back));
        let upper = plate.centre.y + 1e-3 * half_mm[1];
        let top = match furniture.post {
            PostKind::LampPost => 30.0,
            // a frame ends behind the middle of the plate, where every shape is wide enough
            PostKind::TwinTube => plate.centre.y + 0.05e-3 * half_mm[1],
            _ => upper + furniture.post_overhang_m,
        };
        let offsets: &[f32] = match furniture.post {
            PostKind::TwinTube => &[-0.42, 0.42],
            _ => &[0.0],
        };
        let square = furniture.post == PostKind::SquareSection;
        let members = offsets
            .iter()
            .map(|k| {
                let shift = right.scale(k * 1e-3 * half_mm[0]);
                Member { x: axis.x + shift.x, z: axis.z + shift.z, radius, top, square }
            })
            .collect();
        let coat = match furniture.post {
            PostKind::LampPost => *s.pick(&[
                Rgb::new(0.34, 0.35, 0.36),
                Rgb::new(0.075, 0.115, 0.085),
                Rgb::new(0.06, 0.062, 0.066),
                Rgb::new(0.22, 0.23, 0.235),
            ]),
            _ => Rgb::grey(s.range(0.24, 0.42)).times(Rgb::new(0.985, 1.0, 1.02)),
        };
        let clamps = if furniture.clamps {
            [-0.55, 0.55].iter().map(|k| plate.centre.y + k * 1e-3 * half_mm[1]).collect()
        } else {
            Vec::new()
        };
        let lower = plate.centre.y - 1e-3 * half_mm[1];
        Self {
            members,
            coat,
            zinc: Field::new(Pattern::Fractal, s.bits(), 0.35),
            runs: Field::new(Pattern::Blades, s.bits(), 0.5),
            clamps,
            band: furniture.post_band.then(|| lower - s.range(0.25, 0.5)),
            bearing: atan2(away.x, away.z),
        }
    }

    /// Paint the post where it is not `hidden(column, row)`; `face` at `plate` throws its shadow on it.
    pub fn paint<F: Face>(
        &self,
        pose: &ScenePose,
        light: &Light,
        plate: &PlatePose,
        face: &F,
        hidden: impl Fn(usize, usize) -> bool,
        canvas: &mut Canvas,
    ) {
        let shade = PlateShade { plate, face, light };
        for member in &self.members {
            self.paint_member(member, pose, &shade, &hidden, canvas);
        }
    }

    fn paint_member<F: Face>(
        &self,
        member: &Member,
        pose: &ScenePose,
        shade: &PlateShade<'_, F>,
        hidden: &impl Fn(usize, usize) -> bool,
        canvas: &mut Canvas,
    ) {
        let camera = &pose.camera;
        let reach = 1.6 * member.radius;
        let mut points = Vec::new();
        let heights = [0.0, 0.25, 0.5, 0.75, 1.0];
        for k in heights {
            let y = member.top.min(camera.position.y + 3.0) * k;
            for dx in [-reach, reach] {
                points.extend(pose.pixel(Vec3::new(member.x + dx, y, member.z)));
            }
        }
        if member.top > 10.0 {
            points.push((0.5 * canvas.width as f32, 0.0));
        }
        let area = PixelBox::around(&points, 2.0, canvas.width);
        let (cx, cz) = (member.x - camera.position.x, member.z - camera.position.z);
        let plan_distance = (cx * cx + cz * cz).sqrt();
        let pixel_m = plan_distance / camera.focal_px;
        // a pixel and more beyond the half width, where nothing is covered
        let widest = member.radius * self.shape(member) + CLAMP_STANDS_OUT_M + pixel_m;
        for py in area.top..area.bottom {
            for px in area.left..area.right {
                let (ix, iy) = pose.lens.undistort(px as f32 + 0.5, py as f32 + 0.5);
                let ray = camera.ray(ix, iy);
                let plan = (ray.x * ray.x + ray.z * ray.z).sqrt().max(1e-6);
                let along = (ray.x * cx + ray.z * cz) / plan;
                if along <= 0.0 {
                    continue;
                }
                // signed distance from axis to ray, positive when the ray passes on the right
                let beside = (ray.x * cz - ray.z * cx) / plan;
                if beside.abs() > widest {
                    continue;
                }
                let y = camera.position.y + ray.y / plan * (along - member.radius).max(0.0);
                let half = self.half_width(member, y);
                let side = (0.5 + (half - beside.abs()) / pixel_m).clamp(0.0, 1.0);
                let end = (0.5 + (member.top - y) / pixel_m).clamp(0.0, 1.0);
                let cover = side * end;
                if cover <= 0.0 || hidden(px, py) {
                    continue;
                }
                let view = Vec3::new(ray.x / plan, 0.0, ray.z / plan);
                let t = (beside / half).clamp(-1.0, 1.0);
                let colour = self.colour(member, shade, view, t, y);
                canvas.blend(px, py, colour, cover);
            }
        }
    }

    fn is_clamp(&self, y: f32) -> bool {
        self.clamps.iter().any(|c| (y - c).abs() < CLAMP_HALF_M)
    }

    fn half_width(&self, member: &Member, y: f32) -> f32 {
        let clamp = if self.is_clamp(y) { CLAMP_STANDS_OUT_M } else { 0.0 };
        member.radius * self.shape(member) + clamp
    }

    /// Half the width that is seen, in radii.
    fn shape(&self, member: &Member) -> f32 {
        if member.square {
            let (sin, cos) = sin_cos(self.bearing);
            sin.abs() + cos.abs()
        } else {
            1.0
        }
    }

    /// Light from the surface at share `t` of the half width right of the axis.
    fn colour<F: Face>(
        &self,
        member: &Member,
        shade: &PlateShade<'_, F>,
        view: Vec3,
        t: f32,
        y: f32,
    ) -> Rgb {
        let right = Vec3::new(view.z, 0.0, -view.x);
        let toward = (1.0 - t * t).max(0.0).sqrt();
        let (normal, around) = if member.square {
            self.square_normal(t)
        } else {
            (right.scale(t).minus(view.scale(toward)), t)
        };
        // a round takes less sky where it turns away towards houses and trees
        let open = if member.square { 0.9 } else { 0.66 + 0.34 * toward };
        let light = shade.light;
        let point =
            Vec3::new(member.x + normal.x * member.radius, y, member.z + normal.z * member.radius);
        let blotch = self.zinc.at(0.35 * around * member.radius + 0.1, y, 0.004);
        let run = self.runs.at(around * member.radius, y, 0.004);
        let mut albedo = self.coat.scale(0.80 + 0.20 * blotch + 0.12 * run);
        if self.is_clamp(y) {
            albedo = Rgb::grey(0.44);
        }
        if let Some(low) = self.band
            && y > low
            && y < low + BAND_HEIGHT_M
        {
            let red = (y - low) < 0.33 * BAND_HEIGHT_M || (y - low) > 0.67 * BAND_HEIGHT_M;
            albedo = if red { Rgb::new(0.52, 0.025, 0.02) } else { Rgb::grey(0.74) };
        }
        let (sun, sky) = shade.shares(point);
        let direct = normal.dot(light.to_sun).max(0.0) * sun;
        let received = light
            .sun
            .scale(direct)
            .plus(light.sky.scale((0.66 + 0.2 * normal.y) * sky * open))
            .plus(light.sun.scale(0.07 * light.to_sun.y.max(0.0) * sky));
        // zinc and paint shine along the tube
        let half = light.to_sun.minus(view).unit();
        let shine = normal.dot(half).max(0.0);
        let s2 = shine * shine;
        let s8 = s2 * s2 * s2 * s2;
        let lobe = 0.30 * s8 * s8 * s8 * sun * if direct > 0.0 { 1.0 } else { 0.0 };
        albedo.times(received).plus(light.sun.scale(lobe))
    }

    /// Normal and place on the visible faces of a square section.
    fn square_normal(&self, t: f32) -> (Vec3, f32) {
        let (sin, cos) = sin_cos(self.bearing);
        // ground plan seen along z: the corner between front and side divides the silhouette
        let front = Vec3::new(-sin, 0.0, -cos);
        let side = Vec3::new(cos, 0.0, -sin);
        let total = sin.abs() + cos.abs();
        let corner = (cos - sin.abs()) / total;
        if sin >= 0.0 {
            if t < corner { (front, t) } else { (side, t + 0.7) }
        } else if t > -corner {
            (front, t)
        } else {
            (side.scale(-1.0), t - 0.7)
        }
    }
}

/// Shadow of the plate on what stands behind it.
#[derive(Clone, Copy, Debug)]
struct PlateShade<'a, F> {
    plate: &'a PlatePose,
    face: &'a F,
    light: &'a Light,
}

impl<F: Face> PlateShade<'_, F> {
    /// Shares of sun and sky at a point behind or below the plate.
    fn shares(&self, point: Vec3) -> (f32, f32) {
        let frame = &self.plate.rotation;
        let local = frame.inverse(point.minus(self.plate.centre));
        let sun = frame.inverse(self.light.to_sun);
        let mut sun_share = 1.0;
        if sun.z < -1e-3 && local.z > 0.0 {
            // local.z metres behind the face, the sun in front of it
            let t = local.z / -sun.z;
            let (x, y) = (1e3 * (local.x + sun.x * t), 1e3 * (local.y + sun.y * t));
            let penumbra = 1.5 + 9.0 * t;
            sun_share = smoothstep(-penumbra, penumbra, self.face.signed_distance_mm(x, y));
        }
        let beside = self.face.signed_distance_mm(1e3 * local.x, 1e3 * local.y);
        (sun_share, 0.45 + 0.55 * smoothstep(-40.0, 90.0, beside))
    }
}
