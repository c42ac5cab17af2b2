//! What the run should say of the machine that it ran on.

use std::fs;
use std::thread;

/// Name and value of each fact that could be read, in a fixed order.
#[must_use]
pub fn facts() -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("architecture", std::env::consts::ARCH.to_owned()),
        ("system", std::env::consts::OS.to_owned()),
        ("cores", thread::available_parallelism().map_or(0, usize::from).to_string()),
        ("cpu_features", cpu_features().join(" ")),
        ("roadgaze", env!("CARGO_PKG_VERSION").to_owned()),
    ];
    if let Some(model) = cpu_model() {
        facts.push(("cpu", model));
    }
    let governor = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor";
    if let Ok(text) = fs::read_to_string(governor) {
        facts.push(("governor", text.trim().to_owned()));
    }
    facts
}

fn cpu_model() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|l| l.starts_with("model name") || l.starts_with("CPU part"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// Instruction sets that matter here and that this processor has.
#[cfg(target_arch = "x86_64")]
#[must_use]
pub fn cpu_features() -> Vec<&'static str> {
    let mut found = Vec::new();
    for (there, name) in [
        (is_x86_feature_detected!("avx2"), "avx2"),
        (is_x86_feature_detected!("fma"), "fma"),
        (is_x86_feature_detected!("avx512f"), "avx512f"),
        (is_x86_feature_detected!("avx512vnni"), "avx512vnni"),
        (is_x86_feature_detected!("avxvnni"), "avxvnni"),
    ] {
        if there {
            found.push(name);
        }
    }
    found
}

/// Instruction sets that matter here and that this processor has.
#[cfg(target_arch = "aarch64")]
#[must_use]
pub fn cpu_features() -> Vec<&'static str> {
    let mut found = Vec::new();
    for (there, name) in [
        (std::arch::is_aarch64_feature_detected!("neon"), "neon"),
        (std::arch::is_aarch64_feature_detected!("dotprod"), "dotprod"),
        (std::arch::is_aarch64_feature_detected!("i8mm"), "i8mm"),
        (std::arch::is_aarch64_feature_detected!("fp16"), "fp16"),
    ] {
        if there {
            found.push(name);
        }
    }
    found
}

/// None known for this processor.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
#[must_use]
pub fn cpu_features() -> Vec<&'static str> {
    Vec::new()
}
