//! Views of signs: pictures of one sign in one pose, whatever stands behind it, as one value.

use std::collections::{BTreeMap, BTreeSet};

use datasets::sets::{Level, Set};

use super::plain;
use crate::study::book::{Book, Entry, Point};

/// One sign in one pose: the mean over its pictures of C and U.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct View {
    /// Class and index of the sign.
    pub(super) sign: (u16, u32),
    /// Absolute yaw and pitch of the camera, degrees, and pixels a metre.
    pub(super) pose: [f64; 3],
    /// Share of the picture that the sign covers.
    pub(super) area: f64,
    pub(super) ratio: Option<f64>,
    /// Share of the attribution inside, on the border and outside.
    pub(super) shares: [f64; 3],
    /// Share of the picture inside, on the border and outside.
    pub(super) areas: [f64; 3],
}

impl View {
    /// Attribution over area; 1 is what a map that knows nothing has.
    pub(super) fn density(&self, zone: usize) -> Option<f64> {
        (self.areas[zone] > 0.0).then(|| self.shares[zone] / self.areas[zone])
    }
}

/// How many signs the views show: those of one sign are not independent.
pub(super) fn signs<'a>(views: impl Iterator<Item = &'a View>) -> usize {
    views.map(|v| v.sign).collect::<BTreeSet<_>>().len()
}

/// Camera level, where the set has one, and sign.
type Pose = (Option<Level>, (u16, u32));

/// Views of a network's ordinary test pictures of all sets. C and U of a level show the same signs in the same poses, so they are
/// one view; a sign has one view a level.
pub(super) fn views(book: &Book, network: &str, explainer: &str) -> Vec<View> {
    let fits = |e: &&Entry| {
        e.network.name == network && e.explainer == explainer && e.data.is_plain_test()
    };
    let sets: BTreeSet<&str> =
        book.entries.iter().filter(fits).map(|e| e.data.set.as_str()).collect();
    let mut pictures: BTreeMap<Pose, Vec<&Point>> = BTreeMap::new();
    for set in sets {
        let level = Set::from_name(set).map(|s| s.level);
        let cell = plain(book, network, set, Some(explainer));
        for point in cell.iter().flat_map(|e| &e.points) {
            pictures.entry((level, point.key())).or_default().push(point);
        }
    }
    pictures.iter().filter_map(|((_, sign), points)| view(*sign, points)).collect()
}

fn view(sign: (u16, u32), points: &[&Point]) -> Option<View> {
    let zones = average(points, |p| p.zones)?;
    let [inside, border, inside_area, border_area] = zones;
    Some(View {
        sign,
        pose: average(points, |p| p.pose)?.map(f64::abs),
        area: average(points, |p| Some([p.mask_share]))?[0],
        ratio: average(points, |p| p.ratio.map(|r| [r])).map(|[r]| r),
        shares: [inside, border, 1.0 - inside - border],
        areas: [inside_area, border_area, 1.0 - inside_area - border_area],
    })
}

/// Mean over the pictures that have the values.
fn average<const N: usize>(
    points: &[&Point],
    of: impl Fn(&Point) -> Option<[f64; N]>,
) -> Option<[f64; N]> {
    let all: Vec<[f64; N]> = points.iter().filter_map(|p| of(p)).collect();
    let mean = |i: usize| all.iter().map(|v| v[i]).sum::<f64>() / all.len() as f64;
    (!all.is_empty()).then(|| std::array::from_fn(mean))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{entry, network};
    use super::*;

    #[test]
    fn pictures_of_one_pose_are_one_view_and_levels_are_views_of_one_sign() {
        let n = network("a", "resnet50", "CF");
        let cell = |set: &str, ratio: Option<f64>, yaw: f64| {
            entry(&n, set, "gradcam", 20, |i, p| {
                p.ratio = if i == 0 { ratio } else { Some(0.5) };
                p.pose = Some([yaw, 1.0, 200.0]);
                p.zones = Some([0.4, 0.3, 0.2, 0.1]);
            })
        };
        let entries =
            vec![cell("CF", Some(0.2), -6.0), cell("UF", Some(0.6), -6.0), cell("UH", None, 40.0)];
        let found = views(&Book { entries, ..Book::default() }, "a", "gradcam");
        assert_eq!((found.len(), signs(found.iter())), (40, 20));
        let first = &found[0];
        assert_eq!((first.sign, first.pose[0]), ((0, 0), 6.0));
        assert!((first.ratio.unwrap() - 0.4).abs() < 1e-12, "{first:?}");
        assert!((first.density(2).unwrap() - 0.3 / 0.7).abs() < 1e-12, "{first:?}");
        let high = found.iter().find(|v| v.sign == (0, 0) && v.pose[0] > 10.0).unwrap();
        assert_eq!(high.ratio, None, "its only picture has none");
    }
}
