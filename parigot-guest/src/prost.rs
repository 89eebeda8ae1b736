//! The crate [prost](https://docs.rs/prost), as generated code sees it.

pub use ::prost::*;

/// What derived code calls for each field.
#[doc(hidden)]
pub mod encoding {
    pub use ::prost::encoding::*;

    /// Fields of type `bytes`.
    pub mod bytes {
        use alloc::vec::Vec;

        use ::prost::DecodeError;
        use ::prost::bytes::Buf;
        pub use ::prost::encoding::bytes::{encode, encode_repeated, encoded_len, encoded_len_repeated};
        use ::prost::encoding::{DecodeContext, WireType, check_wire_type, decode_varint, encode_varint};

        /// Reads a field. prost's own copies it twice, the first time into memory that it gets and gives back for that.
        pub fn merge(
            wire_type: WireType,
            value: &mut Vec<u8>,
            buf: &mut impl Buf,
            ctx: DecodeContext,
        ) -> Result<(), DecodeError> {
            check_wire_type(WireType::LengthDelimited, wire_type)?;
            let bytes = decode_varint(buf)?;
            let field = usize::try_from(bytes).ok().and_then(|bytes| buf.chunk().get(..bytes));
            let Some(field) = field else { return merge_other(bytes, value, buf, ctx) };
            *value = field.to_vec();
            buf.advance(value.len());
            Ok(())
        }

        /// A field whose length is read, and which does not lie in one piece or is longer than the message: prost knows what to do.
        #[cold]
        fn merge_other(
            bytes: u64,
            value: &mut Vec<u8>,
            buf: &mut impl Buf,
            ctx: DecodeContext,
        ) -> Result<(), DecodeError> {
            let mut length = Vec::new();
            encode_varint(bytes, &mut length);
            ::prost::encoding::bytes::merge(WireType::LengthDelimited, value, &mut length.chain(buf), ctx)
        }

        /// Reads one of several.
        pub fn merge_repeated(
            wire_type: WireType,
            values: &mut Vec<Vec<u8>>,
            buf: &mut impl Buf,
            ctx: DecodeContext,
        ) -> Result<(), DecodeError> {
            let mut value = Vec::new();
            merge(wire_type, &mut value, buf, ctx)?;
            values.push(value);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::Message;
    use super::bytes::Buf;

    /// As the generator writes it.
    #[derive(Clone, PartialEq, Message)]
    #[prost(prost_path = "crate::prost")]
    struct Letter {
        #[prost(bytes = "vec", tag = "1")]
        text: Vec<u8>,
        #[prost(bytes = "vec", repeated, tag = "2")]
        copies: Vec<Vec<u8>>,
    }

    fn letter() -> Letter {
        Letter { text: b"a text".into(), copies: [&b"one"[..], b"", b"three"].map(Vec::from).into() }
    }

    #[test]
    fn a_message_is_read_in_one_piece_or_in_many() {
        let bytes = letter().encode_to_vec();
        assert_eq!(Letter::decode(&*bytes), Ok(letter()));
        for at in 0..=bytes.len() {
            let (first, second) = bytes.split_at(at);
            assert_eq!(Letter::decode(first.chain(second)), Ok(letter()), "in pieces of {at} and more bytes");
        }
    }

    #[test]
    fn the_last_of_two_values_counts() {
        let twice = [letter().encode_to_vec(), Letter { text: b"other".into(), copies: Vec::new() }.encode_to_vec()];
        assert_eq!(Letter::decode(&*twice.concat()), Ok(Letter { text: b"other".into(), ..letter() }));
    }

    #[test]
    fn what_is_longer_than_the_message_or_no_bytes_is_refused_as_prost_does() {
        #[derive(Clone, PartialEq, Message)]
        #[prost(prost_path = "::prost")]
        struct Other {
            #[prost(bytes = "vec", tag = "1")]
            text: Vec<u8>,
        }
        let said = |error: super::DecodeError| alloc::format!("{error}").replace("Other", "Letter");
        for bad in [&[10, 4, 1, 2][..], &[10, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1], &[8, 1], &[10]] {
            let expected = Other::decode(bad).map_err(said).expect_err("it is bad");
            assert_eq!(Letter::decode(bad).map_err(said).expect_err("it is bad"), expected);
        }
    }
}
