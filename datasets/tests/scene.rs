//! Laws of whole pictures: masks, coverage, pairing, determinism, corner cases.
#![expect(clippy::print_stdout, reason = "figures of passing tests are shown with --nocapture")]

use datasets::art::SignFace;
use datasets::camera_pose::ScenePose;
use datasets::canvas::Rgb;
use datasets::compose::Scratch;
use datasets::config::{Identity, LevelRanges, SceneConfig, Split};
use datasets::corner_case::{CornerCase, CornerCaseKind};
use datasets::environment::Environment;
use datasets::plate::Face;
use datasets::renderer::{Rendered, Renderer};

const SIZE: usize = 224;

const FRONTAL: LevelRanges = LevelRanges {
    yaw_deg: [-8.0, 8.0],
    pitch_deg: [1.0, 6.0],
    roll_deg: [-2.0, 2.0],
    pixels_per_metre: [134.0, 249.0],
    offset_share: [-0.04, 0.04],
    fov_deg: [26.0, 42.0],
    distortion_k1: [0.0, 0.01],
};
const HIGH: LevelRanges = LevelRanges {
    yaw_deg: [-50.0, 50.0],
    pitch_deg: [-9.0, 20.0],
    roll_deg: [-12.0, 12.0],
    pixels_per_metre: [137.0, 244.0],
    offset_share: [-0.2, 0.2],
    fov_deg: [22.0, 54.0],
    distortion_k1: [-0.05, 0.12],
};

/// Convex polygon with rounded corners, the shape of every plate.
struct Polygon {
    corners: Vec<[f32; 2]>,
    radius: f32,
}

impl Polygon {
    fn disc() -> Self {
        Self { corners: vec![[0.0, 0.0]], radius: 300.0 }
    }

    fn triangle() -> Self {
        // 900 mm edge, rounded by 45 mm, centred in its box
        let corners = vec![[-372.0, -351.0], [372.0, -351.0], [0.0, 293.0]];
        Self { corners, radius: 45.0 }
    }

    fn rectangle() -> Self {
        let corners = vec![[-170.0, -275.0], [170.0, -275.0], [170.0, 275.0], [-170.0, 275.0]];
        Self { corners, radius: 40.0 }
    }

    fn all() -> [Self; 3] {
        [Self::disc(), Self::triangle(), Self::rectangle()]
    }
}

impl Face for Polygon {
    fn signed_distance_mm(&self, x: f32, y: f32) -> f32 {
        let n = self.corners.len();
        let (mut nearest, mut inside) = (f32::MAX, n > 2);
        for i in 0..n {
            let (a, b) = (self.corners[i], self.corners[(i + 1) % n]);
            let (ex, ey, px, py) = (b[0] - a[0], b[1] - a[1], x - a[0], y - a[1]);
            let t = ((px * ex + py * ey) / (ex * ex + ey * ey).max(1e-9)).clamp(0.0, 1.0);
            let (dx, dy) = (px - t * ex, py - t * ey);
            nearest = nearest.min((dx * dx + dy * dy).sqrt());
            inside &= ex * py - ey * px >= 0.0;
        }
        (if inside { -nearest } else { nearest }) - self.radius
    }

    fn half_mm(&self) -> [f32; 2] {
        let reach = |k: usize| self.corners.iter().fold(0.0_f32, |m, c| m.max(c[k].abs()));
        [reach(0) + self.radius, reach(1) + self.radius]
    }

    fn colour(&self, _: f32, y: f32, _: f32) -> Rgb {
        if y > 0.0 { Rgb::new(0.6, 0.03, 0.03) } else { Rgb::grey(0.8) }
    }
}

fn config(index: u32, level: &LevelRanges) -> SceneConfig {
    let identity = Identity { split: Split::Test, class: 11, index };
    SceneConfig::draw(identity, level, Environment::ALL[index as usize % 10])
}

fn render<F: Face>(config: &SceneConfig, face: &F) -> Rendered {
    Renderer::new(SIZE).expect("a valid size").render(config, face, &mut Scratch::new(SIZE))
}

/// The outline projected forwards, point by point: shares no code with the inverse mapping.
fn projected_outline<F: Face>(config: &SceneConfig, face: &F) -> Vec<(f32, f32)> {
    let pose = ScenePose::new(&config.pose, SIZE);
    (0..720_u16)
        .map(|k| {
            let (sin, cos) = f32::from(k).to_radians().mul_add(0.5, 0.0).sin_cos();
            let (mut near, mut far) = (0.0_f32, 700.0_f32);
            for _ in 0..40 {
                let r = 0.5 * (near + far);
                if face.signed_distance_mm(r * cos, r * sin) < 0.0 { near = r } else { far = r }
            }
            pose.pixel(pose.plate.world(near * cos, near * sin, 0.0)).expect("ahead of the camera")
        })
        .collect()
}

fn is_inside(polygon: &[(f32, f32)], x: f32, y: f32) -> bool {
    let mut inside = false;
    for (i, a) in polygon.iter().enumerate() {
        let b = polygon[(i + 1) % polygon.len()];
        if (a.1 > y) != (b.1 > y) && x < a.0 + (y - a.1) / (b.1 - a.1) * (b.0 - a.0) {
            inside = !inside;
        }
    }
    inside
}

/// Intersection over union of the binary mask and the projected outline.
fn agreement<F: Face>(config: &SceneConfig, face: &F) -> f64 {
    let mask = render(config, face).mask;
    let outline = projected_outline(config, face);
    let (mut both, mut either) = (0_u32, 0_u32);
    for (x, y, pixel) in mask.enumerate_pixels() {
        let analytic = is_inside(&outline, x as f32 + 0.5, y as f32 + 0.5);
        let painted = pixel.0[0] > 127;
        both += u32::from(analytic && painted);
        either += u32::from(analytic || painted);
    }
    f64::from(both) / f64::from(either)
}

#[test]
fn masks_agree_with_the_analytic_outline() {
    let mut worst = 1.0_f64;
    for level in [FRONTAL, HIGH] {
        for index in 0..12 {
            for face in Polygon::all() {
                worst = worst.min(agreement(&config(index, &level), &face));
            }
        }
    }
    assert!(worst > 0.97, "smallest intersection over union: {worst}");
}

#[test]
fn masks_of_all_82_signs_agree_with_their_outlines() {
    let mut worst = 1.0_f64;
    for class in 0..82_u16 {
        let face = SignFace::new(class).unwrap();
        worst = worst.min(agreement(&config(u32::from(class), &HIGH), &face));
    }
    println!("smallest intersection over union: {worst:.4}");
    assert!(worst > 0.97, "smallest intersection over union: {worst}");
}

#[test]
fn signs_cover_6_to_60_percent_and_stay_in_the_frame() {
    let total = (SIZE * SIZE) as f32;
    let (mut whole, mut count) = (0_u32, 0_u32);
    let mut seen = (1.0_f32, 0.0_f32);
    for level in [FRONTAL, HIGH] {
        for index in 0..250 {
            let config = config(index, &level);
            let faces = Polygon::all();
            let outline = projected_outline(&config, &faces[index as usize % 3]);
            let area = |points: &[(f32, f32)]| {
                let twice: f32 = (0..points.len())
                    .map(|i| {
                        let (a, b) = (points[i], points[(i + 1) % points.len()]);
                        a.0 * b.1 - a.1 * b.0
                    })
                    .sum();
                0.5 * twice.abs()
            };
            let limit = SIZE as f32;
            let cut: Vec<_> =
                outline.iter().map(|p| (p.0.clamp(0.0, limit), p.1.clamp(0.0, limit))).collect();
            let (full, visible) = (area(&outline), area(&cut));
            assert!(
                visible > 0.95 * full,
                "picture {index}: {:.1} % visible",
                100.0 * visible / full
            );
            seen = (seen.0.min(visible / total), seen.1.max(visible / total));
            whole += u32::from(visible > 0.9999 * full);
            count += 1;
        }
    }
    println!("coverage {seen:?}, {whole} of {count} whole");
    assert!(seen.0 > 0.06 && seen.1 < 0.60, "coverage {seen:?}");
    assert!(f64::from(whole) > 0.97 * f64::from(count), "{whole} of {count} are whole");
}

#[test]
fn the_same_configuration_gives_the_same_bytes_on_any_number_of_threads() {
    let renderer = Renderer::new(SIZE).unwrap();
    let face = Polygon::triangle();
    let work = |indices: Vec<u32>| {
        // one scratch for all: what an earlier picture left behind must not show
        let mut scratch = Scratch::new(SIZE);
        let run = |i| (i, renderer.render(&config(i, &HIGH), &face, &mut scratch));
        indices.into_iter().map(run).collect::<Vec<_>>()
    };
    let reference = work((0..14).collect());
    for threads in [1, 2, 7] {
        let mut parts = std::thread::scope(|scope| {
            let handles: Vec<_> = (0..threads)
                .map(|t| scope.spawn(move || work((0..14).filter(|i| i % threads == t).collect())))
                .collect();
            handles.into_iter().flat_map(|h| h.join().unwrap()).collect::<Vec<_>>()
        });
        parts.sort_by_key(|p| p.0);
        assert!(parts == reference, "{threads} threads differ");
    }
}

#[test]
fn environments_change_nothing_but_the_background() {
    let face = Polygon::disc();
    let mut here = config(4, &FRONTAL);
    // the lens mixes neighbouring pixels, and JPEG whole blocks: leave them out
    here.formation.jpeg_quality = 0;
    here.formation.motion_px = 0.0;
    let mut there = SceneConfig::draw(here.identity, &FRONTAL, Environment::IndustrialEstate);
    there.formation = here.formation;
    let (a, b) = (render(&here, &face), render(&there, &face));
    assert_eq!(a.mask, b.mask);
    for (x, y, pixel) in a.image.enumerate_pixels() {
        // 4 pixels inside the outline nothing of the background is left
        let deep = (0..9).all(|k| {
            let (dx, dy) = (x + k % 3 * 4, y + k / 3 * 4);
            dx >= 4
                && dy >= 4
                && a.mask.get_pixel_checked(dx - 4, dy - 4).is_some_and(|m| m.0[0] == 255)
        });
        if deep {
            assert_eq!(pixel, b.image.get_pixel(x, y), "at {x}, {y}");
        }
    }
}

#[test]
fn every_size_shows_the_same_scene() {
    let face = Polygon::disc();
    let config = config(2, &FRONTAL);
    let share = |size: usize| {
        let done = Renderer::new(size).unwrap().render(&config, &face, &mut Scratch::new(SIZE));
        let sum: f64 = done.mask.pixels().map(|p| f64::from(p.0[0])).sum();
        sum / (255.0 * (size * size) as f64)
    };
    assert!((share(64) - share(224)).abs() < 0.002);
    assert!((share(448) - share(224)).abs() < 0.001);
    assert!(Renderer::new(63).is_err() && Renderer::new(1025).is_err());
    let text = Renderer::new(2000).unwrap_err().to_string();
    assert_eq!(text, "picture size 2000: expected 64 to 1024 pixels");
}

#[test]
fn corner_cases_grow_with_severity_and_occlusion_leaves_the_mask() {
    let face = Polygon::disc();
    for kind in CornerCaseKind::ALL {
        let mut hidden = Vec::new();
        for severity in 1..=5 {
            let (mut clear, mut left) = (0_u64, 0_u64);
            for index in 0..4 {
                let plain = config(index, &FRONTAL);
                let case = plain.clone().with_corner_case(CornerCase { kind, severity });
                let sum = |r: &Rendered| r.mask.as_raw().iter().map(|&m| u64::from(m)).sum::<u64>();
                let (before, after) = (render(&plain, &face), render(&case, &face));
                assert_ne!(before.image, after.image, "{kind:?}");
                clear += sum(&before);
                left += sum(&after);
            }
            hidden.push(1.0 - left as f64 / clear as f64);
        }
        match kind {
            CornerCaseKind::Occlusion => {
                assert!(hidden.is_sorted() && hidden[0] > 0.04, "{hidden:?}");
                assert!((0.4..0.8).contains(&hidden[4]), "{hidden:?}");
            }
            CornerCaseKind::Snow => {
                assert!(hidden.is_sorted() && hidden[4] < 0.6, "{hidden:?}");
            }
            _ => assert!(hidden.iter().all(|h| h.abs() < 1e-9), "{kind:?}: {hidden:?}"),
        }
    }
}
