//! What does an explanation cost beside a classification? Forward passes of a Kernel SHAP game and of plain
//! classifications take turns on one thread, so that whatever else runs on the machine slows both alike.
//!
//! ```text
//! cargo bench -p harness --bench explanations -- MODEL [ROUNDS]
//! ```
//!
//! Prints medians in milliseconds, and the median ratio of neighbouring passes with its interval of order statistics
//! (95 %): that ratio is the cost of composing the masked picture and of reading the logits.
#![expect(clippy::print_stdout, reason = "the result")]
#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on shall end")]

use datasets::source::FrameSource as _;
use datasets::synthetic::Synthetic;
use harness::attribution::{
    Baseline, Estimator, Game as _, GradCamSettings, Grid, MaskedPicture, Output, PictureGame,
    Plan, Upsampling, gradcam,
};
use harness::clock::Clock;
use harness::metrics::{self, Mask};
use harness::stats::percentile;
use models::{Classifier as _, Network, Preprocessor};

/// Median with the order statistics that enclose it with 95 %: ranks n/2 -+ 0.98 sqrt(n).
fn median(values: &[f64]) -> String {
    let half_width = 0.98 / (values.len() as f64).sqrt();
    let at = |share: f64| percentile(values, share.clamp(0.0, 1.0)).unwrap();
    let (low, high) = (at(0.5 - half_width), at(0.5 + half_width));
    format!("{:.4} ({low:.4} to {high:.4}), n = {}", at(0.5), values.len())
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
    let mut game = PictureGame::new(&picture, &mut explaining, 0, Output::Logit);
    let (mut classify, mut value, mut ratio) = (vec![], vec![], vec![]);
    for round in 0..rounds + 3 {
        let coalition = coalitions[round % coalitions.len()];
        let (first, second) = if round % 2 == 0 {
            let first = clock.time(|| plain.run(&input).unwrap()).1;
            (first, clock.time(|| game.value(coalition).unwrap()).1)
        } else {
            let second = clock.time(|| game.value(coalition).unwrap()).1;
            (clock.time(|| plain.run(&input).unwrap()).1, second)
        };
        // the first rounds warm caches and the allocator
        if round >= 3 {
            classify.push(ms(first));
            value.push(ms(second));
            ratio.push(ms(second) / ms(first));
        }
    }
    println!("classification, ms:        {}", median(&classify));
    println!("Kernel SHAP forward, ms:   {}", median(&value));
    println!("ratio of neighbours:       {}", median(&ratio));

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
