//! A shopping cart that can be merged: [`Cart`], quantities by product and variant.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use strata_core::{Error, ErrorKind, Result};

/// What somebody wants to buy: a quantity for each product and variant. Bounded, and validated also when it
/// is read from a store, so that no quantity is zero, negative or beyond what a shop would believe.
///
/// It is stored as a list of [`Line`]s, in order of product and variant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Line>", into = "Vec<Line>")]
pub struct Cart(BTreeMap<(String, Option<String>), u32>);

/// One product in one variant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Line {
    /// The product, by the shop's id.
    pub product: String,
    /// Size, colour or whatever else makes two of a product different things.
    pub variant: Option<String>,
    /// How many, from 1 to [`Cart::MAX_QUANTITY`].
    pub quantity: u32,
}

impl Cart {
    /// The most of one product in one variant.
    pub const MAX_QUANTITY: u32 = 10_000;
    /// The most lines.
    pub const MAX_LINES: usize = 256;
    /// The longest id of a product or variant, in bytes.
    pub const MAX_ID_BYTES: usize = 128;

    /// An empty cart.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `quantity` of a product without variants.
    ///
    /// # Errors
    /// As [`Cart::add_variant`].
    pub fn add(&mut self, product: &str, quantity: u32) -> Result<()> {
        self.add_line(product, None, quantity)
    }

    /// Adds `quantity` of a product in one variant. After an error the cart is as it was.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for a quantity of zero and an id that is empty or has control characters;
    /// [`ErrorKind::TooLarge`] over [`Cart::MAX_QUANTITY`], [`Cart::MAX_LINES`] or [`Cart::MAX_ID_BYTES`].
    pub fn add_variant(&mut self, product: &str, variant: &str, quantity: u32) -> Result<()> {
        self.add_line(product, Some(variant), quantity)
    }

    fn add_line(&mut self, product: &str, variant: Option<&str>, quantity: u32) -> Result<()> {
        check_id(product)?;
        variant.map_or(Ok(()), check_id)?;
        if quantity == 0 {
            return Err(invalid(format!(
                "a quantity of zero of `{product}`; add at least one, or remove it"
            )));
        }
        let line = (product.to_owned(), variant.map(ToOwned::to_owned));
        let there = self.0.get(&line).copied();
        if there.is_none() && self.0.len() >= Self::MAX_LINES {
            return Err(too_large(format!(
                "`{product}` would be one product more than the {} a cart holds; remove another first",
                Self::MAX_LINES
            )));
        }
        let sum = there.unwrap_or(0).checked_add(quantity).filter(|&sum| sum <= Self::MAX_QUANTITY);
        let Some(sum) = sum else {
            return Err(too_large(format!(
                "more than {} of `{product}` in one cart; remove some first",
                Self::MAX_QUANTITY
            )));
        };
        self.0.insert(line, sum);
        Ok(())
    }

    /// Removes a product in one variant, or without one, and says how many there were.
    pub fn remove(&mut self, product: &str, variant: Option<&str>) -> u32 {
        self.0.remove(&(product.to_owned(), variant.map(ToOwned::to_owned))).unwrap_or(0)
    }

    /// How many of a product there are, in all variants together.
    pub fn quantity(&self, product: &str) -> u64 {
        self.lines().filter(|(other, ..)| *other == product).map(|(.., quantity)| u64::from(quantity)).sum()
    }

    /// Product, variant and quantity of each line, in order.
    pub fn lines(&self) -> impl Iterator<Item = (&str, Option<&str>, u32)> {
        self.0.iter().map(|((product, variant), quantity)| (product.as_str(), variant.as_deref(), *quantity))
    }

    /// How many lines there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Everything of both: quantities of the same product and variant are added.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`], with the product, when a sum is over a bound.
    pub fn merge(mut self, other: Self) -> Result<Self> {
        for ((product, variant), quantity) in other.0 {
            self.add_line(&product, variant.as_deref(), quantity)?;
        }
        Ok(self)
    }
}

impl TryFrom<Vec<Line>> for Cart {
    type Error = Error;

    fn try_from(lines: Vec<Line>) -> Result<Self> {
        let mut cart = Self::new();
        for Line { product, variant, quantity } in lines {
            cart.add_line(&product, variant.as_deref(), quantity)?;
        }
        Ok(cart)
    }
}

impl From<Cart> for Vec<Line> {
    fn from(cart: Cart) -> Self {
        cart.0.into_iter().map(|((product, variant), quantity)| Line { product, variant, quantity }).collect()
    }
}

fn check_id(id: &str) -> Result<()> {
    if id.is_empty() || id.chars().any(char::is_control) {
        return Err(invalid(
            "the id of a product or variant is empty or has a control character; give the shop's own id"
                .to_owned(),
        ));
    }
    if id.len() > Cart::MAX_ID_BYTES {
        return Err(too_large(format!(
            "the id of a product or variant has {} bytes, at most {} are allowed; shorten it",
            id.len(),
            Cart::MAX_ID_BYTES
        )));
    }
    Ok(())
}

#[cold]
fn invalid(message: String) -> Error {
    Error::new(ErrorKind::Invalid, "change cart", message)
}

#[cold]
fn too_large(message: String) -> Error {
    Error::new(ErrorKind::TooLarge, "change cart", message)
}

#[cfg(test)]
mod tests {
    use strata_core::Codec;

    use super::*;

    fn cart(lines: &[(&str, u32)]) -> Cart {
        let mut cart = Cart::new();
        for (product, quantity) in lines {
            cart.add(product, *quantity).expect("a line");
        }
        cart
    }

    #[test]
    fn quantities_of_the_same_product_and_variant_are_added() {
        let mut guest = cart(&[("tea", 2)]);
        guest.add_variant("tea", "green", 3).expect("a variant");
        let merged = cart(&[("tea", 1), ("milk", 1)]).merge(guest).expect("a merge");
        let lines: Vec<_> = merged.lines().collect();
        assert_eq!(lines, [("milk", None, 1), ("tea", None, 3), ("tea", Some("green"), 3)]);
        assert_eq!(merged.quantity("tea"), 6);
    }

    #[test]
    fn s38_bounds_are_inclusive_and_name_the_product() {
        let most = Cart::MAX_QUANTITY;
        let mut full = cart(&[("tea", most - 1)]);
        full.add("tea", 1).expect("the most");
        for more in [1, u32::MAX] {
            let error = full.add("tea", more).expect_err("too many");
            assert_eq!(error.kind(), ErrorKind::TooLarge);
            assert!(error.message().contains("`tea`"), "{error}");
        }
        assert_eq!(full.quantity("tea"), u64::from(most), "as it was");
        assert_eq!(full.clone().merge(full).expect_err("too many").kind(), ErrorKind::TooLarge);
        let mut wide = Cart::new();
        for number in 0..Cart::MAX_LINES {
            wide.add(&number.to_string(), 1).expect("a line");
        }
        wide.add("0", 1).expect("no new line");
        assert_eq!(wide.add("one more", 1).expect_err("too many").kind(), ErrorKind::TooLarge);
        let long = "x".repeat(Cart::MAX_ID_BYTES + 1);
        assert_eq!(wide.add(&long, 1).expect_err("too long").kind(), ErrorKind::TooLarge);
        for (product, quantity) in [("tea", 0), ("", 1), ("a\nb", 1)] {
            assert_eq!(cart(&[]).add(product, quantity).expect_err(product).kind(), ErrorKind::Invalid);
        }
    }

    #[test]
    fn a_stored_cart_is_validated_when_it_is_read() {
        for codec in [Codec::Bincode, Codec::Json] {
            let mut bytes = Vec::new();
            let mut whole = cart(&[("tea", 2)]);
            whole.add_variant("tea", "green", 1).expect("a variant");
            codec.encode(&whole, &mut bytes, 1024).expect("encoded");
            assert_eq!(codec.decode::<Cart>(&bytes).expect("decoded"), whole);
            let zero = [Line { product: "tea".to_owned(), variant: None, quantity: 0 }];
            let mut bytes = Vec::new();
            codec.encode(&zero.to_vec(), &mut bytes, 1024).expect("encoded");
            codec.decode::<Cart>(&bytes).expect_err("a quantity of zero");
        }
        for quantity in ["-1", "1.5", "4294967296", "10001", "null"] {
            let text = format!("[{{\"product\":\"tea\",\"variant\":null,\"quantity\":{quantity}}}]");
            Codec::Json.decode::<Cart>(text.as_bytes()).expect_err(quantity);
        }
        Codec::Bincode.shape_of::<Cart>().expect("a shape");
    }
}
