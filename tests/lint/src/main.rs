//! Style checker of this repository: `style-lint [DIRECTORY]`.
//!
//! Reads the tracked files of the checkout in DIRECTORY (default: the current directory) and
//! prints each violation as `file:line: rule: found, expected`, then one summary line.
//!
//! Exit status: 0 without violations, 1 with violations, 2 when the checkout cannot be read.
//!
//! The checker has its own lexer. `syn` with line numbers would need the feature `span-locations`
//! of `proc-macro2`, which cargo would then enable for the generator as well and slow it down.

mod checkout;
mod lexer;
mod markdown;
mod modules;
mod rules;
mod violation;

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use checkout::Checkout;

fn main() -> ExitCode {
    let directory = env::args_os()
        .nth(1)
        .map_or_else(|| PathBuf::from("."), PathBuf::from);
    match Checkout::read(&directory) {
        Ok(checkout) => report(&checkout),
        Err(error) => {
            eprintln!(
                "style-lint: cannot read the checkout {}: {error}",
                directory.display()
            );
            ExitCode::from(2)
        }
    }
}

/// Prints the violations and the summary.
fn report(checkout: &Checkout) -> ExitCode {
    let mut violations = Vec::new();
    let mut counts = Vec::new();
    for (name, rule) in rules::ALL {
        let found = rule(checkout);
        counts.push(format!("{name} {}", found.len()));
        violations.extend(found.into_iter().map(|violation| (name, violation)));
    }
    violations.sort_by(|(_, a), (_, b)| (&a.file, a.line).cmp(&(&b.file, b.line)));
    for (name, violation) in &violations {
        println!(
            "{}:{}: {name}: {}",
            violation.file, violation.line, violation.message
        );
        for detail in &violation.details {
            println!("    {detail}");
        }
    }
    let files = checkout.files.len();
    println!(
        "style-lint: {} violations in {files} files: {}",
        violations.len(),
        counts.join(", ")
    );
    if violations.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
