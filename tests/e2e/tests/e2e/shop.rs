//! The shop example, run as a user would.

use std::path::Path;

use e2e::{App, Ended, Nats, Started, parigot_run, parigot_with, shop};

fn file(name: &str) -> String {
    std::fs::read_to_string(shop().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Runs shop.toml with a command of the admin.
fn run(admin: &[&str]) -> Ended {
    let mut command = parigot_run(Path::new("shop.toml"));
    command.args(["--program", "admin", "--"]).args(admin);
    Started::new(command.current_dir(shop())).wait()
}

fn run_subcommand(subcommand: &str) -> String {
    Started::new(parigot_with(subcommand, Path::new("shop.toml")).current_dir(shop()))
        .wait()
        .stdout
}

/// Returns the first id of an order in a text.
fn order_id(text: &str) -> &str {
    let from = text
        .find("ord_")
        .unwrap_or_else(|| panic!("nothing was ordered:\n{text}"));
    text[from..].split(':').next().unwrap_or_default()
}

#[test]
fn the_readme_shows_the_output() {
    let ended = run(&["order", "coffee", "2"]);
    let found = &ended.stdout;
    let readme = file("README.md");
    let shown = readme
        .split("```text\n")
        .nth(2)
        .expect("README.md must show a drawing, and then the output");
    let (shown, _) = shown.split_once("```").expect("the block must be closed");
    assert_eq!(*found, shown.replace(order_id(shown), order_id(found)));
    assert_eq!(ended.status, Some(0));
}

#[test]
fn the_admin_lists_price_and_stock() {
    assert_eq!(
        run(&["list"]).stdout,
        "coffee    9.50 €  10\nmug      12.00 €   4\ntea       4.20 €   2\n"
    );
}

#[test]
fn errors_of_all_services_reach_the_admin() {
    for (item, count, why) in [
        ("coffee", "12", "OutOfStock: 10 of 12 coffee available"),
        ("cofee", "1", "NotForSale: the shop does not know cofee"),
        (
            "green-tea",
            "1",
            "NotForSale: green-tea is discontinued, order tea instead",
        ),
    ] {
        let ended = run(&["order", item, count]);
        assert_eq!(
            ended.messages_of("admin"),
            [format!("exited with status 1: {why}")],
            "{}",
            ended.stderr
        );
        assert_eq!(ended.status, Some(1));
    }
}

#[test]
fn check_and_graph_show_the_example() {
    assert_eq!(
        run_subcommand("check"),
        "shop.toml: its 5 guests fit, launched in this order:\n   1  catalog\n   2  stock\n   3  \
         orders, restocker\n   4  admin\n"
    );
    assert_eq!(
        run_subcommand("graph"),
        "step   guest             requires\n\
         1      service catalog   -\n\
         2      service stock     -> catalog  catalog.v1.Catalog\n\
         3      service orders    -> stock    stock.v1.Stock\n\
         3      worker restocker  -> stock    stock.v1.Stock\n\
         4      program admin     -> (host)   parigot.stdio.v1.Stdio\n                         -> \
         catalog  catalog.v1.Catalog\n                         -> \
         orders   orders.v1.Orders\n                         -> stock    stock.v1.Stock\n"
    );
}

#[test]
fn orders_outlive_the_process_that_placed_them() {
    let nats = Nats::start();
    let deployment = file("shop-apart.toml");
    assert!(
        deployment.starts_with(&file("shop.toml")),
        "both files must describe the same guests"
    );
    let app = App::new("").with(
        "app.toml",
        deployment
            .replace("build/", &format!("{}/build/", shop().display()))
            .replace("nats://127.0.0.1:4222", &nats.url()),
    );
    let _warehouse = app.start_process("warehouse");
    let _front = app.start_process("front");
    let office = |admin: &[&str]| {
        let mut command = app.command();
        command.args(["--process", "office", "--"]).args(admin);
        Started::new(&mut command).wait().stdout
    };
    let placed = office(&["order", "coffee", "2"]);
    assert!(placed.starts_with("ord_"), "{placed}");
    assert_eq!(office(&["orders"]), placed);
    let list = office(&["list"]);
    assert!(list.starts_with("coffee    9.50 €   8\n"), "{list}");
}
