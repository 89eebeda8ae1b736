//! Functions of a backtrace: their names, and which of them are shown.

use std::fmt;

/// Most functions that a backtrace shows.
const SHOWN_MAX: usize = 32;

/// Function on the stack of a guest, at the line that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SourceFrame {
    pub(super) function: String,
    /// File as the compiler was told, usually absolute, with line and column; a number that is not
    /// known is 0.
    pub(super) place: Option<(String, u32, u32)>,
}

impl SourceFrame {
    pub(super) fn without_line(function: String) -> Self {
        SourceFrame {
            function,
            place: None,
        }
    }

    /// Returns false for functions of the language's libraries and of the SDK, which say nothing
    /// about the cause in the guest's own source.
    fn is_of_guest(&self) -> bool {
        const LIBRARY_FILES: [&str; 3] = ["/rustc/", "/library/", "/parigot-guest"];
        const LIBRARY_NAMES: [&str; 12] = [
            "alloc::",
            "core::",
            "std::",
            "<alloc::",
            "<core::",
            "<std::",
            "__",
            "parigot_",
            "<parigot_guest::",
            "rust_",
            "runtime.",
            "wasm_",
        ];
        let is_library = match &self.place {
            Some((file, ..)) => LIBRARY_FILES.iter().any(|part| file.contains(part)),
            None => false,
        };
        !is_library
            && !LIBRARY_NAMES
                .iter()
                .any(|start| self.function.starts_with(start))
    }
}

/// Formats as `greet at src/lib.rs:26:9`.
impl fmt::Display for SourceFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.function)?;
        let Some((file, line, column)) = &self.place else {
            return Ok(());
        };
        write!(f, " at {file}")?;
        for number in [line, column].into_iter().take_while(|number| **number > 0) {
            write!(f, ":{number}")?;
        }
        Ok(())
    }
}

/// Returns the lines of a backtrace: the functions of the guest's own source, or all if there are
/// none. A function that repeats, as in an endless recursion, has one line with its number.
pub(super) fn listed(frames: &[SourceFrame]) -> String {
    let own: Vec<_> = frames.iter().filter(|frame| frame.is_of_guest()).collect();
    let shown = if own.is_empty() {
        frames.iter().collect()
    } else {
        own
    };
    let mut runs: Vec<(&SourceFrame, usize)> = Vec::new();
    for frame in shown {
        match runs.last_mut() {
            Some((last, count)) if *last == frame => *count += 1,
            _ => runs.push((frame, 1)),
        }
    }
    let mut lines: Vec<_> = runs
        .iter()
        .take(SHOWN_MAX)
        .map(|(frame, count)| match count {
            1 => frame.to_string(),
            count => format!("{frame} ({count} times)"),
        })
        .collect();
    if runs.len() > SHOWN_MAX {
        lines.push(format!("… {} more", runs.len() - SHOWN_MAX));
    }
    lines.join("\n")
}

/// Returns the name of a function as its source has it. The body of an `async fn` and a closure
/// have the name of the function around them, if it is known.
pub(super) fn demangled(name: &str) -> String {
    const NAMELESS: [(&str, &str); 3] = [
        ("{async_fn", "async fn"),
        ("{async_block", "async block"),
        ("{closure", "closure"),
    ];
    if let Some((_, kind)) = NAMELESS.iter().find(|(start, _)| name.starts_with(start)) {
        return (*kind).to_owned();
    }
    // The alternate form leaves out the hash.
    let name = format!("{:#}", rustc_demangle::demangle(name));
    let end = name.find("::{").unwrap_or(name.len());
    name[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(function: &str, file: &str, line: u32) -> SourceFrame {
        SourceFrame {
            function: function.into(),
            place: Some((file.into(), line, 0)),
        }
    }

    #[test]
    fn functions_of_libraries_are_hidden() {
        let frames = [
            SourceFrame::without_line("core::panicking::panic_fmt".into()),
            frame("unwrap<u32>", "/rustc/0123/library/core/src/option.rs", 900),
            frame("greet", "/work/greeting/src/lib.rs", 26),
            frame("poll", "/work/parigot-guest/src/runtime/turn.rs", 70),
            SourceFrame::without_line("parigot_turn".into()),
        ];
        assert_eq!(listed(&frames), "greet at /work/greeting/src/lib.rs:26");
    }

    #[test]
    fn all_functions_are_shown_if_the_guest_has_none() {
        let frames = [
            SourceFrame::without_line("runtime.fatalthrow".into()),
            SourceFrame::without_line("runtime.throw".into()),
        ];
        assert_eq!(listed(&frames), "runtime.fatalthrow\nruntime.throw");
    }

    #[test]
    fn a_recursion_has_one_line() {
        let mut frames = vec![frame("main", "main.rs", 3)];
        frames.splice(0..0, vec![frame("dig", "main.rs", 9); 63]);
        assert_eq!(
            listed(&frames),
            "dig at main.rs:9 (63 times)\nmain at main.rs:3"
        );
    }

    #[test]
    fn a_long_backtrace_is_cut_off() {
        let frames: Vec<_> = (1..=40).map(|line| frame("f", "f.rs", line)).collect();
        let text = listed(&frames);
        assert!(text.ends_with("f at f.rs:32\n… 8 more"), "{text}");
    }

    #[test]
    fn names_are_demangled() {
        for (mangled, name) in [
            ("_ZN8greeting5greet17h0123456789abcdefE", "greeting::greet"),
            (
                "_ZN8greeting5greet28_$u7b$$u7b$closure$u7d$$u7d$17h0123456789abcdefE",
                "greeting::greet",
            ),
            (
                "_RNvNtCsebHcaeoSrxy_3std7process4exit",
                "std::process::exit",
            ),
            ("{async_fn#0}", "async fn"),
            ("main.(*Kitchen).Bake", "main.(*Kitchen).Bake"),
        ] {
            assert_eq!(demangled(mangled), name);
        }
    }
}
