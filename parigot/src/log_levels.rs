//! Value of `--log-level`: the lowest level to log, for all guests and for single ones.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use tracing::level_filters::LevelFilter;

/// The lowest levels to log: `info,links=debug`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogLevels {
    /// Level of the host and of guests that are not in `guests`.
    others: LevelFilter,
    /// Levels of single guests, by name.
    guests: BTreeMap<String, LevelFilter>,
}

impl LogLevels {
    /// One level for all lines.
    pub(crate) const fn all(level: LevelFilter) -> Self {
        LogLevels {
            others: level,
            guests: BTreeMap::new(),
        }
    }

    /// Returns the level of a guest's lines; `None` stands for lines of the host.
    pub(crate) fn of(&self, guest: Option<&str>) -> LevelFilter {
        guest
            .and_then(|guest| self.guests.get(guest))
            .copied()
            .unwrap_or(self.others)
    }

    /// Returns the level that lets each line pass which [`LogLevels::of`] lets pass.
    pub(crate) fn lowest(&self) -> LevelFilter {
        let all = self.guests.values().copied().chain([self.others]);
        all.max().unwrap_or(self.others)
    }
}

impl FromStr for LogLevels {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut levels = LogLevels::all(LevelFilter::INFO);
        let mut has_level = false;
        for part in text.split(',').map(str::trim) {
            match part.split_once('=') {
                Some((guest, level)) => {
                    let level = parse(level.trim())?;
                    let guest = guest.trim().to_owned();
                    if levels.guests.insert(guest.clone(), level).is_some() {
                        return Err(format!("`{guest}` has two levels"));
                    }
                }
                None if has_level => {
                    return Err("two levels without a guest: write `info,links=debug`".to_owned());
                }
                None => {
                    levels.others = parse(part)?;
                    has_level = true;
                }
            }
        }
        Ok(levels)
    }
}

impl fmt::Display for LogLevels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.others)?;
        let mut guests = self.guests.iter();
        guests.try_for_each(|(guest, level)| write!(f, ",{guest}={level}"))
    }
}

fn parse(level: &str) -> Result<LevelFilter, String> {
    // `LevelFilter` also parses numbers and capitals, and an empty text.
    ["off", "error", "warn", "info", "debug", "trace"]
        .contains(&level)
        .then(|| level.parse().ok())
        .flatten()
        .ok_or_else(|| {
            format!("`{level}` is not a level: write off, error, warn, info, debug or trace")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_can_have_a_level_of_its_own() {
        let levels: LogLevels = "warn,links=debug, shop = off".parse().unwrap();
        assert_eq!(levels.of(None), LevelFilter::WARN);
        assert_eq!(levels.of(Some("other")), LevelFilter::WARN);
        assert_eq!(levels.of(Some("links")), LevelFilter::DEBUG);
        assert_eq!(levels.of(Some("shop")), LevelFilter::OFF);
        assert_eq!(levels.lowest(), LevelFilter::DEBUG);
        assert_eq!(levels.to_string().parse(), Ok(levels));
    }

    #[test]
    fn guests_alone_leave_the_others_at_info() {
        let levels: LogLevels = "links=trace".parse().unwrap();
        assert_eq!(levels.of(Some("other")), LevelFilter::INFO);
    }

    #[test]
    fn errors_name_the_part() {
        for (text, error) in [
            ("loud", "`loud` is not a level"),
            ("", "`` is not a level"),
            ("info,links=5", "`5` is not a level"),
            ("info,debug", "two levels without a guest"),
            ("a=info,a=debug", "`a` has two levels"),
        ] {
            let told = text.parse::<LogLevels>().unwrap_err();
            assert!(told.starts_with(error), "{text}: {told}");
        }
    }
}
