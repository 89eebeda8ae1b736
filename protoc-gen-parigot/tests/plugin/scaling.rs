//! Time that the plugin takes for ten times as large a `.proto`: about ten times as long.

use std::fmt::Write;
use std::time::Duration;

use cpu_time::ThreadTime;
use protoc_gen_parigot::{Request, generate};

use crate::protoc::request;

/// Allowed excess over ten times the time. Quadratic time would exceed it by a factor of ten.
const EXCESS_MAX: f64 = 1.6;

/// Number of attempts, because another process may disturb a measurement.
const ATTEMPTS: usize = 5;

fn of_count(count: usize, item: impl Fn(usize) -> String) -> String {
    (0..count).fold(String::new(), |mut text, number| {
        writeln!(text, "{}", item(number)).expect("writing to a String must succeed");
        text
    })
}

/// Returns the least CPU time of this thread over several runs.
fn cpu_time(request: &Request, runs: usize) -> Duration {
    let measure = |_| {
        let start = ThreadTime::now();
        generate(request).expect("the input must be valid");
        start.elapsed()
    };
    (0..runs).map(measure).min().expect("there must be a run")
}

fn check(count: usize, text: impl Fn(usize) -> String) {
    let parse = |count| {
        request(
            &[(
                "input.proto",
                &format!("syntax = \"proto3\";\n{}", text(count)),
            )],
            "",
        )
    };
    let small = parse(count);
    let large = parse(10 * count);
    let ratio = || cpu_time(&large, 1).div_duration_f64(cpu_time(&small, 3));
    let mut ratios = (0..ATTEMPTS).map(|_| ratio());
    let bound = 10.0 * EXCESS_MAX;
    let least = ratios.by_ref().find(|ratio| *ratio < bound);
    assert!(
        least.is_some(),
        "ten times as much takes more than {bound} times as long, {ATTEMPTS} times in a row"
    );
}

#[test]
fn time_is_linear_in_methods() {
    check(100, |count| {
        let methods = of_count(count, |number| {
            format!("rpc Do{number}(M{number}) returns (M0);")
        });
        let message = |number| {
            let next = (number * 7 + 1) % count;
            format!(
                "message M{number} {{ string a = 1; M{next} next = 2; map<string, int32> b = 3; \
                 oneof o {{ bytes c = 4; }} }}"
            )
        };
        format!("service S {{ {methods} }}\n{}", of_count(count, message))
    });
}

#[test]
fn time_is_linear_in_services() {
    check(100, |count| {
        format!(
            "message M {{}}\n{}",
            of_count(count, |number| format!(
                "service S{number} {{ rpc A(M) returns (M); }}"
            ))
        )
    });
}

#[test]
fn time_is_linear_in_fields_and_values() {
    check(200, |count| {
        let fields = of_count(count, |number| {
            format!("optional string f{number} = {};", number + 1)
        });
        let values = of_count(count, |number| format!("V{number} = {number};"));
        let variants = of_count(count, |number| format!("int32 g{number} = {};", number + 1));
        format!(
            "message M {{ {fields} }}\nenum E {{ {values} }}\nmessage O {{ oneof o {{ {variants} \
             }} }}"
        )
    });
}

#[test]
fn time_is_linear_in_nested_messages() {
    check(200, |count| {
        let chain = of_count(count, |number| {
            format!("message C{number} {{ C{} next = 1; }}", number + 1)
        });
        let ring = of_count(count, |number| {
            format!(
                "message R{number} {{ R{} next = 1; }}",
                (number + 1) % count
            )
        });
        let next = |number| {
            format!(
                "message D{number} {{ D{} left = 1; D{} right = 2; }}",
                number + 1,
                number + 1
            )
        };
        format!(
            "{chain} message C{count} {{}}\n{ring}\n{} message D{count} {{}}",
            of_count(count, next)
        )
    });
}

#[test]
fn time_is_linear_in_comments() {
    check(500, |count| {
        format!(
            "{}message M {{}}",
            of_count(count, |_| "// ```\n// <b> [a](b)\n// ```\n//\n//     c\n//"
                .to_owned())
        )
    });
}
