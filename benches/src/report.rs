//! Figures, their bars and their output: a table for readers on stderr, and a line of JSON for each
//! row on stdout.

use std::collections::BTreeMap;
use std::fmt;

/// Lower quartile, median and upper quartile.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Quartiles {
    low: f64,
    median: f64,
    high: f64,
}

impl Quartiles {
    /// Returns the values at a quarter, a half and three quarters of the sorted values.
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let [low, median, high] = [1, 2, 3].map(|quarter| values[(values.len() - 1) * quarter / 4]);
        Quartiles { low, median, high }
    }

    /// Returns the distance from 1, for the ratio of something to itself.
    fn spread(self) -> f64 {
        (self.high - 1.0).max(1.0 - self.low).max(0.0)
    }
}

/// The limit that a figure must meet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Bar {
    AtMost(f64),
    AtLeast(f64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// The better quartile meets the bar.
    Holds,
    /// The median misses the bar by more than the spread.
    Missed,
    /// Neither of the two.
    Open,
}

impl Bar {
    fn verdict(self, Quartiles { low, median, high }: Quartiles, spread: f64) -> Verdict {
        let (holds, missed) = match self {
            Bar::AtMost(most) => (low <= most, median > most * (1.0 + spread)),
            Bar::AtLeast(least) => (high >= least, median < least / (1.0 + spread)),
        };
        match (holds, missed) {
            (true, _) => Verdict::Holds,
            (false, true) => Verdict::Missed,
            (false, false) => Verdict::Open,
        }
    }
}

/// One measured number, over rounds.
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    unit: &'static str,
    quartiles: Quartiles,
    bar: Option<Bar>,
}

/// The unit of a ratio.
const TIMES: &str = "x";

impl Figure {
    /// Creates a figure of each round by itself.
    pub(crate) fn each<T>(
        name: &'static str,
        unit: &'static str,
        rounds: &[T],
        of: impl Fn(&T) -> f64,
    ) -> Self {
        Figure {
            name,
            unit,
            quartiles: Quartiles::of(rounds.iter().map(of).collect()),
            bar: None,
        }
    }

    /// Creates a figure of our value over that of a reference, round by round.
    pub(crate) fn ratio<T>(
        name: &'static str,
        ours: &[T],
        theirs: &[T],
        of: impl Fn(&T) -> f64,
    ) -> Self {
        let ratios = ours
            .iter()
            .zip(theirs)
            .map(|(ours, theirs)| of(ours) / of(theirs))
            .collect();
        Figure {
            name,
            unit: TIMES,
            quartiles: Quartiles::of(ratios),
            bar: None,
        }
    }

    /// Sets the bar, if there is one.
    pub(crate) fn bar(self, bar: Option<Bar>) -> Self {
        Figure { bar, ..self }
    }
}

/// The results of one measure.
#[derive(Default)]
pub(crate) struct Row {
    numbers: Vec<(&'static str, usize)>,
    figures: Vec<Figure>,
    /// Distance of the ratio of something to itself from 1 in this run.
    spread: f64,
    /// Number of values in each whole unit, for rows with a histogram.
    pub(crate) histogram: BTreeMap<u64, usize>,
}

impl Row {
    /// Adds a number that describes the row.
    pub(crate) fn number(&mut self, name: &'static str, number: usize) -> &mut Self {
        self.numbers.push((name, number));
        self
    }

    pub(crate) fn figure(&mut self, figure: Figure) {
        self.figures.push(figure);
    }

    /// Adds the ratio of something to itself.
    pub(crate) fn itself(&mut self, figure: Figure) {
        self.spread = figure.quartiles.spread();
        self.figures.push(figure);
    }
}

/// Prints the head of the table.
pub(crate) fn heading() {
    eprintln!("| measure | figure | median (quartiles) | bar | |");
    eprintln!("|---|---|---:|---:|---|");
}

/// Prints a row: a line of the table for each figure, and a line of JSON.
pub(crate) fn print(name: &str, row: &Row) {
    for figure in &row.figures {
        let Figure {
            unit,
            quartiles,
            bar,
            ..
        } = figure;
        let label = figure.name.replace('_', " ");
        let label = if *unit == TIMES {
            format!("/ {label}")
        } else {
            label
        };
        let (bar, verdict) = bar.map_or_else(Default::default, |bar| {
            (
                Amounts(bar, unit).to_string(),
                format!("{:?}", bar.verdict(*quartiles, row.spread)).to_lowercase(),
            )
        });
        eprintln!(
            "| {name} | {label} | {} | {bar} | {verdict} |",
            Amounts(*quartiles, unit)
        );
    }
    for (from, count) in &row.histogram {
        eprintln!("{from:>8} ms {count:>5} {}", "*".repeat(count.div_ceil(10)));
    }
    println!("{}", json(name, row));
}

/// An amount, or several, with a unit.
struct Amounts<T>(T, &'static str);

impl fmt::Display for Amounts<f64> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Amounts(amount, unit) = *self;
        match unit {
            TIMES if amount < 0.1 => write!(f, "1/{:.0}", 1.0 / amount),
            TIMES => write!(f, "{amount:.2}"),
            _ => {
                let decimals = decimals(amount);
                write!(f, "{amount:.decimals$} {unit}")
            }
        }
    }
}

/// Returns the number of decimals for three significant digits.
fn decimals(amount: f64) -> usize {
    if amount == 0.0 {
        0
    } else {
        (2 - amount.abs().log10().floor() as i32).max(0) as usize
    }
}

impl fmt::Display for Amounts<Quartiles> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Amounts(Quartiles { low, median, high }, unit) = *self;
        let amount = |amount| Amounts(amount, unit);
        if low == high {
            return write!(f, "{}", amount(median));
        }
        write!(
            f,
            "{} ({} to {})",
            amount(median),
            amount(low),
            amount(high)
        )
    }
}

impl fmt::Display for Amounts<Bar> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Amounts(Bar::AtMost(most), unit) => write!(f, "at most {}", Amounts(most, unit)),
            Amounts(Bar::AtLeast(least), unit) => write!(f, "at least {}", Amounts(least, unit)),
        }
    }
}

fn json(name: &str, row: &Row) -> String {
    let numbers = row
        .numbers
        .iter()
        .map(|(name, number)| format!("\"{name}\":{number}"));
    let (ratios, others): (Vec<_>, Vec<_>) =
        row.figures.iter().partition(|figure| figure.unit == TIMES);
    let member = |figure: &Figure| format!("\"{}\":{:.4}", figure.name, figure.quartiles.median);
    let members: Vec<_> = numbers.chain(others.into_iter().map(member)).collect();
    let ratios: Vec<_> = ratios.into_iter().map(member).collect();
    format!(
        "{{\"case\":\"{name}\",{},\"ratio\":{{{}}}}}",
        members.join(","),
        ratios.join(",")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_held_missed_or_open() {
        let at_most = |low, median| {
            Bar::AtMost(1.5).verdict(
                Quartiles {
                    low,
                    median,
                    high: 9.0,
                },
                0.1,
            )
        };
        assert_eq!(at_most(1.5, 2.0), Verdict::Holds);
        assert_eq!(at_most(1.51, 1.64), Verdict::Open);
        assert_eq!(at_most(1.51, 1.66), Verdict::Missed);
        let at_least = |median, high| {
            Bar::AtLeast(0.8).verdict(
                Quartiles {
                    low: 0.0,
                    median,
                    high,
                },
                0.1,
            )
        };
        assert_eq!(at_least(0.1, 0.8), Verdict::Holds);
        assert_eq!(at_least(0.75, 0.79), Verdict::Open);
        assert_eq!(at_least(0.7, 0.79), Verdict::Missed);
    }

    #[test]
    fn small_ratios_are_shown_as_fractions() {
        let quartiles = Quartiles::of(vec![1.0 / 80.0, 1.0 / 60.0, 1.0 / 70.0]);
        assert_eq!(Amounts(quartiles, TIMES).to_string(), "1/70 (1/80 to 1/70)");
        assert_eq!(
            Amounts(Bar::AtMost(64.0), "KiB").to_string(),
            "at most 64.0 KiB"
        );
    }

    #[test]
    fn a_row_is_a_line_of_json() {
        let mut row = Row::default();
        row.number("size", 16);
        row.figure(Figure::each("cpu_ns", "ns", &[1.0, 2.0, 4.0], |ns| *ns));
        row.itself(Figure::ratio("itself", &[1.0], &[2.0], |ns| *ns));
        assert_eq!(row.spread, 0.5);
        let line = r#"{"case":"call/16/1","size":16,"cpu_ns":2.0000,"ratio":{"itself":0.5000}}"#;
        assert_eq!(json("call/16/1", &row), line);
    }
}
