//! The catalog service. The deployment names the version of the prices: `PRICE_LIST = "2026-11"`.

use parigot_guest::{Context, Failure, NotReady, Ready};
use stubs::catalog::v1::{
    Catalog, CatalogErr, CatalogServer, FetchItemRequest, Item, ListItemsRequest,
    ListItemsResponse, Replacement,
};

/// Items for sale with their prices in cents, sorted by name.
const ITEMS: [(&str, u32); 3] = [("coffee", 950), ("mug", 1_200), ("tea", 420)];

/// Discontinued items with their replacements.
const DISCONTINUED: [(&str, &str); 1] = [("green-tea", "tea")];

struct PriceList {
    version: String,
}

impl Ready for PriceList {
    async fn ready(cx: &Context) -> Result<Self, NotReady> {
        let version = cx
            .env("PRICE_LIST")
            .ok_or_else(|| NotReady::new("the environment variable PRICE_LIST is not set"))?;
        Ok(PriceList {
            version: version.into(),
        })
    }
}

impl Catalog for PriceList {
    async fn fetch_item(
        &self,
        cx: &Context,
        request: FetchItemRequest,
    ) -> Result<Item, Failure<CatalogErr>> {
        cx.set_header("price-list", &self.version);
        find(&request.item)
    }

    async fn list_items(
        &self,
        cx: &Context,
        _: ListItemsRequest,
    ) -> Result<ListItemsResponse, Failure<CatalogErr>> {
        cx.set_header("price-list", &self.version);
        Ok(ListItemsResponse {
            items: ITEMS.into_iter().map(to_message).collect(),
        })
    }
}

fn to_message((name, price_cents): (&str, u32)) -> Item {
    Item {
        name: name.into(),
        price_cents,
    }
}

fn find(name: &str) -> Result<Item, Failure<CatalogErr>> {
    if let Some(item) = ITEMS.into_iter().find(|(known, _)| *known == name) {
        return Ok(to_message(item));
    }
    let Some((_, replacement)) = DISCONTINUED.into_iter().find(|(old, _)| *old == name) else {
        return Err(CatalogErr::UnknownItem.with_message(format!("the shop does not know {name}")));
    };
    let failure = CatalogErr::Discontinued.with_message(format!("{name} is discontinued"));
    Err(failure.with_detail(&Replacement {
        item: replacement.into(),
    }))
}

parigot_guest::service!(PriceList, exports(CatalogServer));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sold_item_has_a_price() {
        let item = find("coffee").expect("coffee must be for sale");
        assert_eq!(item.price_cents, 950);
    }

    #[test]
    fn an_unknown_item_is_an_error_with_a_message() {
        let failure = find("cofee").expect_err("the item must be unknown");
        assert_eq!(
            failure.to_string(),
            "UnknownItem: the shop does not know cofee"
        );
    }

    #[test]
    fn a_discontinued_item_names_its_replacement() {
        let failure = find("green-tea").expect_err("the item must be discontinued");
        let Failure::Service(CatalogErr::Discontinued, extras) = failure else {
            panic!("{failure}")
        };
        assert_eq!(extras.details::<Replacement>()[0].item, "tea");
    }
}
