//! One round of one contender that runs on tokio: `bench-tokio CONTENDER CALLS SIZE IN_FLIGHT
//! timed|untimed`.
//!
//! Each has a service that echoes the payload. All use the message and the codec (prost) of the
//! guests, and a runtime with a worker for each core that the process may use, as our host does.

mod actor;
mod call;
mod tonic;

use bench_meter::Case;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let measured = match args
        .split_first()
        .and_then(|(name, case)| Some((name.as_str(), Case::from_args(case)?)))
    {
        Some(("actor", case)) => actor::round(case),
        Some(("tonic-memory", case)) => tonic::in_memory(case),
        Some(("tonic-unix", case)) => tonic::over_unix_socket(case),
        _ => panic!("expected actor, tonic-memory or tonic-unix, and a case, found {args:?}"),
    };
    println!("{measured}");
}
