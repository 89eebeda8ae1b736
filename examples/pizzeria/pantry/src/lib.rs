//! The pantry service. The deployment sets the initial stock: `args = ["dough=9", "truffle=0"]`.

use std::cell::RefCell;
use std::collections::BTreeMap;

use parigot_guest::{Context, Failure, NotReady, Ready};
use stubs::pantry::v1::{Pantry, PantryErr, PantryServer, TakeRequest, TakeResponse};

/// Number of units of each ingredient.
struct Shelves {
    stock: RefCell<BTreeMap<String, u32>>,
}

impl Ready for Shelves {
    async fn ready(cx: &Context) -> Result<Self, NotReady> {
        Shelves::stocked(cx.args())
    }
}

impl Pantry for Shelves {
    async fn take(
        &self,
        _: &Context,
        request: TakeRequest,
    ) -> Result<TakeResponse, Failure<PantryErr>> {
        self.take_all(&request.ingredients)?;
        Ok(TakeResponse {})
    }
}

impl Shelves {
    /// Parses the stock, `dough=9` per argument.
    fn stocked(args: &[String]) -> Result<Self, NotReady> {
        let stock = args
            .iter()
            .map(|arg| shelf(arg))
            .collect::<Result<_, _>>()?;
        Ok(Shelves {
            stock: RefCell::new(stock),
        })
    }

    /// Takes one unit of each ingredient if all are in stock.
    ///
    /// The function does not await, so no other call can change the stock in between.
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
        Shelves::stocked(&owned(stock)).expect("the stock must be valid")
    }

    fn owned(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn a_taken_unit_is_gone() {
        let shelves = shelves(&["dough=1"]);
        assert_eq!(shelves.take_all(&owned(&["dough"])), Ok(()));
        assert_eq!(
            shelves.take_all(&owned(&["dough"])),
            Err(PantryErr::SoldOut)
        );
    }

    #[test]
    fn all_units_are_taken_or_none() {
        let shelves = shelves(&["dough=1", "truffle=0"]);
        assert_eq!(
            shelves.take_all(&owned(&["dough", "truffle"])),
            Err(PantryErr::SoldOut)
        );
        assert_eq!(shelves.take_all(&owned(&["dough"])), Ok(()));
    }

    #[test]
    fn an_invalid_stock_is_refused() {
        for stock in ["dough", "dough=lots"] {
            let why = shelf(stock)
                .expect_err("the stock must be refused")
                .to_string();
            assert_eq!(
                why,
                format!("found `{stock}`, expected an ingredient and a number, as `dough=9`")
            );
        }
    }
}
