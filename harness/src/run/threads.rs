//! Where a thread may run, and how politely: cores and priority, asked of `taskset` and `renice` of util-linux.
//!
//! The system calls need code that this crate does not allow itself; Linux tells a thread its number in `/proc`.

use std::fs;
use std::process::Command;

/// Cores of classification and explanation, and the priority of the latter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ThreadSettings {
    /// Cores for camera, network and store; empty = any.
    pub stream: Vec<usize>,
    /// Cores for explanations; empty = any.
    pub explain: Vec<usize>,
    /// By how much explanations are nicer than the rest, 0 to 19.
    pub explain_nice: u8,
    /// Threads that share one forward pass of a frame.
    pub classify: usize,
}

/// Bind the calling thread, and those that it starts from now on, to cores; gives what could not be done as a sentence.
pub(super) fn bind(cores: &[usize]) -> Option<String> {
    if cores.is_empty() {
        return None;
    }
    let list: Vec<String> = cores.iter().map(ToString::to_string).collect();
    let list = list.join(",");
    ask("taskset", &["-cp", &list], &format!("cores {list} could not be taken"))
}

/// Make the calling thread, and those that it starts from now on, nicer; gives what could not be done as a sentence.
pub(super) fn lower_priority(by: u8) -> Option<String> {
    if by == 0 {
        return None;
    }
    let by = by.to_string();
    ask("renice", &["-n", &by, "-p"], &format!("priority could not be lowered by {by}"))
}

fn ask(program: &str, arguments: &[&str], failure: &str) -> Option<String> {
    let Some(thread) = own_number() else {
        return Some(format!("{failure}: this system does not tell a thread its number"));
    };
    match Command::new(program).args(arguments).arg(&thread).output() {
        Ok(output) if output.status.success() => None,
        Ok(output) => {
            Some(format!("{failure} ({})", String::from_utf8_lossy(&output.stderr).trim()))
        }
        Err(error) => Some(format!("{failure} ({program}: {error})")),
    }
}

/// Number of the calling thread: the last part of `PID/task/TID`.
fn own_number() -> Option<String> {
    let link = fs::read_link("/proc/thread-self").ok()?;
    Some(link.file_name()?.to_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(name: &str) -> String {
        let text = fs::read_to_string("/proc/thread-self/status").unwrap();
        let line = text.lines().find(|l| l.starts_with(name)).unwrap();
        line.split_once(':').unwrap().1.trim().to_owned()
    }

    #[test]
    fn a_thread_is_bound_alone_and_its_children_follow() {
        let before = status("Cpus_allowed_list");
        let first = before.split([',', '-']).next().unwrap().to_owned();
        let core: usize = first.parse().unwrap();
        std::thread::spawn(move || {
            if let Some(problem) = bind(&[core]) {
                // a machine without taskset says so and goes on
                assert!(problem.contains("could not be taken"), "{problem}");
                return;
            }
            assert_eq!(status("Cpus_allowed_list"), core.to_string());
            let child = std::thread::spawn(|| status("Cpus_allowed_list"));
            assert_eq!(child.join().unwrap(), core.to_string());
        })
        .join()
        .unwrap();
        assert_eq!(status("Cpus_allowed_list"), before);
    }

    #[test]
    fn what_cannot_be_done_is_a_sentence_and_nothing_asked_is_nothing_done() {
        assert_eq!((bind(&[]), lower_priority(0)), (None, None));
        let problem = bind(&[99_999]).unwrap();
        assert!(problem.contains("cores 99999 could not be taken"), "{problem}");
    }
}
