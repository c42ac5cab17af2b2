//! A figure of a study with its caption and legend.

use maud::{Markup, PreEscaped, html as markup};

use crate::report::interval_chart::{self, Drawing, Line};
use crate::report::mark_rows::Mark;
use crate::study::StudyError;
use crate::study::finding::Figure;

/// A figure; one of more than a large screen is folded.
pub(super) fn figure(figure: &Figure) -> Result<Markup, StudyError> {
    let (title, class, notes, drawing) = match figure {
        Figure::Intervals { title, axis, marks, published, line } => {
            let marks: Vec<Mark> = marks
                .iter()
                .map(|m| Mark {
                    name: m.name.clone(),
                    group: m.group.clone(),
                    value: m.value,
                    ends: m.ci95,
                })
                .collect();
            let drawing = interval_chart::rows("study", title, axis, &marks, *published, *line)?;
            (title, "chart", notes(&marks, published.is_some()), drawing)
        }
        Figure::Curves { title, axes, curves, line } => {
            let lines: Vec<Line> = curves
                .iter()
                .map(|c| Line { name: c.name.clone(), points: c.points.clone() })
                .collect();
            let axes = [axes[0].as_str(), axes[1].as_str()];
            let svg = interval_chart::lines("study", title, axes, &lines, *line)?;
            let colours = lines.into_iter().map(|line| line.name).collect();
            (title, "chart lines", String::new(), Drawing { svg, colours, ..Drawing::default() })
        }
    };
    let drawn = markup! {
        figure class=(class) {
            figcaption { (title) (notes) }
            (legend(&drawing))
            div class="wide" { (PreEscaped(&drawing.svg)) }
        }
    };
    Ok(markup! {
        @if drawing.is_tall { details { summary { "Figure: " (title) } (drawn) } }
        @else if !drawing.svg.is_empty() { (drawn) }
    })
}

/// What lines and dots mean beyond a value with its interval.
fn notes(marks: &[Mark], band: bool) -> String {
    let bare = marks.iter().filter(|m| m.ends.is_none()).count();
    let is_told = [band, bare > 0 && bare < marks.len()];
    let told = ["between the two thin lines: published range", "a dot alone: interval not drawn"];
    let notes: Vec<&str> = told
        .into_iter()
        .zip(is_told)
        .filter(|(_, is_told)| *is_told)
        .map(|(note, _)| note)
        .collect();
    if notes.is_empty() { String::new() } else { format!(" ({})", notes.join("; ")) }
}

/// What the colours stand for.
fn legend(drawing: &Drawing) -> Markup {
    markup! {
        @if !drawing.colours.is_empty() {
            div class="legend" {
                @if drawing.is_shared { span { "in a row from top to bottom:" } }
                @for (name, colour) in drawing.colours.iter().zip(interval_chart::colours(&drawing.colours)) {
                    span class="key" { span class="dot" style=(format!("background:{colour}")) {} (name) }
                }
            }
        }
    }
}
