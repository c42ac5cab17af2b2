//! Plots of points and lines as SVG, for comparisons and studies.

use plotters::prelude::{ChartBuilder, Circle, Color as _, LineSeries, PathElement, Rectangle};

use super::ReportError;
use super::plot::{INK, PALETTE, draw, legend, mesh};

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
    chart(name, x_name, y_name, series, marks, &[], true)
}

/// Points of each series, with horizontal marks, and straight lines `y = a + b x` given as `(a, b)`.
///
/// # Errors
/// If the plotting library fails.
pub fn scatter(
    name: &'static str,
    x_name: &str,
    y_name: &str,
    series: &[Series],
    marks: &[f64],
    slopes: &[(f64, f64)],
) -> Result<String, ReportError> {
    chart(name, x_name, y_name, series, marks, slopes, false)
}

fn chart(
    name: &'static str,
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
    draw(name, 560, 340, |root| {
        let mut chart = ChartBuilder::on(root)
            .margin(8)
            .x_label_area_size(38)
            .y_label_area_size(70)
            .build_cartesian_2d(x_low..x_high, y_low..y_high)
            .map_err(|e| e.to_string())?;
        let label = |span: f64| move |v: &f64| number(*v, span);
        mesh(&mut chart, x_name, y_name, &label(x_high - x_low), &label(y_high - y_low))?;
        let straight = marks.iter().map(|&y| (y, 0.0)).chain(slopes.iter().copied());
        for (a, b) in straight {
            let ends = vec![(x_low, a + b * x_low), (x_high, a + b * x_high)];
            chart.draw_series([PathElement::new(ends, INK.mix(0.6))]).map_err(|e| e.to_string())?;
        }
        for (s, colour) in series.iter().zip(PALETTE.into_iter().cycle()) {
            if joined {
                chart
                    .draw_series(LineSeries::new(s.points.iter().copied(), colour.stroke_width(2)))
                    .map_err(|e| e.to_string())?;
            }
            let strength = if joined { 1.0 } else { 0.6 };
            let drawn = chart
                .draw_series(
                    s.points.iter().map(|p| Circle::new(*p, 3, colour.mix(strength).filled())),
                )
                .map_err(|e| e.to_string())?;
            if series.len() > 1 {
                drawn.label(s.name.clone()).legend(move |(x, y)| {
                    Rectangle::new([(x, y - 4), (x + 14, y + 4)], colour.filled())
                });
            }
        }
        if series.len() > 1 { legend(&mut chart) } else { Ok(()) }
    })
}

/// Lowest and highest with a margin; never empty.
fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values.fold((f64::MAX, f64::MIN), |(low, high), v| (low.min(v), high.max(v)));
    let margin = (high - low) * 0.06;
    if margin > 0.0 { (low - margin, high + margin) } else { (low - 0.5, high + 0.5) }
}

/// As many decimals as the span of the axis asks for.
pub(super) fn number(value: f64, span: f64) -> String {
    if span >= 20.0 {
        format!("{value:.0}")
    } else if span >= 0.5 {
        format!("{value:.1}")
    } else if span >= 0.05 {
        format!("{value:.2}")
    } else if span >= 0.005 {
        format!("{value:.3}")
    } else {
        format!("{value:.1e}")
    }
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
        let svg = scatter("test", "x", "y", &series, &[0.0], &[(0.0, 1.0)]).unwrap();
        assert_eq!(svg.matches("<circle").count(), 3);
        assert!(svg.contains("currentColor"));
        assert_eq!(lines("test", "x", "y", &[], &[]).unwrap(), "");
        let flat = [Series { name: "a".to_owned(), points: vec![(1.0, 1.0)] }];
        assert!(lines("test", "x", "y", &flat, &[]).unwrap().contains("<circle"));
    }
}
