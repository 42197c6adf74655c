//! Layout of the charts: the leaders' weights over blocks, and strips of dots against a limit. Only coordinates; the
//! templates draw.

use serde::Serialize;

use super::text::number;

/// A labelled position on an axis.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct ChartMark {
    /// The position, in the drawing's units.
    pub(crate) at: String,
    /// The label.
    pub(crate) label: String,
}

/// A dot of a strip.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Dot {
    /// Horizontal position.
    pub(crate) x: String,
    /// Vertical position.
    pub(crate) y: String,
    /// CSS classes: `ok` or `bad`, plus ` critical` for a critical prompt.
    pub(crate) class: String,
    /// Tooltip text.
    pub(crate) title: String,
}

/// A strip of dots along an axis, stacked instead of overlapping, with limits.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Strip {
    pub(crate) dots: Vec<Dot>,
    /// Limits and other marked values.
    pub(crate) lines: Vec<ChartMark>,
    /// Ticks of the axis.
    pub(crate) ticks: Vec<ChartMark>,
    /// Alternative text.
    pub(crate) alt: String,
}

/// A value of a strip.
#[derive(Debug, Clone)]
pub(crate) struct ChartValue {
    /// The value.
    pub(crate) value: f64,
    /// CSS classes.
    pub(crate) class: String,
    /// Tooltip text.
    pub(crate) title: String,
}

/// Width of a strip, and the border that dots at the edge need. The templates repeat both numbers.
const WIDTH: f64 = 400.0;
const BORDER: f64 = 10.0;
/// Height available for stacked dots, and the y of its floor.
const STACK: f64 = 58.0;
const FLOOR: f64 = 76.0;
/// Room for a label that ends at the edge, and half of the one before it.
const EDGE_LABEL: f64 = 52.0;
/// Distance between neighbouring dots.
const STEP: f64 = 5.0;

/// Formats a coordinate to a tenth of a unit: precise enough, and short.
pub(crate) fn place(value: f64) -> String {
    format!("{}", (value * 10.0).round() / 10.0)
}

/// Lays out a strip for values from 0 to `most`; values beyond are drawn at the edge, whose label then says so.
pub(crate) fn strip(values: &[ChartValue], lines: &[(f64, String)], most: f64, unit: &str, alt: String) -> Strip {
    let across = |value: f64| BORDER + (value / most).clamp(0.0, 1.0) * (WIDTH - 2.0 * BORDER);
    let mut sorted: Vec<&ChartValue> = values.iter().collect();
    sorted.sort_by(|a, b| a.value.total_cmp(&b.value).then_with(|| a.title.cmp(&b.title)));
    let column = |value: &ChartValue| ((across(value.value) - BORDER) / STEP).round() * STEP + BORDER;
    let stacks: Vec<Vec<&ChartValue>> =
        sorted.chunk_by(|a, b| column(a) - column(b) > -0.5).map(<[&ChartValue]>::to_vec).collect();
    let highest = stacks.iter().map(Vec::len).max().unwrap_or(1);
    let step = STEP.min(STACK / as_float(highest));
    let dots = stacks.iter().flat_map(|stack| {
        stack.iter().enumerate().map(move |(level, value)| Dot {
            x: place(column(value)),
            y: place(FLOOR - STEP / 2.0 - as_float(level) * step),
            class: value.class.clone(),
            title: value.title.clone(),
        })
    });
    let mark = |at: f64, label: String| ChartMark { at: place(across(at)), label };
    let beyond = values.iter().any(|value| value.value > most);
    // The edge's label needs room.
    let shown = ticks(most).into_iter().filter(|tick| !beyond || across(most) - across(*tick) > EDGE_LABEL);
    let edge = beyond.then(|| mark(most, format!("≥ {}{unit}", thousandths(most))));
    Strip {
        dots: dots.collect(),
        lines: lines.iter().map(|(at, label)| mark(*at, label.clone())).collect(),
        ticks: shown.map(|at| mark(at, format!("{at}{unit}"))).chain(edge).collect(),
        alt,
    }
}

/// Rounds to three decimals: multiples of 0.02 and 0.1 carry floating-point noise.
fn thousandths(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// Four to eight round numbers from 0 up to `most`.
fn ticks(most: f64) -> Vec<f64> {
    let sizes = [0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0];
    let size = sizes.into_iter().find(|size| most / size <= 7.0).unwrap_or(most / 5.0);
    let mut ticks = Vec::new();
    let mut count = 0.0;
    while count * size <= most * 1.0001 && ticks.len() < 10 {
        ticks.push(thousandths(count * size));
        count += 1.0;
    }
    ticks
}

#[allow(clippy::cast_precision_loss, reason = "counts of dots and blocks are far below 2^52")]
fn as_float(count: usize) -> f64 {
    count as f64
}

/// The leaders' weights over the chain's blocks, as steps.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct WeightsChart {
    /// One rectangle an entry.
    pub(crate) steps: Vec<WeightStep>,
    /// Blocks along the axis.
    pub(crate) ticks: Vec<ChartMark>,
}

/// A leader's time with one weight.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct WeightStep {
    /// Left edge.
    pub(crate) x: String,
    /// Upper edge.
    pub(crate) y: String,
    /// Width.
    pub(crate) width: String,
    /// Height.
    pub(crate) height: String,
    /// Index of the leader's colour.
    pub(crate) colour: usize,
    /// Tooltip text.
    pub(crate) title: String,
    /// The weight, shown above the rectangle.
    pub(crate) weight: String,
    /// Horizontal position of the weight.
    pub(crate) middle: String,
    /// The leader's name, if it differs from the previous one and there is room.
    pub(crate) name: Option<String>,
}

/// An entry to draw.
#[derive(Debug, Clone)]
pub(crate) struct WeightEntry {
    /// The first block.
    pub(crate) block: u64,
    /// 0 to 1.
    pub(crate) weight: f64,
    /// Index of the leader's colour.
    pub(crate) colour: usize,
    /// The leader, as shown.
    pub(crate) name: String,
}

/// The drawing of weights: from x 44 to 868, from y 24 (weight 1) to 184 (weight 0).
const CHART: (f64, f64, f64, f64) = (44.0, 868.0, 24.0, 184.0);

/// Lays out the chart; the last entry lasts until `end`.
pub(crate) fn weights(entries: &[WeightEntry], end: u64) -> Option<WeightsChart> {
    let (left, right, top, bottom) = CHART;
    let start = entries.iter().map(|entry| entry.block).min()?;
    let end = end.max(start.saturating_add(1));
    #[allow(clippy::cast_precision_loss, reason = "blocks are far below 2^52")]
    let across = |block: u64| {
        let part = block.clamp(start, end).saturating_sub(start) as f64 / end.saturating_sub(start) as f64;
        left + part * (right - left)
    };
    let ends = entries.iter().skip(1).map(|entry| entry.block).chain([end]);
    let mut before: Option<String> = None;
    let step = |(entry, until): (&WeightEntry, u64)| {
        let new = before.replace(entry.name.clone()).as_ref() != Some(&entry.name);
        let (from, to) = (across(entry.block), across(until).max(across(entry.block)));
        let height = (entry.weight.clamp(0.0, 1.0) * (bottom - top)).max(1.5);
        WeightStep {
            x: place(from + 1.0),
            y: place(bottom - height),
            width: place((to - from - 2.0).max(1.0)),
            height: place(height),
            colour: entry.colour,
            title: format!("{}: weight {} from block {}", entry.name, weight(entry.weight), number(entry.block)),
            weight: weight(entry.weight),
            middle: place(f64::midpoint(from, to)),
            name: (new && to - from > 90.0 && height > 24.0).then(|| entry.name.clone()),
        }
    };
    let mut ticks: Vec<ChartMark> = Vec::new();
    let mut last = f64::MIN;
    for entry in entries {
        let at = across(entry.block);
        // Skip labels that would overlap; the table below lists all blocks.
        if at - last >= 84.0 {
            ticks.push(ChartMark { at: place(at), label: number(entry.block) });
            last = at;
        }
    }
    Some(WeightsChart { steps: entries.iter().zip(ends).map(step).collect(), ticks })
}

/// Formats a weight with at most two decimals: 0.6000000000000001 becomes 0.6.
pub(crate) fn weight(value: f64) -> String {
    format!("{}", (value * 100.0).round() / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_are_stacked_and_stay_inside() {
        let value = |value| ChartValue { value, class: "ok".to_owned(), title: String::new() };
        let values: Vec<_> = [0.0, 0.0, 0.001, 0.1, 9.0, -1.0].map(value).to_vec();
        let strip = strip(&values, &[(0.1, "limit".to_owned())], 0.2, "", String::new());
        let at: Vec<_> = strip.dots.iter().map(|dot| (dot.x.as_str(), dot.y.as_str())).collect();
        assert_eq!(
            at,
            [("10", "73.5"), ("10", "68.5"), ("10", "63.5"), ("10", "58.5"), ("200", "73.5"), ("390", "73.5")]
        );
        assert_eq!(strip.lines[0].at, "200");
        let ticks: Vec<_> = strip.ticks.iter().map(|tick| tick.label.as_str()).collect();
        assert_eq!(ticks, ["0", "0.05", "0.1", "0.15", "≥ 0.2"]);
    }

    #[test]
    fn many_dots_move_closer() {
        let values = vec![ChartValue { value: 0.0, class: String::new(), title: String::new() }; 580];
        let strip = strip(&values, &[], 1.0, " s", String::new());
        assert!(strip.dots.iter().all(|dot| dot.y.parse::<f64>().unwrap() > FLOOR - STACK - STEP));
    }

    #[test]
    fn weights_fill_the_chart() {
        let entry = |block, weight| WeightEntry { block, weight, colour: 0, name: String::new() };
        let chart = weights(&[entry(100, 0.0), entry(200, 1.0)], 300).unwrap();
        assert_eq!((chart.steps[1].x.as_str(), chart.steps[1].y.as_str()), ("457", "24"));
        assert_eq!(weights(&[], 1), None);
        assert!(weights(&[entry(u64::MAX, f64::MAX)], 0).is_some());
    }
}
