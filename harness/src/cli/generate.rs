//! `roadgaze generate`: man pages and shell completions, made from the same declarations as `--help`.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, CommandFactory as _, ValueEnum as _};

use super::{Cli, Outcome};

/// Arguments of `generate`.
#[derive(Args, Debug)]
pub(super) struct GenerateArgs {
    /// Folder for `man/*.1` and `completions/*`
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(super) fn execute(args: &GenerateArgs) -> anyhow::Result<Outcome> {
    let (man, completions) = (args.out.join("man"), args.out.join("completions"));
    for folder in [&man, &completions] {
        fs::create_dir_all(folder)
            .with_context(|| format!("{}: cannot be made", folder.display()))?;
    }
    // a page for the command and one for each of its visible subcommands, `roadgaze-run.1` and so on
    clap_mangen::generate_to(Cli::command(), &man)
        .with_context(|| format!("{}: cannot be written", man.display()))?;
    for shell in clap_complete::Shell::value_variants() {
        let mut command = Cli::command();
        clap_complete::generate_to(*shell, &mut command, "roadgaze", &completions)
            .with_context(|| format!("{}: cannot be written", completions.display()))?;
    }
    super::print(&format!("man pages and completions: {}", args.out.display()));
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_page_for_every_command_and_a_completion_for_every_shell() {
        let folder = tempfile::tempdir().unwrap();
        execute(&GenerateArgs { out: folder.path().to_owned() }).unwrap();
        let run = fs::read_to_string(folder.path().join("man/roadgaze-run.1")).unwrap();
        assert!(run.contains("shap") && run.starts_with(".ie"), "{}", &run[..80]);
        assert!(folder.path().join("man/roadgaze.1").is_file());
        let bash = fs::read_to_string(folder.path().join("completions/roadgaze.bash")).unwrap();
        assert!(bash.contains("--resume"));
        assert_eq!(fs::read_dir(folder.path().join("completions")).unwrap().count(), 5);
    }
}
