//! A plot of one table: horizontal bars as SVG, with colours that can be read on light and on dark ground.

use std::fmt::Write as _;

use crate::section::{Row, Section, Who};

const WIDTH: f64 = 760.0;
const LABELS: f64 = 340.0;
const BAR: f64 = 18.0;
const STEP: f64 = 26.0;
const TOP: f64 = 44.0;
/// Room for the number behind the longest bar.
const NUMBERS: f64 = 90.0;

/// The section's rows as bars, the longest as long as there is room.
pub fn svg(section: &Section) -> String {
    let height = TOP + STEP * crate::harness::precise(section.rows.len() as u64) + 8.0;
    let most = section.rows.iter().map(|row| row.value).fold(f64::MIN_POSITIVE, f64::max);
    let title = escape(&format!("{} ({})", section.title, section.unit));
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         role=\"img\" aria-label=\"{title}\">\n{STYLE}  <text class=\"title\" x=\"0\" y=\"20\">{title}</text>\n"
    );
    for (index, row) in section.rows.iter().enumerate() {
        bar(&mut out, row, TOP + STEP * crate::harness::precise(index as u64), most);
    }
    out.push_str("</svg>\n");
    out
}

/// Mid-tones, so that no bar vanishes on either ground; text follows the reader's preference.
const STYLE: &str = "  <style>
    text { font: 13px system-ui, sans-serif; fill: #1f2328; }
    .title { font-weight: 600; }
    .floor { fill: #8b949e; } .strata { fill: #2f81f7; } .peer { fill: #d29922; }
    @media (prefers-color-scheme: dark) { text { fill: #e6edf3; } }
  </style>
";

fn bar(out: &mut String, row: &Row, y: f64, most: f64) {
    let class = match row.who() {
        Who::Floor => "floor",
        Who::Strata => "strata",
        Who::Peer => "peer",
    };
    let length = (row.value / most * (WIDTH - LABELS - NUMBERS)).max(1.0);
    let (text, name, value) = (y + BAR - 4.5, escape(&row.name), number(row.value));
    // Writing to a string can't fail.
    let _ = writeln!(out, "  <text x=\"{}\" y=\"{text:.1}\" text-anchor=\"end\">{name}</text>", LABELS - 8.0);
    let _ = writeln!(
        out,
        "  <rect class=\"{class}\" x=\"{LABELS}\" y=\"{y:.1}\" width=\"{length:.1}\" height=\"{BAR}\" rx=\"2\"/>"
    );
    let _ = writeln!(out, "  <text x=\"{:.1}\" y=\"{text:.1}\">{value}</text>", LABELS + length + 6.0);
}

/// Three figures or more, thousands apart.
pub fn number(value: f64) -> String {
    if value < 10.0 {
        return format!("{value:.2}");
    }
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_proportional_and_texts_escaped() {
        let rows = vec![Row::new("floor a<b", 50.0), Row::new("strata", 100.0)];
        let section =
            Section { name: "t", title: "T & U", how: String::new(), unit: "ns", rows, targets: Vec::new() };
        let svg = svg(&section);
        assert!(svg.contains("T &amp; U (ns)") && svg.contains("floor a&lt;b"));
        assert!(svg.contains("class=\"floor\" x=\"340\" y=\"44.0\" width=\"165.0\""), "{svg}");
        assert!(svg.contains("class=\"strata\" x=\"340\" y=\"70.0\" width=\"330.0\""), "{svg}");
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!([3.456, 12.3, 1234.5, 1_234_567.0].map(number), ["3.46", "12", "1,234", "1,234,567"]);
    }
}
