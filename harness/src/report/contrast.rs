//! Contrast of colours in style sheets as WCAG 2 defines it, for tests of pages and plots.

/// Contrast of two colours, `#rgb` or `#rrggbb`: 1 of equal ones, 21 of black and white.
pub(crate) fn contrast(a: &str, b: &str) -> f64 {
    let [a, b] = [a, b].map(luminance);
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

/// Light of a channel of sRGB, both 0 to 1.
pub(super) fn linear(value: f64) -> f64 {
    if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
}

/// Relative luminance.
fn luminance(colour: &str) -> f64 {
    let digits = colour.trim_start_matches('#');
    let each = digits.len() / 3;
    let channel = |i: usize| {
        // one digit stands for two of its kind
        let text = digits[i * each..(i + 1) * each].repeat(2 / each);
        linear(f64::from(u8::from_str_radix(&text, 16).unwrap()) / 255.0)
    };
    0.2126 * channel(0) + 0.7152 * channel(1) + 0.0722 * channel(2)
}

/// Selectors and contents of a style sheet's rules.
pub(crate) fn rules(style: &str) -> Vec<(&str, &str)> {
    style.split('}').filter_map(|rule| rule.rsplit_once('{')).collect()
}

/// The rules with the colours of the page, light and dark.
pub(crate) fn roots<'a>(rules: &[(&'a str, &'a str)]) -> [&'a str; 2] {
    let roots = rules.iter().filter(|(name, _)| name.trim().ends_with(":root"));
    roots.map(|(_, rule)| *rule).collect::<Vec<_>>().try_into().unwrap()
}

/// A property of a rule, without what stands behind it.
pub(crate) fn property<'a>(rule: &'a str, name: &str) -> &'a str {
    let of = |text: &'a str| text.trim().strip_prefix(name)?.strip_prefix(": ");
    rule.split(';').find_map(of).unwrap()
}

#[test]
fn black_on_white_has_the_highest_contrast() {
    assert!((contrast("#000", "#ffffff") - 21.0).abs() < 1e-9);
    assert!((contrast("#0072b2", "#0072b2") - 1.0).abs() < 1e-9);
}
