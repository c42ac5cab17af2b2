//! Texts that steer a run: plan, camera scenario, manifest. What is accepted can be printed and counted.
#![no_main]

use std::path::Path;

use harness::feed::Scenario;
use harness::run::RunPlan;
use libfuzzer_sys::fuzz_target;
use models::Manifest;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let place = Path::new("fuzz.toml");
    if let Ok(plan) = RunPlan::parse(text, place) {
        if let Ok(positions) = plan.positions(2000) {
            assert!(!positions.is_empty() && positions.iter().all(|&p| p < 2000));
        }
        assert!(!plan.settings().is_empty());
        assert!(plan.thread_count() > 0);
    }
    if let Ok(manifest) = Manifest::parse(text, place) {
        let again = manifest.to_toml().expect("a manifest can be written");
        assert_eq!(Manifest::parse(&again, place).expect("and read again"), manifest);
    }
    if let Ok(scenario) = toml::from_str::<Scenario>(text) {
        if scenario.check().is_ok() {
            let _ = scenario.fault_plan();
        }
    }
});
