//! What does an explanation cost beside a classification? First as `roadgaze bench --shap` has it, then its parts.
//!
//! ```text
//! cargo bench -p harness --bench explanations -- MODEL [ROUNDS]
//! ```
//!
//! Prints medians in milliseconds with their intervals of order statistics (95 %).
#![expect(clippy::print_stdout, reason = "the result")]
#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on shall end")]

use datasets::source::FrameSource as _;
use datasets::synthetic::Synthetic;
use harness::attribution::{
    Baseline, Estimator, GradCamSettings, Grid, MaskedPicture, Plan, Upsampling, gradcam,
};
use harness::bench::{Median, shap_cost};
use harness::clock::Clock;
use harness::metrics::{self, Mask};
use models::{Classifier as _, Network, Preprocessor};

fn median(values: &[f64]) -> String {
    shown(&Median::of(values).unwrap())
}

fn shown(Median { value, ci95: [low, high], n }: &Median) -> String {
    format!("{value:.4} ({low:.4} to {high:.4}), n = {n}")
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let Some(model) = arguments.first() else {
        // `cargo test --all-targets` starts benches without a model
        println!("usage: cargo bench -p harness --bench explanations -- MODEL [ROUNDS]");
        return;
    };
    let rounds: usize = arguments.get(1).map_or(60, |text| text.parse().unwrap());
    let network = Network::open(model).unwrap();
    let preprocessor = Preprocessor::new(&network.manifest().input);
    let frame = Synthetic::open("synthetic:CF/test").unwrap().frame(0).unwrap();
    let (width, height) = preprocessor.size();
    let rgb = frame.image.as_raw();
    let input = preprocessor.run(rgb, width, height).unwrap();
    let baseline = Baseline::Zero.tensor(rgb, &input, &preprocessor);
    let picture =
        MaskedPicture::new(input.clone(), baseline, (height, width), Grid::default()).unwrap();
    let plan = Plan::draw(Estimator::Captum, Grid::default(), 1000, 1).unwrap();
    let (_, coalitions) = plan.distinct();
    println!("plan of 1,000 evaluations: {} forward passes", coalitions.len());

    let clock = Clock::start();
    let ms = |micros: firmware_host::Micros| micros.0 as f64 / 1000.0;
    let (mut plain, mut explaining) = (network.session().unwrap(), network.session().unwrap());
    let sides = ((&mut plain, &input[..]), (&mut explaining, &picture));
    let cost = shap_cost(sides.0, sides.1, &coalitions, (3, rounds), clock).unwrap();
    println!("classification, ms:        {}", shown(&cost.classification_ms));
    println!("Kernel SHAP forward, ms:   {}", shown(&cost.kernel_shap_ms));
    println!("ratio of neighbours:       {}", shown(&cost.ratio));

    let mut tensor = Vec::new();
    let mut last = coalitions[0].clone();
    picture.masked(&last, &mut tensor);
    let changes: Vec<f64> = (0..400)
        .map(|i| {
            let next = coalitions[(i + 1) % coalitions.len()];
            let taken = clock.time(|| {
                (0..20).for_each(|_| {
                    picture.change(&last, next, &mut tensor);
                    picture.change(next, &last, &mut tensor);
                });
            });
            last.clone_from(next);
            ms(taken.1) / 40.0
        })
        .collect();
    println!("masked picture alone, ms:  {}", median(&changes));

    let prediction = plain.run(&input).unwrap();
    if let Ok(head) = network.head() {
        let cam = |_| {
            ms(clock.time(|| gradcam(&prediction, head, 0, GradCamSettings::default()).unwrap()).1)
        };
        println!("GradCAM map, ms:           {}", median(&(0..200).map(cam).collect::<Vec<f64>>()));
        let map = gradcam(&prediction, head, 0, GradCamSettings::default()).unwrap();
        for rule in [Upsampling::Nearest, Upsampling::Bilinear] {
            let measure = |_| {
                ms(clock
                    .time(|| {
                        let mask = Mask::new(height, width, frame.mask.as_raw()).unwrap();
                        let (rows, columns) = (map.height(), map.width());
                        (
                            mask.area_share(),
                            metrics::pixel_ratio(&map, &mask, rule),
                            metrics::ceiling(&mask, rows, columns, rule),
                            metrics::proportional(&mask, rows, columns, rule),
                        )
                    })
                    .1)
            };
            let times: Vec<f64> = (0..200).map(measure).collect();
            println!("all metrics, {:8}, ms: {}", rule.name(), median(&times));
        }
    }
}
