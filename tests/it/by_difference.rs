//! Does a session that computes by difference give the same bits as one that computes everything?
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::path::PathBuf;

use datasets::rng::Stream;
use harness::attribution::{
    Baseline, Coalition, Estimator, Evaluator, Grid, MaskedPicture, Output, PictureGame, Plan,
    Solution, explain, kernel_shap,
};
use models::engine::Isa;
use models::{Classifier as _, EngineOptions, Network, Preprocessor};

const FAMILIES: [&str; 2] = ["resnet-micro", "convnext-micro"];

fn network(name: &str, isa: Isa) -> Network {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("golden/calibration")
        .join(format!("{name}-int8.toml"));
    let options = EngineOptions { isa, ..EngineOptions::default() };
    Network::open_with(&path.display().to_string(), options).unwrap()
}

/// The picture of the golden files and one of a flat colour.
fn pictures(network: &Network) -> (Vec<f32>, Vec<f32>) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden/desktop/picture-224x224.png");
    let rgb = image::open(path).unwrap().to_rgb8();
    let preprocessor = Preprocessor::new(&network.manifest().input);
    let input = preprocessor.run(&rgb, 224, 224).unwrap();
    let baseline = Baseline::MeanColour.tensor(&rgb, &input, &preprocessor);
    (input, baseline)
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

#[test]
fn every_masked_picture_gives_the_same_bits_on_every_isa() {
    for name in FAMILIES {
        for isa in Isa::available() {
            let network = network(name, isa);
            let (input, baseline) = pictures(&network);
            let grid = Grid::default();
            let picture = MaskedPicture::new(input, baseline, (224, 224), grid).unwrap();
            let chain = Plan::draw(Estimator::Permutation, grid, 98, 3).unwrap();
            let random = Plan::draw(Estimator::Captum, grid, 12, 3).unwrap();
            let (mut whole, mut by_difference) =
                (network.session().unwrap(), network.session().unwrap());
            let mut tensor = Vec::new();
            let mut reused = Vec::new();
            // the whole of the first order, then coalitions that have little in common
            let some = chain.coalitions()[..50].iter().chain(&random.coalitions()[2..]);
            for coalition in some.chain([&Coalition::full(49), &Coalition::full(49)]) {
                picture.masked(coalition, &mut tensor);
                let expected = whole.run(&tensor).unwrap();
                let found = by_difference.run_by_difference(&tensor).unwrap();
                assert_eq!(bits(&found.logits), bits(&expected.logits), "{name} {isa} {coalition}");
                let (found, expected) =
                    (found.feature_map.unwrap().data, expected.feature_map.unwrap().data);
                assert_eq!(bits(&found), bits(&expected), "{name} {isa} {coalition}");
                reused.push(by_difference.reused());
            }
            assert!(reused[0] == 0.0, "nothing is there at first");
            assert!(reused[3..50].iter().all(|r| *r > 0.3), "{name}: chains are alike: {reused:?}");
            assert!(reused.last() == Some(&1.0), "{name}: the same picture again: {reused:?}");
        }
    }
}

#[test]
fn pictures_that_have_nothing_in_common_may_follow_each_other() {
    let mut stream = Stream::new("pictures of noise", &[4]);
    for name in FAMILIES {
        let network = network(name, Isa::detect());
        let (input, baseline) = pictures(&network);
        let (mut whole, mut by_difference) =
            (network.session().unwrap(), network.session_with_threads(2).unwrap());
        for number in 0..12 {
            let mut tensor = if number % 3 == 0 { input.clone() } else { baseline.clone() };
            if number % 2 == 0 {
                // single pixels here and there, or all of them
                for _ in 0..[3, 40, 200_000][number / 2 % 3] {
                    let at = stream.below(tensor.len());
                    tensor[at] = stream.unit() * 4.0 - 2.0;
                }
            }
            let expected = whole.logits(&tensor).unwrap();
            // a call that computes everything, in between, is not remembered and does no harm
            by_difference.logits(&input).unwrap();
            let found = by_difference.logits_by_difference(&tensor).unwrap();
            assert_eq!(bits(&found), bits(&expected), "{name}, picture {number}");
        }
        by_difference.logits_by_difference(&[0.0; 5]).unwrap_err();
        let (found, expected) =
            (by_difference.logits_by_difference(&input).unwrap(), whole.logits(&input).unwrap());
        assert_eq!(bits(&found), bits(&expected), "{name}, after an error");
    }
}

#[test]
fn an_explanation_is_the_same_whatever_the_threads_and_whatever_is_reused() {
    for name in FAMILIES {
        let network = network(name, Isa::detect());
        let (input, baseline) = pictures(&network);
        let grid = Grid::default();
        let picture = MaskedPicture::new(input, baseline, (224, 224), grid).unwrap();
        let plan = Plan::draw(Estimator::Permutation, grid, 290, 1).unwrap();
        let mut plain = network.session().unwrap();
        let mut tensor = Vec::new();
        // no run is ever announced, so that every picture is computed as a whole
        let anew = |coalition: &Coalition| {
            picture.masked(coalition, &mut tensor);
            f64::from(plain.logits(&tensor).unwrap()[7])
        };
        let expected = explain(&plan, &mut [anew], Solution::Exact).unwrap();
        for threads in [1, 2, 5] {
            let mut sessions: Vec<_> = (0..threads).map(|_| network.session().unwrap()).collect();
            let (output, solution) = (Output::Logit, Solution::Exact);
            let found =
                kernel_shap(&plan, &picture, 7, output, solution, None, &mut sessions).unwrap();
            assert_eq!(found, expected, "{name}, {threads} threads");
            let reused = sessions.iter().any(|session| session.reused() > 0.0);
            assert!(reused, "{name}: chains are computed by difference");
        }
        let independent = Plan::draw(Estimator::Leverage, grid, 40, 1).unwrap();
        let mut session = network.session().unwrap();
        let game = PictureGame::new(&picture, &mut session, 7, Output::Logit);
        Evaluator::new(&independent).extend(40, &mut [game]).unwrap();
        assert!(session.reused() == 0.0, "independent coalitions are computed as wholes");
    }
}
