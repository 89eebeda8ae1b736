//! Behaviour (g) of the generator: typical `.proto` files compile. The tests in `tests/load` prove
//! the other behaviours.

use golden::together::shop::v1::order::Line;
use golden::together::shop::v1::order::line::Unit;
use golden::together::shop::v1::{
    Guard, GuardServer, OpenRequest, OpenResponse, Order, Shop, ShopServer, guard, shop,
};
use golden::together::stock::v1::Item;
use parigot_guest::prost_types::Timestamp;
use parigot_guest::{Context, Method, Serve, Server, Status};

/// Implementation of both services of a file, which have an rpc of the same name.
struct Both;

impl Shop for Both {
    async fn open(&self, _: &Context, _: OpenRequest) -> Result<OpenResponse, Status> {
        Ok(OpenResponse {})
    }

    async fn place_order(&self, _: &Context, order: Order) -> Result<Item, Status> {
        let line = order.lines.into_iter().next();
        Ok(line.and_then(|line| line.item).unwrap_or_default())
    }

    async fn close(&self, _: &Context, (): ()) -> Result<(), Status> {
        Ok(())
    }
}

impl Guard for Both {
    async fn open(&self, _: &Context, _: OpenRequest) -> Result<OpenResponse, Status> {
        Ok(OpenResponse {})
    }
}

#[test]
fn behaviour_g_typical_protos_compile() {
    let item = Item {
        name: "tea".into(),
        left: Some(0),
    };
    let line = Line {
        item: Some(item),
        unit: Unit::Piece.into(),
    };
    let order = Order {
        lines: vec![line],
        note: None,
        placed_at: Some(Timestamp::default()),
    };
    assert_eq!(order.lines[0].unit(), Unit::Piece);
    fn serves<S, M: Serve<S>>() -> (&'static str, &'static str) {
        (M::SERVICE.name, M::info().name())
    }
    assert_eq!(serves::<Both, shop::Open>(), ("shop.v1.Shop", "Open"));
    assert_eq!(serves::<Both, guard::Open>(), ("shop.v1.Guard", "Open"));
    assert_eq!(
        serves::<Both, shop::PlaceOrder>(),
        ("shop.v1.Shop", "place_order")
    );
    assert_eq!(<shop::Close as Method>::INDEX, 2);
    assert_eq!(<ShopServer<Both> as Server<Both>>::SERVICE.methods.len(), 3);
    assert_eq!(
        <GuardServer<Both> as Server<Both>>::SERVICE.methods.len(),
        1
    );
}
