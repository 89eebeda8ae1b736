//! Listeners for clients from outside, in a build with the feature `edge`.

#[cfg(feature = "edge")]
pub(crate) use parigot_edge::bind;

#[cfg(not(feature = "edge"))]
pub(crate) use self::absent::bind;

/// Replacement of the edge: refuses deployments with an edge.
#[cfg(not(feature = "edge"))]
mod absent {
    use std::fmt;

    use miette::Diagnostic;
    use parigot_host::deployment::Deployment;
    use parigot_host::{Running, ThreadError};

    /// Error of a deployment with edges in a command built without them.
    #[derive(Debug, Diagnostic)]
    #[diagnostic(help("build it with the feature `edge`, which is one of its defaults"))]
    pub(crate) struct NoEdge;

    impl fmt::Display for NoEdge {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("this parigot cannot listen for clients: it was built without edges")
        }
    }

    impl std::error::Error for NoEdge {}

    /// No listeners.
    pub(crate) struct Listeners;

    /// No edges.
    pub(crate) struct Edge;

    pub(crate) fn bind(deployment: &Deployment) -> Result<Listeners, NoEdge> {
        match deployment.edges.is_empty() {
            true => Ok(Listeners),
            false => Err(NoEdge),
        }
    }

    impl Listeners {
        pub(crate) fn serve(self, _running: &mut Running) -> Result<Edge, ThreadError> {
            Ok(Edge)
        }
    }

    impl Edge {
        pub(crate) fn close(self) {}
    }
}
