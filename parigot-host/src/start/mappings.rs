//! Limit on the instances of a process, derived from the limit on memory mappings.
//!
//! Linux limits a process to `vm.max_map_count` mappings. The first mapping beyond the limit fails:
//! a guest's memory, a thread's stack or a large block of the host, and such a failure ends the
//! process. Therefore the mappings are counted before the start.

use crate::deployment::GuestSpec;
use crate::error::StartProblem;

/// Mappings per instance: the memory before, within and behind its initial content, and the space
/// that the memory may grow into.
const PER_INSTANCE: usize = 4;

/// Mappings reserved for the host: threads, large blocks and the code of modules.
const RESERVED: usize = 2_000;

/// Checks that all instances fit.
///
/// # Errors
///
/// With the first guest whose instances exceed the limit.
pub(crate) fn check(guests: &[GuestSpec]) -> Result<(), StartProblem> {
    let Some((used, most)) = used_and_most() else {
        return Ok(());
    };
    let fit = instances_that_fit(used, most);
    let instances = |guests: &[GuestSpec]| {
        guests
            .iter()
            .map(|guest| guest.replicas as usize)
            .sum::<usize>()
    };
    match (0..guests.len()).find(|last| instances(&guests[..=*last]) > fit) {
        Some(last) => Err(StartProblem::Mappings {
            guest: guests[last].name.clone(),
            guests: instances(guests),
            fit,
            most,
        }),
        None => Ok(()),
    }
}

/// Returns the number of instances that fit into a process with `used` of at most `most` mappings.
fn instances_that_fit(used: usize, most: usize) -> usize {
    most.saturating_sub(used + RESERVED) / PER_INSTANCE
}

/// Returns the number of mappings of this process and the limit; `None` on systems without these
/// numbers.
#[cfg(target_os = "linux")]
fn used_and_most() -> Option<(usize, usize)> {
    let used = std::fs::read_to_string("/proc/self/maps")
        .ok()?
        .lines()
        .count();
    let most = std::fs::read_to_string("/proc/sys/vm/max_map_count")
        .ok()?
        .trim()
        .parse()
        .ok()?;
    Some((used, most))
}

#[cfg(not(target_os = "linux"))]
fn used_and_most() -> Option<(usize, usize)> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings_of_the_host_are_reserved() {
        assert_eq!(instances_that_fit(130, 65_530), 15_850);
        assert_eq!(instances_that_fit(RESERVED, RESERVED), 0);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_numbers_come_from_the_system() {
        let (used, most) = used_and_most().expect("Linux must report both numbers");
        assert!(0 < used && used < most, "{used} of {most}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_first_guest_that_does_not_fit_is_named() {
        use crate::deployment::Deployment;
        let (_, most) = used_and_most().expect("Linux must report both numbers");
        let fits = instances_that_fit(0, most);
        let text = "manifest_version = 1\n[program.a]\nwasm = 'a.wasm'";
        let mut guests = Deployment::parse(text, "app.toml".as_ref())
            .expect("the file must be accepted")
            .guests;
        check(&guests).expect("one instance must fit");
        guests.resize(fits + 1, guests[0].clone());
        let problem =
            check(&guests).expect_err("the instances must not fit, even in an empty process");
        assert!(problem.to_string().contains("memory mappings"), "{problem}");
    }
}
