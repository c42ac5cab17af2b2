//! Plots of points and lines as SVG, for comparisons and studies.

use plotters::prelude::{ChartBuilder, Circle, Color as _, LineSeries, PathElement};

use super::ReportError;
use super::plot::{INK, PALETTE, draw, legend, mesh};

/// Where the plot begins, right of its labels.
const NAMES_LEFT: u32 = 78;
/// Labels that the library sets along an axis at most, and decimals that they have here.
const MOST_LABELS: f64 = 11.0;
const MOST_DECIMALS: usize = 9;

/// Named points.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Name in the legend.
    pub name: String,
    /// x and y.
    pub points: Vec<(f64, f64)>,
}

/// Lines through the points of each series, with horizontal marks at given heights.
///
/// # Errors
/// If the plotting library fails.
pub fn lines(
    name: &'static str,
    x_name: &str,
    y_name: &str,
    series: &[Series],
    marks: &[f64],
) -> Result<String, ReportError> {
    let names: Vec<&str> = series.iter().map(|s| s.name.as_str()).collect();
    let label = format!("{y_name} by {x_name}, lines for {}", names.join(", "));
    chart(name, &label, x_name, y_name, series, marks, &[], true)
}

/// Points of each series, with horizontal marks, and straight lines `y = a + b x` given as `(a, b)`; `title` says to those who cannot
/// see it what the plot is about.
///
/// # Errors
/// If the plotting library fails.
pub fn scatter(
    name: &'static str,
    title: &str,
    x_name: &str,
    y_name: &str,
    series: &[Series],
    marks: &[f64],
    slopes: &[(f64, f64)],
) -> Result<String, ReportError> {
    let count: usize = series.iter().map(|s| s.points.len()).sum();
    let label = format!("{title}: scatter plot of {count} points, {y_name} by {x_name}");
    chart(name, &label, x_name, y_name, series, marks, slopes, false)
}

fn chart(
    name: &'static str,
    label: &str,
    x_name: &str,
    y_name: &str,
    series: &[Series],
    marks: &[f64],
    slopes: &[(f64, f64)],
    joined: bool,
) -> Result<String, ReportError> {
    let points = || series.iter().flat_map(|s| s.points.iter().copied());
    if points().next().is_none() {
        return Ok(String::new());
    }
    let (x_low, x_high) = range(points().map(|p| p.0));
    let (y_low, y_high) = range(points().map(|p| p.1).chain(marks.iter().copied()));
    let coloured = || series.iter().zip(PALETTE.into_iter().cycle());
    draw(name, label, 560, 340, |root| {
        let names: Vec<_> = coloured().map(|(s, colour)| (s.name.as_str(), colour)).collect();
        let top = if names.len() > 1 { legend(root, NAMES_LEFT, &names)? } else { 0 };
        let mut chart = ChartBuilder::on(root)
            .margin(8)
            .margin_top(top + 8)
            .x_label_area_size(38)
            .y_label_area_size(NAMES_LEFT - 8)
            .build_cartesian_2d(x_low..x_high, y_low..y_high)
            .map_err(|e| e.to_string())?;
        let (x_label, y_label) = (labels(x_low, x_high), labels(y_low, y_high));
        mesh(&mut chart, x_name, y_name, &x_label, &y_label)?;
        let straight = marks.iter().map(|&y| (y, 0.0)).chain(slopes.iter().copied());
        for (a, b) in straight {
            let ends = vec![(x_low, a + b * x_low), (x_high, a + b * x_high)];
            chart.draw_series([PathElement::new(ends, INK.mix(0.6))]).map_err(|e| e.to_string())?;
        }
        for (s, colour) in coloured() {
            if joined {
                chart
                    .draw_series(LineSeries::new(s.points.iter().copied(), colour.stroke_width(2)))
                    .map_err(|e| e.to_string())?;
            }
            let dots = s.points.iter().map(|p| Circle::new(*p, 3, colour.filled()));
            chart.draw_series(dots).map_err(|e| e.to_string())?;
        }
        Ok(())
    })
}

/// Lowest and highest with a margin; never empty.
fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values.fold((f64::MAX, f64::MIN), |(low, high), v| (low.min(v), high.max(v)));
    let margin = (high - low) * 0.06;
    if margin > 0.0 { (low - margin, high + margin) } else { (low - 0.5, high + 0.5) }
}

/// Labels of an axis, with as many decimals as tell them apart.
pub(super) fn labels(low: f64, high: f64) -> impl Fn(&f64) -> String {
    let decimals = decimals(low, high);
    move |value: &f64| {
        let text = format!("{value:.decimals$}");
        // a hair below zero is zero
        match text.strip_prefix('-') {
            Some(zero) if zero.chars().all(|c| matches!(c, '0' | '.')) => zero.to_owned(),
            _ => text,
        }
    }
}

/// Decimals of the labels: the library sets them at multiples of 1, 2 or 5 times a power of ten, as finely as there is room for.
fn decimals(low: f64, high: f64) -> usize {
    let count = |step: f64| (high / step).floor() - (low / step).ceil() + 1.0;
    let (mut decimals, mut finer) = (0, 0.5);
    while decimals < MOST_DECIMALS && count(finer) <= MOST_LABELS {
        decimals += 1;
        finer /= 10.0;
    }
    decimals
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charts_have_points_and_follow_the_page() {
        let series = [
            Series { name: "a".to_owned(), points: vec![(0.0, 1.0), (1.0, 2.0)] },
            Series { name: "b".to_owned(), points: vec![(0.5, 1.5)] },
        ];
        let svg = scatter("test", "a & b", "x", "y", &series, &[0.0], &[(0.0, 1.0)]).unwrap();
        let label = "<svg role=\"img\" aria-label=\"a &amp; b: scatter plot of 3 points, y by x\"";
        assert!(svg.starts_with(label), "{svg}");
        assert_eq!(svg.matches("<circle").count(), 3);
        assert!(svg.contains("currentColor"));
        assert_eq!(lines("test", "x", "y", &[], &[]).unwrap(), "");
        // the legend stands above the plot: no name below the first line of the grid
        let y_of = |name: &str| -> u32 {
            let text = svg.split("<text").find(|t| t.contains(&format!(">\n{name}\n"))).unwrap();
            text.split("y=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap()
        };
        assert!(y_of("a") < 20 && y_of("b") < 20);
        let flat = [Series { name: "a".to_owned(), points: vec![(1.0, 1.0)] }];
        let svg = lines("test", "x", "y", &flat, &[]).unwrap();
        assert!(svg.contains("<circle") && svg.contains("aria-label=\"y by x, lines for a\""));
    }

    #[test]
    fn labels_of_an_axis_differ() {
        let shown = |low: f64, high: f64, value: f64| labels(low, high)(&value);
        assert_eq!([-1e-17, -0.05].map(|v| shown(-0.2, 0.2, v)), ["0.00", "-0.05"]);
        // 0.45, 0.5, 0.55 ... where the span is above a half; 0.5, 1.0 ...; 0, 5 ...
        assert_eq!(shown(0.41, 0.93, 0.55), "0.55");
        assert_eq!(shown(-0.3, 5.3, 2.5), "2.5");
        assert_eq!(shown(0.0, 41.0, 35.0), "35");
        assert_eq!(shown(0.05, 0.78, 0.3), "0.3");
        assert_eq!(shown(-0.00013, 0.00011, 0.0001), "0.00010");
    }

    #[test]
    fn labels_of_a_drawn_axis_are_told_apart() {
        for high in [0.47, 0.53, 0.61, 1.0, 1.3, 3.0, 7.0] {
            let series = [Series { name: "a".to_owned(), points: vec![(0.0, 0.0), (1.0, high)] }];
            let svg = lines("test", "x", "y", &series, &[]).unwrap();
            let mut names: Vec<&str> = svg
                .split("<text")
                .skip(1)
                .filter(|text| text.contains("text-anchor=\"end\""))
                .filter_map(|text| text.split('\n').nth(1))
                .collect();
            let all = names.len();
            names.dedup();
            assert!(all > 3 && names.len() == all, "{high}: {names:?}");
        }
    }
}
