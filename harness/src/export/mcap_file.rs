//! A run as MCAP, for Foxglove and other players of robot logs.
//!
//! | topic | schema | messages |
//! |---|---|---|
//! | `/camera/image` | `foxglove.CompressedImage` | pictures that were kept |
//! | `/camera/annotations` | `foxglove.ImageAnnotations` | class, and the cell with the highest attribution |
//! | `/overlay/METHOD` | `foxglove.CompressedImage` | heat map and outline of the mask over the picture |
//! | `/diagnostics` | `roadgaze.Diagnostics` | every frame |
//! | `/log` | `foxglove.Log` | device events, if this executable wrote the log |
//!
//! Frames stand at the start of the run plus their number times the camera's period; a run in lockstep has no
//! period of its own and is shown at ten frames a second.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mcap::records::MessageHeader;
use mcap::{McapResult, Writer};
use serde_json::{Value, json};

use super::{ExportError, schemas};
use crate::report;
use crate::store::{AttributionRow, FrameRow, Preview, Stored};
use crate::telemetry::{self, Line};

/// Nanoseconds from frame to frame when the run has no period.
const TENTH: u64 = 100_000_000;

pub(super) fn write(stored: &Stored, run: &Path, path: &Path) -> Result<(), ExportError> {
    let file = File::create(path).map_err(|e| ExportError::write(path, e))?;
    let mut out = Out::new(file).map_err(|e| ExportError::write(path, e))?;
    let start = stored.settings.get("started_unix").and_then(|s| s.parse::<u64>().ok());
    let start = start.unwrap_or(0) * 1_000_000_000;
    let period = period_nanos(stored.settings.get("feed").map(String::as_str));
    let class = |id: u16| {
        let names = stored.settings.get("class_names").map_or("[]", String::as_str);
        let names: Vec<String> = serde_json::from_str(names).unwrap_or_default();
        names.get(usize::from(id)).cloned().unwrap_or_else(|| id.to_string())
    };
    for frame in &stored.frames {
        let at = start + u64::from(frame.position) * period;
        let preview = stored.preview(frame.position)?;
        out.frame(frame, preview.as_ref(), &class, at).map_err(|e| ExportError::write(path, e))?;
    }
    for line in events(run) {
        out.event(&line, start).map_err(|e| ExportError::write(path, e))?;
    }
    out.writer.finish().map(drop).map_err(|e| ExportError::write(path, e))
}

/// Time between frames, from what a run says of its feed.
fn period_nanos(feed: Option<&str>) -> u64 {
    let feed: Value = feed.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
    match feed["fps"].as_f64() {
        Some(fps) if (0.001..=1e6).contains(&fps) => rounded(1e9 / fps),
        _ => TENTH,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a checked range, at most 1e12"
)]
const fn rounded(nanos: f64) -> u64 {
    (nanos + 0.5) as u64
}

/// Device events, as far as this executable can read them.
fn events(run: &Path) -> Vec<Line> {
    let log = run.join("telemetry.defmt");
    std::env::current_exe()
        .ok()
        .and_then(|executable| telemetry::decode_file(&log, &executable).ok())
        .map_or_else(Vec::new, |decoded| decoded.lines)
}

struct Out {
    writer: Writer<BufWriter<File>>,
    channels: BTreeMap<String, (u16, u32)>,
}

fn time(nanos: u64) -> Value {
    json!({ "sec": nanos / 1_000_000_000, "nsec": nanos % 1_000_000_000 })
}

impl Out {
    fn new(file: File) -> McapResult<Self> {
        Ok(Self { writer: Writer::new(BufWriter::new(file))?, channels: BTreeMap::new() })
    }

    fn send(
        &mut self,
        topic: &str,
        (name, schema): (&str, &str),
        at: u64,
        value: &Value,
    ) -> McapResult<()> {
        let (channel_id, sequence) = match self.channels.get(topic) {
            Some(&known) => known,
            None => {
                let schema = self.writer.add_schema(name, "jsonschema", schema.as_bytes())?;
                (self.writer.add_channel(schema, topic, "json", &BTreeMap::new())?, 0)
            }
        };
        self.channels.insert(topic.to_owned(), (channel_id, sequence + 1));
        let header = MessageHeader { channel_id, sequence, log_time: at, publish_time: at };
        self.writer.write_to_known_channel(&header, value.to_string().as_bytes())
    }

    fn image(&mut self, topic: &str, jpeg: &[u8], at: u64) -> McapResult<()> {
        let value = json!({
            "timestamp": time(at),
            "frame_id": "camera",
            "data": STANDARD.encode(jpeg),
            "format": "jpeg",
        });
        self.send(topic, ("foxglove.CompressedImage", schemas::COMPRESSED_IMAGE), at, &value)
    }

    fn frame(
        &mut self,
        frame: &FrameRow,
        preview: Option<&Preview>,
        class: &dyn Fn(u16) -> String,
        at: u64,
    ) -> McapResult<()> {
        if let Some(preview) = preview {
            self.image("/camera/image", &preview.jpeg, at)?;
            let value = annotations(frame, preview, class, at);
            let schema = ("foxglove.ImageAnnotations", schemas::IMAGE_ANNOTATIONS);
            self.send("/camera/annotations", schema, at, &value)?;
            for a in &frame.attributions {
                // a picture that cannot be decoded has no overlay; the report says so
                if let Ok(jpeg) = report::overlay(preview, Some(a)) {
                    self.image(&format!("/overlay/{}", a.method), &jpeg, at)?;
                }
            }
        }
        let ratios: BTreeMap<&str, f64> = frame
            .attributions
            .iter()
            .filter_map(|a| Some((a.method.as_str(), a.ratio.ok()?)))
            .collect();
        let stages: BTreeMap<&str, f64> =
            frame.stages.iter().map(|(s, us)| (s.name(), *us as f64 / 1000.0)).collect();
        let value = json!({
            "position": frame.position,
            "class": frame.class,
            "predicted": frame.top5.first(),
            "correct": frame.correct(),
            "confidence": f64::from(frame.confidence),
            "pixel_ratio": ratios,
            "stage_ms": stages,
        });
        self.send("/diagnostics", ("roadgaze.Diagnostics", schemas::DIAGNOSTICS), at, &value)
    }

    fn event(&mut self, line: &Line, start: u64) -> McapResult<()> {
        let at = start.saturating_add(line.micros().saturating_mul(1000));
        let level = match line.level.as_str() {
            "error" => 4,
            "warn" => 3,
            "info" => 2,
            _ => 1,
        };
        let (file, number) = line.place.rsplit_once(':').unwrap_or((line.place.as_str(), "0"));
        let value = json!({
            "timestamp": time(at),
            "level": level,
            "message": line.message,
            "name": "device",
            "file": file,
            "line": number.parse::<u32>().unwrap_or(0),
        });
        self.send("/log", ("foxglove.Log", schemas::LOG), at, &value)
    }
}

fn colour([r, g, b]: [f64; 3]) -> Value {
    json!({ "r": r, "g": g, "b": b, "a": 1.0 })
}

/// Class with its probability, and a box around the strongest cell of each explanation.
fn annotations(
    frame: &FrameRow,
    preview: &Preview,
    class: &dyn Fn(u16) -> String,
    at: u64,
) -> Value {
    let size =
        image::load_from_memory(&preview.jpeg).map_or((224, 224), |i| (i.width(), i.height()));
    let predicted = frame.top5.first().map_or_else(|| "?".to_owned(), |&c| class(c));
    let text_colour = if frame.correct() { [0.3, 1.0, 0.4] } else { [1.0, 0.4, 0.3] };
    let boxes: Vec<Value> = frame
        .attributions
        .iter()
        .filter_map(|a| strongest(a, size))
        .map(|corners| {
            json!({
                "timestamp": time(at),
                "type": 2,
                "points": corners.map(|(x, y)| json!({ "x": x, "y": y })),
                "outline_color": colour([1.0, 0.85, 0.2]),
                "outline_colors": [],
                "fill_color": { "r": 0.0, "g": 0.0, "b": 0.0, "a": 0.0 },
                "thickness": 2.0,
            })
        })
        .collect();
    json!({
        "circles": [],
        "points": boxes,
        "texts": [{
            "timestamp": time(at),
            "position": { "x": 4.0, "y": 14.0 },
            "text": format!("{predicted} {:.0} %", 100.0 * frame.confidence),
            "font_size": 12.0,
            "text_color": colour(text_colour),
            "background_color": { "r": 0.0, "g": 0.0, "b": 0.0, "a": 0.6 },
        }],
    })
}

/// Corners of the cell with the highest positive attribution, pixels.
fn strongest(a: &AttributionRow, (width, height): (u32, u32)) -> Option<[(f64, f64); 4]> {
    let columns = usize::from(a.grid.1);
    let (best, value) = a.map.iter().enumerate().max_by(|x, y| x.1.total_cmp(y.1))?;
    if *value <= 0.0 || columns == 0 {
        return None;
    }
    let (row, column) = ((best / columns) as f64, (best % columns) as f64);
    let (w, h) = (f64::from(width) / f64::from(a.grid.1), f64::from(height) / f64::from(a.grid.0));
    let (x, y) = (column * w, row * h);
    Some([(x, y), (x + w, y), (x + w, y + h), (x, y + h)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_stand_at_the_period_of_their_camera() {
        assert_eq!(period_nanos(Some("{\"fps\":30.0}")), 33_333_333);
        assert_eq!(period_nanos(Some("{\"fps\":0.5}")), 2_000_000_000);
        for without in [None, Some("{\"fps\":null}"), Some("{\"fps\":0.0}"), Some("{}"), Some("?")]
        {
            assert_eq!(period_nanos(without), TENTH, "{without:?}");
        }
    }
}
