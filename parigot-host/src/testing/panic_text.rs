//! Texts of the panics with which a test host refuses to start.

use std::error::Error;

use crate::error::{ConfigError, DeploymentError, StartError};

/// Formats all errors of a deployment file, one per line.
pub(super) fn of_deployment(error: &DeploymentError) -> String {
    let DeploymentError::Refused { file, errors, .. } = error else {
        return chain(error);
    };
    let lines = errors.iter().map(|error| {
        let ConfigError {
            line,
            column,
            message,
            help,
            ..
        } = error;
        format!("{}:{line}:{column}: {message}; {help}", file.display())
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Formats all problems of a start, one per line.
pub(super) fn of_start(error: &StartError) -> String {
    let problems = error
        .problems()
        .iter()
        .map(|problem| format!("\n  {}", chain(problem)));
    format!(
        "the guests cannot be started:{}",
        problems.collect::<String>()
    )
}

/// Formats an error with its sources.
fn chain(error: &(dyn Error + 'static)) -> String {
    std::iter::successors(Some(error), |&error| error.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
