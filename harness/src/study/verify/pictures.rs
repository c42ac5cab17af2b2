//! Some pictures of every cell, rendered again: hash of the pixels, share of the mask, ratio of the stored map.

use std::path::Path;

use datasets::renderer::RENDERER_VERSION;
use datasets::source::FrameKey;
use datasets::synthetic::Synthetic;
use sha2::{Digest as _, Sha256};

use super::{Check, PICTURES, TOLERANCE};
use crate::attribution::{Map, Upsampling};
use crate::metrics::{self, Mask};
use crate::store::{AttributionRow, FrameRow, Stored};
use crate::study::book::Entry;
use crate::study::collect;
use crate::telemetry::hex;

/// Largest difference of a ratio computed again from a stored map, which has 24 bits.
const RATIO_TOLERANCE: f64 = 1e-5;

/// So many `frames` of each cell, or all that it has; those of a folder were never rendered, and stay out.
pub(super) fn check<'a>(
    pack: &Path,
    cells: impl IntoIterator<Item = &'a Entry>,
    frames: usize,
) -> Check {
    let (mut looked_at, mut wrong) = (0, Vec::new());
    for entry in cells.into_iter().filter(|e| !e.data.set.is_empty()) {
        let set = match Synthetic::open(&entry.data.name) {
            Ok(set) => set,
            Err(error) => {
                wrong.push(format!("{}: a set that can be rendered expected, {error}", entry.id));
                continue;
            }
        };
        let stored = match Stored::open(&pack.join(&entry.id)) {
            Ok(stored) => stored,
            Err(error) => {
                wrong.push(error.to_string());
                continue;
            }
        };
        let rule =
            serde_json::from_str(stored.settings.get("set.upsampling").map_or("", String::as_str))
                .unwrap_or(Upsampling::Nearest);
        let all = collect::frames(&stored, entry);
        for frame in spread(all.len(), frames).map(|at| all[at]) {
            looked_at += 1;
            if let Some(problem) = picture(&set, frame, entry.attribution(), rule) {
                wrong.push(format!("{}, frame {}: {problem}", entry.id, frame.position));
            }
        }
    }
    Check { what: PICTURES, looked_at, wrong }
}

/// So many of `all`, or all of them, spread evenly: the first and the last among them, the first if it is one alone.
fn spread(all: usize, wanted: usize) -> impl Iterator<Item = usize> {
    let (chosen, last) = (wanted.min(all), all.saturating_sub(1));
    let steps = chosen.saturating_sub(1).max(1);
    (0..chosen).map(move |i| i * last / steps)
}

fn picture(
    set: &Synthetic,
    frame: &FrameRow,
    method: Option<&str>,
    rule: Upsampling,
) -> Option<String> {
    let rendered = match set.render(FrameKey { class: frame.class, index: frame.index }) {
        Ok(rendered) => rendered,
        Err(error) => return Some(error.to_string()),
    };
    let hash = hex(&Sha256::digest(rendered.image.as_raw())[..8]);
    if hash != frame.image_hash {
        return Some(format!(
            "pixels with hash {} expected, {hash} rendered by version {RENDERER_VERSION}",
            frame.image_hash
        ));
    }
    let side = |n: u32| usize::try_from(n).unwrap_or(0);
    let (width, height) = rendered.mask.dimensions();
    let mask = Mask::new(side(height), side(width), rendered.mask.as_raw())?;
    if (mask.area_share() - frame.mask_share).abs() > TOLERANCE {
        return Some(format!(
            "mask of {} expected, {} rendered",
            frame.mask_share,
            mask.area_share()
        ));
    }
    // a run that was imported may hold maps of another method
    let of_cell = frame.attributions.iter().find(|a| Some(a.method.as_str()) == method);
    of_cell.and_then(|a| ratio(a, &mask, rule))
}

fn ratio(a: &AttributionRow, mask: &Mask, rule: Upsampling) -> Option<String> {
    let values = a.map.iter().map(|&v| f64::from(v)).collect();
    let Some(map) = Map::new(a.grid.0.into(), a.grid.1.into(), values) else {
        return Some("the stored map does not have the size of its grid".to_owned());
    };
    let again = metrics::pixel_ratio(&map, mask, rule);
    let same = match (&again, &a.ratio) {
        (Ok(x), Ok(y)) => (x - y).abs() <= RATIO_TOLERANCE,
        (Err(x), Err(y)) => x == y,
        _ => false,
    };
    (!same).then(|| format!("{}: ratio {:?} stored, {again:?} computed again", a.method, a.ratio))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_as_asked_for_are_looked_at_from_the_first_to_the_last() {
        let chosen = |all, wanted| spread(all, wanted).collect::<Vec<_>>();
        assert_eq!(chosen(4, 3), [0, 1, 3]);
        assert_eq!(chosen(820, 3), [0, 409, 819]);
        assert_eq!((chosen(5, 1), chosen(0, 3), chosen(5, 0)), (vec![0], vec![], vec![]));
        for all in 0..40 {
            for wanted in 0..45 {
                let chosen = chosen(all, wanted);
                assert_eq!(chosen.len(), wanted.min(all), "{wanted} of {all}");
                let distances: Vec<usize> = chosen.windows(2).map(|w| w[1] - w[0]).collect();
                let even = distances.iter().max().zip(distances.iter().min());
                // never the same one twice
                assert!(even.is_none_or(|(a, b)| a - b <= 1 && *b > 0), "{wanted} of {all}");
                assert!(wanted < 1 || all < 1 || chosen[0] == 0, "{wanted} of {all}");
                let last = chosen.last().map(|last| last + 1);
                assert!(wanted < 2 || last.unwrap_or(0) == all, "{wanted} of {all}");
            }
        }
    }
}
