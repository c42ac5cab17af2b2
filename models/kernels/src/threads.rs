//! A pool of threads that share the tiles of one operator.
//!
//! One session owns one pool. The caller works too; the others wait actively for some microseconds, since
//! operators follow each other closely, and then sleep.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// Turns of active waiting, about 20 microseconds.
const SPINS: usize = 1_000;

type Job = dyn Fn() + Sync;

#[derive(Clone, Copy)]
struct JobPointer(*const Job);

// SAFETY: the job is `Sync`, and `Threads::run` keeps it alive until all workers are done with it
unsafe impl Send for JobPointer {}

#[derive(Default)]
struct Board {
    job: Option<JobPointer>,
    stop: bool,
}

#[derive(Default)]
struct Shared {
    board: Mutex<Board>,
    wake: Condvar,
    /// Number of jobs posted so far, and one more for the end.
    posted: AtomicUsize,
    /// Workers that are done with the job posted last.
    done: AtomicUsize,
    failed: AtomicBool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A number of threads, the caller among them, that work on one job at a time.
pub struct Threads {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    busy: Mutex<()>,
}

impl std::fmt::Debug for Threads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Threads").field("count", &self.count()).finish_non_exhaustive()
    }
}

impl Threads {
    /// `count` threads with the caller; where the system refuses one, fewer.
    #[must_use]
    pub fn new(count: usize) -> Self {
        let shared = Arc::new(Shared::default());
        let workers = (1..count)
            .map_while(|index| {
                let shared = Arc::clone(&shared);
                std::thread::Builder::new()
                    .name(format!("tiles-{index}"))
                    .spawn(move || work(&shared))
                    .ok()
            })
            .collect();
        Self { shared, workers, busy: Mutex::new(()) }
    }

    /// The caller alone.
    #[must_use]
    pub fn single() -> Self {
        Self::new(1)
    }

    /// Number of threads, the caller among them.
    #[must_use]
    pub fn count(&self) -> usize {
        self.workers.len() + 1
    }

    /// Calls `task` once for each number below `tasks`; idle threads take the next one.
    ///
    /// # Panics
    /// If a task panics.
    pub fn for_each(&self, tasks: usize, task: impl Fn(usize) + Sync) {
        if self.workers.is_empty() || tasks < 2 {
            (0..tasks).for_each(task);
            return;
        }
        let next = AtomicUsize::new(0);
        self.run(&|| {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= tasks {
                    return;
                }
                task(index);
            }
        });
    }

    /// Calls the job on every thread at once and returns when all are done.
    fn run(&self, job: &(dyn Fn() + Sync)) {
        let turn = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        let shared = &*self.shared;
        shared.done.store(0, Ordering::Relaxed);
        // SAFETY: only the lifetime changes; the workers are awaited below, before the borrow ends
        let shared_job = unsafe { std::mem::transmute::<&(dyn Fn() + Sync), *const Job>(job) };
        let mut board = shared.lock();
        board.job = Some(JobPointer(shared_job));
        // under the lock, or a worker about to sleep would miss it
        shared.posted.fetch_add(1, Ordering::Release);
        drop(board);
        shared.wake.notify_all();
        let own = catch_unwind(AssertUnwindSafe(job));
        let mut turns = 0;
        while shared.done.load(Ordering::Acquire) < self.workers.len() {
            turns += 1;
            if turns < SPINS {
                std::hint::spin_loop();
            } else {
                std::thread::yield_now();
            }
        }
        let failed = shared.failed.swap(false, Ordering::Relaxed);
        drop(turn);
        if let Err(panic) = own {
            std::panic::resume_unwind(panic);
        }
        assert!(!failed, "a task on another thread panicked");
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        let mut board = self.shared.lock();
        board.stop = true;
        self.shared.posted.fetch_add(1, Ordering::Release);
        drop(board);
        self.shared.wake.notify_all();
        for worker in self.workers.drain(..) {
            // a worker catches the panics of its jobs; there is nothing to report
            drop(worker.join());
        }
    }
}

fn work(shared: &Shared) {
    let mut seen = 0;
    loop {
        let mut turns = 0;
        while shared.posted.load(Ordering::Acquire) == seen && turns < SPINS {
            turns += 1;
            std::hint::spin_loop();
        }
        let job = {
            let mut board = shared.lock();
            while shared.posted.load(Ordering::Acquire) == seen {
                board = shared.wake.wait(board).unwrap_or_else(PoisonError::into_inner);
            }
            seen = shared.posted.load(Ordering::Acquire);
            if board.stop {
                return;
            }
            board.job
        };
        if let Some(JobPointer(job)) = job {
            // SAFETY: `run` does not return, so the job lives, until `done` says that this worker is through
            let job = unsafe { &*job };
            if catch_unwind(AssertUnwindSafe(job)).is_err() {
                shared.failed.store(true, Ordering::Relaxed);
            }
        }
        shared.done.fetch_add(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_runs_exactly_once() {
        for count in [1, 2, 5] {
            let threads = Threads::new(count);
            for tasks in [0, 1, 2, 3, 100] {
                let ran: Vec<AtomicUsize> = (0..tasks).map(|_| AtomicUsize::new(0)).collect();
                threads.for_each(tasks, |i| {
                    ran[i].fetch_add(1, Ordering::Relaxed);
                });
                assert!(ran.iter().all(|r| r.load(Ordering::Relaxed) == 1), "{count} {tasks}");
            }
        }
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_lives_on() {
        let threads = Threads::new(3);
        let result = catch_unwind(AssertUnwindSafe(|| {
            threads.for_each(50, |i| assert!(i != 7, "seven"));
        }));
        assert!(result.is_err(), "the panic was swallowed");
        let sum = AtomicUsize::new(0);
        threads.for_each(10, |i| {
            sum.fetch_add(i, Ordering::Relaxed);
        });
        assert_eq!(sum.load(Ordering::Relaxed), 45);
    }
}
