//! Frames with their explanations: the best, the worst and the mistakes.

use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use maud::{Markup, html as markup};

use super::page::{method_title, name};
use super::summary::Summary;
use super::{ReportError, picture};
use crate::store::{FrameRow, Stored};

/// Frames in each row of the gallery.
const GALLERY: usize = 6;

/// For each method the frames with the highest and the lowest ratio, then the mistakes.
pub(super) fn gallery(
    stored: &Stored,
    summary: &Summary,
    folder: &Path,
    names: &[String],
) -> Result<Markup, ReportError> {
    let mut rows = Vec::new();
    for (method, r) in &summary.pixel_ratio {
        let ratio_of = |f: &FrameRow| {
            f.attributions.iter().find(|a| &a.method == method).and_then(|a| r.of_frame(a))
        };
        let mut ranked: Vec<(f64, &FrameRow)> =
            stored.frames.iter().filter_map(|f| Some((ratio_of(f)?, f))).collect();
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
        // no frame is among the best and the worst at once
        let most = GALLERY.min(ranked.len().div_ceil(2));
        let best = strip(stored, folder, names, most, &mut ranked.iter().map(|r| r.1))?;
        let rest = most.min(ranked.len() - most);
        let worst = strip(stored, folder, names, rest, &mut ranked.iter().rev().map(|r| r.1))?;
        let n = ranked.len();
        rows.push((format!("Highest pixel ratio by {} (n = {n})", method_title(method)), best));
        rows.push((format!("Lowest pixel ratio by {}", method_title(method)), worst));
    }
    let wrong: Vec<&FrameRow> = stored.frames.iter().filter(|f| !f.correct()).collect();
    let count = wrong.len();
    let mistakes = strip(stored, folder, names, GALLERY, &mut wrong.into_iter())?;
    Ok(markup! {
        section {
            h2 { "What the network looked at" }
            div class="legend" {
                span { "colour: positive attribution, none" } span class="bar" {} span { "most" }
                span class="line" {} span { "outline of the sign's mask" }
            }
            @for (heading, strip) in rows.iter().filter(|(_, strip)| strip.0 > 0) { h3 { (heading) } (strip) }
            h3 { "Classified wrongly (" (count) " of " (stored.frames.len()) ")" }
            @if mistakes.0 > 0 { (mistakes) } @else if count > 0 { p { "No picture of them was kept." } } @else { p { "None." } }
        }
    })
}

/// What a picture shows, for those who cannot see it; `seen` is the sign and what it was taken for.
fn alt(position: u32, seen: &str, method: &str, ratio: Option<&str>) -> String {
    match ratio {
        None => format!("Frame {position} with the outline of the sign's mask: {seen}"),
        Some(ratio) => format!(
            "Frame {position}, heat map of the positive attribution by {method}, pixel ratio {ratio}: {seen}"
        ),
    }
}

/// A row of pictures; the number says how many there are.
struct Strip(usize, Markup);

impl maud::Render for Strip {
    fn render(&self) -> Markup {
        self.1.clone()
    }
}

fn strip(
    stored: &Stored,
    folder: &Path,
    names: &[String],
    most: usize,
    frames: &mut dyn Iterator<Item = &FrameRow>,
) -> Result<Strip, ReportError> {
    let mut figures = Vec::new();
    for frame in frames {
        if figures.len() == most {
            break;
        }
        let Some(preview) = stored.preview(frame.position)? else { continue };
        let failed = |e: image::ImageError| ReportError::Picture {
            path: folder.to_owned(),
            position: frame.position,
            problem: e.to_string(),
        };
        let plain = picture::overlay(&preview, None).map_err(failed)?;
        let mut pictures = vec![("frame", None, plain)];
        for a in &frame.attributions {
            let overlay = picture::overlay(&preview, Some(a)).map_err(failed)?;
            let plain = a.ratio.map_or_else(|u| u.name().to_owned(), |r| format!("{r:.3}"));
            let ratio = a.shown().map_or(plain, |r| format!("{r:.3}"));
            pictures.push((method_title(&a.method), Some(ratio), overlay));
        }
        let said = frame.top5.first().map_or(String::new(), |c| name(names, *c));
        let truth = name(names, frame.class);
        let seen = if frame.correct() {
            format!("{truth}, classified correctly")
        } else {
            format!("{truth}, taken for {said}")
        };
        figures.push(markup! {
            figure {
                div class="pictures" {
                    @for (method, ratio, jpeg) in &pictures {
                        div {
                            img alt=(alt(frame.position, &seen, method, ratio.as_deref())) loading="lazy"
                                src=(format!("data:image/jpeg;base64,{}", BASE64_STANDARD.encode(jpeg)));
                            span class="small" { (method) @if let Some(ratio) = ratio { " " b { (ratio) } } }
                        }
                    }
                }
                figcaption {
                    @if frame.correct() { (truth) } @else { (truth) " taken for " strong { (said) } }
                    " \u{b7} p " (format!("{:.3}", frame.confidence))
                    @if !frame.environment.is_empty() { " \u{b7} " (frame.environment.replace('_', " ")) }
                    " \u{b7} frame " (frame.position)
                }
            }
        });
    }
    let row = markup! { div class="gallery" { @for figure in &figures { (figure) } } };
    Ok(Strip(figures.len(), row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_says_class_answer_and_what_is_shown() {
        let plain = alt(7, "Stop, classified correctly", "frame", None);
        let shown = "Frame 7 with the outline of the sign's mask";
        assert_eq!(plain, format!("{shown}: Stop, classified correctly"));
        let map = alt(7, "Stop, taken for Yield", "GradCAM", Some("0.512"));
        let shown = "Frame 7, heat map of the positive attribution by GradCAM, pixel ratio 0.512";
        assert_eq!(map, format!("{shown}: Stop, taken for Yield"));
    }
}
