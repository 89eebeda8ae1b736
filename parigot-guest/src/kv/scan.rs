//! Scans: entries page by page.

use alloc::collections::VecDeque;
use alloc::string::String;
use core::fmt;

use super::v1::{Entry, ScanRequest};
use super::{KvClient, KvErr};
use crate::error::CallError;

/// Entries whose keys begin with a prefix, in the order of keys.
///
/// ```no_run
/// # async fn test(kv: parigot_guest::kv::Kv) -> Result<(), parigot_guest::Error> {
/// let mut users = kv.scan("user/").keys_only();
/// while let Some(user) = users.next().await? {
///     println!("{}", user.key);
/// }
/// # Ok(())
/// # }
/// ```
///
/// Pages are not one snapshot. An entry that exists during the whole scan is returned exactly once.
pub struct Scan {
    client: KvClient,
    /// Request for the next page.
    request: ScanRequest,
    page: VecDeque<Entry>,
    is_last: bool,
}

impl Scan {
    pub(super) fn new(client: KvClient, prefix: String) -> Self {
        Scan {
            client,
            request: ScanRequest {
                prefix,
                ..ScanRequest::default()
            },
            page: VecDeque::new(),
            is_last: false,
        }
    }

    /// Omits the values.
    #[must_use]
    pub fn keys_only(mut self) -> Self {
        self.request.keys_only = true;
        self
    }

    /// Reads in the descending order of keys.
    #[must_use]
    pub fn descending(mut self) -> Self {
        self.request.descending = true;
        self
    }

    /// Sets the largest number of entries in a page: 1 to 1,000. The default is 100.
    #[must_use]
    pub fn page_entries(mut self, entries: u32) -> Self {
        self.request.limit = entries;
        self
    }

    /// Returns the next entry, or `None` at the end.
    ///
    /// # Errors
    ///
    /// The error of the call that reads a page. A later call of this method reads the page again.
    pub async fn next(&mut self) -> Result<Option<Entry>, CallError<KvErr>> {
        while self.page.is_empty() && !self.is_last {
            let page = self.client.scan(self.request.clone()).await?;
            self.is_last = page.next_page_token.is_empty();
            self.request.page_token = page.next_page_token;
            self.page = page.entries.into();
        }
        Ok(self.page.pop_front())
    }
}

impl fmt::Debug for Scan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scan")
            .field("prefix", &self.request.prefix)
            .finish_non_exhaustive()
    }
}
