//! Status of a peer as last reported to the importer.
//!
//! [`PeerStatus::next`] implements this table:
//!
//! | schema | stage | `Unknown` | `Found` | `Leaving` |
//! |---|---|---|---|---|
//! | not compatible | any | – | lost → `Unknown` | lost → `Unknown` |
//! | compatible | leaving | – | leaving → `Leaving` | – |
//! | compatible | ready | found → `Found` | – | found → `Found` |

/// Status of a peer as last reported to the importer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PeerStatus {
    Unknown,
    Found,
    Leaving,
}

/// Change of a peer's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Found,
    Leaving,
    Lost,
}

impl PeerStatus {
    /// Returns the change that a peer's state requires, if any; see the table in the module
    /// documentation.
    pub(super) fn next(self, is_compatible: bool, is_leaving: bool) -> Option<Change> {
        match (is_compatible, is_leaving, self) {
            (false, _, PeerStatus::Unknown) => None,
            (false, _, PeerStatus::Found | PeerStatus::Leaving) => Some(Change::Lost),
            (true, true, PeerStatus::Found) => Some(Change::Leaving),
            (true, true, PeerStatus::Unknown | PeerStatus::Leaving) => None,
            (true, false, PeerStatus::Found) => None,
            (true, false, PeerStatus::Unknown | PeerStatus::Leaving) => Some(Change::Found),
        }
    }
}

impl Change {
    /// Returns the status after the change.
    pub(super) fn status(self) -> PeerStatus {
        match self {
            Change::Found => PeerStatus::Found,
            Change::Leaving => PeerStatus::Leaving,
            Change::Lost => PeerStatus::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_changes_as_in_the_table() {
        use PeerStatus::{Found, Leaving, Unknown};
        // Compatible, leaving, status before, change, status after.
        let table = [
            (false, false, Unknown, None, Unknown),
            (false, true, Unknown, None, Unknown),
            (false, false, Found, Some(Change::Lost), Unknown),
            (false, true, Found, Some(Change::Lost), Unknown),
            (false, false, Leaving, Some(Change::Lost), Unknown),
            (false, true, Leaving, Some(Change::Lost), Unknown),
            (true, true, Unknown, None, Unknown),
            (true, true, Found, Some(Change::Leaving), Leaving),
            (true, true, Leaving, None, Leaving),
            (true, false, Unknown, Some(Change::Found), Found),
            (true, false, Found, None, Found),
            (true, false, Leaving, Some(Change::Found), Found),
        ];
        for (is_compatible, is_leaving, before, change, after) in table {
            let row = (is_compatible, is_leaving, before);
            assert_eq!(before.next(is_compatible, is_leaving), change, "{row:?}");
            assert_eq!(change.map_or(before, Change::status), after, "{row:?}");
        }
    }
}
