//! Values with intervals as rows of a chart: those that differ in one part of their names alone share a row, told apart by colour.
//!
//! ```text
//! names                                  groups           rows                 colours
//! net-a, GradCAM   net-a, Kernel SHAP    the method       net-a                one a method
//! net-a on CF      net-a on UF ...       the network      on CF, on UF ...     one a network
//!                                        more than 8      net-a, net-b ...     one a test set
//! ```

use super::plot::PALETTE;

/// A value with its interval.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// What is measured.
    pub name: String,
    /// What it is compared by; the name may hold it.
    pub group: String,
    /// The value.
    pub value: f64,
    /// Lower and upper end.
    pub ends: Option<[f64; 2]>,
}

/// Values beside one name.
#[derive(Debug, PartialEq)]
pub(super) struct Row<'a> {
    pub(super) name: String,
    /// Index of the colour, and the value; in the order of the colours.
    pub(super) marks: Vec<(usize, &'a Mark)>,
}

/// All rows.
#[derive(Debug, PartialEq)]
pub(super) struct Rows<'a> {
    pub(super) rows: Vec<Row<'a>>,
    /// What the colours stand for; empty if for nothing.
    pub(super) colours: Vec<String>,
}

/// Marks in rows, both in the order of the marks.
pub(super) fn arranged(marks: &[Mark]) -> Rows<'_> {
    shared(marks).unwrap_or_else(|| apart(marks))
}

/// Rows of several values, if all names have two parts and one of these parts takes no more values than there are colours.
fn shared<'a>(marks: &'a [Mark]) -> Option<Rows<'a>> {
    let parts: Vec<[String; 2]> = marks.iter().map(parts).collect::<Option<_>>()?;
    let all = |part: usize| distinct(parts.iter().map(|p| p[part].as_str()));
    let by_colour = [GROUP, REST].into_iter().find(|&part| all(part).len() <= PALETTE.len())?;
    let by_row = if by_colour == GROUP { REST } else { GROUP };
    let colours = all(by_colour);
    let row = |name: String| {
        let of_row = marks.iter().zip(&parts).filter(|(_, p)| p[by_row] == name);
        let mut marks: Vec<(usize, &'a Mark)> =
            of_row.map(|(mark, p)| (index(&colours, &p[by_colour]), mark)).collect();
        marks.sort_by_key(|(colour, _)| *colour);
        Row { name, marks }
    };
    let rows = all(by_row).into_iter().map(row).collect();
    Some(Rows { rows, colours })
}

/// Which of the [`parts`] is the group.
const GROUP: usize = 0;
const REST: usize = 1;

/// Of a name that holds its group: the group, and what else it says.
fn parts(mark: &Mark) -> Option<[String; 2]> {
    let between = |c: char| matches!(c, ' ' | ',' | ':');
    let (before, after) = mark.name.rsplit_once(&mark.group)?;
    let is_whole = (before.is_empty() || before.ends_with(between))
        && (after.is_empty() || after.starts_with(between));
    let rest = format!("{}{after}", before.trim_end_matches(between));
    let rest = rest.trim_matches(between);
    (is_whole && !rest.is_empty()).then(|| [mark.group.clone(), rest.to_owned()])
}

/// A row a value; colours by group, one for all if there are too many groups.
fn apart<'a>(marks: &'a [Mark]) -> Rows<'a> {
    let groups = distinct(marks.iter().map(|m| m.group.as_str()));
    let colours = if (2..=PALETTE.len()).contains(&groups.len()) { groups } else { Vec::new() };
    let row = |mark: &'a Mark| {
        let colour = index(&colours, &mark.group);
        Row { name: mark.name.clone(), marks: vec![(colour, mark)] }
    };
    let rows = marks.iter().map(row).collect();
    Rows { rows, colours }
}

/// The first is that of what is not there.
fn index(all: &[String], one: &str) -> usize {
    all.iter().position(|other| other == one).unwrap_or(0)
}

fn distinct<'a>(all: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for one in all {
        if !out.iter().any(|known| known == one) {
            out.push(one.to_owned());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(name: &str, group: &str) -> Mark {
        Mark { name: name.to_owned(), group: group.to_owned(), value: 0.5, ends: None }
    }

    /// Names of the rows with the colours of their values.
    fn shown(marks: &[Mark]) -> Vec<(String, Vec<usize>)> {
        let colours = |row: &Row<'_>| row.marks.iter().map(|(colour, _)| *colour).collect();
        arranged(marks).rows.iter().map(|row| (row.name.clone(), colours(row))).collect()
    }

    fn row(name: &str, colours: &[usize]) -> (String, Vec<usize>) {
        (name.to_owned(), colours.to_vec())
    }

    #[test]
    fn values_that_differ_in_the_group_alone_share_a_row() {
        let marks = [
            mark("a, GradCAM", "GradCAM"),
            mark("b, Kernel SHAP", "Kernel SHAP"),
            mark("b, GradCAM", "GradCAM"),
        ];
        let rows = arranged(&marks);
        assert_eq!(rows.colours, ["GradCAM", "Kernel SHAP"]);
        assert_eq!(shown(&marks), [row("a", &[0]), row("b", &[0, 1])]);
        assert_eq!(rows.rows[1].marks[0].1.name, "b, GradCAM");
        // the group in the middle
        let marks = ["near", "far"].map(|kind| mark(&format!("a, x: {kind}, over 3 seeds"), kind));
        assert_eq!(shown(&marks), [row("a, x, over 3 seeds", &[0, 1])]);
    }

    #[test]
    fn of_more_groups_than_colours_each_has_a_row() {
        let sets = ["CF", "UF"];
        let marks = |networks: usize| -> Vec<Mark> {
            let of_one =
                |i: usize| sets.map(|set| mark(&format!("net-{i} on {set}"), &format!("net-{i}")));
            (0..networks).flat_map(of_one).collect()
        };
        let few = marks(PALETTE.len());
        assert_eq!(arranged(&few).colours.len(), PALETTE.len());
        assert_eq!(shown(&few)[1], row("on UF", &[0, 1, 2, 3, 4, 5, 6, 7]));
        let many = marks(PALETTE.len() + 1);
        assert_eq!(arranged(&many).colours, ["on CF", "on UF"]);
        assert_eq!(shown(&many)[8], row("net-8", &[0, 1]));
    }

    #[test]
    fn names_without_their_group_have_a_row_each() {
        let marks = [mark("a", "x"), mark("a, y", "y"), mark("b", "x")];
        assert_eq!(arranged(&marks).colours, ["x", "y"]);
        assert_eq!(shown(&marks), [row("a", &[0]), row("a, y", &[1]), row("b", &[0])]);
        // a part of a word is no group
        assert_eq!(parts(&mark("a: unfamiliar", "familiar")), None);
        // a colour that says nothing
        let marks = [mark("a", ""), mark("a", "")];
        assert_eq!(shown(&marks), [row("a", &[0]), row("a", &[0])]);
        assert!(arranged(&marks).colours.is_empty());
    }
}
