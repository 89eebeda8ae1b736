//! Length of functions.

use crate::checkout::Checkout;
use crate::lexer::{Kind, Language, Token, lex};
use crate::violation::Violation;

/// Lines that a function may have, from its keyword to its closing brace.
const LINES_MAX: usize = 60;

/// Finds functions of Rust and Go, tests among them, with more than [`LINES_MAX`] lines.
pub(super) fn check(checkout: &Checkout) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (file, text) in checkout.code() {
        let language = Language::of(file);
        for function in functions(&lex(text, language).tokens, language) {
            if function.lines > LINES_MAX {
                let Function { name, line, lines } = function;
                let message =
                    format!("function `{name}` has {lines} lines, at most {LINES_MAX} are allowed");
                violations.push(Violation::new(file, line, message));
            }
        }
    }
    violations
}

struct Function<'a> {
    name: &'a str,
    line: usize,
    lines: usize,
}

/// Returns all functions with a body: named ones in Rust, declarations in Go.
fn functions<'a>(tokens: &[Token<'a>], language: Language) -> Vec<Function<'a>> {
    let keyword = if language == Language::Go {
        "func"
    } else {
        "fn"
    };
    let starts = (0..tokens.len()).filter(|&at| tokens[at].is(keyword));
    starts
        .filter_map(|at| function(&tokens[at..], language))
        .collect()
}

/// Measures the function whose keyword is the first of `tokens`.
fn function<'a>(tokens: &[Token<'a>], language: Language) -> Option<Function<'a>> {
    let name = name(tokens, language)?;
    let mut depth = 0_usize;
    let mut in_body = false;
    let mut previous = &tokens[0];
    for token in tokens {
        // The opening brace ends the line of a signature in Go, otherwise assembly has the body.
        if language == Language::Go && depth == 0 && token.line > previous.line {
            return None;
        }
        let is_type = previous.is("interface") || previous.is("struct");
        match token.text {
            _ if token.kind != Kind::Punct => {}
            "{" if depth == 0 && !is_type => {
                in_body = true;
                depth += 1;
            }
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.checked_sub(1)?,
            ";" if depth == 0 => return None,
            _ => {}
        }
        if in_body && depth == 0 {
            let line = tokens[0].line;
            return Some(Function {
                name,
                line,
                lines: token.line - line + 1,
            });
        }
        previous = token;
    }
    None
}

/// Returns the name after the keyword; in Go after the receiver, in Rust none for a pointer type.
fn name<'a>(tokens: &[Token<'a>], language: Language) -> Option<&'a str> {
    let mut at = 1;
    if language == Language::Go && tokens.get(at)?.is("(") {
        at += tokens[at..].iter().position(|token| token.is(")"))? + 1;
    }
    let name = tokens.get(at)?;
    (name.kind == Kind::Ident).then_some(name.text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(file: &str, text: &str) -> Vec<usize> {
        check(&Checkout::of(&[(file, text)]))
            .iter()
            .map(|violation| violation.line)
            .collect()
    }

    #[test]
    fn accepts_60_lines() {
        let body = "x();\n".repeat(58);
        assert_eq!(
            places("a.rs", &format!("fn f(g: fn(), a: [u8; 2]) {{\n{body}}}\n")),
            []
        );
        assert_eq!(
            places("a.go", &format!("func (s *S) f() {{\n{body}}}\n")),
            []
        );
    }

    #[test]
    fn skips_go_functions_without_a_body() {
        let body = "x()\n".repeat(58);
        let go = format!("func a(x int)\n\nfunc b() interface{{}} {{\n{body}}}\n");
        assert_eq!(places("a.go", &go), []);
    }

    #[test]
    fn reports_61_lines() {
        let body = "let x = \"}\";\n".repeat(59);
        let rust = format!("trait T {{ fn a(); }}\n#[test]\nfn f() {{\n{body}}}\n");
        assert_eq!(places("a.rs", &rust), [3]);
        assert_eq!(
            places("a.go", &format!("\nfunc (s *S) f() {{\n{body}}}\n")),
            [2]
        );
    }
}
