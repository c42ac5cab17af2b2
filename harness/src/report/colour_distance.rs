//! How far apart two colours look, also to those who lack a kind of cones, for tests of plots.

use plotters::prelude::RGBColor;

use super::contrast::linear;
use super::plot::PALETTE;

type Matrix = [[f64; 3]; 3];

/// From linear sRGB to XYZ (IEC 61966-2-1).
const XYZ: Matrix = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]];

/// What linear sRGB becomes to whom: to all cones, and without the red, the green and the blue ones (Machado, Oliveira and
/// Fernandes 2009, doi 10.1109/TVCG.2009.113, severity 1.0).
const EYES: [(&str, Matrix); 4] = [
    ("all cones", [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
    (
        "no red ones",
        [
            [0.152_286, 1.052_583, -0.204_868],
            [0.114_503, 0.786_281, 0.099_216],
            [-0.003_882, -0.048_116, 1.051_998],
        ],
    ),
    (
        "no green ones",
        [
            [0.367_322, 0.860_646, -0.227_968],
            [0.280_085, 0.672_501, 0.047_413],
            [-0.011_820, 0.042_940, 0.968_881],
        ],
    ),
    (
        "no blue ones",
        [
            [1.255_528, -0.076_749, -0.178_779],
            [-0.078_411, 0.930_809, 0.147_602],
            [0.004_733, 0.691_367, 0.303_900],
        ],
    ),
];

fn times(matrix: &Matrix, vector: [f64; 3]) -> [f64; 3] {
    matrix.map(|row| row.iter().zip(vector).map(|(m, v)| m * v).sum())
}

/// L*, a*, b* of CIE 1976 of a colour in linear sRGB, whose white is that of the scale.
fn lab(rgb: [f64; 3]) -> [f64; 3] {
    const KNEE: f64 = 6.0 / 29.0;
    let (xyz, white) = (times(&XYZ, rgb), times(&XYZ, [1.0; 3]));
    let root = |i: usize| {
        let t = xyz[i] / white[i];
        if t > KNEE.powi(3) { t.cbrt() } else { t / (3.0 * KNEE * KNEE) + 4.0 / 29.0 }
    };
    let (x, y, z) = (root(0), root(1), root(2));
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

/// Difference of two colours in L*, a*, b* by CIEDE2000 with all weights 1: Sharma, Wu and Dalal 2005 (Color Research and
/// Application 30, 21-30), equations 2 to 22.
fn ciede2000([l1, a1, b1]: [f64; 3], [l2, a2, b2]: [f64; 3]) -> f64 {
    let far_from_grey = |chroma: f64| (chroma.powi(7) / (chroma.powi(7) + 25_f64.powi(7))).sqrt();
    let stretch = 1.5 - 0.5 * far_from_grey((a1.hypot(b1) + a2.hypot(b2)) / 2.0);
    let (a1, a2) = (stretch * a1, stretch * a2);
    let (c1, c2) = (a1.hypot(b1), a2.hypot(b2));
    let hue = |a: f64, b: f64| b.atan2(a).to_degrees().rem_euclid(360.0);
    let (h1, h2) = (hue(a1, b1), hue(a2, b2));
    let (turn, sum) = (h2 - h1, h1 + h2);
    // a grey has no hue; of two hues the mean and the difference are taken the short way round
    let (turn, mean_hue) = if c1 * c2 == 0.0 {
        (0.0, sum)
    } else if turn.abs() <= 180.0 {
        (turn, sum / 2.0)
    } else {
        let turn = if turn > 0.0 { turn - 360.0 } else { turn + 360.0 };
        (turn, if sum < 360.0 { (sum + 360.0) / 2.0 } else { (sum - 360.0) / 2.0 })
    };
    let (mean_l, mean_c) = ((l1 + l2) / 2.0, (c1 + c2) / 2.0);
    let wave = |times: f64, from: f64| (times * mean_hue - from).to_radians().cos();
    let t = 1.0 - 0.17 * wave(1.0, 30.0) + 0.24 * wave(2.0, 0.0) + 0.32 * wave(3.0, -6.0)
        - 0.20 * wave(4.0, 63.0);
    let off = (mean_l - 50.0) * (mean_l - 50.0);
    let l = (l2 - l1) / (1.0 + 0.015 * off / (20.0 + off).sqrt());
    let c = (c2 - c1) / (1.0 + 0.045 * mean_c);
    let h = 2.0 * (c1 * c2).sqrt() * (turn / 2.0).to_radians().sin() / (1.0 + 0.015 * mean_c * t);
    let from_blue = (mean_hue - 275.0) / 25.0;
    let rotation = 60.0 * (-from_blue * from_blue).exp();
    let cross = -2.0 * far_from_grey(mean_c) * rotation.to_radians().sin();
    (l * l + c * c + h * h + cross * c * h).sqrt()
}

#[test]
fn known_differences() {
    // table 1 of the paper
    for (a, b, known) in [
        ([50.0, 2.6772, -79.7751], [50.0, 0.0, -82.7485], 2.0425),
        ([50.0, 3.1571, -77.2803], [50.0, 0.0, -82.7485], 2.8615),
        ([50.0, -1.0, 2.0], [50.0, 0.0, 0.0], 2.3669),
        ([50.0, 2.49, -0.001], [50.0, -2.49, 0.0009], 7.1792),
        ([50.0, 2.49, -0.001], [50.0, -2.49, 0.0011], 7.2195),
        ([50.0, 2.5, 0.0], [50.0, 0.0, -2.5], 4.3065),
        ([50.0, 2.5, 0.0], [73.0, 25.0, -18.0], 27.1492),
        ([50.0, 2.5, 0.0], [61.0, -5.0, 29.0], 22.8977),
        ([50.0, 2.5, 0.0], [56.0, -27.0, -3.0], 31.903),
        ([50.0, 2.5, 0.0], [58.0, 24.0, 15.0], 19.4535),
        ([60.2574, -34.0099, 36.2677], [60.4626, -34.1751, 39.4387], 1.2644),
        ([22.7233, 20.0904, -46.694], [23.0331, 14.973, -42.5619], 2.0373),
        ([90.8027, -2.0831, 1.441], [91.1528, -1.6435, 0.0447], 1.4441),
        ([2.0776, 0.0795, -1.135], [0.9033, -0.0636, -0.5514], 0.9082),
    ] {
        for found in [ciede2000(a, b), ciede2000(b, a)] {
            assert!((found - known).abs() < 1e-4, "{a:?} {b:?}: {found}, {known} in the paper");
        }
        assert_eq!(ciede2000(a, a), 0.0, "{a:?}");
    }
    let found = ciede2000(lab([0.0; 3]), lab([1.0; 3]));
    assert!((found - 100.0).abs() < 1e-9, "black to white: {found}");
}

#[test]
fn colours_of_data_are_told_apart_also_without_a_kind_of_cones() {
    let palette = PALETTE.map(|RGBColor(r, g, b)| [r, g, b].map(|v| linear(f64::from(v) / 255.0)));
    for (eyes, matrix) in &EYES {
        let seen = palette.map(|rgb| lab(times(matrix, rgb).map(|v| v.clamp(0.0, 1.0))));
        for (i, a) in seen.iter().enumerate() {
            for (j, b) in seen.iter().enumerate().skip(i + 1) {
                let (found, least) = (ciede2000(*a, *b), if j < 3 { 23.0 } else { 9.0 });
                assert!(found >= least, "colours {i} and {j}, {eyes}: {found}");
            }
        }
    }
}
