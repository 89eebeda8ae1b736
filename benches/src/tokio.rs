//! The references that run on tokio: the program `bench-tokio`, a process for each round.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use bench_meter::{Case, Measured};

use crate::host;

/// The built program.
pub(crate) struct Tokio {
    program: PathBuf,
}

/// The service that is called.
#[derive(Clone, Copy)]
pub(crate) enum Contender {
    Actor,
    TonicInMemory,
    TonicOverUnixSocket,
}

impl Tokio {
    pub(crate) fn build() -> Self {
        Tokio {
            program: host::cargo_build("tokio", None).join("bench-tokio"),
        }
    }

    /// Runs one round of the case.
    pub(crate) fn round(&self, contender: Contender, case: Case) -> Measured {
        let name = match contender {
            Contender::Actor => "actor",
            Contender::TonicInMemory => "tonic-memory",
            Contender::TonicOverUnixSocket => "tonic-unix",
        };
        let output = Command::new(&self.program)
            .arg(name)
            .args(case.to_args())
            .stderr(Stdio::inherit())
            .output();
        let output = output.expect("the built program must run");
        assert!(output.status.success(), "{name} has failed");
        String::from_utf8_lossy(&output.stdout)
            .trim()
            .parse()
            .expect("the program must print its result")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_contender_gets_its_answers() {
        let tokio = Tokio::build();
        for contender in [
            Contender::Actor,
            Contender::TonicInMemory,
            Contender::TonicOverUnixSocket,
        ] {
            for in_flight in [1, 4] {
                let measured = tokio.round(
                    contender,
                    Case {
                        size: 1_000,
                        in_flight,
                        calls: 64,
                        timed: true,
                    },
                );
                assert!(
                    measured.p99_ns >= measured.p50_ns && measured.p50_ns > 0.0,
                    "{measured:?}"
                );
            }
        }
    }
}
