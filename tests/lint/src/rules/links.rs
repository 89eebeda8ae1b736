//! Links in Markdown, and the table of contents of each mdBook.

use std::collections::BTreeMap;

use crate::checkout::Checkout;
use crate::markdown::{Document, Link};
use crate::violation::Violation;

/// Finds links that lead nowhere, includes without a file, and pages that no `SUMMARY.md` lists.
pub(super) fn check(checkout: &Checkout) -> Vec<Violation> {
    let files = checkout.ending(&[".md"]);
    let documents: BTreeMap<&str, Document> = files
        .map(|(file, text)| (file, Document::parse(text)))
        .collect();
    let mut violations = Vec::new();
    for (&file, document) in &documents {
        let mut report = |line, message| violations.push(Violation::new(file, line, message));
        for Link { line, target } in &document.undefined {
            report(
                *line,
                format!("reference [{target}] is not defined, expected a definition"),
            );
        }
        for Link { line, target } in &document.links {
            if let Err(message) = resolve(checkout, &documents, file, target) {
                report(*line, format!("link to \"{target}\": {message}"));
            }
        }
        for (line, message) in bad_includes(checkout, file) {
            report(line, message);
        }
    }
    violations.extend(unlisted_pages(checkout, &documents));
    violations
}

/// Checks one link of `file`.
fn resolve(
    checkout: &Checkout,
    documents: &BTreeMap<&str, Document>,
    file: &str,
    target: &str,
) -> Result<(), String> {
    if target.is_empty() {
        return Err("the target is empty, expected a path".to_owned());
    }
    if target.starts_with('/') || target.starts_with("file:") {
        return Err("the path is absolute, expected a relative path".to_owned());
    }
    if has_scheme(target) {
        return Ok(());
    }
    let decoded = decode(target);
    let (relative, anchor) = decoded.split_once('#').unwrap_or((&decoded, ""));
    let path = if relative.is_empty() {
        file.to_owned()
    } else {
        join(file, relative)?
    };
    if !checkout.contains(&path) {
        return Err(format!(
            "{path} is not a tracked file, expected one that is"
        ));
    }
    if anchor.is_empty() {
        return Ok(());
    }
    match documents.get(path.as_str()) {
        Some(document) if document.anchors.contains(anchor) => Ok(()),
        Some(_) => Err(format!("{path} has no heading with the anchor #{anchor}")),
        None => check_line(checkout, &path, anchor),
    }
}

/// Checks an anchor such as `L10` or `L10-L20` in a file that is not Markdown.
fn check_line(checkout: &Checkout, path: &str, anchor: &str) -> Result<(), String> {
    let lines = checkout
        .files
        .get(path)
        .map_or(0, |text| text.lines().count());
    let is_in_file = anchor.split('-').all(|part| {
        let number = part
            .strip_prefix('L')
            .and_then(|number| number.parse::<usize>().ok());
        number.is_some_and(|number| (1..=lines).contains(&number))
    });
    if is_in_file {
        return Ok(());
    }
    Err(format!(
        "{path} has {lines} lines, expected an anchor #L1 to #L{lines}"
    ))
}

/// Recognises targets such as `https://…` and `mailto:…`.
fn has_scheme(target: &str) -> bool {
    target.split_once(':').is_some_and(|(scheme, _)| {
        // One letter would be a drive of Windows.
        scheme.len() > 1
            && scheme
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '+')
    })
}

/// Replaces `%20` and the like by the characters they stand for.
fn decode(target: &str) -> String {
    let mut bytes = Vec::with_capacity(target.len());
    let mut rest = target.as_bytes();
    while let [first, after @ ..] = rest {
        let digits = after
            .get(..2)
            .and_then(|digits| str::from_utf8(digits).ok());
        let code = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match code {
            Some(code) if *first == b'%' => {
                bytes.push(code);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Resolves `path` against the folder of `file`.
fn join(file: &str, path: &str) -> Result<String, String> {
    let mut parts: Vec<&str> = file.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.pop().is_none() => {
                return Err("the path leaves the checkout".to_owned());
            }
            ".." => {}
            _ => parts.push(part),
        }
    }
    Ok(parts.join("/"))
}

/// Finds `{{#include …}}` of an mdBook whose file or named section does not exist.
fn bad_includes(checkout: &Checkout, file: &str) -> Vec<(usize, String)> {
    let mut bad = Vec::new();
    for (number, line) in (1..).zip(checkout.files[file].lines()) {
        for start in ["{{#include ", "{{#rustdoc_include "] {
            let Some((before, after)) = line.split_once(start) else {
                continue;
            };
            let target = after.split("}}").next().unwrap_or_default().trim();
            let found = include(checkout, file, target);
            if let (Err(message), false) = (found, before.ends_with('\\')) {
                bad.push((number, format!("include of \"{target}\": {message}")));
            }
        }
    }
    bad
}

/// Checks an include such as `main.rs`, `main.rs:2:5` or `main.rs:section`.
fn include(checkout: &Checkout, file: &str, target: &str) -> Result<(), String> {
    let (relative, section) = target.split_once(':').unwrap_or((target, ""));
    let path = join(file, relative)?;
    let Some(text) = checkout.files.get(&path) else {
        return Err(format!(
            "{path} is not a tracked file, expected one that is"
        ));
    };
    let is_range = section
        .split(':')
        .all(|part| part.parse::<usize>().is_ok() || part.is_empty());
    let mark = format!("ANCHOR: {section}");
    if is_range || text.lines().any(|line| line.trim_end().ends_with(&mark)) {
        return Ok(());
    }
    Err(format!("{path} has no line that ends with \"{mark}\""))
}

/// Finds pages of an mdBook that its `SUMMARY.md` does not list.
fn unlisted_pages(checkout: &Checkout, documents: &BTreeMap<&str, Document>) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (book, settings) in checkout.ending(&["book.toml"]) {
        let source = join(book, source_folder(settings)).unwrap_or_default();
        let summary = format!("{source}/SUMMARY.md");
        let Some(contents) = documents.get(summary.as_str()) else {
            violations.push(Violation::new(book, 1, format!("{summary} is missing")));
            continue;
        };
        let listed: Vec<String> = contents
            .links
            .iter()
            .filter_map(|link| join(&summary, link.target.split('#').next()?).ok())
            .collect();
        for &page in documents.keys() {
            let is_page = page.starts_with(&format!("{source}/")) && page != summary;
            if is_page && !listed.iter().any(|listed| listed == page) {
                let message = format!("the page is not listed, expected an entry in {summary}");
                violations.push(Violation::new(page, 1, message));
            }
        }
    }
    violations
}

/// Returns the folder of the pages that `book.toml` sets.
fn source_folder(settings: &str) -> &str {
    let value = settings.lines().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        (key.trim() == "src").then(|| value.trim().trim_matches('"'))
    });
    value.unwrap_or("src")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(files: &[(&str, &str)]) -> Vec<String> {
        let violations = check(&Checkout::of(files));
        violations
            .into_iter()
            .map(|v| format!("{}:{} {}", v.file, v.line, v.message))
            .collect()
    }

    #[test]
    fn accepts_files_folders_anchors_and_web_links() {
        let a = "# A b\n[x](#a-b) [x](docs/) [x](docs/c%20d.md#e) [x](https://a.b/#c) [f]\n\
                 [x](main.rs#L1-L2)\n\n[f]: docs\n";
        let c = "# E\n[x](../a.md#a-b) [x](mailto:a@b.c)\n";
        let main = "fn main() {\n}\n";
        let files = [("a.md", a), ("docs/c d.md", c), ("main.rs", main)];
        assert_eq!(messages(&files), [""; 0]);
    }

    #[test]
    fn reports_links_that_lead_nowhere() {
        let bad = [
            "[x](b.md)",
            "[x](#b)",
            "[x](../a.md)",
            "[x](/a.md)",
            "[x](file:///a.md)",
            "[x]()",
            "[x][y]",
            "[x](main.rs#L3)",
            "<a href=\"b.md\">x</a>",
        ];
        for link in bad {
            let text = format!("# A\n\n{link}\n");
            let messages = messages(&[("a.md", &text), ("main.rs", "\n\n")]);
            assert_eq!(messages.len(), 1, "{link} must be reported");
            assert!(
                messages[0].starts_with("a.md:3 "),
                "{} must name line 3",
                messages[0]
            );
        }
    }

    #[test]
    fn accepts_a_book_that_lists_its_pages() {
        let files = [
            ("docs/book.toml", "[book]\nsrc = \"text\"\n"),
            ("docs/text/SUMMARY.md", "- [A](a.md)\n  - [B](b/c.md)\n"),
            (
                "docs/text/a.md",
                "{{#include ../../x.rs:part}}\n\\{{#include y}}\n",
            ),
            ("docs/text/b/c.md", "{{#include ../../../x.rs:1:2}}\n"),
            ("x.rs", "// ANCHOR: part\n"),
        ];
        assert_eq!(messages(&files), [""; 0]);
    }

    #[test]
    fn reports_unlisted_pages_and_bad_includes() {
        let files = [
            ("docs/book.toml", ""),
            ("docs/src/SUMMARY.md", "- [A](a.md)\n- [C](c.md)\n"),
            ("docs/src/a.md", "{{#include ../x.rs:part}}\n"),
            ("docs/src/b.md", "{{#include y.rs}}\n"),
            ("docs/x.rs", ""),
        ];
        assert_eq!(messages(&files).len(), 4);
    }
}
