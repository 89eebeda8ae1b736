//! Guarantees of ids: one text form that can be copied, and detection of typing errors.

use std::collections::{BTreeSet, HashSet};

use parigot_abi::id::{CallId, HostId, Id, IdError, InstanceId, MethodId, ServiceId};

const ALPHABET: &str = "0123456789abcdefghjkmnpqrstvwxyz";

/// Returns ids with mixed payloads and with single bits.
fn samples() -> Vec<ServiceId> {
    let weyl = |k: u128| k.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    let mixed = (1..200).map(|k| weyl(k) ^ weyl(k).rotate_left(47));
    let single_bits = (0..112).map(|bit| 1 << bit);
    mixed
        .chain(single_bits)
        .map(ServiceId::from_random)
        .chain([ServiceId::EMPTY])
        .collect()
}

/// Replaces the character at byte `at`.
fn with_digit(text: &str, at: usize, digit: char) -> String {
    format!("{}{digit}{}", &text[..at], &text[at + 1..])
}

#[test]
fn id_text_round_trips() {
    for id in samples() {
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.to_string().len(), 28);
    }
}

#[test]
fn the_wire_form_round_trips() {
    for id in samples() {
        let (high, low) = id.to_wire();
        assert_eq!(ServiceId::from_wire(high, low), Ok(id));
    }
}

#[test]
fn an_id_of_another_type_is_an_error() {
    let instance = InstanceId::from_random(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
    let wrong_type = IdError::WrongType {
        expected: "ServiceId",
        prefix: "svc",
    };
    assert_eq!(instance.to_string().parse::<ServiceId>(), Err(wrong_type));
    let (high, low) = instance.to_wire();
    assert_eq!(ServiceId::from_wire(high, low), Err(wrong_type));
}

#[test]
fn every_wrong_digit_is_detected() {
    for id in samples() {
        let text = id.to_string();
        for at in 4..text.len() {
            for digit in ALPHABET
                .chars()
                .filter(|digit| !text[at..].starts_with(*digit))
            {
                let wrong = with_digit(&text, at, digit);
                assert_eq!(
                    wrong.parse::<ServiceId>(),
                    Err(IdError::WrongCheck),
                    "{wrong} from {text}"
                );
            }
        }
    }
}

#[test]
fn every_transposition_is_detected() {
    for id in samples() {
        let text = id.to_string();
        let digit = |at: usize| text[at..].chars().next().unwrap();
        for first in 4..text.len() {
            for second in first + 1..text.len() {
                if digit(first) != digit(second) {
                    let swapped = with_digit(
                        &with_digit(&text, first, digit(second)),
                        second,
                        digit(first),
                    );
                    assert_eq!(
                        swapped.parse::<ServiceId>(),
                        Err(IdError::WrongCheck),
                        "{swapped} from {text}"
                    );
                }
            }
        }
    }
}

#[test]
fn errors_describe_the_mistake() {
    let text = ServiceId::from_random(7).to_string();
    let message = |text: &str| text.parse::<ServiceId>().unwrap_err().to_string();
    assert_eq!(
        message(&text.replace("svc", "ins")),
        "not a ServiceId: expected it to start with `svc_`"
    );
    assert_eq!(
        message(&text[..20]),
        "expected 24 characters after the prefix, found 16"
    );
    assert_eq!(
        message(&with_digit(&text, 9, 'U')),
        "'U' at character 9 is not a digit of an id"
    );
    assert_eq!(
        message(&with_digit(&text, 9, '1')),
        "the check digit does not match: a character is wrong"
    );
}

#[test]
fn no_two_types_share_a_tag() {
    let random = 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef;
    let keys = [
        HostId::from_random(random).key(),
        ServiceId::from_random(random).key(),
        MethodId::from_random(random).key(),
        CallId::from_random(random).key(),
        InstanceId::from_random(random).key(),
    ];
    for (k, key) in keys.iter().enumerate() {
        assert!(
            !keys[k + 1..].contains(key),
            "two types must not share a tag"
        );
    }
}

#[test]
fn zero_differs_from_empty_which_is_unset() {
    let zero = ServiceId::ZERO;
    assert!(zero.is_zero() && !zero.is_empty());
    assert_ne!(zero, ServiceId::EMPTY);

    let empty = ServiceId::default();
    assert!(empty.is_empty() && !empty.is_zero());
    assert_eq!(empty, ServiceId::EMPTY);
    assert_eq!(ServiceId::from_wire(0, 0), Ok(empty));
}

#[test]
fn ids_are_keys_of_maps() {
    let ids: Vec<_> = samples().into_iter().chain([ServiceId::ZERO]).collect();
    let hashed: HashSet<_> = ids.iter().copied().collect();
    let sorted: BTreeSet<_> = ids.iter().copied().collect();
    for id in ids {
        assert_eq!(id, id);
        assert!(hashed.contains(&id) && sorted.contains(&id), "{id}");
    }
    assert_eq!(sorted.last(), Some(&ServiceId::ZERO));
}

#[test]
fn random_ids_are_never_empty_or_zero() {
    for random in [0, u128::MAX, u128::MAX << 112, u128::MAX >> 16] {
        let id: CallId = Id::from_random(random);
        assert!(!id.is_empty() && !id.is_zero(), "{id}");
    }
}
