//! Tests of several guests together. Fakes replace guests, and the test controls time and faults.

use std::time::Duration;

use parigot_host::deployment::GuestSpec;
use parigot_host::testing::{Answer, Fake, FakeStdio, Fault, TestHost};
use stubs::OrderId;
use stubs::orders::v1::{OrdersErr, PlaceRequest, orders as orders_v1};
use stubs::stock::v1::{ListLevelsRequest, Reservation, Shortage, StockErr, stock};

/// Returns the guests of shop.toml, of which the admin runs a command.
fn shop(command: &[&str], stdio: &FakeStdio) -> TestHost {
    let args = command.iter().map(|word| word.to_string()).collect();
    TestHost::deployment("../shop.toml")
        .change("admin", |admin| admin.args = args)
        .stdio(stdio)
}

fn two_coffees() -> PlaceRequest {
    PlaceRequest {
        id: Some(OrderId::from_random(1).into()),
        item: "coffee".into(),
        count: 2,
    }
}

#[test]
fn an_order_is_placed_once_after_a_lost_reply() {
    let lost = Fault::lose_reply().of::<orders_v1::Place>().nth(1);
    let stdio = FakeStdio::new("");
    let mut run = shop(&["order", "coffee", "2"], &stdio).fault(lost).start();
    assert_eq!(run.wait_for_exit("admin"), 0);
    let output = String::from_utf8(stdio.output()).expect("the output must be UTF-8");
    assert!(
        output.ends_with(": 2 coffee for 19.00 €, prices of 2026-11\n"),
        "{output}"
    );
    let levels = run.call::<stock::ListLevels>(ListLevelsRequest {});
    let levels = levels.expect("the stock must answer").levels;
    assert_eq!((&*levels[0].item, levels[0].count), ("coffee", 8));
}

#[test]
fn low_items_are_filled_after_a_minute() {
    let mut run = shop(&["order", "mug", "3"], &FakeStdio::new("")).start();
    assert_eq!(run.wait_for_exit("admin"), 0);
    run.advance(Duration::from_secs(60));
    assert_eq!(
        run.log("restocker"),
        ["filled mug up to 10", "filled tea up to 10"]
    );
}

/// Runs the orders natively, so that a debugger can stop in the handler.
#[test]
fn orders_pass_on_answers_of_the_stock() {
    let fake = Fake::new("stock");
    let native = GuestSpec::service("orders", "");
    let host = TestHost::new().native(native, orders::GUEST).fake(&fake);
    fake.answer::<stock::Reserve>(|_| {
        Answer::ok(Reservation { total_cents: 1900 }).with_trailer("price-list", "november")
    });
    let mut run = host.start();
    let order = run
        .call::<orders_v1::Place>(two_coffees())
        .expect("the order must be placed");
    assert_eq!((order.total_cents, &*order.price_list), (1900, "november"));

    fake.answer::<stock::Reserve>(|_| {
        Answer::error(StockErr::SoldOut.with_detail(&Shortage { available: 1 }))
    });
    let error = run
        .call::<orders_v1::Place>(two_coffees())
        .expect_err("the order must be refused");
    assert_eq!(error.service_error(), Some(&OrdersErr::OutOfStock));
    assert_eq!(error.message(), "1 of 2 coffee available");
}
