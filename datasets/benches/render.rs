//! Time of each stage of one picture of 224 x 224 pixels, averaged over many pictures.

use divan::Bencher;

use datasets::art::SignFace;
use datasets::canvas::{Canvas, Rgb};
use datasets::compose::{self, Background, Scratch};
use datasets::config::{Identity, LevelRanges, SceneConfig, Split};
use datasets::environment::Environment;
use datasets::formation;
use datasets::light::{exposure_gain, light_from_config};
use datasets::renderer::Renderer;

const SIZE: usize = 224;
const LEVEL: LevelRanges = LevelRanges {
    yaw_deg: [-25.0, 25.0],
    pitch_deg: [-3.0, 12.0],
    roll_deg: [-6.0, 6.0],
    pixels_per_metre: [125.0, 238.0],
    offset_share: [-0.12, 0.12],
    fov_deg: [24.0, 48.0],
    distortion_k1: [-0.02, 0.06],
};

fn main() {
    divan::main();
}

/// Configurations in a row, all environments in turn.
fn configs() -> impl FnMut() -> SceneConfig {
    let mut index = 0;
    move || {
        index += 1;
        let identity = Identity { split: Split::Test, class: 7, index };
        SceneConfig::draw(identity, &LEVEL, Environment::ALL[index as usize % 10])
    }
}

#[divan::bench(sample_count = 200)]
fn whole_picture(bencher: Bencher<'_, '_>) {
    let renderer = Renderer::new(SIZE).expect("within the range");
    let mut scratch = Scratch::new(SIZE);
    let face = SignFace::new(7).expect("a class");
    bencher
        .with_inputs(configs())
        .bench_local_values(|config| renderer.render(&config, &face, &mut scratch));
}

/// Everything but the painting of the environment: what the sign, the lens and the sensor cost.
#[divan::bench(sample_count = 200)]
fn picture_over_photograph(bencher: Bencher<'_, '_>) {
    let renderer = Renderer::new(SIZE).expect("within the range");
    let mut scratch = Scratch::new(SIZE);
    let face = SignFace::new(7).expect("a class");
    let photo = Canvas::new(SIZE, SIZE, Rgb::grey(0.4));
    bencher.with_inputs(configs()).bench_local_values(|config| {
        renderer.render_over(&config, &face, Background::Photograph(&photo), &mut scratch)
    });
}

#[divan::bench(sample_count = 200)]
fn composition(bencher: Bencher<'_, '_>) {
    let mut scratch = Scratch::new(SIZE);
    let face = SignFace::new(7).expect("a class");
    let photo = Canvas::new(SIZE, SIZE, Rgb::grey(0.4));
    bencher.with_inputs(configs()).bench_local_values(|config| {
        let light = light_from_config(&config.light);
        compose::compose(&config, &face, &light, Background::Photograph(&photo), &mut scratch);
    });
}

#[divan::bench(sample_count = 200)]
fn image_formation(bencher: Bencher<'_, '_>) {
    let mut spare = Vec::new();
    let mut canvas = Canvas::new(SIZE, SIZE, Rgb::grey(0.3));
    bencher.with_inputs(configs()).bench_local_values(|config| {
        let gain = exposure_gain(&light_from_config(&config.light));
        formation::develop(&mut canvas, &config.formation, gain, &mut spare)
    });
}

#[divan::bench]
fn configuration(bencher: Bencher<'_, '_>) {
    bencher.with_inputs(configs()).bench_local_values(|config| config.to_metadata());
}
