//! The vectors of ids.

use parigot_abi::id::{Call, Host, Id, IdError, IdType, Instance, Method, Service};

use super::case::{Case, each};

#[derive(Debug)]
enum Q {}
impl IdType for Q {
    const NAME: &'static str = "QId";
    const PREFIX: &'static str = "q";
}

#[derive(Debug)]
enum Z90 {}
impl IdType for Z90 {
    const NAME: &'static str = "Z90Id";
    const PREFIX: &'static str = "z90";
}

/// Calls a generic function with the id type of the case's prefix.
macro_rules! with_id_type {
    ($check:ident, $case:expr) => {
        match $case.text("prefix").unwrap() {
            "hst" => $check::<Host>($case),
            "svc" => $check::<Service>($case),
            "mth" => $check::<Method>($case),
            "cal" => $check::<Call>($case),
            "ins" => $check::<Instance>($case),
            "q" => $check::<Q>($case),
            "z90" => $check::<Z90>($case),
            prefix => panic!("unknown prefix: {prefix}"),
        }
    };
}

#[test]
fn ids() {
    fn check<T: IdType>(case: &Case) {
        let random = u128::from_str_radix(case.text("random").unwrap(), 16).unwrap();
        check_id(case, Id::<T>::from_random(random));
    }
    each("id", |case| with_id_type!(check, case));
}

#[test]
fn constant_ids() {
    fn check<T: IdType>(case: &Case) {
        check_id(
            case,
            if case.text("zero").is_some() {
                Id::<T>::ZERO
            } else {
                Id::EMPTY
            },
        );
    }
    each("constant id", |case| with_id_type!(check, case));
}

fn check_id<T: IdType>(case: &Case, id: Id<T>) {
    assert_eq!(id.to_string(), case.text("text").unwrap());
    assert_eq!(id.short().to_string(), case.text("short").unwrap());
    assert_eq!(id.to_wire(), case.id("wire"));
    assert_eq!(id.is_zero(), case.text("zero").is_some());
    assert_eq!(id.is_empty(), case.text("empty").is_some());

    let (high, low) = case.id("wire");
    for read in [
        case.text("text").unwrap().parse::<Id<T>>().unwrap(),
        Id::from_wire(high, low).unwrap(),
    ] {
        assert_eq!(read.key(), id.key());
        assert_eq!(read, id);
    }
}

#[test]
fn bad_ids() {
    fn check<T: IdType>(case: &Case) {
        let (high, low) = case.id("wire");
        let read = case
            .text("text")
            .map_or_else(|| Id::<T>::from_wire(high, low), str::parse);
        let error = match read.unwrap_err() {
            IdError::WrongType { expected, prefix } => {
                assert_eq!((expected, prefix), (T::NAME, T::PREFIX));
                "type".into()
            }
            IdError::WrongLength { found } => format!("length {found}"),
            IdError::WrongDigit { found, at } => {
                assert_eq!(case.text("text").unwrap().chars().nth(at), Some(found));
                format!("digit {at}")
            }
            IdError::WrongCheck => "check".into(),
            other => panic!("unknown error: {other:?}"),
        };
        assert_eq!(error, case.text("error").unwrap());
    }
    each("bad id", |case| with_id_type!(check, case));
}
