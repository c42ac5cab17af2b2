//! Does the pipeline hear of a camera thread that fails?

use super::*;

/// A data set whose third frame brings its reader down.
struct Falling;

impl FrameSource for Falling {
    fn name(&self) -> String {
        "falling".to_owned()
    }
    fn content_hash(&self) -> String {
        String::new()
    }
    fn class_names(&self) -> &[String] {
        &[]
    }
    fn len(&self) -> usize {
        10
    }
    fn key(&self, position: usize) -> Result<FrameKey, SourceError> {
        Ok(FrameKey { class: 0, index: u32::try_from(position).unwrap() })
    }
    fn frame(&self, position: usize) -> Result<Frame, SourceError> {
        assert_ne!(position, 2, "the panic of a test");
        Noisy { len: 10, ..Noisy::default() }.frame(position)
    }
}

#[test]
fn a_camera_thread_that_panics_does_not_leave_the_pipeline_waiting() {
    let queue = QueueSettings { policy: PolicyName::Block, depth: 2 };
    let scenario = Scenario { queue, ..Scenario::default() };
    let line = Line::new(scenario.queue);
    let positions: Vec<u32> = (0..10).collect();
    let filming = Filming {
        source: &Falling,
        positions: &positions,
        scenario: &scenario,
        pace: Pace::Lockstep,
        clock: Clock::start(),
        skip_bad: true,
        check: true,
        only: None,
    };
    std::thread::scope(|scope| {
        let camera = scope.spawn(|| stream(&filming, &line, &|| false));
        let mut taken = 0;
        loop {
            match line.take(Duration::from_secs(20)) {
                Taken::Frame(frame) => line.give_back(frame.slot),
                Taken::Closed => break,
                Taken::Nothing => panic!("nothing said that no more will come"),
            }
            taken += 1;
        }
        assert_eq!(taken, 2);
        assert!(camera.join().is_err());
    });
}
