//! The admin program. The arguments are a command: `list`, `orders` or `order ITEM COUNT`.

use parigot_guest::stdio::{StdioClient, Stdout};
use parigot_guest::{Context, Error, Exit, RetryPolicy, retry};
use stubs::OrderId;
use stubs::catalog::v1::{CatalogClient, Item, ListItemsRequest};
use stubs::orders::v1::{ListRequest, Order, OrdersClient, PlaceRequest};
use stubs::stock::v1::{Level, ListLevelsRequest, StockClient};

#[parigot_guest::program(requires(CatalogClient, OrdersClient, StdioClient, StockClient))]
async fn main(cx: Context) -> Result<Exit, Error> {
    let command = Command::parse(cx.args())?;
    cx.launch().await?;
    let lines = match command {
        Command::List => list(&cx).await?,
        Command::Orders => orders(&cx).await?,
        Command::Order { item, count } => vec![order(&cx, item, count).await?],
    };
    let stdout = Stdout::locate(&cx)?;
    for line in lines {
        stdout.println(line).await?;
    }
    Ok(Exit::SUCCESS)
}

#[derive(Debug, PartialEq)]
enum Command {
    List,
    Orders,
    Order { item: String, count: u32 },
}

impl Command {
    fn parse(args: &[String]) -> Result<Self, Error> {
        let words: Vec<&str> = args.iter().map(String::as_str).collect();
        match words[..] {
            ["list"] => Ok(Command::List),
            ["orders"] => Ok(Command::Orders),
            ["order", item, count] => Ok(Command::Order {
                item: item.into(),
                count: parse_count(count)?,
            }),
            _ => Err(Error::new(
                "expected a command: `list`, `orders` or `order ITEM COUNT`",
            )),
        }
    }
}

fn parse_count(text: &str) -> Result<u32, Error> {
    text.parse()
        .map_err(|_| Error::new(format!("found `{text}`, expected a number of pieces")))
}

/// Lists all items with price and stock.
async fn list(cx: &Context) -> Result<Vec<String>, Error> {
    // Both calls are in flight before the first is awaited.
    let items = CatalogClient::locate(cx)?.list_items(ListItemsRequest {});
    let levels = StockClient::locate(cx)?.list_levels(ListLevelsRequest {});
    let items = items.await?.items;
    let levels = levels.await?.levels;
    Ok(items.iter().map(|item| row(item, &levels)).collect())
}

fn row(item: &Item, levels: &[Level]) -> String {
    let level = levels.iter().find(|level| level.item == item.name);
    let count = level.map_or(0, |level| level.count);
    format!("{:<8}{:>8}{count:>4}", item.name, euros(item.price_cents))
}

async fn orders(cx: &Context) -> Result<Vec<String>, Error> {
    let response = OrdersClient::locate(cx)?.list(ListRequest {}).await?;
    response.orders.iter().map(describe).collect()
}

/// Places an order.
///
/// The call is repeated if its reply is lost. The id lets the service recognize the order.
async fn order(cx: &Context, item: String, count: u32) -> Result<String, Error> {
    let orders = OrdersClient::locate(cx)?;
    let id: OrderId = cx.random().id();
    let request = PlaceRequest {
        id: Some(id.into()),
        item,
        count,
    };
    let order = retry(RetryPolicy::default(), || orders.place(request.clone())).await?;
    describe(&order)
}

fn describe(order: &Order) -> Result<String, Error> {
    let id = OrderId::try_from(order.id.unwrap_or_default())?;
    Ok(format!(
        "{id}: {} {} for {}, prices of {}",
        order.count,
        order.item,
        euros(order.total_cents),
        order.price_list
    ))
}

fn euros(cents: u32) -> String {
    format!("{}.{:02} €", cents / 100, cents % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Command, Error> {
        let words: Vec<String> = line.split_whitespace().map(String::from).collect();
        Command::parse(&words)
    }

    #[test]
    fn a_command_has_arguments() {
        let command = parse("order coffee 2").expect("the command must be valid");
        let item = "coffee".into();
        assert_eq!(command, Command::Order { item, count: 2 });
        assert_eq!(
            parse("list").expect("the command must be valid"),
            Command::List
        );
    }

    #[test]
    fn an_invalid_command_is_an_error() {
        for line in ["", "lsit", "order coffee", "order coffee two"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn a_row_has_name_price_and_stock() {
        let item = Item {
            name: "tea".into(),
            price_cents: 405,
        };
        let level = Level {
            item: "tea".into(),
            count: 7,
        };
        assert_eq!(row(&item, &[level]), "tea       4.05 €   7");
    }
}
