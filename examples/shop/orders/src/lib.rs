//! The orders service. Orders live in memory; their items are reserved by the stock service.

use std::cell::RefCell;
use std::collections::BTreeMap;

use parigot_guest::{CallError, Code, Context, Failure, NotReady, Ready, Status, info};
use stubs::OrderId;
use stubs::orders::v1::{
    ListRequest, ListResponse, Order, Orders, OrdersErr, OrdersServer, PlaceRequest,
};
use stubs::stock::v1::{ReserveRequest, Shortage, StockClient, StockErr};

struct OrderBook {
    stock: StockClient,
    /// Orders by the keys of their ids.
    orders: RefCell<BTreeMap<u128, Order>>,
}

impl Ready for OrderBook {
    async fn ready(cx: &Context) -> Result<Self, NotReady> {
        Ok(OrderBook {
            stock: StockClient::locate(cx)?,
            orders: RefCell::default(),
        })
    }
}

impl Orders for OrderBook {
    /// Reserves the items, and then records the order. Both steps may be repeated without harm.
    async fn place(
        &self,
        cx: &Context,
        request: PlaceRequest,
    ) -> Result<Order, Failure<OrdersErr>> {
        let order_id = id_of(&request)?;
        let PlaceRequest { id, item, count } = request;
        let reserve = ReserveRequest {
            order: id,
            item: item.clone(),
            count,
        };
        let (reservation, metadata) = self
            .stock
            .reserve(reserve)
            .with_metadata()
            .await
            .map_err(|error| refusal(&item, count, error))?;
        let order = Order {
            id,
            item,
            count,
            total_cents: reservation.total_cents,
            price_list: metadata.trailers().get("price-list").unwrap_or("").into(),
        };
        info!(cx, "placed {order_id}: {count} {}", order.item);
        self.orders
            .borrow_mut()
            .insert(order_id.key(), order.clone());
        Ok(order)
    }

    async fn list(&self, _: &Context, _: ListRequest) -> Result<ListResponse, Failure<OrdersErr>> {
        Ok(ListResponse {
            orders: self.orders.borrow().values().cloned().collect(),
        })
    }
}

fn id_of(request: &PlaceRequest) -> Result<OrderId, Status> {
    match request.id.map(OrderId::try_from) {
        Some(Ok(id)) if !id.is_empty() => Ok(id),
        _ => Err(Status::new(
            Code::InvalidArgument,
            "the request has no id of an order",
        )),
    }
}

/// Translates an error of the stock. Any other failure of the call is passed on as a status.
fn refusal(item: &str, count: u32, error: CallError<StockErr>) -> Failure<OrdersErr> {
    match error.service_error() {
        Some(StockErr::NotForSale) => OrdersErr::NotForSale.with_message(error.message()),
        Some(StockErr::SoldOut) => {
            let shortage = error.details::<Shortage>().pop().unwrap_or_default();
            let available = shortage.available;
            OrdersErr::OutOfStock.with_message(format!("{available} of {count} {item} available"))
        }
        _ => error.into(),
    }
}

parigot_guest::service!(OrderBook, exports(OrdersServer), requires(StockClient));

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use parigot_guest::testing::{Answer, Fake, TestCall, TestGuest};
    use stubs::orders::v1::orders;
    use stubs::stock::v1::{Reservation, stock};

    use super::*;

    #[test]
    fn an_order_needs_an_id() {
        let mut request = PlaceRequest::default();
        assert!(id_of(&request).is_err());
        request.id = Some(OrderId::from_random(1).into());
        assert_eq!(id_of(&request).ok(), Some(OrderId::from_random(1)));
    }

    fn refusal_of(error: impl Into<CallError<StockErr>>) -> String {
        refusal("coffee", 12, error.into()).to_string()
    }

    #[test]
    fn a_shortage_tells_the_available_count() {
        let sold_out = StockErr::SoldOut.with_detail(&Shortage { available: 10 });
        assert_eq!(
            refusal_of(sold_out),
            "OutOfStock: 10 of 12 coffee available"
        );
    }

    #[test]
    fn the_message_of_the_stock_is_passed_on() {
        let not_for_sale = StockErr::NotForSale.with_message("coffee is discontinued");
        assert_eq!(
            refusal_of(not_for_sale),
            "NotForSale: coffee is discontinued"
        );
    }

    // ANCHOR: guest
    #[test]
    fn an_order_is_placed_with_the_price_of_the_stock() {
        let stock = Fake::new("stock");
        stock.answer::<stock::Reserve>(|_| {
            let reservation = Reservation { total_cents: 1900 };
            Answer::ok(reservation).with_trailer("price-list", "november")
        });
        let mut orders = TestGuest::new(GUEST).fake(&stock).start();
        let order = orders
            .call::<orders::Place>(two_coffees())
            .expect("the order must be placed");
        assert_eq!((order.total_cents, &*order.price_list), (1900, "november"));
        assert_eq!(stock.requests::<stock::Reserve>()[0].count, 2);
        assert!(orders.log()[0].ends_with(": 2 coffee"));
    }
    // ANCHOR_END: guest

    // ANCHOR: time
    #[test]
    fn a_stock_that_does_not_answer_fails_the_order_in_time() {
        let stock = Fake::new("stock");
        stock.answer::<stock::Reserve>(|_| Answer::never());
        let mut orders = TestGuest::new(GUEST).fake(&stock).start();
        let call = TestCall::<orders::Place>::new(two_coffees()).within(Duration::from_secs(10));
        let call = orders.begin(call);
        orders.advance(Duration::from_secs(9));
        assert!(!call.has_ended());
        orders.advance(Duration::from_secs(1));
        let error = call
            .outcome()
            .and_then(Result::err)
            .expect("the order must fail");
        assert_eq!(error.code(), Code::DeadlineExceeded);
    }
    // ANCHOR_END: time

    fn two_coffees() -> PlaceRequest {
        PlaceRequest {
            id: Some(OrderId::from_random(1).into()),
            item: "coffee".into(),
            count: 2,
        }
    }

    #[test]
    fn a_status_is_passed_on() {
        let status = Failure::Status(Status::new(Code::Unavailable, "closed"));
        assert_eq!(refusal_of(status), "UNAVAILABLE: closed");
    }
}
