//! The format of `tests/abi/vectors.txt`.

use core::fmt::Debug;

/// A case `[what] title` of the file, with its fields in order.
pub(super) struct Case {
    pub(super) what: String,
    pub(super) title: String,
    pub(super) fields: Vec<(String, String)>,
}

impl Case {
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.fields
            .iter()
            .filter(move |(field, _)| field == name)
            .map(|(_, value)| value.as_str())
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    pub(super) fn number<N: TryFrom<u64, Error: Debug>>(&self, name: &str) -> N {
        number(self.text(name).unwrap_or("0"))
    }

    pub(super) fn hex(&self, name: &str) -> Vec<u8> {
        hex(&self.all(name).collect::<String>())
    }

    /// Returns the wire form of an id; (0, 0) if the field is absent.
    pub(super) fn id(&self, name: &str) -> (u64, u64) {
        let Some((high, low)) = self.text(name).map(|text| text.split_once(' ').unwrap()) else {
            return (0, 0);
        };
        (
            u64::from_str_radix(high, 16).unwrap(),
            u64::from_str_radix(low, 16).unwrap(),
        )
    }

    pub(super) fn pairs(&self, name: &str) -> Vec<(&str, &str)> {
        self.all(name)
            .map(|pair| pair.split_once('=').unwrap())
            .collect()
    }
}

pub(super) fn number<N: TryFrom<u64, Error: Debug>>(text: &str) -> N {
    text.parse::<u64>().unwrap().try_into().unwrap()
}

pub(super) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text
        .chars()
        .filter(|c| *c != ' ')
        .map(|c| c.to_digit(16).unwrap())
        .collect();
    digits
        .chunks(2)
        .map(|pair| (pair[0] << 4 | pair[1]) as u8)
        .collect()
}

pub(super) fn cases() -> Vec<Case> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/abi/vectors.txt");
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut cases: Vec<Case> = Vec::new();
    for line in text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        if let Some((what, title)) = line
            .strip_prefix('[')
            .and_then(|line| line.split_once("] "))
        {
            cases.push(Case {
                what: what.into(),
                title: title.into(),
                fields: Vec::new(),
            });
        } else {
            let (name, value) = line.split_once('=').unwrap();
            cases
                .last_mut()
                .unwrap()
                .fields
                .push((name.trim().into(), value.trim().into()));
        }
    }
    cases
}

/// Runs `check` on each case of that kind. There must be at least one.
pub(super) fn each(what: &str, check: impl Fn(&Case)) {
    let cases = cases();
    let mut found = cases.iter().filter(|case| case.what == what).peekable();
    assert!(found.peek().is_some(), "the vectors must contain [{what}]");
    for case in found {
        println!("[{what}] {}", case.title);
        check(case);
    }
}
