//! What built this program: compiler, profile, target and commit, as `build.rs` found them.

use serde::{Deserialize, Serialize};

/// Compiler, profile, target and commit of a build.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Toolchain {
    /// Version of the compiler, as `rustc -V` prints it.
    pub rustc: String,
    /// Profile that the build's is, or inherits from: `release` or `debug`.
    pub profile: String,
    /// Level of optimization.
    pub opt_level: String,
    /// Processor, maker, system and ABI that the program is for.
    pub target: String,
    /// Instruction sets that the compiler was free to use everywhere. Kernels look for more while the program runs.
    pub target_features: Vec<String>,
    /// Commit that was checked out; none for a build from an archive of the sources.
    pub commit: Option<String>,
    /// Whether files differed from that commit.
    pub modified: Option<bool>,
}

impl Toolchain {
    /// That of the running program.
    pub(super) fn of_this_program() -> Self {
        let known = |text: &str| Some(text.to_owned()).filter(|t| !t.is_empty());
        Self {
            rustc: env!("ROADGAZE_RUSTC").to_owned(),
            profile: env!("ROADGAZE_PROFILE").to_owned(),
            opt_level: env!("ROADGAZE_OPT_LEVEL").to_owned(),
            target: env!("ROADGAZE_TARGET").to_owned(),
            target_features: known(env!("ROADGAZE_TARGET_FEATURES"))
                .map(|all| all.split(',').map(str::to_owned).collect())
                .unwrap_or_default(),
            commit: known(env!("ROADGAZE_COMMIT")),
            modified: known(env!("ROADGAZE_MODIFIED")).map(|word| word == "yes"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use super::*;

    #[test]
    fn the_build_is_known() {
        let t = Toolchain::of_this_program();
        assert!(t.rustc.starts_with("rustc 1."), "{t:?}");
        assert!(t.target.starts_with(std::env::consts::ARCH) && t.target.contains('-'), "{t:?}");
        assert!(["debug", "release"].contains(&t.profile.as_str()), "{t:?}");
        assert!(!t.opt_level.is_empty(), "{t:?}");
        let has = |name: &str| t.target_features.iter().any(|f| f == name);
        assert_eq!(has("sse2"), cfg!(target_feature = "sse2"), "{t:?}");
        assert_eq!(has("neon"), cfg!(target_feature = "neon"), "{t:?}");
        let whole =
            |commit: &String| commit.len() == 40 && commit.chars().all(|c| c.is_ascii_hexdigit());
        assert!(t.commit.as_ref().is_none_or(whole), "{t:?}");
        assert_eq!(t.commit.is_some(), t.modified.is_some(), "{t:?}");
        // where git answers for this very tree, the build has asked it as well
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let git = Command::new("git").args(["rev-parse", "HEAD"]).current_dir(&root).output();
        let answers = git.is_ok_and(|out| out.status.success());
        assert_eq!(t.commit.is_some(), root.join(".git").exists() && answers, "{t:?}");
    }
}
