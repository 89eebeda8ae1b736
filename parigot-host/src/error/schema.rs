//! Incompatible schemas of a client and an exporter.

/// Reasons for a client that does not fit an exporter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// The hashes differ, and a guest has no descriptors.
    #[error("their schema hashes differ, and `{guest}` does not say what is in its schema")]
    Undescribed {
        /// Name of the guest in the deployment.
        guest: String,
    },
    /// The descriptors of a guest are invalid.
    #[error("the descriptors of `{guest}` cannot be used: {problem}")]
    Unusable {
        /// Name of the guest in the deployment.
        guest: String,
        /// Problem of the descriptors.
        problem: String,
    },
    /// Some methods or fields do not fit.
    #[error("{}", differences.join("\n"))]
    Differences {
        /// Differences, one line each, in the order of the client's schema.
        differences: Vec<String>,
    },
}
