//! Arguments after `--`: chooses the program that receives them.

use miette::Diagnostic;
use parigot_host::deployment::{Deployment, Role};

use crate::cli::Run;

/// Error of arguments that no program can receive.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("{message}")]
pub(crate) struct ArgsError {
    message: String,
    #[help]
    help: String,
}

/// Appends the arguments after `--` to those of the file, for the program that `run` selects.
/// Returns the name of the program, or `None` without arguments.
///
/// # Errors
///
/// If the deployment has no program, or several and none is selected, or none of the selected name.
pub(crate) fn pass_args(
    run: &Run,
    deployment: &mut Deployment,
) -> Result<Option<String>, ArgsError> {
    if run.args.is_empty() {
        return Ok(None);
    }
    let place = match &run.process {
        Some(process) => format!("process `{process}` of {}", run.file.display()),
        None => run.file.display().to_string(),
    };
    let programs: Vec<&str> = deployment
        .guests
        .iter()
        .filter(|guest| guest.role == Role::Program)
        .map(|guest| &*guest.name)
        .collect();
    let error = |message: String, help: String| Err(ArgsError { message, help });
    let name = match (&run.program, &programs[..]) {
        (_, []) => {
            return error(
                format!("{place} has no program to receive the arguments after `--`"),
                "set `args` in the table of a service, or add a table `[program.<name>]`".into(),
            );
        }
        (None, [only]) => (*only).to_owned(),
        (None, several) => {
            return error(
                format!("{place} has several programs: {}", several.join(", ")),
                format!(
                    "select one of them, for example: --program {} --",
                    several[0]
                ),
            );
        }
        (Some(name), known) if known.contains(&&**name) => name.clone(),
        (Some(name), known) => {
            return error(
                format!("{place} has no program `{name}`"),
                format!("its programs: {}", known.join(", ")),
            );
        }
    };
    let program = deployment
        .guests
        .iter_mut()
        .find(|guest| guest.name == name)
        .expect("the name was taken from the list of guests");
    program.args.extend(run.args.iter().cloned());
    Ok(Some(name))
}
