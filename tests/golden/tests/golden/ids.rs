//! Ids written by `parigot boilerplateid`.

use golden::ids::order::OrderId;
use golden::ids::ticket::TicketId;
use parigot_guest::id::IdError;

const RANDOM: u128 = 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef;

#[test]
fn text_and_wire_forms_round_trip() {
    let id = TicketId::from_random(RANDOM);
    assert_eq!(id.to_string().parse(), Ok(id));
    let (high, low) = id.to_wire();
    assert_eq!(TicketId::from_wire(high, low), Ok(id));
    assert!(id.to_string().starts_with("tkt_"), "{id}");
}

#[test]
fn an_id_of_another_type_is_rejected() {
    let order = OrderId::from_random(RANDOM);
    let wrong_type = IdError::WrongType {
        expected: "TicketId",
        prefix: "tkt",
    };
    assert_eq!(order.to_string().parse::<TicketId>(), Err(wrong_type));
    let (high, low) = order.to_wire();
    assert_eq!(TicketId::from_wire(high, low), Err(wrong_type));
}
