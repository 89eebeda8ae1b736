//! A table for people on stderr, and a line of JSON for each row on stdout.

use crate::Measured;

/// One row of the table.
pub(crate) struct Row {
    pub(crate) case: String,
    pub(crate) size: usize,
    pub(crate) in_flight: usize,
    pub(crate) ours: Vec<Measured>,
    pub(crate) ratios: Vec<Ratio>,
}

/// Our CPU time a call over that of a reference, over the rounds.
pub(crate) struct Ratio {
    reference: &'static str,
    reference_cpu_ns: f64,
    quartiles: [f64; 3],
}

impl Ratio {
    /// Compares round by round.
    pub(crate) fn new(reference: &'static str, ours: &[Measured], theirs: &[Measured]) -> Self {
        let ratios = ours.iter().zip(theirs).map(|(ours, theirs)| ours.cpu_ns / theirs.cpu_ns).collect();
        let reference_cpu_ns = quartiles(theirs.iter().map(|round| round.cpu_ns).collect())[1];
        Ratio { reference, reference_cpu_ns, quartiles: quartiles(ratios) }
    }
}

/// Lower quartile, median, upper quartile: of the values in order those at a quarter, a half and three quarters.
fn quartiles(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| values[(values.len() - 1) * quarter / 4])
}

/// Prints the head of the table.
pub(crate) fn heading() {
    eprintln!("CPU time a call on one core; a ratio is ours over the reference's, with its quartiles");
    eprintln!(
        "{:<14} {:>7} {:>7} {:>21} {:>7} {:>21} {:>7} {:>21} {:>7}",
        "case", "cpu ns", "wall ns", "/ tokio actor", "its ns", "/ raw wasmtime", "its ns", "/ itself", "its ns"
    );
}

/// Prints a row.
pub(crate) fn print(row: &Row) {
    let cpu_ns = quartiles(row.ours.iter().map(|round| round.cpu_ns).collect())[1];
    let median_ns = quartiles(row.ours.iter().map(|round| round.wall_ns).collect())[1];
    eprint!("{:<14} {cpu_ns:>7.0} {median_ns:>7.0}", row.case);
    for Ratio { reference_cpu_ns, quartiles: [low, median, high], .. } in &row.ratios {
        eprint!(" {:>21} {reference_cpu_ns:>7.0}", format!("{median:.2} ({low:.2} .. {high:.2})"));
    }
    eprintln!();
    let ratios: Vec<_> =
        row.ratios.iter().map(|ratio| format!("\"{}\":{:.3}", ratio.reference, ratio.quartiles[1])).collect();
    println!(
        "{{\"case\":\"{}\",\"size\":{},\"in_flight\":{},\"median_ns\":{median_ns:.0},\"cpu_ns\":{cpu_ns:.0},\"ratio\":{{{}}}}}",
        row.case,
        row.size,
        row.in_flight,
        ratios.join(",")
    );
}
