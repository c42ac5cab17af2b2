//! `roadgaze run --live`: the stream on a terminal, as blocks of two pixels a cell, with attribution, delays and counters.
//!
//! The picture is drawn at most [`DRAWN_HZ`] times a second and by the thread that stores, so a slow terminal never holds
//! classification up. Keys are read by a thread of their own: a camera that stalls does not make the view deaf.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use firmware_host::Micros;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyModifiers};
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, Paragraph, Sparkline, Widget};
use ratatui::{DefaultTerminal, Frame};

use crate::clock::Clock;
use crate::run::{Progress, Shown, Signals};

/// Pictures a second at most.
const DRAWN_HZ: u64 = 15;
/// Delays that the sparkline holds.
const DELAYS: usize = 240;
/// How often keys are looked for.
const KEY_NAP: Duration = Duration::from_millis(100);
/// Columns of the figures beside the picture.
const FIGURES: u16 = 40;

/// What is shown.
#[derive(Debug, Default)]
struct View {
    title: String,
    progress: Progress,
    delays_micros: VecDeque<u64>,
}

impl View {
    fn take(&mut self, progress: &Progress) {
        self.progress = progress.clone();
        if let Some(delay) = progress.last.as_ref().and_then(|last| last.delay) {
            if self.delays_micros.len() == DELAYS {
                self.delays_micros.pop_front();
            }
            self.delays_micros.push_back(delay.0);
        }
    }

    fn draw(&self, frame: &mut Frame<'_>) {
        let [top, bottom] =
            Layout::vertical([Constraint::Min(6), Constraint::Length(1)]).areas(frame.area());
        let [picture, figures] =
            Layout::horizontal([Constraint::Min(10), Constraint::Length(FIGURES)]).areas(top);
        let block = Block::bordered().title("camera");
        let inside = block.inner(picture);
        frame.render_widget(block, picture);
        if let Some(shown) = &self.progress.shown {
            frame.render_widget(Blocks(shown), inside);
        }
        let [counters, delays] =
            Layout::vertical([Constraint::Min(4), Constraint::Length(8)]).areas(figures);
        let text = Paragraph::new(self.lines()).block(Block::bordered().title("frames"));
        frame.render_widget(text, counters);
        let room = usize::from(delays.width.saturating_sub(2));
        let skipped = self.delays_micros.len().saturating_sub(room);
        let newest: Vec<u64> = self.delays_micros.iter().skip(skipped).copied().collect();
        let highest = newest.iter().max().copied().unwrap_or(0) as f64 / 1000.0;
        let title = format!("delay, highest {highest:.1} ms");
        let line = Sparkline::default().data(&newest).style(Style::new().fg(Color::Cyan));
        frame.render_widget(line.block(Block::bordered().title(title)), delays);
        frame.render_widget(Line::raw(format!("{}   q: end", self.title)), bottom);
    }

    fn lines(&self) -> Vec<Line<'static>> {
        let p = &self.progress;
        let percent = 100.0 * p.correct as f64 / p.here.max(1) as f64;
        let mut lines = vec![
            format!("processed  {} of {}", p.stored, p.due.max(p.stored)),
            format!("dropped    {}", p.due.saturating_sub(p.stored)),
            format!("top-1      {percent:.1} %"),
        ];
        for (method, (sum, count)) in &p.ratios {
            lines.push(format!("{method:<11}{:.3} over {count}", sum / (*count).max(1) as f64));
        }
        if let Some(last) = &p.last {
            let sign = if last.truth == last.predicted { "=" } else { "!" };
            lines.push(format!(
                "frame      {}: {} {sign} {}, p {:.2}",
                last.position, last.predicted, last.truth, last.confidence
            ));
            if let Some(delay) = last.delay {
                lines.push(format!("delay      {:.1} ms", delay.0 as f64 / 1000.0));
            }
        }
        lines.into_iter().map(Line::raw).collect()
    }
}

/// A picture with its map, two pixels a cell: the upper one in front, the lower one behind.
struct Blocks<'a>(&'a Shown);

impl Blocks<'_> {
    /// Colour at a place of the picture, both from 0 to 1: the pixel, drawn towards red where attribution is positive.
    fn colour(&self, across: f64, down: f64) -> Color {
        let Shown { image, map } = self.0;
        let at = |share: f64, length: u32| -> u32 {
            let length = f64::from(length);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "limited to the picture"
            )]
            let place = (share * length).min(length - 1.0).max(0.0) as u32;
            place
        };
        let [r, g, b] = image.get_pixel(at(across, image.width()), at(down, image.height())).0;
        let Some(map) = map else { return Color::Rgb(r, g, b) };
        let (rows, columns) = (u32::from(map.grid.0), u32::from(map.grid.1));
        let cell = at(down, rows) * columns + at(across, columns);
        let value = usize::try_from(cell).ok().and_then(|cell| map.values.get(cell));
        let most = map.values.iter().copied().fold(0.0_f32, f32::max);
        let share = match value {
            Some(&value) if value > 0.0 && most > 0.0 => 0.7 * value / most,
            _ => 0.0,
        };
        let mix = |from: u8, to: f32| {
            let mixed = f32::from(from) * (1.0 - share) + to * share;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "between two bytes"
            )]
            let byte = (mixed + 0.5) as u8;
            byte
        };
        Color::Rgb(mix(r, 255.0), mix(g, 0.0), mix(b, 0.0))
    }
}

impl Widget for Blocks<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        // two pixels a cell are about square
        let columns = area.width.min(area.height.saturating_mul(2));
        let rows = columns / 2;
        if columns == 0 || self.0.image.width() == 0 || self.0.image.height() == 0 {
            return;
        }
        let middle = |i: u16, of: u16| (f64::from(i) + 0.5) / f64::from(of);
        for row in 0..rows {
            for column in 0..columns {
                let across = middle(column, columns);
                let upper = self.colour(across, middle(2 * row, 2 * rows));
                let lower = self.colour(across, middle(2 * row + 1, 2 * rows));
                if let Some(cell) = buffer.cell_mut((area.x + column, area.y + row)) {
                    cell.set_char('\u{2580}').set_fg(upper).set_bg(lower);
                }
            }
        }
    }
}

/// The terminal with the view on it; gives the terminal back when dropped.
pub(super) struct Screen {
    terminal: DefaultTerminal,
    view: View,
    clock: Clock,
    drawn: Option<Micros>,
    closing: Arc<AtomicBool>,
    keys: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Screen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Screen").finish_non_exhaustive()
    }
}

impl Screen {
    /// Take the terminal.
    ///
    /// # Errors
    /// If there is none, or it cannot be switched.
    pub(super) fn open(title: String, clock: Clock, signals: Arc<Signals>) -> io::Result<Self> {
        let terminal = ratatui::try_init()?;
        let closing = Arc::new(AtomicBool::new(false));
        let closed = Arc::clone(&closing);
        let keys = std::thread::Builder::new().name("keys".to_owned()).spawn(move || {
            while !closed.load(Ordering::Relaxed) {
                match event::poll(KEY_NAP) {
                    Ok(true) => {
                        if event::read().is_ok_and(|event| ends(&event)) {
                            signals.stop();
                        }
                    }
                    Ok(false) => {}
                    Err(_) => break, // a terminal without keys still shows the stream
                }
            }
        });
        let view = View { title, ..View::default() };
        Ok(Self { terminal, view, clock, drawn: None, closing, keys: keys.ok() })
    }

    /// Show how far the run is.
    pub(super) fn show(&mut self, progress: &Progress) {
        self.view.take(progress);
        let now = self.clock.now();
        if self.drawn.is_some_and(|drawn| now.since(drawn).0 < 1_000_000 / DRAWN_HZ) {
            return;
        }
        self.drawn = Some(now);
        let view = &self.view;
        // a picture that cannot be drawn is no reason to stop measuring
        drop(self.terminal.draw(|frame| view.draw(frame)));
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Relaxed);
        if let Some(keys) = self.keys.take() {
            drop(keys.join());
        }
        ratatui::restore();
    }
}

/// Whether a key asks for the end: q, escape or Ctrl-C, which is no signal here.
fn ends(event: &Event) -> bool {
    let Event::Key(key) = event else { return false };
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    matches!(key.code, KeyCode::Char('q') | KeyCode::Esc)
        || (control && key.code == KeyCode::Char('c'))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use image::{Rgb, RgbImage};
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use ratatui::crossterm::event::KeyEvent;

    use super::*;
    use crate::run::{LastFrame, ShownMap};

    /// Left half green, right half blue; attribution in the right lower quarter alone.
    fn progress(position: u32) -> Progress {
        let image =
            RgbImage::from_fn(64, 64, |x, _| Rgb(if x < 32 { [0, 200, 0] } else { [0, 0, 200] }));
        let map = ShownMap { grid: (2, 2), values: vec![0.0, -1.0, 0.0, 2.0] };
        Progress {
            stored: 5,
            asked: 10,
            due: 7,
            correct: 4,
            here: 5,
            ratios: BTreeMap::from([("gradcam".to_owned(), (1.5, 3))]),
            last: Some(LastFrame {
                position,
                truth: 3,
                predicted: 4,
                confidence: 0.75,
                ratios: Vec::new(),
                delay: Some(Micros(u64::from(position) * 1000)),
            }),
            shown: Some(Shown { image: Arc::new(image), map: Some(map) }),
        }
    }

    fn drawn(view: &View, columns: u16, rows: u16) -> Buffer {
        let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
        terminal.draw(|frame| view.draw(frame)).unwrap();
        terminal.backend().buffer().clone()
    }

    fn text(buffer: &Buffer) -> String {
        let area = buffer.area;
        let row =
            |y: u16| (0..area.width).map(|x| buffer[(x, y)].symbol()).collect::<String>() + "\n";
        (0..area.height).map(row).collect()
    }

    #[test]
    fn picture_overlay_delays_and_counters_are_on_the_screen() {
        let mut view = View { title: "net on data".to_owned(), ..View::default() };
        for position in 1..=30 {
            view.take(&progress(position));
        }
        let buffer = drawn(&view, 90, 24);
        let text = text(&buffer);
        for part in [
            "processed  5 of 7",
            "dropped    2",
            "top-1      80.0 %",
            "gradcam    0.500 over 3",
            "frame      30: 4 ! 3, p 0.75",
            "delay, highest 30.0 ms",
            "net on data   q: end",
            "\u{2588}",
        ] {
            assert!(text.contains(part), "{part:?} is missing:\n{text}");
        }
        // 21 rows are free inside the border: 42 columns of picture
        let cell = |x: u16, y: u16| (buffer[(x, y)].fg, buffer[(x, y)].bg);
        let green = Color::Rgb(0, 200, 0);
        assert_eq!(cell(1, 1), (green, green), "no attribution on the left");
        assert_eq!(cell(40, 2).0, Color::Rgb(0, 0, 200), "negative attribution is not shown");
        let Color::Rgb(r, _, b) = cell(40, 19).1 else { panic!("no colour: {:?}", cell(40, 19)) };
        assert!(r > 150 && b < 100, "positive attribution is red: {r} {b}");
    }

    #[test]
    fn a_tiny_terminal_and_a_run_without_a_frame_are_drawn_as_well() {
        let mut view = View::default();
        assert!(text(&drawn(&view, 60, 20)).contains("processed  0 of 0"));
        view.take(&progress(1));
        for (columns, rows) in [(1, 1), (3, 2), (12, 5), (200, 60)] {
            drawn(&view, columns, rows);
        }
    }

    #[test]
    fn the_keys_that_end() {
        let key = |code, modifiers| Event::Key(KeyEvent::new(code, modifiers));
        assert!(ends(&key(KeyCode::Char('q'), KeyModifiers::NONE)));
        assert!(ends(&key(KeyCode::Char('c'), KeyModifiers::CONTROL)));
        assert!(!ends(&key(KeyCode::Char('c'), KeyModifiers::NONE)));
        assert!(!ends(&Event::FocusLost));
    }
}
