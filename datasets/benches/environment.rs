//! Time to paint one background at the canvas of a 224 px image (448 x 448, four samples a pixel).
//!
//! `cargo bench -p datasets --bench environment`

use datasets::canvas::{Canvas, Rgb};
use datasets::environment::{Environment, example, paint};

fn main() {
    divan::main();
}

/// Twelve views in turn, so that no single layout decides.
#[divan::bench(args = [Environment::InnerCity, Environment::Residential, Environment::Village, Environment::Farmland, Environment::Forest, Environment::Motorway, Environment::ConstructionSite, Environment::IndustrialEstate, Environment::Mountain, Environment::Coast], sample_count = 24, sample_size = 1)]
fn background(bencher: divan::Bencher<'_, '_>, environment: &Environment) {
    let views: Vec<_> = (0..12).map(|seed| example::view(seed, 448)).collect();
    let mut canvas = Canvas::new(448, 448, Rgb::default());
    let mut turn = 0;
    bencher.bench_local(|| {
        paint(*environment, &views[turn % views.len()], &mut canvas);
        turn += 1;
    });
}
