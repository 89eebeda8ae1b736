//! The host's settings, from the options of the command line.

use std::sync::Arc;

use parigot_host::Settings;

use crate::cli::Compiling;
use crate::stderr::{STDERR, can_be_redrawn};

/// Returns the settings of a host that this command runs.
///
/// With `draws_progress`, a terminal shows which guests are being compiled.
pub(crate) fn settings(compiling: &Compiling, draws_progress: bool) -> Settings {
    let code_cache = if compiling.no_cache {
        None
    } else {
        parigot_host::user_code_cache()
    };
    let mut settings = Settings {
        compile_time_max: *compiling.compile_time,
        code_cache,
        ..Settings::default()
    };
    if draws_progress && can_be_redrawn() {
        settings.on_compiling = Some(Arc::new(|guests| STDERR.compiling(guests)));
    }
    settings
}
