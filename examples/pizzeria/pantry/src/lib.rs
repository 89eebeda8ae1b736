//! The pantry service: what is on its shelves at first is said in the deployment, as `args = ["dough=9", "truffle=0"]`.

use std::cell::RefCell;
use std::collections::BTreeMap;

use parigot_guest::{Context, NotReady, Ready};
use stubs::pantry::v1::{Pantry, PantryErr, PantryServer, TakeRequest, TakeResponse};

/// How many there are of each ingredient.
struct Shelves {
    stock: RefCell<BTreeMap<String, u32>>,
}

impl Ready for Shelves {
    async fn ready(cx: &Context) -> Result<Self, NotReady> {
        Shelves::stocked(cx.args())
    }
}

impl Pantry for Shelves {
    async fn take(&self, _: &Context, request: TakeRequest) -> Result<TakeResponse, PantryErr> {
        self.take_all(&request.ingredients)
            .map(|()| TakeResponse {})
    }
}

impl Shelves {
    /// Reads `dough=9`, one an argument.
    fn stocked(args: &[String]) -> Result<Self, NotReady> {
        let stock = args
            .iter()
            .map(|arg| shelf(arg))
            .collect::<Result<_, _>>()?;
        Ok(Shelves {
            stock: RefCell::new(stock),
        })
    }

    /// Takes one of each, if all are there. Nothing is awaited in between, so nobody else can take anything meanwhile.
    fn take_all(&self, ingredients: &[String]) -> Result<(), PantryErr> {
        let mut stock = self.stock.borrow_mut();
        if !ingredients
            .iter()
            .all(|ingredient| stock.get(ingredient).is_some_and(|count| *count > 0))
        {
            return Err(PantryErr::SoldOut);
        }
        for ingredient in ingredients {
            stock
                .entry(ingredient.clone())
                .and_modify(|count| *count -= 1);
        }
        Ok(())
    }
}

fn shelf(arg: &str) -> Result<(String, u32), NotReady> {
    let read = arg
        .split_once('=')
        .and_then(|(ingredient, count)| Some((ingredient.to_owned(), count.parse().ok()?)));
    read.ok_or_else(|| {
        NotReady::new(format!(
            "found `{arg}`, expected an ingredient and a number, as `dough=9`"
        ))
    })
}

parigot_guest::service!(Shelves, exports(PantryServer));

#[cfg(test)]
mod tests {
    use super::*;

    fn shelves(stock: &[&str]) -> Shelves {
        Shelves::stocked(&owned(stock)).expect("the stock is spelled well")
    }

    fn owned(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn what_is_taken_is_gone() {
        let shelves = shelves(&["dough=1"]);
        assert_eq!(shelves.take_all(&owned(&["dough"])), Ok(()));
        assert_eq!(
            shelves.take_all(&owned(&["dough"])),
            Err(PantryErr::SoldOut)
        );
    }

    #[test]
    fn all_is_taken_or_nothing() {
        let shelves = shelves(&["dough=1", "truffle=0"]);
        assert_eq!(
            shelves.take_all(&owned(&["dough", "truffle"])),
            Err(PantryErr::SoldOut)
        );
        assert_eq!(shelves.take_all(&owned(&["dough"])), Ok(()));
    }

    #[test]
    fn a_stock_that_cannot_be_read_is_refused() {
        for stock in ["dough", "dough=lots"] {
            let why = shelf(stock).expect_err("it is refused").to_string();
            assert_eq!(
                why,
                format!("found `{stock}`, expected an ingredient and a number, as `dough=9`")
            );
        }
    }
}
